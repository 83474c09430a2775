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


def plan(op):
    """Calls of differentiable tensors, with the tensors."""
    for sample in list(op.samples(Make("float64")))[:6]:
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

            return tuple(
                floats(op.call(tg, *map(put, args), **{k: put(v) for k, v in kwargs.items()}))
            )

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
