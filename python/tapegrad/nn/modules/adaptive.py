"""A loss for very many classes, most of which are rare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import tapegrad

from ..._C import Tensor
from .. import functional as F
from .container import ModuleList, Sequential
from .linear import Linear
from .module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss"]


class _ASMoutput(NamedTuple):
    """The log-probabilities of the targets, and minus their mean."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """A log-softmax over classes that are sorted by frequency, the rare ones in clusters.

    The head has the frequent classes and one entry for each cluster; the classes of a cluster have
    a smaller layer each, which is used only where a target is in it.

    Args:
        in_features: size of the input's last dimension.
        n_classes: the number of classes; the first ones are the most frequent.
        cutoffs: the first class of each cluster.
        div_value: the features of a cluster are those of the one before, divided by this.
            Default: 4.
        head_bias: whether the head has a bias. Default: False.
        device: the CPU; others raise.
        dtype: dtype of the parameters. Default: the default dtype.

    Raises:
        ValueError: if the cutoffs are not increasing integers between 1 and ``n_classes - 1``.

    Shapes: input (N, in_features) or (in_features,), target (N,) or (). The result has ``output``,
    the targets' log-probabilities in the shape of the target, and ``loss``, minus their mean.

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.AdaptiveLogSoftmaxWithLoss(8, 20, cutoffs=[5, 10])
        >>> result = m(tapegrad.randn(3, 8), tapegrad.tensor([1, 7, 19]))
        >>> tuple(result.output.shape), tuple(result.loss.shape)
        ((3,), ())
        >>> tuple(m.log_prob(tapegrad.randn(3, 8)).shape)
        (3, 20)
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        ends = list(cutoffs)
        if not ends:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        increasing = ends == sorted(set(ends)) and all(int(end) == end for end in ends)
        if not increasing or ends[0] <= 0 or ends[-1] > n_classes - 1:
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing "
                "order, where each value is between 1 and n_classes-1"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*ends, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = ends[0]
        self.n_clusters = len(ends)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for i, (start, end) in enumerate(zip(ends, self.cutoffs[1:], strict=True)):
            hidden = int(in_features // div_value ** (i + 1))
            self.tail.append(
                Sequential(
                    Linear(in_features, hidden, False, device, dtype),
                    Linear(hidden, end - start, False, device, dtype),
                )
            )

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        self.head.reset_parameters()
        for first, second in self.tail:
            first.reset_parameters()
            second.reset_parameters()

    def _check(self, input: Tensor, target: Tensor) -> None:
        if target.dim() > 1:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        if target.dim() == 1 and input.shape[0] != target.shape[0]:
            raise RuntimeError("Input and target should have the same size in the batch dimension.")
        if input.dim() != target.dim() + 1:
            raise RuntimeError(
                f"{target.dim()}D target tensor expects {target.dim() + 1}D input tensors, but "
                f"found inputs with size {input.shape}"
            )
        if target.numel() and not bool(((target >= 0) & (target < self.n_classes)).all()):
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{target.min().item()}, {target.max().item()}] were found. "
            )

    def forward(self, input: Tensor, target: Tensor) -> _ASMoutput:
        self._check(input, target)
        single = target.dim() == 0
        if single:
            input, target = input.unsqueeze(0), target.unsqueeze(0)
        cluster = sum((target >= end).long() for end in self.cutoffs[:-1])
        assert isinstance(cluster, Tensor)
        in_head = tapegrad.where(cluster == 0, target, self.shortlist_size + cluster - 1)
        output = F.log_softmax(self.head(input), 1).gather(1, in_head.unsqueeze(1)).squeeze(1)
        for i, layer in enumerate(self.tail):
            rows = (cluster == i + 1).nonzero().squeeze(1)
            if rows.numel():
                own = F.log_softmax(layer(input.index_select(0, rows)), 1)
                place = target.index_select(0, rows) - self.cutoffs[i]
                part = own.gather(1, place.unsqueeze(1)).squeeze(1)
                output = output.index_add(0, rows, part)
        loss = -output.mean()
        return _ASMoutput(output.squeeze(0) if single else output, loss)

    def log_prob(self, input: Tensor) -> Tensor:
        """The log-probabilities of all classes.

        Args:
            input: shape (N, in_features).

        Returns:
            A tensor of shape (N, n_classes).
        """
        head = F.log_softmax(self.head(input), 1)
        parts = [head[:, : self.shortlist_size]]
        for i, layer in enumerate(self.tail):
            of_cluster = head[:, self.shortlist_size + i].unsqueeze(1)
            parts.append(F.log_softmax(layer(input), 1) + of_cluster)
        return tapegrad.cat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """The class with the highest log-probability, where that is in the head; else of all.

        Args:
            input: shape (N, in_features).

        Returns:
            A tensor of shape (N,).
        """
        output = self.head(input).argmax(1)
        rows = (output >= self.shortlist_size).nonzero().squeeze(1)
        if rows.numel():
            output[rows] = self.log_prob(input.index_select(0, rows)).argmax(1)
        return output
