#include "ops/out.h"

#include "autograd/variable.h"
#include "ops/copy.h"
#include "ops/overlap.h"

namespace tapegrad {

void refuse_recorded_out(const char* function, bool requires_grad) {
    if (requires_grad && grad_enabled())
        fail(
            function,
            "(): functions with out=... arguments don't support automatic differentiation, but one "
            "of the arguments requires grad.");
}

void write_out(const Tensor& out, const Tensor& result) {
    if (!can_cast(result.dtype(), out.dtype()))
        fail("result type ", scalar_type_name(result.dtype()),
             " can't be cast to the desired output type ", scalar_type_name(out.dtype()));
    check_inplace(out, false);
    if (!(out.sizes() == result.sizes())) {
        if (out.numel() > 0)
            warn(text(
                "An output with one or more elements was resized since it had shape ",
                to_string(out.sizes()), ", which does not match the required output shape ",
                to_string(result.sizes()),
                ". This behavior is deprecated, and in a future PyTorch release outputs will "
                "not be resized unless they have zero elements. You can explicitly reuse an out "
                "tensor t by resizing it, inplace, to zero elements with t.resize_(0)."));
        replace_data(out, empty(result.sizes(), out.dtype()));
    }
    refuse_internal_overlap(out);
    copy_values(out, result);
    out.bump_version();
}

}  // namespace tapegrad
