#include "python/dispatch.h"

#include <array>
#include <string_view>

#include "python/bind.h"
#include "python/errors.h"
#include "python/module.h"
#include "python/read.h"
#include "python/replay.h"

namespace py = pybind11;

namespace tapegrad::python {
namespace {

PyObject* handler = nullptr;            // handler(name of the operator, args, kwargs)
int watchers = 0;                       // modes that are on, in all threads
thread_local bool dispatching = false;  // whether this thread has one that is not at work itself

PyObject* hand_over(const char* name, const py::tuple& args, const py::dict& kwargs) {
    return PyObject_CallFunction(handler, "sOO", name, args.ptr(), kwargs.ptr());
}

// What is no number and no tensor is left to the slot.
bool known_operand(PyObject* object) {
    return is_tensor(object) || PyFloat_Check(object) || PyLong_Check(object);
}

// ----------------------------------------------------------------------------- number slots

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
std::array<const char*, 32> binary_names;

template <size_t I> PyObject* watched_binary(PyObject* left, PyObject* right) {
    note_externals(left, right);
    if (!dispatching || !known_operand(left) || !known_operand(right))
        return binary_slots[I].original(left, right);
    return guarded([&] {
        return hand_over(binary_names[I], py::make_tuple(py::handle(left), py::handle(right)),
                         py::dict());
    });
}

struct BinarySlot {
    const char* name;
    Place<binaryfunc> place;
};
constexpr BinarySlot kBinary[] = {
    {"add", TAPEGRAD_NUMBER_SLOT(nb_add)},
    {"sub", TAPEGRAD_NUMBER_SLOT(nb_subtract)},
    {"mul", TAPEGRAD_NUMBER_SLOT(nb_multiply)},
    {"div", TAPEGRAD_NUMBER_SLOT(nb_true_divide)},
    {"remainder", TAPEGRAD_NUMBER_SLOT(nb_remainder)},
    {"floor_divide", TAPEGRAD_NUMBER_SLOT(nb_floor_divide)},
    {"matmul", TAPEGRAD_NUMBER_SLOT(nb_matrix_multiply)},
    {"bitwise_and", TAPEGRAD_NUMBER_SLOT(nb_and)},
    {"bitwise_or", TAPEGRAD_NUMBER_SLOT(nb_or)},
    {"bitwise_xor", TAPEGRAD_NUMBER_SLOT(nb_xor)},
    {"bitwise_left_shift", TAPEGRAD_NUMBER_SLOT(nb_lshift)},
    {"bitwise_right_shift", TAPEGRAD_NUMBER_SLOT(nb_rshift)},
    {"add_", TAPEGRAD_NUMBER_SLOT(nb_inplace_add)},
    {"sub_", TAPEGRAD_NUMBER_SLOT(nb_inplace_subtract)},
    {"mul_", TAPEGRAD_NUMBER_SLOT(nb_inplace_multiply)},
    {"div_", TAPEGRAD_NUMBER_SLOT(nb_inplace_true_divide)},
    {"remainder_", TAPEGRAD_NUMBER_SLOT(nb_inplace_remainder)},
    {"floor_divide_", TAPEGRAD_NUMBER_SLOT(nb_inplace_floor_divide)},
    {"bitwise_and_", TAPEGRAD_NUMBER_SLOT(nb_inplace_and)},
    {"bitwise_or_", TAPEGRAD_NUMBER_SLOT(nb_inplace_or)},
    {"bitwise_xor_", TAPEGRAD_NUMBER_SLOT(nb_inplace_xor)},
    {"bitwise_left_shift_", TAPEGRAD_NUMBER_SLOT(nb_inplace_lshift)},
    {"bitwise_right_shift_", TAPEGRAD_NUMBER_SLOT(nb_inplace_rshift)},
};

template <size_t I> PyObject* watched_unary(PyObject* self);
template <size_t I> PyObject* watched_power(PyObject* left, PyObject* right, PyObject* modulus);
PyObject* watched_compare(PyObject* left, PyObject* right, int op);

std::array<Watched<unaryfunc>, 3> unary_slots = {{
    {TAPEGRAD_NUMBER_SLOT(nb_negative), nullptr, watched_unary<0>},
    {TAPEGRAD_NUMBER_SLOT(nb_absolute), nullptr, watched_unary<1>},
    {TAPEGRAD_NUMBER_SLOT(nb_invert), nullptr, watched_unary<2>},
}};
std::array<Watched<ternaryfunc>, 2> power_slots = {{
    {TAPEGRAD_NUMBER_SLOT(nb_power), nullptr, watched_power<0>},
    {TAPEGRAD_NUMBER_SLOT(nb_inplace_power), nullptr, watched_power<1>},
}};
std::array<Watched<richcmpfunc>, 1> compare_slots = {{
    {[](PyTypeObject* type) -> richcmpfunc& { return type->tp_richcompare; }, nullptr,
     watched_compare},
}};
#undef TAPEGRAD_NUMBER_SLOT

template <size_t I> PyObject* watched_unary(PyObject* self) {
    constexpr const char* names[] = {"neg", "abs", "bitwise_not"};
    note_externals(self);
    if (!dispatching) return unary_slots[I].original(self);
    return guarded(
        [&] { return hand_over(names[I], py::make_tuple(py::handle(self)), py::dict()); });
}
template <size_t I> PyObject* watched_power(PyObject* left, PyObject* right, PyObject* modulus) {
    constexpr const char* names[] = {"pow", "pow_"};
    note_externals(left, right);
    if (!dispatching || !known_operand(left) || !known_operand(right) || modulus != Py_None)
        return power_slots[I].original(left, right, modulus);
    return guarded([&] {
        return hand_over(names[I], py::make_tuple(py::handle(left), py::handle(right)), py::dict());
    });
}
PyObject* watched_compare(PyObject* left, PyObject* right, int op) {
    constexpr const char* names[] = {"lt", "le", "eq", "ne", "gt", "ge"};
    note_externals(left, right);
    if (!dispatching || !known_operand(left) || !known_operand(right))
        return compare_slots[0].original(left, right, op);
    return guarded([&] {
        return hand_over(names[op], py::make_tuple(py::handle(left), py::handle(right)),
                         py::dict());
    });
}

template <size_t... I> void list_binary_slots(std::index_sequence<I...>) {
    ((binary_slots[I] = {kBinary[I].place, nullptr, watched_binary<I>},
      binary_names[I] = kBinary[I].name),
     ...);
}

template <class Slots> void remember(Slots& slots) {
    for (auto& slot : slots)
        if (slot.place) slot.original = slot.place(tensor_type);
}
// A subclass that defines the operator itself has another function there, and keeps it.
template <class Slots> void exchange(Slots& slots, PyTypeObject* type, bool on) {
    for (auto& slot : slots) {
        if (!slot.place) continue;
        auto& now = slot.place(type);
        if (now == (on ? slot.original : slot.replacement))
            now = on ? slot.replacement : slot.original;
    }
}
void exchange_slots(PyTypeObject* type, bool on) {
    exchange(binary_slots, type, on);
    exchange(unary_slots, type, on);
    exchange(power_slots, type, on);
    exchange(compare_slots, type, on);
    const auto derived = py::handle(reinterpret_cast<PyObject*>(type)).attr("__subclasses__")();
    for (const py::handle subclass : derived)
        exchange_slots(reinterpret_cast<PyTypeObject*>(subclass.ptr()), on);
}

bool gives_tensors(const Operator& op) {
    const std::string_view result = op.forms()[0].function.result;
    return result.starts_with("Tensor") || result.starts_with("tuple[Tensor") || result == "Self" ||
           result == "return_types";
}

void exchange_all(bool on) {
    exchange_slots(tensor_type, on);
    for (Operator* op : all_operators()) op->watch(on);
}

void begin_watching(py::object given) {
    Py_XSETREF(handler, given.release().ptr());
    watch_operators(true);
}
void end_watching() { watch_operators(false); }

}  // namespace

void watch_operators(bool on) {
    if (on ? watchers++ == 0 : --watchers == 0) exchange_all(on);
}
bool is_dispatching() noexcept { return dispatching; }

PyObject* call_watched(const Operator& op, PyObject* self, PyObject* const* args, Py_ssize_t count,
                       PyObject* names) noexcept {
    if (is_replay_recorded()) [[unlikely]] {
        note_externals(self);
        const Py_ssize_t all = count + (names ? PyTuple_GET_SIZE(names) : 0);
        for (Py_ssize_t i = 0; i < all; ++i) note_externals(args[i]);
    }
    if (!dispatching || !gives_tensors(op))
        return self ? op.call_method(self, args, count, names)
                    : op.call_function(args, count, names);
    return guarded([&]() -> PyObject* {
        const Py_ssize_t first = self ? 1 : 0;
        py::tuple given(static_cast<size_t>(count + first));
        if (self) given[0] = py::handle(self);
        for (Py_ssize_t i = 0; i < count; ++i)
            given[static_cast<size_t>(i + first)] = py::handle(args[i]);
        py::dict named;
        for (Py_ssize_t i = 0; names && i < PyTuple_GET_SIZE(names); ++i)
            named[PyTuple_GET_ITEM(names, i)] = py::handle(args[count + i]);
        return hand_over(op.name(), given, named);
    });
}

void bind_dispatch(py::module_& m) {
    list_binary_slots(std::make_index_sequence<std::size(kBinary)>());
    remember(binary_slots);
    remember(unary_slots);
    remember(power_slots);
    remember(compare_slots);
    m.def("_begin_watching", begin_watching);
    m.def("_end_watching", end_watching);
    m.def("_set_dispatching", [](bool on) { dispatching = on; });
}

}  // namespace tapegrad::python
