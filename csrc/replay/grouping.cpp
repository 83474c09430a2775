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
// The buffer of a sum takes half of the first-level cache: worth it where what is added up would leave the second.
constexpr size_t kSummedBytes = size_t{1} << 19;
constexpr size_t kMostMembers = 64;

using Source = ElementwiseStep::Source;

// A use of a member: an operand, or its result (-1).
struct MemberUse {
    size_t member;
    int operand;
    Use use;
    bool aligned;         // element i of it belongs to element i of the step
    bool summed = false;  // read when a block of sums is complete, after all members
};

// What may be a member of a group: one of the two.
struct Candidate {
    explicit Candidate(const Step& step)
        : elementwise(step.as_elementwise()),
          total(step.as_total()) {}
    int64_t n() const { return elementwise ? elementwise->n : total ? total->n : 0; }
    std::vector<MemberUse> uses(std::span<const Use> uses) const {
        if (total) return {{0, 0, uses[0], true, true}, {0, -1, uses[1], false}};
        std::vector<MemberUse> found;
        size_t next = 0;
        for (int k = 0; k < elementwise->count; ++k) {
            const Source source = elementwise->operands[k].source;
            if (source != Source::Number)
                found.push_back({0, k, uses[next++], source == Source::Memory});
        }
        found.push_back({0, -1, uses[next], true});
        return found;
    }

    const ElementwiseStep* elementwise;
    const TotalStep* total;
};

class Group {
public:
    bool empty() const { return steps_.empty(); }
    size_t size() const { return steps_.size(); }
    bool takes(const Candidate& step, const std::vector<MemberUse>& uses) const {
        if (steps_.empty()) return true;
        if (steps_[0].n() != step.n() || steps_.size() == kMostMembers) return false;
        for (const MemberUse& a : uses)
            for (const MemberUse& b : uses_)
                if (a.use.region == b.use.region && (a.use.write || b.use.write) &&
                    !(a.aligned && b.aligned && !b.summed && a.use.offset == b.use.offset))
                    return false;
        return true;
    }
    void add(const Candidate& step, std::vector<MemberUse> uses) {
        for (MemberUse& use : uses) use.member = steps_.size();
        steps_.push_back(step);
        uses_.insert(uses_.end(), uses.begin(), uses.end());
    }

    // total_uses: of each region in the whole program. The uses that are left are added to `uses`.
    template <class Total>
    std::unique_ptr<Step> make(const std::vector<Region>& regions, const Total& total_uses,
                               std::vector<Use>& uses) const {
        std::map<RegionId, std::vector<const MemberUse*>> by_region;
        for (const MemberUse& use : uses_) by_region[use.use.region].push_back(&use);
        std::vector<ElementwiseGroup::Member> members;
        std::vector<ElementwiseGroup::Total> totals;
        std::vector<size_t> index;  // among the members or totals
        for (const Candidate& step : steps_) {
            index.push_back(step.total ? totals.size() : members.size());
            if (step.total) totals.push_back({*step.total, {}});
            else members.push_back({*step.elementwise, {}, {}});
        }
        using Place = ElementwiseGroup::Place;
        // The member that a buffer is free after.
        std::vector<size_t> busy_until;
        std::map<RegionId, size_t> last;
        std::map<RegionId, Place> place_of;
        int sum_buffers = 0;
        for (const auto& [region, list] : by_region) {
            const bool kept_inside =
                !regions[region].outside && !regions[region].kept &&
                list.size() == total_uses[region] && list.front()->use.write &&
                std::all_of(list.begin(), list.end(), [&](const MemberUse* use) {
                    return use->aligned && use->use.offset == list.front()->use.offset;
                });
            // The operands of a member stand before its result: what it writes first it does not read.
            if (!kept_inside) continue;
            last[region] = list.back()->member;
            if (std::any_of(list.begin(), list.end(), [](auto* use) { return use->summed; }))
                place_of[region] = {Place::SumBuffer, sum_buffers++};
        }
        std::vector<Use> of_totals;  // whose pointers come last
        for (const MemberUse& use : uses_) {
            const auto known = last.find(use.use.region);
            if (known == last.end()) {
                if (use.operand < 0 && !steps_[use.member].total)
                    members[index[use.member]].is_last_use =
                        by_region[use.use.region].back() == &use;
                (steps_[use.member].total ? of_totals : uses).push_back(use.use);
                continue;
            }
            auto [place, is_new] = place_of.try_emplace(use.use.region);
            if (is_new) {
                auto free = std::find_if(busy_until.begin(), busy_until.end(),
                                         [&](size_t until) { return until < use.member; });
                if (free == busy_until.end()) free = busy_until.insert(free, 0);
                *free = known->second;
                place->second = {Place::Buffer, static_cast<int>(free - busy_until.begin())};
            }
            const size_t at = index[use.member];
            if (steps_[use.member].total) totals[at].in = place->second;
            else (use.operand < 0 ? members[at].out : members[at].in[use.operand]) = place->second;
        }
        uses.insert(uses.end(), of_totals.begin(), of_totals.end());
        return std::make_unique<ElementwiseGroup>(
            std::move(members), std::move(totals),
            ElementwiseGroup::Buffers{static_cast<int>(busy_until.size()), sum_buffers});
    }

private:
    std::vector<Candidate> steps_;
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
        const auto uses = uses_of(entry);
        const Candidate step(*entry.step);
        const bool may_join =
            step.n() >= kFewElements &&
            (!step.total || static_cast<size_t>(step.n()) * step.total->bytes >= kSummedBytes);
        std::vector<MemberUse> member_uses;
        if (may_join) member_uses = step.uses(uses);
        const bool joins = may_join && group.takes(step, member_uses) && !by_later.meets(uses);
        // A sum begins no group.
        if (!may_join || (step.total && (!joins || group.empty()))) {
            if (has_effects || (!by_group.meets(uses) && !by_later.meets(uses))) {
                grouped.push_back(std::move(entry));
            } else {
                by_later.add(uses);
                later.push_back(std::move(entry));
            }
            continue;
        }
        if (!joins) finish_group();
        group.add(step, std::move(member_uses));
        by_group.add(uses);
        members.push_back(std::move(entry));
    }
    finish_group();
    split_ = split_ == steps_.size() ? grouped.size() : split;
    steps_ = std::move(grouped);
}

}  // namespace tapegrad::replay
