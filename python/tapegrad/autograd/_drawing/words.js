// The words of the formulas that are no formulas themselves: functions of numbers, in double precision. The
// others come from the engine (csrc/formulas/javascript.h).

const { abs, exp, expm1, log, log2, log10, log1p, sqrt, sin, cos, tan, asin, acos, atan, atan2,
        sinh, cosh, tanh, asinh, acosh, atanh, floor, ceil, trunc, sign, hypot } = Math;
const isnan = Number.isNaN;
const isinf = (x) => abs(x) === Infinity;
const where = (condition, a, b) => (condition ? a : b);
const exp2 = (x) => 2 ** x;
const rsqrt = (x) => 1 / sqrt(x);
const copysign = (x, y) => (y < 0 || Object.is(y, -0) ? -abs(x) : abs(x));
const ldexp = (x, n) => x * 2 ** n;
const maximum = (a, b) => (isnan(a) || isnan(b) ? NaN : a > b ? a : b);
const minimum = (a, b) => (isnan(a) || isnan(b) ? NaN : a < b ? a : b);

// To the nearest integer, of two the even one.
function round(x) {
  const lower = floor(x), rest = x - lower;
  if (rest !== 0.5) return rest < 0.5 ? lower : lower + 1;
  return lower % 2 === 0 ? lower : lower + 1;
}
// As C's and NumPy's: 1 ** b is 1 for every b.
const pow = (a, b) => (a === 1 ? 1 : a ** b);
const fmod = (a, b) => a % b;
function remainder(a, b) {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}
// Of the exact quotient: a / b rounds, and may reach the next integer.
const trunc_quotient = (a, b) => round((a - (a % b)) / b);
const floor_quotient = (a, b) => round((a - remainder(a, b)) / b);
function nextafter(a, b) {
  if (isnan(a) || isnan(b)) return NaN;
  if (a === b) return b;
  if (a === 0) return b > 0 ? Number.MIN_VALUE : -Number.MIN_VALUE;
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, a);
  const step = b > a === a > 0 ? 1n : -1n;
  view.setBigInt64(0, view.getBigInt64(0) + step);
  return view.getFloat64(0);
}

const sigmoid = (x) => (x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)));
const softplus = (x) => maximum(x, 0) + log1p(exp(-abs(x)));
const logistic = sigmoid;
const logistic_rest = (s, x) => sigmoid(-x);
const pow_slope = (a, b) => (b === 0 ? 0 : b * pow(a, b - 1));
function over_squares(a, b) {
  const size = maximum(abs(a), abs(b));
  return size === 0 ? 0 : a / size / (a * (a / size) + b * (b / size));
}
function sinc(x) {
  if (x === 0) return 1;
  const turn = x - 2 * round(x / 2); // sin has no digits left for large arguments
  return sin(turn * Math.PI) / (x * Math.PI);
}

// ------------------------------------------------------------------ the error function and its kin

// The series 2 / sqrt(pi) sum x (2 x^2)^n / (2 n + 1)!! e^(-x^2), whose terms have one sign (DLMF 7.6.2), and
// for erfcx the continued fraction of Laplace (DLMF 7.9.1).
const TWO_OVER_SQRT_PI = 2 / sqrt(Math.PI);
function erf_series(x) {
  let term = x, sum = x;
  for (let n = 1; abs(term) > 1e-18 * abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return TWO_OVER_SQRT_PI * exp(-x * x) * sum;
}
function erfcx_fraction(x) {
  const terms = 20 + ceil(400 / (x * x));
  let rest = 0;
  for (let n = terms; n > 0; n--) rest = n / 2 / (x + rest);
  return 1 / (sqrt(Math.PI) * (x + rest));
}
// e^(-x^2) with the rounding error of the square.
function exp_of_square(x, sign) {
  const high = Math.fround(x), low = x - high;
  return exp(sign * high * high) * exp(sign * low * (high + x));
}
const FRACTION_FROM = 1.75;
const erf = (x) => (abs(x) < FRACTION_FROM ? erf_series(x) : x < 0 ? -1 + erfc(-x) : 1 - erfc(x));
const erfc = (x) =>
  x < 0.5 ? 1 - erf(x)
  : x < FRACTION_FROM ? erfcx(x) * exp_of_square(x, -1)
  : exp_of_square(x, -1) * erfcx_fraction(x);
function erfcx(x) {
  if (isnan(x)) return x;
  if (x >= FRACTION_FROM) return erfcx_fraction(x);
  if (x < 0) return 2 * exp_of_square(x, 1) - erfcx(-x);
  // The differential equation y' = 2 x y - 2 / sqrt(pi), in steps of Taylor's series down from 2.
  let at = 2, y = erfcx_fraction(2);
  while (at !== x) {
    const step = maximum(x - at, -0.25), slopes = [y];
    let sum = y, power = 1;
    for (let n = 0; n < 30; n++) {
      slopes.push((2 * at * slopes[n] + (n ? 2 * slopes[n - 1] : -TWO_OVER_SQRT_PI)) / (n + 1));
      power *= step;
      sum += slopes[n + 1] * power;
    }
    y = sum;
    at = maximum(at + step, x);
  }
  return y;
}
const normal_cdf = (x) => 0.5 * erfc(-x * Math.SQRT1_2);
const normal_pdf = (x) => exp_of_square(x * Math.SQRT1_2, -1) / sqrt(2 * Math.PI);
const log_ndtr = (x) =>
  x < -1 ? log(0.5 * erfcx(-x * Math.SQRT1_2)) - 0.5 * x * x
  : x > 0 ? log1p(-normal_cdf(-x)) : log(normal_cdf(x));

// x with ln Phi(x) = goal, by Newton's method from the tail's first approximation.
function normal_quantile(goal) {
  let x = goal < -1 ? -sqrt(-2 * goal) : 0;
  for (let i = 0; i < 60; i++) {
    const mills = sqrt(Math.PI / 2) * erfcx(-x * Math.SQRT1_2); // Phi / density
    const step = (goal - log_ndtr(x)) * mills;
    x += step;
    if (abs(step) < 1e-16 * abs(x)) break;
  }
  return x;
}
function ndtri(p) {
  if (!(p >= 0 && p <= 1)) return NaN;
  if (p === 0 || p === 1) return p ? Infinity : -Infinity;
  if (abs(p - 0.5) < 0.3) return Math.SQRT2 * erfinv(2 * p - 1);
  return p < 0.5 ? normal_quantile(log(p)) : -normal_quantile(log(1 - p));
}
function erfinv(x) {
  if (!(abs(x) <= 1)) return NaN;
  if (abs(x) === 1) return x * Infinity;
  if (abs(x) > 0.7) return copysign(normal_quantile(log(0.5 * (1 - abs(x)))) * Math.SQRT1_2, x);
  let y = x / TWO_OVER_SQRT_PI;
  for (let i = 0; i < 30; i++) {
    const step = ((erf(y) - x) * exp(y * y)) / TWO_OVER_SQRT_PI;
    y -= step / (1 + y * step);
    if (abs(step) <= 1e-17 * abs(y)) break;
  }
  return y;
}

// ------------------------------------------------------------------------------ gamma functions

// Bernoulli's numbers B(2), B(4), ...
const BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510,
                   43867 / 798, -174611 / 330];
const STIRLING_FROM = 16;
// Stirling's series (DLMF 5.11.1) of large arguments; smaller ones come there by steps of 1.
function lgamma(x) {
  if (x <= 0) {
    if (floor(x) === x) return Infinity;
    const turn = x - 2 * round(x / 2);
    return log(Math.PI / abs(sin(turn * Math.PI))) - lgamma(1 - x);
  }
  if (x === Infinity) return x;
  if (abs(x - 1) < 0.35) return lgamma_near_two(x - 1) - log1p(x - 1);
  if (abs(x - 2) < 0.35) return lgamma_near_two(x - 2);
  let product = 1;
  for (; x < STIRLING_FROM; x++) product *= x;
  let rest = 0;
  BERNOULLI.forEach((b, i) => (rest += b / ((2 * i + 2) * (2 * i + 1) * x ** (2 * i + 1))));
  return (x - 0.5) * log(x) - x + 0.5 * log(2 * Math.PI) + rest - log(product);
}
// ln Gamma(2 + z) for small z (DLMF 5.7.3).
function lgamma_near_two(z) {
  let sum = z * 0.42278433509846713, power = -z;
  for (let n = 2; n < 40; n++) {
    power *= -z;
    sum += (power * zeta(n, 2)) / n;
  }
  return sum;
}
function digamma(x) {
  if (x === 0) return -1 / x;
  if (x < 0) {
    const turn = x - round(x);
    if (turn === 0) return NaN;
    return digamma(1 - x) - Math.PI / tan(turn * Math.PI);
  }
  // Around the root 1.4616..., where all else cancels.
  const near = x - DIGAMMA_ROOT - DIGAMMA_ROOT_REST;
  if (abs(near) < 0.25) {
    let sum = 0, power = -1;
    for (let n = 1; n < 40; n++) {
      power *= -near;
      sum += power * zeta(n + 1, DIGAMMA_ROOT);
    }
    return sum;
  }
  let steps = 0;
  for (; x < STIRLING_FROM; x++) steps += 1 / x;
  let rest = 0.5 / x;
  BERNOULLI.forEach((b, i) => (rest += b / ((2 * i + 2) * x ** (2 * i + 2))));
  return log(x) - rest - steps;
}
const DIGAMMA_ROOT = 1.4616321449683622, DIGAMMA_ROOT_REST = 9.549995429965697e-17;

// The sum of (q + k) ** -s over all k, by the formula of Euler and Maclaurin (DLMF 25.11.5).
function zeta_positive(s, q) {
  let sum = 0;
  for (; q < STIRLING_FROM + 0.5 * s; q++) {
    const term = q ** -s;
    sum += term;
    if (term < 1e-19 * sum) return sum;
  }
  sum += q ** (1 - s) / (s - 1) + 0.5 * q ** -s;
  let factor = (s * q ** -s) / q;
  BERNOULLI.forEach((b, i) => {
    const n = 2 * i + 2;
    sum += (b / factorial(n)) * factor;
    factor *= ((s + n - 1) / q) * ((s + n) / q);
  });
  return sum;
}
function factorial(n) {
  let product = 1;
  for (let i = 2; i <= n; i++) product *= i;
  return product;
}
function zeta(s, q) {
  if (!(s >= 1) || isnan(q)) return NaN;
  if (s === 1) return Infinity;
  if (q > 0) return zeta_positive(s, q);
  if (floor(q) === q) return Infinity;
  if (floor(s) !== s) return NaN;
  const steps = ceil(-q);
  let sum = zeta_positive(s, q + steps);
  for (let k = 0; k < steps; k++) sum += (q + k) ** -s;
  return sum;
}
const polygamma = (n, x) =>
  n === 0 ? digamma(x) : (n % 2 ? 1 : -1) * factorial(n) * zeta(n + 1, x);

// ---------------------------------------------------------- modified Bessel functions (DLMF 10.25.2)

// e^-|x| I_n(x): the power series, and for large arguments the expansion DLMF 10.40.1.
function scaled_bessel(n, x) {
  const a = abs(x), t = a / 2;
  let sum = 1, term = 1;
  if (a < 40) {
    for (let k = 1; term > 1e-18 * sum; k++) {
      term *= (t * t) / (k * (k + n));
      sum += term;
    }
    return sum * exp(-a) * t ** n;
  }
  for (let k = 1; k < 30; k++) {
    term *= -(4 * n * n - (2 * k - 1) ** 2) / (8 * a * k);
    sum += term;
  }
  return sum / sqrt(2 * Math.PI * a);
}
const i0e = (x) => scaled_bessel(0, x);
const i1e = (x) => sign(x) * scaled_bessel(1, x);
const i0 = (x) => exp(abs(x)) * i0e(x);
const i1 = (x) => exp(abs(x)) * i1e(x);
