"""`GradScaler`: losses are multiplied, so that gradients of float16 do not vanish."""

from __future__ import annotations

import warnings
from typing import Any

from .. import _C
from .._C import Tensor

__all__ = ["GradScaler"]

_READY, _UNSCALED, _STEPPED = range(3)


class GradScaler:
    """Multiply the loss by a factor, and divide the gradients by it before the optimiser's step.

    A step whose gradients are infinite or NaN is left out, and the factor becomes smaller; after
    many good steps it becomes larger.

    Args:
        device: ``"cpu"``. For others it is disabled, with a warning. Default: ``"cuda"``.
        init_scale: the factor at the beginning. Default: 65536.
        growth_factor: what the factor is multiplied with after `growth_interval` good steps.
            Default: 2.
        backoff_factor: what the factor is multiplied with after a bad step. Default: 0.5.
        growth_interval: how many good steps. Default: 2000.
        enabled: False makes `scale` and `unscale_` do nothing. Default: True.

    Example:
        >>> import tapegrad
        >>> w = tapegrad.ones(1, requires_grad=True)
        >>> optimizer = tapegrad.optim.SGD([w], lr=0.5)
        >>> scaler = tapegrad.amp.GradScaler("cpu", init_scale=1024.0)
        >>> scaler.scale(w.sum()).backward()
        >>> w.grad
        tensor([1024.])
        >>> scaler.step(optimizer)
        >>> scaler.update()
        >>> w
        tensor([0.5000], requires_grad=True)
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        self._device = device
        self._enabled = enabled and device == "cpu"
        if enabled and not self._enabled:
            warnings.warn(
                f"tapegrad.{device}.amp.GradScaler is enabled, but {device.upper()} is not "
                "available.  Disabling.",
                stacklevel=2,
            )
        if self._enabled:
            if growth_factor <= 1.0:
                raise AssertionError("The growth factor must be > 1.0.")
            if backoff_factor >= 1.0:
                raise AssertionError("The backoff factor must be < 1.0.")
        self._scale = float(init_scale)
        self._growth_factor = growth_factor
        self._backoff_factor = backoff_factor
        self._growth_interval = growth_interval
        self._growth_tracker = 0
        # For each optimiser since the last update: how far it is, and whether gradients were bad.
        self._stages: dict[int, tuple[int, bool]] = {}

    def scale(self, outputs: Any) -> Any:
        """Multiply a tensor, or the tensors of a list or tuple, by the factor."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * self._scale
        if isinstance(outputs, list | tuple):
            return type(outputs)(self.scale(item) for item in outputs)
        raise ValueError("outputs must be a Tensor or an iterable of Tensors")

    def unscale_(self, optimizer: Any) -> None:
        """Divide the gradients of an optimiser by the factor, as for clipping; once per step.

        Raises:
            RuntimeError: if it was called already since the last `update`, or after `step`.
        """
        if not self._enabled:
            return
        stage, _ = self._stages.get(id(optimizer), (_READY, False))
        if stage == _UNSCALED:
            raise RuntimeError(
                "unscale_() has already been called on this optimizer since the last update()."
            )
        if stage == _STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        bad, factor = False, 1.0 / self._scale
        with _C._NoGrad():
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    grad = parameter.grad
                    if grad is not None:
                        bad = bad or not bool(grad.isfinite().all())
                        grad.mul_(factor)
        self._stages[id(optimizer)] = (_UNSCALED, bad)

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """The optimiser's step with unscaled gradients, unless they are infinite or NaN.

        Returns:
            What the step gives, or None if it was left out.

        Raises:
            RuntimeError: if it was called already since the last `update`, or with a closure.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        if self._stages.get(id(optimizer), (_READY, False))[0] == _STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        if id(optimizer) not in self._stages:
            self.unscale_(optimizer)
        bad = self._stages[id(optimizer)][1]
        self._stages[id(optimizer)] = (_STEPPED, bad)
        return None if bad else optimizer.step(*args, **kwargs)

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Choose the factor of the next step.

        Args:
            new_scale: the factor. Default: None, by what the gradients were like.

        Raises:
            RuntimeError: if there was no step.
        """
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not self._stages:
            raise RuntimeError("No inf checks were recorded prior to update.")
        elif any(bad for _, bad in self._stages.values()):
            self._scale *= self._backoff_factor
            self._growth_tracker = 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self._growth_interval:
                self._scale *= self._growth_factor
                self._growth_tracker = 0
        self._stages.clear()

    def get_scale(self) -> float:
        """The factor; 1 where the scaler is disabled."""
        return self._scale if self._enabled else 1.0

    def get_growth_factor(self) -> float:
        """What the factor is multiplied with when it grows."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Set what the factor is multiplied with when it grows."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """What the factor is multiplied with after a bad step."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Set what the factor is multiplied with after a bad step."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """How many good steps there are before the factor grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Set how many good steps there are before the factor grows."""
        self._growth_interval = new_interval

    def is_enabled(self) -> bool:
        """Whether gradients are scaled."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """The factor and its settings, for `load_state_dict`; empty where disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave.

        Raises:
            RuntimeError: if it is empty, as that of a disabled scaler is.
        """
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled "
                "instance of GradScaler."
            )
        self._scale = state_dict["scale"]
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._growth_tracker = state_dict["_growth_tracker"]
