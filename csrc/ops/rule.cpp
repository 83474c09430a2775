#include "ops/rule.h"

namespace tapegrad {

Tensor underivable(const Tensor&, const char* what) {
    fail<NotImplementedError>("the derivative for '", what, "' is not implemented.");
}

namespace rules {

void keep(SavedTensor& place, const Tensor& tensor, bool value, bool sizes) {
    if (!tensor.defined()) return;
    if (value) place.save(tensor, false);
    else if (sizes) place.save_shape(tensor);
}

// The sizes of self are shown as self_sym_sizes, as in PyTorch.
void visit(SavedVisitor& visitor, const char* name, const SavedTensor& value) {
    if (const Shape* shape = value.shape())
        visitor.value((std::string(name) + "_sym_sizes").c_str(), shape->sizes);
    else if (value.defined()) visitor.tensor(name, value);
}

void add_formula(std::string& all, const char* name, const std::string& formula) {
    if (!all.empty()) all += ", ";
    all.append(name).append(": ").append(formula);
}

}  // namespace rules
}  // namespace tapegrad
