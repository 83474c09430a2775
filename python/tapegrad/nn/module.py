"""The base class of every layer and model."""

from __future__ import annotations

import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import tapegrad

from .._C import Tensor, _ModuleBase
from ..utils._names import typename
from ..utils.hooks import RemovableHandle
from .parameter import Buffer, Parameter

__all__ = ["Module"]

T = TypeVar("T", bound="Module")
_EXTRA_STATE = "_extra_state"
# The tables of hooks that a pickled module need not have.
_LATER_TABLES = (
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)


class _IncompatibleKeys(
    NamedTuple("_IncompatibleKeys", [("missing_keys", list[str]), ("unexpected_keys", list[str])])
):
    """What ``load_state_dict`` found missing and unexpected."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    __str__ = __repr__


def _indent(text: str) -> str:
    """Indents all lines but the first by two columns."""
    return text.replace("\n", "\n  ")


class _BoundHook:
    """A hook with its module, which it does not keep alive; the copy's is that of the copy."""

    def __init__(self, hook: Callable[..., None], module: Module) -> None:
        self.hook = hook
        self.module = weakref.ref(module)

    def __call__(self, *args: Any) -> None:
        return self.hook(self.module(), *args)

    def __reduce__(self) -> tuple[Any, ...]:
        return _BoundHook, (self.hook, self.module())


def _missing_forward(self: Module, *args: Any, **kwargs: Any) -> Any:
    raise NotImplementedError(
        f'Module [{type(self).__name__}] is missing the required "forward" function'
    )


class Module(_ModuleBase):
    """The base class of all layers and models.

    A subclass calls ``super().__init__()``, assigns parameters, buffers and other modules as
    attributes, and defines ``forward``. Calling the module calls ``forward`` and the hooks.

    Attributes:
        training: True in training mode (the default), False after :meth:`eval`.

    Example:
        >>> import tapegrad
        >>> from tapegrad import nn
        >>> class Net(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.hidden = nn.Linear(2, 3)
        ...         self.out = nn.Linear(3, 1)
        ...
        ...     def forward(self, x):
        ...         return self.out(tapegrad.tanh(self.hidden(x)))
        >>> net = Net()
        >>> net
        Net(
          (hidden): Linear(in_features=2, out_features=3, bias=True)
          (out): Linear(in_features=3, out_features=1, bias=True)
        )
        >>> tuple(net(tapegrad.zeros(4, 2)).shape)
        (4, 1)
        >>> [name for name, _ in net.named_parameters()]
        ['hidden.weight', 'hidden.bias', 'out.weight', 'out.bias']
    """

    _version = 1  # of the state dict, for subclasses that change theirs
    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _non_persistent_buffers_set: set[str]
    _forward_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _forward_pre_hooks_with_kwargs: OrderedDict[int, bool]
    _forward_hooks: OrderedDict[int, Callable[..., Any]]
    _forward_hooks_with_kwargs: OrderedDict[int, bool]
    _forward_hooks_always_called: OrderedDict[int, bool]
    _backward_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _backward_hooks: OrderedDict[int, Callable[..., Any]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if kwargs:
            raise TypeError(
                f"{type(self).__name__}.__init__() got an unexpected keyword argument "
                f"'{next(iter(kwargs))}'"
            )
        if args:
            raise TypeError(
                f"{type(self).__name__}.__init__() takes 1 positional argument but "
                f"{len(args) + 1} were given"
            )
        self.__dict__.update(
            training=True,
            _parameters={},
            _buffers={},
            _non_persistent_buffers_set=set(),
            _backward_pre_hooks=OrderedDict(),
            _backward_hooks=OrderedDict(),
            _is_full_backward_hook=None,
            _forward_hooks=OrderedDict(),
            _forward_hooks_with_kwargs=OrderedDict(),
            _forward_hooks_always_called=OrderedDict(),
            _forward_pre_hooks=OrderedDict(),
            _forward_pre_hooks_with_kwargs=OrderedDict(),
            _state_dict_hooks=OrderedDict(),
            _state_dict_pre_hooks=OrderedDict(),
            _load_state_dict_pre_hooks=OrderedDict(),
            _load_state_dict_post_hooks=OrderedDict(),
            _modules={},
        )

    forward: Callable[..., Any] = _missing_forward

    # ------------------------------------------------------------------ attributes

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        parameters, modules = own.get("_parameters"), own.get("_modules")
        buffers = own.get("_buffers")
        if isinstance(value, Parameter):
            if parameters is None:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            self._forget(name, "_buffers", "_modules")
            self.register_parameter(name, value)
        elif parameters is not None and name in parameters:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as parameter '{name}' "
                    "(tapegrad.nn.Parameter or None expected)"
                )
            self.register_parameter(name, None)
        elif isinstance(value, Module):
            if modules is None:
                raise AttributeError("cannot assign module before Module.__init__() call")
            self._forget(name, "_parameters", "_buffers")
            modules[name] = value
        elif modules is not None and name in modules:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as child module '{name}' "
                    "(tapegrad.nn.Module or None expected)"
                )
            modules[name] = None
        elif isinstance(value, Buffer) or (buffers is not None and name in buffers):
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(
                    f"cannot assign '{typename(value)}' as buffer '{name}' "
                    "(tapegrad.nn.Buffer, tapegrad.Tensor or None expected)"
                )
            if isinstance(value, Buffer):
                persistent = value.persistent
            else:
                persistent = name not in self._non_persistent_buffers_set
            self.register_buffer(name, value, persistent)
        else:
            super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        for entries in (self._parameters, self._buffers, self._modules):
            if name in entries:
                del entries[name]
                if entries is self._buffers:
                    self._non_persistent_buffers_set.discard(name)
                return
        super().__delattr__(name)

    def _forget(self, name: str, *registries: str) -> None:
        """Removes what `name` stood for, so that something of another kind can take its place."""
        own = self.__dict__
        own.pop(name, None)
        for registry in registries:
            own[registry].pop(name, None)
        own["_non_persistent_buffers_set"].discard(name)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__.copy()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for name in _LATER_TABLES:
            self.__dict__.setdefault(name, OrderedDict())
        self.__dict__.setdefault("_non_persistent_buffers_set", set())
        self.__dict__.setdefault("_is_full_backward_hook", None)

    def __dir__(self) -> list[str]:
        names = {*super().__dir__(), *self._parameters, *self._buffers, *self._modules}
        return sorted(name for name in names if not name[:1].isdigit())

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under a name; None reserves the name.

        Raises:
            KeyError: if the name is empty, has a dot, or is an attribute already.
            TypeError: if `param` is not a Parameter or None.
            ValueError: if `param` is the result of an operation.

        Example:
            >>> import tapegrad
            >>> m = tapegrad.nn.Module()
            >>> m.register_parameter("scale", tapegrad.nn.Parameter(tapegrad.ones(1)))
            >>> m.scale
            Parameter containing:
            tensor([1.], requires_grad=True)
        """
        if "_parameters" not in self.__dict__:
            raise AttributeError("cannot assign parameter before Module.__init__() call")
        self._check_name(name, "parameter", self._parameters)
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"cannot assign '{typename(param)}' object to parameter '{name}' "
                    "(tapegrad.nn.Parameter or None required)"
                )
            if param.grad_fn is not None:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model "
                    f"parameters must be created explicitly. To express '{name}' "
                    "as a function of another Tensor, compute the value in "
                    "the forward() method."
                )
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor which belongs to the module but is not a parameter.

        Args:
            name: the attribute's name.
            tensor: the buffer, or None, which is left out of the ``state_dict``.
            persistent: whether it is part of the ``state_dict``. Default: True.

        Example:
            >>> import tapegrad
            >>> m = tapegrad.nn.Module()
            >>> m.register_buffer("mean", tapegrad.zeros(2))
            >>> m.state_dict()["mean"]
            tensor([0., 0.])
        """
        if "_buffers" not in self.__dict__:
            raise AttributeError("cannot assign buffer before Module.__init__() call")
        self._check_name(name, "buffer", self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{typename(tensor)}' object to buffer '{name}' "
                "(tapegrad Tensor or None required)"
            )
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule under a name.

        Raises:
            KeyError: if the name is empty, has a dot, or is an attribute already.
            TypeError: if `module` is neither a Module nor None.

        Example:
            >>> from tapegrad import nn
            >>> m = nn.Module()
            >>> m.add_module("act", nn.ReLU())
            >>> m.act
            ReLU()
        """
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{typename(module)} is not a Module subclass")
        self._check_name(name, "module", self._modules)
        self._modules[name] = module

    def register_module(self, name: str, module: Module | None) -> None:
        """The same as :meth:`add_module`."""
        self.add_module(name, module)

    def _check_name(self, name: Any, kind: str, registry: Mapping[str, Any]) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {typename(name)}")
        if name not in registry and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists")
        if "." in name:
            got = f", got: {name}" if kind == "module" else ""
            raise KeyError(f'{kind} name can\'t contain "."{got}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')

    # ------------------------------------------------------------------ walking the tree

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Iterate over this module and all modules inside it, with their dotted names.

        Example:
            >>> from tapegrad import nn
            >>> [name for name, _ in nn.Sequential(nn.ReLU(), nn.Tanh()).named_modules()]
            ['', '0', '1']
        """
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                path = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, path, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """Iterate over this module and all modules inside it, each once."""
        for _, module in self.named_modules():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Iterate over the direct submodules with their names, each once."""
        seen: set[Module] = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """Iterate over the direct submodules, each once."""
        for _, module in self.named_children():
            yield module

    def _named_members(
        self, registry: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
            if recurse
            else [(prefix, self)]
        )
        for path, module in modules:
            for name, value in module.__dict__[registry].items():
                if value is None or id(value) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(value))
                yield (f"{path}.{name}" if path else name), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Iterate over the parameters with their dotted names, in the order of definition.

        Args:
            prefix: put before every name. Default: "".
            recurse: also those of submodules. Default: True.
            remove_duplicate: show a shared parameter once. Default: True.

        Example:
            >>> from tapegrad import nn
            >>> [(name, tuple(p.shape)) for name, p in nn.Linear(2, 3).named_parameters()]
            [('weight', (3, 2)), ('bias', (3,))]
        """
        yield from self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Iterate over the parameters, in the order of definition.

        Example:
            >>> from tapegrad import nn
            >>> sum(p.numel() for p in nn.Linear(2, 3).parameters())
            9
        """
        for _, param in self._named_members("_parameters", "", recurse, True):
            yield param

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Iterate over the buffers with their dotted names."""
        yield from self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Iterate over the buffers."""
        for _, buffer in self._named_members("_buffers", "", recurse, True):
            yield buffer

    def get_submodule(self, target: str) -> Module:
        """The submodule with a dotted name; "" is the module itself.

        Raises:
            AttributeError: if there is no such attribute or it is not a module.

        Example:
            >>> from tapegrad import nn
            >>> nn.Sequential(nn.Sequential(nn.Tanh())).get_submodule("0.0")
            Tanh()
        """
        module: Module = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def _get_member(self, target: str) -> tuple[Module, str, Any]:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        return module, name, getattr(module, name)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter with a dotted name; AttributeError if it is none."""
        _, name, value = self._get_member(target)
        if not isinstance(value, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return value

    def get_buffer(self, target: str) -> Tensor:
        """The buffer with a dotted name; AttributeError if it is none."""
        module, name, value = self._get_member(target)
        if name not in module._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        buffer: Tensor = value
        return buffer

    def set_submodule(self, target: str, module: Module) -> None:
        """Replace the submodule with a dotted name, or add it to its existing parent."""
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        setattr(self.get_submodule(path), name, module)

    # ------------------------------------------------------------------ changing everything

    def apply(self: T, fn: Callable[[Module], Any]) -> T:
        """Call `fn` with every submodule and with the module itself; returns the module.

        Example:
            >>> from tapegrad import nn
            >>> def init(m):
            ...     if isinstance(m, nn.Linear):
            ...         nn.init.ones_(m.weight)
            >>> nn.Sequential(nn.Linear(2, 1)).apply(init)[0].weight
            Parameter containing:
            tensor([[1., 1.]], requires_grad=True)
        """
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self: T, mode: bool = True) -> T:
        """Set training mode (or evaluation mode) here and in all submodules; returns the module.

        Raises:
            ValueError: if `mode` is not a bool.
        """
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self: T) -> T:
        """Set evaluation mode here and in all submodules; returns the module.

        Example:
            >>> from tapegrad import nn
            >>> nn.Dropout(0.5).eval().training
            False
        """
        return self.train(False)

    def requires_grad_(self: T, requires_grad: bool = True) -> T:
        """Set ``requires_grad`` of every parameter; returns the module.

        Example:
            >>> from tapegrad import nn
            >>> nn.Linear(2, 2).requires_grad_(False).weight.requires_grad
            False
        """
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of all parameters.

        Args:
            set_to_none: set them to None (the default) rather than to zeros.
        """
        for param in self.parameters():
            if set_to_none:
                param.grad = None
            elif param.grad is not None:
                param.grad = param.grad.detach().zero_()

    def _apply(self: T, fn: Callable[[Tensor], Tensor]) -> T:
        """Replaces the values of all parameters, their gradients, and all buffers."""
        for module in self.children():
            module._apply(fn)
        for param in self._parameters.values():
            if param is None:
                continue
            grad = param.grad
            changed = fn(param.detach())
            if grad is not None:
                param.grad = None  # dtype of values and gradient have to agree at any time
            param.data = changed
            if grad is not None:
                param.grad = fn(grad.detach()).requires_grad_(grad.requires_grad)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def float(self: T) -> T:
        """Convert floating-point parameters and buffers to float32; returns the module."""
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)

    def double(self: T) -> T:
        """Convert floating-point parameters and buffers to float64; returns the module.

        Example:
            >>> import tapegrad
            >>> tapegrad.nn.Linear(1, 1).double().weight.dtype == tapegrad.float64
            True
        """
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)

    def type(self: T, dst_type: Any) -> T:
        """Convert all parameters and buffers to a dtype; returns the module."""
        return self._apply(lambda t: t.type(dst_type))

    def cpu(self: T) -> T:
        """The module itself: the CPU is the only device."""
        return self

    def to(self: T, *args: Any, **kwargs: Any) -> T:
        """Convert floating-point parameters and buffers to a dtype; returns the module.

        Called as ``to(dtype)``, ``to(device)``, ``to(device, dtype)`` or ``to(tensor)``; the CPU is
        the only device. ``memory_format`` goes to parameters and buffers of 4 or 5 dimensions.

        Raises:
            TypeError: if the dtype is not a floating-point one.

        Example:
            >>> import tapegrad
            >>> m = tapegrad.nn.Linear(1, 1).to("cpu", tapegrad.float64)
            >>> m.bias.dtype == tapegrad.float64
            True
        """
        dtype = kwargs.pop("dtype", None)
        device = kwargs.pop("device", None)
        memory_format = kwargs.pop("memory_format", None)
        kwargs.pop("non_blocking", None)
        if kwargs:
            raise TypeError(f"to() got an unexpected keyword argument '{next(iter(kwargs))}'")
        for arg in args:
            if isinstance(arg, tapegrad.dtype):
                dtype = arg
            elif isinstance(arg, Tensor):
                dtype = arg.dtype
            elif isinstance(arg, (str, tapegrad.device)):
                device = arg
            elif arg is not None and not isinstance(arg, bool):
                raise TypeError(
                    "to() received an invalid combination of arguments - got "
                    f"({', '.join(type(a).__name__ for a in args)}), but expected a device, a "
                    "dtype or a tensor"
                )
        if device is not None:
            tapegrad.device(device)  # refuses what is not a device
        if dtype is None and memory_format is None:
            return self
        if dtype is not None and not dtype.is_floating_point:
            raise TypeError(
                "nn.Module.to only accepts floating point or complex "
                f"dtypes, but got desired dtype={dtype}"
            )

        def convert(t: Tensor) -> Tensor:
            wanted = dtype if dtype is not None and t.is_floating_point() else t.dtype
            return t.to(wanted, memory_format=memory_format if t.dim() in (4, 5) else None)

        return self._apply(convert)

    # ------------------------------------------------------------------ state

    def get_extra_state(self) -> Any:
        """What a subclass stores in the ``state_dict`` besides tensors; override both."""
        raise NotImplementedError

    def set_extra_state(self, state: Any) -> None:
        """Takes what :meth:`get_extra_state` gave; override both."""
        raise NotImplementedError

    def state_dict(
        self,
        *,
        destination: dict[str, Any] | None = None,
        prefix: str = "",
        keep_vars: bool = False,
    ) -> dict[str, Any]:
        """All parameters and persistent buffers by their dotted names, in an OrderedDict.

        The tensors share memory with the module.

        Args:
            destination: a mapping to fill instead of a new one.
            prefix: put before every name. Default: "".
            keep_vars: give the parameters themselves rather than detached tensors.

        Example:
            >>> from tapegrad import nn
            >>> list(nn.Sequential(nn.Linear(1, 1)).state_dict())
            ['0.weight', '0.bias']
        """
        result: Any = destination
        if result is None:
            result = OrderedDict()
            result._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(result, "_metadata"):
            result._metadata[prefix[:-1]] = metadata
        for hook in list(self._state_dict_pre_hooks.values()):
            hook(self, prefix, keep_vars)
        for name, tensor in self._state_items():
            result[prefix + name] = tensor if keep_vars else tensor.detach()
        if type(self).get_extra_state is not Module.get_extra_state:
            result[prefix + _EXTRA_STATE] = self.get_extra_state()
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(
                    destination=result, prefix=f"{prefix}{name}.", keep_vars=keep_vars
                )
        for hook in list(self._state_dict_hooks.values()):
            answer = hook(self, result, prefix, metadata)
            if answer is None:
                continue
            if getattr(hook, "_from_public_api", False):
                raise RuntimeError("state_dict post-hook must return None")
            result = answer
        return result

    def _state_items(self) -> Iterator[tuple[str, Tensor]]:
        """This module's own parameters and persistent buffers."""
        for name, param in self._parameters.items():
            if param is not None:
                yield name, param
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                yield name, buffer

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> _IncompatibleKeys:
        """Copy values from a mapping of dotted names to tensors.

        Everything is checked first; if an error is raised, nothing has been changed (unless there
        are hooks that run after loading, which have a say in what is an error).

        Args:
            state_dict: as made by :meth:`state_dict`.
            strict: require exactly the names that the module has. Default: True.
            assign: take the given tensors themselves instead of copying their values.

        Returns:
            A named tuple with the lists ``missing_keys`` and ``unexpected_keys``.

        Raises:
            TypeError: if `state_dict` is not a mapping.
            RuntimeError: if names or shapes do not match.

        Example:
            >>> from tapegrad import nn
            >>> nn.Linear(2, 1).load_state_dict(nn.Linear(2, 1).state_dict())
            <All keys matched successfully>
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        metadata = getattr(state_dict, "_metadata", {})
        state_dict = dict(state_dict)  # hooks may change it
        errors: list[str] = []
        unexpected: list[str] = []
        missing: list[str] = []
        known: set[str] = set()
        plan: list[tuple[Module, str, Tensor, Tensor]] = []
        extra: list[tuple[Module, Any]] = []
        for path, module in self.named_modules(remove_duplicate=False):
            prefix = f"{path}." if path else ""
            for hook in list(module._load_state_dict_pre_hooks.values()):
                more = metadata.get(path, {})
                hook(state_dict, prefix, more, True, missing, unexpected, errors)
            for name, current in module._state_items():
                key = prefix + name
                known.add(key)
                if key not in state_dict:
                    missing.append(key)
                    continue
                value = state_dict[key]
                if not isinstance(value, Tensor):
                    errors.append(
                        f'While copying the parameter named "{key}", expected tapegrad.Tensor or '
                        f"Tensor-like object from checkpoint but received {type(value)}"
                    )
                elif value.shape != current.shape:
                    errors.append(
                        f"size mismatch for {key}: copying a param with shape {value.shape} from "
                        f"checkpoint, the shape in current model is {current.shape}."
                    )
                else:
                    plan.append((module, name, current, value))
            if type(module).set_extra_state is not Module.set_extra_state:
                key = prefix + _EXTRA_STATE
                known.add(key)
                if key in state_dict:
                    extra.append((module, state_dict[key]))
                else:
                    missing.append(key)
        unexpected += [key for key in state_dict if key not in known]
        keys = _IncompatibleKeys(missing, unexpected)
        hooks = [
            (module, hook)
            for module in self._children_first()
            for hook in module._load_state_dict_post_hooks.values()
        ]
        if not hooks:
            self._refuse(keys, errors, strict)
        with tapegrad.no_grad():
            for module, name, current, value in plan:
                if not assign:
                    current.copy_(value)
                elif name in module._parameters:
                    if not isinstance(value, Parameter):
                        value = Parameter(value, current.requires_grad)
                    module._parameters[name] = value
                else:
                    module._buffers[name] = value
        for module, state in extra:
            module.set_extra_state(state)
        for module, hook in hooks:
            if hook(module, keys) is not None:
                raise AssertionError(
                    "Hooks registered with ``register_load_state_dict_post_hook`` are not expected "
                    "to return new values, if incompatible_keys need to be modified, it should be "
                    "done inplace."
                )
        self._refuse(keys, errors, strict)
        return keys

    def _children_first(self) -> Iterator[Module]:
        for module in self._modules.values():
            if module is not None:
                yield from module._children_first()
        yield self

    def _refuse(self, keys: _IncompatibleKeys, errors: list[str], strict: bool) -> None:
        """Raises where loading has found errors, or other keys than the module's."""
        problems = []
        for kind, names in (("Missing", keys.missing_keys), ("Unexpected", keys.unexpected_keys)):
            if strict and names:
                quoted = ", ".join(f'"{name}"' for name in names)
                problems.append(f"{kind} key(s) in state_dict: {quoted}. ")
        if problems or errors:
            raise RuntimeError(
                "Error(s) in loading state_dict for {}:\n\t{}".format(
                    type(self).__name__, "\n\t".join(problems + errors)
                )
            )

    def register_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before the module's state is collected."""
        return self._add_hook("_state_dict_pre_hooks", hook, False, {})

    def register_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` when the state is collected.

        The hook may change the dict, which has the states of modules around it, too.

        Raises:
            RuntimeError: (from :meth:`state_dict`) if the hook returns something.

        Example:
            >>> from tapegrad import nn
            >>> m = nn.Linear(1, 1)
            >>> handle = m.register_state_dict_post_hook(
            ...     lambda module, state, prefix, metadata: state.pop(prefix + "bias") and None
            ... )
            >>> list(m.state_dict())
            ['weight']
        """
        hook._from_public_api = True  # type: ignore[attr-defined]
        return self._add_hook("_state_dict_hooks", hook, False, {})

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """As the public one, but what the hook of the outermost module returns is the result."""
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError(
                "Cannot register the same function as the state dict post hook that was "
                "previously registered via register_state_dict_post_hook"
            )
        return self._add_hook("_state_dict_hooks", hook, False, {})

    def register_load_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call a hook before the module's entries are looked for in a state dict.

        Args:
            hook: called as ``hook(module, state_dict, prefix, local_metadata, strict,
                missing_keys, unexpected_keys, error_msgs)``; it may change the dict, which is a
                copy, and the three lists.

        Example:
            >>> from tapegrad import nn
            >>> m = nn.Linear(1, 1, bias=False)
            >>> def rename(module, state, prefix, *rest):
            ...     state[prefix + "weight"] = state.pop(prefix + "old")
            >>> handle = m.register_load_state_dict_pre_hook(rename)
            >>> m.load_state_dict({"old": m.weight})
            <All keys matched successfully>
        """
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., None], with_module: bool = False
    ) -> RemovableHandle:
        bound = _BoundHook(hook, self) if with_module else hook
        return self._add_hook("_load_state_dict_pre_hooks", bound, False, {})

    def register_load_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after a state dict was loaded.

        `incompatible_keys` has the lists ``missing_keys`` and ``unexpected_keys``. What the hook
        takes out of them is no error any more, what it adds is one.
        """
        return self._add_hook("_load_state_dict_post_hooks", hook, False, {})

    # ------------------------------------------------------------------ hooks

    def _add_hook(
        self, hooks: str, hook: Callable[..., Any], prepend: bool, flags: dict[str, bool]
    ) -> RemovableHandle:
        table: OrderedDict[int, Any] = self.__dict__[hooks]
        flagged = [self.__dict__[name] for name, on in flags.items() if on]
        handle = RemovableHandle(table, extra_dict=flagged)
        table[handle.id] = hook
        for mapping in flagged:
            mapping[handle.id] = True
        if prepend:
            table.move_to_end(handle.id, last=False)
        return handle

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before every ``forward``; it may return new arguments.

        Args:
            hook: returns None, a tuple of arguments, or one argument. With `with_kwargs` it is
                called as ``hook(module, args, kwargs)`` and returns None or ``(args, kwargs)``.
            prepend: run it before the hooks that are there. Default: False.
            with_kwargs: see above. Default: False.

        Example:
            >>> import tapegrad
            >>> m = tapegrad.nn.Identity()
            >>> with m.register_forward_pre_hook(lambda module, args: args[0] + 1):
            ...     m(tapegrad.tensor(1.0))
            tensor(2.)
        """
        flags = {"_forward_pre_hooks_with_kwargs": with_kwargs}
        return self._add_hook("_forward_pre_hooks", hook, prepend, flags)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after every ``forward``; it may return a new output.

        Args:
            hook: returns None or the new output. With `with_kwargs` it is called as
                ``hook(module, args, kwargs, output)``.
            prepend: run it before the hooks that are there. Default: False.
            with_kwargs: see above. Default: False.
            always_call: run it even if ``forward`` raises (then the output is None).

        Example:
            >>> import tapegrad
            >>> m = tapegrad.nn.Identity()
            >>> handle = m.register_forward_hook(lambda module, args, output: output * 2)
            >>> m(tapegrad.tensor(1.0))
            tensor(2.)
            >>> handle.remove()
            >>> m(tapegrad.tensor(1.0))
            tensor(1.)
        """
        flags = {
            "_forward_hooks_with_kwargs": with_kwargs,
            "_forward_hooks_always_called": always_call,
        }
        return self._add_hook("_forward_hooks", hook, prepend, flags)

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` before the module's backward.

        `grad_output` is a tuple; the hook may return a new one.
        """
        return self._add_hook("_backward_pre_hooks", hook, prepend, {})

    def register_full_backward_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` after the module's backward.

        Both are tuples, with None for what is not a tensor or has no gradient; the hook may return
        a new `grad_input`. If no input requires grad, it runs when the gradients of the outputs
        are known, and `grad_input` is full of None.

        Example:
            >>> import tapegrad
            >>> m = tapegrad.nn.Tanh()
            >>> handle = m.register_full_backward_hook(lambda m, gi, go: print(gi, go))
            >>> x = tapegrad.tensor(0.0, requires_grad=True)
            >>> m(x).backward()
            (tensor(1.),) (tensor(1.),)
        """
        return self._add_hook("_backward_hooks", hook, prepend, {})

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        called: set[int] = set()
        result = None
        try:
            args, kwargs = self._run_pre_hooks(args, kwargs)
            backward = None
            if self._backward_hooks or self._backward_pre_hooks:
                from ._backward_hook import BackwardHooks

                backward = BackwardHooks(
                    self,
                    list(self._backward_pre_hooks.values()),
                    list(self._backward_hooks.values()),
                )
                args = backward.wrap_inputs(args)
            result = self.forward(*args, **kwargs)
            for key in list(self._forward_hooks):
                called.add(key)
                result = self._run_forward_hook(key, args, kwargs, result)
            if backward is not None:
                if not isinstance(result, (Tensor, tuple)):
                    warnings.warn(
                        "For backward hooks to be called, module output should be a Tensor or a "
                        f"tuple of Tensors but received {type(result)}",
                        stacklevel=3,
                    )
                result = backward.wrap_outputs(result)
            return result
        except Exception:
            for key in list(self._forward_hooks_always_called):
                if key in called:
                    continue
                try:
                    result = self._run_forward_hook(key, args, kwargs, result)
                except Exception as error:
                    warnings.warn(
                        "module forward hook with ``always_call=True`` raised an exception that "
                        f"was silenced as another error was raised in forward: {error}",
                        stacklevel=3,
                    )
            raise

    def _run_pre_hooks(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        for key, hook in list(self._forward_pre_hooks.items()):
            if key in self._forward_pre_hooks_with_kwargs:
                answer = hook(self, args, kwargs)
                if answer is not None:
                    if not (isinstance(answer, tuple) and len(answer) == 2):
                        raise RuntimeError(
                            "forward pre-hook must return None or a tuple "
                            f"of (new_args, new_kwargs), but got {answer}."
                        )
                    args, kwargs = answer
            else:
                answer = hook(self, args)
                if answer is not None:
                    args = answer if isinstance(answer, tuple) else (answer,)
        return args, kwargs

    def _run_forward_hook(
        self, key: int, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> Any:
        hook = self._forward_hooks[key]
        if key in self._forward_hooks_with_kwargs:
            answer = hook(self, args, kwargs, result)
        else:
            answer = hook(self, args, result)
        return result if answer is None else answer

    # ------------------------------------------------------------------ printing

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What a subclass shows between the parentheses of its repr."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): {_indent(repr(m))}" for name, m in self._modules.items()]
        if len(lines) == 1 and not children:
            body = lines[0]
        elif lines or children:
            body = "\n  " + "\n  ".join(lines + children) + "\n"
        else:
            body = ""
        return f"{self._get_name()}({body})"
