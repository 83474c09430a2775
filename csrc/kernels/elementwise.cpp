#include "kernels/elementwise.h"

namespace tapegrad::TAPEGRAD_ISA {

void fill_unary_forward(kernels::ElementwiseKernels&);
void fill_unary_backward(kernels::ElementwiseKernels&);
void fill_binary_forward(kernels::ElementwiseKernels&);
void fill_binary_backward(kernels::ElementwiseKernels&);
void fill_logic(kernels::ElementwiseKernels&);
void fill_pointwise(kernels::ElementwiseKernels&);

void fill(kernels::ElementwiseKernels& k) {
    fill_unary_forward(k);
    fill_unary_backward(k);
    fill_binary_forward(k);
    fill_binary_backward(k);
    fill_logic(k);
    fill_pointwise(k);
}

}  // namespace tapegrad::TAPEGRAD_ISA
