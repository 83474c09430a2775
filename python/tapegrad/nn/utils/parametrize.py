"""Parameters that are computed from others, such as a weight from its direction and length."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any, TypeVar

import tapegrad

from ..._C import Tensor
from ..module import Module
from ..modules.container import ModuleDict, ModuleList
from ..parameter import Parameter

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]

M = TypeVar("M", bound=Module)

_cache: dict[tuple[int, str], Any] = {}
_cache_depth = 0


@contextlib.contextmanager
def cached() -> Iterator[None]:
    """Compute each parametrised tensor once within the block.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn.utils import parametrize
        >>> layer = tapegrad.nn.utils.parametrizations.weight_norm(tapegrad.nn.Linear(2, 2))
        >>> with parametrize.cached():
        ...     layer.weight is layer.weight
        True
    """
    global _cache_depth
    _cache_depth += 1
    try:
        yield
    finally:
        _cache_depth -= 1
        if not _cache_depth:
            _cache.clear()


def _register(module: Module, name: str, tensor: Any) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


def _take_over(tensor: Tensor, value: Tensor) -> None:
    """Gives a tensor the values and the shape of another; it stays the same object."""
    tensor.data = value.detach()


def _check(condition: bool, what: str, names: tuple[str, str], values: tuple[Any, Any]) -> None:
    if not condition:
        first, second = (f"{n}: {v}" for n, v in zip(names, values, strict=True))
        raise ValueError(f"{what}\n{first}\n{second}")


def _is_sequence_of_tensors(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, Tensor)


class ParametrizationList(ModuleList):
    """The parametrisations of one tensor, and what it is computed from.

    That is ``original``, or ``original0``, ``original1`` ... where the first parametrisation takes
    several tensors.

    Args:
        modules: the parametrisations, in the order in which they are applied.
        original: the tensor as it was.
        unsafe: let the dtype and shape change. Default: False.

    Raises:
        ValueError: if there is none, or one gives something that does not fit.
    """

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if len(modules) == 0:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype
        new: Any = original
        with tapegrad.no_grad():
            for module in reversed(self):
                if hasattr(module, "right_inverse"):
                    with contextlib.suppress(NotImplementedError):
                        new = module.right_inverse(new)
        self.is_tensor = isinstance(new, Tensor)
        if not self.is_tensor and not _is_sequence_of_tensors(new):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(new).__name__}"
            )
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            _check(
                original.dtype == new.dtype,
                "When `right_inverse` outputs one tensor, it may not change the dtype.",
                ("original.dtype", "right_inverse(original).dtype"),
                (original.dtype, new.dtype),
            )
            _take_over(original, new)
            _register(self, "original", original)
        else:
            for place, value in enumerate(new):
                if not isinstance(value, Tensor):
                    raise ValueError(
                        "'right_inverse' must return a Tensor or a Sequence of tensors (list, "
                        f"tuple...). Got element {place} of the sequence with type "
                        f"{type(value).__name__}."
                    )
                if isinstance(original, Parameter):
                    value = Parameter(value, original.requires_grad)
                value.requires_grad_(original.requires_grad)
                _register(self, f"original{place}", value)
        if not self.unsafe:
            made = self()
            if not isinstance(made, Tensor):
                raise ValueError(
                    f"A parametrization must return a tensor. Got {type(made).__name__}."
                )
            for name, before, after in (
                ("dtype", dtype, made.dtype),
                ("shape", shape, made.shape),
            ):
                _check(
                    before == after,
                    f"Registering a parametrization may not change the {name} of the tensor, "
                    "unless `unsafe` flag is enabled.",
                    (f"unparametrized {name}", f"parametrized {name}"),
                    (before, after),
                )

    def _originals(self) -> list[Any]:
        if self.is_tensor:
            return [self.original]
        return [getattr(self, f"original{place}") for place in range(self.ntensors)]

    def right_inverse(self, value: Any) -> None:
        """Make the originals such that the tensor has this value, or one as near as can be.

        Raises:
            RuntimeError: if a parametrisation has no ``right_inverse``.
            ValueError: if what one gives does not fit.
        """
        with tapegrad.no_grad():
            for module in reversed(self):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"parametrization {type(module).__name__} does not implement right_inverse."
                    )
                value = module.right_inverse(value)
        if self.is_tensor:
            if not isinstance(value, Tensor):
                raise ValueError(
                    f"`right_inverse` should return a tensor. Got {type(value).__name__}"
                )
            if value.dtype != self.original.dtype:
                raise ValueError(
                    f"The tensor returned by `right_inverse` has dtype {value.dtype} while "
                    f"`original` has dtype {self.original.dtype}"
                )
            _take_over(self.original, value)
            return
        if not _is_sequence_of_tensors(value):
            raise ValueError(
                f"'right_inverse' must return a sequence of tensors. Got {type(value).__name__}."
            )
        if len(value) != self.ntensors:
            raise ValueError(
                f"'right_inverse' must return a sequence of tensors of length {self.ntensors}. "
                f"Got a sequence of length {len(value)}."
            )
        originals = self._originals()
        for place, (original, tensor) in enumerate(zip(originals, value, strict=True)):
            if not isinstance(tensor, Tensor):
                raise ValueError(
                    "'right_inverse' must return a sequence of tensors. "
                    f"Got element {place} of type {type(tensor).__name__}."
                )
            if tensor.dtype != original.dtype:
                raise ValueError(
                    f"Tensor {place} returned by `right_inverse` has dtype {tensor.dtype} while "
                    f"`original{place}` has dtype {original.dtype}"
                )
        for original, tensor in zip(originals, value, strict=True):
            _take_over(original, tensor)

    def forward(self) -> Any:
        """The tensor."""
        first, *rest = self
        x = first(*self._originals())
        for module in rest:
            x = module(x)
        return x


def _refuse_pickling(self: Any) -> Any:
    raise RuntimeError(
        "Serialization of parametrized modules is only supported through state_dict(). See:\n"
        "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
        "#saving-loading-a-general-checkpoint-for-inference-and-or-resuming-training"
    )


def _deepcopy(self: Any, memo: dict[int, Any]) -> Any:
    if id(self) in memo:
        return memo[id(self)]
    copy = memo[id(self)] = self.__new__(type(self))
    copy.__dict__.update(deepcopy(self.__dict__, memo))
    return copy


def _parametrized_property(name: str) -> property:
    def get(self: Any) -> Any:
        parametrization = self.parametrizations[name]
        if not _cache_depth:
            return parametrization()
        key = (id(self), name)
        if key not in _cache:
            _cache[key] = parametrization()
        return _cache[key]

    def set(self: Any, value: Any) -> None:
        self.parametrizations[name].right_inverse(value)

    return property(get, set)


def _check_addition(module: Module, name: str, parametrization: Module) -> None:
    """ValueError if one more parametrisation of a tensor does not fit."""
    before = getattr(module, name)
    after = parametrization(before)
    if not isinstance(after, Tensor):
        raise ValueError(f"A parametrization must return a tensor. Got {type(after).__name__}.")
    whole = f"module.{name}"
    for kind in ("dtype", "shape"):
        _check(
            getattr(after, kind) == getattr(before, kind),
            f"Registering a parametrization may not change the {kind} of the tensor, unless the "
            "`unsafe` flag is enabled.",
            (f"{whole}.{kind}", f"parametrization({whole}).{kind}"),
            (getattr(before, kind), getattr(after, kind)),
        )
    if not hasattr(parametrization, "right_inverse"):
        return
    try:
        inverse = parametrization.right_inverse(after)
    except NotImplementedError:
        return
    if not isinstance(inverse, Tensor):
        raise ValueError(
            f"parametrization.right_inverse must return a tensor. Got: {type(inverse).__name__}"
        )
    for kind in ("dtype", "shape"):
        _check(
            getattr(inverse, kind) == getattr(before, kind),
            f"The tensor returned by parametrization.right_inverse must have the same {kind} as "
            f"{whole}, unless the `unsafe` flag is enabled.",
            (f"{whole}.{kind}", f"returned {kind}"),
            (getattr(before, kind), getattr(inverse, kind)),
        )


def register_parametrization(
    module: M, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> M:
    """Compute a parameter or buffer of a module by another module, from then on.

    What is computed from is at ``module.parametrizations[tensor_name].original``, and is what an
    optimiser changes. Several parametrisations of a tensor are applied one after the other.
    Assigning to the tensor calls their ``right_inverse``.

    Args:
        module: the module.
        tensor_name: the name of the parameter or buffer.
        parametrization: a module whose ``forward`` makes the tensor from the original. Its method
            ``right_inverse``, if it has one, makes an original from the tensor; that may be
            several tensors, which `forward` takes.
        unsafe: let the dtype and shape of the tensor change. Default: False.

    Returns:
        The module.

    Raises:
        ValueError: if there is no such tensor, or the parametrisation does not fit.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn.utils import parametrize
        >>> class Positive(tapegrad.nn.Module):
        ...     def forward(self, x):
        ...         return x.exp()
        ...
        ...     def right_inverse(self, y):
        ...         return y.log()
        >>> layer = tapegrad.nn.Linear(1, 1, bias=False)
        >>> layer.weight.data.fill_(1.0)
        tensor([[1.]])
        >>> parametrize.register_parametrization(layer, "weight", Positive()).weight
        tensor([[1.]], grad_fn=<ExpBackward0>)
        >>> layer.parametrizations.weight.original
        Parameter containing:
        tensor([[0.]], requires_grad=True)
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            _check_addition(module, tensor_name, parametrization)
        parametrizations: Any = module.parametrizations[tensor_name]
        parametrizations.append(parametrization)
        parametrizations.unsafe |= unsafe
        return module
    if tensor_name not in module._buffers and tensor_name not in module._parameters:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element "
            f"with name '{tensor_name}'"
        )
    parametrizations = ParametrizationList(
        [parametrization], getattr(module, tensor_name), unsafe=unsafe
    )
    delattr(module, tensor_name)
    if not is_parametrized(module):
        cls = type(module)
        members: dict[str, Any] = {"__getstate__": _refuse_pickling}
        if not hasattr(cls, "__deepcopy__"):
            members["__deepcopy__"] = _deepcopy
        module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), members)
        module.parametrizations = ModuleDict()
    setattr(type(module), tensor_name, _parametrized_property(tensor_name))
    module.parametrizations[tensor_name] = parametrizations
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a tensor of a module is parametrised, or any of them.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn.utils import parametrizations, parametrize
        >>> layer = parametrizations.weight_norm(tapegrad.nn.Linear(2, 2))
        >>> parametrize.is_parametrized(layer), parametrize.is_parametrized(layer, "bias")
        (True, False)
    """
    parametrizations = getattr(module, "parametrizations", None)
    if not isinstance(parametrizations, ModuleDict):
        return False
    return len(parametrizations) > 0 if tensor_name is None else tensor_name in parametrizations


def remove_parametrizations(module: M, tensor_name: str, leave_parametrized: bool = True) -> M:
    """Make a tensor of a module a parameter or buffer of its own again.

    Args:
        module: the module.
        tensor_name: the name of the tensor.
        leave_parametrized: leave the value that it has now; otherwise that of the original.

    Returns:
        The module.

    Raises:
        ValueError: if it is not parametrised, or there are several originals to be left.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn.utils import parametrizations, parametrize
        >>> layer = parametrizations.weight_norm(tapegrad.nn.Linear(2, 2))
        >>> parametrize.remove_parametrizations(layer, "weight")
        Linear(in_features=2, out_features=2, bias=True)
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    parametrizations: Any = module.parametrizations[tensor_name]
    tensor: Any
    if parametrizations.is_tensor:
        tensor = parametrizations.original
        if leave_parametrized:
            with tapegrad.no_grad():
                _take_over(tensor, getattr(module, tensor_name))
    elif leave_parametrized:
        tensor = getattr(module, tensor_name)
        if tensor.requires_grad:
            tensor = Parameter(tensor)
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is "
            "parametrized in terms of a sequence of tensors."
        )
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, tensor)
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class that a module had before it was parametrised.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn.utils import parametrizations, parametrize
        >>> layer = parametrizations.weight_norm(tapegrad.nn.Linear(2, 2))
        >>> type(layer).__name__, parametrize.type_before_parametrizations(layer).__name__
        ('ParametrizedLinear', 'Linear')
    """
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: M, tensor_name: str | None = None
) -> M:
    """Give a module the parametrisations of another, with the tensors that are computed from.

    Args:
        from_module: the module that has them.
        to_module: the module that gets them.
        tensor_name: the name of a tensor. Default: all that are parametrised.

    Returns:
        `to_module`.
    """
    if not is_parametrized(from_module):
        return to_module
    source: Any = from_module.parametrizations
    for name in list(source) if tensor_name is None else [tensor_name]:
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name)))
        for parametrization in source[name]:
            register_parametrization(to_module, name, parametrization)
        target: Any = to_module.parametrizations[name]
        if source[name].is_tensor:
            target.original = source[name].original
        else:
            for place, original in enumerate(source[name]._originals()):
                setattr(target, f"original{place}", original)
    return to_module
