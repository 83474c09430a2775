"""What programs name beside tensors: devices, switches, mixed precision, compilation, profilers."""

from __future__ import annotations

import contextlib
import copy
import inspect
import json
import math
import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import tapegrad as tg
from both import both
from support import raises

# ---------------------------------------------------------------------------- devices


@both
def test_devices_are_values(lib: Any) -> None:
    device = lib.device
    assert repr(device("cuda")) == "device(type='cuda')"
    assert repr(device("cuda", 1)) == repr(device("cuda:1")) == "device(type='cuda', index=1)"
    assert str(device("cuda:2")) == "cuda:2" and device("mps").type == "mps"
    assert device("cuda").index is None and device("cpu:1").index == 1
    assert device("cuda:1") == device(device("cuda:1")) == device(type="cuda", index=1)
    assert device("cuda") != device("cuda:0") and device("cpu") != "cpu"
    assert len({device("cuda"), device("cuda"), device("meta")}) == 2
    assert pickle.loads(pickle.dumps(device("cuda:1"))) == device("cuda:1")
    assert copy.deepcopy(device("mps")) == device("mps")
    assert device("cuda" if lib.cuda.is_available() else "cpu") == lib.zeros(1).device


@both
@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (("gpu",), RuntimeError, "Expected one of cpu, cuda, ipu, xpu, "),
        (("",), RuntimeError, "Device string must not be empty"),
        (("cuda:x",), RuntimeError, "Invalid device string: 'cuda:x'"),
        (("cuda:01",), RuntimeError, "Invalid device string: 'cuda:01'"),
        (("cuda:",), RuntimeError, "Invalid device string: 'cuda:'"),
        (("cpu", -1), RuntimeError, "Device index must not be negative"),
        (("cuda:0", 1), RuntimeError, "type (string) must not include an index because"),
        ((0,), RuntimeError, "Cannot access accelerator device when none is available."),
        ((1.0,), TypeError, "device()"),
        ((None,), TypeError, "device()"),
        ((), TypeError, ""),
    ],
)
def test_what_is_no_device(lib: Any, arguments: Any, kind: Any, message: str) -> None:
    with raises(kind, message, lib):
        lib.device(*arguments)


@both
def test_tensors_stay_on_the_cpu(lib: Any) -> None:
    x = lib.ones(2)
    for to_cpu in ("cpu", "cpu:0", lib.device("cpu"), lib.device("cpu", 0)):
        assert x.to(to_cpu, non_blocking=True).device.type == "cpu"
        assert lib.nn.Linear(1, 1).to(to_cpu).weight.device == lib.device("cpu")
    with lib.device("cpu"):
        assert lib.zeros(1).device.type == "cpu"
    assert x.get_device() == lib.get_device(x) == -1
    assert x.layout is lib.strided and isinstance(x.layout, lib.layout)
    for name in ("cuda", "xpu", "mps", "meta", "mkldnn", "sparse", "quantized", "nested"):
        assert getattr(x, f"is_{name}") is False
    assert not x.is_pinned() and not x.is_shared()


WORDS = "tapegrad not compiled with CUDA enabled. This package runs on the CPU only."


@both
@pytest.mark.parametrize(
    "call",
    [
        lambda lib: lib.ones(2).cuda(),
        lambda lib: lib.ones(2).to("cuda"),
        lambda lib: lib.ones(2).to(lib.device("cuda:0"), lib.float64),
        lambda lib: lib.ones(2).to(device="cuda", non_blocking=True),
        lambda lib: lib.nn.Linear(1, 1).cuda(),
        lambda lib: lib.nn.Linear(1, 1).to("cuda"),
        lambda lib: lib.zeros(2, device="cuda"),
        lambda lib: lib.zeros(2, device=lib.device("cuda:1")),
        lambda lib: lib.tensor([1.0], device="cuda"),
        lambda lib: lib.cuda.current_device(),
        lambda lib: lib.cuda.get_device_name(0),
        lambda lib: lib.cuda.synchronize(),
        lambda lib: lib.cuda.Event(enable_timing=True),
        lambda lib: lib.cuda.Stream(),
        lambda lib: lib.ones(2).type("tapegrad.cuda.FloatTensor".replace("tapegrad", lib.__name__)),
        lambda lib: lib.ones(2).type(lib.cuda.FloatTensor),
        lambda lib: lib.cuda.device(0).__enter__(),
    ],
)
def test_what_needs_a_gpu(lib: Any, call: Any) -> None:
    with pytest.raises((RuntimeError, AssertionError)) as caught:
        call(lib)
    if lib is tg:
        assert "This package runs on the CPU only." in str(caught.value)


# Arguments of modules, by their names.
SIZES = {
    "normalized_shape": 2,
    "num_groups": 1,
    "cutoffs": [2],
    "n_classes": 6,
    "dim_feedforward": 4,
}


def takes_device(name: str) -> bool:
    module = getattr(tg.nn, name)
    is_module = isinstance(module, type) and issubclass(module, tg.nn.Module)
    return is_module and "device" in inspect.signature(module).parameters and "Base" not in name


@both
@pytest.mark.parametrize("name", filter(takes_device, tg.nn.__all__))
def test_modules_on_other_devices(lib: Any, name: str) -> None:
    parameters = inspect.signature(getattr(tg.nn, name)).parameters.values()
    needed = {
        p.name: SIZES.get(p.name, 2)
        for p in parameters
        if p.default is p.empty or p.name == "affine"
    }
    with pytest.raises((RuntimeError, AssertionError)):
        getattr(lib.nn, name)(**needed, device="cuda")
    assert getattr(lib.nn, name)(**needed, device="cpu")


def test_the_error_is_that_of_pytorch_and_a_runtime_error() -> None:
    for kind in (RuntimeError, AssertionError):
        with raises(kind, WORDS):
            tg.ones(2).cuda()
    with raises(RuntimeError, WORDS):
        tg.FloatTensor(2, device="cuda")
    with raises(RuntimeError, WORDS), tg.device("cuda"):
        pass
    with raises(RuntimeError, WORDS):
        tg.set_default_device("cuda")


@both
def test_numbers_of_devices_and_pinned_memory(lib: Any) -> None:
    message = "Cannot access accelerator device when none is available."
    calls = (
        lambda: lib.ones(2).to(0),
        lambda: lib.nn.Linear(1, 1).to(0),
        lambda: lib.ones(2).pin_memory(),
        lambda: lib.accelerator.current_device_index(),
        lambda: lib.accelerator.synchronize(),
    )
    for call in calls:
        with raises(RuntimeError, message):
            call()


@both
def test_default_device(lib: Any) -> None:
    for device in ("cpu", lib.device("cpu"), None):
        lib.set_default_device(device)
        assert lib.get_default_device() == lib.device("cpu")
    with raises(RuntimeError, "Expected one of cpu, cuda"):
        lib.set_default_device("gpu")
    assert lib.get_device_module("cuda") is lib.cuda


@both
@pytest.mark.filterwarnings("ignore:torch.set_default_tensor_type")
def test_modules_of_devices(lib: Any) -> None:
    cuda = lib.cuda
    assert cuda.is_available() is False and cuda.device_count() == 0
    assert cuda.is_bf16_supported() is False and cuda.is_initialized() is False
    assert cuda.manual_seed(1) is cuda.manual_seed_all(1) is cuda.seed_all() is None
    assert cuda.empty_cache() is None
    for name in ("memory_allocated", "max_memory_allocated", "memory_reserved"):
        assert getattr(cuda, name)() == getattr(cuda, name)("cuda:0") == 0
    assert cuda.get_rng_state_all() == [] and cuda.memory_stats() == {}
    assert issubclass(cuda.OutOfMemoryError, RuntimeError)
    with cuda.device(-1), cuda.device_of(lib.ones(1)), cuda.stream(None):
        pass
    assert not isinstance(lib.ones(1), cuda.FloatTensor)
    with pytest.raises((RuntimeError, TypeError)):
        lib.set_default_tensor_type(cuda.FloatTensor)
    with raises(TypeError, "type tapegrad.cuda.LongTensor not available. ", lib):
        cuda.LongTensor([1])
    assert not lib.xpu.is_available() and lib.xpu.device_count() == 0
    assert not lib.mps.is_available() and lib.mps.device_count() == 0
    assert lib.mps.manual_seed(0) is None
    assert lib.cpu.is_available() and lib.cpu.device_count() == 1
    assert lib.cpu.current_device() == "cpu" and lib.cpu.synchronize() is None
    accelerator = lib.accelerator
    assert not accelerator.is_available() and accelerator.device_count() == 0
    assert accelerator.current_accelerator() is None
    assert accelerator.current_accelerator(check_available=True) is None


@both
def test_backends(lib: Any) -> None:
    backends = lib.backends
    cudnn = backends.cudnn
    assert not cudnn.is_available() and cudnn.version() is None
    assert cudnn.enabled is True and cudnn.benchmark is False
    for name in ("benchmark", "deterministic", "enabled", "allow_tf32"):
        before = getattr(cudnn, name)
        setattr(cudnn, name, not before)
        assert getattr(cudnn, name) is not before
        setattr(cudnn, name, before)
    with cudnn.flags(enabled=False, deterministic=True):
        assert cudnn.enabled is False and cudnn.deterministic is True
    assert cudnn.enabled is True and cudnn.deterministic is False
    backends.cuda.matmul.allow_tf32 = False
    assert backends.cuda.matmul.allow_tf32 is False
    with pytest.raises(AttributeError):
        backends.cuda.matmul.nothing = 1
    assert not backends.cuda.is_built()
    backends.cuda.enable_flash_sdp(False)
    assert not backends.cuda.flash_sdp_enabled() and backends.cuda.math_sdp_enabled()
    backends.cuda.enable_flash_sdp(True)
    assert not backends.mps.is_available() and not backends.mps.is_built()
    assert backends.openmp.is_available() and backends.mkldnn.enabled
    assert backends.cpu.get_cpu_capability() in ("AVX512", "AVX2", "DEFAULT")


@both
def test_modules_for_several_devices(lib: Any) -> None:
    layer = lib.nn.Linear(2, 1)
    model = lib.nn.DataParallel(layer)
    assert model.module is layer and list(model.state_dict()) == ["module.weight", "module.bias"]
    x = lib.ones(3, 2)
    assert model(x).equal(layer(x)) and model(input=x).equal(layer(x))
    assert isinstance(model, lib.nn.parallel.DataParallel)
    assert not lib.distributed.is_initialized()


def test_what_distributed_has_not() -> None:
    with raises(AttributeError, "module 'tapegrad.distributed' has no attribute 'DeviceMesh'. "):
        tg.distributed.DeviceMesh  # type: ignore[attr-defined]


# ---------------------------------------------------------------------------- switches


@both
def test_determinism(lib: Any) -> None:
    assert not lib.are_deterministic_algorithms_enabled()
    lib.use_deterministic_algorithms(True)
    assert lib.are_deterministic_algorithms_enabled()
    assert lib.get_deterministic_debug_mode() == 2
    lib.use_deterministic_algorithms(True, warn_only=True)
    assert lib.is_deterministic_algorithms_warn_only_enabled()
    lib.set_deterministic_debug_mode("default")
    assert not lib.are_deterministic_algorithms_enabled()
    with raises(RuntimeError, "invalid value of debug_mode, expected one of `default`, `warn`"):
        lib.set_deterministic_debug_mode("other")
    with raises(RuntimeError, "invalid value of debug_mode, expected 0, 1, or 2, but got 3"):
        lib.set_deterministic_debug_mode(3)
    with pytest.raises(TypeError):
        lib.use_deterministic_algorithms(1)


@both
def test_precision_threads_and_warnings(lib: Any) -> None:
    assert lib.get_float32_matmul_precision() == "highest"
    lib.set_float32_matmul_precision("high")
    assert lib.get_float32_matmul_precision() == "high"
    lib.set_float32_matmul_precision("highest")
    with pytest.warns(UserWarning, match="other is not one of 'highest', 'high', or 'medium'"):
        lib.set_float32_matmul_precision("other")
    assert lib.get_num_interop_threads() > 0
    with raises(RuntimeError, "set_num_interop_threads expects a positive integer"):
        lib.set_num_interop_threads(0)
    assert lib.set_flush_denormal(False) is True
    assert lib.is_warn_always_enabled() is False


@both
def test_constants_and_names(lib: Any) -> None:
    assert (lib.e, lib.pi, lib.inf) == (math.e, math.pi, math.inf)
    assert math.isnan(lib.nan) and lib.newaxis is None
    assert lib.ones(2)[:, lib.newaxis].shape == (2, 1)
    assert lib.is_storage(lib.ones(1)) is False
    name = lib.__name__
    assert lib.typename(lib.ones(1)) == f"{name}.FloatTensor"
    assert lib.typename(lib.nn.Linear(1, 1)) == f"{name}.nn.modules.linear.Linear"
    assert lib.typename(lib.nn.Linear) == f"{name}.nn.modules.linear.Linear"
    assert lib.typename(1) == "int" and lib.typename(lib) == name


FLOATS = ["bfloat16", "float16", "float32", "float64"]
INTS = ["uint8", "int8", "int16", "int32", "int64"]


@both
@pytest.mark.parametrize(
    ("dtype", "text"),
    [
        (
            "float64",
            "finfo(resolution=1e-15, min=-1.79769e+308, max=1.79769e+308, eps=2.22045e-16, "
            "smallest_normal=2.22507e-308, tiny=2.22507e-308, dtype=float64)",
        ),
        (
            "float32",
            "finfo(resolution=1e-06, min=-3.40282e+38, max=3.40282e+38, eps=1.19209e-07, "
            "smallest_normal=1.17549e-38, tiny=1.17549e-38, dtype=float32)",
        ),
        (
            "float16",
            "finfo(resolution=0.001, min=-65504, max=65504, eps=0.000976562, "
            "smallest_normal=6.10352e-05, tiny=6.10352e-05, dtype=float16)",
        ),
        (
            "bfloat16",
            "finfo(resolution=0.01, min=-3.38953e+38, max=3.38953e+38, eps=0.0078125, "
            "smallest_normal=1.17549e-38, tiny=1.17549e-38, dtype=bfloat16)",
        ),
    ],
)
def test_finfo(lib: Any, dtype: str, text: str) -> None:
    info = lib.finfo(getattr(lib, dtype))
    assert repr(info) == text
    assert info.bits == 8 * getattr(lib, dtype).itemsize and info.dtype == dtype
    one = lib.tensor(1.0, dtype=getattr(lib, dtype))
    assert (one + info.eps - 1).item() == info.eps and (one + info.eps / 2 - 1).item() == 0
    assert (one * info.max).isfinite() and (one * info.max * 1.01).isinf()
    assert info == lib.finfo(getattr(lib, dtype))
    assert all(info != lib.finfo(getattr(lib, other)) for other in FLOATS if other != dtype)


@both
def test_iinfo_and_errors(lib: Any) -> None:
    for dtype in INTS:
        info = lib.iinfo(getattr(lib, dtype))
        assert info.bits == 8 * getattr(lib, dtype).itemsize and info.dtype == dtype
        for value in (info.min, info.max):
            assert lib.tensor(value, dtype=getattr(lib, dtype)).item() == value
    assert repr(lib.iinfo(lib.int8)) == "iinfo(min=-128, max=127, dtype=int8)"
    assert repr(lib.iinfo(lib.int64)) == "iinfo(min=-9.22337e+18, max=9.22337e+18, dtype=int64)"
    assert lib.finfo().dtype == "float32" and lib.finfo(float).dtype == "float64"
    with raises(TypeError, "tapegrad.finfo() requires a floating point input type.", lib):
        lib.finfo(lib.int8)
    with raises(TypeError, "tapegrad.iinfo() requires an integer input type.", lib):
        lib.iinfo(lib.float32)
    with raises(TypeError, "tapegrad.bool is not supported by tapegrad.iinfo", lib):
        lib.iinfo(lib.bool)


@both
def test_random_state(lib: Any) -> None:
    lib.random.manual_seed(3)
    assert lib.random.initial_seed() == 3
    state = lib.random.get_rng_state()
    with lib.random.fork_rng(devices=[]):
        inside = lib.rand(3)
    assert lib.rand(3).equal(inside)
    lib.random.set_rng_state(state)
    with lib.random.fork_rng(enabled=False, devices=[]):
        assert lib.rand(3).equal(inside)
    assert not lib.rand(3).equal(inside)


# ---------------------------------------------------------------------------- compilation


@both
def test_compilation_that_is_asked_about(lib: Any) -> None:
    assert not lib.compiler.is_compiling() and not lib.jit.is_scripting()
    assert not lib.jit.is_tracing()

    @lib.compiler.disable
    def one(x: Any) -> Any:
        return x + 1

    @lib.compiler.disable(recursive=False)
    def two(x: Any) -> Any:
        return x + 2

    @lib.jit.ignore
    def three(x: Any) -> Any:
        return x + 3

    @lib.jit.unused
    def four(x: Any) -> Any:
        return x + 4

    assert [f(lib.ones(1)).item() for f in (one, two, three, four)] == [2, 3, 4, 5]
    assert lib.jit.annotate(list[int], [1]) == [1]


def test_functions_and_modules_are_given_back() -> None:
    def double(x: Any) -> Any:
        return 2 * x

    layer = tg.nn.Linear(2, 1)
    for given in (double, layer):
        assert tg.compile(given, disable=True) is tg.compile(backend="eager")(given) is given
        assert tg.jit.script(given) is tg.jit.trace(given, tg.ones(2)) is given
    for decorator in (tg.jit.export, tg.jit.script_if_tracing, tg.jit.ignore(drop=True)):
        assert decorator(double) is double
    start = "module 'tapegrad.jit' has no attribute 'CompilationUnit'. tapegrad"
    with raises(AttributeError, start):
        tg.jit.CompilationUnit  # type: ignore[attr-defined]


# ---------------------------------------------------------------------------- mixed precision


def dtypes_under_autocast(lib: Any, call: Any, dtype: str) -> str:
    with lib.autocast("cpu"):
        return str(call(lib, getattr(lib, dtype)).dtype).rpartition(".")[2]


def rand(lib: Any, *size: int, dtype: Any = None) -> Any:
    return lib.rand(*size, dtype=lib.float64).to(dtype or lib.float32) + 0.125


PRODUCTS: dict[str, Any] = {
    "mm": lambda lib, d: lib.mm(rand(lib, 3, 3, dtype=d), rand(lib, 3, 3)),
    "@": lambda lib, d: rand(lib, 2, 3, 3, dtype=d) @ rand(lib, 3, 3),
    "bmm": lambda lib, d: lib.bmm(rand(lib, 2, 3, 3, dtype=d), rand(lib, 2, 3, 3)),
    "addmm": lambda lib, d: lib.addmm(rand(lib, 3), rand(lib, 2, 3, dtype=d), rand(lib, 3, 3)),
    "baddbmm": lambda lib, d: lib.baddbmm(
        rand(lib, 1, 3, 3), rand(lib, 2, 3, 3, dtype=d), rand(lib, 2, 3, 3)
    ),
    "linear": lambda lib, d: lib.nn.Linear(3, 2)(rand(lib, 4, 3, dtype=d)),
    "einsum": lambda lib, d: lib.einsum("ij,jk->ik", rand(lib, 3, 3, dtype=d), rand(lib, 3, 3)),
    "conv1d": lambda lib, d: lib.nn.Conv1d(2, 2, 3)(rand(lib, 1, 2, 8, dtype=d)),
    "conv2d": lambda lib, d: lib.nn.Conv2d(2, 2, 3)(rand(lib, 1, 2, 8, 8, dtype=d)),
    "conv_transpose2d": lambda lib, d: lib.nn.ConvTranspose2d(2, 2, 3)(
        rand(lib, 1, 2, 8, 8, dtype=d)
    ),
    "prelu": lambda lib, d: lib.nn.PReLU()(rand(lib, 3, dtype=d)),
    "attention": lambda lib, d: lib.nn.functional.scaled_dot_product_attention(
        *(rand(lib, 1, 2, 4, 4, dtype=d) for _ in range(3))
    ),
    "multihead": lambda lib, d: lib.nn.MultiheadAttention(4, 2)(
        *(rand(lib, 3, 1, 4, dtype=d) for _ in range(3))
    )[0],
    "lstm": lambda lib, d: lib.nn.LSTM(4, 2)(rand(lib, 3, 1, 4, dtype=d))[0],
    "rnn": lambda lib, d: lib.nn.RNN(4, 2)(rand(lib, 3, 1, 4, dtype=d))[0],
}
IN_FLOAT32: dict[str, Any] = {
    "prod": lambda lib, d: rand(lib, 3, dtype=d).prod(),
    "trace": lambda lib, d: rand(lib, 3, 3, dtype=d).trace(),
    "quantile": lambda lib, d: rand(lib, 3, dtype=d).quantile(0.5),
    "cdist": lambda lib, d: lib.cdist(*(rand(lib, 3, 3, dtype=d) for _ in range(2))),
    "mse": lambda lib, d: lib.nn.functional.mse_loss(*(rand(lib, 3, dtype=d) for _ in range(2))),
    "l1": lambda lib, d: lib.nn.functional.l1_loss(*(rand(lib, 3, dtype=d) for _ in range(2))),
    "cross_entropy": lambda lib, d: lib.nn.functional.cross_entropy(
        rand(lib, 3, 4, dtype=d), lib.tensor([0, 1, 2])
    ),
    "nll": lambda lib, d: lib.nn.functional.nll_loss(
        rand(lib, 3, 4, dtype=d), lib.tensor([0, 1, 2])
    ),
    "bce_logits": lambda lib, d: lib.nn.functional.binary_cross_entropy_with_logits(
        *(rand(lib, 3, dtype=d) for _ in range(2))
    ),
    "inverse": lambda lib, d: lib.inverse(lib.eye(3, dtype=d)),
    "eigvalsh": lambda lib, d: lib.linalg.eigvalsh(lib.eye(3, dtype=d)),
    "reflect": lambda lib, d: lib.nn.functional.pad(
        rand(lib, 1, 2, 8, dtype=d), (1, 1), mode="reflect"
    ),
    "avg_pool3d": lambda lib, d: lib.nn.functional.avg_pool3d(rand(lib, 1, 2, 4, 4, 4, dtype=d), 2),
}
AS_GIVEN: dict[str, Any] = {
    "softmax": lambda lib, d: rand(lib, 3, dtype=d).softmax(0),
    "exp": lambda lib, d: rand(lib, 3, dtype=d).exp(),
    "sum": lambda lib, d: rand(lib, 3, dtype=d).sum(),
    "mean": lambda lib, d: rand(lib, 3, dtype=d).mean(),
    "norm": lambda lib, d: rand(lib, 3, dtype=d).norm(),
    "gelu": lambda lib, d: lib.nn.GELU()(rand(lib, 3, dtype=d)),
    "layer_norm": lambda lib, d: lib.nn.LayerNorm(3)(rand(lib, 2, 3, dtype=d)),
    "batch_norm": lambda lib, d: lib.nn.BatchNorm1d(3)(rand(lib, 2, 3, dtype=d)),
    "group_norm": lambda lib, d: lib.nn.GroupNorm(1, 2)(rand(lib, 2, 2, 3, dtype=d)),
    "max_pool2d": lambda lib, d: lib.nn.functional.max_pool2d(rand(lib, 1, 2, 4, 4, dtype=d), 2),
    "avg_pool2d": lambda lib, d: lib.nn.functional.avg_pool2d(rand(lib, 1, 2, 4, 4, dtype=d), 2),
    "dropout": lambda lib, d: lib.nn.functional.dropout(rand(lib, 3, dtype=d)),
    "gru_cell": lambda lib, d: lib.nn.GRUCell(3, 2)(rand(lib, 2, 3, dtype=d)),
    "embedding": lambda lib, d: lib.nn.functional.embedding(
        lib.tensor([0]), rand(lib, 3, 2, dtype=d)
    ),
}


@both
@pytest.mark.parametrize("name", [*PRODUCTS, *IN_FLOAT32, *AS_GIVEN])
def test_dtypes_under_autocast(lib: Any, name: str) -> None:
    call = {**PRODUCTS, **IN_FLOAT32, **AS_GIVEN}[name]
    for dtype in ("float32", "bfloat16"):
        expected = "bfloat16" if name in PRODUCTS else "float32" if name in IN_FLOAT32 else dtype
        assert dtypes_under_autocast(lib, call, dtype) == expected


@both
def test_autocast_blocks(lib: Any) -> None:
    x = lib.ones(2, 2)

    def kind(*modes: Any) -> Any:
        with contextlib.ExitStack() as stack:
            for mode in modes:
                stack.enter_context(mode)
            return (x @ x).dtype

    on, off = lib.autocast("cpu"), lib.autocast("cpu", enabled=False)
    assert kind() == kind(on, off) == kind(off) == lib.float32
    assert kind(on) == kind(on, on) == kind(off, on) == kind(on, off, on) == lib.bfloat16
    assert kind(lib.autocast("cpu", lib.float16)) == lib.float16
    assert kind(lib.amp.autocast("cuda", enabled=False)) == lib.float32
    with on:
        assert lib.is_autocast_enabled("cpu") and not lib.is_autocast_enabled("cuda")
        assert (x.double() @ x.double()).dtype == lib.float64
        assert (x.long() @ x.long()).dtype == lib.int64
        assert lib.mm(x, x, out=lib.empty(2, 2)).dtype == lib.float32
        assert lib.mm(input=x, mat2=x).dtype == lib.bfloat16
        normed = lib.layer_norm(input=x.bfloat16(), normalized_shape=(2,), weight=lib.ones(2))
        assert normed.dtype == lib.bfloat16
    assert not lib.is_autocast_enabled("cpu")
    assert lib.get_autocast_dtype("cpu") == lib.bfloat16
    with pytest.raises(ValueError), on:
        raise ValueError
    assert kind() == lib.float32

    @lib.autocast("cpu")
    def product(y: Any) -> Any:
        return y @ y

    assert product(x).dtype == lib.bfloat16 and product.__name__ == "product"


@both
def test_autocast_trains(lib: Any) -> None:
    lib.manual_seed(0)
    layer = lib.nn.Linear(2, 1)
    with lib.no_grad():
        layer.weight.copy_(lib.tensor([[0.5, -0.25]]))
    with lib.autocast("cpu", dtype=lib.bfloat16):
        loss = lib.nn.functional.mse_loss(layer(lib.ones(3, 2)), lib.zeros(3, 1))
    loss.backward()
    assert loss.dtype == layer.weight.grad.dtype == lib.float32
    assert layer.weight.grad.isfinite().all()


@both
@pytest.mark.parametrize("reentrant", [False, True])
def test_autocast_of_what_runs_again(lib: Any, reentrant: bool) -> None:
    x = lib.ones(2, 2, requires_grad=True)
    seen = []

    def block(y: Any) -> Any:
        seen.append((y @ y).dtype)
        return (y @ y).exp()

    with lib.autocast("cpu"):
        loss = lib.utils.checkpoint.checkpoint(block, x, use_reentrant=reentrant).sum()
    loss.backward()
    assert seen == [lib.bfloat16, lib.bfloat16] and x.grad.dtype == lib.float32


@both
def test_disabled_autocast_says_so(lib: Any) -> None:
    with pytest.warns(UserWarning, match=r"CUDA is not available.* Disabling"):
        mode = lib.autocast("cuda")
    with mode:
        assert not lib.is_autocast_enabled("cuda")
        assert (lib.ones(2, 2) @ lib.ones(2, 2)).dtype == lib.float32
    with pytest.warns(UserWarning, match="In CPU autocast, but the target dtype is not supported"):
        lib.autocast("cpu", dtype=lib.float32)
    with pytest.warns(FutureWarning, match="is deprecated"):
        lib.cuda.amp.autocast(enabled=False)
    with pytest.warns(FutureWarning, match="is deprecated"):
        lib.cpu.amp.autocast()
    with raises(RuntimeError, "Expected one of cpu, cuda"):
        lib.autocast("gpu")


@both
def test_functions_under_autocast(lib: Any) -> None:
    seen = []

    class Product(lib.autograd.Function):
        @staticmethod
        @lib.amp.custom_fwd(device_type="cpu", cast_inputs=lib.float64)
        def forward(ctx: Any, x: Any) -> Any:
            seen.append((x.dtype, lib.is_autocast_enabled("cpu")))
            return x @ x

        @staticmethod
        @lib.amp.custom_bwd(device_type="cpu")
        def backward(ctx: Any, grad: Any) -> Any:
            seen.append((grad.dtype, lib.is_autocast_enabled("cpu")))
            return grad

    x = lib.ones(2, 2, requires_grad=True)
    with lib.autocast("cpu"):
        y = Product.apply(x)
    y.sum().backward()
    assert seen == [(lib.float64, False), (lib.float64, False)]


@both
def test_grad_scaler(lib: Any) -> None:
    w = lib.ones(1, requires_grad=True)
    optimizer = lib.optim.SGD([w], lr=0.5)
    scaler = lib.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
    assert scaler.is_enabled() and scaler.get_scale() == 8.0
    assert [t.item() for t in scaler.scale([w, w])] == [8.0, 8.0]

    def step(factor: float) -> None:
        optimizer.zero_grad()
        scaler.scale((w * factor).sum()).backward()
        scaler.step(optimizer)
        scaler.update()

    step(1.0)
    assert w.item() == 0.5 and w.grad.item() == 1.0
    step(math.inf)  # is left out
    assert w.item() == 0.5 and scaler.get_scale() == 4.0
    step(1.0)
    step(1.0)
    assert scaler.get_scale() == 8.0
    state = scaler.state_dict()
    other = lib.amp.GradScaler("cpu")
    other.load_state_dict(state)
    assert other.state_dict() == state and other.get_scale() == 8.0

    scaler.scale(w.sum()).backward()
    scaler.unscale_(optimizer)
    with raises(
        RuntimeError, "unscale_() has already been called on this optimizer since the last"
    ):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with raises(RuntimeError, "unscale_() is being called after step()."):
        scaler.unscale_(optimizer)
    with raises(RuntimeError, "step() has already been called since the last update()."):
        scaler.step(optimizer)
    scaler.update(2.0)
    assert scaler.get_scale() == 2.0


@both
def test_disabled_scalers_do_nothing(lib: Any) -> None:
    w = lib.ones(1, requires_grad=True)
    optimizer = lib.optim.SGD([w], lr=0.5)
    with pytest.warns(UserWarning, match="GradScaler is enabled, but CUDA is not"):
        scaler = lib.amp.GradScaler()
    assert not scaler.is_enabled() and scaler.get_scale() == 1.0 and scaler.state_dict() == {}
    assert scaler.scale(w) is w
    w.sum().backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert w.item() == 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not lib.GradScaler(enabled=False).is_enabled()


# ---------------------------------------------------------------------------- tools


CLOSE: list[Any] = [
    lambda lib: (lib.tensor([1.0, 2.0]), lib.tensor([1.0, 2.0 + 1e-6])),
    lambda lib: (lib.tensor([math.inf]), lib.tensor([math.inf])),
    lambda lib: (lib.zeros(0), lib.zeros(0)),
    lambda lib: (1.0, 1.0 + 1e-8),
    lambda lib: ([1, (2.0, None)], [1, (2.0, None)]),
    lambda lib: ({"a": lib.ones(1)}, {"a": lib.ones(1)}),
]
NOT_CLOSE: list[Any] = [
    lambda lib: (lib.tensor([1.0, 2.0, 3.0]), lib.tensor([1.0, 2.5, 4.0])),
    lambda lib: (lib.tensor([1, 2]), lib.tensor([1, 3])),
    lambda lib: (lib.tensor([True, False]), lib.tensor([True, True])),
    lambda lib: (lib.tensor([[1.0, 2.0], [3.0, 4.0]]), lib.tensor([[1.0, 2.0], [3.0, 8.0]])),
    lambda lib: (lib.tensor([math.nan]), lib.tensor([math.nan])),
    lambda lib: (lib.tensor([math.inf]), lib.tensor([1.0])),
    lambda lib: (lib.tensor([0.0, 0.5]), lib.tensor([0.0, 0.0])),
    lambda lib: (lib.ones(2), lib.ones(3)),
    lambda lib: (lib.ones(2), lib.ones(2, dtype=lib.float64)),
    lambda lib: (lib.tensor(1.0), lib.tensor(2.0)),
    lambda lib: (1.0, 2.0),
    lambda lib: (1, 2),
    lambda lib: (1, 1.0),
    lambda lib: (True, False),
    lambda lib: (None, 1),
    lambda lib: ([1.0, 2.0], [1.0]),
    lambda lib: ((1.0, [2.0, 3.0]), (1.0, [2.0, 4.0])),
    lambda lib: ({"a": 1, "b": 2}, {"b": 2, "c": 1}),
    lambda lib: ({"a": lib.ones(1)}, {"a": lib.zeros(1)}),
]


@both
def test_what_is_close(lib: Any) -> None:
    for pair in CLOSE:
        lib.testing.assert_close(*pair(lib))
    for pair in NOT_CLOSE:
        with pytest.raises(AssertionError):
            lib.testing.assert_close(*pair(lib))
    close = lib.testing.assert_close
    close(lib.ones(2), lib.ones(2, dtype=lib.float64), check_dtype=False)
    close(lib.tensor([math.nan]), lib.tensor([math.nan]), equal_nan=True)
    close(lib.tensor([1.0]), lib.tensor([1.5]), rtol=0.5, atol=0.0)
    for low, apart in ((lib.bfloat16, 1.5e-2), (lib.float16, 9e-4)):
        close(lib.tensor([1.0], dtype=low), lib.tensor([1.0 + apart], dtype=low))
    with raises(AssertionError, "mine"):
        close(1, 2, msg="mine")
    with pytest.raises(AssertionError, match=r"(?s)^mine: .*The failure occurred for item \[0\]"):
        close([1], [2], msg=lambda text: f"mine: {text}")
    with raises(TypeError, "No comparison pair was able to handle inputs of type"):
        close("a", "b")
    with raises(
        ValueError, "Both 'rtol' and 'atol' must be either specified or omitted, but got no atol."
    ):
        close(1.0, 1.0, rtol=1.0)


def test_messages_are_those_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    for pair in NOT_CLOSE:
        texts = []
        for lib in (tg, torch):
            with pytest.raises(AssertionError) as caught:
                lib.testing.assert_close(*pair(lib))
            texts.append(str(caught.value).replace("torch.", "tapegrad."))
        assert texts[0] == texts[1]


@both
def test_profiles_of_named_blocks(lib: Any, tmp_path: Path) -> None:
    profiler = lib.profiler
    with profiler.profile(activities=[profiler.ProfilerActivity.CPU]) as prof:
        for _ in range(2):
            with profiler.record_function("named block"):
                lib.ones(2).exp()
    (event,) = (e for e in prof.key_averages() if e.key == "named block")
    assert event.count == 2 and event.cpu_time_total > 0
    assert "named block" in prof.key_averages().table(sort_by="cpu_time_total", row_limit=10)
    prof.export_chrome_trace(str(tmp_path / "trace.json"))
    trace = json.loads((tmp_path / "trace.json").read_text())
    assert sum(e.get("name") == "named block" for e in trace["traceEvents"]) == 2


@both
def test_schedule_of_a_profile(lib: Any) -> None:
    plan = lib.profiler.schedule(wait=1, warmup=1, active=2, repeat=1, skip_first=1)
    names = [plan(step).name for step in range(7)]
    assert names == ["NONE", "NONE", "WARMUP", "RECORD", "RECORD_AND_SAVE", "NONE", "NONE"]
    rounds = []
    with lib.profiler.profile(
        activities=[lib.profiler.ProfilerActivity.CPU],
        schedule=plan,
        on_trace_ready=lambda prof: rounds.append(
            [e.count for e in prof.key_averages() if e.key == "step"]
        ),
    ) as prof:
        for _ in range(7):
            with lib.profiler.record_function("step"):
                lib.ones(2).exp()
            prof.step()
    assert rounds == [[2]]


@both
def test_overriding(lib: Any) -> None:
    overrides = lib.overrides

    class Base:
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None):
            return cls.__name__, func.__name__, len(types), args, kwargs or {}

    class Derived(Base):
        pass

    class Silent:
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None):
            return NotImplemented

    def function(*args: Any, **kwargs: Any) -> Any:
        if overrides.has_torch_function(args):
            return overrides.handle_torch_function(function, args, *args, **kwargs)
        return None

    x, base, derived = lib.ones(1), Base(), Derived()
    assert function(x, 1) is None and function(x, base)[0] == "Base"
    assert function(base, derived, key=1) == ("Derived", "function", 2, (base, derived), {"key": 1})
    assert function(Silent(), base)[0] == "Base"
    with pytest.raises(TypeError, match=r"no implementation found for '.*function' on types"):
        function(Silent())
    assert overrides.has_torch_function_unary(base)
    assert overrides.has_torch_function_variadic(1, base)
    assert overrides.is_tensor_like(x) and overrides.is_tensor_like(base)
    assert not overrides.is_tensor_like([1])


def double_in_process(i: int, values: Any, queue: Any) -> None:
    queue.put((i, values * 2))


def fail_in_process(i: int) -> None:
    if i == 1:
        raise ValueError("this one")


@both
def test_processes(lib: Any) -> None:
    mp = lib.multiprocessing
    queue = mp.get_context("fork").SimpleQueue()
    values = [1, 2]
    mp.start_processes(double_in_process, (values, queue), nprocs=2, start_method="fork")
    assert sorted(queue.get() for _ in range(2)) == [(0, [1, 2, 1, 2]), (1, [1, 2, 1, 2])]
    with pytest.raises(
        mp.ProcessRaisedException,
        match=r"(?s)-- Process 1 terminated with the following error:.*ValueError: this one",
    ) as caught:
        mp.start_processes(fail_in_process, nprocs=2, start_method="fork")
    assert caught.value.error_index == 1


def test_tensors_go_through_queues_as_copies() -> None:
    queue = tg.multiprocessing.get_context("fork").SimpleQueue()
    x = tg.tensor([1.0, 2.0])
    tg.multiprocessing.start_processes(double_in_process, (x, queue), start_method="fork")
    assert queue.get()[1].tolist() == [2.0, 4.0] and x.tolist() == [1.0, 2.0]


def add_in_process(model: Any, queue: Any) -> None:
    values = queue.get()
    with tg.no_grad():
        for parameter in model.parameters():
            parameter += 1
    values[1] = 7
    model.low[0] = 5
    assert values.is_shared() and all(p.is_shared() for p in model.state_dict().values())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_shared_memory(method: str) -> None:
    model = tg.nn.Sequential(tg.nn.Linear(2, 1), tg.nn.BatchNorm1d(1))
    model.register_buffer("low", tg.ones(3, dtype=tg.bfloat16))
    before = [parameter.tolist() for parameter in model.parameters()]
    assert model.share_memory() is model
    assert [parameter.tolist() for parameter in model.parameters()] == before
    assert all(value.is_shared() for value in model.state_dict().values())
    assert model.low.tolist() == [1.0, 1.0, 1.0] and model[0].weight.requires_grad
    whole = tg.arange(6.0)
    values = whole[2:].share_memory_()
    assert values.tolist() == [2.0, 3.0, 4.0, 5.0] and values.storage_offset() == 2
    assert values.share_memory_() is values
    assert tg.zeros(0).share_memory_().numel() == 0

    mp = tg.multiprocessing.get_context(method)
    queue = mp.SimpleQueue()
    process = mp.Process(target=add_in_process, args=(model, queue), daemon=True)
    process.start()
    queue.put(values)
    process.join(60)
    assert process.exitcode == 0
    expected = [(tg.tensor(value) + 1).tolist() for value in before]
    assert [parameter.tolist() for parameter in model.parameters()] == expected
    assert values.tolist() == [2.0, 7.0, 4.0, 5.0] and model.low.tolist() == [5.0, 1.0, 1.0]


def test_shared_memory_is_given_back() -> None:
    folder = Path("/proc/self/fd")
    x = tg.ones(4).share_memory_()
    count = len(list(folder.iterdir()))
    y = tg.ones(4).share_memory_()
    view = y[1:]
    del y
    assert view.is_shared() and len(list(folder.iterdir())) > count
    del view
    assert x.is_shared() and len(list(folder.iterdir())) == count


def test_versions() -> None:
    from tapegrad.torch_version import TorchVersion

    version = TorchVersion("2.13.0+tapegrad.0.1.0")
    assert version > "2.4" and version >= "2.13" and version >= (2, 0) and version < "3"
    assert version == "2.13" and version != "2.14" and version.startswith("2.")
    assert not version < "2.13.0" and version <= "2.13.0" and version != "nonsense"
    packaging = pytest.importorskip("packaging.version")
    assert packaging.Version(version) >= packaging.Version("2.0")
    assert tg.version.cuda is None and tg.version.__version__ == tg.__version__


def test_summaries_for_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    from tapegrad.utils.tensorboard import SummaryWriter

    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("loss", tg.tensor(0.5, requires_grad=True), 1)
        writer.add_scalars("losses", {"a": tg.tensor(0.5)}, 1)
        writer.add_histogram("weights", tg.rand(10), 1)
        writer.add_graph(tg.nn.Linear(1, 1), tg.ones(1))
    assert [path.name.startswith("events.") for path in tmp_path.iterdir()].count(True) >= 1


def test_without_tensorboard() -> None:
    program = (
        "import sys; sys.modules['tensorboardX'] = None\n"
        "try:\n    import tapegrad.utils.tensorboard\n"
        "except ImportError as error:\n    print(error)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert "needs the package tensorboardX" in ran.stdout


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("sparse", "tapegrad has no sparse tensors."),
        ("sparse_coo_tensor", "tapegrad has no sparse tensors."),
        ("Event", "tapegrad has no devices that work beside the CPU."),
        ("complex64", "tapegrad has no complex numbers."),
        ("hub", "tapegrad does not download models."),
        ("empy", "Did you mean 'empty'?"),
        ("aranje", "Did you mean 'arange'?"),
    ],
)
def test_what_is_missing_is_named(name: str, reason: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(tg, name)
    assert str(caught.value) == f"module 'tapegrad' has no attribute {name!r}. {reason}"
