// Registration of operators, and the list of all that does without pybind11's functions: their header would
// be most of the time that these files take to compile.
//
//     def<"cumsum">(m, cumsum);      tapegrad.cumsum(input, ...) and tensor.cumsum(...)
//     def_function, def_method       only one of both
//     def<"exp", exp>(m);            a function of one tensor that is called often
//
// The signature stands in the docs tables (csrc/python/docs), the types are those of the C++ function. Of
// several forms there are as many functions, in the order of their signatures.
#pragma once

#include <array>
#include <tuple>
#include <utility>

#include "python/dispatch.h"
#include "python/errors.h"
#include "python/name.h"
#include "python/read.h"

namespace tapegrad::python {

// "LogSigmoid" as "log_sigmoid".
template <size_t N> consteval Name<2 * N> snake_case(const char (&name)[N], bool in_place = false) {
    Name<2 * N> result;
    size_t at = 0;
    for (size_t i = 0; i + 1 < N; ++i) {
        const bool upper = name[i] >= 'A' && name[i] <= 'Z';
        if (upper && i > 0) result.text[at++] = '_';
        result.text[at++] = upper ? static_cast<char>(name[i] - 'A' + 'a') : name[i];
    }
    if (in_place) result.text[at] = '_';
    return result;
}

template <Name A, Name B> consteval auto joined() {
    Name<sizeof(A.text) + sizeof(B.text)> result;
    size_t at = 0;
    for (size_t i = 0; A.text[i]; ++i) result.text[at++] = A.text[i];
    for (size_t i = 0; B.text[i]; ++i) result.text[at++] = B.text[i];
    return result;
}

// One of several functions of the same name, by its type.
template <class F> constexpr F* overload(F* function) { return function; }

// ------------------------------------------------------------------------------------ results

template <class R> struct Result;
template <> struct Result<void> {
    static constexpr const char* stub = "None";
};
template <> struct Result<Tensor> {
    static constexpr const char* stub = "Tensor";
};
// Operators in place give the tensor that they were called on.
template <> struct Result<const Tensor&> {
    static constexpr const char* stub = "Self";
    static PyObject* wrap(const Tensor&, const Call& call) { return Py_NewRef(call.slots[0]); }
};
template <> struct Result<std::pair<Tensor, Tensor>> {
    static constexpr const char* stub = "return_types";
    static constexpr int results = 2;
    static PyObject* wrap(const std::pair<Tensor, Tensor>& pair, const Call& call) {
        const Tensor both[] = {pair.first, pair.second};
        return call.form->owner->wrap_results(both, results);
    }
};
template <size_t N> struct Result<std::array<Tensor, N>> {
    static constexpr const char* stub = "return_types";
    static constexpr int results = static_cast<int>(N);
    static PyObject* wrap(const std::array<Tensor, N>& tensors, const Call& call) {
        return call.form->owner->wrap_results(tensors.data(), results);
    }
};
template <> struct Result<std::vector<Tensor>> {
    static constexpr const char* stub = "tuple[Tensor, ...]";
    static PyObject* wrap(const std::vector<Tensor>& tensors, const Call&) {
        return wrap_tuple(tensors);
    }
};
template <> struct Result<Dims> {
    static constexpr const char* stub = "Size";
    static PyObject* wrap(const Dims& dims, const Call&) { return wrap_size(dims); }
};
template <> struct Result<std::vector<int64_t>> {
    static constexpr const char* stub = "tuple[_int, ...]";
    static PyObject* wrap(const std::vector<int64_t>& values, const Call&) {
        return wrap_tuple(values);
    }
};
template <> struct Result<bool> {
    static constexpr const char* stub = "_bool";
    static PyObject* wrap(bool value, const Call&) { return PyBool_FromLong(value); }
};
template <> struct Result<int64_t> {
    static constexpr const char* stub = "_int";
    static PyObject* wrap(int64_t value, const Call&) { return PyLong_FromLongLong(value); }
};
template <> struct Result<DType> {
    static constexpr const char* stub = "_dtype";
    static PyObject* wrap(DType dtype, const Call&) { return Py_NewRef(dtype_object(dtype)); }
};

// ------------------------------------------------------------------------------------ calls

template <class T> using Plain = std::remove_cvref_t<T>;

// The slot of the parameter i of functions with these parameters.
template <class... A> constexpr int slot_of(size_t i) {
    const int slots[] = {parameter_type<Plain<A>>.slots..., 0};
    int slot = 0;
    for (size_t k = 0; k < i; ++k) slot += slots[k];
    return slot;
}

// One for all functions of a type.
template <class R, class... A> struct Invoke {
    static PyObject* run(const Form& form, PyObject* const* slots, PyObject* const* rest,
                         Py_ssize_t rest_count) noexcept {
        try {
            return run({&form, slots, rest, rest_count}, std::index_sequence_for<A...>());
        } catch (...) {
            set_error_from_exception();
            return nullptr;
        }
    }
    template <size_t... I>
    [[gnu::always_inline]] static PyObject* run(const Call& call, std::index_sequence<I...>) {
        [[maybe_unused]] std::tuple<Read<Plain<A>>...> readers;
        if (!(std::get<I>(readers).read(call, slot_of<A...>(I)) && ...)) return nullptr;
        const auto function = reinterpret_cast<R (*)(A...)>(call.form->function.pointer);
        if constexpr (std::is_void_v<R>) {
            function(std::get<I>(readers).value()...);
            return Py_NewRef(Py_None);
        } else if constexpr (std::is_same_v<R, Tensor>) {
            return wrap(function(std::get<I>(readers).value()...));
        } else {
            return Result<R>::wrap(function(std::get<I>(readers).value()...), call);
        }
    }
    static constexpr const Type* types[] = {&parameter_type<Plain<A>>..., nullptr};
};

template <class R, class... A> Function make_function(R (*function)(A...)) {
    using Call = Invoke<R, A...>;
    int results = 1;
    if constexpr (requires { Result<R>::results; }) results = Result<R>::results;
    return {Call::run,       reinterpret_cast<void (*)()>(function),
            Call::types,     static_cast<int>(sizeof...(A)),
            Result<R>::stub, results};
}

// ------------------------------------------------------------------------------------ operators

template <class F> Operator& Operator::also(const char* signature, F function) {
    return add_unshown(signature, make_function(+function), false);
}
template <class F> Operator& Operator::deprecated(const char* signature, F function) {
    return add_unshown(signature, make_function(+function), true);
}

enum class Bound { Function, Method, Both };

// What Python calls: one small function for each operator, which knows it. F, if it is given, is the
// operator's only function and takes a tensor and nothing else; such calls are the shortest.
template <Name N, Bound B, auto F = nullptr> struct Thunk {
    static PyObject* function(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* names) {
        if constexpr (F != nullptr)
            if (count == 1 && !names && Py_TYPE(args[0]) == tensor_type) return call(args[0]);
        return op->call_function(args, count, names);
    }
    static PyObject* method(PyObject* self, PyObject* const* args, Py_ssize_t count,
                            PyObject* names) {
        if constexpr (F != nullptr)
            if (count == 0 && !names) return call(self);
        return op->call_method(self, args, count, names);
    }
    static PyObject* call(PyObject* self) {
        return guarded([&]() -> PyObject* {
            if constexpr (std::is_same_v<decltype(F(unwrap(self))), Tensor>) {
                return wrap(F(unwrap(self)));
            } else {
                F(unwrap(self));
                return Py_NewRef(self);
            }
        });
    }
    static PyObject* watched_function(PyObject*, PyObject* const* args, Py_ssize_t count,
                                      PyObject* names) {
        return call_watched(*op, nullptr, args, count, names);
    }
    static PyObject* watched_method(PyObject* self, PyObject* const* args, Py_ssize_t count,
                                    PyObject* names) {
        return call_watched(*op, self, args, count, names);
    }
    static inline const Operator* op = nullptr;
};

template <class T, class... F>
Operator& bind(PyObject* m, const char* name, Bound where, F... functions) {
    const Function forms[] = {make_function(+functions)...};
    auto* op =
        new Operator(m, name, forms, static_cast<int>(sizeof...(F)),
                     where == Bound::Method ? Thunks{} : Thunks{T::function, T::watched_function},
                     where == Bound::Function ? Thunks{} : Thunks{T::method, T::watched_method});
    T::op = op;
    return *op;
}
// An operator of a tensor and nothing else, which gives a tensor or works in place.
template <Name N, auto F> Operator& def(PyObject* m) {
    return bind<Thunk<N, Bound::Both, F>>(m, N.text, Bound::Both, F);
}
template <Name N, class... F> Operator& def(PyObject* m, F... functions) {
    return bind<Thunk<N, Bound::Both>>(m, N.text, Bound::Both, functions...);
}
template <Name N, class... F> Operator& def_function(PyObject* m, F... functions) {
    return bind<Thunk<N, Bound::Function>>(m, N.text, Bound::Function, functions...);
}
template <Name N, class... F> Operator& def_method(PyObject* m, F... functions) {
    return bind<Thunk<N, Bound::Method>>(m, N.text, Bound::Method, functions...);
}

// The operators, a file for each topic.
#define TAPEGRAD_TOPICS(X) \
    X(activations) X(arranging) X(as_strided) X(attention) X(attributes) \
    X(convolution) X(copy) X(counting) X(creation) X(distances) X(dropout) \
    X(elementwise) X(embedding) X(extremes) X(gather) X(index_select) \
    X(index_write) X(indexing) X(isin) X(joining) X(linalg) \
    X(linalg_decompositions) X(losses) X(masks) X(nonzero) X(normalization) \
    X(optim) X(pad) X(pooling) X(random) X(ranks) X(rearranging) X(recurrent) \
    X(reductions) X(resampling) X(reshape) X(sampling) X(scans) X(scatter) X(softmax) \
    X(sort) X(special) X(split) X(taking) X(triangles) X(view_copies) X(views) X(windows)
#define TAPEGRAD_DECLARE_(topic) void bind_##topic(PyObject* m);
TAPEGRAD_TOPICS(TAPEGRAD_DECLARE_)
#undef TAPEGRAD_DECLARE_

// The part of the module m whose functions tapegrad.linalg has.
PyObject* linalg_module(PyObject* m);

void bind_dtypes(PyObject* m);
void bind_grad_mode_guards(PyObject* m);
void bind_module_base(PyObject* m);
void bind_docs(PyObject* m);

}  // namespace tapegrad::python
