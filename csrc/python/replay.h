// What a recording needs to hear of from Python: tensors and modules that were there before it.
#pragma once

#include <Python.h>

#include "python/tensor_object.h"
#include "replay/recorder.h"

namespace tapegrad::python {

// The tensors in what an operator is called with, if something is being recorded.
void know_tensors_in(PyObject* object);
inline void note_external(const Tensor& tensor) {
    if (is_replay_recorded()) [[unlikely]]
        replay::recorder()->know(tensor);
}
template <class... Objects> void note_externals(Objects*... objects) {
    if (is_replay_recorded()) [[unlikely]]
        (know_tensors_in(objects), ...);
}

// A module is called; dict: its attributes.
void note_module(PyObject* dict, bool has_hooks);
// What else has to stay as it is.
void note_dict(PyObject* dict);

}  // namespace tapegrad::python
