#include "python/saved_tensor_hooks.h"

#include <vector>

#include "autograd/grad_mode.h"
#include "python/casters.h"
#include "python/interpreter.h"

namespace py = pybind11;

namespace tapegrad::python {
namespace {

struct PythonPackedTensor final : PackedTensor {
    PythonPackedTensor(py::object value, py::object unpack_hook)
        : value_(std::move(value)),
          unpack_(std::move(unpack_hook)) {}
    Tensor unpack() override {
        const py::tuple args = py::make_tuple(value_);
        py::object result = call_python(unpack_, args);
        if (!is_tensor(result.ptr()))
            fail<TypeError>(
                "Output of saved tensor unpack_hook expected to be a Tensor but got result of "
                "type ",
                Py_TYPE(result.ptr())->tp_name);
        return unwrap(result.ptr());
    }

private:
    py::object value_, unpack_;
};

}  // namespace

struct PythonSavedTensorHooks final : SavedTensorHooks {
    PythonSavedTensorHooks(py::object p, py::object u)
        : pack_hook(std::move(p)),
          unpack_hook(std::move(u)) {}
    Ref<PackedTensor> pack(const Tensor& tensor) override {
        const uint32_t version = tensor.version();
        const py::tuple args = py::make_tuple(tensor);
        py::object packed = call_python(pack_hook, args);
        if (tensor.version() != version)
            fail(
                "A saved tensor pack hook is modifying its input in place. Tensors provided as "
                "input to pack hook can not be modified by in-place operations as this can lead to "
                "unexpected side-effects. Please open an issue if you need to perform in-place "
                "operations on the input to a pack hook.");
        return make_ref<PythonPackedTensor>(std::move(packed), unpack_hook);
    }
    py::object pack_hook, unpack_hook;
};

struct HookStack {
    std::vector<std::unique_ptr<PythonSavedTensorHooks>> hooks;
    std::string disabled_message;
    bool disabled = false;
};

namespace {

thread_local HookStack* own_stack = nullptr;
// Never destroyed: at thread exit the interpreter may be gone.
HookStack& stack() {
    if (!own_stack) own_stack = new HookStack;
    return *own_stack;
}

struct PythonWriteWatch final : WriteWatch {
    void about_to_write(const Tensor& tensor) override { callable(tensor); }
    py::object callable;
};

void watch_writes(py::object callable) {
    static thread_local PythonWriteWatch* watch = new PythonWriteWatch;  // as above
    const bool on = !callable.is_none();
    watch->callable = on ? std::move(callable) : py::object();
    thread_state.write_watch = on ? watch : nullptr;
}

void use_innermost() {
    auto& hooks = stack().hooks;
    thread_state.saved_tensor_hooks = hooks.empty() ? nullptr : hooks.back().get();
}

struct RawSavedTensor {
    Ref<Node> node;
    SavedTensor* value;
};

}  // namespace

HookStack* hook_stack() { return &stack(); }
void use_hook_stack(HookStack* hooks) { own_stack = hooks; }

py::object raw_saved_tensor(const Node& node, const SavedTensor& value) {
    return py::cast(
        RawSavedTensor{Ref<Node>(const_cast<Node*>(&node)), const_cast<SavedTensor*>(&value)});
}

void bind_saved_tensor_hooks(py::module_& m) {
    py::class_<RawSavedTensor>(m, "SavedTensor",
                               "A saved value on which pack and unpack hooks can be set.")
        .def("register_hooks", [](RawSavedTensor& self, py::object pack, py::object unpack) {
            PythonSavedTensorHooks hooks(std::move(pack), std::move(unpack));
            self.value->register_hooks(hooks, *self.node);
        });
    m.def("_push_saved_tensors_hooks", [](py::object pack, py::object unpack) {
        if (stack().disabled) fail(stack().disabled_message);
        stack().hooks.push_back(
            std::make_unique<PythonSavedTensorHooks>(std::move(pack), std::move(unpack)));
        use_innermost();
    });
    m.def("_innermost_saved_tensors_hooks", []() -> py::object {
        if (stack().hooks.empty()) return py::none();
        const PythonSavedTensorHooks& hooks = *stack().hooks.back();
        return py::make_tuple(hooks.pack_hook, hooks.unpack_hook);
    });
    m.def("_watch_writes", watch_writes);
    m.def("_pop_saved_tensors_hooks", [] {
        if (!stack().hooks.empty()) stack().hooks.pop_back();
        use_innermost();
    });
    m.def("_set_saved_tensors_hooks_disabled", [](std::optional<std::string> message) {
        if (message && !stack().hooks.empty()) fail(*message);
        stack().disabled = message.has_value();
        stack().disabled_message = message.value_or("");
    });
    m.def("_saved_tensors_hooks_disabled", []() -> std::optional<std::string> {
        if (!stack().disabled) return std::nullopt;
        return stack().disabled_message;
    });
}

}  // namespace tapegrad::python
