"""autograd.functional: values, structure of the results, strictness, and messages."""

import itertools

import numpy as np
import pytest

import tapegrad
from tapegrad.autograd import functional
from tapegrad.autograd.functional import hessian, hvp, jacobian, jvp, vhp, vjp

A = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
x = np.array([1.0, -2.0])
y = np.array([[0.5, 1.5], [2.0, -1.0]])
n = np.array(3.0)


def arrays(value):
    """A result as nested tuples of arrays."""
    if isinstance(value, tuple):
        return tuple(arrays(v) for v in value)
    return value.detach().numpy()


def same(got, want):
    if isinstance(want, tuple):
        assert isinstance(got, tuple) and len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            same(a, b)
    else:
        assert got.shape == want.shape and got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


def tensors(lib, value):
    if isinstance(value, tuple):
        return tuple(tensors(lib, v) for v in value)
    return None if value is None else lib.tensor(value)


# name, function, inputs: of the library-independent kind
VECTOR = [
    ("elementwise", lambda x: x**3, x),
    ("reduce", lambda y: y.exp().sum(dim=1), y),
    ("matrix", lambda y: y @ y, y),
    ("number", lambda n: n * n, n),
    ("two inputs", lambda a, b: a * b.sum(), (x, y)),
    ("tuple of one", lambda a: a * 2, (x,)),
    ("two outputs", lambda a: (a.sin(), a.sum()), x),
    ("tuple of one output", lambda a: (a.sin(),), x),
    ("two of each", lambda a, b: (a * b, b.exp().sum(), a), (x, y)),
    ("independent input", lambda a, b: a * 2, (x, y)),
    ("independent output", lambda a: (a * 2, a.detach()), x),
    ("all independent", lambda a: a.detach() * 2, x),
    ("empty input", lambda a: a.sum(), np.zeros((0, 2))),
]
SCALAR = [
    ("cubes", lambda x: (x**3).sum(), x),
    ("matrix", lambda y: (y @ y).exp().sum(), y),
    ("one element", lambda y: (y * y).sum().reshape(1, 1), y),
    ("number", lambda n: n**4, n),
    ("two inputs", lambda a, b: (a * b).sum() ** 2 + b.sin().sum(), (x, y)),
    ("tuple of one", lambda a: (a**3).sum(), (x,)),
    ("linear", lambda a: a.sum(), x),
    ("independent input", lambda a, b: (a * a).sum(), (x, y)),
    ("constant", lambda a: a.detach().sum(), x),
]


def cases(table):
    return pytest.mark.parametrize(("func", "inputs"), [c[1:] for c in table],
                                   ids=[c[0] for c in table])  # fmt: skip


def like(value, seed=7):
    """Random arrays with the structure of `value`."""
    if isinstance(value, tuple):
        return tuple(like(v, seed + i) for i, v in enumerate(value))
    return np.random.default_rng(seed).normal(size=np.shape(value))


def call(lib, name, func, inputs, v=None, **kwargs):
    """A function of the library's `functional`, with arrays in and out, or the error's text."""
    args = (tensors(lib, inputs),)
    if name in ("vjp", "jvp", "vhp", "hvp"):
        args += (tensors(lib, v),)
    try:
        result = getattr(lib.autograd.functional, name)(func, *args, **kwargs)
    except (RuntimeError, TypeError) as error:
        return type(error).__name__, str(error).replace("torch.", "tapegrad.")
    return arrays(result)


def compare(name, func, inputs, v=None, **kwargs):
    torch = pytest.importorskip("torch")
    want = call(torch, name, func, inputs, v, **kwargs)
    got = call(tapegrad, name, func, inputs, v, **kwargs)
    if isinstance(want, tuple) and isinstance(want[0], str):
        assert got == want
    else:
        same(got, want)


def output_like(func, inputs):
    torch = pytest.importorskip("torch")
    values = tensors(torch, inputs)
    return like(arrays(func(*(values if isinstance(values, tuple) else (values,)))))


flags = pytest.mark.parametrize(
    ("create_graph", "strict"), list(itertools.product([False, True], repeat=2))
)


# Against torch -------------------------------------------------------------------------


@flags
@cases(VECTOR)
def test_jacobian_as_torch(func, inputs, create_graph, strict):
    compare("jacobian", func, inputs, create_graph=create_graph, strict=strict)


@flags
@cases(VECTOR)
def test_vjp_as_torch(func, inputs, create_graph, strict):
    v = output_like(func, inputs)
    compare("vjp", func, inputs, v, create_graph=create_graph, strict=strict)


@flags
@cases(VECTOR)
def test_jvp_as_torch(func, inputs, create_graph, strict):
    compare("jvp", func, inputs, like(inputs), create_graph=create_graph, strict=strict)


@flags
@cases(SCALAR)
def test_hessian_as_torch(func, inputs, create_graph, strict):
    compare("hessian", func, inputs, create_graph=create_graph, strict=strict)


@flags
@cases(SCALAR)
@pytest.mark.parametrize("name", ["vhp", "hvp"])
def test_hessian_products_as_torch(name, func, inputs, create_graph, strict):
    compare(name, func, inputs, like(inputs), create_graph=create_graph, strict=strict)


ALL = ["jacobian", "hessian", "vjp", "jvp", "vhp", "hvp"]
PRODUCTS = ["vjp", "jvp", "vhp", "hvp"]


@pytest.mark.parametrize("name", ALL)
def test_bad_arguments_as_torch(name):
    v = x if name != "vjp" else n
    for func, inputs in [
        (lambda a: a.sum(), 3.0),
        (lambda a: a.sum(), (x, 3.0)),
        (lambda a: 3.0, x),
        (lambda a: (a.sum(), 3.0), x),
        (lambda a: None, x),
    ]:
        torch = pytest.importorskip("torch")
        if isinstance(inputs, tuple):
            bad_torch, bad_ours = (torch.tensor(x), 3.0), (tapegrad.tensor(x), 3.0)
        elif isinstance(inputs, float):
            bad_torch = bad_ours = inputs
        else:
            bad_torch, bad_ours = torch.tensor(x), tapegrad.tensor(x)
        texts = []
        for lib, bad in ((torch, bad_torch), (tapegrad, bad_ours)):
            args = (bad,) if name in ("jacobian", "hessian") else (bad, tensors(lib, v))
            with pytest.raises(TypeError) as caught:
                getattr(lib.autograd.functional, name)(func, *args)
            texts.append(str(caught.value))
        assert texts[0] == texts[1]


@pytest.mark.parametrize("name", PRODUCTS)
def test_bad_vectors_as_torch(name):
    def func(*a):
        return sum((b * b).sum() for b in a)

    for inputs, v in [
        (x, None),
        (n, None),
        (x, np.zeros(3)),
        (x, (x, x)),
        (x, (x,)),
        ((x, y), x),
        ((x, y), (x, x)),
        ((x, y), (x, y, y)),
        ((x, y), None),
    ]:
        compare(name, func, inputs, v)


@pytest.mark.parametrize("name", ["hessian", "vhp", "hvp"])
def test_functions_that_are_not_scalar_as_torch(name):
    for func in (lambda a: a * 2, lambda a: (a.sum(),), lambda a: (a.sum(), a.sum())):
        compare(name, func, x, x)


def test_vectorize_and_strict_as_torch():
    compare("jacobian", lambda a: a * 2, x, strict=True, vectorize=True)
    compare("hessian", lambda a: (a**3).sum(), x, strict=True, vectorize=True)


# On their own --------------------------------------------------------------------------


def test_jacobian():
    got = jacobian(lambda v: (tapegrad.tensor(A) * v).sum(dim=1), tapegrad.tensor(x))
    assert got.tolist() == A.tolist()
    assert not got.requires_grad
    a, b = jacobian(lambda a, b: a * b, (tapegrad.tensor(x), tapegrad.tensor([2.0, 5.0])))
    assert a.tolist() == [[2.0, 0.0], [0.0, 5.0]]
    assert b.tolist() == [[1.0, 0.0], [0.0, -2.0]]


def test_jacobian_shapes():
    got = jacobian(lambda y: y.sum(dim=0), tapegrad.tensor(A))
    assert tuple(got.shape) == (2, 3, 2)
    got = jacobian(lambda v: v[:0], tapegrad.tensor(x))
    assert tuple(got.shape) == (0, 2)


def test_jacobian_vectorize_gives_the_same():
    value = tapegrad.tensor(y)
    want = jacobian(lambda y: y @ y, value)
    assert (jacobian(lambda y: y @ y, value, vectorize=True) == want).all()
    want = hessian(lambda y: (y @ y).sum(), value)
    assert (hessian(lambda y: (y @ y).sum(), value, vectorize=True) == want).all()


def test_hessian():
    got = hessian(lambda v: v.sum() ** 3, tapegrad.tensor([2.0, 0.0]))
    assert got.tolist() == [[12.0, 12.0], [12.0, 12.0]]


def test_hessian_error():
    with pytest.raises(RuntimeError) as caught:
        hessian(lambda v: v**3, tapegrad.tensor(x))
    assert str(caught.value) == (
        "The Tensor returned by the function given to hessian should contain a single element"
    )


def test_products_agree_with_the_matrices():
    value, v = tapegrad.tensor(y), tapegrad.tensor(like(y))

    def func(y):
        return (y @ y.T).exp().sum()

    def vector(y):
        return (y @ y.T).tanh().sum(dim=0)

    matrix = hessian(func, value).reshape(4, 4)
    want = (matrix @ v.reshape(4)).reshape(2, 2)
    for product in (vhp, hvp):
        output, got = product(func, value, v)
        assert tapegrad.allclose(got, want) and tapegrad.allclose(output, func(value))
    matrix = jacobian(vector, value).reshape(2, 4)
    assert tapegrad.allclose(jvp(vector, value, v)[1], matrix @ v.reshape(4))
    w = tapegrad.tensor(x)
    assert tapegrad.allclose(vjp(vector, value, w)[1].reshape(4), w @ matrix)


def test_inputs_are_left_alone():
    value = tapegrad.tensor(x, requires_grad=True)
    other = tapegrad.tensor(x)
    seen = []

    def func(a, b):
        seen.append((a is value, a.requires_grad and b.requires_grad))
        return (a * b).sum() ** 2

    for name in ALL:
        f = getattr(functional, name)
        args = ((value, other),)
        f(func, *args) if name in ("jacobian", "hessian", "vjp") else f(func, *args, args[0])
    assert set(seen) == {(False, True)}
    assert value.grad is None and not other.requires_grad


@pytest.mark.parametrize("name", ALL)
def test_results_do_not_require_grad_without_create_graph(name):
    value = tapegrad.tensor(x, requires_grad=True)
    f = getattr(functional, name)
    args = () if name in ("jacobian", "hessian", "vjp") else (value,)
    result = f(lambda a: (a**3).sum(), value, *args)
    for part in result if isinstance(result, tuple) else (result,):
        assert not part.requires_grad


@pytest.mark.parametrize("name", ALL)
def test_create_graph_differentiates_the_result(name):
    value = tapegrad.tensor(x, requires_grad=True)
    f = getattr(functional, name)
    args = () if name in ("jacobian", "hessian", "vjp") else (tapegrad.ones_like(value),)

    def total(a):
        result = f(lambda a: (a**4).sum(), a, *args, create_graph=True)
        return sum(r.sum() for r in (result if isinstance(result, tuple) else (result,)))

    assert tapegrad.autograd.gradcheck(total, value)


@pytest.mark.parametrize("name", ALL)
def test_in_no_grad(name):
    f = getattr(functional, name)
    value = tapegrad.tensor(x)
    args = () if name in ("jacobian", "hessian", "vjp") else (value,)
    with tapegrad.no_grad():
        result = f(lambda a: (a**3).sum(), value, *args)
        assert not tapegrad.is_grad_enabled()
    want = f(lambda a: (a**3).sum(), value, *args)
    for a, b in zip(*(r if isinstance(r, tuple) else (r,) for r in (result, want)), strict=True):
        assert tapegrad.allclose(a, b)


def test_strategies():
    value = tapegrad.tensor(x)
    with pytest.raises(NotImplementedError, match="only implemented for `vectorize=True`"):
        jacobian(lambda a: a * 2, value, strategy="forward-mode")
    with pytest.raises(NotImplementedError, match="only implemented for `vectorize=True`"):
        hessian(lambda a: a.sum(), value, outer_jacobian_strategy="forward-mode")
    with pytest.raises(NotImplementedError, match="`create_graph=True` and `strategy="):
        jacobian(lambda a: a * 2, value, True, vectorize=True, strategy="forward-mode")
    with pytest.raises(AssertionError, match='Expected strategy to be either "forward-mode" or'):
        jacobian(lambda a: a * 2, value, strategy="sideways")
    with pytest.raises(AssertionError, match='Expected strategy to be either "forward-mode" or'):
        hessian(lambda a: a.sum(), value, outer_jacobian_strategy="sideways")
