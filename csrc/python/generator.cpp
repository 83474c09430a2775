// Generators of random numbers as Python objects.
#include "core/random.h"
#include "ops/random.h"
#include "python/module.h"
#include "python/read.h"

PYBIND11_DECLARE_HOLDER_TYPE(T, tapegrad::Ref<T>, true)

namespace tapegrad::python {
namespace {

// A seed from a Python number; negative ones count from the end of the 64-bit range.
uint64_t read_seed(py::handle seed) {
    const auto number = py::reinterpret_steal<py::object>(PyNumber_Long(seed.ptr()));
    if (!number) throw py::error_already_set();
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
    if (overflow == 0) return static_cast<uint64_t>(value);
    const unsigned long long large = PyLong_AsUnsignedLongLong(number.ptr());
    if (PyErr_Occurred()) {
        PyErr_Clear();
        fail<ValueError>("Overflow when unpacking long long");
    }
    return large;
}

Tensor read_state(py::handle state) {
    if (!is_tensor(state.ptr()) || unwrap(state.ptr()).dtype() != DType::UInt8)
        fail<TypeError>("RNG state must be a tapegrad.ByteTensor");
    return unwrap(state.ptr());
}

}  // namespace

void bind_generator(py::module_& m) {
    py::class_<Generator, Ref<Generator>>(m, "Generator", "A stream of random numbers.")
        .def(py::init([](const py::object& device) {
                 if (!read_device(device.ptr()))
                     fail<TypeError>("Generator(): argument 'device' must be tapegrad.device, not ",
                                     Py_TYPE(device.ptr())->tp_name);
                 return make_ref<Generator>();
             }),
             py::arg("device") = py::none())
        .def(
            "manual_seed",
            [](py::object self, const py::object& seed) {
                self.cast<Generator&>().manual_seed(read_seed(seed));
                return self;
            },
            py::arg("seed"), "Starts the stream of a seed.")
        .def("seed", &Generator::seed,
             "Starts the stream of a seed from the operating system, and returns it.")
        .def("initial_seed", &Generator::initial_seed, "The seed of the stream.")
        .def(
            "get_state", [](const Generator& self) { return generator_state(self); },
            "The state as uint8 tensor.")
        .def(
            "set_state",
            [](py::object self, const py::object& state) {
                set_generator_state(self.cast<Generator&>(), read_state(state));
                return self;
            },
            py::arg("new_state"), "Goes on from a state.")
        .def(
            "clone_state",
            [](const Generator& self) {
                Ref<Generator> copy = make_ref<Generator>();
                copy->set_state(self.state());
                return copy;
            },
            "Another generator that goes on from the same state.")
        .def(
            "get_offset", [](const Generator& self) { return self.state().offset; },
            "How far the stream has come.")
        .def(
            "set_offset",
            [](Generator& self, uint64_t offset) { self.set_state({self.state().seed, offset}); },
            py::arg("offset"), "Goes on from another place of the stream.")
        .def(py::pickle(
            [](const Generator& self) {
                return py::make_tuple(self.state().seed, self.state().offset);
            },
            [](const py::tuple& state) {
                Ref<Generator> made = make_ref<Generator>();
                made->set_state({state[0].cast<uint64_t>(), state[1].cast<uint64_t>()});
                return made;
            }))
        .def_property_readonly("device", [](const Generator&) {
            return py::module_::import("tapegrad._device")
                .attr("CPU");  // the type is defined in Python
        });
    const py::object shared = py::cast(Ref<Generator>(&default_generator()));
    m.attr("default_generator") = shared;
    m.def(
        "manual_seed",
        [](const py::object& seed) {
            default_generator().manual_seed(read_seed(seed));
            return py::cast(Ref<Generator>(&default_generator()));
        },
        py::arg("seed"));
    m.def("seed", [] { return default_generator().seed(); });
    m.def("initial_seed", [] { return default_generator().initial_seed(); });
    for (const char* name : {"get_rng_state", "_get_rng_state"})
        m.def(name, [] { return generator_state(default_generator()); });
    for (const char* name : {"set_rng_state", "_set_rng_state"})
        m.def(
            name,
            [](const py::object& state) {
                set_generator_state(default_generator(), read_state(state));
            },
            py::arg("new_state"));
}

bool read_generator(PyObject* object, Generator*& result) {
    if (object == Py_None) result = &default_generator();
    else if (py::isinstance<Generator>(object)) result = py::handle(object).cast<Generator*>();
    else return false;
    return true;
}

}  // namespace tapegrad::python
