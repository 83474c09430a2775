#include "ops/dropout.h"

#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/rule.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

TAPEGRAD_WORD(masked_scale)

struct Dropout {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "NativeDropoutBackward0";
    static constexpr std::array arguments{"self", "result1"};  // result1: the mask
    double p;
    auto backward(auto g, auto, auto mask, auto) const { return masked_scale(g, mask, p); }
    void parameters(auto show) const { show("p", p); }
};

}  // namespace

// Linear in x, so that the derivative is the same again.
Tensor masked_scale(const Tensor& x_given, const Tensor& mask_given, double p) {
    const Tensor x = contiguous_values(x_given), mask = contiguous_values(mask_given);
    Tensor out = empty(x.sizes(), x.dtype());
    launch(kernel_table().random.dropout_backward[x.dtype()], x.data(), mask.data<uint8_t>(),
           out.data(), x.numel(), p);
    return recorded(std::move(out), Dropout{p}, x_given, mask_given);
}

Tensor dropout(const Tensor& x, double p, bool train, Generator& generator) {
    if (!(p >= 0 && p <= 1))
        fail<ValueError>("dropout probability has to be between 0 and 1, but got ", p);
    if (!train || p == 0 || x.numel() == 0) return x;
    if (!x.is_floating())
        fail("result type Float can't be cast to the desired output type ",
             scalar_type_name(x.dtype()));
    const Tensor values = contiguous_values(x);
    const Tensor mask = empty(x.sizes(), DType::Bool);
    Tensor out = empty(x.sizes(), x.dtype());
    launch(drawing([p, n = x.numel(), numbers = Ref<Generator>(&generator),
                    kernel = kernel_table().random.dropout[x.dtype()]](const void* from, void* to,
                                                                       uint8_t* kept) {
               const Generator::State state = numbers->reserve(kernels::counters_used(n));
               kernel(from, to, kept, n, state.seed, state.offset, p);
           }),
           values.data(), out.data(), mask.data<uint8_t>());
    return recorded(std::move(out), Dropout{p}, x, mask);
}

}  // namespace tapegrad
