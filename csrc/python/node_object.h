// Nodes of the graph as Python objects: a type for each kind of node, one object for each node.
#pragma once

#include <Python.h>

#include "autograd/node.h"

namespace tapegrad::python {

struct NodeObject {
    PyObject_HEAD Node* node;  // owned, unless the node owns this object
    bool owned_by_node;        // ctx of a custom function, while Python does not hold it
    PyObject* dict;
    PyObject* weak_references;
};

extern PyTypeObject* node_type;

inline NodeObject* as_node_object(PyObject* object) {
    return reinterpret_cast<NodeObject*>(object);
}

// A new reference; None for no node.
PyObject* wrap_node(const Ref<Node>& node);
bool is_node(PyObject* object);
// The node behind an object; raises if the graph that it belonged to is gone.
Ref<Node> unwrap_node(PyObject* object);

}  // namespace tapegrad::python
