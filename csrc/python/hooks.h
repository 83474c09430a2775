// Python callables as hooks. All hooks of one place live in one OrderedDict, from which handles remove them.
#pragma once

#include <pybind11/pytypes.h>

#include "autograd/node.h"
#include "core/tensor.h"

namespace tapegrad::python {

namespace py = pybind11;

// The dict of hooks on the gradient of a tensor, on its accumulation, and on a node; made on demand.
py::object tensor_hooks(const Tensor& tensor);
py::object accumulate_hooks(const Tensor& tensor);
py::object node_pre_hooks(Node& node);
py::object node_post_hooks(Node& node);

// The dict for notes on a node.
py::dict node_metadata(Node& node);

// For the garbage collector: what the node keeps alive of Python.
int traverse_node_hooks(const Node& node, visitproc visit, void* arg);
void clear_node_hooks(Node& node);

}  // namespace tapegrad::python
