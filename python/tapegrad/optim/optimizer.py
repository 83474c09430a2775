"""The base class of all optimisers."""

from __future__ import annotations

import functools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, TypeAlias

import tapegrad

from .. import _C
from .._C import Tensor
from ..utils._names import typename
from ..utils.hooks import RemovableHandle

__all__ = [
    "Optimizer",
    "register_optimizer_step_post_hook",
    "register_optimizer_step_pre_hook",
]

Group = dict[str, Any]
Closure = Callable[[], Any]
Params = Iterable[Any]
ParamsT: TypeAlias = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]
Hooks = OrderedDict[int, Callable[..., Any]]


class _Required:
    def __repr__(self) -> str:
        return "<required parameter>"


required: Any = _Required()

_pre_hooks: Hooks = OrderedDict()
_post_hooks: Hooks = OrderedDict()


def _register(hooks: Hooks, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` before each step of every optimiser.

    It may return a pair of other arguments, of which the first is the optimiser.

    Example:
        >>> import tapegrad
        >>> from tapegrad.optim.optimizer import register_optimizer_step_pre_hook
        >>> opt = tapegrad.optim.SGD([tapegrad.zeros(1, requires_grad=True)])
        >>> with register_optimizer_step_pre_hook(lambda opt, args, kwargs: print("a step")):
        ...     opt.step()
        a step
    """
    return _register(_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` after each step of every optimiser.

    Example:
        >>> import tapegrad
        >>> from tapegrad.optim.optimizer import register_optimizer_step_post_hook
        >>> opt = tapegrad.optim.SGD([tapegrad.zeros(1, requires_grad=True)])
        >>> with register_optimizer_step_post_hook(lambda opt, args, kwargs: print("done")):
        ...     opt.step()
        done
    """
    return _register(_post_hooks, hook)


def _with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """A class's ``step``, with the hooks around it."""

    @functools.wraps(step)
    def hooked(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        self._opt_called = True
        try:
            before, after = self._optimizer_step_pre_hooks, self._optimizer_step_post_hooks
        except AttributeError:  # one that wraps another, and has not called __init__
            self._set_up()
            before, after = self._optimizer_step_pre_hooks, self._optimizer_step_post_hooks
        if _C._is_recording():
            if not self._replayable:
                _C._refuse_replay(f"a step of {type(self).__name__}, which is Python code")
            for hooks in (before, after, _pre_hooks, _post_hooks):
                if hooks:
                    _C._refuse_replay("a hook on the steps of an optimizer")
                _C._watch_dict(hooks)
        # What calls the step of its base class has run them already.
        if self._in_step or not (before or after or _pre_hooks or _post_hooks):
            return step(self, *args, **kwargs)
        args = (self, *args)
        self._in_step = True
        try:
            for hook in [*_pre_hooks.values(), *before.values()]:
                result = hook(self, args, kwargs)
                if result is None:
                    continue
                if not (isinstance(result, tuple) and len(result) == 2):
                    raise RuntimeError(
                        f"{step} must return None or a tuple of (new_args, new_kwargs), but got "
                        f"{result}."
                    )
                args, kwargs = result
            out = step(*args, **kwargs)
            for hook in [*after.values(), *_post_hooks.values()]:
                hook(self, args, kwargs)
        finally:
            self._in_step = False
        return out

    hooked._wrapped_by_lr_sched = True  # type: ignore[attr-defined]  # it says that it was called
    return hooked


class Optimizer:
    """Keeps groups of parameters, their options, and what an optimiser remembers about each.

    Args:
        params: an iterable of tensors, of pairs (name, tensor), or of dicts with the key "params"
            and options of their own.
        defaults: the options of groups that do not set them.

    Attributes:
        param_groups: a list of dicts.
        state: a dict from parameter to a dict.

    Raises:
        TypeError: if `params` is a tensor, or something in it is not one.
        ValueError: if there is no parameter, one is not a leaf, or one is in two groups.

    Example:
        >>> import tapegrad
        >>> class Halve(tapegrad.optim.Optimizer):
        ...     def __init__(self, params):
        ...         super().__init__(params, {"factor": 0.5})
        ...
        ...     @tapegrad.no_grad()
        ...     def step(self, closure=None):
        ...         for group in self.param_groups:
        ...             for p in group["params"]:
        ...                 p.mul_(group["factor"])
        >>> p = tapegrad.tensor([4.0], requires_grad=True)
        >>> Halve([p]).step()
        >>> p
        tensor([2.], requires_grad=True)
    """

    # Whether compiled functions may have steps of it, as all that changes is known to them.
    _replayable = False

    # For those that wrap another optimiser and do not call __init__.
    _in_step = False
    _watched = False  # whether somebody has the state
    _scheduled = False  # whether a schedule watches it, and `step` as it found that
    _own_step: Any = None

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, "
                "but got " + typename(params)
            )
        self.defaults = defaults
        self._set_up()
        self._state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[Group] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _with_hooks(cls.__dict__["step"])  # type: ignore[method-assign]

    def _set_up(self) -> None:
        """What is not saved with an optimiser."""
        self._in_step = False
        self._watched = False
        self._opt_called = False
        self._scheduled = False
        self._own_step = None
        self._optimizer_step_pre_hooks: Hooks = OrderedDict()
        self._optimizer_step_post_hooks: Hooks = OrderedDict()
        self._optimizer_state_dict_pre_hooks: Hooks = OrderedDict()
        self._optimizer_state_dict_post_hooks: Hooks = OrderedDict()
        self._optimizer_load_state_dict_pre_hooks: Hooks = OrderedDict()
        self._optimizer_load_state_dict_post_hooks: Hooks = OrderedDict()

    # ------------------------------------------------------------------ hooks

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step.

        It may return a pair of other arguments, of which the first is the optimiser.
        """
        return _register(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return _register(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer)`` before :meth:`state_dict` makes one.

        With `prepend`, before the hooks that are there already.
        """
        return _register(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)``, which may return another one, at the end."""
        return _register(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)``, which may return another one, before loading.

        The hook gets a shallow copy, which it may change.
        """
        return _register(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer)`` after a state has been loaded."""
        return _register(self._optimizer_load_state_dict_post_hooks, hook, prepend)

    # ------------------------------------------------------------------ state

    @property
    def state(self) -> defaultdict[Any, dict[str, Any]]:
        """What is remembered about each parameter, such as momentum.

        Who has it may change it, and sees it change: from then on each step reads and writes all
        of it, which takes some microseconds more for each parameter.
        """
        self._flush()
        self._watched = True
        return self._state

    @state.setter
    def state(self, value: Any) -> None:
        self._flush(forget=True)
        self._watched = True
        self._state = value

    def _flush(self, forget: bool = False) -> None:
        """Brings the state up to date, where an optimiser keeps some of it elsewhere."""

    def state_dict(self) -> dict[str, Any]:
        """The state and the options as a dict, with parameters replaced by numbers.

        Returns:
            ``{"state": {number: {...}}, "param_groups": [{..., "params": [number, ...]}]}``;
            the tensors are those of the optimiser.

        Example:
            >>> import tapegrad
            >>> opt = tapegrad.optim.SGD([tapegrad.zeros(1, requires_grad=True)], lr=0.5)
            >>> opt.state_dict()["param_groups"][0]["params"]
            [0]
        """
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        numbers: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            packed = {key: value for key, value in group.items() if key != "params"}
            for p in group["params"]:
                numbers.setdefault(id(p), len(numbers))
            packed["params"] = [numbers[id(p)] for p in group["params"]]
            groups.append(packed)
        self._flush()
        state = {
            (numbers[id(key)] if isinstance(key, Tensor) else key): value
            for key, value in self._state.items()
        }
        result = {"state": state, "param_groups": groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            changed = hook(self, result)
            result = result if changed is None else changed
        return result

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state made by :meth:`state_dict`; tensors are copied.

        What is remembered takes the dtype of its parameter, but for counts of steps.

        Raises:
            ValueError: if the numbers of groups or of parameters differ.
        """
        state_dict = dict(state_dict)
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        groups, saved = self.param_groups, deepcopy(state_dict["param_groups"])
        if len(groups) != len(saved):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(a["params"]) != len(b["params"]) for a, b in zip(groups, saved, strict=True)):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of "
                "optimizer's group"
            )
        owners: dict[Any, Tensor] = {}
        for group, packed in zip(groups, saved, strict=True):
            owners.update(zip(packed["params"], group["params"], strict=True))
        state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in owners:
                state[owners[key]] = _copy_for(owners[key], value)
            else:
                state[key] = deepcopy(value)
        for group, packed in zip(groups, saved, strict=True):
            packed["params"] = group["params"]
            if "param_names" in group:
                packed.setdefault("param_names", group["param_names"])
        self.__setstate__({"state": state, "param_groups": saved})
        self._watched = False
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def __getstate__(self) -> dict[str, Any]:
        self._flush()
        return {"defaults": self.defaults, "state": self._state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "_in_step" not in self.__dict__:
            self._set_up()
        for name, value in state.items():
            setattr(self, name, value)
        for group in self.param_groups:  # saved by a version that had fewer options
            for name, value in self.defaults.items():
                group.setdefault(name, value)
        self.defaults.setdefault("differentiable", False)

    # ------------------------------------------------------------------ groups

    def add_param_group(self, param_group: Group) -> None:
        """Add a group of parameters with options of its own.

        Args:
            param_group: a dict with the key "params" and any options.

        Raises:
            TypeError: if it is not a dict, or something in "params" is not a tensor.
            ValueError: if a parameter is not a leaf, or is in another group already.

        Example:
            >>> import tapegrad
            >>> a, b = tapegrad.zeros(1, requires_grad=True), tapegrad.zeros(2, requires_grad=True)
            >>> opt = tapegrad.optim.SGD([a], lr=0.1)
            >>> opt.add_param_group({"params": b, "lr": 0.01})
            >>> [group["lr"] for group in opt.param_groups]
            [0.1, 0.01]
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        group = param_group
        params = group["params"]
        if isinstance(params, Tensor):
            params = [params]
        elif isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the "
                "ordering of tensors in sets will change between runs. Please use a list instead."
            )
        params = list(params)
        names = [p[0] for p in params if isinstance(p, tuple)]
        if names:
            if len(names) != len(params):
                raise ValueError(
                    "all optimizer params should be with/without names. Some param names are "
                    "missing"
                )
            params = [p for _, p in params]
            group["param_names"] = names
        group["params"] = params
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(
                    "optimizer can only optimize Tensors, but one of the params is " + typename(p)
                )
            if not (self.defaults.get("differentiable") or p.is_leaf or p.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
        for name, default in self.defaults.items():
            if default is required and name not in group:
                raise ValueError(
                    "parameter group didn't specify a value of required optimization parameter "
                    + name
                )
            group.setdefault(name, default)
        ids = {id(p) for p in params}
        if len(ids) != len(params):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this "
                "will cause an error; see github.com/pytorch/pytorch/issues/40967 for more "
                "information",
                stacklevel=3,
            )
        named = "param_names" in group
        for other in self.param_groups:
            if named != ("param_names" in other):
                raise ValueError(
                    "all optimizer param groups should be with/without names. cannot add param "
                    f"group {'with' if named else 'without'} names to the optimizer"
                )
        if any(id(p) in ids for other in self.param_groups for p in other["params"]):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of all parameters.

        Args:
            set_to_none: set them to None (the default) rather than to zeros.

        Example:
            >>> import tapegrad
            >>> p = tapegrad.tensor([1.0], requires_grad=True)
            >>> p.sum().backward()
            >>> tapegrad.optim.SGD([p], lr=0.1).zero_grad()
            >>> p.grad is None
            True
        """
        if set_to_none:
            for group in self.param_groups:
                for p in group["params"]:
                    p.grad = None
            return
        for group in self.param_groups:
            for p in group["params"]:
                grad = p.grad
                if grad is not None:
                    if grad.grad_fn is not None:
                        grad.detach_()
                    else:
                        grad.requires_grad_(False)
                    grad.zero_()

    @_with_hooks
    def step(self, closure: Closure | None = None) -> Any:
        """Make one step.

        Args:
            closure: computes the loss and its gradients again; called with recording on.

        Returns:
            The closure's result, or None without one.
        """
        loss = None
        if closure is not None:
            with tapegrad.enable_grad():
                loss = closure()
        for index, group in enumerate(self.param_groups):
            self._update(index, group)
        return loss

    def _update(self, index: int, group: Group) -> None:
        """Changes the parameters of one group; the optimisers define it."""
        raise NotImplementedError

    def __repr__(self) -> str:
        groups = []
        for index, group in enumerate(self.param_groups):
            lines = [f"Parameter Group {index}"]
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
            groups.append("\n".join(lines) + "\n")
        return f"{type(self).__name__} (\n" + "\n".join(groups) + ")"


def check_rate(lr: Any, label: str = "Invalid learning rate:") -> None:
    """ValueError for a learning rate that is negative, or a tensor of several elements."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    check_non_negative((label, lr))


def check_non_negative(*values: tuple[str, Any]) -> None:
    """ValueError for the first of these (label, value) that is not >= 0."""
    for label, value in values:
        if not value >= 0:
            raise ValueError(f"{label} {value}")


def number(value: Any) -> float:
    """A hyperparameter, which may be a tensor of one element, as a float."""
    return value.item() if isinstance(value, Tensor) else value


def _copy_for(param: Tensor, value: Any, key: str = "") -> Any:
    """A copy of a state entry, with floating tensors in the parameter's dtype."""
    if isinstance(value, Tensor):
        copy = value.detach().clone()
        if key != "step" and param.is_floating_point() and copy.dtype != param.dtype:
            copy = copy.to(param.dtype)
        return copy
    if isinstance(value, dict):
        return {k: _copy_for(param, v, k if isinstance(k, str) else "") for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_copy_for(param, v) for v in value)
    return deepcopy(value)


# ------------------------------------------------------------------- for optimisers of programs


def _use_grad_for_differentiable(step: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a method `step`: gradients are recorded if ``defaults["differentiable"]``.

    Example:
        >>> import tapegrad
        >>> from tapegrad.optim.optimizer import Optimizer, _use_grad_for_differentiable
        >>> class Descent(Optimizer):
        ...     @_use_grad_for_differentiable
        ...     def step(self, closure=None):
        ...         for p in self.param_groups[0]["params"]:
        ...             p.sub_(p.grad)
        >>> p = tapegrad.tensor([3.0], requires_grad=True)
        >>> (p * p / 2).sum().backward()
        >>> Descent([p], {}).step(); p
        tensor([0.], requires_grad=True)
    """

    @functools.wraps(step)
    def wrapped(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        with tapegrad.set_grad_enabled(bool(self.defaults.get("differentiable"))):
            return step(self, *args, **kwargs)

    return wrapped


def _get_value(x: Any) -> Any:
    """The number of a tensor of one element; a number itself."""
    return x.item() if isinstance(x, Tensor) else x


def _default_to_fused_or_foreach(
    params: Any, differentiable: bool, use_fused: bool = False
) -> tuple[bool, bool]:
    """Whether a step should take another way, fused or over lists: on the CPU it should not."""
    return False, False
