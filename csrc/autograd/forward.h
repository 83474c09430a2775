// Forward mode: the derivative of a graph in a direction.
#pragma once

#include <span>
#include <vector>

#include "autograd/node.h"

namespace tapegrad {

// What was recorded between some inputs and outputs, in the order of the computation: a linear function of the
// inputs' tangents, which may be evaluated many times. The inputs are different results.
class Linearization {
public:
    // Nodes that were made before first_sequence lead to no input.
    Linearization(std::span<const Edge> outputs, std::span<const Edge> inputs,
                  uint64_t first_sequence = 0);
    // The tangents of the outputs (undefined: zero), recorded if that is asked for.
    TensorList push(std::span<const Tensor> tangents, bool record) const;

private:
    static constexpr uint32_t kNone = ~uint32_t{0};
    // A place for a tangent, and whether nobody asks for it afterwards.
    struct Use {
        uint32_t slot = kNone;
        bool last = false;
    };
    struct Step {
        Ref<Node> node;
        std::vector<Use> inputs;
        uint32_t first_result;
    };
    class Builder;

    void mark_last_uses();
    void take_step(const Step& step, std::vector<Tensor>& slots) const;

    std::vector<Step> steps_;
    std::vector<Edge> inputs_;
    std::vector<uint32_t> outputs_;
    uint32_t slot_count_ = 0;
};

// sum += more, of which each may be missing.
void add_tangent(Tensor& sum, Tensor more);

// The tangents of a node's only result where its derivative by each input, which broadcasting has made as large as
// the result, is its own transpose: backward() of the tangents. The result may be the sum of them all.
void forward_by_backward(Node& node, TensorList& tangents, GradList& of_results);

}  // namespace tapegrad
