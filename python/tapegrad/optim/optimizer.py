"""The base class of all optimisers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from operator import is_
from typing import Any

import tapegrad

from .._C import Tensor
from ..utils._names import typename

__all__ = ["Optimizer"]

Group = dict[str, Any]
Closure = Callable[[], Any]


class _Required:
    def __repr__(self) -> str:
        return "<required parameter>"


required: Any = _Required()


class Buffers:
    """The lists that one step of one parameter group hands to the core.

    They are kept from step to step, as long as the group's parameters are the same and all of them
    have gradients. `steps` counts the steps of each parameter; it is written back to the state of
    the optimiser when somebody looks at that.
    """

    __slots__ = ("lists", "params", "steps")

    def __init__(self, params: list[Tensor], steps: list[float], lists: tuple[Any, ...]) -> None:
        self.params = params
        self.steps = steps
        self.lists = lists


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

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, "
                "but got " + typename(params)
            )
        self.defaults = defaults
        self._state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        self._buffers: dict[int, Buffers] = {}
        self._step_count = 0
        self.param_groups: list[Group] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    # ------------------------------------------------------------------ state

    @property
    def state(self) -> defaultdict[Any, dict[str, Any]]:
        """What is remembered about each parameter, such as momentum."""
        if self._buffers:
            self._write_back()
        return self._state

    @state.setter
    def state(self, value: Any) -> None:
        self._buffers.clear()
        self._state = value

    def _write_back(self, index: int | None = None) -> None:
        """Puts counts of steps into the state and forgets the lists made from it.

        With an index only those of that group.
        """
        for key in list(self._buffers) if index is None else [index]:
            buffers = self._buffers.pop(key, None)
            if buffers is not None and buffers.steps:
                for param, count in zip(buffers.params, buffers.steps, strict=True):
                    self._state[param]["step"] = tapegrad.tensor(count)

    def _gather(
        self, index: int, group: Group, make: Callable[[Group, list[Tensor]], Buffers]
    ) -> tuple[Buffers, list[Tensor]]:
        """The lists of a group's parameters that have gradients, and these gradients."""
        params = group["params"]
        grads = [grad for p in params if (grad := p.grad) is not None]
        buffers = self._buffers.get(index)
        if buffers is not None:
            if len(grads) == len(params) == len(buffers.params) and all(
                map(is_, params, buffers.params)
            ):
                return buffers, grads
            self._write_back(index)
        if len(grads) == len(params):
            active = list(params)
        else:
            active = [p for p in params if p.grad is not None]
        buffers = self._buffers[index] = make(group, active)
        return buffers, grads

    def _steps(self, params: list[Tensor]) -> list[float]:
        """How many steps each parameter has made."""
        return [float(self._state[p].get("step", 0)) for p in params]

    def _state_tensors(self, params: list[Tensor], name: str) -> list[Tensor]:
        """One tensor of the state for each parameter; zeros where there is none yet."""
        tensors = []
        for p in params:
            state = self._state[p]
            tensor = state.get(name)
            if tensor is None:
                tensor = state[name] = tapegrad.zeros_like(p.detach())
            tensors.append(tensor)
        return tensors

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
        numbers: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            packed = {key: value for key, value in group.items() if key != "params"}
            for p in group["params"]:
                numbers.setdefault(id(p), len(numbers))
            packed["params"] = [numbers[id(p)] for p in group["params"]]
            groups.append(packed)
        state = {
            (numbers[id(key)] if isinstance(key, Tensor) else key): value
            for key, value in self.state.items()
        }
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state made by :meth:`state_dict`; tensors are copied.

        Raises:
            ValueError: if the numbers of groups or of parameters differ.
        """
        groups, saved = self.param_groups, state_dict["param_groups"]
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
            params, names = group["params"], group.get("param_names")
            group.clear()
            group.update({k: deepcopy(v) for k, v in packed.items() if k != "params"})
            group["params"] = params
            if names is not None:
                group["param_names"] = names
        self.state = state

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._buffers = {}
        self._step_count = 0
        self.__dict__.update({k: v for k, v in state.items() if k != "state"})
        self._state = state["state"]

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
        group = dict(param_group)
        params = group["params"]
        if isinstance(params, Tensor):
            params = [params]
        elif isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the "
                "ordering of tensors in sets will change between runs. Please use a list instead."
            )
        params = list(params)
        if params and all(isinstance(p, tuple) for p in params):
            group["param_names"] = [name for name, _ in params]
            params = [p for _, p in params]
        elif any(isinstance(p, tuple) for p in params):
            raise ValueError(
                "all optimizer params should be with/without names. Some param names are missing"
            )
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(
                    "optimizer can only optimize Tensors, but one of the params is " + typename(p)
                )
            if not (p.is_leaf or p.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
        for name, default in self.defaults.items():
            if default is required and name not in group:
                raise ValueError(
                    "parameter group didn't specify a value of required optimization parameter "
                    + name
                )
            group.setdefault(name, default)
        ids = [id(p) for p in params]
        if len(set(ids)) != len(ids):
            raise ValueError("some parameters appear more than once in a parameter group")
        if self.param_groups and ("param_names" in group) != (
            "param_names" in self.param_groups[0]
        ):
            current = "with names" if "param_names" in group else "without names"
            raise ValueError(
                "all optimizer param groups should be with/without names. "
                f"cannot add param group {current} to the optimizer"
            )
        if any(id(p) in ids for other in self.param_groups for p in other["params"]):
            raise ValueError("some parameters appear in more than one parameter group")
        group["params"] = params
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
                if p.grad is not None:
                    p.grad = p.grad.detach().zero_()

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
        self._step_count += 1
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


def check_options(differentiable: bool, foreach: bool | None, fused: bool | None) -> None:
    """The options of torch which choose an implementation: there is only one here."""
    if differentiable:
        raise NotImplementedError(
            "differentiable optimizer steps are not supported: write the step with tensor "
            "operations and call the model through tapegrad.nn.utils.functional_call"
        )
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def check_non_negative(**values: tuple[str, float]) -> None:
    """ValueError for the first value which is not >= 0; the values are (label, value)."""
    for label, value in values.values():
        if not value >= 0:
            raise ValueError(f"Invalid {label}: {value}")


Params = Iterable[Any]
