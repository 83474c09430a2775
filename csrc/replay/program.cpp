#include "replay/program.h"

#include <algorithm>

#include "core/allocator.h"

namespace tapegrad::replay {

void Program::add(std::unique_ptr<Step> step, const std::vector<Use>& uses, std::string label) {
    steps_.push_back({std::move(step), uses_.size(), uses.size(), std::move(label)});
    uses_.insert(uses_.end(), uses.begin(), uses.end());
}

void Program::finish(std::vector<Region> regions, size_t split) {
    regions_ = std::move(regions);
    recorded_count_ = steps_.size();
    split_ = split;
    drop_unread();
    keep_for_second_part();
    group_elementwise();
    place_regions();
}

void Program::drop_unread() {
    std::vector<char> wanted(regions_.size());
    for (size_t i = 0; i < regions_.size(); ++i) wanted[i] = regions_[i].outside;
    std::vector<Entry> kept;
    size_t dropped_before_split = 0;
    for (size_t i = steps_.size(); i-- > 0;) {
        Entry& entry = steps_[i];
        bool needed = entry.step->has_effects();
        for (size_t u = 0; u < entry.use_count; ++u) {
            const Use& use = uses_[entry.first_use + u];
            needed = needed || (use.write && wanted[use.region]);
        }
        if (!needed) {
            dropped_before_split += i < split_;
            continue;
        }
        for (size_t u = 0; u < entry.use_count; ++u) wanted[uses_[entry.first_use + u].region] = 1;
        kept.push_back(std::move(entry));
    }
    std::reverse(kept.begin(), kept.end());
    steps_ = std::move(kept);
    split_ -= dropped_before_split;
}

void Program::keep_for_second_part() {
    std::vector<char> in_first(regions_.size());
    for (size_t i = 0; i < steps_.size(); ++i)
        for (size_t u = 0; u < steps_[i].use_count; ++u) {
            const Use& use = uses_[steps_[i].first_use + u];
            if (i < split_) in_first[use.region] = 1;
            else if (in_first[use.region]) regions_[use.region].kept = true;
        }
}

void Program::place_regions() {
    struct Life {
        RegionId region;
        size_t first, last;
    };
    constexpr size_t kNever = ~size_t{0};
    std::vector<Life> lives(regions_.size());
    for (RegionId i = 0; i < regions_.size(); ++i) lives[i] = {i, kNever, 0};
    for (size_t i = 0; i < steps_.size(); ++i)
        for (size_t u = 0; u < steps_[i].use_count; ++u) {
            Life& life = lives[uses_[steps_[i].first_use + u].region];
            life.first = std::min(life.first, i);
            life.last = i;
        }
    std::erase_if(lives, [&](const Life& life) {
        return life.first == kNever || regions_[life.region].outside;
    });
    for (Life& life : lives)
        if (regions_[life.region].kept) life.first = 0, life.last = steps_.size();
    // Large ones first, each at the lowest address that is free all its life.
    std::stable_sort(lives.begin(), lives.end(), [&](const Life& a, const Life& b) {
        return regions_[a.region].bytes > regions_[b.region].bytes;
    });
    const auto rounded = [&](RegionId region) {
        return (regions_[region].bytes + kBufferAlignment - 1) / kBufferAlignment *
               kBufferAlignment;
    };
    std::vector<Life> placed;  // by address
    for (const Life& life : lives) {
        const size_t bytes = rounded(life.region);
        unshared_bytes_ += bytes;
        size_t at = 0;
        for (const Life& other : placed) {
            const size_t begin = regions_[other.region].place;
            if (other.last < life.first || life.last < other.first) continue;
            if (at + bytes <= begin) break;
            at = std::max(at, begin + rounded(other.region));
        }
        regions_[life.region].place = at;
        own_bytes_ = std::max(own_bytes_, at + bytes);
        placed.insert(std::upper_bound(placed.begin(), placed.end(), at,
                                       [&](size_t place, const Life& other) {
                                           return place < regions_[other.region].place;
                                       }),
                      life);
    }
}

std::vector<std::string> Program::labels() const {
    std::vector<std::string> found;
    for (const Entry& entry : steps_) found.push_back(entry.label);
    return found;
}

bool Program::uses(RegionId region) const {
    for (const Entry& entry : steps_)
        for (size_t u = 0; u < entry.use_count; ++u)
            if (uses_[entry.first_use + u].region == region) return true;
    return false;
}
bool Program::writes(RegionId region) const {
    for (const Entry& entry : steps_)
        for (size_t u = 0; u < entry.use_count; ++u)
            if (uses_[entry.first_use + u].region == region && uses_[entry.first_use + u].write)
                return true;
    return false;
}

bool Program::second_part_uses(RegionId region) const {
    for (size_t i = split_; i < steps_.size(); ++i)
        for (size_t u = 0; u < steps_[i].use_count; ++u)
            if (uses_[steps_[i].first_use + u].region == region) return true;
    return false;
}

// ------------------------------------------------------------------------------------ workspace

namespace {

class PlaceFinder final : public PointerVisitor {
public:
    void reads(const void** pointer) override {
        found.push_back(reinterpret_cast<char**>(const_cast<void**>(pointer)));
    }
    void writes(void** pointer) override { found.push_back(reinterpret_cast<char**>(pointer)); }
    // Null pointers have no use.
    std::vector<char**> found;
};

}  // namespace

Workspace::Workspace(const Program& program)
    : bytes_(program.own_bytes()),
      split_(program.split_),
      outside_(program.regions().size()) {
    if (bytes_) memory_ = static_cast<char*>(allocate(bytes_));
    for (const Program::Entry& entry : program.steps_) {
        std::unique_ptr<Step> step = entry.step->clone();
        PlaceFinder places;
        step->visit_pointers(places);
        size_t used = 0;
        for (char** at : places.found) {
            if (!*at) continue;
            const Use& use = program.uses_[entry.first_use + used++];
            const Region& region = program.regions()[use.region];
            if (region.outside) outside_[use.region].pointers.push_back({at, use.offset});
            else *at = memory_ + region.place + use.offset;
        }
        steps_.push_back(std::move(step));
    }
}

Workspace::~Workspace() {
    if (memory_) deallocate(memory_, bytes_);
}

}  // namespace tapegrad::replay
