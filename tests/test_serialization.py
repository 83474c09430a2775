"""save and load: the safetensors format."""

import io
import json
import math
import struct

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import nn, optim

DTYPES = ["bool", "uint8", "int32", "int64", "float32", "float64"]


def through_file(obj):
    file = io.BytesIO()
    tg.save(obj, file)
    file.seek(0)
    return tg.load(file)


def raw(header, data=b""):
    """A file with the given header (a dict, or bytes as they are) and data."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return io.BytesIO(struct.pack("<Q", len(text)) + text + data)


def entry(dtype="F32", shape=(2,), begin=0, end=8):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
def test_every_dtype_and_shape(dtype, shape):
    count = math.prod(shape)
    values = (tg.arange(count).reshape(shape) % 2).to(getattr(tg, dtype))
    back = through_file({"x": values})["x"]
    assert back.dtype == values.dtype and back.shape == values.shape
    assert back.tolist() == values.tolist()


def test_special_values_and_layouts():
    x = tg.tensor([math.inf, -math.inf, math.nan, -0.0, 1e-45])
    back = through_file({"x": x})["x"].numpy()
    assert back.tobytes() == x.numpy().tobytes()
    matrix = tg.arange(12).reshape(3, 4)
    state = {"t": matrix.T, "s": matrix[:, 1::2], "e": tg.ones(1).expand(3)}
    loaded = through_file(state)
    assert all(tg.equal(loaded[key], state[key]) for key in state)


def test_state_dict_on_disk(tmp_path):
    path = tmp_path / "model.safetensors"
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    net.register_buffer("flags", tg.tensor([True, False, True]))
    tg.save(net.state_dict(), path)
    state = tg.load(str(path))
    assert list(state) == list(net.state_dict())
    assert not any(value.requires_grad for value in state.values())
    twin = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    twin.register_buffer("flags", tg.zeros(3, dtype=tg.bool))
    twin.load_state_dict(state)
    x = tg.randn(5, 3)
    assert tg.equal(net(x), twin(x)) and tg.equal(twin.flags, net.flags)
    state["flags"][0] = False  # what was loaded can be written to


def test_nested_structures():
    p = tg.zeros(2, requires_grad=True)
    p.grad = tg.ones(2)
    opt = optim.Adam([p])
    opt.step()
    checkpoint = {
        "epoch": 3,
        "best": math.inf,
        "name": "a",
        "none": None,
        "flag": True,
        "list": [1, (2.5, tg.ones(1))],
        "$tensor": "text",
        3: {"x.y": tg.zeros(1)},
        "x": {"y": tg.ones(2)},
        "optimizer": opt.state_dict(),
    }
    back = through_file(checkpoint)
    assert list(back) == list(checkpoint)
    for key in ("epoch", "best", "name", "none", "flag", "$tensor"):
        assert back[key] == checkpoint[key]
    assert back["list"][1][0] == 2.5 and back["list"][1][1].tolist() == [1.0]
    assert isinstance(back["list"][1], tuple)
    assert back[3]["x.y"].tolist() == [0.0] and back["x"]["y"].tolist() == [1.0, 1.0]
    assert back["optimizer"]["param_groups"] == checkpoint["optimizer"]["param_groups"]
    assert back["optimizer"]["state"][0]["step"].item() == 1.0
    assert tg.equal(through_file(p), tg.tensor(p.tolist()))
    assert through_file({}) == {} and through_file([]) == []


def test_names_do_not_clash():
    x, y = tg.zeros(1), tg.ones(1)
    back = through_file({"a.b": x, "a": {"b": y}, "__metadata__": x})
    assert back["a.b"].item() == 0 and back["a"]["b"].item() == 1
    assert back["__metadata__"].item() == 0


def test_what_cannot_be_saved():
    for obj, where in [({"a": {"b": object()}}, "a.b"), ([1, {2}], "1"), ({(1,): 2}, "")]:
        file = io.BytesIO()
        with pytest.raises(TypeError, match=f"cannot save .* at '{where}'"):
            tg.save(obj, file)
        assert file.getvalue() == b""


def test_files_of_any_origin():
    data = np.array([1.5, -2.0], "<f4").tobytes() + np.array([7], "<i8").tobytes()
    header = {
        "__metadata__": {"format": "pt"},
        "b": entry("I64", (1,), 8, 16),
        "a": entry("F32", (2,), 0, 8),
    }
    state = tg.load(raw(header, data))
    assert list(state) == ["b", "a"]
    assert state["a"].tolist() == [1.5, -2.0] and state["b"].tolist() == [7]


HUGE = 2**62
BAD_FILES = [
    (io.BytesIO(b"abc"), "too short"),
    (io.BytesIO(struct.pack("<Q", 10**9) + b"{}"), "too large"),
    (io.BytesIO(struct.pack("<Q", 2**64 - 1) + b"{}"), "too large"),
    (io.BytesIO(struct.pack("<Q", 100) + b"{}"), "does not fit"),
    (raw(b" {}"), "does not start with"),
    (raw(b"{"), "not JSON"),
    (raw(b'{"\xff": 1}'), "not JSON"),
    (raw(b'{"a":' + b"[" * 100_000), "not JSON"),
    (raw({"a": 3}), "exactly dtype, shape and data_offsets"),
    (raw({"a": {**entry(), "x": 1}}, b"\0" * 8), "exactly dtype, shape and data_offsets"),
    (raw({"a": entry("F8_E5M2", (8,))}, b"\0" * 8), "has the dtype 'F8_E5M2'; tapegrad can load"),
    (raw({"a": entry(["F32"])}, b"\0" * 8), "has the dtype"),
    (raw({"a": entry(shape=(-2,))}, b"\0" * 8), "has the shape"),
    (raw({"a": entry(shape=(2.0,))}, b"\0" * 8), "has the shape"),
    (raw({"a": entry(shape=(True, 2))}, b"\0" * 8), "has the shape"),
    (raw({"a": entry(shape=(1,) * 40 + (2,))}, b"\0" * 8), "has the shape"),
    (raw({"a": entry(shape=(HUGE, HUGE))}, b"\0" * 8), "but its shape and dtype need"),
    (raw({"a": entry(shape=(3,))}, b"\0" * 8), "but its shape and dtype need 12"),
    (raw({"a": entry(begin=8, end=0)}, b"\0" * 8), "but its shape and dtype need"),
    (raw({"a": entry(begin=-8, end=0)}, b"\0" * 8), "has the offsets"),
    (raw({"a": entry(begin="0")}, b"\0" * 8), "has the offsets"),
    (raw({"a": entry()}), "the tensors take 8 bytes, but there are 0"),
    (raw({"a": entry()}, b"\0" * 9), "the tensors take 8 bytes, but there are 9"),
    (raw({"a": entry(), "b": entry()}, b"\0" * 8), "overlaps another tensor"),
    (raw({"a": entry(begin=8, end=16)}, b"\0" * 16), "leaves a gap before it"),
    (raw(b'{"a":{},"a":{}}'), "a name occurs twice"),
    (raw({"__metadata__": {"a": 1}}), "not a dict of strings"),
    (raw({"a": entry("BOOL", (2,), 0, 2)}, b"\1\2"), "neither 0 nor 1"),
    (raw({"__metadata__": {"tapegrad.structure": '{"$tensor":"x"}'}}), "structure cannot be read"),
    (raw({"__metadata__": {"tapegrad.structure": "["}}), "structure cannot be read"),
]


@pytest.mark.parametrize(("file", "message"), BAD_FILES, ids=lambda v: v if type(v) is str else "")
def test_bad_files_are_refused(file, message):
    file.seek(0)
    with pytest.raises(ValueError, match=message):
        tg.load(file)


def test_huge_sizes_with_no_elements_do_not_crash():
    with pytest.raises(ValueError):
        tg.load(raw({"a": entry(shape=(HUGE, HUGE, 0), end=0)}))


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        tg.load(tmp_path / "nothing.safetensors")


def test_a_file_is_replaced_when_the_new_one_is_complete(tmp_path, monkeypatch):
    path, link = tmp_path / "state", tmp_path / "link"
    link.symlink_to(path)
    for pickle in (False, True):
        for place in (path, str(path), link):
            tg.save({"x": tg.ones(2)}, place, atomic=True, pickle=pickle)
            assert tg.load(path)["x"].tolist() == [1, 1] and link.is_symlink()

    def full(descriptor):
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        tg.save({"x": tg.zeros(2)}, path, atomic=True)
    assert tg.load(path)["x"].tolist() == [1, 1]
    assert sorted(tmp_path.iterdir()) == [link, path]  # nothing is left of the new one
    with pytest.raises(ValueError, match="f must be a file path in order to use the atomic"):
        tg.save({"x": tg.zeros(2)}, io.BytesIO(), atomic=True)


def test_other_implementations_read_and_write_the_same_files(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    arrays = {
        "w": np.arange(6, dtype=np.float32).reshape(2, 3),
        "f": np.array([True, False, True]),
        "n": np.array(5, dtype=np.int64),
        "d": np.linspace(0, 1, 3),
        "e": np.zeros((0, 4), np.int32),
    }
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    safetensors.save_file(arrays, theirs)
    loaded = tg.load(theirs)
    assert set(loaded) == set(arrays)
    tg.save({name: tg.tensor(value) for name, value in arrays.items()}, ours)
    back = safetensors.load_file(ours)
    for name, value in arrays.items():
        for other in (loaded[name].numpy(), back[name]):
            assert other.dtype == value.dtype and np.array_equal(other, value)
    tg.save({"nested": {"w": loaded["w"]}, "epoch": 1}, ours)
    assert np.array_equal(safetensors.load_file(ours)["nested.w"], arrays["w"])
