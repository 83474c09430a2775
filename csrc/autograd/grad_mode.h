// Whether operations are recorded: a state of each thread.
#pragma once

#include <cstdint>

#include "core/tensor.h"

namespace tapegrad {

class SavedTensorHooks;

// Told of each tensor that is about to be written in place.
class WriteWatch {
public:
    virtual void about_to_write(const Tensor& tensor) = 0;

protected:
    ~WriteWatch() = default;
};

struct ThreadState {
    bool grad_enabled = true;
    bool anomaly = false;
    bool anomaly_check_nan = true;
    uint64_t unwanted_inputs = 0;  // of the node that is being run: no gradient is asked for these
    Site backward_site = 0;        // of the call whose backward pass runs
    uint8_t cuts_to_note = 0;      // how many more tensors are noted that operations do not record
    SavedTensorHooks* saved_tensor_hooks = nullptr;  // the innermost ones that are set
    WriteWatch* write_watch = nullptr;
};
// In the initial TLS block: one instruction to reach, where a dynamic one costs a call.
extern constinit thread_local ThreadState thread_state __attribute__((tls_model("initial-exec")));

// Inference mode is stronger than any setting of grad mode inside it.
inline bool inference_mode() noexcept { return inference_tensors; }
inline bool grad_enabled() noexcept { return thread_state.grad_enabled && !inference_mode(); }

// Sets grad mode for a scope.
class GradMode {
public:
    explicit GradMode(bool enabled) noexcept : before_(thread_state.grad_enabled) {
        thread_state.grad_enabled = enabled;
    }
    ~GradMode() { thread_state.grad_enabled = before_; }
    GradMode(const GradMode&) = delete;
    GradMode& operator=(const GradMode&) = delete;

private:
    bool before_;
};

}  // namespace tapegrad
