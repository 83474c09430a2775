// All kernels of one instruction set. The set is chosen once, at start-up.
#pragma once

#include <string>
#include <vector>

#include "kernels/attention.h"
#include "kernels/batch_norm.h"
#include "kernels/convolution.h"
#include "kernels/cross_entropy.h"
#include "kernels/elementwise.h"
#include "kernels/gemm.h"
#include "kernels/layer_norm.h"
#include "kernels/optim.h"
#include "kernels/random.h"
#include "kernels/recurrent.h"
#include "kernels/reduce.h"
#include "kernels/small_matrix.h"
#include "kernels/softmax.h"

namespace tapegrad::kernels {

struct Kernels {
    ElementwiseKernels elementwise{};
    GemmKernels gemm{};
    ReduceKernels reduce{};
    SoftmaxKernels softmax{};
    CrossEntropyKernels cross_entropy{};
    LayerNormKernels layer_norm{};
    BatchNormKernels batch_norm{};
    ConvolutionKernels convolution{};
    OptimKernels optim{};
    RandomKernels random{};
    SmallMatrixKernels small_matrix{};
    RecurrentKernels recurrent{};
    AttentionKernels attention{};
};

extern Kernels active_kernels;

// Picks the best set that this machine and this build have, or the one that TAPEGRAD_ISA names; raises
// where that one is not available.
void select_instruction_set();
std::string instruction_set();
std::vector<std::string> available_instruction_sets();

}  // namespace tapegrad::kernels

namespace tapegrad {
inline const kernels::Kernels& kernel_table() { return kernels::active_kernels; }
}  // namespace tapegrad
