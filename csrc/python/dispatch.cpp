#include "python/dispatch.h"

#include <array>
#include <string_view>
#include <vector>

#include "python/bind.h"
#include "python/errors.h"
#include "python/module.h"
#include "python/read.h"
#include "python/replay.h"
#include "python/tensor_attributes.h"
#include "python/torch_function.h"

namespace py = pybind11;

namespace tapegrad::python {
namespace {

PyObject* handler = nullptr;  // handler(name of the operator, args, kwargs)
int watchers = 0;             // modes of any kind that are on, in all threads
int askers = 0;               // those of them that see every function, not only operators
int recordings = 0;           // of compiled functions
PyObject* exchange_functions =
    nullptr;  // exchange_functions(on): the functions that are written in Python
thread_local bool dispatching = false;  // whether this thread has a mode that is not at work itself

PyObject* hand_over(const char* name, const py::tuple& args, const py::dict& kwargs) {
    return PyObject_CallFunction(handler, "sOO", name, args.ptr(), kwargs.ptr());
}

// What is no number and no tensor is left to the slot.
bool known_operand(PyObject* object) {
    return is_tensor(object) || PyFloat_Check(object) || PyLong_Check(object);
}

template <class... Objects> py::tuple tuple_of(Objects*... objects) {
    return py::make_tuple(py::handle(objects)...);
}
template <class... Objects> bool is_overridden_in(Objects*... objects) {
    PyObject* const all[] = {objects...};
    return is_overridden(nullptr, all, sizeof...(objects));
}

// ----------------------------------------------------------------------------- slots

// Where the slot of a type is. What is there belongs to the type, which every subclass has copied.
template <class F> using Place = F& (*)(PyTypeObject*);
#define TAPEGRAD_NUMBER_SLOT(field) \
    [](PyTypeObject* type) -> decltype(PyNumberMethods::field)& { return type->tp_as_number->field; }

template <class F> struct Watched {
    Place<F> place;
    F original, replacement;
};

// The slots in the order of registration; index I is how a replacement finds its own.
std::array<Watched<binaryfunc>, 32> binary_slots;

template <size_t I> PyObject* watched_binary(PyObject* left, PyObject* right);

// The operator that modes see, and the methods that __torch_function__ does.
struct BinarySlot {
    const char* name;
    Place<binaryfunc> place;
    const char *method, *reflected = nullptr;
};
constexpr BinarySlot kBinary[] = {
    {"add", TAPEGRAD_NUMBER_SLOT(nb_add), "add", "add"},
    {"sub", TAPEGRAD_NUMBER_SLOT(nb_subtract), "sub", "__rsub__"},
    {"mul", TAPEGRAD_NUMBER_SLOT(nb_multiply), "mul", "mul"},
    {"div", TAPEGRAD_NUMBER_SLOT(nb_true_divide), "div", "__rtruediv__"},
    {"remainder", TAPEGRAD_NUMBER_SLOT(nb_remainder), "remainder", "__rmod__"},
    {"floor_divide", TAPEGRAD_NUMBER_SLOT(nb_floor_divide), "__floordiv__", "__rfloordiv__"},
    {"matmul", TAPEGRAD_NUMBER_SLOT(nb_matrix_multiply), "matmul", "__rmatmul__"},
    {"bitwise_and", TAPEGRAD_NUMBER_SLOT(nb_and), "__and__", "bitwise_and"},
    {"bitwise_or", TAPEGRAD_NUMBER_SLOT(nb_or), "__or__", "bitwise_or"},
    {"bitwise_xor", TAPEGRAD_NUMBER_SLOT(nb_xor), "__xor__", "bitwise_xor"},
    {"bitwise_left_shift", TAPEGRAD_NUMBER_SLOT(nb_lshift), "__lshift__", "__rlshift__"},
    {"bitwise_right_shift", TAPEGRAD_NUMBER_SLOT(nb_rshift), "__rshift__", "__rrshift__"},
    {"add_", TAPEGRAD_NUMBER_SLOT(nb_inplace_add), "add_"},
    {"sub_", TAPEGRAD_NUMBER_SLOT(nb_inplace_subtract), "sub_"},
    {"mul_", TAPEGRAD_NUMBER_SLOT(nb_inplace_multiply), "mul_"},
    {"div_", TAPEGRAD_NUMBER_SLOT(nb_inplace_true_divide), "div_"},
    {"remainder_", TAPEGRAD_NUMBER_SLOT(nb_inplace_remainder), "remainder_"},
    {"floor_divide_", TAPEGRAD_NUMBER_SLOT(nb_inplace_floor_divide), "floor_divide_"},
    {"bitwise_and_", TAPEGRAD_NUMBER_SLOT(nb_inplace_and), "__iand__"},
    {"bitwise_or_", TAPEGRAD_NUMBER_SLOT(nb_inplace_or), "__ior__"},
    {"bitwise_xor_", TAPEGRAD_NUMBER_SLOT(nb_inplace_xor), "__ixor__"},
    {"bitwise_left_shift_", TAPEGRAD_NUMBER_SLOT(nb_inplace_lshift), "__ilshift__"},
    {"bitwise_right_shift_", TAPEGRAD_NUMBER_SLOT(nb_inplace_rshift), "__irshift__"},
    {"__getitem__",
     [](PyTypeObject* type) -> binaryfunc& { return type->tp_as_mapping->mp_subscript; },
     "__getitem__"},
};

PyObject* ask_operator(const BinarySlot& slot, PyObject* left, PyObject* right) {
    const bool reflected = !is_tensor(left) && slot.reflected;
    if (reflected) std::swap(left, right);
    const bool may_refuse = slot.method != std::string_view("__getitem__");
    return ask_method(reflected ? slot.reflected : slot.method, left, &right, 1, nullptr,
                      may_refuse);
}

template <size_t I> PyObject* watched_binary(PyObject* left, PyObject* right) {
    const replay::Doing doing(kBinary[I].name);
    note_externals(left, right);
    if (is_overridden_in(left, right))
        return guarded([&] { return ask_operator(kBinary[I], left, right); });
    constexpr bool indexing = std::string_view(kBinary[I].name) == "__getitem__";
    if (!dispatching || !(indexing || (known_operand(left) && known_operand(right))))
        return binary_slots[I].original(left, right);
    return guarded([&] { return hand_over(kBinary[I].name, tuple_of(left, right), py::dict()); });
}

// Of one operand. Modes see those that are operators.
struct UnarySlot {
    const char* name;
    Place<unaryfunc> place;
    const char* method;
};
constexpr UnarySlot kUnary[] = {
    {"neg", TAPEGRAD_NUMBER_SLOT(nb_negative), "neg"},
    {"abs", TAPEGRAD_NUMBER_SLOT(nb_absolute), "abs"},
    {"bitwise_not", TAPEGRAD_NUMBER_SLOT(nb_invert), "__invert__"},
    {nullptr, TAPEGRAD_NUMBER_SLOT(nb_positive), "positive"},
    {nullptr, TAPEGRAD_NUMBER_SLOT(nb_float), "__float__"},
    {nullptr, TAPEGRAD_NUMBER_SLOT(nb_int), "__int__"},
    {nullptr, TAPEGRAD_NUMBER_SLOT(nb_index), "__index__"},
};
std::array<Watched<unaryfunc>, std::size(kUnary)> unary_slots;

template <size_t I> PyObject* watched_unary(PyObject* self) {
    const replay::Doing doing(kUnary[I].name ? kUnary[I].name : kUnary[I].method);
    note_externals(self);
    if (is_overridden(self)) return guarded([&] { return ask_method(kUnary[I].method, self); });
    if (!dispatching || !kUnary[I].name) return unary_slots[I].original(self);
    return guarded([&] { return hand_over(kUnary[I].name, tuple_of(self), py::dict()); });
}

template <size_t I> PyObject* watched_power(PyObject* left, PyObject* right, PyObject* modulus);
PyObject* watched_compare(PyObject* left, PyObject* right, int op);
PyObject* watched_iterate(PyObject* self);
int watched_bool(PyObject* self);
Py_ssize_t watched_length(PyObject* self);
int watched_set_item(PyObject* self, PyObject* index, PyObject* value);

std::array<Watched<ternaryfunc>, 2> power_slots = {{
    {TAPEGRAD_NUMBER_SLOT(nb_power), nullptr, watched_power<0>},
    {TAPEGRAD_NUMBER_SLOT(nb_inplace_power), nullptr, watched_power<1>},
}};
std::array<Watched<richcmpfunc>, 1> compare_slots = {{
    {[](PyTypeObject* type) -> richcmpfunc& { return type->tp_richcompare; }, nullptr,
     watched_compare},
}};
std::array<Watched<getiterfunc>, 1> iterate_slots = {{
    {[](PyTypeObject* type) -> getiterfunc& { return type->tp_iter; }, nullptr, watched_iterate},
}};
std::array<Watched<inquiry>, 1> bool_slots = {{
    {TAPEGRAD_NUMBER_SLOT(nb_bool), nullptr, watched_bool},
}};
std::array<Watched<lenfunc>, 2> length_slots = {{
    {[](PyTypeObject* type) -> lenfunc& { return type->tp_as_mapping->mp_length; }, nullptr,
     watched_length},
    {[](PyTypeObject* type) -> lenfunc& { return type->tp_as_sequence->sq_length; }, nullptr,
     watched_length},
}};
std::array<Watched<objobjargproc>, 1> set_item_slots = {{
    {[](PyTypeObject* type) -> objobjargproc& { return type->tp_as_mapping->mp_ass_subscript; },
     nullptr, watched_set_item},
}};
#undef TAPEGRAD_NUMBER_SLOT

template <size_t I> PyObject* watched_power(PyObject* left, PyObject* right, PyObject* modulus) {
    constexpr BinarySlot slots[] = {{"pow", nullptr, "__pow__", "__rpow__"},
                                    {"pow_", nullptr, "__ipow__"}};
    const replay::Doing doing(slots[I].name);
    note_externals(left, right);
    if (modulus == Py_None && is_overridden_in(left, right))
        return guarded([&] { return ask_operator(slots[I], left, right); });
    if (!dispatching || !known_operand(left) || !known_operand(right) || modulus != Py_None)
        return power_slots[I].original(left, right, modulus);
    return guarded([&] { return hand_over(slots[I].name, tuple_of(left, right), py::dict()); });
}
PyObject* watched_compare(PyObject* left, PyObject* right, int op) {
    constexpr const char* names[] = {"lt", "le", "eq", "ne", "gt", "ge"};
    constexpr const char* methods[] = {"lt", "le", "__eq__", "ne", "gt", "ge"};
    const replay::Doing doing(names[op]);
    note_externals(left, right);
    if (is_overridden_in(left, right))
        return guarded([&] { return ask_method(methods[op], left, &right, 1, nullptr, true); });
    if (!dispatching || !known_operand(left) || !known_operand(right))
        return compare_slots[0].original(left, right, op);
    return guarded([&] { return hand_over(names[op], tuple_of(left, right), py::dict()); });
}
// An iterator over what unbind() gives.
PyObject* watched_iterate(PyObject* self) {
    note_externals(self);
    if (unwrap(self).dim() == 0 || !(dispatching || is_overridden(self)))
        return iterate_slots[0].original(self);
    return guarded([&]() -> PyObject* {
        const py::object rows = py::handle(self).attr("unbind")(0);
        return PyObject_GetIter(rows.ptr());
    });
}
int watched_bool(PyObject* self) {
    if (!is_overridden(self)) return bool_slots[0].original(self);
    return guarded([&] {
        const auto answer = py::reinterpret_steal<py::object>(ask_method("__bool__", self));
        if (!answer) throw py::error_already_set();
        return PyObject_IsTrue(answer.ptr());
    });
}
Py_ssize_t watched_length(PyObject* self) {
    if (!is_overridden(self)) return length_slots[0].original(self);
    return guarded([&] {
        const auto answer = py::reinterpret_steal<py::object>(ask_method("__len__", self));
        if (!answer) throw py::error_already_set();
        return PyNumber_AsSsize_t(answer.ptr(), PyExc_OverflowError);
    });
}
int watched_set_item(PyObject* self, PyObject* index, PyObject* value) {
    const bool overridden = value && is_overridden_in(self, index, value);
    if (!value || !(overridden || dispatching))
        return set_item_slots[0].original(self, index, value);
    return guarded([&] {
        PyObject* const args[] = {index, value};
        PyObject* done = overridden
                             ? ask_method("__setitem__", self, args, 2)
                             : hand_over("__setitem__", tuple_of(self, index, value), py::dict());
        Py_XDECREF(done);
        return done ? 0 : -1;
    });
}

template <size_t... I> void list_binary_slots(std::index_sequence<I...>) {
    ((binary_slots[I] = {kBinary[I].place, nullptr, watched_binary<I>}), ...);
}
template <size_t... I> void list_unary_slots(std::index_sequence<I...>) {
    ((unary_slots[I] = {kUnary[I].place, nullptr, watched_unary<I>}), ...);
}

// Calls f with each of the tables.
template <class F> void for_all_slots(F f) {
    f(binary_slots), f(unary_slots), f(power_slots), f(compare_slots), f(iterate_slots);
    f(bool_slots), f(length_slots), f(set_item_slots);
}

template <class F> void exchange(const Watched<F>& slot, F& now, bool on) {
    if (now == (on ? slot.original : slot.replacement)) now = on ? slot.replacement : slot.original;
}

// A subclass that defines the operator itself has another function there, and keeps it.
void exchange_slots(PyTypeObject* type, bool on) {
    for_all_slots([&](auto& slots) {
        for (auto& slot : slots)
            if (slot.place) exchange(slot, slot.place(type), on);
    });
    const auto derived = py::handle(reinterpret_cast<PyObject*>(type)).attr("__subclasses__")();
    for (const py::handle subclass : derived)
        exchange_slots(reinterpret_cast<PyTypeObject*>(subclass.ptr()), on);
}

// The methods of the slots (Tensor.__add__), which have the function of their slot themselves.
std::vector<PyWrapperDescrObject*> slot_methods;

void exchange_slot_methods(bool on) {
    for_all_slots([&](auto& slots) {
        for (auto& slot : slots)
            for (PyWrapperDescrObject* method : slot_methods)
                exchange(slot, reinterpret_cast<decltype(slot.original)&>(method->d_wrapped), on);
    });
}

void remember_slots() {
    list_binary_slots(std::make_index_sequence<std::size(kBinary)>());
    list_unary_slots(std::make_index_sequence<std::size(kUnary)>());
    for_all_slots([](auto& slots) {
        for (auto& slot : slots)
            if (slot.place) slot.original = slot.place(tensor_type);
    });
    for (const auto& [name, value] : py::reinterpret_borrow<py::dict>(tensor_type->tp_dict))
        if (Py_IS_TYPE(value.ptr(), &PyWrapperDescr_Type))
            slot_methods.push_back(reinterpret_cast<PyWrapperDescrObject*>(value.inc_ref().ptr()));
}

// ----------------------------------------------------------------------------- attributes

struct Attribute {
    PyGetSetDef* definition;
    PyGetSetDef original;
};
std::vector<Attribute> exchanged_attributes;

// The function that stands for an access: Tensor.shape.__get__.
PyObject* ask_attribute(void* closure, const char* access, const py::tuple& args) {
    const auto* attribute = static_cast<const Attribute*>(closure);
    const py::handle type(reinterpret_cast<PyObject*>(tensor_type));
    const py::object function = type.attr(attribute->original.name).attr(access);
    return ask(function.ptr(), args.ptr(), nullptr);
}
PyObject* watched_get(PyObject* self, void* closure) {
    const PyGetSetDef& original = static_cast<const Attribute*>(closure)->original;
    if (is_overridden(self))
        return guarded([&] { return ask_attribute(closure, "__get__", tuple_of(self)); });
    // Attributes that are operators.
    const std::string_view name = original.name;
    const int dims = unwrap(self).dim();
    if (dispatching && name == "mT" && dims > 1)
        return PyObject_CallMethod(self, "transpose", "ii", -2, -1);
    if (!dispatching || name != "T") return original.get(self, original.closure);
    return guarded([&] {
        py::tuple order(static_cast<size_t>(dims));
        for (int i = 0; i < dims; ++i) order[static_cast<size_t>(i)] = dims - 1 - i;
        return py::handle(self).attr("permute")(order).release().ptr();
    });
}
int watched_set(PyObject* self, PyObject* value, void* closure) {
    const PyGetSetDef& original = static_cast<const Attribute*>(closure)->original;
    if (!is_overridden(self)) return original.set(self, value, original.closure);
    return guarded([&] {
        PyObject* done = value ? ask_attribute(closure, "__set__", tuple_of(self, value))
                               : ask_attribute(closure, "__delete__", tuple_of(self));
        Py_XDECREF(done);
        return done ? 0 : -1;
    });
}

void remember_attributes() {
    for (PyGetSetDef* definition = tensor_getset(); definition->name; ++definition)
        if (std::string_view(definition->name) != "__dict__")
            exchanged_attributes.push_back({definition, *definition});
}
void exchange_attributes(bool on) {
    for (Attribute& attribute : exchanged_attributes) {
        PyGetSetDef& now = *attribute.definition;
        const PyGetSetDef& original = attribute.original;
        now.get = on ? watched_get : original.get;
        now.set = on && original.set ? watched_set : original.set;
        now.closure = on ? &attribute : original.closure;
    }
}

// ----------------------------------------------------------------------------- what is exchanged

bool gives_tensors(const Operator& op) {
    const std::string_view result = op.forms()[0].function.result;
    return result.starts_with("Tensor") || result.starts_with("tuple[Tensor") || result == "Self" ||
           result == "return_types";
}

// Operators that give no tensor are seen by __torch_function__ alone.
void exchange_operators(bool on, bool others) {
    for (Operator* op : all_operators())
        if (gives_tensors(*op) != others) op->watch(on);
}

void watch(int change) {
    const bool before = watchers > 0;
    watchers += change;
    if (before == (watchers > 0)) return;
    exchange_slots(tensor_type, !before);
    exchange_slot_methods(!before);
    exchange_operators(!before, false);
    exchange_attributes(!before);
}

void begin_watching(py::object given) {
    Py_XSETREF(handler, given.release().ptr());
    watch(1);
}

void ask_everywhere(int change) {
    watch(change);
    const bool before = askers > 0;
    askers += change;
    anybody_to_ask = askers > 0;
    if (before == anybody_to_ask) return;
    if (!recordings) exchange_operators(!before, true);
    const py::handle exchange_those_in_python(exchange_functions);
    exchange_those_in_python(!before);
}

}  // namespace

void watch_operators(bool on) {
    watch(on ? 1 : -1);
    const bool before = recordings > 0;
    recordings += on ? 1 : -1;
    if (before != (recordings > 0) && !askers) exchange_operators(on, true);
}
bool is_dispatching() noexcept { return dispatching; }

PyObject* call_watched(const Operator& op, PyObject* self, PyObject* const* args, Py_ssize_t count,
                       PyObject* names) noexcept {
    const Py_ssize_t all = count + (names ? PyTuple_GET_SIZE(names) : 0);
    const replay::Doing doing(op.name());
    if (is_replay_recorded()) [[unlikely]] {
        note_externals(self);
        for (Py_ssize_t i = 0; i < all; ++i) note_externals(args[i]);
    }
    const bool overridden = is_overridden(self, args, all);
    if (!overridden && !(dispatching && gives_tensors(op)))
        return self ? op.call_method(self, args, count, names)
                    : op.call_function(args, count, names);
    return guarded([&]() -> PyObject* {
        if (overridden) return ask(op.called(self), self, args, count, names);
        auto [given, named] = pack_arguments(self, args, count, names);
        // The function has its condition first.
        if (self && count > 0 && op.name() == std::string_view("where")) {
            given[0] = py::handle(args[0]);
            given[1] = py::handle(self);
        }
        return hand_over(op.name(), given, named);
    });
}

void begin_asking() { ask_everywhere(1); }

void bind_dispatch(py::module_& m) {
    remember_slots();
    remember_attributes();
    m.def("_begin_watching", begin_watching);
    m.def("_end_watching", [] { watch(-1); });
    m.def("_set_dispatching", [](bool on) { dispatching = on; });
    m.def("_begin_asking", begin_asking);
    m.def("_end_asking", [] { ask_everywhere(-1); });
    m.def("_exchange_functions_by",
          [](py::object given) { Py_XSETREF(exchange_functions, given.release().ptr()); });
}

}  // namespace tapegrad::python
