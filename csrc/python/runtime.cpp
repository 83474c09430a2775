// Threads, memory, instruction sets, and elements as Python numbers.
#include "autograd/cuts.h"
#include "core/allocator.h"
#include "core/libraries.h"
#include "core/parallel.h"
#include "kernels/blas.h"
#include "kernels/table.h"
#include "ops/elementwise.h"
#include "ops/views.h"
#include "python/bind.h"
#include "python/errors.h"
#include "python/interpreter.h"
#include "python/module.h"
#include "replay/recorder.h"

namespace tapegrad::python {

PyObject* element_to_python(const void* data, DType dtype) {
    return visit_dtype(dtype, [&]<class T>() {
        const T value = *static_cast<const T*>(data);
        if constexpr (std::is_same_v<T, bool>) return PyBool_FromLong(value);
        else if constexpr (is_floating_type<T>)
            return PyFloat_FromDouble(static_cast<double>(value));
        else return PyLong_FromLongLong(value);
    });
}

PyObject* item(const Tensor& tensor) {
    if (tensor.numel() != 1)
        fail("a Tensor with ", tensor.numel(), " elements cannot be converted to Scalar");
    refuse_replay("the value of a tensor, as a number of Python");
    return element_to_python(tensor.data(), tensor.dtype());
}

namespace {

py::object nested_list(const Tensor& x, int dim, const char* data) {
    if (dim == x.dim())
        return py::reinterpret_steal<py::object>(element_to_python(data, x.dtype()));
    const int64_t count = x.sizes()[dim];
    const int64_t step = x.numel() ? x.strides()[dim] * static_cast<int64_t>(x.item_size()) : 0;
    PyObject* list = PyList_New(count);
    if (!list) throw py::error_already_set();
    py::object result = py::reinterpret_steal<py::object>(list);
    for (int64_t i = 0; i < count; ++i)
        PyList_SET_ITEM(list, i, nested_list(x, dim + 1, data + i * step).release().ptr());
    return result;
}

PyObject* item_method(PyObject* self, PyObject*) {
    return guarded([&] {
        if (is_overridden(self)) return ask_method("item", self);
        note_cut("item()", unwrap(self));
        return item(unwrap(self));
    });
}
PyObject* tolist_method(PyObject* self, PyObject*) {
    return guarded([&] {
        if (is_overridden(self)) return ask_method("tolist", self);
        const Tensor x = unwrap(self);
        refuse_replay("the values of a tensor, as a list");
        note_cut("tolist()", x);
        return nested_list(x, 0, x.data<char>()).release().ptr();
    });
}

void set_default_dtype(DType dtype) {
    if (!is_floating(dtype))
        fail<TypeError>("only floating-point types are supported as the default type");
    default_float_type = dtype;
}

}  // namespace

void bind_runtime(py::module_& m) {
    m.def("get_default_dtype", [] { return default_float_type; });
    m.def("set_default_dtype", set_default_dtype, py::arg("d"));
    static PyMethodDef item_definition = {"item", item_method, METH_NOARGS, nullptr};
    static PyMethodDef tolist_definition = {"tolist", tolist_method, METH_NOARGS, nullptr};
    add_method(&item_definition);
    add_method(&tolist_definition);

    set_blocking_hooks(
        {[]() -> void* { return PyGILState_Check() ? PyEval_SaveThread() : nullptr; },
         [](void* state) {
             if (state)
                 run_python([=] { PyEval_RestoreThread(static_cast<PyThreadState*>(state)); });
         }});
    // What daemon threads still compute uses libraries that the end of the process shuts down.
    Py_AtExit(wait_for_regions);
    m.def("get_num_threads", num_threads);
    m.def(
        "set_num_threads",
        [](int count) {
            if (count < 1) fail("set_num_threads expects a positive integer");
            set_num_threads(count);
        },
        py::arg("count"));
    m.def("_isa", kernels::instruction_set);
    m.def("_available_isas", kernels::available_instruction_sets);
    m.def("_openmp", [] {
        const OpenMP runtime = openmp();
        return std::pair(runtime.library, runtime.standard);
    });
    m.def("_blas", [] {
        const kernels::BlasOrigin origin = kernels::blas_origin();
        return std::pair(origin.library, origin.config);
    });
    m.def("_memory_stats", [] {
        const MemoryStats stats = memory_stats();
        py::dict result;
        result["allocated_bytes"] = stats.allocated_bytes;
        result["peak_bytes"] = stats.peak_bytes;
        result["cached_bytes"] = stats.cached_bytes;
        result["allocations"] = stats.allocations;
        result["cache_hits"] = stats.cache_hits;
        return result;
    });
    m.def("reset_peak_memory", reset_peak_memory);
    m.def("empty_cache", empty_cache);
}

}  // namespace tapegrad::python
