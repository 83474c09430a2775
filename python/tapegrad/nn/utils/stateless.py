"""Calls of a module with other values in the place of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._C import Tensor
from ..modules.module import Module

__all__ = ["functional_call"]


def functional_call(
    module: Module,
    parameters_and_buffers: Mapping[str, Tensor],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call a module with the given tensors instead of its parameters and buffers.

    The module is as before afterwards. Gradients flow to the given tensors, which need not be
    leaves: steps of an optimiser written by hand can be differentiated.

    Args:
        module: the module to call.
        parameters_and_buffers: tensors by dotted name; what is not named keeps its value.
        args: the arguments, as a tuple, or a single argument.
        kwargs: keyword arguments.
        tie_weights: give a shared parameter its value under all of its names. Default: True.
        strict: require a tensor for each parameter and buffer, and none for other names; without
            it these are ignored. Default: False.

    Raises:
        RuntimeError: with `strict`, if a name is unknown or missing.
        TypeError: if a value is no tensor.

    Example:
        >>> import tapegrad
        >>> model = tapegrad.nn.Linear(1, 1, bias=False)
        >>> fast = {"weight": tapegrad.tensor([[3.0]])}
        >>> tapegrad.nn.utils.functional_call(model, fast, tapegrad.tensor([2.0]))
        tensor([6.])
    """
    places: dict[str, tuple[dict[str, Any], str]] = {}
    names: dict[int, list[str]] = {}  # of each tensor, which may have several
    for path, owner in module.named_modules(remove_duplicate=False):
        start = f"{path}." if path else ""
        tables: tuple[dict[str, Any], ...] = (owner._parameters, owner._buffers)
        for registry in tables:
            for name, tensor in registry.items():
                places[start + name] = (registry, name)
                if tensor is not None:
                    names.setdefault(id(tensor), []).append(start + name)
    if strict:
        _refuse_other_names(module, parameters_and_buffers, places)
    for value in parameters_and_buffers.values():
        if not isinstance(value, Tensor):
            raise TypeError(f"{value} is not an instance of tapegrad.Tensor")
    if args is None:
        args = ()
    elif not isinstance(args, tuple):
        args = (args,)
    before = []
    try:
        for key, value in parameters_and_buffers.items():
            if key not in places:
                continue
            registry, name = places[key]
            before.append((registry, name, registry[name]))
            others = names.get(id(registry[name]), ()) if tie_weights else ()
            registry[name] = value
            for other in others:
                if other not in parameters_and_buffers:
                    tied, tied_name = places[other]
                    before.append((tied, tied_name, tied[tied_name]))
                    tied[tied_name] = value
        return module(*args, **(kwargs or {}))
    finally:
        for registry, name, old in reversed(before):
            registry[name] = old


def _refuse_other_names(module: Module, given: Mapping[str, Tensor], places: Any) -> None:
    problems = [
        f"{kind} key(s): {', '.join(repr(key) for key in keys)}."
        for kind, keys in (
            ("Unexpected", [key for key in given if key not in places]),
            ("Missing", [key for key in places if key not in given]),
        )
        if keys
    ]
    if problems:
        raise RuntimeError(
            f"Error(s) in reparametrizing for {module._get_name()}:\n\t" + "\n\t".join(problems)
        )
