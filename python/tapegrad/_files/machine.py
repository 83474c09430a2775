"""A reader of pickles that knows what it may call, and calls nothing else.

A pickle is a program for a machine with a stack. This machine has the instructions of the protocols
2 to 5 that make containers, numbers and strings; functions and classes are those of a table
(``names.py``), and those that the caller allows.
"""

from __future__ import annotations

import pickle
import struct
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING  # what pickle itself goes by
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pickle import UnpicklingError
from typing import Any

import numpy as np

from .names import CALLED, NAMED, check_hashable, set_attributes, set_numpy_state, why_unknown

__all__ = ["Machine", "named_in"]

_WRONG = (
    *(AttributeError, LookupError, OverflowError, RuntimeError, TypeError, ValueError),
    struct.error,
)
_DICTS = (dict, OrderedDict, Counter)


class Machine:
    """Runs one pickle.

    Args:
        data: what has the pickle.
        persistent_load: gives the storage of a persistent id, a tuple.
        allowed: by their names, functions and classes that a pickle may use besides.
        encoding: of the strings that Python 2 wrote.
        position: where the pickle begins; afterwards where it ends.
    """

    def __init__(
        self,
        data: bytes,
        persistent_load: Callable[[tuple[Any, ...]], Any],
        allowed: Mapping[str, Any],
        encoding: str = "utf-8",
        position: int = 0,
    ) -> None:
        self.data = data
        self.position = position
        self._persistent_load = persistent_load
        self._allowed = allowed
        self._encoding = encoding
        self._protocol = 0
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._foreign: BaseException | None = None

    def run(self) -> Any:
        """What the pickle describes.

        Raises:
            UnpicklingError: if it is no valid pickle, or has what is not allowed.
        """
        try:
            while True:
                code = self._byte()
                if code == pickle.STOP[0]:
                    return self._stack.pop()
                instruction = _INSTRUCTIONS.get(code)
                if instruction is None:
                    raise UnpicklingError(f"Unsupported operand {code}")
                instruction(self)
        except _WRONG as error:
            if error is self._foreign:
                raise
            raise UnpicklingError(f"{type(error).__name__}: {error}") from error

    # ------------------------------------------------------------------ reading

    def _take(self, count: int) -> bytes:
        piece = self.data[self.position : self.position + count] if count >= 0 else b""
        if len(piece) != count:
            raise UnpicklingError("pickle data was truncated")
        self.position += count
        return piece

    def _byte(self) -> int:
        return self._take(1)[0]

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _line(self) -> str:
        end = self.data.find(b"\n", self.position)
        line = self._take(max(end, self.position) - self.position)
        self._take(1)
        return line.decode()

    # ------------------------------------------------------------------ numbers and strings

    def _start(self) -> None:
        self._protocol = self._byte()
        if self._protocol > pickle.HIGHEST_PROTOCOL:
            raise UnpicklingError(f"unsupported pickle protocol: {self._protocol}")

    def _frame(self) -> None:
        self._take(8)

    def _long(self, form: str) -> None:
        self._stack.append(int.from_bytes(self._take(self._number(form)), "little", signed=True))

    def _text(self, form: str) -> None:
        self._stack.append(self._take(self._number(form)).decode("utf-8", "surrogatepass"))

    def _old_text(self, form: str) -> None:
        raw = self._take(self._number(form))
        self._stack.append(raw if self._encoding == "bytes" else raw.decode(self._encoding))

    def _bytes(self, form: str) -> None:
        self._stack.append(self._take(self._number(form)))

    def _bytearray(self) -> None:
        self._stack.append(bytearray(self._take(self._number("<Q"))))

    # ------------------------------------------------------------------ the stack and the memo

    def _mark(self) -> None:
        self._marked.append(self._stack)
        self._stack = []

    def _since_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._marked.pop()
        return items

    def _pop(self) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._since_mark()

    def _duplicate(self) -> None:
        self._stack.append(self._stack[-1])

    def _put(self, form: str) -> None:
        self._memo[self._number(form)] = self._stack[-1]

    def _memoize(self) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _get(self, form: str) -> None:
        self._stack.append(self._memo[self._number(form)])

    # ------------------------------------------------------------------ containers

    def _tuple(self, count: int) -> None:
        start = len(self._stack) - count
        if start < 0:
            raise IndexError("pop from empty stack")
        self._stack[start:] = [tuple(self._stack[start:])]

    def _marked_tuple(self) -> None:
        items = tuple(self._since_mark())
        self._stack.append(items)

    def _top(self, *kinds: type) -> Any:
        top = self._stack[-1]
        if type(top) not in kinds:
            raise UnpicklingError(
                f"Can only put elements into {', '.join(kind.__name__ for kind in kinds)}, but got "
                f"{type(top)}"
            )
        return top

    def _append(self) -> None:
        item = self._stack.pop()
        self._top(list).append(item)

    def _appends(self) -> None:
        items = self._since_mark()
        self._top(list).extend(items)

    def _set_item(self) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        check_hashable(key)
        self._top(*_DICTS)[key] = value

    def _set_items(self) -> None:
        items = self._since_mark()
        target = self._top(*_DICTS)
        for key, value in zip(items[::2], items[1::2], strict=True):
            check_hashable(key)
            target[key] = value

    def _add_items(self) -> None:
        items = self._since_mark()
        for item in items:
            check_hashable(item)
        self._top(set).update(items)

    def _frozenset(self) -> None:
        items = self._since_mark()
        self._stack.append(CALLED["builtins.frozenset"](items))

    # ------------------------------------------------------------------ names, calls and states

    def _global(self) -> None:
        self._stack.append(self._find(self._line(), self._line()))

    def _stack_global(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if type(name) is not str or type(module) is not str:
            raise UnpicklingError("STACK_GLOBAL requires str")
        self._stack.append(self._find(module, name))

    def _find(self, module: str, name: str) -> Any:
        full = _full_name(module, name, self._protocol)
        for table in (CALLED, NAMED, self._allowed):
            if full in table:
                return table[full]
        shown = full.removeprefix("builtins.")
        reason = why_unknown(full)
        raise UnpicklingError(
            f"Unsupported global: GLOBAL {shown} was not an allowed global by default. "
            f"{reason}{' ' if reason else ''}"
            f"Please use `tapegrad.serialization.add_safe_globals([{shown}])` or the "
            f"`tapegrad.serialization.safe_globals([{shown}])` context manager to allowlist this "
            "global if you trust this class/function."
        )

    def _is_allowed(self, thing: Any) -> bool:
        return any(thing is other for other in self._allowed.values())

    def _reduce(self) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if type(arguments) is not tuple:
            raise UnpicklingError("arguments that are no tuple")
        if any(function is known for known in CALLED.values()):
            self._stack.append(function(*arguments))
        elif self._is_allowed(function):
            self._stack.append(self._call(function, *arguments))
        else:
            raise UnpicklingError(f"Trying to call reduce for unrecognized function {function!r}")

    def _new_object(self, with_keywords: bool = False) -> None:
        keywords = self._stack.pop() if with_keywords else {}
        arguments, kind = self._stack.pop(), self._stack.pop()
        if not isinstance(kind, type) or not self._is_allowed(kind):
            raise UnpicklingError(
                f"Can only create new object for classes allowlisted via `add_safe_globals` but "
                f"got {kind!r}"
            )
        self._stack.append(self._call(kind.__new__, kind, *arguments, **keywords))

    def _build(self) -> None:
        state, made = self._stack.pop(), self._stack[-1]
        if type(made) is OrderedDict:
            set_attributes(made, state)
        elif type(made) is np.ndarray or isinstance(made, np.dtype):
            set_numpy_state(made, state)
        elif not self._is_allowed(type(made)):
            raise UnpicklingError(
                "Can only build OrderedDict, NumPy's arrays or types allowlisted via "
                f"`add_safe_globals`, but got {type(made)}"
            )
        elif hasattr(made, "__setstate__"):
            self._call(made.__setstate__, state)
        else:
            slots = None
            if isinstance(state, tuple) and len(state) == 2:
                state, slots = state
            made.__dict__.update(state or {})
            for name, value in (slots or {}).items():
                setattr(made, name, value)

    def _call(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """Call what is not ours: its errors go on as they are."""
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            self._foreign = error
            raise

    def _persistent_id(self) -> None:
        pid = self._stack.pop()
        if type(pid) is not tuple or not pid or pid[0] not in ("storage", "module"):
            raise UnpicklingError("Only persistent_load of storage is allowed")
        self._stack.append(self._call(self._persistent_load, pid))


def _full_name(module: str, name: str, protocol: int) -> str:
    """The name of a thing; up to protocol 2 pickles have those of Python 2."""
    if protocol < 3:
        module, name = NAME_MAPPING.get((module, name), (module, name))
        module = IMPORT_MAPPING.get(module, module)
    return f"{module}.{name}"


def _with(method: Callable[..., None], *arguments: Any) -> Callable[[Machine], None]:
    return lambda machine: method(machine, *arguments)


def _constant(value: Any) -> Callable[[Machine], None]:
    return lambda machine: machine._stack.append(value)


def _empty(kind: Callable[[], Any]) -> Callable[[Machine], None]:
    return lambda machine: machine._stack.append(kind())


def _int(form: str) -> Callable[[Machine], None]:
    return lambda machine: machine._stack.append(machine._number(form))


_INSTRUCTIONS: dict[int, Callable[[Machine], None]] = {
    code[0]: instruction
    for code, instruction in (
        (pickle.PROTO, Machine._start),
        (pickle.FRAME, Machine._frame),
        (pickle.NONE, _constant(None)),
        (pickle.NEWTRUE, _constant(True)),
        (pickle.NEWFALSE, _constant(False)),
        (pickle.BININT, _int("<i")),
        (pickle.BININT1, _int("<B")),
        (pickle.BININT2, _int("<H")),
        (pickle.BINFLOAT, _int(">d")),
        (pickle.LONG1, _with(Machine._long, "<B")),
        (pickle.LONG4, _with(Machine._long, "<i")),
        (pickle.SHORT_BINUNICODE, _with(Machine._text, "<B")),
        (pickle.BINUNICODE, _with(Machine._text, "<I")),
        (pickle.BINUNICODE8, _with(Machine._text, "<Q")),
        (pickle.SHORT_BINSTRING, _with(Machine._old_text, "<B")),
        (pickle.BINSTRING, _with(Machine._old_text, "<i")),
        (pickle.SHORT_BINBYTES, _with(Machine._bytes, "<B")),
        (pickle.BINBYTES, _with(Machine._bytes, "<I")),
        (pickle.BINBYTES8, _with(Machine._bytes, "<Q")),
        (pickle.BYTEARRAY8, Machine._bytearray),
        (pickle.MARK, Machine._mark),
        (pickle.POP, Machine._pop),
        (pickle.POP_MARK, lambda machine: machine._since_mark() and None),
        (pickle.DUP, Machine._duplicate),
        (pickle.BINPUT, _with(Machine._put, "<B")),
        (pickle.LONG_BINPUT, _with(Machine._put, "<I")),
        (pickle.MEMOIZE, Machine._memoize),
        (pickle.BINGET, _with(Machine._get, "<B")),
        (pickle.LONG_BINGET, _with(Machine._get, "<I")),
        (pickle.EMPTY_TUPLE, _constant(())),
        (pickle.TUPLE1, _with(Machine._tuple, 1)),
        (pickle.TUPLE2, _with(Machine._tuple, 2)),
        (pickle.TUPLE3, _with(Machine._tuple, 3)),
        (pickle.TUPLE, Machine._marked_tuple),
        (pickle.EMPTY_LIST, _empty(list)),
        (pickle.EMPTY_DICT, _empty(dict)),
        (pickle.EMPTY_SET, _empty(set)),
        (pickle.APPEND, Machine._append),
        (pickle.APPENDS, Machine._appends),
        (pickle.SETITEM, Machine._set_item),
        (pickle.SETITEMS, Machine._set_items),
        (pickle.ADDITEMS, Machine._add_items),
        (pickle.FROZENSET, Machine._frozenset),
        (pickle.GLOBAL, Machine._global),
        (pickle.STACK_GLOBAL, Machine._stack_global),
        (pickle.REDUCE, Machine._reduce),
        (pickle.NEWOBJ, Machine._new_object),
        (pickle.NEWOBJ_EX, _with(Machine._new_object, True)),
        (pickle.BUILD, Machine._build),
        (pickle.BINPERSID, Machine._persistent_id),
    )
}


def named_in(data: bytes) -> Iterator[str]:
    """The names of functions and classes in a pickle, which is not run."""
    import pickletools

    strings: list[str] = []
    protocol = 0
    value: Any
    for code, value, _ in pickletools.genops(data):
        if code.name == "PROTO":
            protocol = value
        elif code.name == "GLOBAL":
            module, _, name = value.partition(" ")
            yield _full_name(module, name, protocol)
        elif code.name == "STACK_GLOBAL":
            yield ".".join(strings[-2:])
        elif "UNICODE" in code.name:
            strings.append(value)
