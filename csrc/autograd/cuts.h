// The ledger of cuts: where tensors with a place on the tape were read, and what came of it has none.
#pragma once

#include <string>
#include <vector>

#include "autograd/node.h"

namespace tapegrad {

struct CutEntry {
    const char* how = nullptr;  // "detach()"
    Site site = 0;
    Site block = 0;                // where the no_grad block began that it is in
    uint64_t when = 0;             // the sequence number of the next node then
    std::vector<uint64_t> leaves;  // whose gradients end here: their AutogradExtra::ledger_number
    bool complete = true;          // these are all
};

// Who may be the one that reads a tensor's values: printing reads them, too.
enum class Reader { User, Anyone };

// To be called where values of a tensor leave the tape. Costs nothing for other tensors.
void note_cut_of(const char* how, const Tensor& tensor, Reader reader) noexcept;
inline void note_cut(const char* how, const Tensor& tensor, Reader reader = Reader::User) noexcept {
    if (find_site && tensor.requires_grad()) note_cut_of(how, tensor, reader);
}

// A block of the user's in which nothing is recorded begins; what it takes is noted, up to a number.
class UnrecordedBlock {
public:
    void begin() noexcept;
    void end() noexcept;

private:
    Site site_before_ = 0;
    uint8_t cuts_before_ = 0;
};

// The same without an end that is certain.
void switch_recording(bool enabled) noexcept;

// Whether the code that calls is the user's, and not the package's own.
inline bool (*is_called_by_user)() noexcept = nullptr;

// Oldest first.
const std::vector<CutEntry>& cuts();
// "detach() at train.py:12, in step: h = h.detach()"
std::string describe(const CutEntry& cut);

// Adds to the error for a tensor without a place on the tape where others lost theirs lately.
void note_latest_cuts(Error& error);

}  // namespace tapegrad
