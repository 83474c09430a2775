// The state of a stream of random numbers.
#pragma once

#include <cstdint>

#include "core/refcount.h"

namespace tapegrad {

// Numbers are a function of the seed and a counter, so the state is these two. Every call that draws takes
// a range of counters for itself.
class Generator final : public Counted {
public:
    static constexpr uint64_t kDefaultSeed = 67280421310721;  // the one that PyTorch starts with

    struct State {
        uint64_t seed = kDefaultSeed;
        uint64_t offset = 0;
    };

    explicit Generator(uint64_t seed = kDefaultSeed) noexcept : state_{seed, 0} {}

    void manual_seed(uint64_t seed) noexcept { state_ = {seed, 0}; }
    // Takes a new seed from the operating system and returns it.
    uint64_t seed();
    uint64_t initial_seed() const noexcept { return state_.seed; }
    const State& state() const noexcept { return state_; }
    void set_state(const State& state) noexcept { state_ = state; }

    // Takes counters for one call; the state before is what the call works with.
    State reserve(uint64_t counters) noexcept {
        const State taken = state_;
        state_.offset += counters;
        return taken;
    }

private:
    State state_;
};

// The generator of calls that name none.
Generator& default_generator();

}  // namespace tapegrad
