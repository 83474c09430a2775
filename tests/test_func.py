"""`tapegrad.func`: the transforms, nested in each other, against PyTorch's and against loops."""

from __future__ import annotations

import collections
import warnings

import numpy as np
import pytest

import tapegrad as tg
from both import both

Point = collections.namedtuple("Point", "x y")


def data(lib, *shape, seed=0, dtype=None):
    values = np.random.default_rng(seed).uniform(-1, 1, shape)
    return lib.tensor(values.tolist(), dtype=dtype or lib.float64).reshape(shape)


def flat(value):
    if isinstance(value, dict):
        return [t for key in value for t in flat(value[key])]
    if isinstance(value, list | tuple):
        return [t for item in value for t in flat(item)]
    return [value]


def close(a, b):
    for x, y in zip(flat(a), flat(b), strict=True):
        assert tuple(x.shape) == tuple(y.shape)
        np.testing.assert_allclose(x.detach().numpy(), y.detach().numpy(), rtol=1e-9, atol=1e-11)


# ---------------------------------------------------------------------- programs


def mlp(lib, p, x):
    F = lib.nn.functional
    return F.linear(lib.tanh(F.linear(x, p["w1"], p["b1"])), p["w2"], p["b2"])


def weights(lib):
    return {
        "w1": data(lib, 5, 3, seed=1),
        "b1": data(lib, 5, seed=2),
        "w2": data(lib, 4, 5, seed=3),
        "b2": data(lib, 4, seed=4),
    }


def loss(lib):
    def of(p, x, y):
        return lib.nn.functional.cross_entropy(mlp(lib, p, x), y)

    return of


def per_sample(lib):
    x, y = data(lib, 6, 2, 3), lib.arange(12).reshape(6, 2) % 4
    return lib.func.vmap(lib.func.grad(loss(lib)), in_dims=(None, 0, 0))(weights(lib), x, y)


def per_sample_of_vectors(lib):
    x, y = data(lib, 6, 3), lib.arange(6) % 4
    return lib.func.vmap(lib.func.grad(loss(lib)), in_dims=(None, 0, 0))(weights(lib), x, y)


def laplacian(lib):
    p = weights(lib)
    f = lambda x: mlp(lib, p, x).sum()  # noqa: E731
    return lib.func.vmap(lambda x: lib.trace(lib.func.hessian(f)(x)))(data(lib, 6, 3))


def ensemble(lib):
    stacked = {name: lib.stack([w, w * 2, -w]) for name, w in weights(lib).items()}
    x, y = data(lib, 5, 3), lib.arange(5) % 4
    return lib.func.vmap(lib.func.grad(loss(lib)), in_dims=(0, None, None))(stacked, x, y)


def pairwise(lib):
    dot = lib.func.vmap(lib.func.vmap(lib.dot, in_dims=(None, 0)), in_dims=(0, None))
    return dot(data(lib, 4, 3), data(lib, 5, 3, seed=1))


def vmap_of_grad_of_vmap(lib):
    f = lambda w, x: lib.func.vmap(lambda row: (row * w).sin().sum())(x).prod()  # noqa: E731
    return lib.func.vmap(lib.func.grad(f), in_dims=(None, 0))(data(lib, 3), data(lib, 4, 2, 3))


def grad_of_vmap(lib):
    f = lambda w, x: lib.func.vmap(lambda row: lib.dot(row, w).exp())(x).sum()  # noqa: E731
    return lib.func.grad(f, argnums=(0, 1))(data(lib, 3), data(lib, 4, 3))


def nested_jacobians(lib):
    f = lambda x: lib.stack([x.sin().prod(), (x * x).sum().exp()])  # noqa: E731
    fn, x = lib.func, data(lib, 3)
    return [
        outer(inner(f))(x) for outer in (fn.jacrev, fn.jacfwd) for inner in (fn.jacrev, fn.jacfwd)
    ] + [fn.hessian(lambda x: f(x).sum())(x), fn.jacrev(fn.grad(lambda x: f(x).prod()))(x)]


def third_derivatives(lib):
    f = lambda x: (x**4).sum() * x.prod()  # noqa: E731
    return lib.func.vmap(lib.func.jacrev(lib.func.hessian(f)))(data(lib, 2, 3))


def forward_over_reverse(lib):
    f = lambda x: (x.sin() * x.roll(1)).sum()  # noqa: E731
    x, v = data(lib, 4), data(lib, 4, seed=1)
    return [
        lib.func.jvp(lib.func.grad(f), (x,), (v,)),
        lib.func.grad(lambda x: lib.func.jvp(f, (x,), (v,))[1])(x),
        lib.func.vmap(lambda v: lib.func.jvp(lib.func.grad(f), (x,), (v,))[1])(lib.eye(4).double()),
        lib.func.jvp(lambda x: lib.func.jvp(lib.sin, (x,), (v,))[1], (x,), (v,)),
    ]


def pullbacks(lib):
    f = lambda x, y: {"a": x * y, "b": [x.sum(), y.exp()]}  # noqa: E731
    x, y = data(lib, 3), data(lib, 3, seed=1)
    out, pull = lib.func.vjp(f, x, y)
    cotangents = {"a": x + 1, "b": [lib.tensor(2.0).double(), y]}
    _, matrix = lib.func.vjp(lib.sin, x)
    return out, pull(cotangents), pull(cotangents), lib.func.vmap(matrix)(lib.eye(3).double())


def linear_maps(lib):
    out, push = lib.func.linearize(lambda x: (x.sin(), x.sum()), data(lib, 3))
    return out, push(data(lib, 3, seed=1)), lib.func.vmap(push)(lib.eye(3).double())


def trees_of_jacobians(lib):
    f = lambda p, x: {"out": mlp(lib, p, x), "sum": [x.sum()]}  # noqa: E731
    p, x = weights(lib), data(lib, 3)
    return (
        lib.func.jacrev(f)(p, x),
        lib.func.jacfwd(f, argnums=(0, 1))(p, x),
        lib.func.jacrev(f, argnums=(1,))(p, x),
        lib.func.hessian(lambda p, x: f(p, x)["out"].prod(), argnums=(0, 1))(p, x),
    )


def tall_and_wide(lib):
    m = data(lib, 40, 3)
    tall, wide = (lambda x: (m @ x).tanh()), (lambda y: (y @ m).tanh())
    x, y = data(lib, 3, seed=1), data(lib, 40, seed=1)
    return [
        jacobian(f)(v)
        for jacobian in (lib.func.jacrev, lib.func.jacfwd)
        for f, v in ((tall, x), (wide, y))
    ] + [
        lib.func.jacrev(tall, chunk_size=7)(x),
        lib.func.vmap(lib.func.jacrev(tall))(x.expand(2, 3)),
    ]


def maml(lib):
    """A gradient step inside of what is differentiated."""

    def after_step(w, x, y):
        inner = lambda w: ((x @ w).tanh() - y).pow(2).mean()  # noqa: E731
        return inner(w - 0.1 * lib.func.grad(inner)(w))

    x, y = data(lib, 5, 4, 3), data(lib, 5, 4, seed=1)
    return lib.func.grad(lambda w: lib.func.vmap(after_step, in_dims=(None, 0, 0))(w, x, y).mean())(
        data(lib, 3)
    )


def in_and_out_dims(lib):
    x, y = data(lib, 2, 3, 4), data(lib, 3)
    f = lambda d, b: {"sum": d["x"].sum() + b, "x": (d["x"] * b, d["p"].x)}  # noqa: E731
    return lib.func.vmap(
        f, in_dims=({"x": 1, "p": Point(-2, None)}, 0), out_dims={"sum": 0, "x": (-1, 0)}
    )({"x": x, "p": Point(x, y)}, y)


def views_and_writes(lib):
    def f(x, y):
        z = x.clone()
        z[1] = y
        z[:, 0] += 2
        z.mul_(2).t()[0].add_(1)
        return z, z.T, z[None, ..., 1], z[[0, 1]], [part * 2 for part in z]

    return lib.func.vmap(f)(data(lib, 4, 2, 3), data(lib, 4, 3, seed=1))


def chosen_places(lib):
    x, i = data(lib, 4, 3, 5), lib.arange(8).reshape(4, 2) % 3

    def f(x, i):
        return x[i], x[:, i], x[i, i], x[i[0]], x[..., i, 1], x.index_select(0, i), x[i][:, None]

    w = data(lib, 3, 5, seed=2)
    return [
        lib.func.vmap(f)(x, i),
        lib.func.vmap(f, in_dims=(None, 0))(w, i),
        lib.func.vmap(f, in_dims=(0, None))(x, i[0]),
        lib.func.vmap(lambda i: lib.nn.functional.embedding(i, w))(i),
        lib.func.vmap(lib.nn.functional.embedding)(i, x),
    ]


PROGRAMS = [
    *(per_sample, per_sample_of_vectors, laplacian, ensemble, pairwise, vmap_of_grad_of_vmap),
    *(grad_of_vmap, nested_jacobians, third_derivatives, forward_over_reverse, pullbacks),
    *(linear_maps, trees_of_jacobians, tall_and_wide, maml, in_and_out_dims, views_and_writes),
    chosen_places,
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_programs_give_the_same(program):
    torch = pytest.importorskip("torch")
    ours, theirs = program(tg), program(torch)
    close(ours, theirs)
    assert not any(t.requires_grad for t in flat(ours))


# ---------------------------------------------------------------------- gradients


@both
def test_forms_of_grad(lib):
    grad, grad_and_value = lib.func.grad, lib.func.grad_and_value
    x, y = lib.tensor(2.0), lib.tensor(3.0)
    f = lambda x, y: x * x * y  # noqa: E731
    assert grad(f)(x, y).item() == 12 and grad(f, argnums=1)(x, y).item() == 4
    assert [g.item() for g in grad(f, argnums=(1, 0))(x, y)] == [4, 12]
    assert grad(f, argnums=-1)(x, y).item() == 4
    assert isinstance(grad(f, argnums=(0,))(x, y), tuple)
    g, aux = grad(lambda x: (x * x, {"twice": x * 2}), has_aux=True)(x)
    assert g.item() == 4 and aux["twice"].item() == 4
    assert not aux["twice"].requires_grad
    g, (value, aux) = grad_and_value(lambda x: (x * x, x + 1), has_aux=True)(x)
    assert (g.item(), value.item(), aux.item()) == (4, 4, 3)
    tree = {"a": [x, y], "p": Point(x, y), "o": collections.OrderedDict(z=x)}
    got = grad(lambda t: t["a"][0] * t["p"].y + t["o"]["z"])(tree)
    assert got["a"][0].item() == 3 and got["a"][1].item() == 0
    assert type(got["p"]) is Point and got["p"].y.item() == 2
    assert type(got["o"]) is collections.OrderedDict and got["o"]["z"].item() == 1
    assert grad(lambda x, k=1: x * k)(x, k=5).item() == 5


@both
def test_results_require_gradients_as_the_inputs_do(lib):
    grad = lib.func.grad
    x = lib.tensor(2.0, requires_grad=True)
    w = lib.tensor(3.0, requires_grad=True)
    g = grad(lambda x: x**3)(x)
    assert lib.autograd.grad(g, x)[0].item() == 12
    assert not grad(lambda x: x**3)(x.detach()).requires_grad
    g = grad(lambda x: x**2 * w)(lib.tensor(2.0))
    assert lib.autograd.grad(g, w)[0].item() == 4
    with lib.no_grad():
        assert not grad(lambda x: x**2 * w)(x).requires_grad
    assert x.grad is None and w.grad is None and x.requires_grad
    out = lib.func.vmap(lambda a: a * w)(lib.ones(3))
    assert lib.autograd.grad(out.sum(), w)[0].item() == 3


@both
def test_no_grad_and_detach_inside(lib):
    grad, x = lib.func.grad, lib.tensor(2.0)

    def f(x):
        with lib.no_grad():
            c = x**2
        return x * c

    assert grad(f)(x).item() == 4
    assert grad(lambda x: x.detach() * x)(x).item() == 2
    assert grad(lambda x: lib.tensor(3.0))(x).item() == 0


def test_perturbations_are_not_confused():
    grad, x = tg.func.grad, tg.tensor(3.0)
    assert grad(lambda x: x * grad(lambda y: x + y)(tg.tensor(1.0)))(x).item() == 1
    assert grad(lambda x: grad(lambda y: x * y)(x))(x).item() == 1
    jvp = lambda f, x: tg.func.jvp(f, (x,), (tg.ones_like(x),))[1]  # noqa: E731
    assert jvp(lambda x: x * jvp(lambda y: x + y, tg.tensor(1.0)), x).item() == 1


@both
def test_errors_of_gradients(lib):
    fn, x = lib.func, lib.ones(2)
    with pytest.raises(RuntimeError, match=r"Expected f\(\*args\) to return a scalar [tT]ensor"):
        fn.grad(lambda x: x)(x)
    with pytest.raises(RuntimeError, match="to return a Tensor"):
        fn.grad(lambda x: (x.sum(), x))(x)
    with pytest.raises(RuntimeError, match="should be a tuple"):
        fn.grad(lambda x: x.sum(), has_aux=True)(x)
    with pytest.raises(RuntimeError, match="argnum"):
        fn.grad(lambda x: x.sum(), argnums=2)(x)
    with pytest.raises(RuntimeError, match="argnums must be non-empty"):
        fn.grad(lambda x: x.sum(), argnums=())(x)
    with pytest.raises(RuntimeError, match="argnums elements must be unique"):
        fn.grad(lambda x: x.sum(), argnums=(0, 0))(x)
    with pytest.raises((RuntimeError, TypeError), match="argnum"):
        fn.grad(lambda x: x.sum(), argnums="x")(x)
    with pytest.raises(RuntimeError, match="only Tensors of floating point"):
        fn.grad(lambda x: x.sum())(lib.tensor([1, 2]))
    _, pull = fn.vjp(lambda x: x * 2, x)
    with pytest.raises(RuntimeError, match="Expected pytree structure of cotangents to be the sam"):
        pull((x, x))
    with pytest.raises(RuntimeError, match="ape"):
        pull(lib.ones(3))
    with pytest.raises(RuntimeError, match=r"[Ee]xpected primals to be a tuple"):
        fn.jvp(lambda x: x, x, x)
    with pytest.raises(RuntimeError, match="same python structure"):
        fn.jvp(lambda x: x, (x,), (x, x))
    with pytest.raises(RuntimeError, match=r"same shape|different size"):
        fn.jvp(lambda x: x, (x,), (lib.ones(3),))
    with pytest.raises(ValueError, match="`chunk_size` should be greater than 0"):
        fn.jacrev(lambda x: x, chunk_size=0)


# ---------------------------------------------------------------------- vmap


@both
def test_errors_of_vmap(lib):
    vmap, x = lib.vmap, lib.ones(2, 3)
    ident = lambda *args: args[0]  # noqa: E731
    cases = [
        (lambda: vmap(ident, in_dims="x")(x), ValueError, "expected `in_dims` to be int or a"),
        (lambda: vmap(ident)(), ValueError, "got no inputs. Maybe you forgot to add inputs"),
        (lambda: vmap(ident, in_dims=(0, 0))(x), ValueError, "in_dims is not compatible with the"),
        (lambda: vmap(ident, in_dims=(0.5,))(x), ValueError, "in_dim must be either an integer"),
        (lambda: vmap(ident)(x, 3), ValueError, "We cannot vmap over non-Tensor arguments"),
        (lambda: vmap(ident, in_dims=2)(x), ValueError, r"expected in_dim to satisfy -2 <= in_dim"),
        (lambda: vmap(ident)(x, lib.ones(4)), ValueError, "Expected all tensors to have the same"),
        (lambda: vmap(ident, in_dims=(None,))(x), ValueError, ""),
        (lambda: vmap(lambda x: 1)(x), ValueError, "must only return Tensors, got type"),
        (lambda: vmap(ident, out_dims=None)(x), ValueError, "can not return a BatchedTensor when"),
        (lambda: vmap(ident, out_dims=(0, 0))(x), ValueError, "out_dims is not compatible with"),
        (lambda: vmap(ident, randomness="x")(x), RuntimeError, "Only allowed values for random"),
        (lambda: vmap(ident, chunk_size=0)(x), ValueError, "chunk_size should be None or greater"),
        (lambda: vmap(lambda x: x.sum().item())(x), RuntimeError, r"calling .item\(\) on a Tensor"),
        (lambda: vmap(lambda x: float(x.sum()) * x)(x), RuntimeError, r"\.item\(\)"),
        (lambda: vmap(lambda x: x if x.sum() > 0 else -x)(x), RuntimeError, "data-dependent contr"),
        (lambda: vmap(lambda x: x.nonzero())(x), RuntimeError, "vmap: "),
        (lambda: vmap(lambda x: x + lib.randn(3))(x), RuntimeError, "randomness error mode"),
        (lambda: vmap(lambda y: lib.zeros(3).add_(y))(x), RuntimeError, "inplace|broadcast shape"),
    ]
    for call, kind, text in cases:
        with pytest.raises(kind, match=text):
            call()
    assert vmap(lambda x: x.sum())(x).tolist() == [3, 3]


def test_nothing_reads_the_placeholder():
    x = tg.ones(2, 3)
    for read in (
        *(
            lambda x: x.tolist(),
            lambda x: x.numpy(),
            lambda x: np.asarray(x),
            lambda x: next(iter(x)).item(),
        ),
        *(lambda x: tg.equal(x, x), lambda x: tg.allclose(tg.ones(3), x), lambda x: int(x[0])),
        *(
            lambda x: tg.ones(3).equal(x),
            lambda x: x.unique(),
            lambda x: tg.unique(x),
            lambda x: 1 in x,
        ),
        *(lambda x: [1, 2][x[0].long()], lambda x: x.requires_grad_(), lambda x: x.data_ptr()),
        lambda x: x.backward(),
    ):
        with pytest.raises(RuntimeError, match=r"vmap|unsupported"):
            tg.vmap(read)(x)
    assert tg.equal(x, x) and x[0].tolist() == [1, 1, 1]
    kept = []
    tg.vmap(lambda x: kept.append(x) or x)(x)
    with pytest.raises(RuntimeError, match="vmap that is over"):
        tg.vmap(lambda y: y + kept[0])(x)


def test_what_it_prints():
    seen = []
    tg.vmap(lambda x: seen.append((repr(x), str(x), f"{x}")) or x)(tg.ones(2))
    assert seen[0][0] == "BatchedTensor(lvl=1, bdim=0, value=\n    tensor([1., 1.])\n)"
    tg.vmap(lambda x: seen.append(tuple(x.shape) + (x.dim(), x.dtype, len(x))) or x)(tg.ones(2, 3))
    assert seen[1] == (3, 1, tg.float32, 3)


@both
def test_randomness(lib):
    vmap, x = lib.vmap, lib.zeros(50, 8)
    for draw in (
        lambda x: lib.rand(8) + x,
        lambda x: lib.rand_like(x),
        lambda x: x.clone().normal_(),
        lambda x: lib.nn.functional.dropout(x + 1, 0.5),
    ):
        different = vmap(draw, randomness="different")(x)
        assert not (different == different[0]).all()
        same = vmap(draw, randomness="same")(x)
        assert (same == same[0]).all() and same.shape == (50, 8)
    assert vmap(lambda x: lib.nn.functional.dropout(x, 0.5, False))(x).shape == (50, 8)


@both
def test_chunks(lib):
    x = lib.arange(10.0).reshape(5, 2)
    for size in (1, 2, 5, 7):
        got = lib.vmap(lambda x: (x.sum(), x * 2), out_dims=(0, 1), chunk_size=size)(x)
        assert got[0].tolist() == [1, 5, 9, 13, 17] and got[1].shape == (2, 5)


@both
def test_empty_and_unbatched_results(lib):
    assert lib.vmap(lambda x: x.sum())(lib.ones(0, 3)).shape == (0,)
    assert lib.vmap(lambda x: lib.ones(2))(lib.ones(3)).shape == (3, 2)
    assert lib.vmap(lambda x: (x, 3), out_dims=(0, None))(lib.ones(3))[1] == 3


@both
def test_dtypes_are_those_of_a_sample(lib):
    """The number that each sample has is not promoted as the vector that all of them are."""
    x, n = lib.ones(3, 2), lib.ones(3, dtype=lib.float64)
    assert lib.vmap(lambda x, n: x * n)(x, n).dtype == lib.float32
    assert lib.vmap(lambda n: n * 2)(lib.ones(3, dtype=lib.int64)).dtype == lib.int64
    assert lib.vmap(lambda n: n / 2)(lib.ones(3, dtype=lib.int64)).dtype == lib.float32


@both
def test_writes_reach_the_tensor_outside(lib):
    x = lib.zeros(3, 2)
    lib.vmap(lambda row: row.add_(1))(x)
    assert x.tolist() == [[1, 1]] * 3


def test_loops_say_so_once():
    x = tg.rand(2, 9)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            tg.vmap(lambda x: tg.histc(x, 3, 0, 1))(x)
    assert len([w for w in caught if "no batching rule for histc" in str(w.message)]) <= 1


# ---------------------------------------------------------------------- modules


def layers(lib, *extra):
    nn = lib.nn
    return nn.Sequential(nn.Linear(3, 4), *extra, nn.Tanh(), nn.Linear(4, 2)).double()


@both
def test_functional_call(lib):
    model, call = layers(lib), lib.func.functional_call
    x = data(lib, 5, 3)
    params = {name: p.detach() * 2 for name, p in model.named_parameters()}
    want = model[2](model[1](model[0](x)))
    close(call(model, {}, x), want)
    before = [p.clone() for p in model.parameters()]
    out = call(model, params, (x,))
    assert not (out == want).all()
    close(list(model.parameters()), before)
    split = [dict(list(params.items())[:2]), dict(list(params.items())[2:])]
    close(call(model, split, (x,), strict=True), out)
    with pytest.raises(ValueError, match="appeared in multiple dictionaries"):
        call(model, (params, params), (x,))
    with pytest.raises(ValueError, match="Expected parameter_and_buffer_dicts to be a dict"):
        call(model, 3, (x,))
    with pytest.raises(RuntimeError, match="Unexpected key"):
        call(model, {"nonsense": x}, (x,), strict=True)
    with pytest.raises(RuntimeError, match="Missing key"):
        call(model, {}, (x,), strict=True)


@both
def test_ensembles(lib):
    fn, x = lib.func, data(lib, 5, 3)
    models = [layers(lib) for _ in range(3)]
    params, buffers = fn.stack_module_state(models)
    assert params["0.weight"].shape == (3, 4, 3) and params["0.weight"].requires_grad
    run = lambda p, b, x: fn.functional_call(models[0], (p, b), (x,))  # noqa: E731
    close(fn.vmap(run, in_dims=(0, 0, None))(params, buffers, x), lib.stack([m(x) for m in models]))
    with pytest.raises(RuntimeError, match="Expected at least one model, got 0"):
        fn.stack_module_state([])
    with pytest.raises(RuntimeError, match="same training/eval mode"):
        fn.stack_module_state([models[0], layers(lib).eval()])
    with pytest.raises(RuntimeError, match="to be of the same class"):
        fn.stack_module_state([models[0], lib.nn.Linear(1, 1)])


@both
def test_per_sample_gradients_of_modules(lib):
    nn, fn = lib.nn, lib.func
    net = nn.Sequential(
        *(nn.Conv2d(2, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(4, 4, 3, groups=2), nn.AvgPool2d(2), nn.Flatten(), nn.LayerNorm(4)),
        nn.Linear(4, 3),
    ).double()
    params = {
        name: data(lib, *p.shape, seed=i) for i, (name, p) in enumerate(net.named_parameters())
    }
    x, y = data(lib, 5, 2, 8, 8), lib.arange(5) % 3

    def of(p, x, y):
        return nn.functional.cross_entropy(fn.functional_call(net, p, (x[None],)), y[None])

    got = fn.vmap(fn.grad(of), in_dims=(None, 0, 0))(params, x, y)
    for i in range(5):
        want = fn.grad(of)(params, x[i], y[i])
        close([g[i] for g in flat(got)], want)


@both
def test_batch_norm(lib):
    nn, fn = lib.nn, lib.func
    x = data(lib, 4, 6, 3)
    plain = nn.BatchNorm1d(3, track_running_stats=False).double()
    close(fn.vmap(plain)(x), lib.stack([plain(s) for s in x]))
    tracked = nn.BatchNorm1d(3).double()
    with pytest.raises((RuntimeError, ValueError), match=r"(?i)batch norm|in-?place|batched"):
        fn.vmap(tracked)(x)
    tracked.eval()
    close(fn.vmap(tracked)(x), lib.stack([tracked(s) for s in x]))
    assert fn.replace_all_batch_norm_modules_(nn.Sequential(tracked))[0].running_var is None


def test_autograd_grad_inside():
    def slope(x):
        return tg.autograd.grad((x**3).sum(), x, create_graph=True)[0]

    x = data(tg, 4, 3).requires_grad_()
    close(tg.vmap(slope)(x), 3 * x**2)
    with pytest.raises(RuntimeError, match=r"not being vmapped over"):
        tg.vmap(lambda w: tg.autograd.grad((w * x).sum(), x)[0])(tg.ones(2).double())


def test_vectorized_jacobians():
    functional = tg.autograd.functional
    f = lambda x, y: ((x.unsqueeze(1) * y).sin().sum(0), (x @ x).exp())  # noqa: E731
    x, y = data(tg, 15), data(tg, 20, seed=1)
    want = functional.jacobian(f, (x, y))
    for strategy in ("reverse-mode", "forward-mode"):
        close(functional.jacobian(f, (x, y), vectorize=True, strategy=strategy), want)
    f = lambda x: (x.sin() * x.roll(1)).sum()  # noqa: E731
    want = functional.hessian(f, x)
    for strategy in ("reverse-mode", "forward-mode"):
        got = functional.hessian(f, x, vectorize=True, outer_jacobian_strategy=strategy)
        close(got, want)


def test_functions_that_cannot_be_batched_have_jacobians():
    def f(x):
        if x.sum().item() > 0:
            x = x * 2
        return x.sin() * tg.nn.functional.dropout(x, 0.5)

    close(tg.func.jacrev(f)(x := data(tg, 20).abs() * 0), tg.func.jacfwd(f)(x))
    slopes = tg.func.jacrev(lambda x: x * 2 if x.sum() > 0 else x)(tg.ones(20))
    close(slopes, 2 * tg.eye(20))
