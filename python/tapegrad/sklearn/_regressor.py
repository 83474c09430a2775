"""Networks that predict numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

import tapegrad

from ._base import Network
from ._losses import Problem

__all__ = ["NetworkRegressor"]

Array = Any


class NetworkRegressor(RegressorMixin, Network):
    """A network that predicts numbers."""

    _checks = {"y_numeric": True}  # noqa: RUF012
    _problem = Problem()

    def _check_targets(self, y: Array, reset: bool, incremental: bool) -> Array:
        y = y[:, None] if y.ndim == 1 else y
        if not reset and y.shape[1] != self.n_outputs_:
            raise ValueError(
                f"y has {y.shape[1]} outputs, but the network was trained with {self.n_outputs_}"
            )
        return y

    def _n_outputs(self, y: Array) -> int:
        return int(y.shape[1])

    def _predictions(self, outputs: Array) -> Array:
        if self.out_activation_ == "exp":
            outputs = np.exp(outputs)
        elif self.out_activation_ == "logistic":
            outputs = tapegrad.from_numpy(outputs).sigmoid().numpy()
        return outputs.ravel() if outputs.shape[1] == 1 else outputs

    def _score_outputs(self, outputs: Array, y: Array, weight: Array) -> float:
        predicted = self._predictions(outputs)
        if not np.isfinite(predicted).all():
            return float("nan")
        return float(r2_score(y, predicted, sample_weight=weight))

    def predict(self, X: Array) -> Array:
        """Predict the numbers of each sample.

        Args:
            X: array or sparse matrix of shape (n_samples, n_features).

        Returns:
            Array of shape (n_samples,) or (n_samples, n_outputs).
        """
        return self._predictions(self._predicted_outputs(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
