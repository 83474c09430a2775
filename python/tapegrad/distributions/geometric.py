"""The geometric distribution."""

from __future__ import annotations

from .. import _C
from .._arguments import require_all
from .._C import Tensor
from ..autograd.grad_mode import no_grad
from . import constraints
from ._probs_or_logits import ProbsOrLogits
from .bernoulli import cross_entropy
from .utils import Shape, Value, listing, shown, standard_uniform

__all__ = ["Geometric"]


class Geometric(ProbsOrLogits):
    """The number of failures before the first success.

    ``p(k) = (1 - probs) ** k * probs`` for k = 0, 1, ...

    Args:
        probs: the probability of success, in (0, 1].
        logits: ``log(probs / (1 - probs))``, in place of `probs`.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if both or none of `probs` and `logits` are given, or do not satisfy their
            constraint.

    Shape:
        The parameter has the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.Geometric(tapegrad.tensor(0.25)).mean
        tensor(3.)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.nonnegative_integer

    def __init__(
        self,
        probs: Value | None = None,
        logits: Value | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._set_numbers(probs, logits)
        super().__init__(self.param_shape, validate_args=validate_args)
        if self._validate_args and probs is not None:
            value = self.probs
            positive = value > 0
            require_all(
                positive,
                lambda: (
                    f"Expected parameter probs ({type(value).__name__} of shape "
                    f"{tuple(value.shape)}) of distribution {shown(self)} to be positive but found "
                    f"invalid values{listing(value.detach(), ~positive)}"
                ),
                ValueError,
            )

    @property
    def mean(self) -> Tensor:
        return 1 / self.probs - 1

    @property
    def mode(self) -> Tensor:
        return _C.zeros_like(self.probs)

    @property
    def variance(self) -> Tensor:
        return (1 / self.probs - 1) / self.probs

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        with no_grad():
            noise = standard_uniform(self._extended_shape(sample_shape), self.probs)
            return (noise.log_() / (-self.probs).log1p()).floor_()

    def _log_prob(self, value: Tensor) -> Tensor:
        return _C.special_xlog1py(value, -self.probs) + self.probs.log()

    def entropy(self) -> Tensor:
        return cross_entropy(self.logits, self.probs) / self.probs
