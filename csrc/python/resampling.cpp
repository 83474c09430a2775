#include "ops/resampling.h"

#include "python/bind.h"

namespace tapegrad::python {

void bind_resampling(PyObject* m) {
    def_function<"upsample">(m, upsample).without_out();
    def_function<"im2col">(m, im2col).without_out();
    def_function<"col2im">(m, col2im).without_out();
    def_function<"pixel_shuffle">(m, pixel_shuffle).without_out();
    def_function<"pixel_unshuffle">(m, pixel_unshuffle).without_out();
    def_function<"channel_shuffle">(m, channel_shuffle).without_out();
}

}  // namespace tapegrad::python
