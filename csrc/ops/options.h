// What all functions that make tensors can be asked for.
#pragma once

#include <optional>

#include "autograd/variable.h"

namespace tapegrad {

struct TensorOptions {
    // The type of the result; raises where it cannot require gradients as asked for.
    DType resolve(DType otherwise) const {
        const DType result = dtype.value_or(otherwise);
        if (requires_grad && !is_floating(result))
            fail("Only Tensors of floating point and complex dtype can require gradients");
        return result;
    }
    // Gives a fresh tensor the rest of what was asked for.
    Tensor finish(Tensor tensor) const {
        if (inference_tensors) tensor->inference = true;
        if (requires_grad) set_requires_grad(tensor, true);
        return tensor;
    }

    std::optional<DType> dtype;
    bool requires_grad = false;
};

}  // namespace tapegrad
