// The vocabulary for whole tensors: the functions that rules (ops/rule.h) are written in beside the
// element-wise ones.
#pragma once

#include "formulas/text.h"
#include "formulas/uses.h"

// What a function reads as: its call as text, and what its arguments use. Here for the words that several
// files share; a word of one file stands there, behind the function for tensors of the same name.
#define TAPEGRAD_WORD(name)                                                  \
    template <class... Args>                                                 \
        requires formulas::ReadAs<formulas::Text, Args...>                   \
    formulas::Text name(const Args&... args) {                               \
        using formulas::as_text;                                             \
        return formulas::call(#name, {as_text(args)...});                               \
    }                                                                        \
    template <class... Args>                                                 \
        requires formulas::ReadAs<formulas::Uses, Args...>                   \
    constexpr formulas::Uses name(const Args&... args) {                     \
        return (formulas::Uses() | ... | formulas::uses_of(args));           \
    }

namespace tapegrad::formulas {

TAPEGRAD_WORD(sum)
TAPEGRAD_WORD(mean)
TAPEGRAD_WORD(sum_to)
TAPEGRAD_WORD(softmax)
TAPEGRAD_WORD(outer)
TAPEGRAD_WORD(expand)
TAPEGRAD_WORD(reshape)
TAPEGRAD_WORD(transpose)
TAPEGRAD_WORD(t)
TAPEGRAD_WORD(permute)
TAPEGRAD_WORD(squeeze)
TAPEGRAD_WORD(unsqueeze)
TAPEGRAD_WORD(select)
TAPEGRAD_WORD(narrow)
TAPEGRAD_WORD(diagonal)
TAPEGRAD_WORD(zeros_diagonal)
TAPEGRAD_WORD(flip)
TAPEGRAD_WORD(roll)
TAPEGRAD_WORD(tril)
TAPEGRAD_WORD(triu)
TAPEGRAD_WORD(gather)
TAPEGRAD_WORD(scatter)
TAPEGRAD_WORD(scatter_add)
TAPEGRAD_WORD(scatter_reduce)
TAPEGRAD_WORD(index_select)
TAPEGRAD_WORD(index_fill)
TAPEGRAD_WORD(masked_fill)
TAPEGRAD_WORD(cast_like)

TAPEGRAD_WORD(mT)
inline Text mT(const Text& a) { return a.at(Text::kAtom) + ".mT"; }
TAPEGRAD_WORD(mm)
inline Text mm(const Text& a, const Text& b) {
    return joined(a, " @ ", b, Text::kProduct, Text::kNegation);
}
TAPEGRAD_WORD(bmm)
inline Text bmm(const Text& a, const Text& b) { return mm(a, b); }
TAPEGRAD_WORD(mv)
inline Text mv(const Text& a, const Text& b) { return mm(a, b); }

// Takes the sizes alone.
inline Text zeros_like(const Text& a) { return call("zeros_like", {a.s}); }
constexpr Uses zeros_like(Uses a) { return a.sizes(); }

}  // namespace tapegrad::formulas
