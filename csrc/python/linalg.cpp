#include "ops/linalg.h"
#include "ops/svd.h"

#include "python/bind.h"

namespace tapegrad::python {

void bind_linalg(PyObject* m) {
    def<"matmul">(m, matmul).out_has(kSameType);
    def<"mm">(m, mm).out_has(kSameType);
    def<"bmm">(m, bmm).out_has(kSameType);
    def<"mv">(m, mv).out_has(kSameType);
    def<"dot">(m, dot).out_has(kSameType);
    def<"inner">(m, inner).out_has(kSameType);
    def<"outer">(m, outer);
    def<"addmm">(m, addmm)
        .out_has(kSameType)
        .deprecated("(input, beta, mat1, mat2)",
                    [](const Tensor& x, const Scalar& beta, const Tensor& a, const Tensor& b) {
                        return addmm(x, a, b, beta, 1);
                    })
        .deprecated("(input, beta, alpha, mat1, mat2)",
                    [](const Tensor& x, const Scalar& beta, const Scalar& alpha, const Tensor& a,
                       const Tensor& b) { return addmm(x, a, b, beta, alpha); })
        .deprecated("(beta, input, mat1, mat2)",
                    [](const Scalar& beta, const Tensor& x, const Tensor& a, const Tensor& b) {
                        return addmm(x, a, b, beta, 1);
                    })
        .deprecated("(beta, input, alpha, mat1, mat2)",
                    [](const Scalar& beta, const Tensor& x, const Scalar& alpha, const Tensor& a,
                       const Tensor& b) { return addmm(x, a, b, beta, alpha); });
    def_method<"addmm_">(m, addmm_);
    def_function<"linear">(m, linear);
    def_function<"_svdvals">(m, singular_values).without_out();
}

}  // namespace tapegrad::python
