"""What a model does with its inputs: the operators that it calls, in their order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, NoReturn

import tapegrad

from .. import _C
from .._C import Tensor
from .._indexing import INDEXING
from .._ops import _run
from ..func._guards import QUESTIONS as _QUESTIONS
from ..nn import Module
from ..utils._python_dispatch import _dispatch, _modes
from ..utils._pytree import tree_flatten, tree_leaves, tree_unflatten

__all__ = ["Call", "OnnxExporterError", "Trace", "enlarged", "recorded"]


class OnnxExporterError(RuntimeError):
    """A model that cannot be written as an ONNX file."""


class Call(NamedTuple):
    """A call of an operator, with the tensors of the run.

    Those that depend on inputs have numbers; an operator in place gives its tensor a new one.
    """

    operator: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: tuple[Tensor, ...]
    arguments_known: dict[int, int]  # id of a tensor -> its number
    constants: dict[int, int]  # id of another tensor -> its version
    results_known: tuple[int, ...]


class Trace(NamedTuple):
    """A run of a model."""

    inputs: list[tuple[int, Tensor]]
    calls: list[Call]
    outputs: list[tuple[int | None, Tensor]]  # without a number: what depends on no input
    names: dict[int, str]  # of parameters and buffers, by their ids


def _refuse(*args: Any, **kwargs: Any) -> NoReturn:
    raise OnnxExporterError(
        "the model looks at the values of a tensor that depends on its inputs, as `if x.sum() > 0` "
        "or `x.item()` do; an ONNX file would have what they are in the example for ever"
    )


class Traced(Tensor):
    """A tensor that depends on inputs."""

    __slots__ = ()
    __torch_function__ = _C._disabled_torch_function_impl
    _has_no_values = True
    __bool__ = __int__ = __float__ = __index__ = __contains__ = _refuse
    item = tolist = numpy = __array__ = __dlpack__ = data_ptr = apply_ = _refuse
    storage = untyped_storage = _refuse
    is_nonzero = equal = allclose = unique = unique_consecutive = _refuse

    # What gives a tensor, and is no operator.
    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.unbind(0))

    @property  # type: ignore[misc]
    def data(self) -> Tensor:
        return self.detach()

    @property
    def real(self) -> Tensor:  # type: ignore[override]
        return self

    @property
    def T(self) -> Tensor:
        return self.permute(*reversed(range(self.dim())))

    @property
    def mT(self) -> Tensor:
        return self.transpose(-2, -1)

    H = T
    mH = mT


class _Recorder:
    sees_indices = True

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._numbers: dict[int, int] = {}  # of tensors that depend on inputs, by their ids
        self._versions: dict[int, int] = {}
        self._kept: list[Tensor] = []  # so that no id is used again
        self._count = 0

    def know(self, tensor: Tensor) -> int:
        """A new number for a tensor as it is now."""
        self._count += 1
        self._numbers[id(tensor)] = self._count
        self._versions[id(tensor)] = tensor._version
        self._kept.append(tensor)
        return self._count

    def number(self, tensor: Tensor) -> int | None:
        """The number of a tensor, or None for one that depends on no input."""
        number = self._numbers.get(id(tensor))
        if number is None:
            if tensor.requires_grad:
                raise OnnxExporterError(
                    f"a tensor of shape {tuple(tensor.shape)} comes from an input by something "
                    "that is not recorded, or from a parameter that is not the model's"
                )
        elif tensor._version != self._versions[id(tensor)]:
            raise OnnxExporterError(
                f"a tensor of shape {tuple(tensor.shape)} was changed in place by way of another "
                "one that shares its memory"
            )
        return number

    def _intercept(self, operator: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if operator == "__setitem__" and any(isinstance(x, Traced) for x in tree_leaves(args)):
            raise OnnxExporterError(
                "the model assigns to a part of a tensor, `x[...] = y`; `where`, `cat` and "
                "`stack` can be written"
            )
        if operator in INDEXING:
            return self.run(operator, lambda: INDEXING[operator](*args), args, kwargs)
        return self.run(operator, lambda: _run(operator, args, kwargs), args, kwargs)

    def run(
        self,
        operator: str,
        function: Callable[[], Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Call an operator, and write it down if an argument depends on an input."""
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        numbers = {id(x): number for x in given if (number := self.number(x)) is not None}
        _modes.stack.pop()
        _C._set_dispatching(bool(_modes.stack))
        try:
            if not numbers:
                return function()
            # What an operator in place changes is written down as it was.
            in_place = operator.endswith("_") and not operator.startswith("_")
            if in_place and id(args[0]) not in numbers:
                args = (args[0].clone(), *args[1:])
                given.append(args[0])
            constants = {id(x): x._version for x in given if id(x) not in numbers}
            result = _adopted(function(), {id(x) for x in given})
        finally:
            _modes.stack.append(self)
            _C._set_dispatching(True)
        results = tuple(tree_leaves(result))
        known = tuple(self.know(x) for x in results)
        self.calls.append(Call(operator, args, kwargs, results, numbers, constants, known))
        self._kept += given
        return result


def _adopted(result: Any, given: set[int]) -> Any:
    """The results as tensors that are known; what an operator changed in place stays itself."""
    leaves, spec = tree_flatten(result)
    made = [x if id(x) in given else x.as_subclass(Traced) for x in leaves]
    return tree_unflatten(made, spec)


# ---------------------------------------------------------------------- what is no operator

_lock = threading.Lock()
_count = 0
_exchanged: list[tuple[Any, str, Any, Any]] = []  # owner, name, what it is, what it becomes


def _question(original: Callable[..., Any]) -> Callable[..., Any]:
    def question(*args: Any, **kwargs: Any) -> Any:
        if any(isinstance(x, Traced) for x in (*args, *kwargs.values())):
            _refuse()
        return original(*args, **kwargs)

    return question


def _prepare() -> None:
    for owner in (_C, tapegrad):
        for name in _QUESTIONS:
            original = getattr(owner, name)
            _exchanged.append((owner, name, original, _question(original)))


@contextmanager
def _questions_are_seen() -> Iterator[None]:
    """A mode does not see questions; they are exchanged while a model is recorded."""
    global _count
    with _lock:
        if not _exchanged:
            _prepare()
        _count += 1
        for owner, name, _, seen in _exchanged:
            setattr(owner, name, seen)
    try:
        yield
    finally:
        with _lock:
            _count -= 1
            if not _count:
                for owner, name, original, _ in _exchanged:
                    setattr(owner, name, original)


# ---------------------------------------------------------------------- the run


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """A module in evaluation mode, whose parameters require no gradients."""
    if not isinstance(model, Module):
        yield
        return
    modes = [(module, module.training) for module in model.modules()]
    flags = [(p, p.requires_grad) for p in model.parameters()]
    model.eval()
    for p, _ in flags:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        for p, flag in flags:
            p.requires_grad_(flag)


def recorded(model: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Trace:
    """Run a model, and write down what it does with its inputs.

    Raises:
        OnnxExporterError: if it does something that cannot be written down.
    """
    recorder = _Recorder()
    leaves, spec = tree_flatten((args, kwargs))
    inputs = []
    # What comes from an input requires a gradient, so that nothing of it goes unseen.
    for place, leaf in enumerate(leaves):
        if isinstance(leaf, Tensor):
            made = leaf.detach().clone()
            if made.is_floating_point():
                made = made.requires_grad_().clone()
            leaves[place] = made.as_subclass(Traced)
            inputs.append((recorder.know(leaves[place]), leaves[place]))
    args, kwargs = tree_unflatten(leaves, spec)
    names = {}
    if isinstance(model, Module):
        named = [*model.named_parameters(), *model.named_buffers()]
        names = {id(tensor): name for name, tensor in named}
    with _evaluating(model), _questions_are_seen(), _C._EnableGrad():
        _C._begin_watching(_dispatch)
        _modes.stack.append(recorder)
        _C._set_dispatching(True)
        try:
            result = model(*args, **kwargs)
        finally:
            _modes.stack.pop()
            _C._set_dispatching(bool(_modes.stack))
            _C._end_watching()
    found = tree_leaves(result)
    if not all(isinstance(x, Tensor) for x in found):
        raise OnnxExporterError("the model returns something else than tensors")
    outputs = [(recorder.number(x), x) for x in found]
    return Trace(inputs, recorder.calls, outputs, names)


def enlarged(
    arguments: Any,
    names: Sequence[str],
    axes: Mapping[str, Mapping[int, str] | Sequence[int]],
) -> tuple[Any, dict[tuple[int, int], str]]:
    """Arguments whose tensors are larger along some axes, and the names of the sizes.

    Args:
        arguments: nested containers.
        names: of the tensors in them, in their order.
        axes: as :func:`tapegrad.onnx.export` takes them.

    Raises:
        ValueError: for a name or axis that is not there.
    """
    leaves, spec = tree_flatten(arguments)
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
    by_name = dict(zip(names[: len(places)], places, strict=True))
    more: dict[str, int] = {}  # how much larger a size is, other ones for other names
    labels = {}
    for name, given in axes.items():
        if name not in by_name:
            raise ValueError(f"dynamic_axes names '{name}', which is no input: {list(by_name)}")
        place = by_name[name]
        for axis in given:
            x = leaves[place]
            if not -x.dim() <= axis < x.dim() or not x.shape[axis]:
                raise ValueError(f"dynamic_axes names axis {axis} of '{name}', {tuple(x.shape)}")
            size = x.shape[axis]
            label = given[axis] if isinstance(given, Mapping) else f"size_{size}"
            by = more.setdefault(label, len(more) + 1)
            rows = _C.arange(size + by).remainder(size)
            leaves[place] = x.detach().index_select(axis, rows)
            labels[size, size + by] = label
    return tree_unflatten(leaves, spec), labels
