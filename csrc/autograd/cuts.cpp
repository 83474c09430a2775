#include "autograd/cuts.h"

#include <algorithm>
#include <unordered_set>

#include "autograd/accumulate_grad.h"
#include "autograd/variable.h"

namespace tapegrad {
namespace {

// The latest cuts, one for each kind and line.
constexpr size_t kEntries = 512;
constexpr size_t kLeaves = 4096;
std::vector<CutEntry>& ledger() {
    static auto& entries = *new std::vector<CutEntry>;
    return entries;
}
constexpr const char* kNoGrad = "no_grad";
uint64_t last_leaf_number = 0;
thread_local Site block_site = 0;
constexpr uint8_t kCutsInBlock = 16;

// To find the leaves behind a tensor costs time for each node between. A line that is new may take as many as
// small models have; all that others spend is a small part of what recording the nodes has cost.
constexpr uint64_t kFirstVisits = 4096, kFreeVisits = 100'000, kNodesPerVisit = 64;
uint64_t visits = 0;
bool may_visit() { return visits < kFreeVisits + Node::next_sequence / kNodesPerVisit; }

uint64_t number_of(const Tensor& leaf) {
    uint64_t& number = make_extra(leaf).ledger_number;
    if (!number) number = ++last_leaf_number;
    return number;
}

// Adds the leaves behind a tensor to those of the entry.
void add_leaves(CutEntry& entry, const Tensor& tensor, bool is_new) {
    uint64_t first_visits = is_new ? kFirstVisits : 0;
    const auto add = [&](const Tensor& leaf) {
        const uint64_t number = number_of(leaf);
        const auto place = std::lower_bound(entry.leaves.begin(), entry.leaves.end(), number);
        if (place != entry.leaves.end() && *place == number) return;
        if (entry.leaves.size() < kLeaves) entry.leaves.insert(place, number);
        else entry.complete = false;
    };
    Node* const root = node_of(tensor);
    if (!root) return add(tensor);
    std::vector<Node*> stack{root};
    std::unordered_set<Node*> seen{root};
    while (!stack.empty()) {
        if (first_visits) --first_visits;
        else if (++visits; !may_visit()) {
            entry.complete = false;
            return;
        }
        Node* node = stack.back();
        stack.pop_back();
        if (const auto* leaf = dynamic_cast<const AccumulateGrad*>(node)) add(leaf->variable());
        for (const Edge& edge : node->edges)
            if (edge.node && seen.insert(edge.node.get()).second) stack.push_back(edge.node.get());
    }
}

}  // namespace

void note_cut_of(const char* how, const Tensor& tensor, Reader reader) noexcept {
    if (reader == Reader::User && is_called_by_user && !is_called_by_user()) return;
    const Site site = current_site();
    if (!site) return;
    try {
        auto& entries = ledger();
        auto entry = std::find_if(entries.begin(), entries.end(), [&](const CutEntry& known) {
            return known.site == site && known.how == how;
        });
        const bool is_new = entry == entries.end();
        if (is_new) {
            if (entries.size() == kEntries) entries.erase(entries.begin());
            entry = entries.insert(entries.end(), CutEntry());
            entry->how = how;
            entry->site = site;
        } else if (entry + 1 != entries.end()) {
            std::rotate(entry, entry + 1, entries.end());
            entry = entries.end() - 1;
        }
        entry->block = block_site;
        entry->when = Node::next_sequence;
        add_leaves(*entry, tensor, is_new);
    } catch (const std::bad_alloc&) {
    }  // a ledger with a gap
}

void note_unrecorded(const Tensor& tensor) noexcept {
    if (!tensor.defined() || !tensor.requires_grad() || inference_mode()) return;
    if (thread_state.cuts_to_note == 0) return;
    --thread_state.cuts_to_note;
    note_cut(kNoGrad, tensor);
}

void switch_recording(bool enabled) noexcept {
    block_site = enabled ? Site{0} : current_site();
    thread_state.cuts_to_note = enabled || !find_site ? uint8_t{0} : kCutsInBlock;
}

void UnrecordedBlock::begin() noexcept {
    site_before_ = block_site;
    cuts_before_ = thread_state.cuts_to_note;
    switch_recording(false);
}

void UnrecordedBlock::end() noexcept {
    block_site = site_before_;
    thread_state.cuts_to_note = cuts_before_;
}

const std::vector<CutEntry>& cuts() { return ledger(); }

std::string describe(const CutEntry& cut) {
    const std::string place = std::string(cut.how) + " at " + describe(Origin{cut.site});
    if (!cut.block || cut.how != kNoGrad) return place;
    return place + "; the block begins at " + describe(Origin{cut.block});
}

void note_latest_cuts(Error& error) {
    constexpr size_t kShown = 3;
    if (!find_site) return;
    const auto& entries = ledger();
    if (!grad_enabled() && block_site) {
        error.notes.push_back("nothing is recorded here: the block begins at " +
                              describe(Origin{block_site}));
    } else if (entries.empty()) {
        error.notes.push_back("nothing that it was computed from requires grad");
    }
    for (size_t i = 0; i < kShown && i < entries.size(); ++i)
        error.notes.push_back((i ? "before that: " : "the tape was left last by ") +
                              describe(entries[entries.size() - 1 - i]));
}

}  // namespace tapegrad
