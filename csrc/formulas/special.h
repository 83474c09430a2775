// Special functions and what is rarer; see unary.h for how the lines are read.
#pragma once

#include "formulas/activations.h"
#include "formulas/constants.h"
#include "formulas/traits.h"

namespace tapegrad::formulas {

struct Asinh {
    static constexpr auto forward(auto x) { return asinh(x); }
    static constexpr auto backward(auto g, auto x, auto) { return g / hypot(x, 1); }
};
struct Acosh {
    static constexpr auto forward(auto x) { return acosh(x); }
    static constexpr auto backward(auto g, auto x, auto) {
        return g * (rsqrt(abs(x) - 1) * rsqrt(abs(x) + 1));  // the square may be infinite
    }
};
struct Atanh {
    static constexpr auto forward(auto x) { return atanh(x); }
    static constexpr auto backward(auto g, auto x, auto) {
        return g * ((1 / (1 - x) + 1 / (1 + x)) * 0.5);
    }
};
struct Frac {
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr auto cost = Cost::Light;
    static constexpr auto forward(auto x) { return x - trunc(x); }
    static constexpr auto backward(auto g, auto, auto) { return g; }
};
struct Sgn {  // sign, until there are complex numbers
    static constexpr auto domain = Domain::Numbers;
    static constexpr bool bools = true;
    static constexpr auto forward(auto x) { return sign(x); }
    static constexpr auto backward(auto g, auto, auto) { return zero_like(g); }
};
struct Deg2rad {
    static constexpr auto cost = Cost::Light;
    static constexpr auto node = "Deg2RadBackward0";
    static constexpr auto forward(auto x) { return x * kRadian; }
    static constexpr auto backward(auto g, auto, auto) { return g * kRadian; }
};
struct Rad2deg {
    static constexpr auto cost = Cost::Light;
    static constexpr auto node = "Rad2DegBackward0";
    static constexpr auto forward(auto x) { return x * kDegree; }
    static constexpr auto backward(auto g, auto, auto) { return g * kDegree; }
};
struct Angle {  // of the number in the complex plane
    static constexpr auto cost = Cost::Light;
    static constexpr auto forward(auto x) { return where(x < 0, kPi, where(isnan(x), x, 0)); }
    static constexpr auto backward(auto g, auto, auto) { return zero_like(g); }
};
struct Sinc {
    static constexpr auto forward(auto x) { return sinc(x); }
    static constexpr auto backward(auto g, auto x, auto) { return g * sinc_slope(x); }
};
struct Logit {
    static constexpr auto forward(auto x) {
        // Around 1/2, where it is 0, 2 x - 1 is exact.
        return where(abs(x - 0.5) < 0.25, log1p((2 * x - 1) / (1 - x)), log(x / (1 - x)));
    }
    static constexpr auto backward(auto g, auto x, auto) {
        return where((x < 0) | (x > 1), kNan, g / (x * (1 - x)));
    }
};
struct LogitEps {
    static constexpr auto kernel = "logit_cpu";
    static constexpr auto node = "LogitBackward0";
    static constexpr bool internal = true;
    static constexpr const char* parameters[] = {"eps"};
    static constexpr auto forward(auto x, auto eps) {
        return Logit::forward(where(x < eps, eps, where(x > 1 - eps, 1 - eps, x)));
    }
    static constexpr auto backward(auto g, auto x, auto, auto eps) {
        auto outside = (x < eps) | (x > 1 - eps);
        auto z = where(outside, 0.5, x);
        return where(outside, zero_like(g), g / (z * (1 - z)));
    }
};
struct Erfinv {
    static constexpr auto forward(auto x) { return erfinv(x); }
    static constexpr auto backward(auto g, auto, auto y) { return g * (exp(y * y) * kHalfSqrtPi); }
};
struct Erfcx {
    static constexpr bool special = true;
    static constexpr auto node = "SpecialErfcxBackward0";
    static constexpr auto forward(auto x) { return erfcx(x); }
    static constexpr auto backward(auto g, auto x, auto) { return g * erfcx_slope(x); }
};
struct Ndtri {
    static constexpr bool special = true;
    static constexpr auto node = "SpecialNdtriBackward0";
    static constexpr auto forward(auto x) { return ndtri(x); }
    static constexpr auto backward(auto g, auto, auto y) {
        return g * (exp(y * y * 0.5) * kSqrtTwoPi);
    }
};
struct LogNdtr {
    static constexpr bool special = true;
    static constexpr auto node = "SpecialLogNdtrBackward0";
    static constexpr auto forward(auto x) { return log_ndtr(x); }
    // The density by the distribution function.
    static constexpr auto backward(auto g, auto x, auto) {
        return g * (kSqrtTwoOverPi / erfcx(x * -kSqrtHalf));
    }
};
struct Ndtr {
    static constexpr bool special = true;
    static constexpr auto node = "SpecialNdtrBackward0";
    static constexpr auto forward(auto x) { return normal_cdf(x); }
    static constexpr auto backward(auto g, auto x, auto) { return g * normal_pdf(x); }
};
struct Entr {
    static constexpr bool special = true;
    static constexpr auto node = "SpecialEntrBackward0";
    static constexpr auto forward(auto x) {
        return where(x > 0, -(x * log(x)), where(x < 0, -kInfinity, x));
    }
    static constexpr auto backward(auto g, auto x, auto) { return g * (-1 - log(x)); }
};
struct Lgamma {
    static constexpr auto forward(auto x) { return lgamma(x); }
    static constexpr auto backward(auto g, auto x, auto) { return g * digamma(x); }
};
struct Digamma {
    static constexpr auto forward(auto x) { return digamma(x); }
    static constexpr auto backward(auto g, auto x, auto) { return g * polygamma(1, x); }
};
struct Polygamma {
    static constexpr bool internal = true;
    static constexpr const char* parameters[] = {"n"};
    static constexpr auto forward(auto x, auto n) { return polygamma(n, x); }
    static constexpr auto backward(auto g, auto x, auto, auto n) { return g * polygamma(n + 1, x); }
};
// Modified Bessel functions of the first kind; DLMF 10.29.
struct I0 {
    static constexpr auto forward(auto x) { return i0(x); }
    static constexpr auto backward(auto g, auto x, auto) { return g * i1(x); }
};
struct I0e {
    static constexpr bool special = true;
    static constexpr auto node = "SpecialI0EBackward0";
    static constexpr auto forward(auto x) { return i0e(x); }
    static constexpr auto backward(auto g, auto x, auto) { return g * (i1e(x) - sign(x) * i0e(x)); }
};
struct I1 {
    static constexpr bool special = true;
    static constexpr auto node = "SpecialI1Backward0";
    static constexpr auto forward(auto x) { return i1(x); }
    static constexpr auto backward(auto g, auto x, auto) { return g * i1_slope(x); }
};
struct I1e {
    static constexpr bool special = true;
    static constexpr auto node = "SpecialI1EBackward0";
    static constexpr auto forward(auto x) { return i1e(x); }
    static constexpr auto backward(auto g, auto x, auto) { return g * i1e_slope(x); }
};

}  // namespace tapegrad::formulas
