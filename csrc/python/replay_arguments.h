// The arguments that a program was recorded for: their structure, the layout of tensors, the values of others.
#pragma once

#include <pybind11/pytypes.h>

#include <vector>

#include "core/tensor.h"

namespace tapegrad::python {

namespace py = pybind11;

class ArgumentTree {
public:
    // Reads the arguments of a call; names: of the last ones, or null.
    ArgumentTree(PyObject* const* args, size_t count, PyObject* names);

    // Whether a call has arguments that are alike; its tensors in the order of tensors().
    bool matches(PyObject* const* args, size_t count, PyObject* names,
                 std::vector<Tensor>& tensors) const;
    // Each once.
    const std::vector<Tensor>& tensors() const { return tensors_; }
    // Of the recording: nobody needs them afterwards.
    void forget_tensors() { tensors_.clear(); }

private:
    enum class Kind : uint8_t { NewTensor, KnownTensor, Value, Sequence, Dict, Same };
    struct Item {
        Kind kind;
        py::object object;  // its type for tensors and containers; the value, or the thing itself
        size_t count = 0;   // of a container's items; the tensor's number if it is known
        DType dtype = DType::Bool;
        bool requires_grad = false, is_leaf = true, inference = false, read_only = false;
        Ref<Shape> shape;
    };

    void read(PyObject* object);
    bool match(PyObject* object, size_t& at, std::vector<Tensor>& tensors) const;

    size_t count_;
    py::object names_;
    std::vector<Item> items_;  // a container stands before its items
    std::vector<Tensor> tensors_;
};

}  // namespace tapegrad::python
