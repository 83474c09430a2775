"""Files that want to run code, to take all memory or to crash: nothing of it happens."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import pickletools
import struct
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tapegrad as tg
from tapegrad import nn

ERRORS = (pickle.UnpicklingError, RuntimeError, ValueError, EOFError)
LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}."


def archive(pickled: bytes, storages: dict[str, bytes] | None = None, **how: Any) -> io.BytesIO:
    """A file in PyTorch's format with this pickle."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **how) as made:
        made.writestr("archive/data.pkl", pickled)
        made.writestr("archive/byteorder", "little")
        for key, data in (storages or {}).items():
            made.writestr(f"archive/data/{key}", data)
        made.writestr("archive/version", "3\n")
    file.seek(0)
    return file


def legacy(pickled: bytes, storages: dict[str, bytes] | None = None) -> io.BytesIO:
    """The same in the older format, of storages of floats."""
    keys = pickle.dumps(list(storages or {}), 2)
    data = b"".join(struct.pack("<q", len(x) // 4) + x for x in (storages or {}).values())
    return io.BytesIO(LEGACY + pickled + keys + data)


formats = pytest.mark.parametrize("form", [archive, legacy])

# ---------------------------------------------------------------------- pickles by hand


def glob(name: str) -> bytes:
    module, _, name = name.rpartition(".")
    return b"c" + f"{module}\n{name}\n".encode()


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    raw = value.to_bytes(16, "little", signed=True)
    return b"\x8a\x10" + raw


def numbers(*values: int) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def storage(
    count: int = 6, key: bytes = text("0"), kind: str = "torch.FloatStorage", place: bytes = b""
) -> bytes:
    start = b"(" + text("storage") + glob(kind) + key + (place or text("cpu"))
    return start + number(count) + b"tQ"


def tensor(
    offset: int = 0,
    size: tuple[int, ...] = (2, 3),
    stride: tuple[int, ...] = (3, 1),
    memory: bytes | None = None,
) -> bytes:
    return (
        glob("torch._utils._rebuild_tensor_v2")
        + b"("
        + (storage() if memory is None else memory)
        + number(offset)
        + numbers(*size)
        + numbers(*stride)
        + b"\x89"
        + glob("collections.OrderedDict")
        + b")RtR"
    )


def program(*parts: bytes) -> bytes:
    return b"\x80\x02" + b"".join(parts) + b"."


SIX = {"0": np.arange(6, dtype="<f4").tobytes()}


# What the interpreter reports while files are read: code that runs, files that are opened.
_watching, _seen = 0, []  # the thread that reads one, and what it did


def _watch(event: str, arguments: Any) -> None:
    if _watching and threading.get_ident() == _watching:
        _seen.append((event, arguments))


sys.addaudithook(_watch)


def load(file: io.BytesIO, **options: Any) -> Any:
    """Read a file; nothing may be run, imported or opened by that."""
    global _watching
    file.seek(0)
    _watching = threading.get_ident()
    try:
        return tg.load(file, **options)
    finally:
        _watching = 0
        assert _seen == []


class Evil:
    """Calls a function with arguments when it is unpickled."""

    def __init__(self, function: Any, *args: Any, state: Any = None) -> None:
        self.parts = (function, args) if state is None else (function, args, state)

    def __reduce__(self) -> Any:
        return self.parts


def evil_objects() -> dict[str, Any]:
    import builtins
    import importlib
    import operator

    return {
        "system": Evil(os.system, "echo"),
        "eval": Evil(eval, "1"),
        "exec": Evil(exec, "1"),
        "import": Evil(__import__, "os"),
        "open": Evil(open, "/dev/null"),
        "getattr": Evil(getattr, "", "join"),
        "import_module": Evil(importlib.import_module, "os"),
        "attrgetter": Evil(operator.attrgetter, "system"),
        "methodcaller": Evil(operator.methodcaller, "system", "echo"),
        "subprocess": Evil(subprocess.run, ["echo"]),
        "map": Evil(map, os.system, ["echo"]),
        "type": Evil(type, "A", (), {}),
        "compile": Evil(builtins.compile, "1", "a", "eval"),
        "breakpoint": Evil(breakpoint),
        "nested": {"a": [1, (Evil(os.system, "echo"),)]},
        "tensor load": Evil(tg.load, "a"),
        "numpy load": Evil(np.load, "a"),
        "module": nn.Linear(2, 2),
        "state": Evil(set, [1], state={"a": Evil(os.system, "echo")}),
    }


@formats
@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("name", evil_objects())
def test_nothing_is_called(form: Any, protocol: int, name: str) -> None:
    file = form(pickle.dumps(evil_objects()[name], protocol))
    with pytest.raises(pickle.UnpicklingError, match="was not an allowed global by default"):
        load(file)
    tg.serialization.get_unsafe_globals_in_checkpoint(archive(pickle.dumps({}, 2)))


# The first file that is read imports what reads it.
tg.load(archive(program(b"N")))
tg.load(legacy(program(b"N")))
tg.load(io.BytesIO(b"\2\0\0\0\0\0\0\0{}"))

CALLS = {
    "system": glob("os.system") + text("echo") + b"\x85R",
    "posix": glob("posix.system") + text("echo") + b"\x85R",
    "dotted": b"\x80\x04" + text("os") + text("path.join") + b"\x93",
    "builtin of Python 2": glob("__builtin__.eval") + text("1") + b"\x85R",
    "attribute of what is allowed": glob("torch._utils._rebuild_tensor_v2.__globals__"),
    "getattr": glob("builtins.getattr") + glob("torch.Tensor") + text("__class__") + b"\x86R",
    "instance": b"(" + text("echo") + b"ios\nsystem\n",
    "object": b"(" + glob("os.system") + text("echo") + b"o",
    "extension": b"\x82\x01",
    "extension of 2": b"\x83\x01\x00",
    "extension of 4": b"\x84\x01\x00\x00\x00",
    "persistent id as text": b"Pos.system\n",
    "persistent id of another kind": text("os.system") + text("echo") + b"\x86Q",
    "persistent number": b"K\x01Q",
    "class called": glob("torch.Tensor") + number(10**9) + b"\x85R",
    "storage class called": glob("torch.FloatStorage") + number(10**9) + b"\x85R",
    "device made": glob("torch.device") + text("cpu") + b"\x85\x81",
    "Size made": glob("torch.Size") + b")\x85\x81",
    "parameter made": glob("torch.nn.parameter.Parameter") + b")\x81",
    "dtype called": glob("torch.float32") + b")R",
    "text called": text("os.system") + b")R",
    "array called": glob("numpy.ndarray") + numbers(10**9) + b"\x85R",
    "arguments that are no tuple": glob("builtins.set") + text("abc") + b"R",
    "too many arguments": glob("builtins.set") + b"NNN\x87R",
    "an attribute that hides a method": glob("collections.OrderedDict")
    + b")R}"
    + text("items")
    + glob("builtins.set")
    + b"sb",
    "attributes without names": glob("collections.OrderedDict") + b")R}K\x01K\x01sb",
    "state of a set": glob("builtins.set") + b")R}" + text("a") + b"K\x01sb",
    "state of a list": b"]}b",
    "state of a tensor": tensor() + b"}" + text("data") + b"K\x01sb",
    "state of a class": glob("torch.Tensor") + b"}" + text("a") + b"K\x01sb",
    "state of a function": glob("builtins.set") + b"}" + text("a") + b"K\x01sb",
    "bytearray of a number": glob("builtins.bytearray") + number(10**12) + b"\x85R",
    "bytes of a number": glob("builtins.bytes") + number(10**12) + b"\x85R",
    "set of a text": glob("builtins.set") + text("a") + b"\x85R",
    "another codec": glob("_codecs.encode") + text("a") + text("rot13") + b"\x86R",
    "array of objects": glob("numpy.dtype") + text("O8") + b"\x89\x88\x87R",
    "dtype of fields": glob("numpy.dtype") + text("i4,O") + b"\x89\x88\x87R",
    "array of another class": glob("numpy.core.multiarray._reconstruct")
    + glob("torch.Tensor")
    + b"K\x00\x85"
    + text("b")
    + b"\x87R",
    "array of no type": glob("numpy.core.multiarray.scalar") + b"NN\x86R",
}


@formats
@pytest.mark.parametrize("name", CALLS)
def test_calls_and_states_by_hand(form: Any, name: str) -> None:
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        load(form(program(CALLS[name]), SIX))


def test_allowing_a_class_allows_no_other() -> None:
    with tg.serialization.safe_globals([nn.Linear]):
        for name in ("system", "nested", "state", "type"):
            with pytest.raises(pickle.UnpicklingError):
                load(archive(pickle.dumps(evil_objects()[name], 2)))
        with pytest.raises(pickle.UnpicklingError):  # a name within what is allowed
            load(archive(program(glob("tapegrad.nn.modules.linear.Linear.__init__"))))


# ---------------------------------------------------------------------- tensors

HUGE = 2**62


@formats
def test_a_tensor_by_hand(form: Any) -> None:
    assert load(form(program(tensor()), SIX)).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert load(form(program(tensor(1, (5,), (1,))), SIX)).tolist() == [1, 2, 3, 4, 5]
    assert load(form(program(tensor(5, (3,), (0,))), SIX)).tolist() == [5, 5, 5]
    assert load(form(program(tensor(6, (0,), (1,))), SIX)).tolist() == []


PLACES = {
    "past the end": (0, (7,), (1,)),
    "by its offset": (1, (6,), (1,)),
    "by its stride": (0, (2,), (6,)),
    "far away": (HUGE, (1,), (1,)),
    "huge": (0, (HUGE,), (1,)),
    "an overflow": (0, (HUGE, HUGE), (0, 0)),
    "an overflow of the stride": (0, (3,), (HUGE,)),
    "more than 64 bits": (0, (2**70,), (0,)),
    "an offset of more": (2**70, (1,), (1,)),
    "a negative offset": (-1, (1,), (1,)),
    "a negative size": (0, (-1,), (1,)),
    "a negative stride": (5, (2,), (-1,)),
    "more strides than sizes": (0, (1,), (1, 1)),
    "fewer": (0, (1, 1), (1,)),
}


@formats
@pytest.mark.parametrize("name", PLACES)
def test_tensors_stay_within_their_storage(form: Any, name: str) -> None:
    with pytest.raises(pickle.UnpicklingError):
        load(form(program(tensor(*PLACES[name])), SIX))


def test_what_is_no_tensor() -> None:
    v2 = glob("torch._utils._rebuild_tensor_v2")
    for parts in (
        v2 + b"(NK\x00" + numbers(1) + numbers(1) + b"\x89NtR",
        v2 + b"(" + storage() + text("0") + numbers(1) + numbers(1) + b"\x89NtR",
        v2 + b"(" + storage() + b"K\x00K\x01K\x01\x89NtR",
        v2 + b"(" + storage() + b"K\x00" + text("a") + text("b") + b"\x89NtR",
        v2 + b"(" + storage() + b"tR",
        glob("torch._utils._rebuild_parameter") + b"N\x88N\x87R",
        glob("torch._tensor._rebuild_from_type_v2") + b"(NNNNtR",
        glob("torch._tensor._rebuild_from_type_v2")
        + b"("
        + glob("builtins.set")
        + glob("torch.Tensor")
        + b")}tR",
        glob("torch._utils._rebuild_parameter_with_state")
        + b"("
        + tensor()
        + b"\x88N}"
        + text("detach")
        + b"K\x01stR",
        glob("torch.Size") + text("ab") + b"\x85R",
        glob("torch.device") + text("nonsense") + b"\x85R",
        glob("torch.serialization._get_layout") + text("torch.sparse_coo") + b"\x85R",
    ):
        with pytest.raises(pickle.UnpicklingError):
            load(archive(program(parts), SIX))


STORAGES = {
    "another key": storage(6, text("1")),
    "a key up the tree": storage(6, text("../version")),
    "a key that is none": storage(6, b"K\x00"),
    "more than there is": storage(7),
    "less": storage(5),
    "huge": storage(HUGE),
    "negative": storage(-1),
    "of doubles": storage(6, kind="torch.DoubleStorage"),
    "of no class": storage(6, kind="torch.Tensor"),
    "of a dtype": storage(6, kind="torch.float32"),
    "of complex numbers": storage(3, kind="torch.ComplexFloatStorage"),
    "without a place": storage(6, place=b"N"),
    "somewhere": storage(6, place=text("nowhere:0")),
    "two forms": storage() + b"0" + storage(24, kind="torch.ByteStorage"),
    "bools that are none": storage(24, kind="torch.BoolStorage"),
    "too short a tuple": b"(" + text("storage") + b"tQ",
    "no tuple": b"](" + text("storage") + b"eQ",
}


@formats
@pytest.mark.parametrize("name", STORAGES)
def test_storages_that_are_wrong(form: Any, name: str) -> None:
    with pytest.raises(ERRORS):
        load(form(program(STORAGES[name]), SIX))


def numpy_array(*state: bytes) -> bytes:
    made = glob("numpy.core.multiarray._reconstruct") + glob("numpy.ndarray")
    return made + b"K\x00\x85" + text("b") + b"\x87R(" + b"".join(state) + b"tb"


def numpy_dtype(name: str = "f4", *state: bytes) -> bytes:
    made = glob("numpy.dtype") + text(name) + b"\x89\x88\x87R"
    usual = (b"K\x03", text("<"), b"NNN", number(-1) * 2, b"K\x00")
    return made + b"(" + b"".join(state or usual) + b"tb"


RAW = glob("_codecs.encode") + text("abcdefgh") + text("latin1") + b"\x86R"
ARRAYS = {
    "more than its bytes": numpy_array(b"K\x01", numbers(3), numpy_dtype(), b"\x89", RAW),
    "less": numpy_array(b"K\x01", numbers(1), numpy_dtype(), b"\x89", RAW),
    "negative": numpy_array(b"K\x01", numbers(-1, -2), numpy_dtype(), b"\x89", RAW),
    "huge": numpy_array(b"K\x01", numbers(HUGE, HUGE, 0), numpy_dtype(), b"\x89", RAW),
    "a list of objects": numpy_array(b"K\x01", numbers(2), numpy_dtype(), b"\x89", b"]"),
    "no dtype": numpy_array(b"K\x01", numbers(2), b"N", b"\x89", RAW),
    "text": numpy_array(b"K\x01", numbers(2), numpy_dtype(), b"\x89", text("abcdefgh")),
    "bools that are none": numpy_array(b"K\x01", numbers(8), numpy_dtype("b1"), b"\x89", RAW),
    "another version": numpy_array(b"K\x02", numbers(2), numpy_dtype(), b"\x89", RAW),
    "fields": numpy_dtype("f4", b"K\x03", text("<"), b"NN}", number(-1) * 2, b"K\x00"),
    "another size": numpy_dtype("f4", b"K\x03", text("<"), b"NNN", number(999) * 2, b"K\x00"),
    "flags": numpy_dtype("f4", b"K\x03", text("<"), b"NNN", number(-1) * 2, b"K\x3f"),
    "an order": numpy_dtype("f4", b"K\x03", text("x"), b"NNN", number(-1) * 2, b"K\x00"),
    "no state": numpy_dtype("f4", b"K\x03"),
    "a name": glob("numpy.dtype") + text("V1000000000000") + b"\x89\x88\x87R",
    "a name that is none": glob("numpy.dtype") + b"]\x89\x88\x87R",
    "a scalar": glob("numpy.core.multiarray.scalar") + numpy_dtype("f8") + text("a") + b"\x86R",
    "a short scalar": glob("numpy.core.multiarray.scalar") + numpy_dtype("c16") + RAW + b"\x86R",
}  # fmt: skip


def test_an_array_by_hand() -> None:
    made = numpy_array(b"K\x01", numbers(2), numpy_dtype(), b"\x89", RAW)
    assert load(archive(program(made))).tobytes() == b"abcdefgh"


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_are_wrong(name: str) -> None:
    with pytest.raises(pickle.UnpicklingError):
        load(archive(program(ARRAYS[name])))


# ---------------------------------------------------------------------- time, memory, the stack


def deep(count: int, start: bytes, wrap: bytes) -> bytes:
    return start + wrap * count


BOMBS = {
    "a text that is not there": b"X" + struct.pack("<I", 2**32 - 1) + b"abc",
    "a text of 2^63 bytes": b"\x8d" + struct.pack("<Q", 2**63) + b"abc",
    "bytes of 2^62": b"\x8e" + struct.pack("<Q", HUGE),
    "a bytearray of 2^62": b"\x96" + struct.pack("<Q", HUGE),
    "a number of 2^31 bytes": b"\x8b" + struct.pack("<i", 2**31 - 1),
    "a number of -1 bytes": b"\x8b" + struct.pack("<i", -1),
    "an old text of -1 bytes": b"T" + struct.pack("<i", -1),
    "a key that is deep": b"}" + deep(100_000, b"N", b"\x85") + b"Ns",
    "an element that is deep": glob("builtins.set") + deep(100_000, b"N", b"\x85") + b"\x85\x85R",
    "a key that is wide by doubling": b"}" + deep(200, b"N", b"2\x86") + b"Ns",
    "a frozen set that is deep": b"\x80\x04(" + deep(100_000, b"N", b"\x85") + b"\x91",
    "a list as key": b"}]Ns",
    "a tensor as key": b"}" + tensor() + b"Ns",
    "a key without a value": b"}(NNNu",
    "items into a list": b"](NNu",
    "elements into a dict": b"}(Ne",
    "elements into a tuple": b")Na",
    "an empty stack": b"0",
    "no mark": b"t",
    "nothing in the memo": b"h\x00",
    "a tuple of nothing": b"\x87",
    "no end": b"N" * 1000,
    "an unknown protocol": b"\x80\xff",
    "no UTF-8": b"X\x01\x00\x00\x00\xff",
    "numbers as text": b"I1\n",
    "numbers of text": b"L" + b"9" * 100_000 + b"L\n",
    "a name without an end": b"cos\nsystem",
    "a name that is no text": b"\x80\x04NN\x93",
    "another buffer": b"\x97",
}


@formats
@pytest.mark.parametrize("name", BOMBS)
def test_bombs(form: Any, name: str) -> None:
    with pytest.raises(pickle.UnpicklingError):
        load(form(program(BOMBS[name])[:-1] if name == "no end" else program(BOMBS[name]), SIX))


def test_deep_and_doubled_structures_are_read() -> None:
    assert len(load(archive(program(deep(100_000, b"]", b"\x85"))))) == 1
    high = struct.pack("<I", 2**32 - 1)
    assert load(archive(program(b"Nr" + high + b"0j" + high))) is None  # a place in the memo
    lists = program(b"]", b"".join(b"q\x00](h\x00h\x00e" for _ in range(100)))
    assert len(load(archive(lists))) == 2  # 2^100 if somebody went through it


HUNGRY = """
import resource, sys
sys.path.insert(0, sys.argv[1])
import test_hostile_files as hostile

many = b"".join(hostile.storage(2**62, hostile.text(str(i))) + b"0" for i in range(100))
with open("/proc/self/statm") as file:
    now = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 100 * 2**20, resource.RLIM_INFINITY))
for form in (hostile.archive, hostile.legacy):
    for parts in (many, hostile.storage(2**28), hostile.tensor(memory=hostile.storage(2**33))):
        try:
            hostile.load(form(hostile.program(parts), hostile.SIX))
        except hostile.ERRORS:
            continue
        raise AssertionError("it was loaded")
"""


@pytest.mark.skipif("ASAN_OPTIONS" in os.environ, reason="the sanitizer itself needs the memory")
def test_memory_stays_in_proportion() -> None:
    """Under a limit of address space, whatever the sizes in a file say."""
    folder = str(Path(__file__).parent)
    subprocess.run([sys.executable, "-c", HUNGRY, folder], check=True)


# ---------------------------------------------------------------------- archives


def test_archives_that_are_wrong() -> None:
    good = archive(program(tensor()), SIX).getvalue()
    assert load(io.BytesIO(good)).shape == (2, 3)
    for end in range(len(good)):  # cut off
        with pytest.raises(ERRORS):
            load(io.BytesIO(good[:end]))
    zeros = archive(program(storage(2**20)), {"0": bytes(2**22)}, compression=zipfile.ZIP_DEFLATED)
    assert len(zeros.getvalue()) < 10_000
    with pytest.raises(RuntimeError, match="is compressed"):
        load(zeros)
    with pytest.raises(RuntimeError, match="do not fit their checksum"):
        load(io.BytesIO(good.replace(SIX["0"], SIX["0"][:-1] + b"\x7f")))
    with pytest.raises(RuntimeError, match=r"without a file 'data\.pkl'"):
        load(io.BytesIO(good.replace(b"data.pkl", b"data.pkx")))
    with pytest.raises(RuntimeError, match="the byte order b'litter'"):
        load(io.BytesIO(good.replace(b"little", b"litter")))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_records_that_lie_one_over_the_other() -> None:
    twice = archive(program(storage()), SIX)
    with zipfile.ZipFile(twice, "a") as made:
        made.writestr("archive/data/0", b"x" * 24)
    with pytest.raises(RuntimeError, match="a record occurs twice"):
        load(twice)
    many = {str(i): bytes([i]) * 1000 for i in range(50)}
    file = archive(program(b"".join(storage(250, text(key)) + b"0" for key in many), b"N"), many)
    data = bytearray(file.getvalue())
    assert load(io.BytesIO(data)) is None
    with zipfile.ZipFile(file) as made:
        places = {info.filename: info.header_offset for info in made.infolist()}
    first = struct.pack("<I", places["archive/data/0"])
    for i in range(1, 50):  # all entries of the directory name the bytes of the first record
        entry = data.rindex(b"PK\x01\x02", 0, data.rindex(f"archive/data/{i}".encode()))
        data[entry + 42 : entry + 46] = first
    with pytest.raises(RuntimeError, match="records overlap"):
        load(io.BytesIO(data))


def test_older_files_that_are_wrong() -> None:
    good = legacy(program(tensor()), SIX).getvalue()
    assert load(io.BytesIO(good)).shape == (2, 3)
    for end in range(len(good)):
        with pytest.raises(ERRORS):
            load(io.BytesIO(good[:end]))
    with pytest.raises(RuntimeError, match="Invalid protocol version"):
        load(io.BytesIO(good.replace(b"M\xe9\x03", b"M\xe8\x03")))
    with pytest.raises(RuntimeError, match="Invalid magic number"):
        load(io.BytesIO(pickle.dumps({"a": 1})))
    with pytest.raises(RuntimeError, match="Invalid magic number"):
        load(io.BytesIO(pickle.dumps({"a": 1})), weights_only=False)
    other = legacy(program(tensor()), {"1": SIX["0"]})
    with pytest.raises(ERRORS):
        load(other)


# ---------------------------------------------------------------------- changed files


def test_the_watch_sees_code() -> None:
    with pytest.raises(AssertionError):
        load(archive(pickle.dumps(Evil(os.system, "true"), 2)), weights_only=False)
    _seen.clear()


def examples() -> list[bytes]:
    """Valid files of each kind."""
    x = tg.arange(6.0).reshape(2, 3)
    values = {
        "x": x,
        "t": x.t(),
        "p": nn.Parameter(tg.ones(2)),
        "n": np.arange(3),
        "s": np.float32(2),
        "b": tg.tensor([True, False]),
        "list": [1, 2.5, "text", None, {1, 2}, b"abc", tg.float16, tg.Size([1])],
        "keys": {(1, "a"): 1, 3: {}},
    }
    files = []
    for protocol in (2, 4):
        file = io.BytesIO()
        tg.save(values, file, pickle=True, pickle_protocol=protocol)
        files.append(file.getvalue())
    file = io.BytesIO()
    tg.save({"x": x, "n": np.arange(3), "c": np.array([1j]), "list": [1, (2.5, "a")]}, file)
    files += [file.getvalue(), legacy(program(tensor()), SIX).getvalue()]
    return files


FILES = examples()
# One change: a place, and what stands there instead; or bytes that go or come.
CHANGES = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.sampled_from(["set", "cut", "add", "swap"]),
        st.one_of(
            st.binary(min_size=1, max_size=8),
            st.sampled_from(sorted({op.code.encode("latin1") for op in pickletools.opcodes})),
        ),
    ),
    min_size=1,
    max_size=6,
)


def mutate(data: bytes, changes: list[tuple[float, str, bytes]]) -> bytes:
    result = bytearray(data)
    for where, how, piece in changes:
        place = int(where * len(result))
        end = place + len(piece)
        if how == "add":
            result[place:place] = piece
        elif how == "set":
            result[place:end] = piece
        elif how == "cut":
            del result[place:end]
        else:
            result[place:end] = result[:end][-len(piece) :][::-1]
    return bytes(result)


def visit(value: Any) -> None:
    """Read every number that a file gave, which the sanitizer watches."""
    if isinstance(value, tg.Tensor) and value.numel() < 10**6:
        value.detach().clone().tolist()
        repr(value)
    elif isinstance(value, np.ndarray) and value.size < 10**6:
        value.copy()
    elif isinstance(value, dict):
        for entry in value.values():
            visit(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            visit(entry)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, len(FILES) - 1), CHANGES)
def test_changed_files(which: int, changes: list[tuple[float, str, bytes]]) -> None:
    """Any file gives values or one of the errors."""
    data = mutate(FILES[which], changes)
    try:
        value = load(io.BytesIO(data))
    except ERRORS:
        return
    with contextlib.suppress(RecursionError):
        visit(value)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(FILES[:2]), CHANGES)
def test_changed_pickles(data: bytes, changes: list[tuple[float, str, bytes]]) -> None:
    """The same where the archive is whole and only its pickle is not."""
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        records = {name.split("/", 1)[1]: old.read(name) for name in old.namelist()}
    pickled = mutate(records.pop("data.pkl"), changes)
    storages = {k.split("/")[1]: v for k, v in records.items() if k.startswith("data/")}
    try:
        value = load(archive(pickled, storages))
    except ERRORS:
        return
    with contextlib.suppress(RecursionError):
        visit(value)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=200), st.sampled_from([b"", b"\x80\x02", b"PK\x03\x04", LEGACY]))
def test_any_bytes(data: bytes, start: bytes) -> None:
    for file in (io.BytesIO(start + data), archive(start + data)):
        try:
            visit(load(file))
        except (*ERRORS, RecursionError):
            pass
