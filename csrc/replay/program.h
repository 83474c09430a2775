// A recorded program: steps over regions of memory, some of which are its own and some of which belong to
// tensors outside, whose addresses are filled in before each run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "replay/step.h"

namespace tapegrad::replay {

using RegionId = uint32_t;

struct Region {
    size_t bytes = 0;
    // Of a tensor outside of the program: an argument, a parameter, a result.
    bool outside = false;
    // What one run leaves in it is there in the next.
    bool kept = false;
    bool written = false;
    // In the program's own memory.
    size_t place = 0;
};

// What a step points to: a byte of a region.
struct Use {
    RegionId region;
    int64_t offset;
    bool write;
};

class Program {
public:
    // Made by a Recorder. Uses are those of the first step, then of the second, and so on.
    // label: what it is of, for people.
    void add(std::unique_ptr<Step> step, const std::vector<Use>& uses, std::string label);

    // Leaves out the steps whose results nobody reads, groups element-wise ones, and gives each region of the
    // program its place: regions that are not in use at the same time share memory. `read` are regions that are read after the
    // program, all others outside are such if they are written.
    // Steps from `split` on are a second part, run later, perhaps several times: what they read of the first
    // part stays as it is.
    void finish(std::vector<Region> regions, size_t split);

    const std::vector<Region>& regions() const { return regions_; }
    // Whether a step points to the region, and whether one writes it.
    bool uses(RegionId region) const;
    bool writes(RegionId region) const;
    bool second_part_uses(RegionId region) const;
    size_t own_bytes() const { return own_bytes_; }
    // Without places that are shared.
    size_t unshared_bytes() const { return unshared_bytes_; }
    size_t step_count() const { return steps_.size(); }
    size_t recorded_count() const { return recorded_count_; }
    std::vector<std::string> labels() const;

private:
    friend class Workspace;
    struct Entry {
        std::unique_ptr<Step> step;
        size_t first_use, use_count;
        std::string label;
    };
    void keep_for_second_part();
    void drop_unread();
    void group_elementwise();
    void place_regions();

    std::vector<Entry> steps_;
    std::vector<Use> uses_;
    std::vector<Region> regions_;
    size_t own_bytes_ = 0, unshared_bytes_ = 0, recorded_count_ = 0, split_ = 0;
};

// Memory for one run of a program at a time, with the steps pointing into it.
class Workspace {
public:
    explicit Workspace(const Program& program);
    ~Workspace();
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;

    // Where a region outside of the program lies in the next run.
    void place(RegionId region, char* data) {
        Outside& outside = outside_[region];
        if (outside.data == data) return;
        outside.data = data;
        for (const Pointer& pointer : outside.pointers) *pointer.at = data + pointer.offset;
    }
    void run() {
        for (size_t i = 0; i < split_; ++i) steps_[i]->run();
    }
    void run_second_part() {
        for (size_t i = split_; i < steps_.size(); ++i) steps_[i]->run();
    }

private:
    struct Pointer {
        char** at;
        int64_t offset;
    };
    struct Outside {
        char* data = nullptr;
        std::vector<Pointer> pointers;
    };

    char* memory_ = nullptr;
    size_t bytes_, split_;
    std::vector<std::unique_ptr<Step>> steps_;
    std::vector<Outside> outside_;  // by region; empty for the program's own
};

}  // namespace tapegrad::replay
