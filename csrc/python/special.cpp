#include "ops/special.h"
#include "ops/elementwise.h"
#include "ops/pointwise.h"
#include "python/bind.h"

namespace tapegrad::python {
namespace {

// Of real numbers these give the tensor itself.
Tensor itself(const Tensor& x) { return x; }

// The forms of old programs, with the factor in front of what it belongs to.
template <auto F> void value_first(Operator& op) {
    op.deprecated("(input, value, tensor1, tensor2)",
                  [](const Tensor& x, const Scalar& value, const Tensor& a,
                     const Tensor& b) -> decltype(F(x, a, b, value)) { return F(x, a, b, value); });
}

}  // namespace

void bind_special(PyObject* m) {
    def<"lerp">(m, lerp, lerp_number);
    def_method<"lerp_">(m, lerp_, lerp_number_);
    value_first<addcmul>(def<"addcmul">(m, addcmul));
    value_first<addcmul_>(def_method<"addcmul_">(m, addcmul_));
    value_first<addcdiv>(def<"addcdiv">(m, addcdiv));
    value_first<addcdiv_>(def_method<"addcdiv_">(m, addcdiv_));
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
