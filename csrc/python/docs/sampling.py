"""Docstrings of draws from distributions."""

from __future__ import annotations

import creation
import tensor

__all__ = ["DOCS", "METHODS"]

GENERATOR = creation.GENERATOR
RANDOM = creation.RANDOM
IN_PLACE = tensor.IN_PLACE

DOCS: dict[str, str] = {
    "normal(mean, std=1.0, *, generator=None)\n"
    "normal(mean, std, *, generator=None)\n"
    "normal(*, mean=0.0, std, generator=None)\n"
    f"normal(mean, std, size, {RANDOM})": f"""\
Normal random numbers with given means and standard deviations.

Args:
    mean: a number, or a tensor with a mean for each result.
    std: a number, or a tensor with a deviation for each result; shapes broadcast.
    size: a tuple or list of ints, if both are numbers.
{GENERATOR}

Raises:
    RuntimeError: for negative deviations.

Example:
    >>> tapegrad.normal(0.0, 1.0, (2, 3)).shape
    tapegrad.Size([2, 3])
""",
    "bernoulli(input, p=None, *, generator=None)": f"""\
Ones with given probabilities, otherwise zeros.

Args:
    input: a floating-point tensor of probabilities.
    p: one probability for all, in place of those. Default: None.
{GENERATOR}

Raises:
    RuntimeError: for probabilities outside of [0, 1].

Example:
    >>> tapegrad.bernoulli(tapegrad.tensor([0.0, 1.0]))
    tensor([0., 1.])
""",
    "multinomial(input, num_samples, replacement=False, *, generator=None)": f"""\
Indices drawn with probabilities in proportion to weights.

Args:
    input: a floating-point tensor of weights, (categories) or (rows, categories).
    num_samples: how many indices for each row.
    replacement: whether one index may be drawn again. Default: False.
{GENERATOR}

Returns:
    An int64 tensor, (num_samples) or (rows, num_samples).

Raises:
    RuntimeError: for negative weights, or more samples without replacement than categories.

Example:
    >>> tapegrad.multinomial(tapegrad.tensor([0.0, 1.0, 0.0]), 1)
    tensor([1])
""",
    "poisson(input, generator=None)": f"""\
Numbers of events, each of a Poisson distribution with the rate that stands in its place.

P(k) = exp(-rate) rate**k / k!; small rates by counting arrivals, others by Hormann's transformed
rejection ("The transformed rejection method for generating Poisson random variables", 1993).

Args:
    input: a floating-point tensor of rates.
{GENERATOR}

Returns:
    A tensor of the shape and dtype of ``input``. Its gradient is zero.

Raises:
    RuntimeError: for negative rates and NaN.
    NotImplementedError: for integers and bool.

Example:
    >>> tapegrad.poisson(tapegrad.tensor([0.0, 4.0])).shape
    tapegrad.Size([2])
""",
    "binomial(count, prob, generator=None)": f"""\
Numbers of successes in independent trials.

P(k) = count! / (k! (count - k)!) prob**k (1 - prob)**(count - k); few successes by counting the
trials between them, others by Hormann's transformed rejection ("The generation of binomial random
variates", 1993).

Args:
    count: a floating-point tensor of numbers of trials.
    prob: the probabilities of a success, of the same dtype; shapes broadcast. What is outside of
        [0, 1] counts as the nearer end.
{GENERATOR}

Raises:
    ValueError: for integers and bool.
    RuntimeError: for different dtypes.

Example:
    >>> tapegrad.binomial(tapegrad.tensor([3.0, 3.0]), tapegrad.tensor([0.0, 1.0]))
    tensor([0., 3.])
""",
    "_standard_gamma(input, generator=None)": f"""\
Variates of gamma distributions with given shapes and a scale of 1.

By Marsaglia and Tsang's "A simple method for generating gamma variables", 2000. The gradient is
the implicit one, of a variate whose quantile stays while the shape changes: Figurnov, Mohamed and
Mnih, "Implicit Reparameterization Gradients", 2018.

Args:
    input: a floating-point tensor of shapes.
{GENERATOR}

Returns:
    A tensor of the shape and dtype of ``input``; at least the smallest normal number, NaN for
    negative shapes.

Raises:
    NotImplementedError: for integers and bool.

Example:
    >>> tapegrad._C._standard_gamma(tapegrad.tensor([1.0, 1e6])).shape
    tapegrad.Size([2])
""",
    "_standard_gamma_grad(input, output)": """\
The derivative of a variate of a gamma distribution by its shape, at a fixed quantile.

-(dF / da) / f for the distribution function F and the density f of shape a.

Args:
    input: a floating-point tensor of shapes.
    output: the variates.

Example:
    >>> tapegrad._C._standard_gamma_grad(tapegrad.tensor([1.0]), tapegrad.tensor([1.0]))
    tensor([1.1736])
""",
    "_sample_dirichlet(input, generator=None)": f"""\
Variates of Dirichlet distributions, as gamma variates over their sum.

The sum is over the last dimension. The gradient is the implicit one (Figurnov, Mohamed and Mnih,
"Implicit Reparameterization Gradients", 2018).

Args:
    input: a floating-point tensor of concentrations.
{GENERATOR}

Raises:
    NotImplementedError: for integers and bool.

Example:
    >>> tapegrad._C._sample_dirichlet(tapegrad.tensor([1.0, 2.0, 3.0])).sum()
    tensor(1.)
""",
    "_dirichlet_grad(x, alpha, total)": """\
The derivative of a part of a Dirichlet variate by its concentration, over what the others have.

-(dF / da) / f / (1 - x) for the distribution function F and the density f of a beta distribution
with parameters ``alpha`` and ``total - alpha``.

Args:
    x: floating-point tensor of parts.
    alpha: their concentrations.
    total: the sums of all concentrations.

Example:
    >>> x, a, b = tapegrad.tensor([[0.5], [1.0], [2.0]])
    >>> tapegrad._C._dirichlet_grad(x, a, b)
    tensor([0.6931])
""",
}

METHODS: dict[str, str] = {
    "uniform_(from_=0.0, to=1.0, *, generator=None)": f"""\
Fill with uniform random numbers in [from, to), in place.

Args:
    from_: the lower end, given by position or as ``from``. Default: 0.0.
    to: the upper end. Default: 1.0.
{GENERATOR}

{IN_PLACE}
        If the ends are in the wrong order.
    NotImplementedError: for integers and bool.

Example:
    >>> tapegrad.zeros(2, 3).uniform_(-1, 1).shape
    tapegrad.Size([2, 3])
""",
    "normal_(mean=0.0, std=1.0, *, generator=None)": f"""\
Fill with normal random numbers, in place.

Args:
    mean: the mean. Default: 0.0.
    std: the standard deviation. Default: 1.0.
{GENERATOR}

{IN_PLACE}
        For a negative deviation.
    NotImplementedError: for integers and bool.

Example:
    >>> tapegrad.zeros(2, 3).normal_().shape
    tapegrad.Size([2, 3])
""",
    "bernoulli_(p=0.5, *, generator=None)": f"""\
Fill with ones at a probability and zeros otherwise, in place.

Args:
    p: a number, or a tensor of probabilities that broadcasts to this shape. Default: 0.5.
{GENERATOR}

{IN_PLACE}
        For probabilities outside of [0, 1].

Example:
    >>> tapegrad.zeros(3).bernoulli_(1.0)
    tensor([1., 1., 1.])
""",
    "random_(*, generator=None)\n"
    "random_(to, *, generator=None)\n"
    "random_(from_, to, *, generator=None)": f"""\
Fill with random integers, each equally likely, in place.

Without bounds, over all that the dtype holds exactly.

Args:
    from_: the smallest. Default: 0.
    to: above the largest.
{GENERATOR}

{IN_PLACE}
        If ``from`` is not below ``to``, or the dtype cannot hold the numbers.

Example:
    >>> tapegrad.zeros(3).random_(1)
    tensor([0., 0., 0.])
""",
    "exponential_(lambd=1.0, *, generator=None)": f"""\
Fill with numbers of the exponential distribution, in place.

The density is lambd exp(-lambd x) for positive x; 0 is never drawn.

Args:
    lambd: the rate, positive. Default: 1.0.
{GENERATOR}

{IN_PLACE}
        For a rate that is not positive, for integers and bool.

Example:
    >>> (tapegrad.zeros(100).exponential_(2.0) > 0).all()
    tensor(True)
""",
    "geometric_(p, *, generator=None)": f"""\
Fill with numbers of trials up to the first success, in place.

P(k) = (1 - p)**(k - 1) p for k = 1, 2, ...

Args:
    p: the probability of a success, in (0, 1).
{GENERATOR}

{IN_PLACE}
        For p outside of (0, 1).

Example:
    >>> (tapegrad.zeros(100).geometric_(0.5) >= 1).all()
    tensor(True)
""",
    "cauchy_(median=0.0, sigma=1.0, *, generator=None)": f"""\
Fill with numbers of the Cauchy distribution, in place.

The density is sigma / (pi ((x - median)**2 + sigma**2)).

Args:
    median: the median. Default: 0.0.
    sigma: half the width at half the height, positive. Default: 1.0.
{GENERATOR}

{IN_PLACE}
        For a width that is not positive, for integers and bool.

Example:
    >>> tapegrad.zeros(2, 3).cauchy_().shape
    tapegrad.Size([2, 3])
""",
    "log_normal_(mean=1.0, std=2.0, *, generator=None)": f"""\
Fill with exponentials of normal random numbers, in place.

Args:
    mean: the mean of the logarithms. Default: 1.0.
    std: their standard deviation, positive. Default: 2.0.
{GENERATOR}

{IN_PLACE}
        For a deviation that is not positive.
    NotImplementedError: for integers and bool.

Example:
    >>> (tapegrad.zeros(100).log_normal_() > 0).all()
    tensor(True)
""",
}
