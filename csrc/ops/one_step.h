// Operators whose way depends on values. While a function is recorded, such an operator is one step, which
// decides anew in each run:
//
//     if (is_replay_recorded()) return in_one_step([=](const Tensor& x) { return operator(x); }, x);
//
// The function may capture numbers, but no tensors; it runs without the tape, and the shapes of what it gives
// must not depend on values. What list_in_one_step calls may take a second list, of places for its results;
// it is empty in the run that finds out what they look like. What does not lie in its place is copied there.
#pragma once

#include <type_traits>
#include <utility>
#include <vector>

#include "autograd/grad_mode.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace one_step {

using Tensors = std::vector<Tensor>;

template <class F> Tensors call(const F& f, const Tensors& inputs, const Tensors& places) {
    if constexpr (std::is_invocable_v<F, const Tensors&, const Tensors&>) return f(inputs, places);
    else return f(inputs);
}

// Calls f(inputs) to see what its results look like, and gives memory for such.
template <class F> Tensors results_like(const F& f, const Tensors& inputs) {
    Tensors results;
    {
        const replay::Unrecorded scope;
        const GradMode off(false);
        results = call(f, inputs, {});
        for (Tensor& x : results)
            if (x.defined() && !is_non_overlapping_and_dense(x)) x = empty(x.sizes(), x.dtype());
    }
    for (Tensor& x : results)
        if (x.defined()) x = empty_strided(x.sizes(), x.strides(), x.dtype());
    return results;
}

template <bool kWritten> struct TensorArguments {
    explicit TensorArguments(const Tensors& given) {
        for (const Tensor& x : given) tensors.emplace_back(x);
    }
    void visit_pointers(replay::PointerVisitor& visitor) {
        for (auto& x : tensors) x.visit_pointers(visitor);
    }
    operator Tensors() const { return {tensors.begin(), tensors.end()}; }
    std::vector<replay::TensorArgument<kWritten>> tensors;
};

// out = x, some of which may be missing.
void copy_all(const TensorArguments<true>& out, const Tensors& x);

}  // namespace one_step

// f(const std::vector<Tensor>&), or with places, gives a vector of tensors, some of which may be missing.
template <class F>
std::vector<Tensor> list_in_one_step(const F& f, const std::vector<Tensor>& inputs) {
    using namespace one_step;
    const Tensors results = results_like(f, inputs);
    launch(checking([f](const TensorArguments<true>& to, const TensorArguments<false>& from) {
               const GradMode off(false);
               copy_all(to, call(f, from, to));
           }),
           TensorArguments<true>(results), TensorArguments<false>(inputs));
    return results;
}

// f(const Tensor&...) gives a tensor.
template <class F, class... Inputs> Tensor in_one_step(const F& f, const Inputs&... inputs) {
    return list_in_one_step(
        [f](const std::vector<Tensor>& x) {
            return [&]<size_t... i>(std::index_sequence<i...>) {
                return std::vector<Tensor>{f(x[i]...)};
            }(std::index_sequence_for<Inputs...>());
        },
        {inputs...})[0];
}

}  // namespace tapegrad
