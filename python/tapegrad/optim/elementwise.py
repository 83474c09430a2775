"""What the optimisers share that treat each element of a parameter by itself."""

from __future__ import annotations

import struct
from operator import is_
from typing import Any

import tapegrad

from .. import _C
from .._C import Tensor
from .optimizer import Group, Optimizer

__all__ = [
    "Counters",
    "ElementwiseOptimizer",
    "Formula",
    "check_betas",
    "check_fused",
    "common",
    "mean_of",
    "mean_square",
    "rounded",
]

Counters = tuple[float, ...]
Formula = tuple[Tensor, tuple[Tensor, ...]]

_FLOAT = struct.Struct("f")
_PLAIN = frozenset({float, int, type(None)})


class _Cohort:
    """Parameters of one group that have made the same steps, with what is remembered of them.

    `rows` are their places among the group's parameters with gradients, or None if they are all
    of these; `states` has the first state of each parameter, then the second of each, and so on.
    """

    __slots__ = ("counters", "params", "rows", "states")

    def __init__(
        self,
        params: list[Tensor],
        rows: list[int] | None,
        counters: Counters,
        states: list[Tensor],
    ) -> None:
        self.params = params
        self.rows = rows
        self.counters = counters
        self.states = states


class _Plan:
    """The cohorts of one group, kept from step to step as long as the same parameters take part.

    Those for `once` are not: of parameters that are there twice, or where the state may change.
    """

    __slots__ = ("active", "cohorts", "once", "rule")

    def __init__(self, rule: str, active: list[Tensor], cohorts: list[_Cohort], once: bool) -> None:
        self.rule = rule
        self.active = active
        self.cohorts = cohorts
        self.once = once


class ElementwiseOptimizer(Optimizer):
    """Steps in one pass over memory, by a rule of the core (csrc/kernels/optim.cpp).

    A subclass says which rule, and what its coefficients are; `_formula` writes the same rule with
    tensor operations, for steps that are differentiated.
    """

    _counters: tuple[str, ...] = ("step",)  # numbers that the state has of each parameter
    _replayable = True
    _on_devices = "params and state_steps"

    def _rule(self, options: Group) -> tuple[str, tuple[str, ...]]:
        """The rule's name in the core, and the names of its states."""
        raise NotImplementedError

    def _advance(self, options: Group, counters: Counters) -> tuple[Counters, tuple[Any, ...]]:
        """The counters after one more step, and the coefficients in that step.

        First come the three that all rules have (see `common`), then the rule's own.
        """
        raise NotImplementedError

    def _formula(self, p: Tensor, g: Tensor, states: list[Tensor], *coefficients: Any) -> Formula:
        """The parameter and its states after the step, from the rule's own coefficients."""
        raise NotImplementedError

    # ------------------------------------------------------------------ state

    def _start(self, options: Group) -> Counters:
        """The counters of a parameter that has made no step."""
        return (0.0,)

    def _fresh(self, options: Group, p: Tensor, name: str) -> Tensor:
        """A state of a parameter that has made no step."""
        return tapegrad.zeros_like(p.detach())

    def _read(self, options: Group, p: Tensor) -> Counters:
        state = self._state.get(p) or {}
        starts = zip(self._counters, self._start(options), strict=True)
        return tuple([float(state.get(name, start)) for name, start in starts])

    def _write(self, p: Tensor, counters: Counters) -> None:
        state = self._state[p]
        for name, value in zip(self._counters, counters, strict=True):
            tensor = state.get(name)
            if isinstance(tensor, Tensor):
                tensor.detach().fill_(value)
            else:
                state[name] = tapegrad.tensor(value)

    def _states_of(
        self, options: Group, params: list[Tensor], names: tuple[str, ...]
    ) -> list[Tensor]:
        """The first state of each parameter, then the second, and so on."""
        if not self._counters and not names:
            return []
        columns: list[list[Tensor]] = [[] for _ in names]
        for p in params:
            state = self._state[p]
            for name, start in zip(self._counters, self._start(options), strict=True):
                if name not in state:
                    state[name] = tapegrad.tensor(start)
            for name, column in zip(names, columns, strict=True):
                tensor = state.get(name)
                if tensor is None:
                    tensor = state[name] = self._fresh(options, p, name)
                column.append(tensor)
        return [tensor for column in columns for tensor in column]

    def _set_up(self) -> None:
        super()._set_up()
        self._plans: dict[int, _Plan] = {}

    def _flush(self, forget: bool = False) -> None:
        if forget:
            self._plans.clear()
        for index in list(self._plans):
            self._flush_plan(index)

    def _flush_plan(self, index: int) -> None:
        plan = self._plans.pop(index, None)
        if plan is not None:
            self._write_counters(plan)

    def _write_counters(self, plan: _Plan) -> None:
        for cohort in plan.cohorts:
            for p in cohort.params:
                self._write(p, cohort.counters)

    # ------------------------------------------------------------------ steps

    def _update(self, index: int, group: Group) -> None:
        params = group["params"]
        grads = [grad for p in params if (grad := p.grad) is not None]
        if len(grads) != len(params):
            params = [p for p in params if p.grad is not None]
        options = group
        if type(group["lr"]) not in _PLAIN or type(group.get("weight_decay")) not in _PLAIN:
            options = _C._run_unrecorded(self._options, group)
        rule, names = self._rule(options)
        plan = self._plans.get(index)
        if (
            plan is None
            or plan.rule != rule
            or options["differentiable"]
            or len(plan.active) != len(params)
            or not all(map(is_, params, plan.active))
        ):
            _C._run_unrecorded(self._flush_plan, index)
            if options.get("capturable"):
                raise AssertionError(
                    f"If capturable=True, {self._on_devices} must be on supported devices: "
                    "['cuda', 'xpu', 'hpu', 'privateuseone', 'xla']."
                )
            if options["differentiable"]:
                for p in params:
                    self._step_recorded(options, p, names)
                return
            plan = _C._run_unrecorded(self._make_plan, options, rule, names, params)
            if not plan.once:
                self._plans[index] = plan
        recording = _C._is_recording()
        if recording:
            self._watch(group, plan)
        for cohort in plan.cohorts:
            rows = cohort.rows
            counters, coefficients = self._advance(options, cohort.counters)
            _C._optim_step(
                rule,
                cohort.params,
                grads if rows is None else [grads[row] for row in rows],
                cohort.states,
                self._replayed(group, cohort, len(coefficients)) if recording else coefficients,
            )
            if not recording:
                cohort.counters = counters
        if plan.once:
            self._write_counters(plan)

    def _watch(self, group: Group, plan: _Plan) -> None:
        """Says what a replayed step takes for granted; its coefficients are computed each time."""
        if plan.once:
            _C._refuse_replay(
                "an optimizer whose state somebody holds, or that has a parameter twice"
            )
        _C._watch_dict(group, "lr", "weight_decay", "betas", "eps", "momentum_decay", "initial_lr")
        for watched in (
            self.__dict__,
            self._plans,
            self._optimizer_step_pre_hooks,
            self._optimizer_step_post_hooks,
        ):
            _C._watch_dict(watched)

    def _replayed(self, group: Group, cohort: _Cohort, count: int) -> Tensor:
        """The coefficients as a tensor that each replay fills anew."""

        def advance() -> tuple[tuple[Any, ...], bool]:
            plain = type(group["lr"]) in _PLAIN and type(group.get("weight_decay")) in _PLAIN
            options = group if plain else self._options(group)
            counters, coefficients = self._advance(options, cohort.counters)
            steady = plain and counters == cohort.counters
            cohort.counters = counters
            return coefficients, steady

        return _C._replayed_numbers(advance, group, count)

    def _options(self, group: Group) -> Group:
        """The group's options, with numbers in the place of tensors where nothing is recorded."""
        convert = Tensor.squeeze if group["differentiable"] else Tensor.item
        return {
            name: convert(value) if isinstance(value, Tensor) else value
            for name, value in group.items()
        }

    def _make_plan(
        self, options: Group, rule: str, names: tuple[str, ...], params: list[Tensor]
    ) -> _Plan:
        turns: dict[int, int] = {}
        rows_of: dict[tuple[int, Counters], list[int]] = {}
        for row, p in enumerate(params):
            # A parameter that is there twice makes two steps, one after the other.
            turn = turns[id(p)] = turns.get(id(p), -1) + 1
            counters = self._read(options, p)
            for _ in range(turn):
                counters = self._advance(options, counters)[0]
            rows_of.setdefault((turn, counters), []).append(row)
        cohorts = []
        for (_, counters), rows in sorted(rows_of.items()):
            members = [params[row] for row in rows]
            states = self._states_of(options, members, names)
            whole = len(rows) == len(params)
            cohorts.append(_Cohort(members, None if whole else rows, counters, states))
        once = self._watched or len(turns) != len(params)
        return _Plan(rule, list(params), cohorts, once)

    def _step_recorded(self, options: Group, p: Tensor, names: tuple[str, ...]) -> None:
        with tapegrad.enable_grad():
            counters = self._read(options, p)
            states = self._states_of(options, [p], names)
            counters, (maximize, decay, keep, *rest) = self._advance(options, counters)
            g, before = p.grad, p.clone()
            assert g is not None
            if maximize:
                g = -g
            if isinstance(decay, Tensor) or decay != 0:
                g = g + before * decay
            if isinstance(keep, Tensor) or keep != 1:
                before = before * keep
            after, states_after = self._formula(before, g, states, *rest)
            p.copy_(after)
            self._write(p, counters)
            if names:
                self._state[p].update(zip(names, states_after, strict=True))


def common(options: Group) -> tuple[bool, Any, Any]:
    """Whether to go up, what of the parameter is added to the gradient, and what is kept of it."""
    decay = options["weight_decay"]
    if decay and options.get("decoupled_weight_decay"):
        return options["maximize"], 0.0, 1 - options["lr"] * decay
    return options["maximize"], decay, 1.0


def check_betas(betas: Any) -> None:
    """ValueError for one that is not in [0, 1)."""
    for place, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {place}: {beta}")


def check_fused(fused: bool | None, foreach: bool | None, differentiable: bool) -> None:
    """RuntimeError for options that choose several implementations at once."""
    if fused:
        if differentiable:
            raise RuntimeError("`fused` does not support `differentiable`")
        if foreach:
            raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def rounded(value: float) -> float:
    """A counter as its tensor keeps it, so that training goes on from a saved state alike."""
    if tapegrad.get_default_dtype() == tapegrad.float64:
        return value
    return _FLOAT.unpack(_FLOAT.pack(value))[0]


def mean_of(mean: Tensor, g: Tensor, beta: Any) -> Tensor:
    """A moving average of gradients after one more of them."""
    return mean + (g - mean) * (1 - beta)


def mean_square(square: Tensor, g: Tensor, beta: Any) -> Tensor:
    """A moving average of squared gradients after one more of them."""
    return square * beta + g * g * (1 - beta)
