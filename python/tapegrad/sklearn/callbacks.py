"""What is called while an estimator is trained: callbacks and the progress bar."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

__all__ = ["Callback", "Callbacks", "ProgressBar", "plot_loss_curve"]


class Callback:
    """Base class of callbacks: each method does nothing, to be overridden where wanted.

    ``on_fit_begin(estimator)`` and ``on_fit_end(estimator)`` are called around a call of `fit` or
    `partial_fit`, ``on_batch_end(estimator, loss)`` after each step of a stochastic solver, and
    ``on_epoch_end(estimator)`` after each epoch (with "lbfgs" each iteration), when
    ``estimator.n_iter_`` and ``estimator.loss_curve_`` have it already. Where it returns True,
    training stops.

    In place of a callback, estimators take a function of the estimator, as `on_epoch_end`.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> from tapegrad.sklearn import Callback, MLPClassifier
        >>> class Below(Callback):
        ...     def __init__(self, loss):
        ...         self.loss = loss
        ...
        ...     def on_epoch_end(self, estimator):
        ...         return estimator.loss_ < self.loss
        >>> X, y = load_iris(return_X_y=True)
        >>> model = MLPClassifier(random_state=0, callbacks=[Below(0.5)]).fit(X, y)
        >>> model.loss_ < 0.5 <= model.loss_curve_[-2]
        True
    """

    def on_fit_begin(self, estimator: Any) -> None: ...

    def on_batch_end(self, estimator: Any, loss: float) -> None: ...

    def on_epoch_end(self, estimator: Any) -> bool | None: ...

    def on_fit_end(self, estimator: Any) -> None: ...


class ProgressBar(Callback):
    """Shows epoch, loss, validation score and the time left: what `verbose` adds.

    On a terminal it is one line that changes; elsewhere a line for each epoch, as
    scikit-learn's.

    Args:
        width: of the bar, in characters. Default: 24.
        file: where to write. Default: ``sys.stdout``.

    Example:
        >>> import io
        >>> from sklearn.datasets import load_iris
        >>> from tapegrad.sklearn import MLPClassifier, ProgressBar
        >>> shown = io.StringIO()
        >>> X, y = load_iris(return_X_y=True)
        >>> model = MLPClassifier(random_state=0, callbacks=[ProgressBar(file=shown)]).fit(X, y)
        >>> shown.getvalue()[:22]
        'Iteration 1, loss = 1.'
    """

    def __init__(self, width: int = 24, file: TextIO | None = None) -> None:
        self.width = width
        self.file = file

    def _out(self) -> TextIO:
        return sys.stdout if self.file is None else self.file

    def on_fit_begin(self, estimator: Any) -> None:
        self._start = time.perf_counter()
        self._drawn = 0

    def on_epoch_end(self, estimator: Any) -> None:
        done, total = estimator.n_iter_, estimator.max_iter
        out = self._out()
        scores = getattr(estimator, "validation_scores_", None)
        if not out.isatty():
            print(f"Iteration {done}, loss = {estimator.loss_:.8f}", file=out)
            if scores:
                print(f"Validation score: {scores[-1]:f}", file=out)
            return
        left = (time.perf_counter() - self._start) / done * (total - done)
        filled = self.width * done // total
        bar = "#" * filled + "." * (self.width - filled)
        text = f"Iteration {done}/{total} [{bar}] loss = {estimator.loss_:.6f}"
        if scores:
            text += f", validation score = {scores[-1]:.4f}"
        text += f", at most {left:.0f} s left"
        out.write("\r" + text.ljust(self._drawn))
        out.flush()
        self._drawn = len(text)

    def on_fit_end(self, estimator: Any) -> None:
        if self._drawn:
            self._out().write("\n")
            self._drawn = 0

    def write(self, text: str) -> None:
        """Write a line below the bar."""
        if self._drawn:
            self._out().write("\n")
            self._drawn = 0
        print(text, file=self._out())


class _Function(Callback):
    """A function in the place of a callback."""

    def __init__(self, function: Callable[[Any], bool | None]) -> None:
        self.on_epoch_end = function  # type: ignore[method-assign, assignment]


class Callbacks:
    """The callbacks of an estimator during one fit."""

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator
        self.progress = ProgressBar() if estimator.verbose else None
        given = estimator.callbacks or ()
        made = [each if isinstance(each, Callback) else _Function(each) for each in given]
        self.all = [self.progress, *made] if self.progress is not None else made
        # Batches are many: only those that listen are called.
        self.per_batch = [
            each for each in self.all if type(each).on_batch_end is not Callback.on_batch_end
        ]

    def __enter__(self) -> Callbacks:
        for each in self.all:
            each.on_fit_begin(self.estimator)
        return self

    def __exit__(self, *error: object) -> None:
        for each in self.all:
            each.on_fit_end(self.estimator)

    def epoch(self) -> bool:
        """Call all at the end of an epoch; whether one of them stops."""
        answers = [each.on_epoch_end(self.estimator) for each in self.all]
        return any(answer is True for answer in answers)

    def say(self, text: str) -> None:
        """Tell the reader of a verbose fit."""
        if self.progress is not None:
            self.progress.write(text)


def plot_loss_curve(estimator: Any, ax: Any) -> Any:
    """Draw what `plot_loss_curve` of the estimators draws."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "plot_loss_curve needs the package matplotlib: pip install matplotlib"
        ) from error
    if ax is None:
        _, ax = plt.subplots()
    epochs = range(1, len(estimator.loss_curve_) + 1)
    ax.plot(epochs, estimator.loss_curve_, label="loss")
    ax.set_xlabel("epoch")
    ax.set_ylabel("loss")
    if estimator.validation_scores_:
        scores = ax.twinx()
        epochs = range(1, len(estimator.validation_scores_) + 1)
        (line,) = scores.plot(epochs, estimator.validation_scores_, "C1", label="validation score")
        scores.set_ylabel("validation score")
        ax.legend(handles=[*ax.get_lines(), line])
    return ax
