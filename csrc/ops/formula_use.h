// Which formula an element-wise node is of, and with which numbers: for those who compute it elsewhere.
#pragma once

#include <optional>
#include <string>

#include "autograd/node.h"

namespace tapegrad {

struct FormulaUse {
    const char* name;  // "tanh", "mul": as in the lists of csrc/formulas
    // Of an operator of one tensor its parameters; of two operands those that are numbers, at their places.
    SmallVector<std::optional<double>, 2> numbers;
};

// Nothing for a node of another kind.
std::optional<FormulaUse> unary_formula_use(const Node& node);
std::optional<FormulaUse> binary_formula_use(const Node& node);

}  // namespace tapegrad
