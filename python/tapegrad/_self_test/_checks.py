"""The checks: each function is a group of them, which its docstring names."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import tapegrad as tg
from tapegrad import nn, optim
from tapegrad.func import grad, hessian, jacrev, vmap

from ._report import Report

__all__ = ["GROUPS"]

# Odd sizes reach the ends of vectors; the last one is shared among threads.
_SIZES = (1, 7, 33, 1000, 100_003)
_DTYPES = ((tg.float32, 4e-6), (tg.float64, 1e-13))

_UNARY: dict[str, Callable[[Any], Any]] = {
    "abs": np.abs,
    "acos": np.arccos,
    "asin": np.arcsin,
    "atan": np.arctan,
    "cos": np.cos,
    "cosh": np.cosh,
    "exp": np.exp,
    "expm1": np.expm1,
    "floor": np.floor,
    "log1p": np.log1p,
    "neg": np.negative,
    "reciprocal": np.reciprocal,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "sin": np.sin,
    "sinh": np.sinh,
    "square": np.square,
    "tan": np.tan,
    "tanh": np.tanh,
}
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": np.add,
    "atan2": np.arctan2,
    "div": np.divide,
    "hypot": np.hypot,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "mul": np.multiply,
    "sub": np.subtract,
}


def _values(*shape: int, seed: int = 0) -> Any:
    """Numbers in (-1, 1) that are exact in float32, as an array of float64."""
    numbers = np.random.default_rng(seed).uniform(-1, 1, shape)
    return numbers.astype(np.float32).astype(np.float64)


def _tensor(values: Any, dtype: tg.dtype = tg.float64) -> tg.Tensor:
    return tg.tensor(values, dtype=dtype)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = tg.get_num_threads()
    tg.set_num_threads(count)
    try:
        yield
    finally:
        tg.set_num_threads(before)


def elementwise(report: Report) -> None:
    """Element-wise kernels against NumPy."""
    for dtype, rtol in _DTYPES:
        for size in _SIZES:
            a, b = _values(size), _values(size, seed=1)
            x, y = _tensor(a, dtype), _tensor(b, dtype)
            for name, reference in _UNARY.items():
                got = getattr(tg, name)(x)
                report.close(f"{name}, {dtype}, {size}", got, reference(a), rtol, rtol / 10)
            for name, binary in _BINARY.items():
                got = getattr(tg, name)(x, y)
                report.close(f"{name}, {dtype}, {size}", got, binary(a, b), rtol)
        grid = _values(61, 43)
        x = _tensor(grid, dtype)
        report.close(f"strided exp, {dtype}", x.T[3:, ::2].exp(), np.exp(grid.T[3:, ::2]), rtol)
        report.close(f"broadcast sum, {dtype}", x + x[:, :1], grid + grid[:, :1], rtol)
    # Every half, one between each two of them, and what is no number: rounded as NumPy does.
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
    with np.errstate(all="ignore"):
        for values in (halves, np.nextafter(halves, np.float32(np.inf))):
            got, want = tg.tensor(values).half().numpy(), values.astype(np.float16)
            report.holds("rounding to float16", np.array_equal(got, want, equal_nan=True))
    for name in ("add", "mul", "bitwise_and", "bitwise_xor"):
        whole = np.arange(-500, 500)
        got = getattr(tg, name)(tg.tensor(whole), tg.tensor(whole[::-1].copy()))
        number = {"add": np.add, "mul": np.multiply}.get(name) or getattr(np, name)
        report.close(f"{name}, int64", got, number(whole, whole[::-1]), 0)


def reductions(report: Report) -> None:
    """Reductions, scans and sorting against NumPy."""
    grid = _values(301, 203)
    for dtype, rtol in _DTYPES:
        x = _tensor(grid, dtype)
        for dim in (0, 1):
            where = f"{dtype}, dim {dim}"
            report.close(f"sum, {where}", x.sum(dim), grid.sum(dim), rtol, 50 * rtol)
            report.close(f"amax, {where}", x.amax(dim), grid.max(dim), 0)
            report.close(f"argmin, {where}", x.argmin(dim), grid.argmin(dim), 0)
            report.close(f"var, {where}", x.var(dim), grid.var(dim, ddof=1), 10 * rtol)
            report.close(f"sort, {where}", x.sort(dim).values, np.sort(grid, dim), 0)
            report.close(f"cumsum, {where}", x.cumsum(dim), grid.cumsum(dim), 10 * rtol, 50 * rtol)
            powers = np.exp(grid)
            report.close(
                f"softmax, {where}", x.softmax(dim), powers / powers.sum(dim, keepdims=True),
                10 * rtol,
            )  # fmt: skip
        report.close(f"mean, {dtype}", x.mean(), grid.mean(), rtol, rtol)


def products(report: Report) -> None:
    """Matrices, convolutions and factorisations."""
    for dtype, rtol in _DTYPES:
        for n, k, m in ((3, 5, 2), (33, 17, 65), (200, 150, 250)):
            a, b = _values(n, k), _values(k, m, seed=1)
            got = _tensor(a, dtype) @ _tensor(b, dtype)
            report.close(f"matmul {n}x{k}x{m}, {dtype}", got, a @ b, rtol, 50 * rtol)
        a = _values(60, 60) + 8 * np.eye(60)
        x = _tensor(a, dtype)
        report.close(f"solve, {dtype}", tg.linalg.solve(x, x @ x), a, 100 * rtol, 100 * rtol)
        q, r = tg.linalg.qr(x)
        report.close(f"qr, {dtype}", q @ r, a, 100 * rtol, 100 * rtol)
        u, s, v = tg.linalg.svd(x)
        report.close(f"svd, {dtype}", u * s @ v, a, 100 * rtol, 100 * rtol)
        images, kernels = _values(2, 3, 12, 11), _values(4, 3, 3, 3, seed=1)
        windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), (2, 3))
        got = nn.functional.conv2d(_tensor(images, dtype), _tensor(kernels, dtype))
        want = np.einsum("nchwij,ocij->nohw", windows, kernels)
        report.close(f"conv2d, {dtype}", got, want, 10 * rtol, 50 * rtol)


def gradients(report: Report) -> None:
    """Gradients against differences, first and second."""

    def leaf(*shape: int, seed: int = 0) -> tg.Tensor:
        return _tensor(_values(*shape, seed=seed)).requires_grad_()

    square, vector = leaf(4, 4), leaf(4, seed=1)
    image, kernel = leaf(1, 2, 5, 5, seed=2), leaf(2, 2, 3, 3, seed=3)
    functions: dict[str, tuple[Callable[..., Any], tuple[tg.Tensor, ...]]] = {
        "element-wise": (lambda x, y: (x * y).tanh() / (1 + y * y).sqrt(), (square, vector)),
        "matmul": (lambda x, y: x @ y, (square, vector)),
        "softmax": (lambda x: x.log_softmax(1), (square,)),
        "reductions": (lambda x: x.var(0) * x.logsumexp(1) + x.prod(), (square,)),
        "views": (lambda x: x.T[1:, ::2].reshape(-1) * x[[0, 2, 2]].sum(), (square,)),
        "layer_norm": (lambda x: nn.functional.layer_norm(x, (4,)), (square,)),
        "conv2d": (nn.functional.conv2d, (image, kernel)),
        "max_pool2d": (lambda x: nn.functional.max_pool2d(x, 2), (image,)),
        "scans": (lambda x: x.cumsum(0) + x.cumprod(1), (square,)),
        "sort": (lambda x: x.sort(1).values * x.cummax(0).values, (square,)),
        "cross_entropy": (
            lambda x: nn.functional.cross_entropy(x, tg.tensor([0, 3, 1, 1])),
            (square,),
        ),
        "linalg": (lambda x: tg.linalg.inv(x @ x.T + tg.eye(4, dtype=x.dtype)), (square,)),
    }
    for name, (function, inputs) in functions.items():
        for order, check in (
            ("first", tg.autograd.gradcheck),
            ("second", tg.autograd.gradgradcheck),
        ):
            try:
                found = check(function, inputs)
            except RuntimeError as error:
                report.holds(f"{name}, {order}", False, str(error).splitlines()[0])
            else:
                report.holds(f"{name}, {order}", found)


def tape(report: Report) -> None:
    """The tape: leaves, views, overwritten values, hooks."""
    x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (x * x).sum().backward()
    (x * 2).sum().backward()
    report.holds("gradients add up", x.grad is not None and x.grad.tolist() == [4.0, 6.0, 8.0])
    kept = x.exp()
    kept.detach().zero_()
    try:
        kept.sum().backward()
    except RuntimeError as error:
        report.holds("overwritten values", "modified by an inplace operation" in str(error))
    else:
        report.holds("overwritten values are refused", False)
    base = tg.zeros(2, 3)
    base.T[1] += 1
    report.holds("views share memory", base.tolist() == [[0, 1, 0], [0, 1, 0]])
    seen: list[tg.Tensor] = []
    y = x * 3
    y.register_hook(seen.append)
    y.sum().backward()
    report.holds("hooks run", [g.tolist() for g in seen] == [[1.0, 1.0, 1.0]])
    array = np.zeros(3, dtype=np.float32)
    tg.from_numpy(array).add_(1)
    report.holds("arrays are shared", array.tolist() == [1, 1, 1])


def transforms(report: Report) -> None:
    """Transforms of functions."""
    w, batch = _tensor(_values(5)), _tensor(_values(20, 5, seed=1))

    def loss(w: tg.Tensor, x: tg.Tensor) -> tg.Tensor:
        return (w * x).sum().tanh()

    slopes = vmap(grad(loss), (None, 0))(w, batch)
    one_by_one = tg.stack([grad(loss)(w, x) for x in batch])
    report.close("vmap of grad", slopes, one_by_one.numpy(), 1e-13, 1e-15)
    twice = jacrev(grad(loss))(w, batch[0])
    report.close("hessian", hessian(loss)(w, batch[0]), twice.numpy(), 1e-12, 1e-15)


def _training(compiled: bool) -> list[tg.Tensor]:
    """The losses and parameters of some steps."""
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 3))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    inputs, targets = tg.randn(32, 8), tg.randint(0, 3, (32,))

    def step(x: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    run = tg.compile(step) if compiled else step
    losses = [run(inputs, targets).clone() for _ in range(40)]
    return [*losses, *(p.detach() for p in model.parameters())]


def training(report: Report) -> None:
    """Training, as it is and replayed, to the same bits."""
    eager = _training(compiled=False)
    report.holds("the loss falls", eager[39].item() < eager[0].item())
    for at, (a, b) in enumerate(zip(eager, _training(compiled=True), strict=True)):
        report.same_bits(f"loss {at}" if at < 40 else f"parameter {at - 40}", b, a)


def _at_any_count() -> list[tg.Tensor]:
    """Results that several threads share the work of."""
    tg.manual_seed(0)
    x = tg.randn(700, 600, requires_grad=True)
    y = tg.randn(600, 500, requires_grad=True)
    images = tg.randn(4, 8, 40, 40, requires_grad=True)
    kernels = tg.randn(8, 8, 3, 3, requires_grad=True)
    first = (x.exp().sum(0) @ (x.T @ x).softmax(1) @ y).tanh()
    second = nn.functional.conv2d(images, kernels).var((2, 3))
    (first.sum() + second.sum()).backward()
    results = [first, second, x.grad, y.grad, images.grad, kernels.grad]
    return [r for r in results if r is not None]


def threads(report: Report) -> None:
    """The same bits at any number of threads."""
    with _threads(1):
        alone = _at_any_count()
    for count in (2, 3, 8):
        with _threads(count):
            for at, (a, b) in enumerate(zip(alone, _at_any_count(), strict=True)):
                report.same_bits(f"result {at} of {count} threads", b, a)


def random_numbers(report: Report) -> None:
    """Random numbers."""
    draws = [tg.randn(100_000, generator=tg.Generator().manual_seed(7)) for _ in range(2)]
    report.same_bits("the same seed", *draws)
    x = draws[0].double()
    report.holds("mean of randn", abs(x.mean().item()) < 0.02, str(x.mean().item()))
    report.holds("deviation of randn", abs(x.std().item() - 1) < 0.02, str(x.std().item()))
    report.holds("randperm", tg.randperm(1000).sort().values.equal(tg.arange(1000)))


def files(report: Report) -> None:
    """Files: safetensors, PyTorch's format, pickle."""
    model = nn.Linear(5, 3)
    state = {name: value.detach() for name, value in model.state_dict().items()}
    with tempfile.TemporaryDirectory() as folder:
        for name, options in (("safetensors", {}), ("pt", {"pickle": True})):
            path = Path(folder, f"model.{name}")
            tg.save(state, path, **options)
            loaded = tg.load(path)
            for key, value in state.items():
                report.same_bits(f"{key} of {path.name}", loaded[key], value)
    copy = pickle.loads(pickle.dumps(model))
    for key, value in copy.state_dict().items():
        report.same_bits(f"{key}, pickled", value, state[key])


GROUPS: tuple[Callable[[Report], None], ...] = (
    elementwise, reductions, products, gradients, tape, transforms, training, threads,
    random_numbers, files,
)  # fmt: skip
