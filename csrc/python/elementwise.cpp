// Element-wise functions and methods, driven by the lists in csrc/formulas.
#include "ops/elementwise.h"
#include "ops/masks.h"
#include "ops/nonzero.h"
#include "ops/views.h"

#include "autograd/variable.h"
#include "ops/copy.h"
#include "ops/indexing.h"
#include "ops/losses.h"
#include "ops/overlap.h"
#include "ops/softmax.h"
#include "python/bind.h"
#include "python/errors.h"
#include "python/tensor_attributes.h"

namespace tapegrad::python {
namespace {

// Functions of one tensor and nothing else are called too often for argument parsing: plain C functions.
template <Unary Op> PyObject* unary_function(PyObject*, PyObject* x) {
    return guarded([&]() -> PyObject* {
        if (!is_tensor(x))
            fail<TypeError>(unary_name(Op),
                            "(): argument 'input' (position 1) must be Tensor, not ",
                            Py_TYPE(x)->tp_name);
        return wrap(unary(Op, unwrap(x)));
    });
}
template <Unary Op> PyObject* unary_method(PyObject* self, PyObject*) {
    return guarded([&] { return wrap(unary(Op, unwrap(self))); });
}
template <Unary Op> PyObject* unary_in_place_method(PyObject* self, PyObject*) {
    return guarded([&] {
        unary_in_place(Op, unwrap(self));
        return Py_NewRef(self);
    });
}

template <Unary Op, class F> void bind_unary(py::module_& m) {
    if (formulas::Traits<F>::internal() || formulas::parameter_count<F>() > 0 ||
        Op == Unary::Gelu || Op == Unary::Round)
        return;
    static const std::string in_place_name = std::string(unary_name(Op)) + "_";
    static PyMethodDef method = {unary_name(Op), unary_method<Op>, METH_NOARGS, nullptr};
    static PyMethodDef in_place_method = {in_place_name.c_str(), unary_in_place_method<Op>,
                                          METH_NOARGS, nullptr};
    static PyMethodDef function = {unary_name(Op), unary_function<Op>, METH_O, nullptr};
    static PyMethodDef in_place_function = {
        in_place_name.c_str(),
        [](PyObject*, PyObject* x) -> PyObject* {
            if (!is_tensor(x)) {
                PyErr_SetString(PyExc_TypeError, "an in-place function takes a Tensor");
                return nullptr;
            }
            return unary_in_place_method<Op>(x, nullptr);
        },
        METH_O, nullptr};
    add_method(&method);
    add_method(&in_place_method);
    m.add_object(unary_name(Op), py::reinterpret_steal<py::object>(PyCFunction_NewEx(
                                     &function, nullptr, m.attr("__name__").ptr())));
    m.add_object(in_place_name.c_str(),
                 py::reinterpret_steal<py::object>(
                     PyCFunction_NewEx(&in_place_function, nullptr, m.attr("__name__").ptr())));
}

// Another name for a function that is bound.
void bind_alias(py::module_& m, const char* name, const char* existing) {
    if (py::hasattr(m, existing)) m.attr(name) = m.attr(existing);
    py::handle type(reinterpret_cast<PyObject*>(tensor_type));
    PyObject* found = PyDict_GetItemString(tensor_type->tp_dict, existing);
    if (found && PyObject_SetAttrString(type.ptr(), name, found) < 0) throw py::error_already_set();
}

// A function of two operands needs a tensor among them.
void require_tensor(const std::string& name, const Value& a, const Value& b) {
    if (a.tensor.defined() || b.tensor.defined()) return;
    const char* kind = a.scalar.kind() == DType::Bool ? "bool"
                       : a.scalar.is_floating()       ? "float"
                                                      : "int";
    fail<TypeError>(name, "(): argument 'input' (position 1) must be Tensor, not ", kind);
}

template <Binary Op> void bind_binary(py::module_& m) {
    if (Op == Binary::Pow) return;  // bound below, with exponents that are numbers apart
    const std::string name = binary_name(Op);
    m.def(
        name.c_str(),
        [name](const Value& a, const Value& b) {
            require_tensor(name, a, b);
            return binary(Op, a, b);
        },
        py::arg("input"), py::arg("other"));
    def_method(
        name.c_str(), [](const Tensor& a, const Value& b) { return binary(Op, a, b); },
        py::arg("other"));
    def_method((name + "_").c_str(),
               [](const Tensor& a, const Value& b) { return binary_in_place(Op, a, b); },
               py::arg("other"));
}

// add and sub with a factor on the second operand.
template <Binary Op> void bind_scaled(py::module_& m) {
    const std::string name = binary_name(Op);
    auto scaled = [](const Value& a, const Value& other, const Scalar& alpha) {
        const DType dtype = result_type(a, other);
        if (alpha.kind() == DType::Bool && dtype != DType::Bool)
            fail("Boolean alpha only supported for Boolean results.");
        if (alpha.is_floating() && !is_floating(dtype))
            fail("For integral input tensors, argument alpha must not be a floating point number.");
        Value result = other;
        if (other.tensor.defined())
            result.tensor = binary(Binary::Mul, to_dtype(other.tensor, dtype), alpha);
        else if (other.scalar.is_floating() || alpha.is_floating())
            result.scalar = Scalar(other.scalar.to_double() * alpha.to_double());
        else result.scalar = Scalar(other.scalar.to_int() * alpha.to_int());
        return result;
    };
    m.def(
        name.c_str(),
        [scaled, name](const Value& a, const Value& b, const Scalar& alpha) {
            require_tensor(name, a, b);
            return binary(Op, a, scaled(a, b, alpha));
        },
        py::arg("input"), py::arg("other"), py::kw_only(), py::arg("alpha"));
    def_method(
        name.c_str(),
        [scaled](const Tensor& a, const Value& b, const Scalar& alpha) {
            return binary(Op, a, scaled({a}, b, alpha));
        },
        py::arg("other"), py::kw_only(), py::arg("alpha"));
    def_method((name + "_").c_str(),
               [scaled](const Tensor& a, const Value& b, const Scalar& alpha) {
                   // The scaled operand is memory of its own: what was given is checked here.
                   check_inplace(a, recording(a) || (grad_enabled() && Arg(b).requires_grad()));
                   refuse_internal_overlap(a);
                   if (b.tensor.defined()) refuse_partial_overlap(a, b.tensor);
                   return binary_in_place(Op, a, scaled({a}, b, alpha));
               },
               py::arg("other"), py::kw_only(), py::arg("alpha"));
}

template <Comparison Op> void bind_comparison(py::module_& m, const char* name) {
    def_both(
        m, name, [](const Tensor& a, const Value& b) { return compare(Op, a, b); },
        py::arg("other"));
}
template <Integer Op> void bind_integer(py::module_& m, const char* name) {
    def_both(
        m, name, [](const Tensor& a, const Value& b) { return integer_binary(Op, a, b); },
        py::arg("other"));
    def_method((std::string(name) + "_").c_str(),
               [](const Tensor& a, const Value& b) { return integer_in_place(Op, a, b); },
               py::arg("other"));
}
template <Predicate Op> void bind_predicate(py::module_& m, const char* name) {
    def_both(m, name, [](const Tensor& x) { return predicate(Op, x); });
}

// Truncation towards zero of a quotient; its derivative is zero.
Tensor divide(const Arg& a, const Arg& b, const std::optional<std::string>& rounding) {
    if (!rounding) return binary(Binary::Div, a, b);
    if (*rounding != "floor" && *rounding != "trunc")
        fail("div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '",
             *rounding, "'");
    const DType type = result_type(a, b);
    if (!is_floating(type)) {
        if (*rounding == "floor") return floor_divide(a, b);
        // a - fmod(a, b) is a multiple of b.
        return floor_divide(binary(Binary::Sub, a, binary(Binary::Fmod, a, b)), b);
    }
    const Tensor quotient = binary(Binary::Div, a, b);
    return unary(*rounding == "floor" ? Unary::Floor : Unary::Trunc, quotient);
}

// round(x * 10^d) / 10^d
Tensor round_to(const Tensor& x, int64_t decimals) {
    if (decimals == 0) return unary(Unary::Round, x);
    if (!x.is_floating())
        fail<NotImplementedError>("\"round_decimals\" not implemented for '",
                                  scalar_type_name(x.dtype()), "'");
    const double scale = std::pow(10.0, static_cast<double>(std::abs(decimals)));
    const Tensor moved = decimals > 0 ? x * scale : x / scale;
    const Tensor rounded = unary(Unary::Round, moved);
    return decimals > 0 ? rounded / scale : rounded * scale;
}

Unary gelu_kind(const std::string& approximate) {
    if (approximate == "none") return Unary::Gelu;
    if (approximate == "tanh") return Unary::GeluTanh;
    fail("approximate argument must be either none or tanh.");
}

void bind_activations(py::module_& m) {
    def_both(
        m, "leaky_relu",
        [](const Tensor& x, double slope) { return unary(Unary::LeakyRelu, x, slope); },
        py::arg("negative_slope") = 0.01);
    def_both(
        m, "elu", [](const Tensor& x, double alpha) { return unary(Unary::Elu, x, alpha); },
        py::arg("alpha") = 1.0);
    def_both(
        m, "gelu",
        [](const Tensor& x, const std::string& approximate) {
            return unary(gelu_kind(approximate), x);
        },
        py::kw_only(), py::arg("approximate") = "none");
    def_both(
        m, "softplus",
        [](const Tensor& x, double beta, double threshold) {
            return unary(Unary::Softplus, x, beta, threshold);
        },
        py::arg("beta") = 1.0, py::arg("threshold") = 20.0);
}

}  // namespace

void bind_elementwise(py::module_& m) {
#define TAPEGRAD_BIND(Name, ...) bind_unary<Unary::Name, formulas::Name>(m);
    TAPEGRAD_UNARY(TAPEGRAD_BIND)
#undef TAPEGRAD_BIND
    bind_alias(m, "negative", "neg");
    bind_alias(m, "negative_", "neg_");
    bind_alias(m, "absolute", "abs");
    bind_alias(m, "absolute_", "abs_");
    bind_alias(m, "arcsin", "asin");
    bind_alias(m, "arccos", "acos");
    bind_alias(m, "arctan", "atan");
    bind_alias(m, "fix", "trunc");
    def_both(m, "round", round_to, py::kw_only(), py::arg("decimals") = 0);
    def_method("round_", [](const Tensor& x) { return unary_in_place(Unary::Round, x); });
    def_both(m, "positive", [](const Tensor& x) {
        if (x.dtype() == DType::Bool) fail("The `+` operator, on a bool tensor is not supported.");
        return x;
    });
    bind_activations(m);

#define TAPEGRAD_BIND(Name, ...) bind_binary<Binary::Name>(m);
    TAPEGRAD_BINARY(TAPEGRAD_BIND)
#undef TAPEGRAD_BIND
    bind_scaled<Binary::Add>(m);
    bind_scaled<Binary::Sub>(m);
    bind_alias(m, "arctan2", "atan2");
    def_both(
        m, "pow", [](const Tensor& x, const Scalar& exponent) { return pow(x, exponent); },
        py::arg("exponent"));
    def_both(
        m, "pow",
        [](const Tensor& x, const Tensor& exponent) { return binary(Binary::Pow, x, exponent); },
        py::arg("exponent"));
    m.def(
        "pow",
        [](const Scalar& x, const Tensor& exponent) { return binary(Binary::Pow, x, exponent); },
        py::arg("self"), py::arg("exponent"));
    def_method(
        "pow_", [](const Tensor& x, const Scalar& exponent) { return pow_(x, exponent); },
        py::arg("exponent"));
    def_method(
        "pow_",
        [](const Tensor& x, const Tensor& exponent) {
            return binary_in_place(Binary::Pow, x, exponent);
        },
        py::arg("exponent"));
    def_both(
        m, "div",
        [](const Tensor& a, const Value& b, std::optional<std::string> mode) {
            return divide(a, b, mode);
        },
        py::arg("other"), py::kw_only(), py::arg("rounding_mode"));
    def_both(
        m, "rsub", [](const Tensor& a, const Value& b) { return binary(Binary::Sub, b, a); },
        py::arg("other"));
    bind_alias(m, "true_divide", "div");
    bind_alias(m, "divide", "div");
    bind_alias(m, "multiply", "mul");
    bind_alias(m, "multiply_", "mul_");
    bind_alias(m, "subtract", "sub");
    bind_alias(m, "subtract_", "sub_");
    bind_alias(m, "divide_", "div_");

    bind_comparison<Comparison::Eq>(m, "eq");
    bind_comparison<Comparison::Ne>(m, "ne");
    bind_comparison<Comparison::Lt>(m, "lt");
    bind_comparison<Comparison::Le>(m, "le");
    bind_comparison<Comparison::Gt>(m, "gt");
    bind_comparison<Comparison::Ge>(m, "ge");
    bind_comparison<Comparison::LogicalAnd>(m, "logical_and");
    bind_comparison<Comparison::LogicalOr>(m, "logical_or");
    bind_comparison<Comparison::LogicalXor>(m, "logical_xor");
    bind_alias(m, "less", "lt");
    bind_alias(m, "less_equal", "le");
    bind_alias(m, "greater", "gt");
    bind_alias(m, "greater_equal", "ge");
    bind_alias(m, "not_equal", "ne");
    bind_integer<Integer::FloorDivide>(m, "floor_divide");
    bind_integer<Integer::BitwiseAnd>(m, "bitwise_and");
    bind_integer<Integer::BitwiseOr>(m, "bitwise_or");
    bind_integer<Integer::BitwiseXor>(m, "bitwise_xor");
    bind_integer<Integer::LeftShift>(m, "bitwise_left_shift");
    bind_integer<Integer::RightShift>(m, "bitwise_right_shift");
    def_both(m, "bitwise_not", bitwise_not);
    def_method("bitwise_not_", [](const Tensor& x) { return copy_(x, bitwise_not(x)); });
    bind_predicate<Predicate::IsNan>(m, "isnan");
    bind_predicate<Predicate::IsInf>(m, "isinf");
    bind_predicate<Predicate::IsFinite>(m, "isfinite");
    bind_predicate<Predicate::LogicalNot>(m, "logical_not");
    bind_predicate<Predicate::SignBit>(m, "signbit");

    m.def(
        "where", [](const Tensor& c, const Value& a, const Value& b) { return where(c, a, b); },
        py::arg("condition"), py::arg("input"), py::arg("other"));
    m.def(
        "where",
        [](const Tensor& c) {
            const Tensor positions = nonzero(c);
            py::tuple result(static_cast<size_t>(c.dim()));
            for (int i = 0; i < c.dim(); ++i)
                result[static_cast<size_t>(i)] =
                    alias(positions, {positions.sizes()[0]}, {positions.strides()[0]}, i);
            return result;
        },
        py::arg("condition"));
    def_method(
        "where", [](const Tensor& a, const Tensor& c, const Value& b) { return where(c, a, b); },
        py::arg("condition"), py::arg("other"));

    auto clamp_with = [](const Tensor& x, const std::optional<Value>& low,
                         const std::optional<Value>& high) {
        const Arg l = low ? Arg(*low) : Arg(0), h = high ? Arg(*high) : Arg(0);
        return clamp(x, low ? &l : nullptr, high ? &h : nullptr);
    };
    auto clamp_in_place = [](const Tensor& x, const std::optional<Value>& low,
                             const std::optional<Value>& high) {
        const Arg l = low ? Arg(*low) : Arg(0), h = high ? Arg(*high) : Arg(0);
        return clamp_(x, low ? &l : nullptr, high ? &h : nullptr);
    };
    for (const char* name : {"clamp", "clip"}) {
        def_both(m, name, clamp_with, py::arg("min") = py::none(), py::arg("max") = py::none());
        def_method((std::string(name) + "_").c_str(), clamp_in_place, py::arg("min") = py::none(),
                   py::arg("max") = py::none());
    }
    def_both(
        m, "clamp_min",
        [](const Tensor& x, const Value& low) {
            const Arg l(low);
            return clamp(x, &l, nullptr);
        },
        py::arg("min"));
    def_both(
        m, "clamp_max",
        [](const Tensor& x, const Value& high) {
            const Arg h(high);
            return clamp(x, nullptr, &h);
        },
        py::arg("max"));

    def_both(
        m, "equal",
        [](const Tensor& a, const py::object& b) {
            if (!is_tensor(b.ptr()))
                fail<TypeError>("equal(): argument 'other' (position 2) must be Tensor, not ",
                                Py_TYPE(b.ptr())->tp_name);
            return equal(a, unwrap(b.ptr()));
        },
        py::arg("other"));
    def_both(m, "allclose", allclose, py::arg("other"), py::arg("rtol") = 1e-5,
             py::arg("atol") = 1e-8, py::arg("equal_nan") = false);
    def_both(m, "isclose", isclose, py::arg("other"), py::arg("rtol") = 1e-5,
             py::arg("atol") = 1e-8, py::arg("equal_nan") = false);
    m.def(
        "result_type", [](const Value& a, const Value& b) { return result_type(a, b); },
        py::arg("tensor1"), py::arg("tensor2"));
    m.def(
        "promote_types", [](DType a, DType b) { return promote(a, b); }, py::arg("type1"),
        py::arg("type2"));
    m.def(
        "can_cast", [](DType a, DType b) { return can_cast(a, b); }, py::arg("from_"),
        py::arg("to"));

    // Copies and conversions.
    def_both(
        m, "clone",
        [](const Tensor& x, const py::object& format) {
            // Formats are strings, and "preserve" is the default.
            const bool keep =
                format.is_none() || std::string(py::str(format)).ends_with("preserve_format");
            return keep ? clone(x) : contiguous_clone(x);
        },
        py::kw_only(), py::arg("memory_format") = py::none());
    def_method(
        "contiguous", [](const Tensor& x, py::object) { return contiguous(x); },
        py::arg("memory_format") = py::none());
    def_method(
        "_to_dtype",
        [](const Tensor& x, DType dtype, bool copy) {
            return copy && x.dtype() == dtype ? clone(x) : to_dtype(x, dtype);
        },
        py::arg("dtype"), py::arg("copy") = false);
    def_method(
        "copy_", [](const Tensor& x, const Tensor& source, bool) { return copy_(x, source); },
        py::arg("src"), py::arg("non_blocking") = false);
    def_method(
        "fill_", [](const Tensor& x, const Value& value) { return fill_(x, value); },
        py::arg("value"));
    def_both(m, "zero_", zero_);
    constexpr std::pair<const char*, DType> conversions[] = {
        {"float", DType::Float32}, {"double", DType::Float64}, {"long", DType::Int64},
        {"int", DType::Int32},     {"bool", DType::Bool},      {"byte", DType::UInt8}};
    for (const auto& [name, dtype] : conversions)
        def_method(name, [dtype = dtype](const Tensor& x) { return to_dtype(x, dtype); });
}

}  // namespace tapegrad::python
