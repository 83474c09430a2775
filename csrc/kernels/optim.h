// Steps of the optimisers: each updates one parameter array in place in a single pass.
//
// Formulas: SGD with (Nesterov) momentum, Sutskever et al. 2013; Adam, Kingma & Ba 2015; AdamW,
// Loshchilov & Hutter 2019; AMSGrad, Reddi et al. 2018; RMSprop, Hinton's lecture 6, 2012.
#pragma once

#include <cstdint>

#include "kernels/dtype_table.h"

namespace tapegrad::kernels {

struct SgdOptions {
    double lr = 1e-3;
    double momentum = 0.0;
    double dampening = 0.0;
    double weight_decay = 0.0;
    bool nesterov = false;
    bool maximize = false;
    bool first_step = false;  // momentum_buffer holds nothing yet: it becomes the gradient
};

struct AdamOptions {
    double lr = 1e-3;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double eps = 1e-8;
    double weight_decay = 0.0;
    bool decoupled = false;  // AdamW: weight decay on the parameter, not in the gradient
    bool amsgrad = false;
    bool maximize = false;
    double step = 1.0;  // counted from 1, this step included
};

struct RmspropOptions {
    double lr = 1e-2;
    double alpha = 0.99;
    double eps = 1e-8;
    double weight_decay = 0.0;
    double momentum = 0.0;
    bool centered = false;
    bool maximize = false;
};

// momentum_buffer is null exactly if momentum == 0.
using SgdStepFn = void (*)(void* param, const void* grad, void* momentum_buffer, int64_t n,
                           const SgdOptions& options);

// max_exp_avg_sq is null exactly if not amsgrad.
using AdamStepFn = void (*)(void* param, const void* grad, void* exp_avg, void* exp_avg_sq,
                            void* max_exp_avg_sq, int64_t n, const AdamOptions& options);

// grad_avg is null exactly if not centered, momentum_buffer exactly if momentum == 0.
using RmspropStepFn = void (*)(void* param, const void* grad, void* square_avg, void* grad_avg,
                               void* momentum_buffer, int64_t n, const RmspropOptions& options);

// x *= factor
using ScaleFn = void (*)(void* x, double factor, int64_t n);

// Null but for floats.
struct OptimKernels {
    DTypeTable<SgdStepFn> sgd_step;
    DTypeTable<AdamStepFn> adam_step;
    DTypeTable<RmspropStepFn> rmsprop_step;
    DTypeTable<ScaleFn> scale;
};

}  // namespace tapegrad::kernels
