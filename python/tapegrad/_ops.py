"""PyTorch's names for operators: ``ops.aten.mm.default``."""

from __future__ import annotations

from typing import Any

from . import _C
from ._C import Tensor
from ._indexing import OPERATORS

__all__ = ["OpOverload", "OpOverloadPacket", "aten_name", "named", "of_indexing", "ops"]

# What PyTorch calls an operator inside, where that is something else.
_ATEN_NAMES = {
    "softmax": "_softmax",
    "log_softmax": "_log_softmax",
    "layer_norm": "native_layer_norm",
    "nll_loss": "nll_loss_forward",
    "norm": "linalg_vector_norm",
    "reshape": "view",
    "flatten": "view",
    "chunk": "split",
}
_TENSOR = {"add", "sub", "mul", "div", "split", "slice", "index"}
_BY_OPERAND = {
    *("eq", "ne", "lt", "le", "gt", "ge", "remainder", "masked_fill", "fill", "rsub"),
    *("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift"),
}
_INT = {"select", "transpose", "unbind"}
# The form that is told by a second argument, a dimension.
_OF_DIM = {"sum": "dim_IntList", "prod": "dim_int", "squeeze": "dim"}
_OF_DIM |= dict.fromkeys(("mean", "max", "min", "any", "all", "median"), "dim")
_CORRECTED = {"var", "std", "var_mean", "std_mean"}
_OVERLOADS = {
    "pow": ("Tensor_Tensor", "Tensor_Scalar", "Scalar"),
    "pow_": ("Tensor", "Scalar"),
    "where": ("self",),
    "clamp": ("default", "Tensor"),
    "scatter": ("src", "value", "reduce", "value_reduce"),
    "round": ("default", "decimals"),
    "floor_divide": ("default", "Scalar"),
    **dict.fromkeys(_TENSOR, ("Tensor",)),
    **dict.fromkeys(_BY_OPERAND, ("Tensor", "Scalar")),
    **dict.fromkeys(_INT, ("int",)),
    **dict.fromkeys(_CORRECTED, ("correction",)),
    **{name: ("default", form) for name, form in _OF_DIM.items()},
}


def _overload(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Which of PyTorch's forms a call has."""
    given = [*args[1:], *kwargs.values()]
    second = given[0] if given else None
    kind = "Tensor" if isinstance(second, Tensor) else "Scalar"
    if name == "pow_":
        return kind
    name = name.removesuffix("_")
    if name == "pow":
        return f"Tensor_{kind}" if isinstance(args[0], Tensor) else "Scalar"
    if name in _BY_OPERAND:
        if name == "masked_fill":
            kind = "Tensor" if isinstance(given[-1], Tensor) else "Scalar"
        return kind
    if name in _OF_DIM:
        no_dim = second is None or ("dtype" in kwargs and len(given) == 1)
        return "default" if no_dim else _OF_DIM[name]
    if name == "clamp":
        return "Tensor" if any(isinstance(bound, Tensor) for bound in given) else "default"
    if name == "scatter":
        form = "src" if len(given) > 2 and isinstance(given[2], Tensor) else "value"
        reduced = "reduce" in kwargs or len(given) > 3
        return form if not reduced else "reduce" if form == "src" else "value_reduce"
    if name == "floor_divide":
        return "default" if kind == "Tensor" else kind
    if name == "round":
        return "decimals" if given else "default"
    return _OVERLOADS.get(name, ("default",))[0]


class OpOverload:
    """One form of an operator: ``ops.aten.mm.default``. Calling it runs the operator.

    Forms of the same name are equal, whichever operator of this library runs.

    Example:
        >>> import tapegrad
        >>> tapegrad.ops.aten.add.Tensor
        <OpOverload(op='aten.add', overload='Tensor')>
        >>> tapegrad.ops.aten.mm.default(tapegrad.ones(1, 2), tapegrad.ones(2, 1))
        tensor([[2.]])
    """

    namespace = "aten"

    def __init__(self, packet: OpOverloadPacket, overload: str, operator: str) -> None:
        self.overloadpacket = packet
        self._overloadname = overload
        self._operator = operator
        self.__name__ = f"{packet.__name__}.{overload}"

    def name(self) -> str:
        """The name with a namespace: ``"aten::add.Tensor"``."""
        end = "" if self._overloadname == "default" else f".{self._overloadname}"
        return f"aten::{self.overloadpacket.__name__}{end}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _run(self._operator, args, kwargs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OpOverload) and self.__name__ == other.__name__

    def __hash__(self) -> int:
        return hash(self.__name__)

    def __repr__(self) -> str:
        return f"<OpOverload(op='{self.overloadpacket}', overload='{self._overloadname}')>"

    def __str__(self) -> str:
        return f"aten.{self.__name__}"


class OpOverloadPacket:
    """An operator with its forms as attributes: ``ops.aten.mm``."""

    def __init__(self, name: str, operator: str) -> None:
        self.__name__ = name
        self._operator = operator
        forms = _OVERLOADS.get(name) or _OVERLOADS.get(name.removesuffix("_"), ("default",))
        self._forms = {form: OpOverload(self, form, operator) for form in forms}

    def overloads(self) -> list[str]:
        """The names of the forms."""
        return list(self._forms)

    def __getattr__(self, overload: str) -> OpOverload:
        if not overload.startswith("_") and overload in self._forms:
            return self._forms[overload]
        raise AttributeError(
            f"The underlying op of 'aten.{self.__name__}' has no overload name '{overload}'"
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _run(self._operator, args, kwargs)

    def __repr__(self) -> str:
        return f"<OpOverloadPacket(op='aten.{self.__name__}')>"

    def __str__(self) -> str:
        return f"aten.{self.__name__}"


def _run(operator: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if operator in OPERATORS:
        return OPERATORS[operator][2](*args, **kwargs)
    places = (getattr(owner, operator, None) for owner in (_C, _C._linalg, Tensor))
    function: Any = next(found for found in places if callable(found))  # `double` is a dtype, too
    return function(*args, **kwargs)


class _Aten:
    """The operators by the names that PyTorch has for them inside."""

    def __init__(self) -> None:
        self._packets: dict[str, OpOverloadPacket] = {}

    def __getattr__(self, name: str) -> OpOverloadPacket:
        packets = self._packets
        if not packets:
            operators = [op["name"] for op in _C._operators()]
            names = {_ATEN_NAMES.get(operator, operator): operator for operator in operators}
            names.update((aten, operator) for operator, (aten, *_) in OPERATORS.items())
            names.update(zip(operators, operators))
            packets.update((aten, OpOverloadPacket(aten, op)) for aten, op in names.items())
        if name not in packets:
            raise AttributeError(f"'_OpNamespace' 'aten' object has no attribute '{name}'")
        return packets[name]


class _Ops:
    """Where the operators have PyTorch's names: ``ops.aten.mm.default``."""

    aten = _Aten()


ops = _Ops()


def aten_name(operator: str, args: tuple[Any, ...]) -> str:
    """PyTorch's name of the operator that a call is of."""
    base = operator.removesuffix("_")
    aten = _ATEN_NAMES.get(base, base)
    if base in ("max", "min") and len(args) > 1 and isinstance(args[1], Tensor):
        aten = f"{base}imum"
    return aten + operator[len(base) :]


def named(operator: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> OpOverload:
    """The form of a call, under PyTorch's name."""
    packet = getattr(ops.aten, aten_name(operator, args))
    form: OpOverload = getattr(packet, _overload(packet.__name__, args, kwargs))
    if form._operator == operator:
        return form
    return OpOverload(packet, form._overloadname, operator)


def of_indexing(operator: str) -> OpOverload:
    """The form of an operator that an index is made of."""
    name, overload, _ = OPERATORS[operator]
    return OpOverload(getattr(ops.aten, name), overload, operator)
