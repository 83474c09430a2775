"""Every module of nn beside PyTorch's: names in the state dict, repr, and outputs both ways.

States go from one library to the other by files.
"""

from __future__ import annotations

import inspect
import io
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from module_table import ROW, TABLE, Case, argument, flat, made

torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")


# What is made of other modules, or of parameters.
WRAPPED: dict[str, Any] = {
    "Sequential": lambda nn: nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2)),
    "ModuleList": lambda nn: nn.ModuleList([nn.Linear(6, 4), nn.Linear(6, 4), nn.ReLU()]),
    "ModuleDict": lambda nn: nn.ModuleDict({"a": nn.Linear(6, 4), "b": nn.PReLU()}),
    "TransformerEncoder": lambda nn: nn.TransformerEncoder(
        nn.TransformerEncoderLayer(6, 2, 8, batch_first=True), 2, nn.LayerNorm(6)
    ),
    "TransformerDecoder": lambda nn: nn.TransformerDecoder(nn.TransformerDecoderLayer(6, 2, 8), 2),
    "DataParallel": lambda nn: nn.DataParallel(nn.Linear(6, 2)),
    "Container": lambda nn: nn.Container(a=nn.Linear(6, 2)),
    "ParameterList": lambda nn: nn.ParameterList([parameter(nn, 2, 3), parameter(nn, 1)]),
    "ParameterDict": lambda nn: nn.ParameterDict({"a": parameter(nn, 2, 3), "b": parameter(nn)}),
}
# Those that have no state or output of their own, or are not here yet.
LEFT_OUT = {
    *("Module", "Parameter", "Buffer", "UninitializedParameter", "UninitializedBuffer"),
    *("RNNBase", "RNNCellBase"),
}


def parameter(nn: Any, *shape: int) -> Any:
    return nn.Parameter(library(nn).zeros(shape))


def library(nn: Any) -> Any:
    return tg if nn is tg.nn else torch


def to_torch(state: Any) -> Any:
    """What PyTorch reads of a file with this state."""
    file = io.BytesIO()
    tg.save(state, file, pickle=True)
    file.seek(0)
    return torch.load(file, weights_only=True)


def to_ours(state: Any) -> Any:
    """What is read here of a file that PyTorch wrote."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return tg.load(file)


def outputs(lib: Any, module: Any, inputs: list[Any]) -> list[np.ndarray]:
    arguments = [argument(lib, given, seed) for seed, given in enumerate(inputs)]
    return [x.detach().numpy() for x in flat(module(*arguments))]


def shapes(state: Any) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in state.items()}


def interchange(ours: Any, theirs: Any, inputs: list[Any]) -> None:
    """Names, shapes and repr are alike, and so is what both compute with the other's state."""
    assert repr(ours) == repr(theirs).replace("torch.", "tapegrad.")
    state = theirs.state_dict()
    assert shapes(ours.state_dict()) == shapes(state)
    assert list(ours.state_dict()) == list(state)
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert [n for n, _ in ours.named_buffers()] == [n for n, _ in theirs.named_buffers()]
    dtypes = [str(v.dtype).split(".")[1] for v in ours.state_dict().values()]
    assert dtypes == [str(v.dtype).split(".")[1] for v in state.values()]
    own = to_torch(ours.state_dict())
    ours.load_state_dict(to_ours(state))
    modes = (False,) if has_chance(ours) else (True, False)
    for loaded in (to_ours(state), None):
        if loaded is None:
            theirs.load_state_dict(own)
            ours.load_state_dict(to_ours(own))
        for training in modes:
            ours.train(training), theirs.train(training)
            if inputs:
                got, want = outputs(tg, ours, inputs), outputs(torch, theirs, inputs)
                assert len(got) == len(want)
                for a, b in zip(got, want, strict=True):
                    assert a.dtype == b.dtype
                    np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)
        for key, value in theirs.state_dict().items():
            np.testing.assert_allclose(ours.state_dict()[key].numpy(), value.numpy(), 1e-5, 1e-5)


def has_chance(module: Any) -> bool:
    kinds = (tg.nn.Dropout, tg.nn.AlphaDropout, tg.nn.FeatureAlphaDropout, tg.nn.RReLU)
    return any(isinstance(m, kinds) or getattr(m, "dropout", 0.0) for m in module.modules())


CASES = [
    pytest.param(name, case, id=f"{name}-{number}")
    for name, cases in TABLE.items()
    for number, case in enumerate(cases)
]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_module(name: str, case: Case) -> None:
    interchange(made(tg, name, case), made(torch, name, case), case[2])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", list(WRAPPED))
def test_module_of_modules(name: str) -> None:
    inputs: list[Any] = {
        "Sequential": [ROW],
        "DataParallel": [ROW],
        "TransformerEncoder": [(3, 4, 6)],
        "TransformerDecoder": [(4, 3, 6), (5, 3, 6)],
    }.get(name, [])
    interchange(WRAPPED[name](tg.nn), WRAPPED[name](torch.nn), inputs)


def test_every_module_is_in_the_table() -> None:
    names = {
        name
        for name, kind in vars(torch.nn).items()
        if inspect.isclass(kind) and issubclass(kind, torch.nn.Module)
    }
    known = {*TABLE, *WRAPPED, *LEFT_OUT}
    assert {name for name in names - known if not name.startswith("Lazy")} == set()
    assert {name for name in names - LEFT_OUT if not hasattr(tg.nn, name)} == set()
