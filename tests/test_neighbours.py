"""Tensors and the arrays, columns and annotations of other libraries, each the real one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from support import raises

DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")


def example(dtype: str) -> Any:
    return tg.arange(6).reshape(2, 3).remainder(2).to(getattr(tg, dtype))


# ---------------------------------------------------------------------- DLPack


@pytest.mark.parametrize("dtype", [*DTYPES, "bfloat16"])
def test_torch_shares_memory_both_ways(dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    ours = example(dtype)[:, 1:]
    theirs = torch.from_dlpack(ours)
    assert theirs.dtype is getattr(torch, dtype) and theirs.stride() == ours.stride()
    assert theirs.data_ptr() == ours.data_ptr()
    theirs.zero_()
    assert not ours.any()
    back = tg.from_dlpack(theirs.t())
    assert back.dtype is ours.dtype and tuple(back.shape) == (2, 2)
    back.fill_(1)
    assert bool(ours.all()) and bool(theirs.all())
    with raises(BufferError):
        torch.from_dlpack(tg.ones(2, requires_grad=True))


@pytest.mark.parametrize("dtype", [*DTYPES, "bfloat16"])
def test_jax_both_ways(dtype: str) -> None:
    jax = pytest.importorskip("jax", reason="needs JAX")
    if dtype in ("int64", "float64"):
        pytest.skip("JAX has 64 bits only when told at its start")
    ours = example(dtype)
    theirs = jax.numpy.from_dlpack(ours)
    assert theirs.dtype.name == dtype and theirs.tolist() == ours.tolist()
    back = tg.from_dlpack(jax.numpy.flip(theirs).ravel()[::-1].reshape(2, 3))
    assert back.dtype is ours.dtype and back.tolist() == ours.tolist()
    assert float(jax.jit(lambda x: x.sum())(theirs)) == ours.double().sum().item()


@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_both_ways(dtype: str) -> None:
    ours = example(dtype).t()
    theirs = np.from_dlpack(ours)
    assert theirs.dtype.name == dtype and theirs.ctypes.data == ours.data_ptr()
    array = np.ascontiguousarray(theirs)
    back = tg.from_dlpack(array)
    back.zero_()
    assert not array.any() and back.dtype is ours.dtype


def test_arrays_of_devices_are_refused() -> None:
    """What CuPy's arrays are to a library on the CPU."""

    class OnDevice:
        def __dlpack_device__(self) -> tuple[int, int]:
            return (2, 0)

        def __dlpack__(self, **kwargs: Any) -> Any:
            raise AssertionError("it is asked for its device first")

    with raises(BufferError, "from_dlpack takes tensors on the CPU"):
        tg.from_dlpack(OnDevice())
    with raises(BufferError, "tensors are exported to the CPU"):
        tg.ones(2).__dlpack__(dl_device=(2, 0))


def test_the_protocol_as_others_ask_for_it() -> None:
    """With a stream, versions of the protocol, a device and copies, as CuPy and others ask."""
    ours = example("float32")

    class Asks:
        def __init__(self, **how: Any) -> None:
            self.how = how

        def __dlpack_device__(self) -> Any:
            return ours.__dlpack_device__()

        def __dlpack__(self, **kwargs: Any) -> Any:
            return ours.__dlpack__(**self.how)

    assert ours.__dlpack_device__() == (1, 0)
    for how in (
        *({}, {"stream": None}, {"max_version": (0, 8)}, {"max_version": (1, 0)}),
        *({"max_version": (1, 1), "dl_device": (1, 0), "copy": False}, {"copy": None}),
    ):
        back = tg.from_dlpack(Asks(**how))
        assert back.data_ptr() == ours.data_ptr() and tg.equal(back, ours)
    apart = tg.from_dlpack(Asks(copy=True, max_version=(1, 0)))
    assert apart.data_ptr() != ours.data_ptr() and tg.equal(apart, ours)


# ---------------------------------------------------------------------- einops, jaxtyping


def test_einops() -> None:
    pytest.importorskip("einops", reason="needs einops")
    from einops.array_api import pack, rearrange, reduce, repeat, unpack

    x = tg.arange(24.0).reshape(2, 3, 4).requires_grad_()
    y = rearrange(x, "b h (w two) -> (b two) w h", two=2)
    want = np.arange(24.0).reshape(2, 3, 2, 2).transpose(0, 3, 2, 1).reshape(4, 2, 3)
    assert isinstance(y, tg.Tensor) and np.array_equal(y.detach().numpy(), want)
    means = reduce(x, "b h w -> b 1 w", "mean")
    assert means.shape == (2, 1, 4) and np.allclose(
        means.detach().numpy(), x.detach().numpy().mean(1, keepdims=True)
    )
    means.sum().backward()
    assert tg.allclose(x.grad, tg.full_like(x, 1 / 3))
    assert repeat(x, "b h w -> b (h 2) w").shape == (2, 6, 4)
    packed, shapes = pack([x, x[:, :, 0]], "b *")
    first, second = unpack(packed, shapes, "b *")
    assert packed.shape == (2, 15) and tg.equal(first, x) and tg.equal(second, x[:, :, 0])


def test_jaxtyping_annotations() -> None:
    jaxtyping = pytest.importorskip("jaxtyping", reason="needs jaxtyping")
    Float, Int, Bool = jaxtyping.Float, jaxtyping.Int, jaxtyping.Bool
    x = tg.ones(2, 3)
    assert isinstance(x, Float[tg.Tensor, "batch features"])
    assert isinstance(x, jaxtyping.Float32[tg.Tensor, "2 3"])
    assert not isinstance(x, Float[tg.Tensor, "batch"])
    assert not isinstance(x, jaxtyping.Float64[tg.Tensor, "2 3"])
    assert not isinstance(x, Int[tg.Tensor, "2 3"])
    assert isinstance(x.long(), Int[tg.Tensor, "*any"])
    assert isinstance(x > 0, Bool[tg.Tensor, "... 3"])
    assert isinstance(x.bfloat16(), jaxtyping.BFloat16[tg.Tensor, "2 3"])
    assert isinstance(tg.nn.Parameter(x), Float[tg.nn.Parameter, "2 3"])

    def fits(a: Any, b: Any) -> bool:
        """Sizes of the same name agree within a context."""
        with jaxtyping.jaxtyped("context"):
            first = isinstance(a, Float[tg.Tensor, "n k"])
            return first and isinstance(b, Float[tg.Tensor, "k m"])

    assert fits(x, x.T) and not fits(x, x)


# ---------------------------------------------------------------------- columns


def test_columns_of_pandas() -> None:
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    frame = pandas.DataFrame({"a": [1.0, 2.0, 3.0], "n": [1, 2, 3], "b": [True, False, True]})
    for make in (tg.tensor, tg.as_tensor, tg.asarray):
        assert make(frame["a"]).tolist() == [1, 2, 3]
        assert make(frame["n"]).dtype is tg.int64 and make(frame["n"]).tolist() == [1, 2, 3]
        assert make(frame["b"]).dtype is tg.bool
        assert make(frame["a"][frame["b"]]).tolist() == [1, 3]  # whose index has a gap
        assert make(frame["n"].to_numpy()).tolist() == [1, 2, 3]
    rows = tg.tensor(frame[["a", "n"]].to_numpy(np.float32, copy=True))
    assert rows.tolist() == [[1, 1], [2, 2], [3, 3]] and rows.dtype is tg.float32
    table = pandas.DataFrame({"y": tg.arange(3.0), "z": tg.tensor([1, 2, 3]).numpy()})
    assert table["y"].tolist() == [0, 1, 2]
    data = tg.utils.data.TensorDataset(rows, tg.tensor(frame["n"]))
    assert [len(batch[0]) for batch in tg.utils.data.DataLoader(data, 2)] == [2, 1]


def test_columns_of_polars() -> None:
    polars = pytest.importorskip("polars", reason="needs polars")
    frame = polars.DataFrame({"a": [1.0, 2.0, 3.0], "n": [1, 2, 3], "b": [True, False, True]})
    for make in (tg.tensor, tg.as_tensor, tg.asarray):
        assert make(frame["a"]).tolist() == [1, 2, 3]
        assert make(frame["n"]).dtype is tg.int64 and make(frame["n"]).tolist() == [1, 2, 3]
        assert make(frame["b"]).tolist() == [True, False, True]
        assert make(frame["a"].to_numpy()).dtype is tg.float64
    rows = tg.tensor(frame.select("a", "n").to_numpy())
    assert rows.tolist() == [[1, 1], [2, 2], [3, 3]]
    assert polars.Series("y", tg.arange(3.0).numpy()).to_list() == [0, 1, 2]
    assert polars.DataFrame({"y": tg.arange(3).numpy()})["y"].sum() == 3


@pytest.mark.parametrize("name", ["pandas", "polars"])
def test_tables_as_a_whole_are_refused(name: str) -> None:
    table = pytest.importorskip(name, reason=f"needs {name}").DataFrame({"a": [1.0, 2.0]})
    for make in (tg.tensor, tg.as_tensor):
        with pytest.raises(ValueError, match="DataFrame"):
            make(table)
