#include "ops/embedding.h"

#include "python/bind.h"

namespace tapegrad::python {

void bind_embedding(PyObject* m) {
    def_function<"embedding">(m, embedding).without_out();
    def_function<"embedding_renorm_">(m, embedding_renorm_);
}

}  // namespace tapegrad::python
