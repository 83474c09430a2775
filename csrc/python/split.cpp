#include "ops/split.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_split(PyObject* m) {
    def<"split">(m, split_by_size, split_by_sizes);
    def<"split_with_sizes">(m, split_by_sizes);
    def<"unsafe_split">(m, unsafe_split);
    def<"unsafe_split_with_sizes">(m, unsafe_split_by_sizes);
    def<"unsafe_chunk">(m, unsafe_chunk);
    def<"chunk">(m, chunk);
    def<"unbind">(m, unbind);
}

}  // namespace tapegrad::python
