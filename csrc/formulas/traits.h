// The facts of an element-wise operator: optional members of its struct, read through Traits, which says
// what holds where one is missing. A list of operators makes an enumeration and a count.
#pragma once

namespace tapegrad::formulas {

// What an operator does with integers: they stay what they are (neg, abs), they become floats first (exp,
// sin), they are refused, or they are all that it takes.
enum class Domain { Numbers, Floats, FloatOnly, Integers };

// Work per element, for the decision about threads: 1 for arithmetic, some tens for exp and the like.
enum class Cost { Light, Heavy };

#define TAPEGRAD_FACT_(Type, name, otherwise)                \
    static consteval Type name() {                           \
        if constexpr (requires { F::name; }) return F::name; \
        else return otherwise;                               \
    }

template <class F> struct Traits {
    TAPEGRAD_FACT_(Domain, domain, Domain::Floats)
    TAPEGRAD_FACT_(Cost, cost, domain() == Domain::Numbers ? Cost::Light : Cost::Heavy)
    // Whether there is a kernel for bools; and what is said where PyTorch refuses one, or two, in words.
    TAPEGRAD_FACT_(bool, bools, false)
    TAPEGRAD_FACT_(const char*, bool_error, nullptr)
    TAPEGRAD_FACT_(const char*, two_bools_error, bool_error())
    // Whether it is a function of tapegrad.special alone.
    TAPEGRAD_FACT_(bool, special, false)
    // Whether no function of Python has its name: another one comes to it.
    TAPEGRAD_FACT_(bool, internal, false)
    // The name in '"..." not implemented for', where it is not <function>_cpu.
    TAPEGRAD_FACT_(const char*, kernel, nullptr)
    // Whether integers are divided, for which there is no division by zero.
    TAPEGRAD_FACT_(bool, divides, false)
    // The name in 'derivative for aten::... is not implemented', where floats have none.
    TAPEGRAD_FACT_(const char*, refused, nullptr)

    // The name of the node, where it is not <Struct>Backward0. PyTorch numbers the overloads of an operator,
    // so an operand that is a number may show in the name.
    TAPEGRAD_FACT_(const char*, node, nullptr)
    TAPEGRAD_FACT_(const char*, node_of_number_lhs, node())
    TAPEGRAD_FACT_(const char*, node_of_number_rhs, node())
    // The same of the operation in place, where PyTorch counts that as another overload.
    TAPEGRAD_FACT_(const char*, node_in_place, nullptr)
    // What the node shows as saved: an exponent that the formula has built in, and the second operand's name.
    TAPEGRAD_FACT_(int, exponent, 0)
    TAPEGRAD_FACT_(const char*, rhs_name, "other")
};
#undef TAPEGRAD_FACT_

// A name that an operator gives, or the one made of its struct's or its function's.
constexpr const char* given_or(const char* given, const char* made) { return given ? given : made; }

// How many numbers an operator takes beside its operands; `parameters` has their names.
template <class F> consteval int parameter_count() {
    if constexpr (requires { F::parameters; })
        return static_cast<int>(sizeof(F::parameters) / sizeof(F::parameters[0]));
    else return 0;
}

// enum class Kind of the structs in LIST, and kKindCount.
#define TAPEGRAD_ENUMERATOR_(Name, ...) Name,
#define TAPEGRAD_PLUS_ONE_(...) +1
#define TAPEGRAD_ENUMERATION(Kind, LIST)          \
    enum class Kind { LIST(TAPEGRAD_ENUMERATOR_) }; \
    inline constexpr int k##Kind##Count = 0 LIST(TAPEGRAD_PLUS_ONE_);

}  // namespace tapegrad::formulas
