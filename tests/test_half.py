"""float16 and bfloat16: every operator computes in float32 and rounds its result once."""

from __future__ import annotations

import copy
import io
import itertools
import math
import pickle
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from both import both
from op_row import Make, Op, Sample, outputs, prepare, takes_gradients
from op_table import TABLE
from support import ALL, contiguous, raises

HALVES = {"float16": 2.0**-10, "bfloat16": 2.0**-7}  # the distance from 1 to the next number
FLOATING = [op for op in TABLE if "float32" in op.dtypes]

each_half = pytest.mark.parametrize("half", HALVES)
each_op = pytest.mark.parametrize("op", FLOATING, ids=lambda op: op.name)


def run(op: Op, sample: Sample, half: str, wide: bool, lib: Any = tg) -> tuple[list, list]:
    """Results of a row on arrays rounded to half, computed in it or in float32; and the leaves."""
    leaves = []

    def make(values: np.ndarray, differentiable: bool) -> Any:
        made = contiguous(values, lib)
        if values.dtype != np.float32:
            return made
        made = made.to(getattr(lib, half))
        made = made.float() if wide else made
        if differentiable and op.diff:
            leaves.append(made.requires_grad_())
        return made

    args, kwargs = prepare(sample, make)
    return list(outputs(op.call(lib, *args, **kwargs))), leaves


def same(got: Any, want: Any, half: str, factor: float, what: str) -> None:
    assert got.dtype == (getattr(tg, half) if want.dtype == tg.float32 else want.dtype), what
    assert got.shape == want.shape, what
    a, b = (np.asarray(t.detach().double().numpy()) for t in (got, want))
    finite = np.abs(b[np.isfinite(b)])
    scale = max(1.0, finite.max()) if finite.size else 1.0
    if half == "float16":  # what is beyond its range is infinite
        b = np.where(np.abs(b) > 65519, np.copysign(np.inf, b), b)
    tolerance = HALVES[half] * factor
    np.testing.assert_allclose(a, b, tolerance, tolerance * scale, err_msg=what)


def refused_by_pytorch(op: Op, sample: Sample, half: str, error: Exception) -> None:
    """What PyTorch has for a half type is no longer missing here."""
    torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
    try:
        run(op, sample, half, False, torch)
    except (NotImplementedError, RuntimeError):
        return
    raise error


@each_half
@each_op
def test_values(op: Op, half: str) -> None:
    for sample in op.samples(Make("float32", seed=3)):
        want = run(op, sample, half, True)[0]
        try:
            got = run(op, sample, half, False)[0]
        except (NotImplementedError, RuntimeError) as error:
            refused_by_pytorch(op, sample, half, error)
            return
        for a, b in zip(got, want, strict=True):
            if isinstance(b, tg.Tensor):
                same(a, b, half, 2 * op.tol, f"{op.name}({sample})")


@each_half
@pytest.mark.parametrize("op", [op for op in FLOATING if op.diff], ids=lambda op: op.name)
def test_gradients(op: Op, half: str) -> None:
    for sample in filter(takes_gradients, op.samples(Make("float32", seed=3))):
        found = []
        for wide in (True, False):
            try:
                results, leaves = run(op, sample, half, wide)
            except (NotImplementedError, RuntimeError) as error:
                if wide:
                    raise
                refused_by_pytorch(op, sample, half, error)
                return
            results = [r for r in results if r.requires_grad]
            found.append(
                tg.autograd.grad(
                    results, leaves, [tg.ones_like(r) for r in results], allow_unused=True
                )
            )
        for b, a in zip(*found, strict=True):
            assert (a is None) == (b is None)
            if b is not None:
                same(a, b, half, 8 * op.tol, f"{op.name}({sample})")


@each_half
def test_next_number(half: str) -> None:
    dtype = getattr(tg, half)
    bits = tg.arange(-(2**15), 2**15).to(tg.int16)
    every = bits.view(dtype)
    every = every[every.isfinite()]
    infinity = tg.full_like(every, math.inf)
    # The pattern of bits, read as an integer with the sign in front, counts the numbers.
    order = every.view(tg.int16).long()
    order = tg.where(order < 0, -(order + 2**15), order)
    for towards, step in ((infinity, 1), (-infinity, -1)):
        found = tg.nextafter(every, towards).view(tg.int16).long()
        found = tg.where(found < 0, -(found + 2**15), found)
        assert tg.equal(found, order + step)
    assert tg.equal(every.nextafter(every), every)
    nothing = tg.tensor(math.nan, dtype=dtype)
    assert every.nextafter(nothing).isnan().all() and nothing.nextafter(every).isnan().all()


@each_half
@each_op
def test_dtypes_are_pytorchs(op: Op, half: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
    for sample in list(op.samples(Make("float32", seed=3)))[:4]:
        try:
            want = run(op, sample, half, False, torch)[0]
        except (RuntimeError, NotImplementedError):
            continue  # what it has not got is no measure
        for a, b in zip(run(op, sample, half, False)[0], want, strict=True):
            if isinstance(b, torch.Tensor):
                assert str(a.dtype).split(".")[1] == str(b.dtype).split(".")[1], sample
                assert tuple(a.shape) == tuple(b.shape)


def test_promotion_is_pytorchs() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
    for a, b in itertools.product((*ALL, *HALVES), repeat=2):
        for shape, other in itertools.product([(2,), ()], repeat=2):
            found = []
            for lib in (tg, torch):
                x = lib.ones(shape, dtype=getattr(lib, a))
                y = lib.ones(other, dtype=getattr(lib, b))
                kinds = [lib.promote_types(x.dtype, y.dtype), lib.result_type(x, y), (x + y).dtype]
                kinds += [(x + 1).dtype, (x * 1.5).dtype, (x / y).dtype, (x > 1.5).dtype]
                found.append([*map(str, kinds), lib.can_cast(x.dtype, y.dtype)])
            assert str(found[0]).replace("tapegrad", "torch") == str(found[1]), (a, b)


def test_every_number_there_is() -> None:
    bits = np.arange(2**16, dtype=np.uint32).astype(np.uint16)
    halves = tg.from_numpy(bits.view(np.float16).copy())
    single = halves.float()
    np.testing.assert_array_equal(single.numpy(), bits.view(np.float16).astype(np.float32))
    same_bits = single.half().numpy().view(np.uint16)
    number = ~np.isnan(bits.view(np.float16))
    np.testing.assert_array_equal(same_bits[number], bits[number])
    assert np.isnan(single.half().numpy()[~number]).all()


@each_half
def test_rounding_is_to_the_nearest_and_even(half: str) -> None:
    random = np.random.default_rng(0)
    bits = random.integers(0, 2**32, 200_000, dtype=np.uint64).astype(np.uint32)
    ties = (bits & np.uint32(0xFFFFE000)) | np.uint32(0x1000)
    upper = (bits & np.uint32(0xFFFF0000)) | np.uint32(0x8000)
    values = np.concatenate([bits, ties, upper]).view(np.float32)
    values = np.concatenate([values, random.normal(size=100_000).astype(np.float32)])
    values = values[~np.isnan(values)]
    got = tg.from_numpy(values).to(getattr(tg, half)).float().numpy()
    if half == "float16":
        with np.errstate(over="ignore"):
            want = values.astype(np.float16).astype(np.float32)
    else:
        raw = values.view(np.uint32).astype(np.uint64)
        want = ((raw + 0x7FFF + (raw >> 16 & 1)) >> 16 << 16).astype(np.uint32).view(np.float32)
    np.testing.assert_array_equal(got, want)


@each_half
def test_numbers_keep_their_digits(half: str) -> None:
    """A factor or divisor that the dtype does not hold is no zero or infinity."""
    x = tg.tensor([3.0e4, 0.5], dtype=getattr(tg, half), requires_grad=True)
    small = x * 1e-8
    assert small[0].item() == pytest.approx(3e-4, rel=0.01)
    assert (x.detach() * 70000)[1].item() == pytest.approx(35000, rel=0.01)
    assert (x.detach().clone().mul_(1e-8))[0].item() == pytest.approx(3e-4, rel=0.01)
    (g,) = tg.autograd.grad(small.sum(), x)
    assert g[0].item() == pytest.approx(1e-8, rel=0.01, abs=6e-8)
    (g,) = tg.autograd.grad((x * 70000 / 70000).sum(), x, create_graph=True)
    assert g.dtype == x.dtype


@each_half
def test_printed_form(half: str) -> None:
    dtype = getattr(tg, half)
    assert (
        repr(tg.tensor([1.0, 2.5], dtype=dtype))
        == f"tensor([1.0000, 2.5000], dtype=tapegrad.{half})"
    )
    assert repr(tg.zeros(2, dtype=dtype)) == f"tensor([0., 0.], dtype=tapegrad.{half})"
    assert tg.tensor(0.1, dtype=dtype).item() == pytest.approx(0.1, rel=HALVES[half])
    assert tg.tensor([1.0, 0.5], dtype=dtype).tolist() == [1.0, 0.5]


@pytest.mark.parametrize("name", ["float16", "bfloat16", "int8", "int16"])
def test_saved_copied_and_pickled(name: str) -> None:
    x = tg.tensor([[1.5, -2.0], [100.0, 0.0]]).to(getattr(tg, name))
    for y in (x, x.t(), x[:, 0]):
        file = io.BytesIO()
        tg.save({"a": y, "b": [y]}, file)
        file.seek(0)
        loaded = tg.load(file)
        for z in (loaded["a"], loaded["b"][0], pickle.loads(pickle.dumps(y)), copy.deepcopy(y)):
            assert z.dtype == y.dtype
            assert tg.equal(z, y)


@each_half
def test_a_network_learns(half: str) -> None:
    tg.manual_seed(0)
    dtype = getattr(tg, half)
    net = tg.nn.Sequential(tg.nn.Linear(2, 16), tg.nn.Tanh(), tg.nn.Linear(16, 2)).to(dtype)
    x = tg.randn(64, 2, dtype=dtype)
    target = (x[:, 0] * x[:, 1] > 0).long()
    optimizer = tg.optim.SGD(net.parameters(), lr=0.5, momentum=0.9)
    first = None
    for _ in range(100):
        optimizer.zero_grad()
        loss = tg.nn.functional.cross_entropy(net(x), target)
        first = first or loss.item()
        loss.backward()
        optimizer.step()
    assert loss.dtype == dtype
    assert loss.item() < 0.3 * first


@each_half
def test_means_of_many(half: str) -> None:
    """Their sums are beyond the dtype, or its digits."""
    dtype = getattr(tg, half)
    x = tg.full((100_000,), 3.0, dtype=dtype)
    assert x.mean().item() == 3
    logits, target = tg.zeros(100_000, 2, dtype=dtype), tg.zeros(100_000, dtype=tg.int64)
    loss = tg.nn.functional.cross_entropy(logits, target)
    assert loss.item() == pytest.approx(math.log(2), rel=HALVES[half])


@each_half
def test_random_numbers(half: str) -> None:
    dtype, eps = getattr(tg, half), HALVES[half]
    tg.manual_seed(0)
    u = tg.rand(100_000, dtype=dtype).float()
    assert u.min().item() >= 0 and u.max().item() < 1
    assert u.mean().item() == pytest.approx(0.5, abs=0.01 + eps)
    n = tg.randn(100_000, dtype=dtype).float()
    assert n.mean().item() == pytest.approx(0, abs=0.02)
    assert n.std().item() == pytest.approx(1, abs=0.02)


def test_exchange_with_numpy() -> None:
    values = np.array([1.5, -2], dtype=np.float16)
    shared = tg.from_numpy(values)
    shared[0] = 3
    assert values[0] == 3 and shared.numpy().dtype == np.float16
    for dtype in (np.int8, np.int16):
        assert tg.from_numpy(np.array([1, -2], dtype=dtype)).numpy().dtype == dtype
    with raises(TypeError, "Got unsupported ScalarType BFloat16"):
        tg.ones(2, dtype=tg.bfloat16).numpy()
    bits = tg.from_dlpack(tg.ones(2, dtype=tg.bfloat16))
    assert bits.dtype == tg.bfloat16 and bits.tolist() == [1, 1]
    assert math.isinf(tg.tensor(1e39, dtype=tg.float16).item())


def test_what_does_not_fit_is_refused() -> None:
    with raises(RuntimeError, "value cannot be converted to type c10::Half without overflow"):
        tg.zeros(2, dtype=tg.float16).fill_(70000)
    with raises(RuntimeError, "value cannot be converted to type int8_t without overflow"):
        tg.zeros(2, dtype=tg.int8).fill_(300)
    with raises(RuntimeError, "value cannot be converted to type int8 without overflow"):
        tg.tensor([300], dtype=tg.int8)
    with raises(IndexError, "tensors used as indices must be long, int, byte or bool tensors"):
        tg.ones(3)[tg.tensor([0], dtype=tg.int8)]


@both
@pytest.mark.filterwarnings("ignore:Mismatch dtype")
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_normalisations_whose_parameters_stay_float32(dtype: str, lib: Any) -> None:
    F = lib.nn.functional
    x = lib.tensor([[1.0, 2.0, 4.0], [3.0, 5.0, 0.0]]).to(getattr(lib, dtype)).requires_grad_()
    weight, bias = (lib.tensor(v, requires_grad=True) for v in ([1.0, 2.0, 3.0], [0.5, 0.0, -1.0]))
    mean, var = lib.zeros(3), lib.ones(3)
    for call in (
        lambda x, w, b: F.layer_norm(x, (3,), w, b),
        lambda x, w, b: F.group_norm(x, 1, w, b),
        lambda x, w, b: F.batch_norm(x, mean, var, w, b, True),
        lambda x, w, b: F.rms_norm(x, (3,), w) + b.to(x.dtype),
    ):
        y = call(x, weight, bias)
        wide = call(x.detach().float(), weight, bias)
        assert y.dtype is x.dtype
        assert lib.allclose(y.float(), wide, rtol=1e-2, atol=1e-2)
        grads = lib.autograd.grad(y.float().sum(), (x, weight, bias))
        assert [g.dtype for g in grads] == [x.dtype, lib.float32, lib.float32]
    assert mean.abs().sum() > 0
