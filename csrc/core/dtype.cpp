#include "core/dtype.h"

#include "core/error.h"

namespace tapegrad {

DType default_float_type = DType::Float32;

void refuse_dtype(const char* name, DType dtype) {
    fail<NotImplementedError>("\"", name, "\" not implemented for '", scalar_type_name(dtype), "'");
}

}  // namespace tapegrad
