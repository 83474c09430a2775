// Operators that give views, as copies that share no memory.
#include "ops/as_strided.h"
#include "ops/copy.h"
#include "ops/reshape.h"
#include "ops/split.h"
#include "ops/views.h"
#include "ops/windows.h"
#include "python/bind.h"

namespace tapegrad::python {
namespace {

Tensor copy_of(const Tensor& view, const char* node) {
    return copy_into(empty(view.sizes(), view.dtype()), view, node);
}

// F with its views copied, under a node of its own.
template <Name node, auto F> struct Copied;
template <Name node, class... A, Tensor (*F)(A...)> struct Copied<node, F> {
    static Tensor of(A... args) { return copy_of(F(args...), node.text); }
};
template <Name node, class... A, std::vector<Tensor> (*F)(A...)> struct Copied<node, F> {
    static std::vector<Tensor> of(A... args) {
        std::vector<Tensor> parts = F(args...);
        for (Tensor& part : parts) part = copy_of(part, node.text);
        return parts;
    }
};

Tensor slice_of(const Tensor& x, int64_t dim, std::optional<int64_t> start,
                std::optional<int64_t> end, int64_t step) {
    return slice(x, dim, start.value_or(0), end.value_or(std::numeric_limits<int64_t>::max()),
                 step);
}
Tensor squeeze_dims(const Tensor& x, const Dims& dims) {
    const Tensor view = squeeze(x, dims);
    return copy_of(view, dims.size() == 1 ? "SqueezeBackward1_copy" : "SqueezeBackward2_copy");
}
Tensor expanded(const Tensor& x, const Dims& size, bool) {
    return Copied<"ExpandBackward0_copy", expand>::of(x, size);
}
Tensor detached(const Tensor& x) { return contiguous_clone(detach(x)); }

}  // namespace

void bind_view_copies(PyObject* m) {
    def_function<"alias_copy">(m, Copied<"AliasBackward0_copy", view_alias>::of);
    def_function<"as_strided_copy">(m, Copied<"AsStridedBackward0_copy", as_strided>::of);
    def_function<"detach_copy">(m, detached);
    def_function<"diagonal_copy">(m, Copied<"DiagonalBackward0_copy", diagonal>::of);
    def_function<"expand_copy">(m, Copied<"ExpandBackward0_copy", expand>::of)
        .also("(input, size, *, implicit)", expanded);
    def_function<"permute_copy">(m, Copied<"PermuteBackward0_copy", permute>::of);
    def_function<"select_copy">(m, Copied<"SelectBackward0_copy", select>::of);
    def_function<"slice_copy">(m, Copied<"SliceBackward0_copy", slice_of>::of);
    def_function<"split_copy">(m, Copied<"SplitBackward0_copy", split_by_size>::of)
        .out_has(kOfLists);
    def_function<"split_with_sizes_copy">(
        m, Copied<"SplitWithSizesBackward0_copy", split_by_sizes>::of)
        .out_has(kOfLists);
    using All = Tensor(const Tensor&);
    def_function<"squeeze_copy">(m, Copied<"SqueezeBackward0_copy", overload<All>(squeeze)>::of,
                                 squeeze_dims);
    def_function<"t_copy">(m, Copied<"TBackward0_copy", t>::of);
    def_function<"transpose_copy">(m, Copied<"TransposeBackward0_copy", transpose>::of);
    def_function<"unbind_copy">(m, Copied<"UnbindBackward0_copy", unbind>::of).out_has(kOfLists);
    def_function<"unfold_copy">(m, Copied<"UnfoldBackward0_copy", unfold>::of);
    def_function<"unsqueeze_copy">(m, Copied<"UnsqueezeBackward0_copy", unsqueeze>::of);
    def_function<"view_copy">(m, Copied<"ViewBackward0_copy", view>::of)
        .also("(input, dtype)", Copied<"ViewBackward0_copy", view_of_type>::of);
}

}  // namespace tapegrad::python
