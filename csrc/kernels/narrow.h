// float16, bfloat16, int8 and int16 on the kernels of float32 and int32.
#pragma once

#include "kernels/table.h"

namespace tapegrad::kernels {

// Fills the entries of the narrow types, whose casts to and from the wide ones are there: operands are
// widened, the wide type's kernel computes, and the result is narrowed, rounded once. Where the wide type has no
// kernel, the narrow one has none.
void fill_narrow(Kernels& kernels);

}  // namespace tapegrad::kernels
