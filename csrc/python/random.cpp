#include "python/random.h"

#include "ops/random.h"
#include "python/arguments.h"

namespace tapegrad::python {
namespace {

Generator& generator_of(Arguments& args) {
    return read_generator(args.function(), args.keyword("generator"));
}

// ------------------------------------------------------------------------------------ functions

using OfSize = Tensor (*)(const Dims&, DType, Generator&);

template <OfSize Draw> Tensor of_size(Arguments& args) {
    const Dims sizes = args.read_sizes();
    Generator& generator = generator_of(args);
    const TensorOptions options(args);
    args.finish(args.count());
    return options.finish(Draw(sizes, options.resolve(default_dtype()), generator));
}

using InPlace = const Tensor& (*)(const Tensor&, double, double, Generator&);

template <InPlace Draw> Tensor like(Arguments& args) {
    const Tensor input = args.read_tensor("input", args.require(0, "input"));
    Generator& generator = generator_of(args);
    const TensorOptions options(args);
    args.finish(1);
    const Tensor out = empty_like(input, options.resolve(input.dtype()));
    Draw(out, 0, 1, generator);
    return options.finish(out);
}

// The bounds of integers: (high) or (low, high), by position from the first on or by name.
struct Bounds {
    Bounds(Arguments& args, Py_ssize_t first, Py_ssize_t last) {
        PyObject *from = args.keyword("low"), *to = args.keyword("high");
        const Py_ssize_t count = last - first;
        if (count > 2 || (count == 2 && (from || to)) || (count == 1 && from && to))
            fail<TypeError>(args.function(), "() takes two bounds at most");
        if (count == 2) from = args[first];
        if (count == 2) to = args[first + 1];
        if (count == 1) (to ? from : to) = args[first];
        if (!to) args.fail_missing("high");
        low = from ? args.read_int("low", from) : 0;
        high = args.read_int("high", to);
    }
    int64_t low, high;
};

Tensor randint_function(Arguments& args) {
    Py_ssize_t bounds = args.count();
    PyObject* size = args.keyword("size");
    if (!size) {
        const Py_ssize_t needed = args.keyword("high") ? 1 : 2;
        if (bounds < needed) args.fail_missing("size");
        size = args[--bounds];
    }
    const Bounds limits(args, 0, bounds);
    const Dims sizes = args.read_size("size", size);
    Generator& generator = generator_of(args);
    const TensorOptions options(args);
    args.finish(3);
    return options.finish(
        randint(limits.low, limits.high, sizes, options.resolve(DType::Int64), generator));
}

Tensor randint_like(Arguments& args) {
    const Tensor input = args.read_tensor("input", args.require(0, "input"));
    const Bounds limits(args, std::min<Py_ssize_t>(args.count(), 1), args.count());
    Generator& generator = generator_of(args);
    const TensorOptions options(args);
    args.finish(3);
    return options.finish(
        randint(limits.low, limits.high, input.sizes(), options.resolve(input.dtype()), generator));
}

Tensor randperm_function(Arguments& args) {
    const int64_t n = args.read_int("n", args.require(0, "n"));
    Generator& generator = generator_of(args);
    const TensorOptions options(args);
    args.finish(1);
    return options.finish(randperm(n, options.resolve(DType::Int64), generator));
}

// (mean, std, size) of numbers, or (mean, std = 1) of which one is a tensor.
Tensor normal_function(Arguments& args) {
    PyObject *mean = args.find(0, "mean"), *deviation = args.find(1, "std"),
             *size = args.find(2, "size");
    Generator& generator = generator_of(args);
    const TensorOptions options(args);
    args.finish(3);
    if (size) {
        const double center = mean ? args.read_double("mean", mean) : 0.0;
        const double spread = deviation ? args.read_double("std", deviation) : 1.0;
        return options.finish(normal(center, spread, args.read_size("size", size),
                                     options.resolve(default_dtype()), generator));
    }
    const auto operand = [&](const char* name, PyObject* object, double otherwise) {
        Value value;
        if (!object) value.scalar = otherwise;
        else if (is_tensor(object)) value.tensor = unwrap(object);
        else value.scalar = args.read_number(name, object);
        return value;
    };
    const Value center = operand("mean", mean, 0.0), spread = operand("std", deviation, 1.0);
    if (!center.tensor.defined() && !spread.tensor.defined()) args.fail_missing("size");
    return options.finish(normal(center, spread, generator));
}

Tensor draw_bernoulli(Arguments& args, const Tensor& input, Py_ssize_t first) {
    PyObject* p = args.find(first, "p");
    Generator& generator = generator_of(args);
    args.finish(first + 1);
    return TensorOptions().finish(p ? bernoulli(input, args.read_double("p", p), generator)
                                    : bernoulli(input, generator));
}

Tensor draw_multinomial(Arguments& args, const Tensor& weights, Py_ssize_t first) {
    const int64_t count = args.read_int("num_samples", args.require(first, "num_samples"));
    PyObject* flag = args.find(first + 1, "replacement");
    const bool replacement = flag && args.read_bool("replacement", flag);
    Generator& generator = generator_of(args);
    args.finish(first + 2);
    return TensorOptions().finish(multinomial(weights, count, replacement, generator));
}

Tensor bernoulli_function(Arguments& args) {
    const Tensor input = args.read_tensor("input", args.require(0, "input"));
    return draw_bernoulli(args, input, 1);
}
Tensor bernoulli_method(Arguments& args) { return draw_bernoulli(args, args.self(), 0); }

Tensor multinomial_function(Arguments& args) {
    const Tensor input = args.read_tensor("input", args.require(0, "input"));
    return draw_multinomial(args, input, 1);
}
Tensor multinomial_method(Arguments& args) { return draw_multinomial(args, args.self(), 0); }

// ------------------------------------------------------------------------------------ in place

template <InPlace Draw>
Tensor two_parameters(Arguments& args, const char* first, const char* second) {
    PyObject *a = args.find(0, first), *b = args.find(1, second);
    Generator& generator = generator_of(args);
    args.finish(2);
    return Draw(args.self(), a ? args.read_double(first, a) : 0.0,
                b ? args.read_double(second, b) : 1.0, generator);
}
Tensor uniform_method(Arguments& args) { return two_parameters<uniform_>(args, "from", "to"); }
Tensor normal_method(Arguments& args) { return two_parameters<normal_>(args, "mean", "std"); }

Tensor bernoulli_in_place(Arguments& args) {
    PyObject* p = args.find(0, "p");
    Generator& generator = generator_of(args);
    args.finish(1);
    if (p && is_tensor(p)) return bernoulli_(args.self(), unwrap(p), generator);
    return bernoulli_(args.self(), p ? args.read_double("p", p) : 0.5, generator);
}

// (), (to) or (from, to)
Tensor random_in_place(Arguments& args) {
    const bool only_end = args.count() == 1 && !args.keyword("to");
    PyObject* from = only_end ? args.keyword("from") : args.find(0, "from");
    PyObject* to = only_end ? args[0] : args.find(1, "to");
    Generator& generator = generator_of(args);
    args.finish(2);
    if (!from && !to) return random_(args.self(), generator);
    if (!to) args.fail_missing("to");
    return random_(args.self(), from ? args.read_int("from", from) : 0, args.read_int("to", to),
                   generator);
}

// ------------------------------------------------------------------------------------ generators

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

void bind_generator(py::module_& m) {
    py::class_<Generator, Ref<Generator>>(m, "Generator", "A stream of random numbers.")
        .def(py::init([](const py::object& device) {
                 check_device("Generator", device.ptr());
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
        .def_property_readonly("device", [](const Generator&) {
            return py::module_::import("tapegrad._device")
                .attr("CPU");  // the type is defined in Python
        });
    const py::object shared = py::cast(Ref<Generator>(&default_generator()));
    m.attr("default_generator") = shared;
    def_function(
        m, "manual_seed",
        [](const py::object& seed) {
            default_generator().manual_seed(read_seed(seed));
            return py::cast(Ref<Generator>(&default_generator()));
        },
        py::arg("seed"), "Starts the default generator's stream of a seed.");
    def_function(m, "seed", [] { return default_generator().seed(); });
    def_function(m, "initial_seed", [] { return default_generator().initial_seed(); });
    for (const char* name : {"get_rng_state", "_get_rng_state"})
        def_function(m, name, [] { return generator_state(default_generator()); });
    for (const char* name : {"set_rng_state", "_set_rng_state"})
        def_function(
            m, name,
            [](const py::object& state) {
                set_generator_state(default_generator(), read_state(state));
            },
            py::arg("new_state"));
}

}  // namespace

Generator& read_generator(const char* function, PyObject* generator) {
    if (!generator || generator == Py_None) return default_generator();
    if (!py::isinstance<Generator>(generator))
        fail<TypeError>(function, "(): argument 'generator' must be tapegrad.Generator, not ",
                        Py_TYPE(generator)->tp_name);
    return *py::handle(generator).cast<Generator*>();
}

void bind_random(py::module_& m) {
    bind_generator(m);
    static PyMethodDef functions[] = {
        vector_method<"rand", of_size<rand>>("Uniform numbers in [0, 1)."),
        vector_method<"randn", of_size<randn>>("Normal numbers with mean 0 and deviation 1."),
        vector_method<"rand_like", like<uniform_>>(
            "Uniform numbers of the size and type of a tensor."),
        vector_method<"randn_like", like<normal_>>(
            "Normal numbers of the size and type of a tensor."),
        vector_method<"randint", randint_function>("Integers in [low, high)."),
        vector_method<"randint_like", randint_like>(
            "Integers in [low, high) of the size and type of a tensor."),
        vector_method<"randperm", randperm_function>("A permutation of 0 .. n - 1."),
        vector_method<"normal", normal_function>("Normal numbers of given means and deviations."),
        vector_method<"bernoulli", bernoulli_function>("1 with the given probabilities, else 0."),
        vector_method<"multinomial", multinomial_function>(
            "Indices drawn in proportion to weights."),
        {nullptr, nullptr, 0, nullptr},
    };
    static PyMethodDef methods[] = {
        vector_method<"uniform_", uniform_method>("Fills with uniform numbers in [from, to)."),
        vector_method<"normal_", normal_method>("Fills with normal numbers."),
        vector_method<"bernoulli_", bernoulli_in_place>(
            "Fills with 1 at probability p and 0 otherwise."),
        vector_method<"random_", random_in_place>("Fills with integers in [from, to)."),
        vector_method<"bernoulli", bernoulli_method>(
            "1 with the probabilities that this holds, else 0."),
        vector_method<"multinomial", multinomial_method>(
            "Indices drawn in proportion to these weights."),
    };
    if (PyModule_AddFunctions(m.ptr(), functions) < 0) throw py::error_already_set();
    for (PyMethodDef& method : methods) add_method(&method);
}

}  // namespace tapegrad::python
