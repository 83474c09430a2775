#include "core/random.h"

#include <random>

namespace tapegrad {

uint64_t Generator::seed() {
    std::random_device device;
    const uint64_t high = device();
    manual_seed(high << 32 | device());
    return state_.seed;
}

Generator& default_generator() {
    static Ref<Generator>& generator =
        *new Ref<Generator>(new Generator);  // outlives every user of it
    return *generator;
}

}  // namespace tapegrad
