"""Forward mode: dual tensors, and `func.jvp`, on every row of the operator table."""

from __future__ import annotations

import numpy as np
import pytest

import op_table
import tapegrad as tg
import tapegrad.autograd.forward_ad as fwAD
from both import both
from op_row import Make, prepare, takes_gradients
from support import tensor

DIFFERENTIABLE = [op for op in op_table.TABLE if op.diff and "float64" in op.dtypes]
# Random numbers, and results whose derivative is not that of the elements (of one sign or another).
LEFT_OUT = {"dropout", "linalg_eigh", "linalg_svd", "svd", "linalg_qr", "qr"}


def floats(value):
    if isinstance(value, tg.Tensor):
        return [value] if value.is_floating_point() else []
    return [t for part in value for t in floats(part)] if isinstance(value, tuple | list) else []


def plan(op, most=6, in_place=False):
    """Calls of differentiable tensors, with the tensors."""
    for sample in list(op.samples(Make("float64")))[:most]:
        if not takes_gradients(sample):
            continue
        leaves = []

        def leaf(values, differentiable, leaves=leaves):
            x = tensor(values)
            if differentiable:
                leaves.append(x)
            return x

        args, kwargs = prepare(sample, leaf)
        ids = [id(x) for x in leaves]

        def call(*given, args=args, kwargs=kwargs, ids=ids):
            table = dict(zip(ids, given))

            def put(value):
                if isinstance(value, tg.Tensor):
                    return table.get(id(value), value)
                return type(value)(map(put, value)) if isinstance(value, tuple | list) else value

            return tuple(floats(run(*map(put, args), **{k: put(v) for k, v in kwargs.items()})))

        def run(first, *rest, **named):
            if not in_place:
                return op.call(tg, first, *rest, **named)
            return getattr(first.clone(), op.inplace)(*rest, **named)

        yield call, leaves


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.name)
def test_tangents_of_every_operator(op):
    """<u, J v> = <J^T u, v>, where the right side is that of a backward pass."""
    if op.name in LEFT_OUT:
        pytest.skip("random, or unique up to a sign")
    random = np.random.default_rng(0)
    for call, leaves in plan(op):
        tangents = [tensor(random.uniform(-1, 1, tuple(x.shape))) for x in leaves]
        recorded = [x.detach().requires_grad_() for x in leaves]
        outputs = call(*recorded)
        u = [tensor(random.uniform(-1, 1, tuple(y.shape))) for y in outputs]
        pairs = [(y, c) for y, c in zip(outputs, u) if y.requires_grad]
        want = 0.0
        if pairs:
            ys, cs = zip(*pairs)
            grads = tg.autograd.grad(ys, recorded, cs, allow_unused=True)
            want = sum((g * t).sum().item() for g, t in zip(grads, tangents) if g is not None)
        results, pushed = tg.func.jvp(call, tuple(leaves), tuple(tangents))
        got = sum((t * c).sum().item() for t, c in zip(pushed, u))
        assert got == pytest.approx(want, rel=1e-8, abs=1e-8)
        with fwAD.dual_level():
            duals = [fwAD.make_dual(x, t) for x, t in zip(leaves, tangents)]
            unpacked = [fwAD.unpack_dual(y) for y in call(*duals)]
        for (primal, tangent), y, t in zip(unpacked, results, pushed):
            np.testing.assert_allclose(primal.numpy(), y.numpy(), rtol=1e-12)
            if tangent is None:
                assert not t.numpy().any()
            else:
                np.testing.assert_allclose(tangent.numpy(), t.numpy(), rtol=1e-9, atol=1e-11)


def by_two_backward_passes(call, leaves, tangents):
    """u^T J is linear in u: its derivative by u, in the direction of the tangents, is J v."""
    recorded = [x.detach().requires_grad_() for x in leaves]
    outputs = call(*recorded)
    found = [tg.zeros_like(y, requires_grad=False) for y in outputs]
    moved = [i for i, y in enumerate(outputs) if y.requires_grad]
    if not moved:
        return found
    u = [tg.zeros_like(outputs[i], requires_grad=True) for i in moved]
    pulled = tg.autograd.grad(
        [outputs[i] for i in moved], recorded, u, create_graph=True, allow_unused=True
    )
    pairs = [(p, t) for p, t in zip(pulled, tangents) if p is not None and p.requires_grad]
    if not pairs:
        return found
    products, directions = zip(*pairs)
    pushed = tg.autograd.grad(products, u, directions, allow_unused=True)
    for i, t in zip(moved, pushed):
        found[i] = found[i] if t is None else t
    return found


def of_operator(op, most=None, in_place=False):
    """Calls, leaves and tangents, where the results are numbers."""
    random = np.random.default_rng(1)
    for call, leaves in plan(op, most, in_place):
        if not leaves:
            continue
        try:
            results = seeded(call)(*leaves)
        except RuntimeError as error:
            assert in_place and "doesn't match the broadcast shape" in str(error)
            continue
        if not any(np.isnan(y.numpy()).any() for y in results):
            tangents = [tensor(random.uniform(-1, 1, tuple(x.shape))) for x in leaves]
            yield seeded(call), leaves, tangents


def seeded(call):
    def same_numbers(*given):
        tg.manual_seed(0)
        return call(*given)

    return same_numbers


def check_tangents(op, in_place=False):
    for call, leaves, tangents in of_operator(op, None, in_place):
        want = by_two_backward_passes(call, leaves, tangents)
        _, got = tg.func.jvp(call, tuple(leaves), tuple(tangents))
        for a, b in zip(got, want, strict=True):
            assert (a.shape, a.dtype, a.requires_grad) == (b.shape, b.dtype, False)
            scale = max(1.0, float(np.abs(b.numpy()).max())) if b.numel() else 1.0
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-11 * scale)


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.name)
def test_rules_against_two_backward_passes(op):
    check_tangents(op)


IN_PLACE = [op for op in DIFFERENTIABLE if op.inplace]


@pytest.mark.parametrize("op", IN_PLACE, ids=lambda op: op.inplace)
def test_rules_of_operations_in_place(op):
    check_tangents(op, in_place=True)


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.name)
def test_one_input_at_a_time(op):
    """An input that does not move is a constant, whatever else moves."""
    for call, leaves, tangents in of_operator(op, 6):
        if len(leaves) < 2:
            continue
        parts = []
        for i in range(len(leaves)):

            def of_one(x, i=i, call=call, leaves=leaves):
                return call(*leaves[:i], x, *leaves[i + 1 :])

            parts.append(tg.func.jvp(of_one, (leaves[i],), (tangents[i],))[1])
        _, both_ = tg.func.jvp(call, tuple(leaves), tuple(tangents))
        for *some, total in zip(*parts, both_, strict=True):
            np.testing.assert_allclose(sum(some).numpy(), total.numpy(), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.name)
def test_second_order(op):
    """Forward over reverse, reverse over forward and forward over forward are one Hessian."""
    jvp, grad = tg.func.jvp, tg.func.grad
    for call, leaves, v in of_operator(op):
        if sum(x.numel() for x in leaves) > 24:
            continue
        places = tuple(range(len(leaves)))

        def number(*given, call=call):
            return sum((y * y).sum() * 0.5 for y in call(*given))

        if not all(np.isfinite(y.numpy()).all() for y in call(*leaves)):
            continue
        x, v = tuple(leaves), tuple(v)

        def slope(*given, number=number, v=v):
            return jvp(number, given, v)[1]

        w = tuple(tensor(np.random.default_rng(2).uniform(-1, 1, tuple(a.shape))) for a in x)
        recorded = [a.detach().requires_grad_() for a in x]
        value = number(*recorded)
        if not isinstance(value, tg.Tensor) or not value.requires_grad:
            continue
        first = tg.autograd.grad(value, recorded, create_graph=True, allow_unused=True)
        along = [(g * t).sum() for g, t in zip(first, v) if g is not None and g.requires_grad]
        want = [None] * len(x)
        if along:
            want = tg.autograd.grad(sum(along), recorded, allow_unused=True)
        want = [np.zeros(a.shape) if g is None else g.numpy() for g, a in zip(want, x)]
        got = {
            "forward over reverse": jvp(grad(number, places), x, v)[1],
            "reverse over forward": grad(slope, places)(*x),
        }
        scale = max([1.0, *(float(np.abs(h).max()) for h in want if h.size)])
        for order, products in got.items():
            for a, b in zip(products, want, strict=True):
                np.testing.assert_allclose(
                    a.numpy(), b, rtol=1e-7, atol=1e-9 * scale, err_msg=order
                )
        twice = jvp(slope, x, w)[1].item()
        assert twice == pytest.approx(
            sum((h * t.numpy()).sum() for h, t in zip(want, w)), rel=1e-7, abs=1e-8 * scale
        )


@pytest.mark.filterwarnings("ignore")  # of what is not replayed
@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.name)
def test_replayed(op):
    """Compiled, forward mode gives the same bits for whatever tangents come."""
    for call, leaves, tangents in of_operator(op, 2):
        count = len(leaves)

        def forward(*given, call=call, count=count):
            return tg.func.jvp(call, given[:count], given[count:])[1]

        replayed = tg.compile(forward)
        for factor in (1.0, -2.0, 0.5, 3.0):
            given = [*leaves, *(t * factor for t in tangents)]
            for a, b in zip(replayed(*given), forward(*given), strict=True):
                assert a.tolist() == b.tolist()


def test_one_pass_through_a_long_chain():
    """Neither the stack nor the time is that of a square, whatever way the operators take."""
    x, v = tensor([0.1, 0.2]), tensor([1.0, 0.0])
    for step, count in ((lambda y: y * 0.9999, 50_000), (lambda y: y.logcumsumexp(0) * 0.5, 3_000)):

        def chain(y, step=step, count=count):
            for _ in range(count):
                y = step(y)
            return y

        _, got = tg.func.jvp(chain, (x,), (v,))
        assert got[1].item() == pytest.approx(
            by_two_backward_passes(lambda y: (chain(y),), [x], [v])[0][1].item(), rel=1e-9
        )


def test_writes_through_views():
    def f(x, y):
        out = x * 1
        out[0] = y.sin()
        out[1:].mul_(y)
        out.t()[2].copy_(x[:, 0])
        return out[:2].sum(0), out

    x, y = tensor(np.arange(9.0).reshape(3, 3)), tensor([0.1, 0.2, 0.3])
    tangents = [tensor(np.cos(np.arange(9.0)).reshape(3, 3)), tensor([1.0, -2.0, 0.5])]
    for moved in ([x, y], [y]):

        def call(*given, moved=moved):
            return f(*given) if len(moved) == 2 else f(x, *given)

        ts = tangents[-len(moved) :]
        _, got = tg.func.jvp(call, tuple(moved), tuple(ts))
        for a, b in zip(got, by_two_backward_passes(call, moved, ts)):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12, atol=1e-14)


def test_tangents_are_of_the_types_of_their_results():
    x, y = tg.ones(3), tg.ones(2, 1, dtype=tg.float64)
    (out, wide), (slope, slope_wide) = tg.func.jvp(
        lambda a, b: (a * 2, tg.cat([a * b, (a + b).double()])),
        (x, y),
        (tg.ones(3), tg.ones(2, 1, dtype=tg.float64)),
    )
    assert (out.dtype, slope.dtype) == (tg.float32, tg.float32)
    assert (wide.dtype, slope_wide.dtype) == (tg.float64, tg.float64)
    assert slope_wide.tolist() == [[2.0] * 3] * 4


def test_given_tangents_are_left_as_they_are():
    x, v = tensor([1.0, 2.0]), tensor([3.0, 4.0])
    for f in (lambda x: x + x, lambda x: -x, lambda x: x.exp() * x, lambda x: x.view(2).neg() + 1):
        tg.func.jvp(f, (x,), (v,))
        assert v.tolist() == [3.0, 4.0]


@both
def test_linear_functions_are_evaluated_often(lib):
    x = lib.tensor([0.5, 1.0, 2.0])
    _, push = lib.func.linearize(lambda x: lib.softmax(x, 0).log().cumsum(0), x)
    for v in (lib.ones(3), lib.tensor([1.0, 0.0, -1.0]), lib.zeros(3)):
        want = lib.func.jvp(lambda x: lib.softmax(x, 0).log().cumsum(0), (x,), (v,))[1]
        assert push(v).tolist() == pytest.approx(want.tolist(), abs=1e-6)


@both
def test_linear_functions_outlive_the_graph(lib):
    w, x = lib.tensor([1.0, 2.0], requires_grad=True), lib.tensor([0.5, -1.0])
    out, push = lib.func.linearize(lambda x: (w * x).exp(), x)
    before = push(lib.ones(2)).tolist()
    out.sum().backward()
    assert push(lib.ones(2)).tolist() == before


def test_hooks_are_of_gradients_alone():
    def f(x):
        y = x * 2
        y.register_hook(lambda g: g * 100)
        return y.exp()

    assert tg.func.jvp(f, (tensor([0.0]),), (tensor([1.0]),))[1].tolist() == [2.0]


# ---------------------------------------------------------------------- dual tensors


def ad(lib):
    import importlib

    return importlib.import_module(f"{lib.__name__}.autograd.forward_ad")


@both
def test_a_program(lib):
    F, fw = lib.nn.functional, ad(lib)
    x, w = lib.arange(6.0).reshape(2, 3) / 10, lib.ones(4, 3)
    with fw.dual_level():
        d = fw.make_dual(x, lib.ones(2, 3))
        y = F.softmax(F.linear(d, w).tanh() * lib.arange(4.0), 1)[:, 1:].sum(0) + d.T[0, 0]
        primal, tangent = fw.unpack_dual(y)
        assert d.shape == (2, 3) and fw.unpack_dual(x).tangent is None
        assert isinstance(fw.unpack_dual(y), fw.UnpackedDualTensor)
    assert primal.shape == (3,) and not primal.requires_grad
    assert fw.unpack_dual(y).tangent is None

    def plain(x):
        return F.softmax(F.linear(x, w).tanh() * lib.arange(4.0), 1)[:, 1:].sum(0) + x.T[0, 0]

    _, want = lib.func.jvp(plain, (x,), (lib.ones(2, 3),))
    assert tangent.tolist() == pytest.approx(want.tolist(), rel=1e-5)


@both
def test_reverse_over_forward(lib):
    fw = ad(lib)
    x = lib.tensor([1.0, 2.0], requires_grad=True)
    with fw.dual_level():
        y = fw.make_dual(x, lib.tensor([1.0, 10.0])) ** 3
        primal, tangent = fw.unpack_dual(y)
    assert tangent.tolist() == [3, 120]
    assert lib.autograd.grad(tangent.sum(), x, retain_graph=True)[0].tolist() == [6, 120]
    assert lib.autograd.grad(primal.sum(), x)[0].tolist() == [3, 12]


@both
def test_errors(lib):
    fw, x = ad(lib), lib.ones(2)
    with pytest.raises(RuntimeError, match="no level exists, make sure to enter_dual_level"):
        fw.make_dual(x, x)
    with fw.dual_level():
        with pytest.raises(ValueError, match="Expected primal to be floating point or complex"):
            fw.make_dual(x.long(), x)
        with pytest.raises(ValueError, match="Expected tangent to be floating point or complex"):
            fw.make_dual(x, x.long())
        with pytest.raises(RuntimeError, match="forward gradient that has a different size"):
            fw.make_dual(x, lib.ones(3))
        with pytest.raises(RuntimeError, match="Nested forward mode AD is not supported"):
            fw.enter_dual_level()
    level = fw.enter_dual_level()
    fw.exit_dual_level(level=level)
    with pytest.raises(RuntimeError, match="not the last one"):
        fw.exit_dual_level(level=3)


@both
def test_in_place(lib):
    fw = ad(lib)
    with fw.dual_level():
        x = fw.make_dual(lib.tensor([1.0, 2.0]), lib.ones(2)) * 1
        x.mul_(3).sin_()
        x += 1
        primal, tangent = fw.unpack_dual(x)
    want = [3 * np.cos(3.0), 3 * np.cos(6.0)]
    assert tangent.tolist() == pytest.approx(want, rel=1e-5)
    assert primal.tolist() == pytest.approx([np.sin(3.0) + 1, np.sin(6.0) + 1], rel=1e-5)


def test_what_cannot_be_written():
    with fwAD.dual_level():
        x = fwAD.make_dual(tg.ones(2), tg.ones(2))
        for write in (
            *(lambda: tg.zeros(2).add_(x), lambda: (x * 1)[0].mul_(2)),
            lambda: tg.zeros(2).__setitem__(0, x[0]),
        ):
            with pytest.raises(RuntimeError, match="forward mode"):
                write()


def test_inside_of_vmap():
    def slope(x, v):
        with fwAD.dual_level():
            return fwAD.unpack_dual(fwAD.make_dual(x, v).sin().prod()).tangent

    x, v = tensor(np.ones((3, 2))), tensor(np.arange(6.0).reshape(3, 2))
    want = [slope(a, b).item() for a, b in zip(x, v)]
    assert tg.vmap(slope)(x, v).tolist() == pytest.approx(want)


def test_transforms_of_dual_tensors():
    with fwAD.dual_level():
        x = fwAD.make_dual(tensor(np.ones((3, 2))), tensor(np.arange(6.0).reshape(3, 2)))
        got = fwAD.unpack_dual(tg.vmap(lambda row: (row**2).sum())(x)).tangent
        assert got.tolist() == [2, 10, 18]
        for call in (
            lambda: tg.func.grad(lambda x: x.sum())(x),
            lambda: tg.func.grad(lambda y: (x * y).sum())(tg.ones(2).double()),
        ):
            with pytest.raises(RuntimeError, match=r"do not take tensors with a tangent"):
                call()


# ---------------------------------------------------------------------- custom functions


def cube(lib, **members):
    class Cube(lib.autograd.Function):
        @staticmethod
        def forward(x):
            return x**3

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx, grad):
            return 3 * ctx.saved_tensors[0] ** 2 * grad

        @staticmethod
        def jvp(ctx, tangent):
            return 3 * ctx.saved_tensors[0] ** 2 * tangent

    for name, value in members.items():
        setattr(Cube, name, value)
    return Cube


@both
def test_custom_functions(lib):
    fw, Cube = ad(lib), cube(lib)
    with fw.dual_level():
        y = Cube.apply(fw.make_dual(lib.tensor([1.0, 2.0]), lib.tensor([1.0, 10.0])))
        primal, tangent = fw.unpack_dual(y)
    assert primal.tolist() == [1, 8] and tangent.tolist() == [3, 120]
    x = lib.tensor([1.0, 2.0])
    assert lib.func.grad(lambda x: Cube.apply(x).sum())(x).tolist() == [3, 12]
    assert lib.func.jvp(Cube.apply, (x,), (lib.ones(2),))[1].tolist() == [3, 12]
    with pytest.raises(RuntimeError, match="does not have vmap support"):
        lib.vmap(Cube.apply)(x)


@both
def test_what_a_custom_function_notes_for_its_tangent(lib):
    class Exp(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.result = lib.exp(x)
            return ctx.result

        @staticmethod
        def jvp(ctx, tangent):
            made = tangent * ctx.result
            ctx.seen = True
            del ctx.result, ctx.seen
            return made

    fw, x, v = ad(lib), lib.zeros(2), lib.tensor([1.0, 2.0])
    with fw.dual_level():
        tangent = fw.unpack_dual(Exp.apply(fw.make_dual(x, v))).tangent
        assert tangent.tolist() == [1, 2] and not tangent.requires_grad
        slope = fw.unpack_dual(Exp.apply(fw.make_dual(x, v.clone().requires_grad_()))).tangent
        assert slope.requires_grad


@both
def test_printed_forms_break_where_the_line_ends(lib):
    fw = ad(lib)
    with fw.dual_level():
        assert repr(fw.make_dual(lib.ones(2), lib.zeros(2))) == (
            "tensor([1., 1.], tangent=tensor([0., 0.]))"
        )
        assert repr(fw.make_dual(lib.ones(3, 3), lib.zeros(3, 3))) == (
            "tensor([[1., 1., 1.],\n        [1., 1., 1.],\n        [1., 1., 1.]],\n"
            "       tangent=tensor([[0., 0., 0.],\n        [0., 0., 0.],\n        [0., 0., 0.]]))"
        )


@both
def test_custom_functions_in_vmap(lib):
    x = lib.arange(6.0).reshape(3, 2)
    for Cube in (
        cube(lib, generate_vmap_rule=True),
        cube(lib, vmap=staticmethod(lambda info, dims, x: (x**3, dims[0]))),
    ):
        assert lib.vmap(Cube.apply)(x).tolist() == (x**3).tolist()
        assert lib.vmap(lib.vmap(Cube.apply))(x).tolist() == (x**3).tolist()
    Cube = cube(lib, generate_vmap_rule=True)
    slopes = lib.vmap(lib.func.grad(lambda x: Cube.apply(x).sum()))(x)
    assert slopes.tolist() == (3 * x**2).tolist()
    both_ = cube(lib, generate_vmap_rule=True, vmap=staticmethod(lambda *args: None))
    with pytest.raises(RuntimeError, match="generate_vmap_rule=True and"):
        lib.vmap(both_.apply)(x)
