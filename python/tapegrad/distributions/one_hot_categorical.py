"""Categorical distributions of one-hot vectors."""

from __future__ import annotations

from .. import _C
from .._C import Size, Tensor
from ..autograd.grad_mode import no_grad
from . import constraints
from .categorical import Categorical
from .distribution import Distribution
from .utils import Shape, alias

__all__ = ["OneHotCategorical", "OneHotCategoricalStraightThrough"]


def _one_hot(index: Tensor, like: Tensor) -> Tensor:
    shape = (*index.shape, like.shape[-1])
    return like.new_zeros(shape).scatter_(-1, index.unsqueeze(-1), 1)


class OneHotCategorical(Distribution):
    """The distribution of vectors with a single one, whose index is categorical.

    ``p(x) = probs[k] / sum(probs)`` where x[k] is the one

    Args:
        probs: probabilities, not negative; they need not sum to 1.
        logits: log-probabilities up to a number added to all of them, in place of `probs`.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if both or none of `probs` and `logits` are given, have no dimension, or do
            not satisfy their constraint.

    Shape:
        The parameter is ``batch_shape + (K,)``; an event is ``(K,)``.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.distributions.OneHotCategorical(tapegrad.tensor([1.0, 3.0]))
        >>> p.log_prob(tapegrad.tensor([0.0, 1.0])), p.mode
        (tensor(-0.2877), tensor([0., 1.]))
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.one_hot
    has_enumerate_support = True
    probs: Tensor = alias("_categorical.probs")
    logits: Tensor = alias("_categorical.logits")
    _param: Tensor = alias("_categorical._param")
    param_shape: Size = alias("_categorical.param_shape")
    mean = alias("_categorical.probs")

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._categorical = Categorical(probs, logits, validate_args=False)
        shape = self._categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    @property
    def mode(self) -> Tensor:
        return _one_hot(self._categorical.mode, self._param)

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        with no_grad():
            return _one_hot(self._categorical.sample(sample_shape), self._param)

    def _log_prob(self, value: Tensor) -> Tensor:
        return self._categorical._log_prob(value.argmax(-1))

    def entropy(self) -> Tensor:
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        n = self._event_shape[0]
        values = _C.eye(n, dtype=self._param.dtype, device=self._param.device)
        values = values.view((n,) + (1,) * len(self._batch_shape) + (n,))
        return values.expand((n, *self._batch_shape, n)) if expand else values


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """One-hot draws through which gradients flow as if the draw were ``probs``.

    This estimate of the gradient is biased; the arguments are those of
    :class:`OneHotCategorical`.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.tensor([0.5, 0.5], requires_grad=True)
        >>> draw = tapegrad.distributions.OneHotCategoricalStraightThrough(p).rsample()
        >>> bool((draw.round() == draw).all()), draw.requires_grad
        (True, True)
    """

    has_rsample = True

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        probs = self.probs
        return self.sample(sample_shape) + (probs - probs.detach())
