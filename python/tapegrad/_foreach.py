"""Operators on lists of tensors: ``_foreach_mul_(parameters, 0.9)`` is ``p.mul_(0.9)`` for each.

Optimisers and moving averages use them under these names. Other arguments are lists of
one for each tensor, or one tensor or number for all. The forms that end in an underscore write into
the tensors and return the list, the others return a tuple of new ones. Gradients flow as ever.

Example:
    >>> import tapegrad
    >>> weights = [tapegrad.ones(2), tapegrad.zeros(1)]
    >>> tapegrad._foreach_add(weights, [tapegrad.ones(2), tapegrad.ones(1)], alpha=0.5)
    (tensor([1.5000, 1.5000]), tensor([0.5000]))
    >>> tapegrad._foreach_mul_(weights, 3.0) is weights, weights
    (True, [tensor([3., 3.]), tensor([0.])])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ._C import Tensor
from ._later import PLACES

# What tensors have under another name, for arguments that are tensors or numbers.
_CALLS: dict[str, Callable[..., Any]] = {
    "maximum": lambda x, other: x.clamp(min=other),
    "maximum_": lambda x, other: x.clamp_(min=other),
    "minimum": lambda x, other: x.clamp(max=other),
    "minimum_": lambda x, other: x.clamp_(max=other),
    "norm": lambda x, ord=2, dtype=None: x.norm(ord, dtype=dtype),
    "pow": lambda x, exponent: x**exponent,
    "addcmul": lambda x, a, b, value=1: x.addcmul(a, b, value=value),
    "addcmul_": lambda x, a, b, value=1: x.addcmul_(a, b, value=value),
    "addcdiv": lambda x, a, b, value=1: x.addcdiv(a, b, value=value),
    "addcdiv_": lambda x, a, b, value=1: x.addcdiv_(a, b, value=value),
}


def __getattr__(name: str) -> Any:
    if name not in PLACES["_foreach"]:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    function = globals()[name] = _over_lists(name)
    return function


def _over_lists(name: str) -> Callable[..., Any]:
    method = name.removeprefix("_foreach_")
    call = _CALLS.get(method) or getattr(Tensor, method)

    def function(self: Any, *args: Any, **kwargs: Any) -> Any:
        lists = [value for value in (self, *args, *kwargs.values()) if _is_list(value)]
        count = len(lists[0]) if lists else 0
        if not count:
            raise RuntimeError("Tensor list must have at least one tensor.")
        for values in lists[1:]:
            if len(values) != count:
                raise RuntimeError(
                    "Tensor lists must have the same number of tensors, "
                    f"got {count} and {len(values)}"
                )
        results = tuple(
            call(
                _at(self, i),
                *(_at(value, i) for value in args),
                **{key: _at(value, i) for key, value in kwargs.items()},
            )
            for i in range(count)
        )
        return self if name.endswith("_") else results

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Apply `{method}` to each tensor of a list; see `tapegrad._foreach`."
    return function


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _at(value: Any, i: int) -> Any:
    return value[i] if _is_list(value) else value
