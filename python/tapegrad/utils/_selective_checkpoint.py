"""Selective checkpointing: some operators' results are kept, the others are computed again."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from .. import _C
from .._C import Tensor
from .._ops import OpOverload, OpOverloadPacket
from ..autograd.graph import saved_tensors_hooks
from ._python_dispatch import TorchDispatchMode

__all__ = [
    "SAC_IGNORED_OPS",
    "CheckpointPolicy",
    "SelectiveCheckpointContext",
    "create_selective_checkpoint_contexts",
]

# Operators that are run in both passes and that no policy is asked of.
SAC_IGNORED_OPS: set[Any] = set()


class SelectiveCheckpointContext:
    """What a policy is told beside the operator and its arguments: `op_output`, the result."""

    def __init__(self, *, is_recompute: bool, op_output: Any = None) -> None:
        self.is_recompute = is_recompute
        self.op_output = op_output


class CheckpointPolicy(enum.Enum):
    """What a policy answers: keep the operator's result, or compute it again.

    There is no other device: a result that is to be moved to the CPU is there, and computed again.
    """

    MUST_SAVE = 0
    PREFER_SAVE = 1
    MUST_RECOMPUTE = 2
    PREFER_RECOMPUTE = 3
    MUST_CPU_OFFLOAD = 4
    PREFER_CPU_OFFLOAD = 5


_CALLED_AGAIN = object()
_CONSUMED = object()
_MISMATCH = (
    "This can happen if the operations in the checkpointed region are "
    "nondeterministic or depend on global state that changed between "
    "forward and backward."
)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def _replaced(value: Any, tensors: Iterator[Tensor]) -> Any:
    if isinstance(value, Tensor):
        return next(tensors)
    if isinstance(value, (tuple, list)):
        return type(value)([_replaced(item, tensors) for item in value])
    return value


def _place(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride()


class _Kept:
    """The result of a call, and how to give to the tape what the operator has saved for backward.

    The tape keeps arguments, results, and what the operator has made of them. Arguments are there
    again when the function is run again; the rest is kept here.
    """

    def __init__(self, result: Any, arguments: list[Tensor], saved: list[Tensor]) -> None:
        outputs = list(_tensors(result))
        places = {_place(argument): i for i, argument in reversed(list(enumerate(arguments)))}
        self.values = [output.detach() for output in outputs]
        self.recorded = [output.requires_grad for output in outputs]
        self.result = _replaced(result, iter(self.values))
        self.saved = [places.get(_place(tensor), tensor.detach()) for tensor in saved]
        self.versions = [value._version for value in self.all_values()]

    def all_values(self) -> Iterator[Tensor]:
        yield from self.values
        for value in self.saved:
            if isinstance(value, Tensor):
                yield value

    def check(self) -> None:
        if [value._version for value in self.all_values()] != self.versions:
            raise RuntimeError(
                "Tensor cached during selective activation checkpoint has been mutated"
            )

    def again(self, arguments: list[Tensor]) -> Any:
        """The result, after what was saved has been given to those who hold it for backward."""
        hooks = _C._innermost_saved_tensors_hooks()
        if any(self.recorded) and hooks is not None:
            for value in self.saved:
                hooks[0](arguments[value] if isinstance(value, int) else value)
        if not any(self.recorded) or not _C.is_grad_enabled():
            return self.result
        recorded = [v for v, on in zip(self.values, self.recorded, strict=True) if on]
        behind = iter(_C._refuse_derivative(tuple(recorded), _NOT_RECORDED))
        values = [
            next(behind) if on else v for v, on in zip(self.values, self.recorded, strict=True)
        ]
        return _replaced(self.result, iter(values))


_NOT_RECORDED = (
    "a result that selective checkpointing has kept is not recorded when the function is run "
    "again: backward cannot be called inside of the function"
)


class _Keeping(TorchDispatchMode):
    """Around the first run: asks the policy."""

    def __init__(self, policy: Callable[..., Any], storage: dict[Any, list[Any]]) -> None:
        self.policy = policy
        self.storage = storage

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in SAC_IGNORED_OPS:
            return func(*args, **kwargs)
        arguments, saved = list(_tensors([args, kwargs])), []
        hooks = _C._innermost_saved_tensors_hooks()
        if hooks is None:
            result = func(*args, **kwargs)
        else:
            pack, unpack = hooks

            def pack_and_note(tensor: Tensor) -> Any:
                saved.append(tensor)
                return pack(tensor)

            with saved_tensors_hooks(pack_and_note, unpack):
                result = func(*args, **kwargs)
        context = SelectiveCheckpointContext(is_recompute=False, op_output=result)
        policy = self.policy(context, func, *args, **kwargs)
        keep = policy in (True, CheckpointPolicy.MUST_SAVE, CheckpointPolicy.PREFER_SAVE)
        # What writes to its arguments has to do so again.
        if keep and not any(output is given for output in _tensors(result) for given in arguments):
            self.storage[func].append(_Kept(result, arguments, saved))
        else:
            self.storage[func].append(_CALLED_AGAIN)
        return result


class _Giving(TorchDispatchMode):
    """Around the second run: gives what was kept."""

    def __init__(self, storage: dict[Any, list[Any]], allow_mutation: bool) -> None:
        self.storage = storage
        self.allow_mutation = allow_mutation
        self.counts: dict[Any, int] = defaultdict(int)

    def __enter__(self) -> Any:
        self.counts.clear()
        return super().__enter__()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in SAC_IGNORED_OPS:
            return func(*args, **kwargs)
        index = self.counts[func]
        self.counts[func] += 1
        if func not in self.storage:
            raise RuntimeError(
                f"{func} encountered during backward but not found in storage. {_MISMATCH}"
            )
        entries = self.storage[func]
        if index >= len(entries):
            raise RuntimeError(
                f"{func} invocation index {index} encountered during backward "
                f"but not found in storage. {_MISMATCH}"
            )
        entry = entries[index]
        if entry is _CONSUMED:
            raise RuntimeError(
                "Trying to backward an extra time. You are only allowed to backward once "
                "on any region computed under selective activation checkpoint."
            )
        if entry is _CALLED_AGAIN:
            return func(*args, **kwargs)
        entries[index] = _CONSUMED
        if not self.allow_mutation:
            entry.check()
        return entry.again(list(_tensors([args, kwargs])))


def create_selective_checkpoint_contexts(
    policy_fn_or_list: Any, allow_cache_entry_mutation: bool = False
) -> tuple[Any, Any]:
    """The two context managers of a checkpoint that keeps the results of some operators.

    Args:
        policy_fn_or_list: a list of operators whose results are kept, or a policy: called as
            ``policy(context, op, *args, **kwargs)`` after each operator of the first run, it
            returns a `CheckpointPolicy`. The operators are those that the function calls, by
            PyTorch's names (``tapegrad.ops.aten``).
        allow_cache_entry_mutation: do not refuse results that were changed after they were kept.

    Raises:
        RuntimeError: (from backward) a kept result was changed, the second run calls other
            operators, or backward comes to the same function twice.

    Example::

        >>> import functools
        >>> import tapegrad
        >>> from tapegrad.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts
        >>> contexts = functools.partial(
        ...     create_selective_checkpoint_contexts, [tapegrad.ops.aten.mm.default]
        ... )
        >>> x = tapegrad.ones(2, 2, requires_grad=True)
        >>> def layer(x):
        ...     return tapegrad.sigmoid(x @ x)
        >>> checkpoint(layer, x, use_reentrant=False, context_fn=contexts).sum().backward()
    """
    if isinstance(policy_fn_or_list, list):
        for op in policy_fn_or_list:
            if not isinstance(op, OpOverload):
                advice = (
                    "Please update the OpOverloadPacket to a specific OpOverload."
                    "For example, if you have `tapegrad.ops.aten.mm`, change it to "
                    "`tapegrad.ops.aten.mm.default`."
                )
                raise ValueError(
                    f"Expected op in `op_list` to be an OpOverload but got: {op} "
                    f"of type {type(op)}. {advice if isinstance(op, OpOverloadPacket) else ''}"
                )
        kept = frozenset(policy_fn_or_list)

        def policy(context: Any, op: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
            if op in kept:
                return CheckpointPolicy.MUST_SAVE
            return CheckpointPolicy.PREFER_RECOMPUTE

    elif callable(policy_fn_or_list):
        policy = policy_fn_or_list
    else:
        raise TypeError("policy_fn_or_list must be either a function or a list of ops.")
    storage: dict[Any, list[Any]] = defaultdict(list)
    return _Keeping(policy, storage), _Giving(storage, allow_cache_entry_mutation)
