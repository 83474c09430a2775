"""Derive the polynomial coefficients of the vector math headers.

Each fit is the polynomial of a given degree whose largest weighted error on an interval is the
smallest possible (the Remez exchange algorithm, run with mpmath in 200 digits); the coefficients
are then rounded to the precision in which they are used, lowest power first.

    python csrc/simd/fit_polynomials.py            # all fits, with their error in bits
    python csrc/simd/fit_polynomials.py sin_f64    # one of them
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import mpmath as mp
import numpy as np

mp.mp.dps = 200
Function = Callable[[mp.mpf], mp.mpf]


def remez(
    f: Function, weight: Function, low: float, high: float, degree: int, rounds: int = 30
) -> tuple[list[mp.mpf], mp.mpf]:
    """Return coefficients of the minimax polynomial and the largest weighted error."""
    low, high = mp.mpf(low), mp.mpf(high)
    given_weight = weight

    def weight(x: mp.mpf) -> mp.mpf:  # never quite 0: the exchange divides by it
        return max(abs(given_weight(x)), mp.mpf("1e-4"))

    count = degree + 2
    middle, radius = (low + high) / 2, (high - low) / 2
    nodes = [middle - radius * mp.cos(mp.pi * i / (count - 1)) for i in range(count)]
    grid = [middle - radius * mp.cos(mp.pi * i / (40 * count)) for i in range(40 * count + 1)]
    target = [f(x) for x in grid]
    weights = [weight(x) for x in grid]
    for _ in range(rounds):
        # Powers of the scaled variable keep the system well conditioned.
        rows = mp.matrix(count, count)
        right = mp.matrix(count, 1)
        for i, x in enumerate(nodes):
            scaled = (x - middle) / radius
            for j in range(degree + 1):
                rows[i, j] = scaled**j
            rows[i, degree + 1] = (-1) ** i / weight(x)
            right[i] = f(x)
        solution = mp.lu_solve(rows, right)
        scaled_poly = [solution[j] for j in range(degree + 1)][::-1]
        level = abs(solution[degree + 1])
        errors = [
            w * (mp.polyval(scaled_poly, (x - middle) / radius) - y)
            for x, y, w in zip(grid, target, weights, strict=True)
        ]
        # One extremum per run of equal sign.
        extrema: list[int] = []
        for i, e in enumerate(errors):
            if e == 0:
                continue
            if extrema and (errors[extrema[-1]] > 0) == (e > 0):
                if abs(e) > abs(errors[extrema[-1]]):
                    extrema[-1] = i
            else:
                extrema.append(i)
        while len(extrema) > count:
            smaller_end = 0 if abs(errors[extrema[0]]) < abs(errors[extrema[-1]]) else -1
            del extrema[smaller_end]
        worst = max(abs(e) for e in errors)
        if len(extrema) < count or worst < level * mp.mpf("1.001"):
            break
        nodes = [grid[i] for i in extrema]
    # Back from the scaled variable to x by Taylor shift.
    coefficients = [mp.mpf(0)] * (degree + 1)
    for j, c in enumerate(scaled_poly[::-1]):
        for k in range(j + 1):
            coefficients[k] += c / radius**j * mp.binomial(j, k) * (-middle) ** (j - k)
    return coefficients, worst


def fits() -> dict[str, tuple[str, Function, Function, float, float, int]]:
    """Return name -> (element type, function, weight, low, high, degree)."""
    half_ln2 = mp.log(2) / 2 * mp.mpf("1.002")
    tiny = mp.mpf(10) ** -30

    def away(x: mp.mpf) -> mp.mpf:
        return x if abs(x) > tiny else tiny

    def exp_rest(x: mp.mpf) -> mp.mpf:  # (e**x - 1 - x) / x**2
        x = away(x)
        return (mp.expm1(x) - x) / x**2

    def log_rest(x: mp.mpf) -> mp.mpf:  # (log(1 + x) - x + x**2 / 2) / x**3
        x = away(x)
        return (mp.log1p(x) - x + x**2 / 2) / x**3

    def log_atanh(z: mp.mpf) -> mp.mpf:  # (2 atanh(s) - 2 s) / s**3, z = s**2
        s = mp.sqrt(away(z))
        return (2 * mp.atanh(s) - 2 * s) / s**3

    def log_atanh_rest(z: mp.mpf) -> mp.mpf:  # (2 atanh(s) - 2 s - 2/3 s**3) / s**5
        s = mp.sqrt(away(z))
        return (2 * mp.atanh(s) - 2 * s - 2 * s**3 / 3) / s**5

    def sin_rest(z: mp.mpf) -> mp.mpf:  # (sin x - x) / x**3
        x = mp.sqrt(away(z))
        return (mp.sin(x) - x) / x**3

    def cos_rest(z: mp.mpf) -> mp.mpf:  # (cos x - 1 + x**2 / 2) / x**4
        x = mp.sqrt(away(z))
        return (mp.cos(x) - 1 + x**2 / 2) / x**4

    def asin_rest(z: mp.mpf) -> mp.mpf:
        x = mp.sqrt(away(z))
        return (mp.asin(x) - x) / x**3

    def atan_rest(z: mp.mpf) -> mp.mpf:
        x = mp.sqrt(away(z))
        return (mp.atan(x) - x) / x**3

    def sinh_rest(z: mp.mpf) -> mp.mpf:
        x = mp.sqrt(away(z))
        return (mp.sinh(x) - x) / x**3

    def tanh_rest(z: mp.mpf) -> mp.mpf:
        x = mp.sqrt(away(z))
        return (mp.tanh(x) - x) / x**3

    def erf_small(z: mp.mpf) -> mp.mpf:  # erf(x) / x
        x = mp.sqrt(away(z))
        return mp.erf(x) / x

    def erf_small_rest(z: mp.mpf) -> mp.mpf:  # erf(x) / x - 1
        return erf_small(z) - 1

    def log_erfc(x: mp.mpf) -> mp.mpf:
        return mp.log(mp.erfc(x))

    def erfcx(k: int) -> Function:  # (a + k) exp(a**2) erfc(a), u = (a - k) / (a + k)
        def f(u: mp.mpf) -> mp.mpf:
            a = k * (1 + u) / (1 - u)
            return (a + k) * mp.exp(a * a) * mp.erfc(a)

        return f

    def erfcx_range(k: int, high: float) -> tuple[mp.mpf, mp.mpf]:
        return mp.mpf(-1), (mp.mpf(high) - k) / (mp.mpf(high) + k)

    def erfcx_slope(u: mp.mpf) -> mp.mpf:  # the logarithmic derivative of erfcx(4)
        h = mp.mpf(10) ** -20
        return (erfcx(4)(u + h) / erfcx(4)(u) - 1) / h

    def one(x: mp.mpf) -> mp.mpf:
        return mp.mpf(1)

    def bessel_small(n: int) -> Function:  # I_n(x) / (x / 2)**n, z = (x / 2)**2
        def f(z: mp.mpf) -> mp.mpf:
            return mp.hyp0f1(n + 1, z) / mp.factorial(n)

        return f

    def bessel_large(n: int) -> Function:  # sqrt(x) exp(-x) I_n(x), u = 24 / x - 1
        def f(u: mp.mpf) -> mp.mpf:
            if u + 1 < tiny:
                return 1 / mp.sqrt(2 * mp.pi)
            x = 24 / (u + 1)
            return mp.sqrt(x) * mp.exp(-x) * mp.besseli(n, x)

        return f

    digamma_root = mp.findroot(mp.digamma, mp.mpf("1.46163214496836234"))

    def digamma_middle(u: mp.mpf) -> mp.mpf:  # digamma(x) / (x - root), u = 2 x - 3
        x = (u + 3) / 2
        if abs(x - digamma_root) < tiny:
            return mp.polygamma(1, digamma_root)
        return mp.digamma(x) / (x - digamma_root)

    def erfinv_small(z: mp.mpf) -> mp.mpf:  # erfinv(x) / x, z = x**2
        x = mp.sqrt(away(z))
        return mp.erfinv(x) / x

    def normal_tail(v: mp.mpf) -> mp.mpf:  # z / s with Phi(-z) = q, s = sqrt(-2 ln q), v = 1 / s
        s = 1 / v
        z = s - mp.log(2 * mp.pi * s * s) / (2 * s)
        for _ in range(60):  # Newton's method for the logarithm
            tail = mp.erfc(z / mp.sqrt(2)) / 2
            step = (mp.log(tail) + s * s / 2) * tail * mp.sqrt(2 * mp.pi) * mp.exp(z * z / 2)
            z += step
            if abs(step) < tiny:
                break
        return z / s

    quarter_pi2 = (mp.pi / 4) ** 2 * mp.mpf("1.002")
    low_log, high_log = mp.sqrt(mp.mpf("0.5")) - 1, mp.sqrt(2) - 1
    s2 = (high_log / (2 + high_log)) ** 2 * mp.mpf("1.002")

    return {
        "expm1_f32": (
            "f",
            exp_rest,
            lambda x: x**2 / mp.expm1(away(x)),
            -half_ln2,
            half_ln2,
            5,
        ),
        "log_f32": ("f", log_rest, lambda x: x**3 / mp.log1p(away(x)), low_log, high_log, 8),
        "erf_f32": ("f", erf_small_rest, lambda z: 1 / erf_small(z), 0, mp.mpf("0.9") ** 2, 5),
        "log_erfc_f32": ("f", log_erfc, lambda x: mp.erfc(x), mp.mpf("0.85"), mp.mpf("4.05"), 8),
        "sin_f32": ("d", sin_rest, lambda z: z, 0, quarter_pi2, 2),
        "cos_f32": ("d", cos_rest, lambda z: z**2, 0, quarter_pi2, 2),
        "expm1_f64": ("d", exp_rest, lambda x: x**2 / mp.expm1(away(x)), -half_ln2, half_ln2, 10),
        "log_f64": ("d", log_atanh, lambda z: z, 0, s2, 6),
        "log_f64_rest": ("d", log_atanh_rest, lambda z: z**2, 0, s2, 7),
        "sin_f64": ("d", sin_rest, lambda z: z, 0, quarter_pi2, 5),
        "cos_f64": ("d", cos_rest, lambda z: z**2, 0, quarter_pi2, 5),
        "asin_f64": ("d", asin_rest, lambda z: z, 0, mp.mpf("0.251"), 12),
        "atan_f64": ("d", atan_rest, lambda z: z, 0, (mp.sqrt(2) - 1) ** 2, 11),
        "sinh_f64": ("d", sinh_rest, lambda z: z, 0, 1, 6),
        "tanh_f32": ("f", tanh_rest, lambda z: z, 0, mp.mpf("0.56") ** 2, 4),
        "tanh_f64": ("d", tanh_rest, lambda z: z, 0, mp.mpf("0.56") ** 2, 11),
        "erf_f64": ("d", erf_small, lambda z: 1 / erf_small(z), 0, mp.mpf("1.0"), 12),
        "erfcx_f32": ("d", erfcx(3), lambda u: 1 / erfcx(3)(u), *erfcx_range(3, 10.5), 10),
        "erfcx_f64": ("d", erfcx(4), lambda u: 1 / erfcx(4)(u), *erfcx_range(4, 28), 22),
        "i0_small": ("d", bessel_small(0), lambda z: 1 / bessel_small(0)(z), 0, 36, 18),
        "i1_small": ("d", bessel_small(1), lambda z: 1 / bessel_small(1)(z), 0, 36, 18),
        "i0_large": ("d", bessel_large(0), lambda u: 1 / bessel_large(0)(u), -1, 1, 18),
        "i1_large": ("d", bessel_large(1), lambda u: 1 / bessel_large(1)(u), -1, 1, 18),
        "digamma": ("d", digamma_middle, lambda u: 1 / digamma_middle(u), -1, 1, 21),
        "erfinv": ("d", erfinv_small, lambda z: 1 / erfinv_small(z), 0, mp.mpf("0.57"), 8),
        "normal_tail": (
            "d",
            normal_tail,
            lambda v: 1 / normal_tail(v),
            mp.mpf("0.0258"),
            mp.mpf("0.61"),
            9,
        ),
        "erfcx_slope": ("d", erfcx_slope, one, *erfcx_range(4, 28), 3),
    }


def main() -> None:
    """Print the fits that are named on the command line, or all."""
    wanted = sys.argv[1:]
    for name, (kind, f, weight, low, high, degree) in fits().items():
        if wanted and name not in wanted:
            continue
        coefficients, error = remez(f, weight, low, high, degree)
        print(f"// {name}: degree {degree}, weighted error 2^{float(mp.log(error, 2)):.1f}")
        dtype = np.float32 if kind == "f" else np.float64
        suffix = "f" if kind == "f" else ""
        for c in coefficients:
            rounded = float(dtype(str(mp.nstr(c, 40))))
            print(f"    {float.hex(rounded)}{suffix},  // {mp.nstr(c, 17)}")


if __name__ == "__main__":
    main()
