"""Parametrizations that keep matrices orthogonal."""

import pytest

import tapegrad as tg
from both import both
from support import raises

MAPS = ["matrix_exp", "cayley", "householder"]
SHAPES = [(3, 3), (5, 3), (3, 5), (2, 4, 3)]


def orthogonal(lib, shape, kind=None, trivial=True):
    module = lib.nn.Module()
    values = lib.arange(lib.zeros(shape).numel(), dtype=lib.float64).mul(1.7).sin().reshape(shape)
    module.weight = lib.nn.Parameter(values)
    made = lib.nn.utils.parametrizations.orthogonal
    return made(module, "weight", kind, use_trivialization=trivial)


def is_orthogonal(lib, matrix):
    tall = matrix if matrix.shape[-2] >= matrix.shape[-1] else matrix.mT
    unit = lib.eye(tall.shape[-1], dtype=matrix.dtype)
    return lib.allclose(tall.mT @ tall, unit.expand(*tall.shape[:-2], *unit.shape))


@both
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", [None, *MAPS])
def test_matrices_stay_orthogonal(lib, shape, kind):
    module = orthogonal(lib, shape, kind)
    assert sorted(module.state_dict()) == [
        *("parametrizations.weight.0.base", "parametrizations.weight.original")
    ]
    assert is_orthogonal(lib, module.weight)
    before = module.weight.detach().clone()
    opt = lib.optim.SGD(module.parameters(), lr=0.3)
    (module.weight * lib.ones(shape, dtype=lib.float64)).sum().backward()
    opt.step()
    assert is_orthogonal(lib, module.weight) and not lib.allclose(module.weight, before)


@both
@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_matrix_that_is_assigned(lib, kind, shape):
    module = orthogonal(lib, shape, kind)
    lib.manual_seed(0)
    wanted = lib.randn(shape, dtype=lib.float64)
    wanted = lib.nn.init.orthogonal_(wanted) if len(shape) == 2 else lib.linalg.qr(wanted)[0]
    module.weight = wanted
    assert lib.allclose(module.weight, wanted)


@both
def test_without_trivialization(lib):
    module = orthogonal(lib, (4, 3), "householder", False)
    assert list(module.state_dict()) == ["parametrizations.weight.original"]
    wanted = lib.linalg.qr(lib.arange(12.0, dtype=lib.float64).cos().reshape(4, 3))[0]
    module.weight = wanted
    assert lib.allclose(module.weight, wanted)
    for kind in ("matrix_exp", "cayley"):
        with raises(NotImplementedError, "It is not possible to assign to the matrix exponential"):
            orthogonal(lib, (3, 3), kind, False).weight = lib.eye(3, dtype=lib.float64)


def test_the_same_matrices_as_torch():
    torch = pytest.importorskip("torch")
    for kind in MAPS:
        found = []
        for lib in (tg, torch):
            module = orthogonal(lib, (3, 3), kind)
            original = module.parametrizations.weight.original
            (module.weight * lib.arange(9.0, dtype=lib.float64).reshape(3, 3)).sum().backward()
            found.append([module.weight.flatten().tolist(), original.grad.flatten().tolist()])
        for got, want in zip(*found, strict=True):
            assert got == pytest.approx(want, abs=1e-9)


@both
def test_errors(lib):
    with raises(ValueError, "Module 'Linear(in_features=1, out_features=1, bias=True)' has no"):
        lib.nn.utils.parametrizations.orthogonal(lib.nn.Linear(1, 1), "nope")
    with raises(
        ValueError, "Expected a matrix or batch of matrices. Got a tensor of 1 dimensions."
    ):
        orthogonal(lib, (3,))
    with raises(
        ValueError, 'orthogonal_map has to be one of "matrix_exp", "cayley", "householder"'
    ):
        orthogonal(lib, (3, 3), "qr")
    with raises(ValueError, "Expected a matrix or batch of matrices of shape tapegrad.Size", lib):
        orthogonal(lib, (3, 3)).weight = lib.ones(2, 2, dtype=lib.float64)
