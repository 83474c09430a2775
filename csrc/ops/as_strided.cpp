#include "ops/as_strided.h"

#include <algorithm>
#include <numeric>

#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/index_select.h"
#include "ops/record.h"
#include "ops/reshape.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

// Where sizes, strides and offset put a window. For gradients with respect to a base that is not
// contiguous the same addresses are used in memory of the base's own layout.
struct Geometry {
    Dims sizes, strides;
    int64_t offset;
};

// A zero tensor with the layout of a tensor of the given geometry.
Tensor zeros_with_layout(const Dims& sizes, const Dims& strides, DType dtype) {
    Tensor result = empty_strided(sizes, strides, dtype);
    fill_values(result, 0);
    return result;
}

class AsStridedNode final : public Node {
public:
    AsStridedNode(const Tensor& base, const Tensor& view, const char* name = "AsStridedBackward0")
        : name_(name),
          base_{base.sizes(), base.strides(), base.storage_offset()},
          view_{view.sizes(), view.strides(), view.storage_offset()} {}

    const char* name() const noexcept override { return name_; }
    void visit_saved(SavedVisitor& visitor) const override {
        visitor.value("size", view_.sizes);
        visitor.value("stride", view_.strides);
        visitor.value("storage_offset", view_.offset);
    }

    void backward(GradList& grads, TensorList& inputs) override {
        if (!wants(0)) return;
        const Tensor& grad = grads[0];
        const int64_t base_extent = extent_of(base_.sizes, base_.strides),
                      view_extent = extent_of(view_.sizes, view_.strides);
        if (base_extent == 0 || view_extent == 0) {  // they share no element
            inputs[0] = zeros(base_.sizes, grad.dtype());
            return;
        }
        // The part of memory that holds both windows, flat; they are laid on it.
        const int64_t first = std::min(base_.offset, view_.offset);
        const int64_t end = std::max(base_.offset + base_extent, view_.offset + view_extent);
        Tensor memory = zeros({end - first}, grad.dtype());
        if (overlaps_itself(view_, memory, first))
            memory = collect(memory, view_, first, grad);  // elements that it shows several times
        else copy_(as_strided(memory, view_.sizes, view_.strides, view_.offset - first), grad);
        // An element that the base shows several times divides its gradient among the places.
        if (overlaps_itself(base_, memory, first)) {
            const Tensor nothing = zeros_like(memory);
            memory = binary(Binary::Div, memory,
                            collect(nothing, base_, first, full(base_.sizes, 1, grad.dtype())));
        }
        inputs[0] = as_strided(memory, base_.sizes, base_.strides, base_.offset - first);
    }

private:
    static bool overlaps_itself(const Geometry& window, const Tensor& memory, int64_t first) {
        return has_internal_overlap(
            alias(memory, window.sizes, window.strides, window.offset - first));
    }
    // memory plus what a window on it shows.
    static Tensor collect(const Tensor& memory, const Geometry& window, int64_t first,
                          const Tensor& shown) {
        Tensor positions = empty({memory.numel()}, DType::Int64);
        launch([n = memory.numel()](int64_t* to) { std::iota(to, to + n, int64_t{0}); },
               positions.data<int64_t>());
        const Tensor indices = contiguous_values(
            alias(positions, window.sizes, window.strides, window.offset - first));
        return index_add(memory, 0, reshape(indices, {-1}), reshape(shown, {-1}));
    }

    const char* const name_;
    const Geometry base_, view_;
};

Tensor checked_window(const Tensor& x, const Dims& sizes, const Dims& strides,
                      std::optional<int64_t> storage_offset) {
    if (sizes.size() != strides.size()) fail("mismatch in length of strides and shape");
    const int64_t offset = storage_offset.value_or(x.storage_offset());
    for (int i = 0; i < sizes.size(); ++i) {
        if (strides[i] < 0)
            fail("as_strided: Negative strides are not supported at the moment, got strides: ",
                 to_string(strides));
        if (sizes[i] < 0)
            fail("Trying to create tensor with negative dimension ", sizes[i], ": ",
                 to_string(sizes));
    }
    if (offset < 0) fail("Tensor: invalid storage offset ", offset);
    if (const int64_t extent = extent_of(sizes, strides)) {
        int64_t bytes;
        if (__builtin_add_overflow(offset, extent, &bytes) ||
            __builtin_mul_overflow(bytes, static_cast<int64_t>(x.item_size()), &bytes))
            refuse_storage_size(sizes, strides);
        if (bytes > static_cast<int64_t>(x.storage()->bytes()))
            fail("setStorage: sizes ", to_string(sizes), ", strides ", to_string(strides),
                 ", storage offset ", offset, ", and itemsize ", x.item_size(),
                 " requiring a storage size of ", bytes, " are out of bounds for storage of size ",
                 x.storage()->bytes());
    }
    return alias(x, sizes, strides, offset - x.storage_offset());
}

}  // namespace

Tensor as_strided(const Tensor& x, const Dims& sizes, const Dims& strides,
                  std::optional<int64_t> storage_offset) {
    Tensor view = checked_window(x, sizes, strides, storage_offset);
    if (recording(x)) {
        Ref<Node> node(new AsStridedNode(x, view));
        node->add_edge(gradient_edge(x));
        set_history(view, node);
    }
    mark_view(view, x);
    return view;
}

const Tensor& as_strided_(const Tensor& x, const Dims& sizes, const Dims& strides,
                          std::optional<int64_t> storage_offset) {
    const bool recorded = recording(x);
    check_inplace(x, recorded);
    const Tensor window = checked_window(x, sizes, strides, storage_offset);
    Ref<Node> node;
    if (recorded) {
        node = Ref<Node>(new AsStridedNode(x, window, "AsStridedBackward1"));
        node->add_edge(gradient_edge(x));
    }
    change_window(x, window, node);
    return x;
}

bool make_room(const Tensor& x, const Dims& sizes) {
    const int64_t item = static_cast<int64_t>(x.item_size()), count = element_count(sizes);
    int64_t bytes = 0;
    if (count && (__builtin_add_overflow(x.storage_offset(), count, &bytes) ||
                  __builtin_mul_overflow(bytes, item, &bytes)))
        refuse_storage_size(sizes, contiguous_strides(sizes));
    const Ref<Storage>& storage = x.storage();
    if (bytes <= static_cast<int64_t>(storage->bytes())) return true;
    if (!storage->owns_memory() || storage->use_count() > 1) return false;
    const int64_t offset = x.storage_offset();
    x->storage = Storage::enlarged(storage, static_cast<size_t>(bytes));
    x->data = x.storage()->data() + offset * item;
    return true;
}

const Tensor& resize_(const Tensor& x, const Dims& sizes, OptionalFormat format) {
    if (x.requires_grad()) fail("cannot resize variables that require grad");
    check_inplace(x, false);
    if (format == MemoryFormat::Preserve) fail("Unsupported memory formatPreserve");
    if (x.sizes() == sizes && !format) return x;
    const Ref<Shape> rows = Shape::row_major(sizes);
    const Dims strides = strides_in(sizes, format.value_or(MemoryFormat::Contiguous));
    if (!make_room(x, sizes))
        fail("Trying to resize storage that is not resizable",
             x.storage()->owns_memory() ? ": other tensors share it" : "");
    change_window(x, alias(x, rows->sizes, strides, 0), nullptr);
    return x;
}

namespace {

// Stands in the base's history for a change that was made through a view: what was written there gets its
// gradient through the node of the writing, the rest passes.
class CopySlices final : public Node {
public:
    CopySlices(const Tensor& base, const Tensor& view, const Ref<Node>& node)
        : base_{base.sizes(), base.strides(), base.storage_offset()},
          view_{view.sizes(), view.strides(), view.storage_offset()},
          node_(node) {
        add_edge(gradient_edge(base));
        // The first input of an in-place operation is the tensor itself: its gradient goes into the base.
        for (size_t i = 1; i < node->edges.size(); ++i) add_edge(node->edges[i]);
    }
    const char* name() const noexcept override { return "tapegrad::autograd::CopySlices"; }
    bool accepts_undefined() const noexcept override { return false; }
    void release_saved() override {
        if (node_) node_->release_saved();
        released_by_ = thread_state.backward_site;
        released_ = true;
    }

    void backward(GradList& grads, TensorList& inputs) override {
        if (released_) refuse_released(*this, released_by_);
        Tensor result = zeros_with_layout(base_.sizes, base_.strides, grads[0].dtype());
        copy_(result, grads[0]);
        const Tensor window =
            as_strided(result, view_.sizes, view_.strides, view_.offset - base_.offset);
        GradList slice_grads{contiguous_clone(window)};
        TensorList slice_inputs(node_->edges.size());
        // Whether the overwritten values matter is asked of this node's edges, not of the inner one's.
        node_->backward(slice_grads, slice_inputs);
        if (slice_inputs[0].defined()) copy_(window, slice_inputs[0]);
        else zero_(window);
        if (wants(0)) inputs[0] = std::move(result);
        for (size_t i = 1; i < slice_inputs.size(); ++i) inputs[i] = std::move(slice_inputs[i]);
    }
    void forward(TensorList& tangents, GradList& of_results) override {
        Tensor result = zeros_with_layout(base_.sizes, base_.strides, results[0].dtype);
        if (tangents[0].defined()) copy_(result, tangents[0]);
        const Tensor window =
            as_strided(result, view_.sizes, view_.strides, view_.offset - base_.offset);
        if (tangents[0].defined()) tangents[0] = contiguous_clone(window);
        GradList slice(1);
        node_->forward(tangents, slice);
        if (slice[0].defined()) copy_(window, slice[0]);
        else zero_(window);
        of_results[0] = std::move(result);
    }

private:
    const Geometry base_, view_;
    Ref<Node> node_;
    bool released_ = false;
    Site released_by_ = 0;
};

}  // namespace

Ref<Node> copy_slices_node(const Tensor& base, const Tensor& view, const Ref<Node>& node) {
    return make_ref<CopySlices>(base, view, node);
}

Ref<Node> as_strided_node(const Tensor& base, const Tensor& view) {
    Ref<Node> node(new AsStridedNode(base, view));
    node->add_edge(gradient_edge(base));
    return node;
}

}  // namespace tapegrad
