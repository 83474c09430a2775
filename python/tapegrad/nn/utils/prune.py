"""Parameters of which some elements are held at zero."""

from __future__ import annotations

import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import tapegrad

from ..._C import Tensor
from ..module import Module
from .convert_parameters import parameters_to_vector

__all__ = [
    "BasePruningMethod",
    "CustomFromMask",
    "Identity",
    "L1Unstructured",
    "LnStructured",
    "PruningContainer",
    "RandomStructured",
    "RandomUnstructured",
    "custom_from_mask",
    "global_unstructured",
    "identity",
    "is_pruned",
    "l1_unstructured",
    "ln_structured",
    "random_structured",
    "random_unstructured",
    "remove",
]

M = TypeVar("M", bound=Module)


class BasePruningMethod(ABC):
    """A hook that multiplies a parameter with a mask before each call of its module.

    A subclass defines `compute_mask`, and ``PRUNING_TYPE``: what it looks at where some elements
    are pruned already, "unstructured" (the others), "structured" (the channels along its ``dim``
    that have others), or "global" (all).
    """

    PRUNING_TYPE: str
    _tensor_name: str | None = None

    def __call__(self, module: Module, inputs: Any) -> None:
        assert self._tensor_name is not None
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """A mask of ones and zeros for a tensor, on top of the one that it has."""

    def apply_mask(self, module: Module) -> Tensor:
        """The parameter times its mask."""
        if self._tensor_name is None:
            raise AssertionError(f"Module {module} has to be pruned")
        mask = getattr(module, f"{self._tensor_name}_mask")
        original = getattr(module, f"{self._tensor_name}_orig")
        return mask.to(dtype=original.dtype) * original

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Any = None, **kwargs: Any
    ) -> Any:
        """Prune a parameter of a module.

        Args:
            module: the module.
            name: the name of the parameter.
            *args: what the method takes.
            importance_scores: what the mask is computed from, of the shape of the parameter.
                Default: the parameter.
            **kwargs: what the method takes.
        """
        number = _find(module, name)
        method: Any = cls(*args, **kwargs)
        method._tensor_name = name
        original = getattr(module, name)
        scores = original if importance_scores is None else importance_scores
        if scores.shape != original.shape:
            raise AssertionError(
                f"importance_scores should have the same shape as parameter {name} of {module}, "
                f"got {scores.shape} vs {original.shape}"
            )
        with tapegrad.no_grad():
            if number is None:
                mask = tapegrad.ones_like(original)
            else:
                before: Any = module._forward_pre_hooks[number]
                container = before
                if not isinstance(before, PruningContainer):
                    container = PruningContainer(before)
                container.add_pruning_method(method)
                method, mask = container, getattr(module, f"{name}_mask").clone()
            try:
                mask = method.compute_mask(scores.detach(), default_mask=mask)
            except Exception:
                if number is not None:
                    method._pruning_methods = method._pruning_methods[:-1]
                raise
        if number is None:
            module.register_parameter(f"{name}_orig", original)
            del module._parameters[name]
        else:
            del module._forward_pre_hooks[number]
        module.register_buffer(f"{name}_mask", mask)
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(
        self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Any = None
    ) -> Tensor:
        """A tensor times the mask that is computed for it."""
        scores = t if importance_scores is None else importance_scores
        if scores.shape != t.shape:
            raise AssertionError(
                "importance_scores should have the same shape as tensor t, got "
                f"{scores.shape} vs {t.shape}"
            )
        mask = tapegrad.ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(scores.detach(), default_mask=mask)

    def remove(self, module: Module) -> None:
        """Make the pruned values those of the parameter, under its own name."""
        name = self._tensor_name
        if name is None:
            raise AssertionError(f"Module {module} has to be pruned before pruning can be removed")
        values = self.apply_mask(module).detach()
        if hasattr(module, name):
            delattr(module, name)
        original: Any = module._parameters.pop(f"{name}_orig")
        original.data = values
        del module._buffers[f"{name}_mask"]
        setattr(module, name, original)


def _find(module: Module, name: str) -> int | None:
    """The number of the hook that prunes a parameter."""
    for number, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            return number
    return None


class PruningContainer(BasePruningMethod):
    """Several methods, one after the other, on one parameter.

    Args:
        *args: the methods.
    """

    def __init__(self, *args: BasePruningMethod) -> None:
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        if len(args) == 1:
            self._tensor_name = args[0]._tensor_name
        for method in args:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: Any) -> None:
        """Add one; TypeError or ValueError if it is none, or for another parameter."""
        if not isinstance(method, BasePruningMethod):
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if self._tensor_name != method._tensor_name:
            raise ValueError(
                "Can only add pruning methods acting on the parameter named "
                f"'{self._tensor_name}' to PruningContainer {self}. Found '{method._tensor_name}'"
            )
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[BasePruningMethod]:
        return iter(self._pruning_methods)

    def __getitem__(self, index: Any) -> Any:
        return self._pruning_methods[index]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask of the last method, where those before it have left something."""
        method: Any = self._pruning_methods[-1]
        place: Any = (slice(None),) * t.dim()
        if method.PRUNING_TYPE == "unstructured":
            place = default_mask == 1
        elif method.PRUNING_TYPE == "structured":
            if not hasattr(method, "dim"):
                raise AttributeError(
                    'Pruning methods of PRUNING_TYPE "structured" need to have the attribute `dim` '
                    "defined."
                )
            dim = method.dim + t.dim() if method.dim < 0 else method.dim
            if dim < 0:
                raise IndexError(f"Index is out of bounds for tensor with dimensions {t.dim()}")
            others = [d for d in range(t.dim()) if d != dim]
            place = (*place[:dim], default_mask.sum(dim=others) != 0, *place[dim + 1 :])
        elif method.PRUNING_TYPE != "global":
            raise ValueError(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")
        mask = default_mask.to(dtype=t.dtype, copy=True)
        part = method.compute_mask(t[place], default_mask=default_mask[place])
        mask[place] = part.to(dtype=mask.dtype)
        return mask


class Identity(BasePruningMethod):
    """Prunes nothing, but gives the parameter a mask."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


class _Amount(BasePruningMethod):
    """The base of those that prune a number, or a share, of elements or channels."""

    def __init__(self, amount: Any) -> None:
        if not isinstance(amount, numbers.Real):
            raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
        if amount < 0 or (not isinstance(amount, numbers.Integral) and float(amount) > 1.0):
            raise ValueError(
                f"amount={amount} should either be a float in the range [0, 1] or a non-negative "
                "integer"
            )
        self.amount = amount

    def _count(self, size: int) -> int:
        """How many of them are pruned."""
        if not isinstance(self.amount, numbers.Integral):
            return round(float(self.amount) * size)
        count = int(self.amount)
        if count > size:
            raise ValueError(
                f"amount={self.amount} should be smaller than the number of parameters to "
                f"prune={size}"
            )
        return count


class _Unstructured(_Amount):
    PRUNING_TYPE = "unstructured"

    def _scores(self, t: Tensor) -> Tensor:
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        mask = default_mask.clone(memory_format=tapegrad.contiguous_format)
        count = self._count(t.numel())
        if count:
            order = self._scores(t).reshape(-1).argsort(stable=True)
            mask.view(-1)[order[:count]] = 0
        return mask


class RandomUnstructured(_Unstructured):
    """Prunes elements at random: a number of them, or a share (a float)."""

    def _scores(self, t: Tensor) -> Tensor:
        return tapegrad.rand_like(t)


class L1Unstructured(_Unstructured):
    """Prunes the smallest elements: a number of them, or a share (a float)."""

    def _scores(self, t: Tensor) -> Tensor:
        return t.abs()


class _Structured(_Amount):
    PRUNING_TYPE = "structured"
    dim: int

    def _scores(self, t: Tensor) -> Tensor:
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        if t.dim() <= 1:
            raise ValueError(
                "Structured pruning can only be applied to multidimensional tensors. Found tensor "
                f"of shape {t.shape} with {t.dim()} dims"
            )
        if self.dim >= t.dim():
            raise IndexError(f"Invalid index {self.dim} for tensor of size {t.shape}")
        size = t.shape[self.dim]
        count = self._count(size)
        if not count:
            return default_mask
        kept = tapegrad.ones(size, dtype=t.dtype)
        kept[self._scores(t).argsort(stable=True)[:count]] = 0
        shape = [1] * t.dim()
        shape[self.dim] = size
        return default_mask.to(dtype=t.dtype) * kept.reshape(shape)


class RandomStructured(_Structured):
    """Prunes channels at random: a number of them, or a share (a float)."""

    def __init__(self, amount: Any, dim: int = -1) -> None:
        super().__init__(amount)
        self.dim = dim

    def _scores(self, t: Tensor) -> Tensor:
        return tapegrad.rand(t.shape[self.dim])


class LnStructured(_Structured):
    """Prunes the channels with the smallest norms: a number of them, or a share (a float)."""

    def __init__(self, amount: Any, n: Any, dim: int = -1) -> None:
        super().__init__(amount)
        self.n = n
        self.dim = dim

    def _scores(self, t: Tensor) -> Tensor:
        dims = list(range(t.dim()))
        del dims[self.dim]
        return t.norm(p=self.n, dim=dims)


class CustomFromMask(BasePruningMethod):
    """Prunes where a mask is zero."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        if default_mask.shape != self.mask.shape:
            raise AssertionError(
                f"default_mask shape {default_mask.shape} must match self.mask shape "
                f"{self.mask.shape}"
            )
        return default_mask * self.mask.to(dtype=default_mask.dtype)


def identity(module: M, name: str) -> M:
    """Give a parameter a mask of ones.

    What it was is the parameter ``<name>_orig`` then, the mask the buffer ``<name>_mask``.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn.utils import prune
        >>> layer = prune.identity(tapegrad.nn.Linear(2, 1, bias=False), "weight")
        >>> list(layer.state_dict())
        ['weight_orig', 'weight_mask']
    """
    Identity.apply(module, name)
    return module


def random_unstructured(module: M, name: str, amount: Any) -> M:
    """Prune elements of a parameter at random: a number of them, or a share (a float).

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn.utils import prune
        >>> layer = prune.random_unstructured(tapegrad.nn.Linear(4, 1), "weight", 3)
        >>> layer.weight_mask.sum()
        tensor(1.)
    """
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module: M, name: str, amount: Any, importance_scores: Any = None) -> M:
    """Prune the smallest elements of a parameter: a number of them, or a share (a float).

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn.utils import prune
        >>> layer = tapegrad.nn.Linear(4, 1)
        >>> layer.weight.data.copy_(tapegrad.tensor([[1.0, -4.0, 3.0, -2.0]]))
        tensor([[ 1., -4.,  3., -2.]])
        >>> prune.l1_unstructured(layer, "weight", 0.5).weight_mask
        tensor([[0., 1., 1., 0.]])
    """
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module: M, name: str, amount: Any, dim: int) -> M:
    """Prune channels of a parameter at random: a number of them, or a share (a float).

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn.utils import prune
        >>> layer = prune.random_structured(tapegrad.nn.Linear(4, 3), "weight", 2, dim=0)
        >>> layer.weight_mask.sum()
        tensor(4.)
    """
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: M, name: str, amount: Any, n: Any, dim: int, importance_scores: Any = None
) -> M:
    """Prune the channels of a parameter that have the smallest norms.

    Args:
        module: the module.
        name: the name of the parameter.
        amount: how many of them, or which share (a float).
        n: the order of the norm.
        dim: the dimension of the channels.
        importance_scores: whose norms count. Default: those of the parameter.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn.utils import prune
        >>> layer = tapegrad.nn.Linear(2, 2)
        >>> layer.weight.data.copy_(tapegrad.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor([[1., 2.],
                [3., 4.]])
        >>> prune.ln_structured(layer, "weight", 1, n=2, dim=0).weight_mask
        tensor([[0., 0.],
                [1., 1.]])
    """
    LnStructured.apply(
        module, name, amount=amount, n=n, dim=dim, importance_scores=importance_scores
    )
    return module


def global_unstructured(
    parameters: Any, pruning_method: Any, importance_scores: Any = None, **kwargs: Any
) -> None:
    """Prune several parameters together, as if they were one.

    Args:
        parameters: pairs of a module and the name of a parameter.
        pruning_method: the class of a method whose type is "unstructured".
        importance_scores: a dict from such a pair to what the mask is computed from.
        **kwargs: what the method takes.

    Raises:
        TypeError: for another type of method, or arguments of other types.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn.utils import prune
        >>> a, b = tapegrad.nn.Linear(3, 1), tapegrad.nn.Linear(3, 1)
        >>> a.weight.data.fill_(1.0), b.weight.data.fill_(2.0)
        (tensor([[1., 1., 1.]]), tensor([[2., 2., 2.]]))
        >>> prune.global_unstructured(
        ...     [(a, "weight"), (b, "weight")], prune.L1Unstructured, amount=0.5
        ... )
        >>> a.weight_mask, b.weight_mask
        (tensor([[0., 0., 0.]]), tensor([[1., 1., 1.]]))
    """
    if not isinstance(parameters, Iterable):
        raise TypeError("global_unstructured(): parameters is not an Iterable")
    scores = {} if importance_scores is None else importance_scores
    if not isinstance(scores, dict):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method '
            f"{pruning_method} of type {method.PRUNING_TYPE}"
        )
    pairs = list(parameters)
    with tapegrad.no_grad():
        tensors = [getattr(module, name) for module, name in pairs]
        masks = [
            getattr(module, f"{name}_mask", tapegrad.ones_like(tensor))
            for (module, name), tensor in zip(pairs, tensors, strict=True)
        ]
        values = [scores.get(pair, tensor) for pair, tensor in zip(pairs, tensors, strict=True)]
        mask = PruningContainer(method).compute_mask(
            parameters_to_vector(values), parameters_to_vector(masks)
        )
    start = 0
    for (module, name), tensor in zip(pairs, tensors, strict=True):
        end = start + tensor.numel()
        custom_from_mask(module, name, mask[start:end].reshape(tensor.shape))
        start = end


def custom_from_mask(module: M, name: str, mask: Tensor) -> M:
    """Prune a parameter where a mask is zero.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn.utils import prune
        >>> layer = tapegrad.nn.Linear(2, 1)
        >>> float(prune.custom_from_mask(layer, "bias", tapegrad.zeros(1)).bias) == 0
        True
    """
    CustomFromMask.apply(module, name, mask)
    return module


def remove(module: M, name: str) -> M:
    """Make the pruned values those of the parameter, under its own name.

    Raises:
        ValueError: if it is not pruned.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn.utils import prune
        >>> layer = prune.random_unstructured(tapegrad.nn.Linear(2, 1), "bias", 1)
        >>> float(prune.remove(layer, "bias").bias) == 0
        True
    """
    number = _find(module, name)
    if number is None:
        raise ValueError(
            f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed"
        )
    hook: Any = module._forward_pre_hooks.pop(number)
    hook.remove(module)
    return module


def is_pruned(module: Module) -> bool:
    """Whether a parameter of a module, or of one in it, is pruned.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn.utils import prune
        >>> layer = tapegrad.nn.Linear(2, 1)
        >>> prune.is_pruned(layer), prune.is_pruned(prune.identity(layer, "bias"))
        (False, True)
    """
    return any(
        isinstance(hook, BasePruningMethod)
        for part in module.modules()
        for hook in part._forward_pre_hooks.values()
    )
