"""Files of PyTorch: read here, and files written here read there; whole modules by pickle."""

from __future__ import annotations

import collections
import copy
import fractions
import io
import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from both import both
from module_table import TABLE, Case, argument, flat, made
from support import raises
from tapegrad import nn

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch, which writes, is not installed")
DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64") + (
    *("float16", "bfloat16", "float32", "float64"),
)
FORMS = {"zip": {}, "legacy": {"_use_new_zipfile_serialization": False}}
forms = pytest.mark.parametrize("form", FORMS)


def written(lib: Any, obj: Any, **options: Any) -> io.BytesIO:
    """A file in PyTorch's format, by either library."""
    file = io.BytesIO()
    if lib is tg:
        options["pickle"] = True
    lib.save(obj, file, **options)
    file.seek(0)
    return file


def loaded(obj: Any, **options: Any) -> Any:
    """What this library reads of a file of PyTorch's."""
    return tg.load(written(torch, obj, **options))


def same(ours: Any, theirs: Any) -> bool:
    dtypes = str(ours.dtype).split(".")[1] == str(theirs.dtype).split(".")[1]
    form = (tuple(ours.shape), ours.stride()) == (tuple(theirs.shape), theirs.stride())
    a, b = ours.detach(), theirs.detach()
    return dtypes and form and a.double().tolist() == b.double().tolist()


# ---------------------------------------------------------------------- values


@pytest.mark.parametrize("name", ["by_torch_2.13.pt", "by_torch_2.13_legacy.pt"])
@pytest.mark.parametrize("options", [{}, {"weights_only": False}])
def test_files_written_elsewhere(name: str, options: Any) -> None:
    """PyTorch wrote these; it need not be installed."""
    back = tg.load(Path(__file__).with_name("files") / name, **options)
    weight, bias = back["model"].values()
    assert type(back["model"]) is collections.OrderedDict and type(bias) is nn.Parameter
    assert weight.tolist() == [[0, 1, 2], [3, 4, 5]] and bias.tolist() == [0.5, -1]
    assert back["column"].tolist() == [1, 4] and back["column"].stride() == (3,)
    weight.zero_()
    assert not back["column"].any()
    assert back["half"].dtype is tg.bfloat16 and back["half"].tolist() == [1.5, 2.5]
    assert back["mask"].tolist() == [True, False] and back["step"].item() == 7
    rest = {name: back[name] for name in ("lr", "names", "size", "dtype")}
    assert rest == {
        "lr": 0.1,
        "names": ["a", ("b", None)],
        "size": tg.Size([2]),
        "dtype": tg.float16,
    }


@needs_torch
@forms
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 0, 3), (2, 3, 4)])
def test_every_dtype_and_shape(form: str, dtype: str, shape: tuple[int, ...]) -> None:
    values = (torch.randn(shape) * 3).to(getattr(torch, dtype))
    assert same(loaded({"x": values}, **FORMS[form])["x"], values)


@needs_torch
@forms
def test_layouts_and_shared_memory(form: str) -> None:
    whole = torch.arange(24.0).reshape(2, 3, 4)
    parts = {
        "whole": whole,
        "view": whole[1],
        "strided": whole[:, ::2, 1::2],
        "transposed": whole.permute(2, 0, 1),
        "expanded": torch.ones(1, 3).expand(4, 3),
        "row": whole[1, 2],
        "other": whole.clone(),
        "empty": whole[:0],
    }
    back = loaded(parts, **FORMS[form])
    assert all(same(back[name], parts[name]) for name in parts)
    assert back["row"].storage_offset() == parts["row"].storage_offset() == 20
    back["whole"].zero_()
    assert not back["row"].any() and not back["transposed"].any() and back["other"].any()


@needs_torch
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_containers_and_numbers(protocol: int) -> None:
    values = {
        "numbers": [0, 1, -1, 255, 256, 65536, -(2**31), 2**31, 2**63, -(2**200), 2**3000, 0.5],
        "special": (float("inf"), -0.0, True, False, None, 1 + 2j),
        "texts": ["", "abc", "ä\ud800☃", "x" * 300, b"", b"\x00\xff", b"y" * 300, bytearray(b"z")],
        "nested": [[], (), {}, (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), {"a": {"b": [{}]}}],
        "sets": [{1, 2}, set(), frozenset({"a"}), frozenset()],
        "keys": {1: "a", None: "b", (1, ("x",)): "c", 2.5: "d", b"k": "e", False: "f"},
        "ordered": collections.OrderedDict(a=1, b=2),
        "counter": collections.Counter("abca"),
        "many": list(range(3000)),
        "size": torch.Size([2, 3]),
        "device": torch.device("cuda", 1),
        "dtypes": [getattr(torch, name) for name in DTYPES],
        "layout": torch.strided,
    }
    values["same"] = values["nested"]
    back = loaded(values, pickle_protocol=protocol)
    ours = {
        "size": tg.Size([2, 3]),
        "device": tg.device("cuda", 1),
        "dtypes": [getattr(tg, name) for name in DTYPES],
        "layout": tg.strided,
    }
    assert back == {**values, **ours} and list(back) == list(values)
    assert back["same"] is back["nested"]
    for name in ("counter", "ordered", "size"):
        assert type(back[name]) is type(ours.get(name, values[name]))


@needs_torch
def test_a_list_that_has_itself() -> None:
    chain: list[Any] = [1]
    chain.append(chain)
    back = loaded(chain)
    assert back[1] is back and back[0] == 1


@needs_torch
@forms
def test_parameters_and_attributes(form: str) -> None:
    p = torch.nn.Parameter(torch.ones(2), requires_grad=False)
    q = torch.nn.Parameter(torch.ones(2))
    q.kind = "odd"
    x = torch.ones(2, requires_grad=True)
    x.note = [1]
    back = loaded([p, q, x, torch.nn.Buffer(torch.ones(1)), x * 2], **FORMS[form])
    assert [type(v) for v in back[:3]] == [nn.Parameter, nn.Parameter, tg.Tensor]
    assert [v.requires_grad for v in back] == [False, True, True, False, True]
    assert back[1].kind == "odd" and back[2].note == [1] and all(v.is_leaf for v in back)


@needs_torch
@pytest.mark.filterwarnings("ignore:TypedStorage")
def test_storages() -> None:
    x = torch.arange(3.0)
    back = loaded([x.untyped_storage(), torch.zeros(2).long().storage()])
    assert isinstance(back[0], tg.UntypedStorage) and back[0].nbytes() == 12
    assert back[1].dtype is tg.int64 and back[1].tolist() == [0, 0]


@needs_torch
@pytest.mark.parametrize("protocol", [2, 4])
def test_numpy(protocol: int) -> None:
    values = [
        np.float64(0.1),
        np.int64(-3),
        np.bool_(True),
        np.arange(6, dtype=np.int16).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(3, dtype=">i4"),
        np.array([True, False]),
        np.array([1 + 2j]),
        np.zeros((0, 3), np.uint32),
        np.array(2.0, np.float16),
    ]
    back = loaded(values, pickle_protocol=protocol)
    for ours, value in zip(back, values, strict=True):
        kept = pickle.loads(pickle.dumps(value, protocol))  # NumPy gives arrays the native order
        assert type(ours) is type(value) and ours.dtype == kept.dtype
        assert np.array_equal(ours, value) and ours.shape == value.shape
    assert back[4].flags.f_contiguous


@needs_torch
def test_state_dicts_keep_their_metadata(tmp_path: Path) -> None:
    theirs = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    torch.save(theirs.state_dict(), tmp_path / "model.pt")
    state = tg.load(tmp_path / "model.pt")
    assert state._metadata == theirs.state_dict()._metadata
    ours = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    ours.load_state_dict(state)
    x = np.random.default_rng(0).standard_normal((4, 2)).astype(np.float32)
    a, b = ours(tg.from_numpy(x)), theirs(torch.from_numpy(x))
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), 1e-5, 1e-6)


@needs_torch
def test_the_other_byte_order() -> None:
    values = {name: torch.tensor([0, 1, 1]).to(getattr(torch, name)) for name in DTYPES}
    other = "big" if sys.byteorder == "little" else "little"
    file = changed(written(torch, values), swapped=other.encode())
    back = tg.load(file)
    assert all(same(back[name], values[name]) for name in DTYPES)


def changed(file: io.BytesIO, swapped: bytes) -> io.BytesIO:
    """The same file, as a machine of the other byte order has it."""
    result = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(result, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("byteorder"):
                data = swapped
            elif "/data/" in name:
                key = int(name.rpartition("/")[2])
                size = getattr(tg, DTYPES[key]).itemsize
                data = np.frombuffer(data, f"u{size}").byteswap().tobytes()
            new.writestr(name, data)
    result.seek(0)
    return result


@needs_torch
def test_files_without_checksums() -> None:
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        assert loaded([torch.ones(2)])[0].tolist() == [1, 1]
    finally:
        torch.serialization.set_crc32_options(before)


# ---------------------------------------------------------------------- paths, streams, mmap


@needs_torch
def test_paths_and_streams(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save({"x": torch.ones(2)}, path)
    for f in (path, str(path)):
        assert tg.load(f)["x"].tolist() == [1, 1]
    with open(path, "rb") as file:
        assert tg.load(file)["x"].tolist() == [1, 1]
    stream = io.BytesIO(b"front" + path.read_bytes())
    stream.seek(5)
    assert tg.load(stream)["x"].tolist() == [1, 1]

    class Reader:  # the least that a file has
        def __init__(self) -> None:
            file = io.BytesIO(path.read_bytes())
            self.read, self.seek, self.tell = file.read, file.seek, file.tell
            self.seekable = file.seekable

    assert tg.load(Reader())["x"].tolist() == [1, 1]


@pytest.mark.parametrize("options", [{}, {"pickle": True}], ids=["safetensors", "pickle"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_mapped_files(tmp_path: Path, options: Any, dtype: str) -> None:
    path = tmp_path / "a"
    values = tg.arange(1000).remainder(2).to(getattr(tg, dtype))
    state = {"x": values, "small": tg.ones(1, dtype=tg.int8), "e": tg.empty(0)}
    tg.save(state, path, **options)
    before = path.read_bytes()
    back = tg.load(path, mmap=True)
    assert all(tg.equal(back[name], state[name]) for name in state)
    back["x"].zero_()  # reaches this tensor alone
    del state, values
    assert not back["x"].any() and path.read_bytes() == before
    with raises(ValueError, "f must be a file path in order to use the mmap argument"):
        tg.load(io.BytesIO(before), mmap=True)


@needs_torch
def test_mapped_files_of_pytorch(tmp_path: Path) -> None:
    torch.save([torch.arange(5.0), torch.ones(3).bfloat16()], tmp_path / "a.pt")
    back = tg.load(tmp_path / "a.pt", mmap=True)
    assert back[0].tolist() == [0, 1, 2, 3, 4] and back[1].tolist() == [1, 1, 1]


# ---------------------------------------------------------------------- map_location


def cuda_file() -> io.BytesIO:
    """A file whose tensor lives on another device."""
    data = written(tg, [tg.ones(2)]).getvalue()
    from tapegrad._files import torch_zip
    from tapegrad._files.memory import Source

    pickled = torch_zip.Archive(Source(io.BytesIO(data))).pickle
    location = b"X\x03\x00\x00\x00cpu"
    assert location in pickled
    file = io.BytesIO()
    torch_zip.write(file, pickled.replace(location, b"X\x06\x00\x00\x00cuda:0"), [tg.ones(2)])
    file.seek(0)
    return file


def test_map_location() -> None:
    with raises(RuntimeError, "Attempting to deserialize object on a CUDA device"):
        tg.load(cuda_file())
    for place in (
        *("cpu", tg.device("cpu"), {"cuda:0": "cpu"}),
        *(lambda storage, location: storage, lambda storage, location: storage.cpu()),
    ):
        assert tg.load(cuda_file(), place)[0].tolist() == [1, 1]
        assert tg.load(cuda_file(), map_location=place, weights_only=False)[0].tolist() == [1, 1]
    for place in (None, {"cuda:1": "cpu"}, {"cuda:0": "cuda:1"}, lambda *_: None, "cuda"):
        with raises(RuntimeError, "Attempting to deserialize object on a CUDA device"):
            tg.load(cuda_file(), place)
    with raises(RuntimeError, "don't know how to restore data location"):
        tg.load(cuda_file(), {"cuda:0": "mps"})
    with raises(TypeError, "map_location must be"):
        tg.load(cuda_file(), 3)
    with raises(TypeError, "map_location must return a storage or None"):
        tg.load(cuda_file(), lambda storage, location: 3)


@pytest.mark.parametrize("options", [{}, {"pickle": True}], ids=["safetensors", "pickle"])
def test_functions_as_map_location(options: Any) -> None:
    seen = []

    def place(storage: Any, location: str) -> Any:
        seen.append((storage.nbytes(), location))
        other = storage.clone()
        return other.fill_(0)

    file = io.BytesIO()
    tg.save({"x": tg.ones(2), "n": 1}, file, **options)
    file.seek(0)
    assert tg.load(file, place)["x"].tolist() == [0, 0] and seen == [(8, "cpu")]

    class Own(Exception):
        pass

    def fails(storage: Any, location: str) -> Any:
        raise Own

    for error in (Own, KeyError, TypeError, RuntimeError):
        Own = error
        file.seek(0)
        with pytest.raises(error) as caught:
            tg.load(file, fails)
        assert type(caught.value) is error


# ---------------------------------------------------------------------- written here


def test_pickles_keep_everything() -> None:
    whole = tg.arange(6.0).reshape(2, 3)
    p = nn.Parameter(tg.ones(2))
    p.kind = "odd"
    t = tg.ones(2, requires_grad=True)
    t.note = 3
    values = {
        "whole": whole,
        "view": whole.t()[1:],
        "p": [p, nn.Parameter(tg.ones(1), False)],
        "t": t,
        "again": p,
        "array": np.arange(3),
        "scalar": np.float32(2),
        "types": [tg.float32, tg.Size([1]), tg.device("cpu"), {1, 2}, 2 + 1j],
        "storage": tg.ones(2).untyped_storage(),
        "half": tg.ones(2, dtype=tg.bfloat16),
    }
    for options in ({}, {"weights_only": False}):
        back = tg.load(written(tg, values), **options)
        assert list(back) == list(values) and back["types"] == values["types"]
        assert back["view"].stride() == (1, 3) and tg.equal(back["view"], values["view"])
        back["whole"].fill_(7)
        assert back["view"].tolist() == [[7, 7], [7, 7]]
        assert back["again"] is back["p"][0] and back["again"].kind == "odd"
        assert type(back["again"]) is nn.Parameter and back["t"].note == 3
        assert [x.requires_grad for x in (*back["p"], back["t"])] == [True, False, True]
        assert type(back["scalar"]) is np.float32 and back["array"].tolist() == [0, 1, 2]
        assert back["storage"].nbytes() == 8 and back["half"].dtype is tg.bfloat16


@needs_torch
def test_pytorch_reads_what_is_written_here(tmp_path: Path) -> None:
    ours = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    opt = tg.optim.Adam(ours.parameters())
    ours(tg.randn(5, 3)).sum().backward()
    opt.step()
    whole = tg.arange(6).reshape(2, 3)
    x = tg.ones(1)
    x.note = "n"
    checkpoint = {
        "model": ours.state_dict(),
        "optimizer": opt.state_dict(),
        "types": [tg.float32, tg.Size([1, 2]), tg.device("cpu"), nn.Parameter(tg.ones(1)), x],
        "views": [whole, whole.t()],
        **{name: tg.ones(2).to(getattr(tg, name)) for name in DTYPES},
        "empty": tg.empty(0, 3),
        "epoch": 3,
    }
    path = tmp_path / "a.pt"
    tg.save(checkpoint, path, pickle=True)
    for options in ({}, {"mmap": True}):
        back = torch.load(path, weights_only=True, **options)
        theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
        theirs.load_state_dict(back["model"])
        assert all(same(ours.state_dict()[k], v) for k, v in theirs.state_dict().items())
        torch.optim.Adam(theirs.parameters()).load_state_dict(back["optimizer"])
        kinds = [torch.float32, torch.Size([1, 2]), torch.device("cpu")]
        assert back["types"][:3] == kinds and isinstance(back["types"][3], torch.nn.Parameter)
        assert back["types"][4].note == "n"
        assert all(same(tg.ones(2).to(getattr(tg, n)), back[n]) for n in DTYPES)
        if not options:
            back["views"][0].zero_()
            assert not back["views"][1].any()
        assert back["empty"].shape == (0, 3) and back["epoch"] == 3


def test_large_records_and_alignment(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {f"{i}": tg.arange(100 * i).double() for i in range(4)}
    for limit in (2**31, 1000):  # from which on a record has sizes of 64 bits
        monkeypatch.setattr(zipfile, "ZIP64_LIMIT", limit)
        file = written(tg, values)
        back = tg.load(file)
        assert all(tg.equal(back[name], values[name]) for name in values)
        if torch is not None:
            file.seek(0)
            theirs = torch.load(file)
            assert all(same(values[name], theirs[name]) for name in values)
        content = file.getvalue()
        place = content.index(values["3"].numpy().tobytes())
        assert place % 64 == 0


def test_what_a_pickle_cannot_have() -> None:
    x = tg.ones(2)
    with raises(RuntimeError, "Cannot save multiple tensors or storages that view the same data"):
        written(tg, [x, x.view(tg.int32)])
    with pytest.raises((pickle.PicklingError, AttributeError)):
        written(tg, lambda: 0)
    with raises(ValueError, "tapegrad.save pickles with Python's own pickle"):
        tg.save(x, io.BytesIO(), pickle, pickle=True)
        tg.save(x, io.BytesIO(), copy, pickle=True)


def test_a_failed_save_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"kept")
    for options in ({}, {"pickle": True}):
        with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
            tg.save({"f": lambda: 0}, path, **options)
        assert path.read_bytes() == b"kept"


# ---------------------------------------------------------------------- whole modules


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.second = nn.Linear(3, 2)
        self.second.bias = self.first.bias if False else self.second.bias
        self.register_buffer("steps", tg.zeros(1, dtype=tg.int64))
        self.lazy = nn.LazyLinear(2)

    def forward(self, x: Any) -> Any:
        return self.second(self.first(x).relu())


def test_modules_are_pickled_when_asked() -> None:
    net = Net()
    net.first.weight.grad = tg.ones(3, 2)
    with raises(TypeError, "cannot save an object of type Net at ''"):
        tg.save(net, io.BytesIO())
    with pytest.raises(TypeError, match=r"save\(\.\.\., pickle=True\)"):
        tg.save({"net": net}, io.BytesIO())
    file = written(tg, net)
    back = tg.load(file, weights_only=False)
    x = tg.randn(4, 2)
    assert (
        type(back) is Net and tg.equal(back(x), net(x)) and nn.parameter.is_lazy(back.lazy.weight)
    )
    file.seek(0)
    with pytest.raises(pickle.UnpicklingError) as caught:
        tg.load(file)
    for text in ("Weights only load failed.", "weights_only=False", "trust", "add_safe_globals"):
        assert text in str(caught.value)


def test_safe_globals() -> None:
    from tapegrad.serialization import (
        add_safe_globals,
        clear_safe_globals,
        get_safe_globals,
        get_unsafe_globals_in_checkpoint,
        safe_globals,
    )

    file = written(tg, {"rate": fractions.Fraction(1, 3), "net": nn.Tanh()})
    names = ["fractions.Fraction", "tapegrad.nn.modules.activation.Tanh"]
    assert get_unsafe_globals_in_checkpoint(file) == names
    file.seek(0)
    with safe_globals([fractions.Fraction, nn.Tanh]):
        assert get_unsafe_globals_in_checkpoint(file) == []
        file.seek(0)
        back = tg.load(file)
        assert back["rate"] == fractions.Fraction(1, 3)
        assert back["net"](tg.zeros(1)).item() == 0
    assert get_safe_globals() == []
    file.seek(0)
    with pytest.raises(pickle.UnpicklingError, match=r"GLOBAL fractions\.Fraction"):
        tg.load(file)
    add_safe_globals([(dict, "fractions.Fraction")])
    try:
        assert get_safe_globals() == [(dict, "fractions.Fraction")]
    finally:
        clear_safe_globals()


@needs_torch
@forms
def test_modules_of_pytorch_when_trusted(form: str) -> None:
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.GELU())
    file = written(torch, {"model": theirs, "loss": np.float64(0.5)}, **FORMS[form])
    with pytest.raises(pickle.UnpicklingError, match=r"GLOBAL torch\.nn\.modules\.container"):
        tg.load(file)
    file.seek(0)
    back = tg.load(file, weights_only=False)
    x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    a, b = back["model"](tg.from_numpy(x)), theirs(torch.from_numpy(x))
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), 1e-5, 1e-6)
    file.seek(0)
    with tg.serialization.safe_globals([nn.Sequential, nn.Linear, nn.BatchNorm1d, nn.GELU]):
        assert isinstance(tg.load(file)["model"][0], nn.Linear)


# Whose attributes are others.
OTHERWISE = {"LinearCrossEntropyLoss"}
MODULES = [
    pytest.param(name, case, id=f"{name}-{number}")
    for name, cases in TABLE.items()
    if name not in OTHERWISE
    for number, case in enumerate(cases)
]


@needs_torch
@pytest.mark.parametrize(("name", "case"), MODULES)
def test_every_module_of_pytorch_when_trusted(name: str, case: Case) -> None:
    theirs = made(torch, name, case).eval()
    ours = tg.load(written(torch, theirs), weights_only=False)
    assert type(ours) is getattr(tg.nn, name)
    if case[2]:
        a, b = (
            flat(module(*(argument(lib, given, seed) for seed, given in enumerate(case[2]))))
            for lib, module in ((tg, ours), (torch, theirs))
        )
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x.detach().numpy(), y.detach().numpy(), 2e-5, 2e-5)


@both
def test_pickle_module(lib: Any) -> None:
    file = written(lib, {"x": fractions.Fraction(1, 2)})
    assert lib.load(file, pickle_module=pickle)["x"] == 0.5
    file.seek(0)
    with raises(RuntimeError, "Can not safely load weights when explicit pickle_module is specif"):
        lib.load(file, pickle_module=pickle, weights_only=True)


# ---------------------------------------------------------------------- what is not here


@needs_torch
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (lambda: torch.ones(2, dtype=torch.complex64), "tapegrad has no complex numbers"),
        (lambda: torch.ones(2, dtype=torch.uint16), "no integers without signs but uint8"),
        (lambda: torch.ones(2).to(torch.float8_e5m2), "no numbers of 8 bits but integers"),
        (lambda: torch.ones(2).to_sparse(), "tapegrad has no sparse tensors"),
        (
            lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
            "tapegrad has no quantised tensors",
        ),
    ],
    ids=["complex", "uint16", "float8", "sparse", "quantised"],
)
@pytest.mark.filterwarnings("ignore")
def test_tensors_that_are_not_here(value: Any, reason: str) -> None:
    with pytest.raises(pickle.UnpicklingError, match=reason):
        loaded([value()])


@needs_torch
@pytest.mark.filterwarnings("ignore")
def test_torchscript_is_refused() -> None:
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), file)
    file.seek(0)
    with pytest.raises(RuntimeError, match="a TorchScript archive"):
        tg.load(file)
