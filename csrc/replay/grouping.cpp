// Puts element-wise steps that follow one another into groups, which run block by block in the cache.
#include <algorithm>
#include <iterator>
#include <map>
#include <span>

#include "replay/elementwise.h"
#include "replay/program.h"

namespace tapegrad::replay {
namespace {

// Shorter ones stay in the cache as they are.
constexpr int64_t kFewElements = 2048;
constexpr size_t kMostMembers = 64;

using Source = ElementwiseStep::Source;

// A use of a member: an operand, or its result (-1).
struct MemberUse {
    size_t member;
    int operand;
    Use use;
    bool aligned;  // element i of it belongs to element i of the step
};

class Group {
public:
    bool empty() const { return steps_.empty(); }
    size_t size() const { return steps_.size(); }
    bool takes(const ElementwiseStep& step, const std::vector<MemberUse>& uses) const {
        if (steps_.empty()) return true;
        if (steps_[0]->n != step.n || steps_.size() == kMostMembers) return false;
        for (const MemberUse& a : uses)
            for (const MemberUse& b : uses_)
                if (a.use.region == b.use.region && (a.use.write || b.use.write) &&
                    !(a.aligned && b.aligned && a.use.offset == b.use.offset))
                    return false;
        return true;
    }
    void add(const ElementwiseStep& step, std::vector<MemberUse> uses) {
        for (MemberUse& use : uses) use.member = steps_.size();
        steps_.push_back(&step);
        uses_.insert(uses_.end(), uses.begin(), uses.end());
    }

    // total_uses: of each region in the whole program. The uses that are left are added to `uses`.
    template <class Total>
    std::unique_ptr<Step> make(const std::vector<Region>& regions, const Total& total_uses,
                               std::vector<Use>& uses) const {
        std::map<RegionId, std::vector<const MemberUse*>> by_region;
        for (const MemberUse& use : uses_) by_region[use.use.region].push_back(&use);
        std::vector<ElementwiseGroup::Member> members;
        for (const ElementwiseStep* step : steps_) members.push_back({*step, {}, {}});
        // The member that a buffer is free after.
        std::vector<size_t> busy_until;
        std::map<RegionId, size_t> last;
        std::map<RegionId, int> buffer_of;
        for (const auto& [region, list] : by_region) {
            const bool kept_inside =
                !regions[region].outside && !regions[region].kept &&
                list.size() == total_uses[region] && list.front()->use.write &&
                std::all_of(list.begin(), list.end(), [&](const MemberUse* use) {
                    return use->aligned && use->use.offset == list.front()->use.offset;
                });
            // The operands of a member stand before its result: what it writes first it does not read.
            if (kept_inside) last[region] = list.back()->member;
        }
        for (const MemberUse& use : uses_) {
            const auto known = last.find(use.use.region);
            if (known == last.end()) {
                uses.push_back(use.use);
                continue;
            }
            auto [place, is_new] = buffer_of.try_emplace(use.use.region, 0);
            if (is_new) {
                auto free = std::find_if(busy_until.begin(), busy_until.end(),
                                         [&](size_t until) { return until < use.member; });
                if (free == busy_until.end()) free = busy_until.insert(free, 0);
                *free = known->second;
                place->second = static_cast<int>(free - busy_until.begin());
            }
            ElementwiseGroup::Member& member = members[use.member];
            (use.operand < 0 ? member.out : member.in[use.operand]) =
                ElementwiseGroup::Place{true, place->second};
        }
        return std::make_unique<ElementwiseGroup>(std::move(members),
                                                  static_cast<int>(busy_until.size()));
    }

private:
    std::vector<const ElementwiseStep*> steps_;
    std::vector<MemberUse> uses_;  // in the order of the members, of each first the operands
};

// The regions that some steps read and write.
class Touched {
public:
    explicit Touched(size_t regions) : how_(regions) {}
    // Whether a step may not change places with them.
    bool meets(std::span<const Use> uses) const {
        return std::any_of(uses.begin(), uses.end(), [&](const Use& use) {
            return how_[use.region] & (use.write ? kRead | kWritten : kWritten);
        });
    }
    void add(std::span<const Use> uses) {
        for (const Use& use : uses) {
            how_[use.region] |= use.write ? kWritten : kRead;
            regions_.push_back(use.region);
        }
    }
    void clear() {
        for (const RegionId region : regions_) how_[region] = 0;
        regions_.clear();
    }

private:
    static constexpr char kRead = 1, kWritten = 2;
    std::vector<char> how_;
    std::vector<RegionId> regions_;
};

}  // namespace

// A group stays open while other steps come by: those that have nothing to do with it go before it, the
// others after it, and what has nothing to do with these may still join.
void Program::group_elementwise() {
    std::vector<size_t> total_uses(regions_.size());
    for (const Entry& entry : steps_)
        for (size_t u = 0; u < entry.use_count; ++u)
            ++total_uses[uses_[entry.first_use + u].region];
    std::vector<Entry> grouped, members, later;
    Group group;
    Touched by_group(regions_.size()), by_later(regions_.size());
    const auto uses_of = [&](const Entry& entry) {
        return std::span(uses_).subspan(entry.first_use, entry.use_count);
    };
    const auto finish_group = [&] {
        if (group.size() == 1) {
            grouped.push_back(std::move(members[0]));
        } else if (group.size() > 1) {
            std::vector<Use> uses;
            std::unique_ptr<Step> step = group.make(regions_, total_uses, uses);
            std::string label;
            for (const Entry& member : members)
                label += (label.empty() ? "in cache: " : ", ") + member.label;
            grouped.push_back({std::move(step), uses_.size(), uses.size(), std::move(label)});
            uses_.insert(uses_.end(), uses.begin(), uses.end());
        }
        std::move(later.begin(), later.end(), std::back_inserter(grouped));
        members.clear();
        later.clear();
        by_group.clear();
        by_later.clear();
        group = Group();
    };
    size_t split = split_;
    for (size_t i = 0; i < steps_.size(); ++i) {
        Entry& entry = steps_[i];
        const bool has_effects = entry.step->has_effects();
        if (i == split_ || has_effects) finish_group();
        if (i == split_) split = grouped.size();
        const ElementwiseStep* step = entry.step->as_elementwise();
        if (!step || step->n < kFewElements) {
            const auto uses = uses_of(entry);
            if (has_effects || (!by_group.meets(uses) && !by_later.meets(uses))) {
                grouped.push_back(std::move(entry));
            } else {
                by_later.add(uses);
                later.push_back(std::move(entry));
            }
            continue;
        }
        std::vector<MemberUse> uses;
        size_t next = entry.first_use;
        for (int k = 0; k < step->count; ++k)
            if (step->operands[k].source != Source::Number)
                uses.push_back({0, k, uses_[next++], step->operands[k].source == Source::Memory});
        uses.push_back({0, -1, uses_[next], true});
        if (!group.takes(*step, uses) || by_later.meets(uses_of(entry))) finish_group();
        group.add(*step, std::move(uses));
        by_group.add(uses_of(entry));
        members.push_back(std::move(entry));
    }
    finish_group();
    split_ = split_ == steps_.size() ? grouped.size() : split;
    steps_ = std::move(grouped);
}

}  // namespace tapegrad::replay
