"""Modules that find out the sizes of their parameters in the first call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import tapegrad

from ...utils.hooks import RemovableHandle
from ..parameter import is_lazy
from .module import Module

__all__ = ["LazyModuleMixin"]

if TYPE_CHECKING:
    _Base = Module
else:
    _Base = object


class LazyModuleMixin(_Base):
    """Makes a module lazy; it stands before the module's class among the bases.

    A subclass sets parameters that are :class:`~tapegrad.nn.UninitializedParameter`, and defines
    ``initialize_parameters``, which is called with the arguments of the first call and materializes
    them. Afterwards the module is of the class ``cls_to_become``, where that is not None. Loading
    a state dict gives the parameters their shapes, too.

    Example:
        >>> import tapegrad
        >>> from tapegrad import nn
        >>> class LazyScale(nn.modules.lazy.LazyModuleMixin, nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.scale = nn.UninitializedParameter()
        ...
        ...     def initialize_parameters(self, input):
        ...         self.scale.materialize(input.shape[-1:])
        ...         nn.init.ones_(self.scale)
        ...
        ...     def forward(self, input):
        ...         return input * self.scale
        >>> LazyScale()(tapegrad.ones(2))
        tensor([1., 1.], grad_fn=<MulBackward0>)
    """

    cls_to_become: type[Module] | None = None
    _load_hook: RemovableHandle
    _initialize_hook: RemovableHandle

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._load_hook = self._register_load_state_dict_pre_hook(self._lazy_load_hook)
        self._initialize_hook = self.register_forward_pre_hook(
            self._infer_parameters, with_kwargs=True
        )

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Materialize the parameters for these arguments of ``forward``; subclasses define it."""
        raise NotImplementedError(
            f"initialize_parameters is not implemented for {type(self).__name__}"
        )

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer of the module itself has no shape yet."""
        return any(is_lazy(x) for x in (*self._parameters.values(), *self._buffers.values()))

    def _lazy_load_hook(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Gives what has no shape the one that it has in the state dict."""
        for name, tensor in (*self._parameters.items(), *self._buffers.items()):
            value = state_dict.get(prefix + name)
            if is_lazy(tensor) and value is not None and not is_lazy(value):
                with tapegrad.no_grad():
                    tensor.materialize(value.shape)  # type: ignore[union-attr]

    def _infer_parameters(
        self, module: LazyModuleMixin, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        module.initialize_parameters(*args, **kwargs)
        if module.has_uninitialized_params():
            raise RuntimeError(f"module {self._get_name()} has not been fully initialized")
        module._initialize_hook.remove()
        module._load_hook.remove()
        del module._initialize_hook, module._load_hook
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become  # type: ignore[assignment]

    def _replicate_for_data_parallel(self) -> NoReturn:
        raise RuntimeError(
            "Modules with uninitialized parameters can't be used with `DataParallel`. Run a dummy "
            "forward pass to correctly initialize the modules"
        )
