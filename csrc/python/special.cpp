#include "ops/special.h"
#include "ops/elementwise.h"
#include "ops/pointwise.h"
#include "python/bind.h"

namespace tapegrad::python {
namespace {

// Of real numbers these give the tensor itself.
Tensor itself(const Tensor& x) { return x; }

}  // namespace

void bind_special(PyObject* m) {
    def<"lerp">(m, lerp, lerp_number);
    def_method<"lerp_">(m, lerp_, lerp_number_);
    def<"addcmul">(m, addcmul);
    def_method<"addcmul_">(m, addcmul_);
    def<"addcdiv">(m, addcdiv);
    def_method<"addcdiv_">(m, addcdiv_);
    def<"nan_to_num">(m, nan_to_num).out_has(kSameType);
    def<"nan_to_num_">(m, nan_to_num_);

    def_function<"special_zeta">(m, zeta);
    def<"igamma">(m, igamma);
    def_method<"igamma_">(m, igamma_);
    def<"igammac">(m, igammac);
    def_method<"igammac_">(m, igammac_);
    def_function<"polygamma">(m, polygamma_of);
    def_method<"polygamma">(m, [](const Tensor& x, int64_t n) { return polygamma_of(n, x); });
    def_method<"polygamma_">(
        m, [](const Tensor& x, int64_t n) -> const Tensor& { return polygamma_of_(n, x); });
    def<"mvlgamma">(m, mvlgamma);
    def_method<"mvlgamma_">(m, mvlgamma_);

    def<"frexp">(m, frexp).out_has(kOfPairs);
    def<"float_power">(m, float_power);
    def_method<"float_power_">(m, float_power_);
    def_function<"real">(m, itself).without_out();
    def<"conj">(m, itself).without_out();
    def<"resolve_conj">(m, itself).without_out();
    def<"resolve_neg">(m, itself).without_out();
}

}  // namespace tapegrad::python
