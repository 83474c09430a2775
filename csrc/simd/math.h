// Elementary functions on packs of floats and doubles. All are within 2 units in the last place
// (docs/vector_math.md has the measured errors) and have the special values of C's <cmath>. What a
// lane gives depends on that lane alone.
#pragma once

#include "simd/math_core.h"
#include "simd/math_erf.h"
#include "simd/math_exp.h"
#include "simd/math_log.h"
#include "simd/math_pow.h"
#include "simd/math_trig.h"
