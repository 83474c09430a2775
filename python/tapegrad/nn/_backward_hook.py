"""How backward hooks of a module come to its gradients.

Full ones through identity nodes around the module; the others stand at the node of its result.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from .._arguments import as_tuple
from .._C import Tensor, is_grad_enabled
from ..autograd import Function

Grads = tuple[Any, ...]


class BackwardHookFunction(Function):
    """Passes tensors through; its backward gives the gradients to a callback first."""

    @staticmethod
    def forward(
        ctx: Any, callback: Callable[[Grads], Grads], with_zeros: bool, *tensors: Tensor
    ) -> Any:
        ctx.callback = callback
        ctx.set_materialize_grads(with_zeros)
        passed = [t.view_as(t) for t in tensors]
        ctx.mark_non_differentiable(
            *[p for p, t in zip(passed, tensors, strict=True) if not t.requires_grad]
        )
        return tuple(passed)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return (None, None, *ctx.callback(grads))


def _insert(
    callback: Callable[[Grads], Grads], values: Grads, with_zeros: bool
) -> tuple[Grads, list[int] | None]:
    """Sends the tensors among `values` through one identity node.

    With zeros, or else None, for those that no gradient arrives at.

    Returns the new values and the positions of the tensors, or None for the positions if no
    gradient can arrive there.
    """
    places = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
    tensors = [values[i] for i in places]
    if not is_grad_enabled() or not any(t.requires_grad for t in tensors):
        return values, None
    passed = BackwardHookFunction.apply(callback, with_zeros, *tensors)
    result = list(values)
    for place, tensor in zip(places, passed, strict=True):
        result[place] = tensor
    return tuple(result), places


class BackwardHooks:
    """What one call of a module needs to run its backward hooks once.

    The gradients of the outputs arrive first (pre-hooks may replace them), those of the inputs
    last; then the full backward hooks run with both.
    """

    def __init__(self, module: Any, pre_hooks: list[Any], hooks: list[Any]) -> None:
        self.module = module
        self.pre_hooks = pre_hooks
        self.hooks = hooks
        self.input_count = 0
        self.input_places: list[int] | None = None
        self.output_count = 0
        self.output_places: list[int] = []
        self.grad_outputs: Grads | None = None

    def wrap_inputs(self, args: Grads) -> Grads:
        self.input_count = len(args)
        args, self.input_places = _insert(self._at_inputs, args, True)
        return args

    def wrap_outputs(self, result: Any) -> Any:
        single = not isinstance(result, tuple)
        values: Grads = (result,) if single else result
        self.output_count = len(values)
        values, places = _insert(self._at_outputs, values, False)
        if places is None:
            return result
        self.output_places = places
        if single:
            return values[0]
        return values if type(result) is tuple else type(result)(*values)  # a named one

    def _at_outputs(self, grads: Grads) -> Grads:
        full = _spread(grads, self.output_places, self.output_count)
        for hook in self.pre_hooks:
            answer = hook(self.module, full)
            if answer is not None:
                full = _checked(answer, full, "Backward pre hook", "grad_output")
        self.grad_outputs = full
        if self.input_places is None and self.hooks:  # no gradient will arrive at the inputs
            warnings.warn(
                "Full backward hook is firing when gradients are computed "
                "with respect to module outputs since no inputs require gradients. See "
                "register_full_backward_hook for more details.",
                stacklevel=2,
            )
            inputs: Grads = (None,) * self.input_count
            for hook in self.hooks:
                answer = hook(self.module, inputs, full)
                if answer is not None and not all(g is None for g in as_tuple(answer)):
                    raise RuntimeError(
                        "Backward hook for Modules where no input requires "
                        "gradient should always return None or None for all gradients."
                    )
            self.grad_outputs = None
        return tuple([full[i] for i in self.output_places])

    def _at_inputs(self, grads: Grads) -> Grads:
        if self.grad_outputs is None:  # reached without passing the outputs: nothing to report
            return grads
        assert self.input_places is not None
        full = _spread(grads, self.input_places, self.input_count)
        for hook in self.hooks:
            answer = hook(self.module, full, self.grad_outputs)
            if answer is not None:
                full = _checked(answer, full, "Backward hook", "grad_input")
        self.grad_outputs = None
        return tuple([full[i] for i in self.input_places])


def _spread(grads: Grads, places: list[int], count: int) -> Grads:
    full: list[Any] = [None] * count
    for place, grad in zip(places, grads, strict=True):
        full[place] = grad
    return tuple(full)


def _checked(answer: Any, current: Grads, who: str, what: str) -> Grads:
    grads = as_tuple(answer)
    if len(grads) != len(current):
        raise RuntimeError(
            f"{who} returned an invalid number of {what}, got {len(grads)}, "
            f"but expected {len(current)}"
        )
    return grads


def warn_of_partial_gradients(args: Any, result: Any, node: Any) -> None:
    """Warns if a hook at the node of a module's result does not see all of its gradients."""
    found = _partial_gradients(_tensors(args), _tensors(result), node)
    if found is not None:
        case, missing = found
        warnings.warn(
            f"Using {case} is deprecated and will be removed in future versions. This hook will "
            f"be missing {missing}",
            FutureWarning,
            stacklevel=4,
        )


def _partial_gradients(
    args: Grads | None, result: Grads | None, node: Any
) -> tuple[str, str] | None:
    advice = ". Please use register_full_backward_hook to get the documented behavior."
    form = "a single Tensor or a tuple of Tensors"
    if result is None:
        case = f"non-full backward hooks on a Module that does not return {form}"
        return case, f"some of the grad_output{advice}"
    if args is None:
        case = f"non-full backward hooks on a Module that does not take as input {form}"
        return case, f"some of the grad_input{advice}"
    nodes = {tensor.grad_fn for tensor in result} - {None}
    case = "a non-full backward hook when"
    if len(nodes) > 1:
        case += " outputs are generated by different autograd Nodes"
        return case, f"some grad_output{advice}"
    if node not in nodes:
        return f"{case} outputs are nested in python data structure", "some grad_output."
    if {tensor.grad_fn for tensor in args} - {None} != {next_ for next_, _ in node.next_functions}:
        return f"{case} the forward contains multiple autograd Nodes", f"some grad_input{advice}"
    return None


def _tensors(value: Any) -> Grads | None:
    values = value if isinstance(value, tuple) else (value,)
    return values if all(isinstance(v, Tensor) for v in values) else None
