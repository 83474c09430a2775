// A file of its own, because it looks into the interpreter's frames: their layout is of the Python version that the
// extension is compiled for, and found in headers that need Py_BUILD_CORE.
#define Py_BUILD_CORE 1
#include <Python.h>

#if PY_VERSION_HEX < 0x030B0000
#define TAPEGRAD_FRAMES 310
#include <frameobject.h>
#elif PY_VERSION_HEX < 0x030E0000 && __has_include(<internal/pycore_frame.h>) && \
    !defined(Py_GIL_DISABLED)
#define TAPEGRAD_FRAMES 311
#include <internal/pycore_frame.h>
#else
#define TAPEGRAD_FRAMES 0  // by functions that are public, and slower
#endif

#include <new>
#include <string_view>
#include <vector>

#include "python/call_site.h"

namespace tapegrad::python {
namespace {

std::string package_folder;

std::vector<CallSite>& sites() {
    static auto& all = *new std::vector<CallSite>(1);  // 0 is none
    return all;
}

// What is known of a code object: kept with it, and freed with it.
struct CodeSites {
    bool own;  // of the package
    int count;
    Site of[1];  // the instructions; 0: not asked for yet
};

Py_ssize_t extra_index = -1;

// ---------------------------------------------------------------------------- frames

#if TAPEGRAD_FRAMES == 310

using Frame = PyFrameObject;
Frame* innermost() { return PyThreadState_Get()->frame; }
Frame* around(Frame* frame) { return frame->f_back; }
PyCodeObject* code_of(Frame* frame) { return frame->f_code; }
int instruction(Frame* frame) { return frame->f_lasti; }

#elif TAPEGRAD_FRAMES == 311

using Frame = _PyInterpreterFrame;
Frame* innermost() {
#if PY_VERSION_HEX < 0x030D0000
    return PyThreadState_Get()->cframe->current_frame;
#else
    return PyThreadState_Get()->current_frame;
#endif
}
Frame* around(Frame* frame) { return frame->previous; }
PyCodeObject* code_of(Frame* frame) {
#if PY_VERSION_HEX < 0x030C0000
    return frame->f_code;
#else
    if (frame->owner == FRAME_OWNED_BY_CSTACK) return nullptr;  // between C and Python
#if PY_VERSION_HEX < 0x030D0000
    return frame->f_code;
#else
    // Between a call of a class and its __init__: the code is a constant.
    if (frame->f_funcobj == Py_None) return nullptr;
    return PyCode_Check(frame->f_executable) ? reinterpret_cast<PyCodeObject*>(frame->f_executable)
                                             : nullptr;
#endif
#endif
}
int instruction(Frame* frame) { return _PyInterpreterFrame_LASTI(frame); }

#endif

// ------------------------------------------------------------------------- the table

int instruction_count(PyCodeObject* code) {
#if PY_VERSION_HEX < 0x030B0000
    return static_cast<int>(PyBytes_GET_SIZE(code->co_code) / 2);
#else
    return static_cast<int>(Py_SIZE(code));
#endif
}

CodeSites* known_sites(PyCodeObject* code) {
    void* extra = nullptr;
    _PyCode_GetExtra(reinterpret_cast<PyObject*>(code), extra_index, &extra);
    return static_cast<CodeSites*>(extra);
}

[[gnu::noinline]] CodeSites* make_sites(PyCodeObject* code) {
    const char* file = PyUnicode_AsUTF8(code->co_filename);
    if (!file) PyErr_Clear();
    const bool own = file && std::string_view(file).starts_with(package_folder);
    const int count = own ? 0 : instruction_count(code);
    void* memory = PyMem_Calloc(1, sizeof(CodeSites) + sizeof(Site) * static_cast<size_t>(count));
    if (!memory) return nullptr;
    auto* made = new (memory) CodeSites{own, count, {}};
    if (_PyCode_SetExtra(reinterpret_cast<PyObject*>(code), extra_index, made) < 0) {
        PyErr_Clear();
        PyMem_Free(memory);
        return nullptr;
    }
    return made;
}

[[gnu::noinline]] Site add_site(PyCodeObject* code, int instruction, CodeSites& known) noexcept {
    try {
        CallSite site{};
        site.file = Py_NewRef(code->co_filename);
        const int offset = instruction * 2;
#if PY_VERSION_HEX < 0x030B0000
        site.function = Py_NewRef(code->co_name);
        site.line = site.end_line = PyCode_Addr2Line(code, offset);
#else
        site.function = Py_NewRef(code->co_qualname);
        PyCode_Addr2Location(code, offset, &site.line, &site.column, &site.end_line,
                             &site.end_column);
        if (site.line < 0) site.line = 0;
        if (site.column < 0) site.column = site.end_column = 0;
#endif
        sites().push_back(site);
        return known.of[instruction] = static_cast<Site>(sites().size() - 1);
    } catch (const std::bad_alloc&) {
        return 0;
    }
}

bool is_own(PyCodeObject* code) {
    const CodeSites* known = known_sites(code);
    if (!known) known = make_sites(code);
    return known && known->own;
}

// The site if the code is the user's; own says that to look further.
inline Site site_in(PyCodeObject* code, int instruction, bool& own) {
    CodeSites* known = known_sites(code);
    if (!known) [[unlikely]]
        if (!(known = make_sites(code))) return 0;
    own = known->own;
    if (own || static_cast<unsigned>(instruction) >= static_cast<unsigned>(known->count)) return 0;
    const Site site = known->of[instruction];
    return site ? site : add_site(code, instruction, *known);
}

// Calls visit(code, instruction) for each frame, from the innermost one on, until it says that this is enough.
#if TAPEGRAD_FRAMES

template <class Visit> void each_frame(Visit visit) {
    for (Frame* frame = innermost(); frame; frame = around(frame))
        if (PyCodeObject* code = code_of(frame); code && visit(code, instruction(frame))) return;
}

#else

template <class Visit> void each_frame(Visit visit) {
    PyFrameObject* frame = PyEval_GetFrame();
    Py_XINCREF(frame);
    for (bool enough = false; frame;) {
        PyCodeObject* code = PyFrame_GetCode(frame);
        enough = visit(code, PyFrame_GetLasti(frame) / 2);
        Py_DECREF(code);
        PyFrameObject* next = enough ? nullptr : PyFrame_GetBack(frame);
        Py_DECREF(frame);
        frame = next;
    }
}

#endif

}  // namespace

Site find_call_site() noexcept {
    Site site = 0;
    each_frame([&](PyCodeObject* code, int instruction) {
        bool own = false;
        site = site_in(code, instruction, own);
        return !own;
    });
    return site;
}

void find_call_stack(std::vector<Site>& stack) {
    each_frame([&](PyCodeObject* code, int instruction) {
        bool own = false;
        const Site site = site_in(code, instruction, own);
        if (!own) stack.push_back(site);
        return false;
    });
}

bool is_user_calling() noexcept {
    bool own = true;
    each_frame([&](PyCodeObject* code, int) {
        own = is_own(code);
        return true;
    });
    return !own;
}

const CallSite* call_site(Site site) noexcept {
    return site && site < sites().size() ? &sites()[site] : nullptr;
}

void set_package_folder(std::string folder) {
    package_folder = std::move(folder);
    if (extra_index < 0) extra_index = _PyEval_RequestCodeExtraIndex(PyMem_Free);
}

}  // namespace tapegrad::python
