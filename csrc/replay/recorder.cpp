#include "replay/recorder.h"

#include <algorithm>
#include <cstring>

namespace tapegrad::replay {

std::string (*current_place)() = nullptr;

constinit thread_local Recorder* active_recorder = nullptr;

Recorder::Recorder()
    : watch_before_(std::exchange(memory_watch, this)),
      recorder_before_(std::exchange(active_recorder, this)) {}
Recorder::~Recorder() {
    memory_watch = watch_before_;
    active_recorder = recorder_before_;
}

// What was at these addresses is gone.
void Recorder::forget(const char* data, size_t bytes) {
    const char* end = data + std::max<size_t>(bytes, 1);
    auto at = by_address_.upper_bound(data);
    if (at != by_address_.begin()) {
        const auto previous = std::prev(at);
        const Memory& other = memory_[previous->second];
        if (other.data + std::max<size_t>(other.region.bytes, 1) > data)
            by_address_.erase(previous);
    }
    while (at != by_address_.end() && at->first < end) at = by_address_.erase(at);
}

RegionId Recorder::add_region(const char* data, size_t bytes, bool fresh) {
    forget(data, bytes);
    const auto region = static_cast<RegionId>(memory_.size());
    memory_.push_back({{bytes, !fresh, false, !fresh, 0}, data, fresh});
    by_address_[data] = region;
    return region;
}

void Recorder::taken(const char* data, size_t bytes) {
    if (active_recorder == this) add_region(data, bytes, true);
    else forget(data, bytes);
}

void Recorder::given_back(const char* data) noexcept {
    const auto found = by_address_.find(data);
    if (found != by_address_.end()) memory_[found->second].alive = false;
}

std::optional<Use> Recorder::find(const char* data) const {
    auto found = by_address_.upper_bound(data);
    if (found == by_address_.begin()) return std::nullopt;
    --found;
    const Memory& memory = memory_[found->second];
    const int64_t offset = data - memory.data;
    if (offset >= static_cast<int64_t>(std::max<size_t>(memory.region.bytes, 1)))
        return std::nullopt;
    return Use{found->second, offset, false};
}
std::optional<Use> Recorder::find(const Tensor& tensor) const { return find(tensor->data); }

void Recorder::know(const Tensor& tensor) {
    if (!tensor.defined()) return;
    for (const External& external : externals_)
        if (external.tensor.get() == tensor.impl()) return;
    const Ref<Storage>& storage = tensor.storage();
    const auto found = find(storage->data());
    if (found && memory_[found->region].fresh) return;
    // What lies where a view was may have memory of its own.
    if (found && std::find(views_.begin(), views_.end(), tensor.impl()) != views_.end()) return;
    RegionId region;
    if (found) {
        region = found->region;
        if (memory_[region].data != storage->data() ||
            memory_[region].region.bytes != storage->bytes())
            return refuse("tensors whose memory overlaps");
    } else {
        region = add_region(storage->data(), storage->bytes(), false);
    }
    externals_.push_back({Ref<TensorImpl>(tensor.impl()), region, tensor->data, tensor.shape(),
                          storage, storage->version(), tensor.requires_grad(), tensor->grad,
                          tensor->grad_fn});
    if (tensor->grad) know(Tensor(tensor->grad));
}

void Recorder::note_made(const Tensor& tensor) {
    const auto found = find(tensor.storage()->data());
    if (found && !memory_[found->region].fresh) views_.push_back(tensor.impl());
}

namespace {

// Values that are the same in each run, and whose memory steps may write to.
struct WriteValues {
    std::vector<char> values;
    void operator()(void* to) const { std::memcpy(to, values.data(), values.size()); }
};

}  // namespace

void Recorder::keep_values(const Tensor& tensor) {
    if (tensor.numel() == 0) return;
    const char* data = tensor.storage()->data();
    record(WriteValues{{data, data + tensor.storage()->bytes()}},
           static_cast<void*>(tensor.storage()->data()));
}

void Recorder::refuse(const std::string& reason) {
    if (refusal_) return;
    refusal_ = reason;
    if (current_place) *refusal_ += current_place();
}

void Recorder::expect_write(const Tensor& tensor) {
    if (tensor.numel() == 0) return;
    if (!find(tensor)) know(tensor);  // else it may be a view that an operator has made
    const auto found = find(tensor);
    if (!found) return refuse("an operation in place on memory of others");
    expected_.push_back(found->region);
}

const std::optional<std::string>& Recorder::refusal() {
    if (!expected_.empty()) refuse("an operation in place without a recorded kernel");
    return refusal_;
}

void Recorder::run_and_add(Step& step) {
    const std::vector<Use> uses = uses_of(step);
    {
        const Unrecorded inside;
        step.run();
    }
    add(step.clone(), uses);
}

void Recorder::give(const Tensor& tensor) {
    if (const auto found = find(tensor)) {
        memory_[found->region].region.outside = true;
        memory_[found->region].region.written = true;
    }
}

std::vector<Use> Recorder::uses_of(Step& step) {
    struct Noted final : PointerVisitor {
        explicit Noted(Recorder& given) : recorder(given) {}
        void note(const void* pointer, bool write) {
            if (!pointer) return;
            auto found = recorder.find(static_cast<const char*>(pointer));
            if (!found) return recorder.refuse("an operation on memory that is no tensor's");
            if (!write && !recorder.is_written(found->region))
                recorder.refuse("an operation whose result is not computed by a recorded kernel");
            found->write = write;
            uses.push_back(*found);
        }
        void reads(const void** pointer) override { note(*pointer, false); }
        void writes(void** pointer) override { note(*pointer, true); }
        Recorder& recorder;
        std::vector<Use> uses;
    } noted(*this);
    step.visit_pointers(noted);
    return std::move(noted.uses);
}

void Recorder::add(std::unique_ptr<Step> step, const std::vector<Use>& uses) {
    for (const Use& use : uses) {
        if (!use.write) continue;
        memory_[use.region].region.written = true;
        std::erase(expected_, use.region);
    }
    if (!refusal_) program_.add(std::move(step), uses, *doing ? doing : "other");
}

Program Recorder::finish() {
    std::vector<Region> regions;
    for (const Memory& memory : memory_) regions.push_back(memory.region);
    program_.finish(std::move(regions), split_.value_or(program_.step_count()));
    return std::move(program_);
}

}  // namespace tapegrad::replay
