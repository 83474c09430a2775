"""Transforms, constraints, and the ways from one to the other."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from both import both
from support import array, raises
from tapegrad import distributions as dist
from tapegrad.distributions import constraints, transforms


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


REAL, VECTOR, MATRIX = numbers(2, 3), numbers(2, 3), numbers(2, 3, 3)
POSITIVE = np.exp(REAL)

# The transform, made of either library, and an argument.
TRANSFORMS: dict[str, tuple[Callable[[Any, Any], Any], np.ndarray]] = {
    "abs": (lambda t, lib: t.AbsTransform(), POSITIVE),
    "affine": (lambda t, lib: t.AffineTransform(0.5, -2.0), REAL),
    "affine tensor": (
        lambda t, lib: t.AffineTransform(lib.zeros(3).double(), lib.arange(1.0, 4.0).double()),
        REAL,
    ),
    "affine vector": (lambda t, lib: t.AffineTransform(0.5, -2.0, event_dim=1), VECTOR),
    "cat": (
        lambda t, lib: t.CatTransform([t.ExpTransform(), t.identity_transform], 1, [1, 2]),
        REAL,
    ),
    "cat from the end": (
        lambda t, lib: t.CatTransform([t.ExpTransform(), t.TanhTransform()], -1, [2, 1]),
        REAL,
    ),
    "compose": (
        lambda t, lib: t.ComposeTransform([t.AffineTransform(1.0, 2.0), t.SigmoidTransform()]),
        REAL,
    ),
    "compose of vectors": (
        lambda t, lib: t.ComposeTransform(
            [t.AffineTransform(1.0, 2.0), t.StickBreakingTransform(), t.ExpTransform()]
        ),
        VECTOR,
    ),
    "corr_cholesky": (lambda t, lib: t.CorrCholeskyTransform(), VECTOR),
    "cdf": (
        lambda t, lib: t.CumulativeDistributionTransform(lib.distributions.Normal(0.5, 2.0)),
        REAL,
    ),
    "exp": (lambda t, lib: t.ExpTransform(), REAL),
    "inverse": (lambda t, lib: t.ExpTransform().inv, POSITIVE),
    "identity": (lambda t, lib: t.identity_transform, REAL),
    "independent": (lambda t, lib: t.IndependentTransform(t.ExpTransform(), 1), REAL),
    "lower_cholesky": (lambda t, lib: t.LowerCholeskyTransform(), MATRIX),
    "positive_definite": (lambda t, lib: t.PositiveDefiniteTransform(), MATRIX),
    "power": (lambda t, lib: t.PowerTransform(lib.tensor(-1.5).double()), POSITIVE),
    "reshape": (lambda t, lib: t.ReshapeTransform((3,), (1, 3)), VECTOR),
    "sigmoid": (lambda t, lib: t.SigmoidTransform(), REAL),
    "softmax": (lambda t, lib: t.SoftmaxTransform(), VECTOR),
    "softplus": (lambda t, lib: t.SoftplusTransform(), REAL),
    "stack": (
        lambda t, lib: t.StackTransform([t.ExpTransform(), t.AffineTransform(1.0, 2.0)], 0),
        REAL,
    ),
    "stack of vectors": (
        lambda t, lib: t.StackTransform([t.StickBreakingTransform()] * 2, -2),
        VECTOR,
    ),
    "stick_breaking": (lambda t, lib: t.StickBreakingTransform(), VECTOR),
    "tanh": (lambda t, lib: t.TanhTransform(), REAL),
}


def make(name: str, lib: Any = tg) -> tuple[Any, Any]:
    factory, values = TRANSFORMS[name]
    return factory(lib.distributions.transforms, lib), lib.from_numpy(values.copy())


# PyTorch's stack of vectors asks for a dimension that is gone.
NO_VOLUME = ("abs", "softmax", "lower_cholesky", "positive_definite", "stack of vectors")

every = pytest.mark.parametrize("name", TRANSFORMS)


@every
def test_as_in_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
    found = []
    for lib in (tg, torch):
        t, x = make(name, lib)
        x.requires_grad_()
        y = t(x)
        rows = [y, t.inv(y)]
        if name not in NO_VOLUME:
            rows.append(t.log_abs_det_jacobian(x, y))
        weights = [lib.from_numpy(numbers(*row.shape, seed=5)) for row in rows]
        total = sum((row * weight).sum() for row, weight in zip(rows, weights))
        rows.extend(lib.autograd.grad(total, x, allow_unused=True))
        properties = [t, t.bijective]
        if "cat" not in name:
            properties += [t.domain, t.codomain, t.domain.event_dim, t.codomain.event_dim]
            if not name.startswith("stack"):
                properties += [t.forward_shape(x.shape), t.inverse_shape(y.shape)]
        try:
            properties.append(t.sign)
        except NotImplementedError:
            properties.append("none")
        found.append(([str(p).replace("torch.", "tapegrad.") for p in properties], rows))
    (ours, got), (theirs, want) = found
    assert [p.replace(", dtype=tapegrad.float64", "") for p in ours] == [
        p.replace(", dtype=tapegrad.float64", "") for p in theirs
    ]
    for x, y in zip(got, want, strict=True):
        assert x.shape == tuple(y.shape)
        np.testing.assert_allclose(array(x), y.detach().numpy(), rtol=1e-8, atol=1e-10)


@every
def test_inverse(name: str) -> None:
    t, x = make(name)
    y = t(x)
    if name not in ("stack of vectors",):
        assert t.codomain.check(y).all()
    back = t.inv(y)
    if t.bijective:
        np.testing.assert_allclose(array(back), array(x), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(array(t(back)), array(y), rtol=1e-8, atol=1e-8)
    assert t.inv.inv is t
    assert t.inv.bijective == t.bijective


def square_part(name: str, y: Any) -> Any:
    """As many coordinates of the value as the argument has."""
    if name in ("stick_breaking", "stack of vectors", "compose of vectors"):
        return y[..., :-1]
    if name == "corr_cholesky":
        return dist.utils.tril_matrix_to_vec(y, -1)
    return y


@every
def test_volume_change(name: str) -> None:
    t, x = make(name)
    if not t.bijective or name == "compose of vectors":
        return
    y = t(x)
    change = t.log_abs_det_jacobian(x, y)
    if name == "stack of vectors":
        rows = [transforms.StickBreakingTransform().log_abs_det_jacobian(*v) for v in zip(x, y)]
        np.testing.assert_allclose(array(change), array(tg.stack(rows)))
        return
    dim = t.domain.event_dim
    flat = x.reshape(-1, *x.shape[x.dim() - dim :])
    if name in ("affine tensor", "cat", "cat from the end", "stack") or dim == 0:
        jacobian = tg.autograd.functional.jacobian(t, x)
        diagonal = jacobian.reshape(x.numel(), x.numel()).diagonal().abs().log()
        np.testing.assert_allclose(array(change), array(diagonal.reshape(change.shape)), atol=1e-8)
        return
    found = []
    for row in flat:
        jacobian = tg.autograd.functional.jacobian(lambda v: square_part(name, t(v)), row)
        matrix = jacobian.reshape(row.numel(), row.numel())
        found.append(tg.linalg.slogdet(matrix).logabsdet.item())
    np.testing.assert_allclose(array(change).reshape(-1), found, atol=1e-8)
    np.testing.assert_allclose(array(t.inv.log_abs_det_jacobian(y, x)), array(-change))


@every
def test_cache_and_copies(name: str) -> None:
    t, x = make(name)
    for twin in (copy.deepcopy(t), pickle.loads(pickle.dumps(t))):
        assert repr(twin) == repr(t)
        assert twin(x).equal(t(x))
    if name != "cdf":
        assert copy.deepcopy(t) == t
    cached = t.with_cache(1)
    assert t.with_cache(0) is t
    y = cached(x)
    if name != "identity":
        assert cached(x) is y
        if name != "inverse":
            assert cached.inv(y) is x
    assert cached == t
    assert cached.inv == t.inv
    assert t != transforms.Transform()


def test_equality() -> None:
    t = transforms
    assert t.AffineTransform(1.0, 2.0) == t.AffineTransform(tg.tensor(1.0), 2)
    assert t.AffineTransform(1.0, 2.0) != t.AffineTransform(1.0, 3.0)
    assert t.AffineTransform(0.0, 1.0) != t.ExpTransform()
    assert t.PowerTransform(2.0) == t.PowerTransform(tg.tensor(2.0))
    assert t.IndependentTransform(t.ExpTransform(), 1) != t.IndependentTransform(
        t.ExpTransform(), 2
    )
    assert t.ComposeTransform([t.ExpTransform()]) != t.ComposeTransform([])
    with raises(TypeError, "unhashable type"):
        hash(t.ExpTransform())


@both
def test_messages(lib: Any) -> None:
    t = lib.distributions.transforms
    with raises(ValueError, "cache_size must be 0 or 1", lib):
        t.ExpTransform(cache_size=2)
    with raises(ValueError, "in_shape, out_shape have different numbers of elements", lib):
        t.ReshapeTransform((2,), (3, 2))
    with raises(ValueError, "Shape mismatch: expected (3,) but got tapegrad.Size([2])", lib):
        t.ReshapeTransform((2,), (1, 2)).forward_shape((3,))
    for call in (
        lambda: t.ReshapeTransform((2,), (1, 2)).forward_shape(()),
        lambda: t.StickBreakingTransform().forward_shape(()),
        lambda: t.SoftmaxTransform().inverse_shape(()),
        lambda: t.CorrCholeskyTransform().inverse_shape((2,)),
        lambda: t.IndependentTransform(t.ExpTransform(), 1)(lib.tensor(1.0)),
    ):
        with raises(ValueError, "Too few dimensions on input", lib):
            call()
    with raises(ValueError, "Input is not a flattened lower-diagonal number", lib):
        t.CorrCholeskyTransform().forward_shape((4,))
    with raises(ValueError, "Input is not square", lib):
        t.CorrCholeskyTransform().inverse_shape((3, 2))
    for kind in (t.StackTransform, t.CatTransform):
        with raises(AssertionError, "", lib):
            kind([3])
        with raises(AssertionError, "", lib):
            kind([t.ExpTransform(), t.ExpTransform()])(lib.ones(3))
    base = t.Transform()
    for call in (
        lambda: base(lib.ones(1)),
        lambda: base.inv(lib.ones(1)),
        lambda: base.log_abs_det_jacobian(lib.ones(1), lib.ones(1)),
        lambda: base.sign,
        lambda: t.LowerCholeskyTransform().log_abs_det_jacobian(lib.eye(2), lib.eye(2)),
    ):
        with raises(NotImplementedError, "", lib):
            call()
    with raises(ValueError, "Please use either .domain.event_dim or .codomain.event_dim", lib):
        t.ReshapeTransform((2,), (1, 2)).event_dim


def matrix(*rows: list[float]) -> np.ndarray:
    return np.array(rows)


# Constraints with values: those that satisfy it and those that do not.
CHECKED: dict[str, tuple[Callable[[Any], Any], list[Any]]] = {
    "boolean": (lambda c: c.boolean, [np.array([0.0, 1, 0.5, np.nan])]),
    "one_hot": (lambda c: c.one_hot, [matrix([0, 1, 0], [1, 1, 0], [0, 0, 0])]),
    "integer_interval": (lambda c: c.integer_interval(-1, 2), [np.array([-2, -1, 0.5, 2, 3.0])]),
    "nonnegative_integer": (lambda c: c.nonnegative_integer, [np.array([-1, 0, 0.5, 7.0])]),
    "positive_integer": (lambda c: c.positive_integer, [np.array([-1, 0, 1.0])]),
    "real": (lambda c: c.real, [np.array([0, np.nan, np.inf])]),
    "real_vector": (lambda c: c.real_vector, [matrix([0, np.nan], [1, 2])]),
    "positive": (lambda c: c.positive, [np.array([-1.0, 0, 1])]),
    "nonnegative": (lambda c: c.nonnegative, [np.array([-1.0, 0, 1])]),
    "greater_than": (lambda c: c.greater_than(2.0), [np.array([1.0, 2, 3])]),
    "greater_than_eq": (lambda c: c.greater_than_eq(2.0), [np.array([1.0, 2, 3])]),
    "less_than": (lambda c: c.less_than(2.0), [np.array([1.0, 2, 3])]),
    "interval": (lambda c: c.interval(1.0, 2.0), [np.array([0.5, 1, 1.5, 2, 3])]),
    "half_open_interval": (lambda c: c.half_open_interval(1.0, 2.0), [np.array([1, 1.5, 2])]),
    "unit_interval": (lambda c: c.unit_interval, [np.array([-0.1, 0, 1, 1.1])]),
    "simplex": (lambda c: c.simplex, [matrix([0.5, 0.5], [0.5, 0.6], [1.5, -0.5])]),
    "multinomial": (lambda c: c.multinomial(3), [matrix([1, 2], [2, 2], [-1, 2], [0, 1])]),
    "lower_triangular": (
        lambda c: c.lower_triangular,
        [matrix([1, 0], [2, -1]), matrix([1, 2], [0, 1])],
    ),
    "lower_cholesky": (
        lambda c: c.lower_cholesky,
        [matrix([1, 0], [2, 1]), matrix([1, 0], [2, -1]), matrix([1, 2], [0, 1])],
    ),
    "corr_cholesky": (
        lambda c: c.corr_cholesky,
        [matrix([1, 0], [0.6, 0.8]), matrix([1, 0], [0.6, 0.7])],
    ),
    "square": (lambda c: c.square, [np.zeros((2, 2)), np.zeros((3, 2, 3))]),
    "symmetric": (
        lambda c: c.symmetric,
        [matrix([1, 2], [2, 1]), matrix([1, 2], [3, 1]), np.zeros((2, 3))],
    ),
    "positive_semidefinite": (
        lambda c: c.positive_semidefinite,
        [np.zeros((2, 2)), matrix([1.0, 2], [2, 1]), np.stack([np.eye(2), -np.eye(2)])],
    ),
    "positive_definite": (
        lambda c: c.positive_definite,
        [np.eye(2), np.zeros((2, 2)), matrix([2.0, 1], [0, 2]), np.stack([np.eye(2), -np.eye(2)])],
    ),
    "cat": (lambda c: c.cat([c.positive, c.real], 0, [1, 2]), [np.array([-1.0, -1, 1])]),
    "stack": (lambda c: c.stack([c.positive, c.real], 0), [matrix([-1, 1], [-1, 1])]),
    "independent": (lambda c: c.independent(c.positive, 1), [matrix([1, 2], [1, -2])]),
    "mixture": (
        lambda c: c.MixtureSameFamilyConstraint(c.greater_than(0)),
        [np.array([[1.0], [-1.0]])],
    ),
}


@both
@pytest.mark.parametrize("name", CHECKED)
def test_constraints(name: str, lib: Any) -> None:
    factory, values = CHECKED[name]
    theirs = factory(lib.distributions.constraints)
    ours = factory(constraints)
    assert repr(ours) == repr(theirs)
    assert ours.is_discrete == theirs.is_discrete
    assert ours.event_dim == theirs.event_dim
    for value in values:
        got = ours.check(tg.tensor(value))
        want = theirs.check(lib.tensor(value))
        assert got.tolist() == want.tolist(), value
        assert got.dtype == tg.bool


@both
def test_dependent_constraints(lib: Any) -> None:
    c = lib.distributions.constraints
    assert c.is_dependent(c.dependent)
    assert not c.is_dependent(c.real)
    assert repr(c.dependent) == "Dependent()"
    with raises(ValueError, "Cannot determine validity of dependent constraint", lib):
        c.dependent.check(lib.ones(1))
    for name in ("event_dim", "is_discrete"):
        with raises(NotImplementedError, f".{name} cannot be determined statically", lib):
            getattr(c.dependent, name)
    known = c.dependent(is_discrete=True, event_dim=1)
    assert known.is_discrete and known.event_dim == 1
    assert c.is_dependent(lib.distributions.Uniform.support)
    assert lib.distributions.Uniform.support.event_dim == 0
    with raises(ValueError, "Expected value.dim() >= 1 but got 0", lib):
        c.independent(c.real, 1).check(lib.tensor(1.0))
    with raises(NotImplementedError, "", lib):
        c.Constraint().check(lib.ones(1))


REGISTERED: dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]] = {
    "real": (lambda c: c.real, (2,)),
    "real_vector": (lambda c: c.real_vector, (2,)),
    "positive": (lambda c: c.positive, (2,)),
    "nonnegative": (lambda c: c.nonnegative, (2,)),
    "greater_than": (lambda c: c.greater_than(2.0), (2,)),
    "less_than": (lambda c: c.less_than(2.0), (2,)),
    "interval": (lambda c: c.interval(1.0, 3.0), (2,)),
    "half_open_interval": (lambda c: c.half_open_interval(1.0, 3.0), (2,)),
    "unit_interval": (lambda c: c.unit_interval, (2,)),
    "simplex": (lambda c: c.simplex, (3,)),
    "lower_cholesky": (lambda c: c.lower_cholesky, (2, 2)),
    "corr_cholesky": (lambda c: c.corr_cholesky, (3,)),
    "positive_definite": (lambda c: c.positive_definite, (2, 2)),
    "positive_semidefinite": (lambda c: c.positive_semidefinite, (2, 2)),
    "independent": (lambda c: c.independent(c.positive, 1), (2,)),
    "cat": (lambda c: c.cat([c.positive, c.real], 0, [1, 2]), (3,)),
    "stack": (lambda c: c.stack([c.positive, c.real], 0), (2, 3)),
    "boolean": (lambda c: c.boolean, (2,)),
}


@both
@pytest.mark.parametrize("way", ["biject_to", "transform_to"])
@pytest.mark.parametrize("name", REGISTERED)
def test_registry(name: str, way: str, lib: Any) -> None:
    factory, shape = REGISTERED[name]
    constraint = factory(constraints)
    try:
        want = getattr(lib.distributions, way)(factory(lib.distributions.constraints))
    except NotImplementedError as error:
        with raises(NotImplementedError, str(error)):
            getattr(dist, way)(constraint)
        return
    t = getattr(dist, way)(constraint)
    assert repr(t) == repr(want)
    x = numbers(*shape)
    y = t(tg.tensor(x))
    assert constraint.check(y).all()
    np.testing.assert_allclose(array(y), want(lib.tensor(x)).detach().numpy(), rtol=1e-9)
    np.testing.assert_allclose(array(t(t.inv(y))), array(y), rtol=1e-9, atol=1e-12)


def test_own_constraint() -> None:
    class Even(constraints.Constraint):
        pass

    with raises(NotImplementedError, "Cannot transform Even constraints"):
        dist.biject_to(Even())

    @dist.biject_to.register(Even)
    def to_even(constraint: Any) -> Any:
        return transforms.AffineTransform(0, 2)

    assert dist.biject_to(Even()).scale == 2
    dist.transform_to.register(Even(), to_even)
    assert dist.transform_to(Even()).scale == 2
    with raises(TypeError, "Expected constraint to be either a Constraint subclass or instance"):
        dist.biject_to.register(3, to_even)


def test_own_transform() -> None:
    class Shift(transforms.Transform):
        domain = codomain = constraints.real
        bijective = True

        def __init__(self, by: float, cache_size: int = 0) -> None:
            super().__init__(cache_size)
            self.by = by

        def _call(self, x: Any) -> Any:
            return x + self.by

        def _inverse(self, y: Any) -> Any:
            return y - self.by

        def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
            return tg.zeros_like(x)

    one = Shift(1.0)
    assert one == one
    assert one != Shift(1.0), "nothing is known of its constructor"
    with raises(NotImplementedError, f"{Shift}.with_cache is not implemented"):
        one.with_cache(1)
    p = dist.TransformedDistribution(dist.Normal(0.0, 1.0), one)
    assert p.log_prob(tg.tensor(1.0)).item() == dist.Normal(0.0, 1.0).log_prob(tg.zeros(())).item()

    class Known(Shift):
        def _arguments(self) -> tuple[Any, ...]:
            return (self.by,)

    assert Known(1.0) == Known(1.0) != Known(2.0)
    assert Known(1.0).with_cache(1).by == 1


def test_the_cache_keeps_far_values() -> None:
    """Far out tanh is 1, whose inverse is infinite; the cache has the argument."""
    base = dist.Normal(20.0, 1.0)
    p = dist.TransformedDistribution(base, transforms.TanhTransform(cache_size=1))
    draw = p.rsample((3,))
    assert (draw == 1).all()
    assert p.log_prob(draw).isfinite().all()


def test_an_inverse_of_a_composition_lives_alone() -> None:
    inverse = transforms.ComposeTransform([transforms.ExpTransform()]).inv
    assert inverse.inv.inv is inverse
    assert inverse.inv(tg.zeros(1)).item() == 1
