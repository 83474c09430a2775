// Recording of what a thread computes. Every kernel is called by
//
//     launch(kernel, arguments...);
//
// which calls it, and, while a Recorder is at work on the thread, keeps the call as a step of a program.
// Pointers among the arguments are those to elements of tensors: to const what is read, others what is
// written. A structure that holds pointers shows them in visit_pointers(visitor). Tensors are given as
// reads(x) and writes(x).
//
// What is computed without launch() cannot be replayed, and is not: memory that no step has written may not
// be read by one, and operations that look at values say so (refuse_replay).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "replay/program.h"

namespace tapegrad::replay {

// A tensor that was there before the recording: an argument, a parameter, a buffer.
struct External {
    Ref<TensorImpl> tensor;
    RegionId region;
    // As it was found; the program is for tensors that are the same in this.
    char* data;
    Ref<Shape> shape;
    Ref<Storage> storage;
    uint32_t version;
    bool requires_grad;
    Ref<TensorImpl> grad;
    Ref<Counted> grad_fn;
};

class Recorder final : public MemoryWatch {
public:
    Recorder();
    ~Recorder();
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    // Makes a tensor known, unless it was made since the recording began; before it is used or changed.
    void know(const Tensor& tensor);
    // A tensor that was made since then, perhaps to show the memory of one from outside.
    void note_made(const Tensor& tensor);
    // The values of a tensor, which was made from what is no tensor, are the same in each run.
    void keep_values(const Tensor& tensor);
    // What the program computes cannot be replayed. The first reason counts.
    void refuse(const std::string& reason);
    // The tensor is about to be written in place, by a step that has to follow.
    void expect_write(const Tensor& tensor);

    template <class F, class... Arguments> void record(const F& f, const Arguments&... arguments) {
        Launch<F, Arguments...> launch(f, arguments...);
        run_and_add(launch);
    }
    void run_and_add(Step& step);

    // ------------------------------------------------------------------ when it is done

    const std::optional<std::string>& refusal();
    std::vector<External>& externals() { return externals_; }
    // The region that a tensor's elements are in, if one is known, and the place of the first in it.
    std::optional<Use> find(const Tensor& tensor) const;
    std::optional<Use> find(const char* data) const;
    bool is_fresh(RegionId region) const { return memory_[region].fresh; }
    bool is_alive(RegionId region) const { return memory_[region].alive; }
    bool is_written(RegionId region) const {
        return memory_[region].region.written || memory_[region].region.bytes == 0;
    }
    RegionId region_count() const { return static_cast<RegionId>(memory_.size()); }
    void set_outside(RegionId region) { memory_[region].region.outside = true; }
    void set_kept(RegionId region) { memory_[region].region.kept = true; }

    // The operator or the node that is at work, for people.
    const char* doing = "";

    // For the tape: the first number of the nodes that are made while this records, and whether a backward
    // pass has left its graph for another.
    uint64_t first_sequence = 0;
    bool keeps_graph = false;
    bool knows_graph = false;  // what is run through now has been looked at

    // Memory of a tensor that is to be given to the second part of the program.
    void give(const Tensor& tensor);
    // What is recorded from now on is the second part.
    void begin_second_part() { split_ = program_.step_count(); }
    Program finish();

    void taken(const char* data, size_t bytes) override;
    void given_back(const char* data) noexcept override;

private:
    struct Memory {
        Region region;
        const char* data;
        bool fresh;  // taken since the recording began
        bool alive = true;
    };

    std::vector<Use> uses_of(Step& step);
    void add(std::unique_ptr<Step> step, const std::vector<Use>& uses);
    RegionId add_region(const char* data, size_t bytes, bool fresh);
    void forget(const char* data, size_t bytes);

    MemoryWatch* const watch_before_;
    Recorder* const recorder_before_;
    Program program_;
    std::vector<Memory> memory_;
    std::map<const char*, RegionId> by_address_;
    std::vector<External> externals_;
    // Of externals, made since the recording began, as all are that come to lie where one of them was.
    std::vector<const TensorImpl*> views_;
    std::vector<RegionId> expected_;  // to be written by steps that have not come yet
    std::optional<std::string> refusal_;
    std::optional<size_t> split_;
};

// The one at work on this thread, or null.
extern constinit thread_local Recorder* active_recorder __attribute__((tls_model("initial-exec")));
inline Recorder* recorder() noexcept { return active_recorder; }

// A scope in which nothing is recorded: what a step does inside is part of it. The recorder goes on to watch
// memory, for what is taken there may lie where something of the program was.
class Unrecorded {
public:
    Unrecorded() : recorder_(std::exchange(active_recorder, nullptr)) {}
    ~Unrecorded() { active_recorder = recorder_; }
    Unrecorded(const Unrecorded&) = delete;

private:
    Recorder* const recorder_;
};

// Names what the steps of a scope are of, while something is recorded.
class Doing {
public:
    explicit Doing(const char* name) : recorder_(recorder()) {
        if (recorder_) before_ = std::exchange(recorder_->doing, name);
    }
    ~Doing() {
        if (recorder_) recorder_->doing = before_;
    }
    Doing(const Doing&) = delete;

private:
    Recorder* const recorder_;
    const char* before_ = nullptr;
};

// Where a refusal comes from, for people: the bindings provide it.
extern std::string (*current_place)();

}  // namespace tapegrad::replay

namespace tapegrad {

inline replay::Reads reads(const Tensor& tensor) { return replay::Reads(tensor); }
inline replay::Writes writes(const Tensor& tensor) { return replay::Writes(tensor); }

namespace replay {

// An argument as the type that a parameter P has; tensors stay what they were given as.
template <class P, class Argument> auto as_parameter(const Argument& argument) {
    if constexpr (requires { argument.operator const Tensor&(); }) return argument;
    else return static_cast<std::remove_cvref_t<P>>(argument);
}
template <class F, class... P, class... Arguments>
[[gnu::noinline, gnu::cold]] void record_as(void (*)(P...), const F& f,
                                            const Arguments&... arguments) {
    recorder()->record(f, as_parameter<P>(arguments)...);
}
template <class R, class... P> void (*parameters_of(R (*)(P...)))(P...) { return nullptr; }
template <class F, class R, class... P> void (*parameters_of(R (F::*)(P...) const))(P...) {
    return nullptr;
}

}  // namespace replay

template <class F, class... Arguments>
[[gnu::always_inline]] inline void launch(const F& f, const Arguments&... arguments) {
    if (replay::active_recorder) [[unlikely]] {
        if constexpr (std::is_pointer_v<F>)
            replay::record_as(replay::parameters_of(f), f, arguments...);
        else replay::record_as(replay::parameters_of(&F::operator()), f, arguments...);
        return;
    }
    f(arguments...);
}

// A function of a step that does more than to write memory, and is never left out: it draws random numbers,
// or raises where values are wrong.
template <class F> struct WithEffects : F {
    static constexpr bool kHasEffects = true;
    explicit WithEffects(F f) : F(std::move(f)) {}
};
template <class F> WithEffects<F> drawing(F f) { return WithEffects<F>(std::move(f)); }
template <class F> WithEffects<F> checking(F f) { return WithEffects<F>(std::move(f)); }

inline bool is_replay_recorded() noexcept { return replay::active_recorder != nullptr; }

// To be called where values decide about something else than values.
inline constexpr auto kShapeOfValues = "a shape that depends on values";
inline void refuse_replay(const char* reason) {
    if (replay::active_recorder) [[unlikely]]
        replay::active_recorder->refuse(reason);
}

}  // namespace tapegrad
