"""Losses, and dropout."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from op_reference import bce_with_logits, cross_entropy, nll_loss, reduced, smooth_l1_loss
from op_row import Const, E, Error, Make, S, Sample, Samples

from .build import KINK, add_row

REDUCTIONS = ("mean", "sum", "none")


IGNORING = np.array([0, -100, 2])


def class_numbers(m: Make) -> Iterable[Sample]:
    yield from (S(m(2, 3), m.place(3, 2), reduction=r) for r in REDUCTIONS)
    yield from (S(m(3), m.place(3)), S(m(2, 3, 2), m.place(3, 2, 2)), S(m(4, 1), m.place(1, 4)))
    weight = Const(m(3, lo=0.5, hi=2))
    for extra in ({}, {"weight": weight}):
        yield from (S(m(3, 3), IGNORING, **extra, reduction=r) for r in REDUCTIONS)
    yield S(m(4, 3), np.array([0, 1, 1, 2]), ignore_index=1)


def classes(m: Make) -> Iterable[Sample]:
    yield from class_numbers(m)
    weight = Const(m(3, lo=0.5, hi=2))
    for extra in ({"label_smoothing": 0.2}, {"weight": weight, "label_smoothing": 0.3}):
        yield from (S(m(3, 3), IGNORING, **extra, reduction=r) for r in REDUCTIONS)
    soft = np.abs(m(2, 3)) / 3
    yield from (S(m(2, 3), soft, reduction=r) for r in REDUCTIONS)
    yield S(m(2, 3), soft, weight=weight, label_smoothing=0.1)


def two(m: Make) -> Iterable[Sample]:
    yield from (S(m(2, 3, lo=-1, hi=1), m(2, 3, lo=1.1, hi=3), reduction=r) for r in REDUCTIONS)
    yield from (S(m(lo=-1, hi=1), m(lo=2, hi=3)), S(m(3, lo=-1, hi=1), m(3, lo=-3, hi=-1.1)))


def logits(m: Make) -> Iterable[Sample]:
    def t(*shape: int) -> np.ndarray:
        return m(*shape, lo=0.0, hi=1.0)

    yield from (S(m(2, 3, away=KINK), t(2, 3), reduction=r) for r in REDUCTIONS)
    yield S(m(2, 3, away=KINK), t(2, 3), weight=Const(t(2, 3)))
    yield S(m(2, 3, away=KINK), t(2, 3), pos_weight=Const(m(3, lo=0.5, hi=2)))
    yield S(m(away=KINK), t())


def loss(name: str, ref: Callable[..., Any], samples: Samples, large: Samples, *errors: Error,
         **options: Any) -> None:
    add_row(name, ref, samples, "loss", path=f"nn.functional.{name}", tol=5, large=large,
            errors=errors, **options)


def _loss(name: str, *shapes: tuple, **kw: Any) -> Callable[[Any], Any]:
    return lambda t: getattr(t.nn.functional, name)(*(t.ones(s) for s in shapes), **kw)


loss("cross_entropy", cross_entropy, classes, lambda m: [S(m(5001, 100), m.place(100, 5001))],
     E(lambda t: t.nn.functional.cross_entropy(t.ones(2, 3), t.tensor([0, 3])), IndexError,
       "Target 3 is out of bounds."),
     E(lambda t: t.nn.functional.cross_entropy(t.ones(2, 3), t.tensor([0, -1])), IndexError,
       "Target -1 is out of bounds."),
     E(lambda t: t.nn.functional.cross_entropy(t.ones(2, 3), t.tensor([0, 1, 2])), ValueError,
       "Expected input batch_size (2) to match target batch_size (3)."))
loss("nll_loss", nll_loss, class_numbers, lambda m: [S(m(5001, 100), m.place(100, 5001))],
     E(lambda t: t.nn.functional.nll_loss(t.ones(2, 3), t.tensor([0, 3])), IndexError,
       "Target 3 is out of bounds."),
     E(lambda t: t.nn.functional.nll_loss(t.ones(2, 3), t.tensor([0, 1, 2])), ValueError,
       "Expected input batch_size (2) to match target batch_size (3)."),
     E(lambda t: t.nn.functional.nll_loss(t.ones(2, 3, 2), t.tensor([[0], [1]])), RuntimeError,
       "Expected target size [2, 2], got [2, 1]"),
     E(lambda t: t.nn.functional.nll_loss(t.tensor(1.0), t.tensor(0)), ValueError,
       "Expected 1 or more dimensions (got 0)"))
loss("mse_loss", lambda x, y, reduction="mean": reduced((x - y) ** 2, reduction), two,
     lambda m: [S(m(300, 1001), m(300, 1001))],
     E(_loss("mse_loss", (2, 3), (2, 3), reduction="x"), ValueError,
       "x is not a valid value for reduction"))
loss("l1_loss", lambda x, y, reduction="mean": reduced(np.abs(x - y), reduction), two,
     lambda m: [S(m(300, 1001), m(300, 1001))],
     E(_loss("l1_loss", (2, 3), (2, 3), reduction="x"), ValueError,
       "x is not a valid value for reduction"))
loss("smooth_l1_loss", smooth_l1_loss,
     lambda m: [*two(m), S(m(2, 3, lo=-1, hi=1), m(2, 3, lo=1.1, hi=3), beta=0.7)],
     lambda m: [S(m(300, 1001), m(300, 1001))],
     E(_loss("smooth_l1_loss", (2, 3), (2, 3), reduction="x"), ValueError,
       "x is not a valid value for reduction"),
     E(_loss("smooth_l1_loss", (2, 3), (2, 3), beta=-1.0), RuntimeError,
       "smooth_l1_loss does not support negative values for beta."),
     E(lambda t: t.nn.functional.smooth_l1_loss(t.arange(3), t.arange(3)), NotImplementedError,
       "\"smooth_l1_cpu\" not implemented for 'Long'"))
loss("binary_cross_entropy_with_logits", bce_with_logits, logits,
     lambda m: [S(m(300, 1001), np.abs(m(300, 1001)))],
     E(_loss("binary_cross_entropy_with_logits", (2, 3), (2,)), ValueError,
       "Target size (tapegrad.Size([2])) must be the same as input size (tapegrad.Size([2, 3]))"))
add_row("dropout", lambda x, p, training: x * 1.0 if not training else x * (p == 0),
        lambda m: [S(m(2, 3), 0.5, False), S(m(2, 3), 0.0, True), S(m(2, 3), 1.0, True), S(m(0), 0.0, True)],
        "unary", path="nn.functional.dropout", special=False)
