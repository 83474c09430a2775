// Functions as the slots of a type that is made from a PyType_Spec.
#pragma once

namespace tapegrad::python {

template <class F> void* slot(F* function) { return reinterpret_cast<void*>(function); }

}  // namespace tapegrad::python
