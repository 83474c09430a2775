"""What the rules share: arguments by name, and shapes with a batch in front."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ... import _C
from ..._C import Tensor
from ...utils._python_dispatch import _modes
from .._levels import BatchedTensor, Level, VmapError, wrap

__all__ = [
    "Bound",
    "Rule",
    "Signature",
    "align",
    "as_ints",
    "batched",
    "cast",
    "function_of",
    "lift",
    "refuse_out",
    "rewrap",
    "shift",
    "value_of",
]

Rule = Callable[[Level, tuple[Any, ...], dict[str, Any]], Any]

OPERATORS: dict[str, dict[str, Any]] = {}
_NUMPY = {"axis": "dim", "keepdims": "keepdim", "x": "input", "x1": "input", "x2": "other"}


def operators() -> dict[str, dict[str, Any]]:
    if not OPERATORS:
        for operator in _C._operators():
            known = OPERATORS.setdefault(operator["name"], operator)
            if known is not operator:  # a method whose arguments have another order
                known["forms"] = known["forms"] + operator["forms"]
    return OPERATORS


def function_of(operator: str) -> Callable[..., Any]:
    # Some names are those of dtypes, too.
    owners: tuple[Any, ...] = (_C, _C._linalg, Tensor)
    owner: Any = next(o for o in owners if callable(getattr(o, operator, None)))
    found: Callable[..., Any] = getattr(owner, operator)
    return found


def batched(level: Level, x: Any) -> bool:
    return type(x) is BatchedTensor and x._level is level


def value_of(level: Level, x: Any) -> Any:
    """The values of all samples; a tensor that is the same for all is expanded."""
    if type(x) is BatchedTensor and x._level is level:
        return x._value
    if isinstance(x, Tensor):
        return x.unsqueeze(0).expand(level.size, *x.shape)
    return x


def cast(level: Level, x: Tensor, dtype: Any) -> Tensor:
    if batched(level, x):
        return wrap(level, x._value._to_dtype(dtype))  # type: ignore[attr-defined]
    return x._to_dtype(dtype)


def lift(value: Tensor, missing: int) -> Tensor:
    """Values with further dimensions of size 1 behind the batch."""
    for _ in range(missing):
        value = value.unsqueeze(1)
    return value


def align(level: Level, tensors: Iterable[Any]) -> list[Any]:
    """Values whose dimensions correspond where the logical shapes are broadcast."""
    tensors = list(tensors)
    rank = max(x.dim() for x in tensors if isinstance(x, Tensor))
    return [
        lift(x._value, rank - x.dim()) if batched(level, x) else x for x in tensors
    ]  # fmt: skip


def rewrap(level: Level, result: Any) -> Any:
    if isinstance(result, Tensor):
        return wrap(level, result)
    if isinstance(result, tuple | list):
        kind: Any = type(result)
        return kind([rewrap(level, part) for part in result])
    return result


def as_ints(dims: Any) -> list[int]:
    """Dimensions or sizes, however they were given."""
    if isinstance(dims, int):
        return [dims]
    if len(dims) == 1 and not isinstance(dims[0], int):
        dims = dims[0]
    return [int(d) for d in dims]


def shift(dim: int, rank: int) -> int:
    """The place of a logical dimension behind the batch."""
    size = max(rank, 1)
    if not -size <= dim < size:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-size}, {size - 1}], but got "
            f"{dim})"
        )
    return dim % size + 1


def refuse_out(operator: str, kwargs: dict[str, Any]) -> None:
    if kwargs.get("out") is not None:
        raise VmapError(
            f"vmap: {operator} with out= is not supported; please use the form without it."
        )
    kwargs.pop("out", None)


class Bound:
    """The arguments of a call by name."""

    __slots__ = ("form", "values")

    def __init__(self, form: Form, values: dict[str, Any]) -> None:
        self.form, self.values = form, values

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name, self.form.defaults.get(name))

    def __setitem__(self, name: str, value: Any) -> None:
        self.values[name] = value

    def __contains__(self, name: str) -> bool:
        return name in self.form.names

    @property
    def first(self) -> str:
        return self.form.kinds[0][0]

    def call(self, op: Callable[..., Any]) -> Any:
        args, named = self.arguments()
        for name, x in self.values.items():
            # Its memory would be read.
            if type(x) is BatchedTensor and x._level not in _modes.stack:
                raise VmapError(
                    f"vmap: the argument '{name}' of {op.__name__} cannot be vmapped over: what it "
                    "says has to be the same for all samples"
                )
        return op(*args, **named)

    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        args: list[Any] = []
        named: dict[str, Any] = {}
        in_order = True
        for name, kind in self.form.kinds:
            if name not in self.values:
                in_order = False
            elif kind == "variadic":
                args.extend(self.values[name])
            elif kind == "positional" and in_order:
                args.append(self.values[name])
            else:
                named[name] = self.values[name]
        return args, named


class Form:
    """One form of an operator."""

    def __init__(self, description: dict[str, Any]) -> None:
        parameters = description["parameters"]
        self.kinds = [(p["name"], p["kind"]) for p in parameters]
        self.names = {p["name"] for p in parameters}
        self.types = {p["name"]: p["type"] for p in parameters}
        self.defaults = {p["name"]: p["default"] for p in parameters if "default" in p}
        self.siblings: list[Form] = [self]
        self.required = [
            p["name"] for p in parameters if "default" not in p and p["kind"] != "variadic"
        ]

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any] | None:
        values: dict[str, Any] = {}
        rest = list(args)
        for name, kind in self.kinds:
            if not rest or kind == "keyword":
                break
            if kind == "variadic":
                values[name], rest = tuple(rest), []
            else:
                values[name] = rest.pop(0)
        if rest:
            return None
        for name, value in kwargs.items():
            known = name if name in self.names else _NUMPY.get(name, name)
            if known not in self.names or known in values:
                return None
            variadic = (known, "variadic") in self.kinds
            values[known] = (value,) if variadic else value
        fits = all(name in values for name in self.required) and all(
            _fits(self.types[name], value) for name, value in values.items()
        )
        return values if fits else None


def _fits(kind: str, value: Any) -> bool:
    if value is None:
        return True
    if kind == "Tensor":
        return isinstance(value, Tensor)
    if kind in ("_int", "_float", "_Number"):
        number = isinstance(value, Tensor) and value.dim() == 0
        return number or (isinstance(value, int | float) and not isinstance(value, bool))
    if kind == "_bool":
        return isinstance(value, bool)
    if kind == "_Dims":
        return isinstance(value, int | tuple | list) and not isinstance(value, bool)
    return True


class Signature:
    """The forms of an operator."""

    def __init__(self, operator: str) -> None:
        self.operator = operator
        self.forms = [Form(form) for form in operators()[operator]["forms"]]
        for form in self.forms:
            form.siblings = self.forms

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Bound:
        """The arguments by name, of the first form that takes them."""
        for form in self.forms:
            values = form.bind(args, kwargs)
            if values is not None:
                return Bound(form, values)
        raise TypeError(f"{self.operator}(): the arguments fit none of its forms")
