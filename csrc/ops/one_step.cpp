#include "ops/one_step.h"

#include "ops/copy.h"

namespace tapegrad::one_step {

void copy_all(const TensorArguments<true>& out, const Tensors& x) {
    for (size_t i = 0; i < x.size(); ++i) {
        if (!x[i].defined()) continue;
        const Tensor& to = out.tensors[i];
        if (!(to.sizes() == x[i].sizes())) fail("a replayed operator gives another shape");
        if (to.data() != x[i].data()) copy_values(to, x[i]);
    }
}

}  // namespace tapegrad::one_step
