"""The state of a module as a mapping of names to tensors, and its way back."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar

import tapegrad

from .._C import Tensor
from ..utils.hooks import RemovableHandle
from ._module_hooks import BoundHook, Hooks, add_hook
from .parameter import Parameter, is_lazy

if TYPE_CHECKING:
    from .modules.module import Module

_EXTRA_STATE = "_extra_state"

T_destination = TypeVar("T_destination", bound=dict[str, Any])


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


class _Found(NamedTuple):
    """What a state dict has for modules."""

    values: list[tuple[StateDicts, str, Tensor, Tensor]]
    extra: list[tuple[StateDicts, Any]]
    known: set[str]

    def take(self, assign: bool) -> None:
        with tapegrad.no_grad():
            for module, name, current, value in self.values:
                if not assign:
                    current.copy_(value)
                elif name in module._parameters:
                    if isinstance(value, Parameter):
                        value.requires_grad_(current.requires_grad)
                    else:
                        value = Parameter(value, current.requires_grad)
                    module._parameters[name] = value
                else:
                    module._buffers[name] = value
        for module, state in self.extra:
            module.set_extra_state(state)


class StateDicts(Hooks):
    """``state_dict`` and ``load_state_dict``, with their hooks: a base of Module."""

    _version = 1  # of the state dict, for subclasses that change theirs
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _non_persistent_buffers_set: set[str]

    if TYPE_CHECKING:

        def named_modules(
            self, memo: Any = None, prefix: str = "", remove_duplicate: bool = True
        ) -> Iterator[tuple[str, Module]]: ...

    def get_extra_state(self) -> Any:
        """What a subclass stores in the ``state_dict`` besides tensors; override both."""
        self._no_extra_state("get_extra_state")

    def set_extra_state(self, state: Any) -> None:
        """Takes what :meth:`get_extra_state` gave; override both."""
        self._no_extra_state("set_extra_state")

    def _no_extra_state(self, method: str) -> NoReturn:
        raise RuntimeError(
            f"Reached a code path in Module.{method}() that should never be called. A module with "
            "extra state has both methods, get_extra_state() and set_extra_state()."
        )

    def state_dict(
        self,
        *args: Any,
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
        if args:
            warnings.warn(
                "Positional args are being deprecated, use kwargs instead. Refer to "
                "https://pytorch.org/docs/main/generated/torch.nn.Module.html#torch.nn.Module."
                "state_dict for details.",
                FutureWarning,
                stacklevel=2,
            )
            given = {"destination": destination, "prefix": prefix, "keep_vars": keep_vars}
            return self.state_dict(**{**given, **dict(zip(given, args, strict=False))})
        result: Any = destination
        if result is None:
            result = OrderedDict()
            result._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(result, "_metadata"):
            result._metadata[prefix[:-1]] = metadata
        for hook in list(self._state_dict_pre_hooks.values()):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(result, prefix, keep_vars)
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

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        """The module's own part, without its submodules; subclasses override it."""
        for name, tensor in self._state_items():
            whole = keep_vars or is_lazy(tensor)
            destination[prefix + name] = tensor if whole else tensor.detach()
        if type(self).get_extra_state is not StateDicts.get_extra_state:
            destination[prefix + _EXTRA_STATE] = self.get_extra_state()

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
        are hooks that run after loading, which have a say in what is an error, or modules with a
        ``_load_from_state_dict`` of their own).

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
        found = _Found([], [], set())
        for path, module in self.named_modules(remove_duplicate=False):
            prefix = f"{path}." if path else ""
            more = {
                **metadata.get(path, {}),
                **({"assign_to_params_buffers": True} if assign else {}),
            }
            part = (state_dict, prefix, more, True, missing, unexpected, errors)
            own = getattr(module._load_from_state_dict, "__func__", None)
            if own is StateDicts._load_from_state_dict:
                module._find(found, *part)
            else:
                module._load_from_state_dict(*part)
                found.known.update(module._own_keys(state_dict, prefix))
        unexpected += [key for key in state_dict if key not in found.known]
        keys = _IncompatibleKeys(missing, unexpected)
        hooks = [
            (module, hook)
            for module in self._children_first()
            for hook in module._load_state_dict_post_hooks.values()
        ]
        if not hooks:
            self._refuse(keys, errors, strict)
        found.take(assign)
        for owner, hook in hooks:
            if hook(owner, keys) is not None:
                raise AssertionError(
                    "Hooks registered with ``register_load_state_dict_post_hook`` are not expected "
                    "to return new values, if incompatible_keys need to be modified, it should be "
                    "done inplace."
                )
        self._refuse(keys, errors, strict)
        return keys

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """The module's own part, without its submodules.

        Subclasses override it to read what an older form has saved, and call this one, which looks
        for the module's keys and copies the values.
        """
        found = _Found([], [], set())
        problems = (missing_keys, unexpected_keys, error_msgs)
        self._find(found, state_dict, prefix, local_metadata, strict, *problems)
        found.take(local_metadata.get("assign_to_params_buffers", False))
        if strict:
            own = self._own_keys(state_dict, prefix)
            unexpected_keys += [key for key in own if key not in found.known]

    def _own_keys(self, state_dict: Mapping[str, Any], prefix: str) -> list[str]:
        """The keys that belong to this module and to none inside it."""
        return [
            key
            for key in state_dict
            if key.startswith(prefix) and key[len(prefix) :].partition(".")[0] not in self._modules
        ]

    def _find(
        self,
        found: _Found,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing: list[str],
        unexpected: list[str],
        errors: list[str],
    ) -> None:
        """Looks for the module's own keys, and notes what is to be copied or is wrong."""
        for hook in list(self._load_state_dict_pre_hooks.values()):
            hook(state_dict, prefix, local_metadata, strict, missing, unexpected, errors)
        for name, current in self._state_items():
            key = prefix + name
            found.known.add(key)
            if key not in state_dict:
                missing.append(key)
                continue
            value = state_dict[key]
            if not isinstance(value, Tensor):
                errors.append(
                    f'While copying the parameter named "{key}", expected tapegrad.Tensor or '
                    f"Tensor-like object from checkpoint but received {type(value)}"
                )
            elif is_lazy(current) or value.shape == current.shape:
                found.values.append((self, name, current, value))
            elif current.dim() == 0 and value.dim() == 1 and value.numel():
                # It was saved when there were no tensors without dimensions.
                found.values.append((self, name, current, value[0]))
            else:
                errors.append(
                    f"size mismatch for {key}: copying a param with shape {value.shape} from "
                    f"checkpoint, the shape in current model is {current.shape}."
                )
        if type(self).set_extra_state is not StateDicts.set_extra_state:
            key = prefix + _EXTRA_STATE
            found.known.add(key)
            if key in state_dict:
                found.extra.append((self, state_dict[key]))
            else:
                missing.append(key)

    def _children_first(self) -> Iterator[StateDicts]:
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
        return add_hook(self._state_dict_pre_hooks, hook)

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
        return add_hook(self._state_dict_hooks, hook)

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """As the public one, but what the hook of the outermost module returns is the result."""
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError(
                "Cannot register the same function as the state dict post hook that was "
                "previously registered via register_state_dict_post_hook"
            )
        return add_hook(self._state_dict_hooks, hook)

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
        bound = BoundHook(hook, self) if with_module else hook
        return add_hook(self._load_state_dict_pre_hooks, bound)

    def register_load_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after a state dict was loaded.

        `incompatible_keys` has the lists ``missing_keys`` and ``unexpected_keys``. What the hook
        takes out of them is no error any more, what it adds is one.
        """
        return add_hook(self._load_state_dict_post_hooks, hook)
