#include "ops/out.h"

#include "autograd/variable.h"
#include "ops/as_strided.h"
#include "ops/copy.h"
#include "ops/overlap.h"

namespace tapegrad {

void refuse_recorded_out(const char* function, const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& outs) {
    if (!grad_enabled()) return;
    for (const auto* tensors : {&inputs, &outs})
        for (const Tensor& tensor : *tensors)
            if (tensor.requires_grad())
                fail(function,
                     "(): functions with out=... arguments don't support automatic "
                     "differentiation, but one of the arguments requires grad.");
}

void check_out(const Tensor& out, const Tensor& result, const std::vector<Tensor>& inputs) {
    if (!can_cast(result.dtype(), out.dtype()))
        fail("result type ", scalar_type_name(result.dtype()),
             " can't be cast to the desired output type ", scalar_type_name(out.dtype()));
    check_inplace(out, false);
    refuse_internal_overlap(out);
    // Element by element, a place that is written may be one that is still to be read.
    for (const Tensor& input : inputs)
        if (input.sizes() == result.sizes()) refuse_partial_overlap(out, input);
}

namespace {

// Other sizes, in the order of the dimensions. Whoever shares too small a memory would be cut off.
void resize(const Tensor& out, const Dims& sizes) {
    if (!make_room(out, sizes))
        fail("Trying to resize storage that is not resizable. The tensor given as out= has shape ",
             to_string(out.sizes()), " and shares its memory; give one of shape ", to_string(sizes),
             ".");
    if (AutogradExtra* extra = extra_of(out)) extra->retire_accumulator();
    out->shape = Shape::row_major(sizes);
}

}  // namespace

void write_out(const Tensor& out, const Tensor& result, bool warns) {
    if (!(out.sizes() == result.sizes())) {
        if (warns && out.numel() > 0)
            warn(text("An output with one or more elements was resized since it had shape ",
                      to_string(out.sizes()), ", which does not match the required output shape ",
                      to_string(result.sizes()),
                      ". Give an output of that shape, or one without elements."));
        resize(out, result.sizes());
    }
    copy_values(out, result);
    out.bump_version();
}

}  // namespace tapegrad
