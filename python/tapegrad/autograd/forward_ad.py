"""Derivatives in a direction, carried along by the tensors themselves.

Inside of a :class:`dual_level` a tensor from :func:`make_dual` has a tangent, and so has what is
computed from it, by the rule of each operator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .. import _C
from .._C import Tensor
from .._tensor_str import _append
from ..func import _guards
from ..func._levels import below, plain, rewrapped
from ..func._run import Linearized, Run
from ..utils import _pytree
from ..utils._python_dispatch import _dispatch, _modes
from . import function
from .grad_mode import enable_grad, set_grad_enabled

__all__ = [
    "UnpackedDualTensor",
    "dual_level",
    "enter_dual_level",
    "exit_dual_level",
    "make_dual",
    "unpack_dual",
]


class UnpackedDualTensor(NamedTuple):
    """What :func:`unpack_dual` gives: the tensor without its tangent, and the tangent or None."""

    primal: Tensor
    tangent: Tensor | None


class DualTensor(Tensor):
    """A tensor with a tangent. Its memory is that of the tensor without one."""

    __slots__ = ("_level", "_primal", "_shares", "_tangent")
    _level: _DualLevel
    _shares: bool  # whether it is a view, of a tensor that has a tangent
    _primal: Tensor
    _tangent: Tensor
    __torch_function__ = _C._disabled_torch_function_impl

    def __repr__(self, *, tensor_contents: str | None = None) -> str:
        text = repr(self._primal)
        if not self._level.active:
            return text
        return _append(text[:-1], [f"tangent={self._tangent!r}"], text.index("(") + 1)

    def __getitem__(self, index: Any) -> Tensor:
        return self._through(lambda x: x[index])

    def __setitem__(self, index: Any, value: Any) -> None:
        def write(x: Tensor, index: Any, value: Any) -> Tensor:
            x[index] = value
            return x

        level = self._level
        if not level.active:
            write(self._primal, index, value)
            return
        with below(level):
            _write(level, write, (self, index, value), {})

    def __iter__(self) -> Any:
        return iter(self.unbind(0))

    def _through(self, call: Callable[[Tensor], Any]) -> Any:
        level = self._level
        if not level.active:
            return call(self._primal)
        with below(level):
            return _carry(level, call, (self,), {})

    @property  # type: ignore[misc]
    def requires_grad(self) -> bool:
        return self._primal.requires_grad

    @property
    def grad_fn(self) -> Any:
        return self._primal.grad_fn

    @property  # type: ignore[misc]
    def data(self) -> Tensor:
        return self._primal.data

    @property
    def T(self) -> Tensor:
        return self._through(lambda x: x.T)

    @property
    def mT(self) -> Tensor:
        return self._through(lambda x: x.mT)

    def cpu(self) -> Tensor:
        return self


_WRITE = _guards.FORWARD_WRITE


class _DualLevel:
    """The mode that carries tangents through the operators."""

    def __init__(self) -> None:
        self.active = False

    def __enter__(self) -> _DualLevel:
        _C._begin_watching(_dispatch)
        _guards.install()
        function.transforms.append(self)
        _modes.stack.append(self)
        _C._set_dispatching(True)
        self.active = True
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.active = False
        _modes.stack.remove(self)
        function.transforms.remove(self)
        _guards.remove()
        _C._set_dispatching(bool(_modes.stack))
        _C._end_watching()

    def involves(self, values: Any) -> bool:
        return any(
            (isinstance(x, DualTensor) and x._level is self)
            or (isinstance(x, tuple | list) and self.involves(x))
            for x in values
        )

    def _intercept(self, operator: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        from ..func._batching._tools import function_of

        op = function_of(operator)
        with below(self):
            if not self.involves((*args, *kwargs.values())):
                return op(*args, **kwargs)
            if kwargs.get("out") is not None:
                raise RuntimeError(_WRITE)
            if operator in ("detach", "detach_"):
                return op(args[0]._primal)
            if operator[-1] == "_" and operator != "requires_grad_":
                return _write(self, op, args, kwargs)
            return _carry(self, op, args, kwargs)

    def apply(self, cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a custom function, whose `jvp` gives the tangents."""
        with below(self):
            return _custom(self, cls, args, kwargs)


def _made(level: _DualLevel, primal: Tensor, tangent: Tensor, shares: bool = False) -> DualTensor:
    made = _C._make_subclass(DualTensor, primal, False)
    made._level, made._primal, made._tangent, made._shares = level, primal, tangent, shares
    return made


def _carry(
    level: _DualLevel, op: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """The results of an operator with their tangents."""
    flat, spec = _pytree.tree_flatten((args, kwargs))
    places = [i for i, x in enumerate(flat) if isinstance(x, DualTensor) and x._level is level]
    duals = [flat[i] for i in places]
    run = Run([x._primal for x in duals])
    for i, alias in zip(places, run.aliases, strict=True):
        flat[i] = alias
    given, named = spec.unflatten(flat)
    leaves, out_spec = _pytree.tree_flatten(run.call(op, *given, **named))
    with_slope = [
        i for i, x in enumerate(leaves) if isinstance(x, Tensor) and x.requires_grad
    ]  # fmt: skip
    if with_slope:
        outputs = run.outputs([leaves[i] for i in with_slope], "forward mode")
        tangents = [plain(x._tangent, run.levels) for x in duals]
        record = run.outer and (run.recorded or any(t.requires_grad for t in tangents))
        pushed = Linearized(run, outputs).push(tangents, record)
        for i, value, tangent in zip(with_slope, outputs, pushed, strict=True):
            tangent = rewrapped(tangent, run.levels)
            leaves[i] = _made(level, run.finished(leaves[i]), tangent, value._is_view())
    return out_spec.unflatten(leaves)


def _write(
    level: _DualLevel, op: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """The result that the operator has on a copy becomes the value of the tensor."""
    x = args[0]
    if not (isinstance(x, DualTensor) and x._level is level) or x._shares:
        raise RuntimeError(_WRITE)

    def out_of_place(target: Tensor, *rest: Any, **named: Any) -> Any:
        return op(target.clone(), *rest, **named)

    result = _carry(level, out_of_place, args, kwargs)
    if isinstance(result, DualTensor):
        x._tangent = result._tangent
        result = result._primal
    else:
        x._tangent = _C.zeros_like(x._tangent)
    x._primal.copy_(result)
    return x


class _JvpContext:
    """The ctx that `jvp` gets: what was saved for it, and what was noted."""

    def __init__(self, ctx: Any) -> None:
        object.__setattr__(self, "_ctx", ctx)

    @property
    def saved_tensors(self) -> Any:
        saved = getattr(self._ctx, "saved_for_forward", None)
        return self._ctx.saved_tensors if saved is None else saved

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._ctx, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._ctx, name)


def _custom(level: _DualLevel, cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    duals = [x if isinstance(x, DualTensor) and x._level is level else None for x in args]
    outer = _C.is_grad_enabled()
    recorded = outer and any(isinstance(x, Tensor) and x.requires_grad for x in args)
    given = list(args)
    for i, x in enumerate(duals):
        if x is not None:
            p = x._primal
            given[i] = p if recorded and p.requires_grad else p.detach().requires_grad_()
    with enable_grad():
        result = cls.apply(*given, **kwargs)
    several = isinstance(result, tuple)
    outputs = result if several else (result,)
    nodes = [y.grad_fn for y in outputs if isinstance(y, Tensor) and y.grad_fn is not None]
    ctx = next(iter(nodes), None)
    directions: list[Tensor | None] = []
    for x, dual in zip(args, duals, strict=True):
        if dual is not None:
            directions.append(dual._tangent)
        elif (
            isinstance(x, Tensor)
            and x.is_floating_point()
            and getattr(ctx, "materialize_grads", True)
        ):
            directions.append(_C.zeros_like(x, requires_grad=False))
        else:
            directions.append(None)
    sloped = any(t is not None and t.requires_grad for t in directions)
    with set_grad_enabled(recorded or (outer and sloped)):
        tangents = cls.jvp(_JvpContext(ctx), *directions)
    tangents = tangents if isinstance(tangents, tuple) else (tangents,)
    results = []
    for y, tangent in zip(outputs, tangents, strict=True):
        primal = y if recorded or not isinstance(y, Tensor) else y.detach()
        if tangent is not None and tangent.shape != y.shape:
            raise RuntimeError(_different(y, tangent))
        results.append(primal if tangent is None else _made(level, primal, tangent))
    return tuple(results) if several else results[0]


# ---------------------------------------------------------------------- levels


_levels: list[_DualLevel] = []


def enter_dual_level() -> int:
    """Begin a level, in which tensors can have tangents.

    Returns:
        Its number, 0.

    Raises:
        RuntimeError: if there is one already.
    """
    if _levels:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    _levels.append(_DualLevel().__enter__())
    return len(_levels) - 1


def exit_dual_level(*, level: int | None = None) -> None:
    """End a level: the tangents are no longer known.

    Args:
        level: its number. Default: the last one.

    Raises:
        RuntimeError: if it is not the last one.
    """
    last = len(_levels) - 1
    if last < 0 or (level is not None and level != last):
        raise RuntimeError(
            "Trying to exit a forward AD level that was not the last one that was created. This is "
            "not supported."
        )
    _levels.pop().__exit__()


class dual_level:
    """A block in which tensors can have tangents.

    Raises:
        RuntimeError: if there is one already.

    Example:
        >>> import tapegrad
        >>> import tapegrad.autograd.forward_ad as fwAD
        >>> with fwAD.dual_level():
        ...     x = fwAD.make_dual(tapegrad.tensor(3.0), tapegrad.tensor(1.0))
        ...     y, slope = fwAD.unpack_dual(x**2)
        >>> y, slope
        (tensor(9.), tensor(6.))
    """

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *exc_info: object) -> None:
        exit_dual_level()


def _different(tensor: Tensor, tangent: Tensor) -> str:
    return (
        "Trying to set a forward gradient that has a different size than that of the original "
        f"Tensor, this is not supported. Tensor is of size {list(tensor.shape)} while the given "
        f"forward gradient is of size {list(tangent.shape)}."
    )


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """A tensor with a tangent, in the memory of the one without.

    Args:
        tensor: floating point.
        tangent: of the same shape and dtype.
        level: accepted; there is one level.

    Raises:
        RuntimeError: outside of a level, or if shapes or dtypes differ.
        ValueError: if one of the two is not floating point.

    Example:
        See :class:`dual_level`.
    """
    if not _levels:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to "
            "enter_dual_level() first."
        )
    for name, x in (("primal", tensor), ("tangent", tangent)):
        if not x.is_floating_point():
            raise ValueError(
                f"Expected {name} to be floating point or complex, but got: {x.dtype}"
            )  # fmt: skip
    if tensor.shape != tangent.shape:
        raise RuntimeError(_different(tensor, tangent))
    if tensor.dtype != tangent.dtype:
        raise RuntimeError(
            "Expected the tangent to have the dtype of the tensor, but got "
            f"{tangent.dtype} and {tensor.dtype}"
        )
    with below(_levels[-1]):
        return _made(_levels[-1], tensor, tangent)


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """A tensor without its tangent, and the tangent.

    Args:
        tensor: any tensor.
        level: accepted; there is one level.

    Returns:
        ``(primal, tangent)``, where `tangent` is None if the tensor has none, or its level is over.

    Example:
        See :class:`dual_level`.
    """
    if isinstance(tensor, DualTensor):
        return UnpackedDualTensor(tensor._primal, tensor._tangent if tensor._level.active else None)
    return UnpackedDualTensor(tensor, None)
