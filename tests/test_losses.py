"""Losses that are put together from others: values, gradients and errors against PyTorch."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from both import both
from op_row import Const
from support import raises

torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")

RANDOM = np.random.default_rng(5)


def floats(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape)


def signs(*shape: int) -> np.ndarray:
    return RANDOM.choice([-1, 1], shape)


def positive(*shape: int) -> np.ndarray:
    return RANDOM.uniform(0.1, 2, shape)


def classes(high: int, *shape: int) -> np.ndarray:
    return RANDOM.integers(0, high, shape)


LABELS = np.array([[3, 0, -1, 1], [2, 2, 1, -1], [-1, 0, 0, 0]])
# The arrays of floats among the arguments get gradients.
CASES: dict[str, list[tuple[tuple, dict[str, Any]]]] = {
    "huber_loss": [
        ((floats(3, 4), 3 * floats(3, 4)), {}),
        ((floats(3, 4), 3 * floats(3, 4)), {"delta": 0.3}),
        ((floats(5), floats(5), "mean", 2.0, positive(5)), {}),
        ((floats(0), floats(0)), {"reduction": "sum"}),
    ],
    "kl_div": [
        ((-positive(3, 4), positive(3, 4)), {"reduction": "batchmean"}),
        ((-positive(3, 4), Const(np.array([[0, 1, 0.5, 0]] * 3))), {"reduction": "none"}),
        ((-positive(4), -positive(4)), {"log_target": True, "reduction": "sum"}),
    ],
    "gaussian_nll_loss": [
        ((floats(3, 4), floats(3, 4), positive(3, 4)), {}),
        ((floats(3, 4), floats(3, 4), positive(3)), {"full": True}),
        ((floats(3, 4), floats(3, 4), positive(3, 1)), {"eps": 0.5, "reduction": "none"}),
        ((floats(3, 4), floats(3, 4), 2.0), {}),
    ],
    "poisson_nll_loss": [
        ((floats(6), classes(9, 6)), {}),
        ((floats(6), classes(9, 6)), {"full": True, "reduction": "none"}),
        ((positive(6), classes(9, 6)), {"log_input": False}),
    ],
    "cosine_embedding_loss": [
        ((floats(5, 3), floats(5, 3), signs(5)), {}),
        ((floats(5, 3), floats(5, 3), signs(5)), {"margin": 0.3, "reduction": "none"}),
        ((floats(3), floats(3), np.array(1)), {}),
    ],
    "hinge_embedding_loss": [
        ((floats(4, 3), signs(4, 3)), {}),
        ((floats(4, 3), signs(4, 3)), {"margin": 0.2, "reduction": "none"}),
    ],
    "margin_ranking_loss": [
        ((floats(5), floats(5), signs(5)), {}),
        ((floats(5), floats(5), signs(5)), {"margin": 0.5, "reduction": "none"}),
    ],
    "soft_margin_loss": [((floats(4, 3) * 30, signs(4, 3)), {}), ((floats(4), signs(4)), {})],
    "multi_margin_loss": [
        ((floats(5, 3), classes(3, 5)), {}),
        ((floats(5, 3), classes(3, 5)), {"p": 2, "margin": 0.5}),
        ((floats(5, 3), classes(3, 5)), {"weight": Const(positive(3)), "reduction": "none"}),
        ((floats(3), np.array(1)), {}),
    ],
    "multilabel_margin_loss": [
        ((floats(3, 4), LABELS), {}),
        ((floats(3, 4), LABELS), {"reduction": "none"}),
        ((floats(4), LABELS[0]), {}),
    ],
    "multilabel_soft_margin_loss": [
        ((floats(5, 3), classes(2, 5, 3).astype(float)), {}),
        ((floats(5, 3), classes(2, 5, 3).astype(float), positive(3)), {"reduction": "none"}),
    ],
    "triplet_margin_loss": [
        ((floats(4, 3), floats(4, 3), floats(4, 3)), {}),
        ((floats(4, 3), floats(4, 3), floats(4, 3)), {"swap": True, "p": 1, "margin": 3.0}),
        ((floats(3), floats(3), floats(3)), {"reduction": "sum"}),
    ],
    "triplet_margin_with_distance_loss": [
        ((floats(4, 3), floats(4, 3), floats(4, 3)), {"swap": True}),
    ],
    "ctc_loss": [
        ((floats(6, 3, 4), classes(3, 3, 2) + 1, [6, 5, 6], [2, 1, 2]), {}),
        ((floats(6, 3, 4), classes(3, 5) + 1, [6, 5, 6], [2, 1, 2]), {"reduction": "none"}),
        ((floats(6, 3, 4), classes(3, 3, 2), [6, 5, 4], [2, 0, 2]), {"blank": 3}),
        ((floats(6, 4), np.array([1, 1, 2]), [6], [3]), {"reduction": "sum"}),
        ((floats(2, 1, 4), np.array([[1, 1, 2]]), [2], [3]), {"zero_infinity": True}),
        ((floats(2, 1, 4), np.array([[1, 1, 2]]), [2], [3]), {"reduction": "none"}),
    ],
}


def NAMES(value: Any) -> str:
    return value if isinstance(value, str) else ""


SAMPLES = [(name, *sample) for name, samples in CASES.items() for sample in samples]
SMOOTH = {"gaussian_nll_loss", "poisson_nll_loss", "soft_margin_loss", "ctc_loss"}


def call(lib: Any, name: str, args: tuple, kwargs: dict[str, Any]) -> tuple[Any, list]:
    leaves: list = []

    def make(value: Any) -> Any:
        if isinstance(value, Const):  # PyTorch has no gradient, or a NaN
            return lib.from_numpy(value.value.copy())
        if not isinstance(value, np.ndarray):
            return value
        made = lib.from_numpy(value.copy())
        if made.is_floating_point():
            leaves.append(made.requires_grad_())
        return made

    args = tuple(map(make, args))
    kwargs = {key: make(value) for key, value in kwargs.items()}
    if name == "ctc_loss":
        args = (args[0].log_softmax(-1), *args[1:])
        if lib is torch and args[0].dim() == 2:
            args = (*args[:2], torch.tensor(args[2][0]), torch.tensor(args[3][0]))
        elif lib is torch:
            args = (*args[:2], torch.tensor(args[2]), torch.tensor(args[3]))
    return getattr(lib.nn.functional, name)(*args, **kwargs), leaves


@pytest.mark.filterwarnings("ignore:.*reduction. 'mean' divides the total loss")
@pytest.mark.parametrize(
    ("name", "args", "kwargs"), SAMPLES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_values_and_gradients(name: str, args: tuple, kwargs: dict[str, Any]) -> None:
    found = []
    for lib in (tg, torch):
        loss, leaves = call(lib, name, args, kwargs)
        weight = lib.arange(1.0, loss.numel() + 1, dtype=lib.float64).reshape(loss.shape)
        weighted = lib.where(lib.isinf(loss), 0, loss * weight).sum()
        infinite = bool(lib.isinf(loss).any())  # PyTorch's gradient of the finite ones is NaN
        grads = () if infinite else lib.autograd.grad(weighted, leaves, allow_unused=True)
        found.append([loss.detach().numpy(), *(None if g is None else g.numpy() for g in grads)])
    for a, b in zip(*found, strict=True):
        assert (a is None) == (b is None)
        if b is not None:
            assert a.shape == b.shape and a.dtype == b.dtype
            np.testing.assert_allclose(a, b, 1e-9, 1e-9)


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [s for s in SAMPLES if s[0] in SMOOTH and not {"zero_infinity", "eps"} & s[2].keys()],
    ids=NAMES,
)
def test_second_derivatives(name: str, args: tuple, kwargs: dict[str, Any]) -> None:
    loss, leaves = call(tg, name, args, kwargs)
    if not tg.isfinite(loss).all():
        return

    def again(*values: Any) -> Any:
        rest = iter(values)
        new = [next(rest) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in args]
        new = [tg.from_numpy(a) if isinstance(a, np.ndarray) else a for a in new]
        if name == "ctc_loss":
            new[0] = new[0].log_softmax(-1)
        return getattr(tg.nn.functional, name)(*new, **kwargs)

    assert tg.autograd.gradgradcheck(again, leaves)


MODULES: dict[str, Callable[[Any], Any]] = {
    "HuberLoss": lambda nn: nn.HuberLoss(delta=0.5),
    "KLDivLoss": lambda nn: nn.KLDivLoss(reduction="batchmean"),
    "PoissonNLLLoss": lambda nn: nn.PoissonNLLLoss(full=True),
    "HingeEmbeddingLoss": lambda nn: nn.HingeEmbeddingLoss(0.3),
    "SoftMarginLoss": lambda nn: nn.SoftMarginLoss(reduction="sum"),
    "MultiLabelSoftMarginLoss": lambda nn: nn.MultiLabelSoftMarginLoss(),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules(name: str) -> None:
    x, y = floats(4, 3), positive(4, 3)
    ours, theirs = (MODULES[name](lib.nn) for lib in (tg, torch))
    assert repr(ours) == repr(theirs)
    a, b = (
        ours(tg.from_numpy(x), tg.from_numpy(y)),
        theirs(torch.from_numpy(x), torch.from_numpy(y)),
    )
    assert a.item() == pytest.approx(b.item(), rel=1e-9)


def test_modules_of_several_inputs() -> None:
    a, b, c = (floats(4, 3) for _ in range(3))
    target, labels = signs(4), classes(3, 4)
    for make, inputs in (
        (lambda nn: nn.CosineEmbeddingLoss(0.1), (a, b, target)),
        (lambda nn: nn.MarginRankingLoss(0.1), (a[:, 0].copy(), b[:, 0].copy(), target)),
        (lambda nn: nn.TripletMarginLoss(swap=True), (a, b, c)),
        (lambda nn: nn.TripletMarginWithDistanceLoss(margin=0.5), (a, b, c)),
        (lambda nn: nn.GaussianNLLLoss(full=True), (a, b, np.abs(c))),
        (lambda nn: nn.MultiMarginLoss(2), (a, labels)),
        (lambda nn: nn.MultiLabelMarginLoss(), (floats(3, 4), LABELS)),
    ):
        ours, theirs = (make(lib.nn) for lib in (tg, torch))
        assert repr(ours) == repr(theirs)
        got, want = (
            m(*map(lib.from_numpy, inputs)).item() for m, lib in ((ours, tg), (theirs, torch))
        )
        assert got == pytest.approx(want, rel=1e-9)


def test_ctc_module_with_lengths_as_tensors() -> None:
    steps = tg.randn(5, 2, 4).log_softmax(-1)
    loss = tg.nn.CTCLoss(blank=1, zero_infinity=True)
    targets, lengths = tg.tensor([[2, 3], [3, 0]]), tg.tensor([5, 4])
    assert loss(steps, targets, lengths, tg.tensor([2, 1])).item() > 0


ERRORS: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "delta": (
        lambda F, t: F.huber_loss(t.ones(2), t.ones(2), delta=0.0),
        RuntimeError,
        "huber_loss does not support non-positive values for delta.",
    ),
    "variance": (
        lambda F, t: F.gaussian_nll_loss(t.ones(2), t.ones(2), -t.ones(2)),
        ValueError,
        "var has negative entry/entries",
    ),
    "variance-shape": (
        lambda F, t: F.gaussian_nll_loss(t.ones(2, 3), t.ones(2, 3), t.ones(3)),
        ValueError,
        "var is of incorrect size",
    ),
    "reduction": (
        lambda F, t: F.poisson_nll_loss(t.ones(2), t.ones(2), reduction="all"),
        ValueError,
        "all is not a valid value for reduction",
    ),
    "targets-of-pairs": (
        lambda F, t: F.cosine_embedding_loss(t.ones(2, 3), t.ones(2, 3), t.ones(2, 3)),
        RuntimeError,
        "0D or 1D target tensor expected, multi-target not supported",
    ),
    "dims-of-pairs": (
        lambda F, t: F.cosine_embedding_loss(t.ones(3), t.ones(3), t.ones(2)),
        RuntimeError,
        "1D target tensor expects 2D input tensors, but found inputs with sizes [3] and [3].",
    ),
    "ranking": (
        lambda F, t: F.margin_ranking_loss(t.ones(2), t.ones(2), t.ones(2, 1)),
        RuntimeError,
        "margin_ranking_loss : All input tensors should have same dimension but got sizes: input1:",
    ),
    "power": (
        lambda F, t: F.multi_margin_loss(t.ones(2, 3), t.tensor([0, 1]), p=3),
        ValueError,
        "only p == 1 and p == 2 supported",
    ),
    "margin": (
        lambda F, t: F.triplet_margin_loss(t.ones(2), t.ones(2), t.ones(2), margin=0),
        ValueError,
        "margin must be greater than 0, got 0",
    ),
    "triplet": (
        lambda F, t: F.triplet_margin_loss(t.ones(2), t.ones(2, 2), t.ones(2)),
        RuntimeError,
        "The anchor, positive, and negative tensors are expected to have the same number of "
        "dimensions, but got: anchor 1D, positive 2D, and negative 1D inputs",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("lib", [tg, torch], ids=["tapegrad", "torch"])
def test_errors(name: str, lib: Any) -> None:
    run, kind, text = ERRORS[name]
    with raises(kind, text, lib):
        run(lib.nn.functional, lib)


@pytest.mark.parametrize("lib", [tg, torch], ids=["tapegrad", "torch"])
def test_inputs_that_beginners_give(lib: Any) -> None:
    loss, layer = lib.nn.CrossEntropyLoss(), lib.nn.Linear(2, 2)
    for call, start in (
        (lambda: loss(lib.ones(2, 3), lib.ones(2, 1).long()), "0D or 1D target tensor expected"),
        (lambda: loss(lib.ones(2, 3), lib.ones(2, 3, 1)), "0D or 1D target tensor expected"),
        (
            lambda: loss(lib.ones(2, 3, 4), lib.ones(2, 3).long()),
            "Expected target size [2, 4], got",
        ),
        (lambda: layer(lib.ones(1, 2).long()), "mat1 and mat2 must have the same dtype, but got"),
        (lambda: layer(lib.ones(2).double()), "mat1 and mat2 must have the same dtype, but got"),
    ):
        with raises(RuntimeError, start, lib):
            call()
    assert [x.tolist() for x in lib.split(tensor=lib.ones(2), split_size_or_sections=1)] == [
        [1],
        [1],
    ]


@pytest.mark.parametrize("lib", [tg, torch], ids=["tapegrad", "torch"])
def test_squared_errors_up_to_infinity(lib: Any) -> None:
    F = lib.nn.functional
    x = lib.tensor([1.0, 2.0], requires_grad=True)
    loss = F.huber_loss(x, lib.tensor([2.0, 9.0]), delta=math.inf)
    assert loss.item() == 12.5
    assert lib.autograd.grad(loss, x)[0].tolist() == [-0.5, -3.5]
    with raises(RuntimeError, "huber_loss does not support non-positive values for delta.", lib):
        F.huber_loss(x, x, delta=math.nan)
    with raises(RuntimeError, "log_probs tensor must not be empty", lib):
        F.ctc_loss(lib.ones(0, 2, 4), lib.ones(2, 3).long(), [0, 0], [3, 3])


def test_bad_labels_and_lengths() -> None:
    F = tg.nn.functional
    x = tg.zeros(4, 2, 3).log_softmax(-1)
    for bad in (
        lambda: F.multilabel_margin_loss(tg.ones(3), tg.tensor([3, -1, 0])),
        lambda: F.multilabel_margin_loss(tg.ones(3), tg.tensor([-2, -1, 0])),
        lambda: F.ctc_loss(x, tg.tensor([[1], [1]]), [5, 4], [1, 1]),
        lambda: F.ctc_loss(x, tg.tensor([[1], [1]]), [4, 4], [1, -1]),
        lambda: F.ctc_loss(x, tg.tensor([[1], [1]]), [4, 4], [2, 2]),
        lambda: F.ctc_loss(x, tg.tensor([1, 1, 1]), [4, 4], [1, 1]),
        lambda: F.ctc_loss(x, tg.tensor([[1], [1]]), [4], [1, 1]),
        lambda: F.ctc_loss(x, tg.tensor([[1], [1]]), [4, 4], [1, 1], blank=3),
        lambda: F.ctc_loss(x, tg.tensor([[1], [9]]), [4, 4], [1, 1]),
        lambda: F.multi_margin_loss(tg.ones(2, 3), tg.tensor([0, 3])),
    ):
        with pytest.raises((RuntimeError, IndexError)):
            bad()


def test_mean_of_kl_div_warns() -> None:
    with pytest.warns(UserWarning, match="reduction: 'mean' divides the total loss by both"):
        tg.nn.functional.kl_div(tg.zeros(2), tg.ones(2) / 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss = tg.nn.functional.kl_div(tg.zeros(2), tg.ones(2) / 2, reduction="sum")
    assert loss.item() == pytest.approx(-math.log(2))


@pytest.mark.parametrize("name", ["mse_loss", "smooth_l1_loss"])
@pytest.mark.parametrize("swapped", [False, True])
def test_bools_beside_numbers(name: str, swapped: bool) -> None:
    """A mask is a target, although a difference with it as such is refused."""
    results = []
    for lib in (tg, torch):
        x = lib.tensor([0.2, 0.7, -3.0], requires_grad=True)
        mask = lib.tensor([True, False, True])
        loss = getattr(lib.nn.functional, name)(*((mask, x) if swapped else (x, mask)))
        loss.backward()
        results.append((loss.item(), *x.grad.tolist()))
    assert results[0] == pytest.approx(results[1])


@pytest.mark.parametrize("lib", [tg, torch], ids=lambda lib: lib.__name__)
@pytest.mark.parametrize("target", [-0.1, 1.1, math.nan])
def test_targets_that_are_no_probabilities(lib: Any, target: float) -> None:
    with raises(RuntimeError, "all elements of target should be between 0 and 1"):
        lib.nn.functional.binary_cross_entropy(lib.tensor([0.5]), lib.tensor([target]))


@both
@pytest.mark.filterwarnings("ignore:size_average and reduce args")
def test_old_arguments_are_true_or_false(lib: Any) -> None:
    x, y = lib.tensor([1.0, 2.0, 3.0]), lib.tensor([2.0, 2.0, 5.0])
    for loss, total in ((lib.nn.functional.mse_loss, 5.0), (lib.nn.functional.l1_loss, 3.0)):
        for no in (0, False):
            assert loss(x, y, no).item() == loss(x, y, no, 1).item() == total
            assert loss(x, y, None, no).shape == loss(x, y, 1, no).shape == (3,)
        assert loss(x, y, 1).item() == pytest.approx(total / 3)
