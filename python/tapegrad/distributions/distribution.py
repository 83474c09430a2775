"""The base class: shapes, validation, broadcasting and printing of all families."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from typing import Any

from .. import _C
from .._arguments import require_all
from .._C import Size, Tensor
from ..autograd.grad_mode import no_grad
from . import constraints
from .constraints import Constraint
from .utils import Shape, as_size, lazy_property, listing, shown

__all__ = ["Distribution"]


class Distribution:
    """The base class of probability distributions.

    A family says what its parameters are, and the rest follows from that: validation, ``expand``,
    printing. It

    - maps the names of its parameters to their constraints in ``arg_constraints``, and has what
      its values lie in as ``support``;
    - sets the parameters as attributes before it calls this class's ``__init__``. A parameter
      that follows from another is a ``lazy_property``;
    - defines ``_log_prob(value)``, and ``_cdf(value)`` and ``icdf(value)`` where they are known;
      ``log_prob`` and ``cdf`` validate the value first;
    - defines ``rsample(sample_shape)`` and sets ``has_rsample``, or defines ``sample`` if draws
      have no derivative.

    Args:
        batch_shape: shape of the parameters without the dimensions of one event.
        event_shape: shape of one draw of one distribution.
        validate_args: check parameters and values. Default: what ``set_default_validate_args``
            has set; True, unless Python runs with ``-O``.

    Raises:
        ValueError: if a parameter does not satisfy its constraint, and arguments are validated.

    Example:
        >>> import tapegrad
        >>> from tapegrad.distributions import Distribution, constraints
        >>> class Half(Distribution):
        ...     arg_constraints = {"width": constraints.positive}
        ...     support = constraints.nonnegative
        ...     def __init__(self, width):
        ...         self.width = width
        ...         super().__init__(width.shape)
        ...     def _log_prob(self, value):
        ...         return -self.width.log() - value / self.width
        >>> Half(tapegrad.tensor([1.0, 2.0])).expand((3, 2))
        Half(width: tapegrad.Size([3, 2]))
    """

    has_rsample = False
    has_enumerate_support = False
    _validate_args: bool = __debug__

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether arguments are validated where a distribution was not told.

        Raises:
            ValueError: if `value` is not a bool.
        """
        if value not in (True, False):
            raise ValueError(f"value must be True or False, got {value!r}")
        Distribution._validate_args = value

    def __init__(
        self,
        batch_shape: Shape = (),
        event_shape: Shape = (),
        validate_args: bool | None = None,
    ) -> None:
        self._batch_shape = as_size(batch_shape)
        self._event_shape = as_size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._validate_parameters()

    def _validate_parameters(self) -> None:
        try:
            declared = self.arg_constraints
        except NotImplementedError:
            warnings.warn(
                f"{type(self)} does not define `arg_constraints`. Please set `arg_constraints = "
                "{}` or initialize the distribution with `validate_args=False` to turn off "
                "validation.",
                stacklevel=3,
            )
            return
        for name, constraint in declared.items():
            if constraints.is_dependent(constraint):
                continue
            if name not in vars(self) and isinstance(
                getattr(type(self), name, None), lazy_property
            ):
                continue  # follows from another parameter
            value = getattr(self, name)
            message = functools.partial(self._invalid_parameter, name, constraint, value)
            require_all(constraint.check(value), message, ValueError)

    def _invalid_parameter(self, name: str, constraint: Any, value: Any) -> str:
        return (
            f"Expected parameter {name} ({type(value).__name__} of shape {tuple(value.shape)}) of "
            f"distribution {shown(self)} to satisfy the constraint {shown(constraint)}, but found "
            f"invalid values{listing(value)}"
        )

    def _validate_sample(self, value: Any) -> None:
        """Raises ValueError unless `value` is a tensor whose events are in the support."""
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        first = value.dim() - len(self._event_shape)
        if value.shape[max(first, 0) :] != self._event_shape:
            raise ValueError(
                "The right-most size of value must match event_shape: "
                f"{value.shape} vs {self._event_shape}."
            )
        whole = self._batch_shape + self._event_shape
        for i, j in zip(reversed(value.shape), reversed(whole)):
            if i != j and i != 1 and j != 1:
                raise ValueError(
                    "Value is not broadcastable with batch_shape+event_shape: "
                    f"{value.shape} vs {whole}."
                )
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(
                f"{type(self)} does not define `support` to enable sample validation. Please "
                "initialize the distribution with `validate_args=False` to turn off validation.",
                stacklevel=3,
            )
            return
        if support is not None:
            message = functools.partial(self._invalid_sample, support, value)
            require_all(support.check(value), message, ValueError)

    def _invalid_sample(self, support: Any, value: Tensor) -> str:
        return (
            f"Expected value argument ({type(value).__name__} of shape {tuple(value.shape)}) to be "
            f"within the support ({shown(support)}) of the distribution {shown(self)}, but found "
            f"invalid values{listing(value)}"
        )

    def _missing(self, what: str) -> NotImplementedError:
        return NotImplementedError(f"{type(self)} does not implement {what}")

    def _get_checked_instance(self, cls: type, _instance: Any = None) -> Any:
        """A new instance for the ``expand`` that `cls` defines, without a call of ``__init__``."""
        if _instance is None and type(self).__init__ != cls.__init__:  # type: ignore[misc]
            raise NotImplementedError(
                f"Subclass {type(self).__name__} of {cls.__name__} that defines a custom "
                "__init__ method must also define a custom .expand() method."
            )
        return type(self).__new__(type(self)) if _instance is None else _instance

    def _new_like(self, batch_shape: Size, _instance: Any) -> Any:
        """A copy of another batch shape, with parameters expanded to it."""
        if _instance is None:
            for cls in type(self).__mro__:
                if "arg_constraints" in vars(cls):  # the family: it knows what __init__ sets
                    _instance = self._get_checked_instance(cls)
                    break
        attributes = vars(_instance)
        attributes.update(vars(self))
        attributes["_batch_shape"] = batch_shape
        for name, constraint in self._declared_parameters():
            value = attributes.get(name)
            if value is not None:
                event = value.shape[value.dim() - constraint.event_dim :]
                attributes[name] = value.expand(batch_shape + event)
        return _instance

    def _declared_parameters(self) -> Iterator[tuple[str, Constraint]]:
        """The parameters of the family and of those that it is a special case of."""
        for cls in type(self).__mro__:
            declared = vars(cls).get("arg_constraints")
            if cls is not Distribution and declared is not None:
                yield from (
                    declared if isinstance(declared, dict) else self.arg_constraints
                ).items()

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        """The same distributions in a larger batch. Parameters are views, nothing is copied.

        Args:
            batch_shape: a shape to which the batch shape can be expanded; -1 is not allowed.

        Raises:
            RuntimeError: if the batch shape cannot be expanded to this one.
            NotImplementedError: if a subclass with an ``__init__`` of its own declares no
                parameters.

        Example:
            >>> import tapegrad
            >>> tapegrad.distributions.Normal(0.0, 1.0).expand((2, 3)).batch_shape
            tapegrad.Size([2, 3])
        """
        batch_shape = as_size(batch_shape)
        new = self._new_like(batch_shape, _instance)
        attributes = vars(new)
        for name, value in attributes.items():
            if isinstance(value, Distribution):
                attributes[name] = value.expand(batch_shape)
        return new

    @property
    def batch_shape(self) -> Size:
        """The shape of the batch of distributions."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one draw of one distribution."""
        return self._event_shape

    @property
    def arg_constraints(self) -> dict[str, Constraint]:
        """The constraint of each parameter, by name."""
        raise self._missing("arg_constraints")

    @property
    def support(self) -> Any:
        """The constraint that values of the distribution satisfy."""
        raise self._missing("support")

    @property
    def mean(self) -> Tensor:
        """The mean of each distribution: ``batch_shape + event_shape``."""
        raise self._missing("mean")

    @property
    def mode(self) -> Tensor:
        """The value of largest density or probability: ``batch_shape + event_shape``."""
        raise self._missing("mode")

    @property
    def variance(self) -> Tensor:
        """The variance of each element: ``batch_shape + event_shape``."""
        raise self._missing("variance")

    @property
    def stddev(self) -> Tensor:
        """The standard deviation, square root of the variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        """Draws without derivatives: ``sample_shape + batch_shape + event_shape``.

        Args:
            sample_shape: how many draws of the whole batch. Default: one.
        """
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        """Draws through which gradients flow to the parameters (where ``has_rsample``).

        Args:
            sample_shape: how many draws of the whole batch. Default: one.
        """
        raise self._missing("rsample")

    def sample_n(self, n: int) -> Tensor:
        """``sample((n,))``; deprecated."""
        warnings.warn(
            "`sample_n(n)` will be deprecated. Use `sample((n,))` instead.",
            FutureWarning,
            stacklevel=2,
        )
        return self.sample((n,))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density or probability at `value`.

        Args:
            value: a tensor that broadcasts with ``batch_shape + event_shape``.

        Raises:
            ValueError: if it does not, or is not in the support, and arguments are validated.
        """
        if self._validate_args:
            self._validate_sample(value)
        return self._log_prob(value)

    def _log_prob(self, value: Tensor) -> Tensor:
        raise self._missing("log_prob")

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a draw that is not above `value`.

        Args:
            value: a tensor that broadcasts with ``batch_shape + event_shape``.

        Raises:
            ValueError: if it does not, or is not in the support, and arguments are validated.
        """
        if self._validate_args:
            self._validate_sample(value)
        return self._cdf(value)

    def _cdf(self, value: Tensor) -> Tensor:
        raise self._missing("cdf")

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of ``cdf``: the quantile of each probability.

        Args:
            value: probabilities, a tensor that broadcasts with ``batch_shape + event_shape``.
        """
        raise self._missing("icdf")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values of a discrete distribution (where ``has_enumerate_support``).

        The first dimension counts the values.

        Args:
            expand: repeat them for each member of the batch: ``(n,) + batch_shape +
                event_shape``. Otherwise the batch dimensions have size 1. Default: True.
        """
        raise self._missing("enumerate_support")

    def _enumerated(self, values: Tensor, expand: bool) -> Tensor:
        """One value per row as ``(n, 1, ..., 1)``, or expanded to the batch."""
        values = values.view((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1, *self._batch_shape)) if expand else values

    def entropy(self) -> Tensor:
        """The expectation of ``-log_prob``, in nats: ``batch_shape``."""
        raise self._missing("entropy")

    def perplexity(self) -> Tensor:
        """The exponential of the entropy."""
        return _C.exp(self.entropy())

    def _extended_shape(self, sample_shape: Shape = ()) -> Size:
        return as_size(sample_shape) + self._batch_shape + self._event_shape

    def __repr__(self) -> str:
        parameters = [(k, vars(self)[k]) for k in self.arg_constraints if k in vars(self)]
        args = ", ".join(
            f"{name}: {value if value.numel() == 1 else value.shape}" for name, value in parameters
        )
        return f"{type(self).__name__}({args})"
