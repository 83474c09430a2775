"""Modules as functions of their parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import _C
from .._C import Tensor
from ..nn.modules.batchnorm import _BatchNorm
from ..nn.modules.module import Module
from ..nn.utils import stateless

__all__ = ["functional_call", "replace_all_batch_norm_modules_", "stack_module_state"]

Named = Mapping[str, Tensor]


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Named | Sequence[Named],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call a module with the given tensors instead of its parameters and buffers.

    Args:
        module: the module to call, which is as before afterwards.
        parameter_and_buffer_dicts: tensors by dotted name, or several such dicts without a common
            name; what is not named keeps its value.
        args: the arguments, as a tuple, or a single argument.
        kwargs: keyword arguments.
        tie_weights: give a tensor to all names of a parameter that the module has under several.
            Default: True.
        strict: require a tensor for each parameter and buffer. Default: False.

    Raises:
        ValueError: if a name is in several dicts, or these are no dicts.
        RuntimeError: if a name is unknown, or missing with `strict`.

    Example:
        >>> import tapegrad
        >>> from tapegrad.func import functional_call, grad
        >>> model = tapegrad.nn.Linear(2, 1, bias=False)
        >>> x = tapegrad.tensor([1.0, 2.0])
        >>> loss = lambda params: functional_call(model, params, (x,)).sum()
        >>> grad(loss)({"weight": tapegrad.zeros(1, 2)})
        {'weight': tensor([[1., 2.]])}
    """
    if isinstance(parameter_and_buffer_dicts, Mapping):
        named = dict(parameter_and_buffer_dicts)
    elif isinstance(parameter_and_buffer_dicts, Sequence):
        if not all(isinstance(part, Mapping) for part in parameter_and_buffer_dicts):
            raise ValueError(
                "Expected all elements of parameter_and_buffer_dicts to be dictionaries"
            )
        named = {}
        for part in parameter_and_buffer_dicts:
            repeated = [name for name in part if name in named]
            if repeated:
                raise ValueError(
                    f"{repeated} appeared in multiple dictionaries; behavior of functional call is "
                    "ambiguous"
                )
            named.update(part)
    else:
        raise ValueError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got "
            f"{type(parameter_and_buffer_dicts)}"
        )
    return stateless.functional_call(
        module, named, args, kwargs, strict=strict, tie_weights=tie_weights
    )


def stack_module_state(
    models: Sequence[Module],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters and the buffers of several modules, stacked along a new first dimension.

    With :func:`functional_call` and :func:`vmap` they run all at once, as an ensemble.

    Args:
        models: modules of one class and form, all in training mode or none.

    Returns:
        Two dicts by dotted name. The parameters are new leaves that require gradients as those of
        the modules do.

    Raises:
        RuntimeError: if there is no module, or they differ in class or mode.

    Example:
        >>> import tapegrad
        >>> from tapegrad.func import functional_call, stack_module_state, vmap
        >>> models = [tapegrad.nn.Linear(2, 3) for _ in range(4)]
        >>> params, buffers = stack_module_state(models)
        >>> run = lambda p, b, x: functional_call(models[0], (p, b), (x,))
        >>> vmap(run, in_dims=(0, 0, None))(params, buffers, tapegrad.ones(5, 2)).shape
        tapegrad.Size([4, 5, 3])
    """
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({model.training for model in models}) > 1:
        raise RuntimeError(
            "stack_module_state: Expected all models to have the same training/eval mode."
        )
    first = type(models[0])
    if not all(type(model) is first for model in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    return (
        _stacked([dict(model.named_parameters()) for model in models]),
        _stacked([dict(model.named_buffers()) for model in models]),
    )


def _stacked(states: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    result = {}
    for name, first in states[0].items():
        tensors = [state[name] for state in states]
        with _C._NoGrad():
            made = _C.stack([x.detach() for x in tensors])
        result[name] = made.requires_grad_(first.requires_grad)
    return result


def replace_all_batch_norm_modules_(root: Module) -> Module:
    """Let all batch normalisations of a module do without running statistics, in place.

    Inside of `vmap` they could not be updated, as each sample has statistics of its own.

    Args:
        root: the module, which is changed and returned.

    Example:
        >>> import tapegrad
        >>> from tapegrad.func import replace_all_batch_norm_modules_
        >>> model = replace_all_batch_norm_modules_(tapegrad.nn.BatchNorm1d(3))
        >>> model.running_mean is None, model.track_running_stats
        (True, False)
    """
    for module in root.modules():
        if isinstance(module, _BatchNorm):
            module.running_mean = None
            module.running_var = None
            module.num_batches_tracked = None
            module.track_running_stats = False
    return root
