// Steps of the optimisers: each updates one parameter array, and what is remembered about it, in place in
// a single pass.
//
// Formulas: SGD with (Nesterov) momentum, Sutskever et al. 2013; Adagrad, Duchi et al. 2011; Adadelta,
// Zeiler 2012; RMSprop, Hinton's lecture 6, 2012; Adam and Adamax, Kingma & Ba 2015; AdamW, Loshchilov &
// Hutter 2019; AMSGrad, Reddi et al. 2018; NAdam, Dozat 2016; RAdam, Liu et al. 2020; Rprop, Riedmiller &
// Braun 1993; ASGD, Polyak & Juditsky 1992.
#pragma once

#include <cstdint>

#include "kernels/dtype_table.h"

namespace tapegrad::kernels {

// Their names in Python; csrc/kernels/optim.cpp has a struct for each.
#define TAPEGRAD_OPTIM_RULES(X)                                                                   \
    X(Sgd, "sgd")                                                                                 \
    X(SgdMomentum, "sgd_momentum")                                                                \
    X(Adam, "adam")                                                                               \
    X(Amsgrad, "amsgrad")                                                                         \
    X(Rmsprop, "rmsprop")                                                                         \
    X(RmspropMomentum, "rmsprop_momentum")                                                        \
    X(RmspropCentered, "rmsprop_centered")                                                        \
    X(RmspropCenteredMomentum, "rmsprop_centered_momentum")                                       \
    X(Adagrad, "adagrad")                                                                         \
    X(Adadelta, "adadelta")                                                                       \
    X(Adamax, "adamax")                                                                           \
    X(Nadam, "nadam")                                                                             \
    X(Radam, "radam")                                                                             \
    X(Rprop, "rprop")                                                                             \
    X(Asgd, "asgd")

#define TAPEGRAD_OPTIM_COUNT_(Rule, name) +1
inline constexpr int kOptimRuleCount = 0 TAPEGRAD_OPTIM_RULES(TAPEGRAD_OPTIM_COUNT_);
#undef TAPEGRAD_OPTIM_COUNT_

inline constexpr int kMaxOptimStates = 3;

// data: the parameter, its gradient, and the rule's state arrays. The gradient is only read.
using OptimStepFn = void (*)(char* const* data, int64_t n, const double* coefficients);

struct OptimRuleKernels {
    DTypeTable<OptimStepFn> step;  // null but for floats
    int states;                    // number of state arrays
    int coefficients;
};

// x *= factor
using ScaleFn = void (*)(void* x, double factor, int64_t n);

struct OptimKernels {
    OptimRuleKernels rules[kOptimRuleCount];
    DTypeTable<ScaleFn> scale;
};

}  // namespace tapegrad::kernels
