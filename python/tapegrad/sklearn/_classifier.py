"""Networks that predict classes or labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target

import tapegrad

from .. import nn
from ._base import Network, has_batches
from ._losses import Problem

__all__ = ["NetworkClassifier"]

Array = Any


class NetworkClassifier(ClassifierMixin, Network):
    """A network that predicts classes, or several labels."""

    _multilabel = False
    _sparse_labels = False

    @property
    def _problem(self) -> Problem:
        return Problem(len(self.classes_), self._multilabel)

    def _check_targets(self, y: Array, reset: bool, incremental: bool) -> Array:
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        if kind not in ("binary", "multiclass", "multilabel-indicator"):
            check_classification_targets(y)
            raise ValueError(f"{kind} targets are not supported: one class per sample, or labels")
        multilabel = kind == "multilabel-indicator"
        classes = np.arange(y.shape[1]) if multilabel else np.unique(y)
        if not hasattr(self, "classes_") or not (self.warm_start or incremental):
            self.classes_ = classes
            self._multilabel = multilabel
            self._sparse_labels = scipy.sparse.issparse(y)
        elif self.warm_start and set(classes) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the "
                f"previous call to fit. Previously got {self.classes_}, `y` has {classes}"
            )
        elif len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. "
                f"'y' has {classes}."
            )
        elif multilabel != self._multilabel:
            raise ValueError("`y` has labels in one call and one class per sample in another")
        if multilabel:
            return (y.toarray() if scipy.sparse.issparse(y) else np.asarray(y)) != 0
        return np.searchsorted(self.classes_, y)

    def _weights(self, X: Array, y: Array, sample_weight: Array, incremental: bool) -> Array:
        weight = super()._weights(X, y, sample_weight, incremental)
        if self.class_weight is None:
            return weight
        if incremental and isinstance(self.class_weight, str):
            raise ValueError(
                "class_weight='balanced' is not supported for partial_fit, which sees a part of "
                "the data: give the weights as a dict, as sklearn.utils.class_weight."
                "compute_class_weight computes them"
            )
        by_class = compute_sample_weight(self.class_weight, y)
        return by_class if weight is None else weight * by_class

    @available_if(has_batches)
    def partial_fit(
        self, X: Array, y: Array, sample_weight: Array = None, classes: Array = None
    ) -> Any:
        """Train for one epoch on data, from where the last call ended.

        Args:
            X: array or sparse matrix of shape (n_samples, n_features).
            y: targets of shape (n_samples,), or indicators of shape (n_samples, n_labels).
            sample_weight: of shape (n_samples,). Default: all alike.
            classes: all classes that will come; needed in the first call alone.

        Returns:
            The estimator.
        """
        known = getattr(self, "classes_", None)
        if known is None and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if classes is not None:
            given = np.unique(classes)
            if known is not None and not np.array_equal(known, given):
                raise ValueError(
                    f"`classes={classes!r}` is not the same as on last call to partial_fit, "
                    f"was: {known!r}"
                )
            if known is None:
                self._multilabel = type_of_target(y).startswith("multilabel")
                self._sparse_labels = scipy.sparse.issparse(y)
                self.classes_ = given
        return self._fit(X, y, sample_weight, incremental=True)

    def _strata(self, y: Array) -> Array:
        # As scikit-learn: where there is one output.
        return (y == 1)[:, None] if y.ndim == 1 and self.n_outputs_ == 1 else None

    def _decide(self, outputs: Array) -> Array:
        """Class indices or indicators."""
        if self.out_activation_ == "softmax":
            return outputs.argmax(axis=1)
        return outputs > 0 if self._multilabel else (outputs[:, 0] > 0).astype(np.int64)

    def _score_outputs(self, outputs: Array, y: Array, weight: Array) -> float:
        if not np.isfinite(outputs).all():
            return float("nan")
        right = self._decide(outputs) == y
        return float(np.average(right if y.ndim == 1 else right.all(axis=1), weights=weight))

    def predict(self, X: Array) -> Array:
        """Predict the class of each sample, or indicators of its labels.

        Args:
            X: array or sparse matrix of shape (n_samples, n_features).

        Returns:
            Array of shape (n_samples,), or (n_samples, n_labels) with 0 and 1.
        """
        found = self._decide(self._predicted_outputs(X))
        if not self._multilabel:
            return self.classes_[np.minimum(found, len(self.classes_) - 1)]
        indicators = found.astype(int)
        return scipy.sparse.csr_matrix(indicators) if self._sparse_labels else indicators

    def predict_proba(self, X: Array) -> Array:
        """Predict the probability of each class or label.

        Args:
            X: array or sparse matrix of shape (n_samples, n_features).

        Returns:
            Array of shape (n_samples, n_classes), in the order of `classes_`.
        """
        out = tapegrad.from_numpy(self._predicted_outputs(X))
        if self.out_activation_ == "softmax":
            return out.softmax(1).numpy()
        p = out.sigmoid().numpy()
        return p if self._multilabel else np.hstack([1 - p, p])

    def predict_log_proba(self, X: Array) -> Array:
        """Predict the logarithms of the probabilities, which are precise for tiny ones, too.

        Args:
            X: array or sparse matrix of shape (n_samples, n_features).

        Returns:
            Array of shape (n_samples, n_classes), in the order of `classes_`.
        """
        out = tapegrad.from_numpy(self._predicted_outputs(X))
        if self.out_activation_ == "softmax":
            return out.log_softmax(1).numpy()
        if self._multilabel:
            # Equal where the probabilities round to one, so that both have the same order.
            return out.sigmoid().log().where(out > 0, nn.functional.logsigmoid(out)).numpy()
        return nn.functional.logsigmoid(tapegrad.cat([-out, out], 1)).numpy()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
