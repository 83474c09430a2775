// Words of the formulas that Pack and Tensor read alike: each once, as a template. What `where` does not
// select stays finite, so that the lines can be differentiated.
#pragma once

#include "formulas/constants.h"

namespace tapegrad::formulas::composed {

// tanh(ln(1 + e^x)) and its slope by n = e^-|x|, which keeps the digits of 1 - tanh.
constexpr auto mish_gate(auto x) {
    auto up = x > 0;
    auto n = exp(where(up, -x, x));
    auto rest = where(up, 1 + 2 * (n * (1 + n)), n * (n + 2) + 2);
    auto part = where(up, -2 * (n * n), n * (n + 2)) / rest;
    return where(up, 1 + part, part);
}
constexpr auto mish_gate_slope(auto x) {
    auto up = x > 0;
    auto n = exp(where(up, -x, x));
    auto rest = where(up, 1 + 2 * (n * (1 + n)), n * (n + 2) + 2);
    return 4 * (n * (1 + n)) * where(up, n, 1) / (rest * rest);
}

// (cos(pi x) - sinc(x)) / x, and around 0, where that cancels, the series of Taylor.
constexpr auto sinc_slope(auto x) {
    auto near = abs(x) < 0.5;
    auto z = where(near, x, 0), far = where(near, 1, x);
    auto t = z * z;
    auto series =
        z *
        (-3.2898681336964528729 +
         t * (3.2469697011334145745 +
              t * (-1.1445109447325052822 +
                   t * (0.20918278254123840404 +
                        t * (-0.023460810354558236375 +
                             t * (0.0017811455163728520442 +
                                  t * (-0.000097662231263189326643 +
                                       t * (4.0499478466192442422e-6 +
                                            t * (-1.3148481279991994635e-7 +
                                                 t * (3.4330769499642866037e-9 +
                                                      t * (-7.3658937770969467111e-11 +
                                                           t * (1.3217901389162317156e-12))))))))))));
    auto turn = far - 2 * round(far * 0.5);
    return where(near, series, (cos(turn * kPi) - sinc(far)) / far);
}

// I1(x) / x, and the same of e^-|x| I1(x); the series is DLMF 10.25.2.
constexpr auto i1_series(auto t) {
    return 0.5 +
           t * (0.25 +
                t * (0.041666666666666666667 +
                     t * (0.0034722222222222222222 +
                          t * (0.00017361111111111111111 +
                               t * (5.787037037037037037e-6 +
                                    t * (1.3778659611992945326e-7 +
                                         t * (2.4604749307130259511e-9 +
                                              t * (3.4173262926569804877e-11 +
                                                   t * (3.797029214063311653e-13 +
                                                        t * (3.4518447400575560481e-15))))))))));
}
constexpr auto i1_over_x(auto x) {
    auto near = abs(x) < 1;
    auto z = where(near, x, 0), far = where(near, 1, x);
    return where(near, i1_series(z * z * 0.25), i1(far) / far);
}
constexpr auto i1e_over_x(auto x) {
    auto near = abs(x) < 1;
    auto z = where(near, x, 0), far = where(near, 1, x);
    return where(near, exp(-abs(z)) * i1_series(z * z * 0.25), i1e(far) / far);
}
constexpr auto i1_slope(auto x) { return i0(x) - i1_over_x(x); }
constexpr auto i1e_slope(auto x) { return i0e(x) - (sign(x) * i1e(x) + i1e_over_x(x)); }

// 2 x erfcx(x) - 2 / sqrt(pi); for large x, where that cancels, by the expansion DLMF 7.12.1.
constexpr auto erfcx_slope(auto x) {
    auto large = x > 10;
    auto near = where(large, 0, x), inverse = 1 / where(large, x, 1);
    auto t = inverse * inverse * 0.5;
    auto series =
        1 - t * (3 - t * (15 - t * (105 - t * (945 - t * (10395 - t * (135135 - t * 2027025.0))))));
    return where(large, t * series * -kTwoOverSqrtPi, 2 * (near * erfcx(near)) - kTwoOverSqrtPi);
}

// The gradient of logaddexp's first operand is the logistic function of their difference; equal infinities
// have none.
constexpr auto difference(auto a, auto b) {
    auto level = (a == b) & isinf(a);
    return where(level, 0, a) - where(level, 0, b);
}

}  // namespace tapegrad::formulas::composed
