// Functions on packs of floats and doubles. The elementary ones are within 2 units in the last place, the
// special ones within a few (docs/vector_math.md has the measured errors), and all have the special values
// of C's <cmath>. What a lane gives depends on that lane alone.
#pragma once

#include "simd/math_bessel.h"
#include "simd/math_core.h"
#include "simd/math_erf.h"
#include "simd/math_exp.h"
#include "simd/math_gamma.h"
#include "simd/math_hyperbolic.h"
#include "simd/math_implicit.h"
#include "simd/math_log.h"
#include "simd/math_normal.h"
#include "simd/math_pow.h"
#include "simd/math_trig.h"
