"""Recurrent layers and cells."""

from __future__ import annotations

import math
import numbers
import warnings
from typing import Any

import tapegrad

from ..._C import Tensor
from .. import init
from ..parameter import Parameter
from .module import Module

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNBase", "RNNCell", "RNNCellBase"]

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
_PROJECTIONS_ELSEWHERE = "proj_size argument is only supported for LSTM, not RNN or GRU"


def _is_packed(input: Any) -> bool:
    return all(
        hasattr(input, field)
        for field in ("data", "batch_sizes", "sorted_indices", "unsorted_indices")
    )


def _ordered(state: Any, order: Tensor | None) -> Any:
    """States with their sequences in another order."""
    if order is None:
        return state
    if isinstance(state, Tensor):
        return state.index_select(1, order)
    return tuple(part.index_select(1, order) for part in state)


def _require_type(name: str, value: Any, kind: type) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name} should be of type {kind.__name__}, got: {type(value).__name__}")


class RNNBase(Module):
    """What :class:`RNN`, :class:`LSTM` and :class:`GRU` share: parameters, checks and the call.

    Example:
        >>> import tapegrad
        >>> issubclass(tapegrad.nn.LSTM, tapegrad.nn.RNNBase)
        True
    """

    mode: str
    input_size: int
    hidden_size: int
    num_layers: int
    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool
    proj_size: int

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        is_number = isinstance(dropout, numbers.Number) and not isinstance(dropout, bool)
        if not is_number or not 0 <= dropout <= 1:
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an "
                "element being zeroed"
            )
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero "
                f"dropout expects num_layers greater than 1, but got dropout={dropout} and "
                f"num_layers={num_layers}",
                stacklevel=3,
            )
        _require_type("bias", bias, bool)
        _require_type("batch_first", batch_first, bool)
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            _require_type(name, size, int)
            if size <= 0:
                raise ValueError(f"{name} must be greater than zero")
        if num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if proj_size < 0:
            raise ValueError(
                "proj_size should be a positive integer or zero to disable projections"
            )
        if proj_size >= hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        if mode not in _GATES:
            raise ValueError("Unrecognized RNN mode: " + mode)
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._all_weights = [
            self._add_parameters(layer, suffix, device, dtype)
            for layer in range(num_layers)
            for suffix in (("", "_reverse") if bidirectional else ("",))
        ]
        self.reset_parameters()

    def _add_parameters(self, layer: int, suffix: str, device: Any, dtype: Any) -> list[str]:
        """The parameters of a layer in one direction; their names."""
        seen = self.proj_size or self.hidden_size
        sums = _GATES[self.mode] * self.hidden_size
        features = seen * self._directions if layer else self.input_size
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (sums, features),
            "weight_hh": (sums, seen),
        }
        if self.bias:
            shapes |= {"bias_ih": (sums,), "bias_hh": (sums,)}
        if self.proj_size:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        names = []
        for kind, shape in shapes.items():
            names.append(f"{kind}_l{layer}{suffix}")
            setattr(self, names[-1], Parameter(tapegrad.empty(*shape, device=device, dtype=dtype)))
        return names

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def _flat_weights(self) -> list[Tensor]:
        return [getattr(self, name) for names in self._all_weights for name in names]

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters, a list for each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def flatten_parameters(self) -> None:
        """Does nothing: there is no other layout of the parameters that would be faster."""

    def reset_parameters(self) -> None:
        """Draw new values from [-k, k] with ``k = 1 / sqrt(hidden_size)``."""
        bound = 1 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise if the input does not fit."""
        dtype = self._flat_weights[0].dtype
        if input.dtype != dtype and not tapegrad.is_autocast_enabled("cpu"):
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({dtype}). "
                f"Convert input: input.to({dtype}), or convert model: model.to({input.dtype})"
            )
        expected = 3 if batch_sizes is None else 2
        if input.dim() != expected:
            raise RuntimeError(f"input must have {expected} dimensions, got {input.dim()}")
        if input.shape[-1] != self.input_size:
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. "
                f"Expected {self.input_size}, got {input.shape[-1]}"
            )

    def _state_shape(self, batch: int, size: int) -> tuple[int, int, int]:
        return self.num_layers * self._directions, batch, size

    def _batch(self, input: Tensor, batch_sizes: Tensor | None) -> int:
        if batch_sizes is not None:
            return int(batch_sizes[0])
        return input.shape[0 if self.batch_first else 1]

    def get_expected_hidden_size(
        self, input: Tensor, batch_sizes: Tensor | None
    ) -> tuple[int, int, int]:
        """The shape of the state h."""
        batch = self._batch(input, batch_sizes)
        return self._state_shape(batch, self.proj_size or self.hidden_size)

    def check_hidden_size(
        self,
        hx: Tensor,
        expected_hidden_size: tuple[int, int, int],
        msg: str = "Expected hidden size {}, got {}",
    ) -> None:
        """Raise if a state has another shape."""
        if tuple(hx.shape) != expected_hidden_size:
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.shape)))

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Raise if input or state do not fit."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """The states in another order of the sequences; None for no change."""
        return _ordered(hx, permutation)

    # What LSTM does otherwise: it has two states.

    def _initial(self, input: Tensor, batch: int) -> Any:
        shape = self._state_shape(batch, self.proj_size or self.hidden_size)
        return tapegrad.zeros(*shape, dtype=input.dtype)

    def _batched_state(self, hx: Any, is_batched: bool) -> Any:
        if is_batched and hx.dim() != 3:
            raise RuntimeError(
                f"For batched 3-D input, hx should also be 3-D but got {hx.dim()}-D tensor"
            )
        if not is_batched and hx.dim() != 2:
            raise RuntimeError(
                f"For unbatched 2-D input, hx should also be 2-D but got {hx.dim()}-D tensor"
            )
        return hx if is_batched else hx.unsqueeze(1)

    def _state_of(self, results: tuple[Tensor, ...]) -> Any:
        return results[1]

    def _name(self) -> str:
        return "RNN" if self.mode.startswith("RNN") else self.mode

    def _wrong_rank(self, rank: int) -> str:
        end = " tensor" if self.mode.startswith("RNN") else ""
        return f"{self._name()}: Expected input to be 2D or 3D, got {rank}D{end} instead"

    def forward(self, input: Any, hx: Any = None) -> Any:
        run = getattr(tapegrad, self.mode.lower())
        options = (
            self._flat_weights,
            self.bias,
            self.num_layers,
            self.dropout,
            self.training,
            bool(self.bidirectional),
        )
        if not isinstance(input, Tensor) and _is_packed(input):
            data, batch_sizes = input.data, input.batch_sizes
            if hx is None:
                hx = self._initial(data, int(batch_sizes[0]))
            else:
                hx = self.permute_hidden(hx, input.sorted_indices)
            self.check_forward_args(data, hx, batch_sizes)
            results = run(data, batch_sizes, hx, *options)
            packed = type(input)(
                results[0], batch_sizes, input.sorted_indices, input.unsorted_indices
            )
            return packed, self.permute_hidden(self._state_of(results), input.unsorted_indices)

        if input.dim() not in (2, 3):
            raise ValueError(self._wrong_rank(input.dim()))
        is_batched = input.dim() == 3
        batch_dim = 0 if self.batch_first else 1
        if not is_batched:
            input = input.unsqueeze(batch_dim)
        if hx is None:
            hx = self._initial(input, input.shape[batch_dim])
        else:
            hx = self._batched_state(hx, is_batched)
        self.check_forward_args(input, hx, None)
        results = run(input, hx, *options, self.batch_first)
        if is_batched:
            return results[0], self._state_of(results)
        states = tuple(state.squeeze(1) for state in results[1:])
        return results[0].squeeze(batch_dim), self._state_of((results[0], *states))

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        usual = {
            "proj_size": 0,
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0,
            "bidirectional": False,
        }
        for name, value in usual.items():
            if getattr(self, name) != value:
                text += f", {name}={getattr(self, name)}"
        return text


class RNN(RNNBase):
    """Recurrent layers: ``h = tanh(x @ w_ih.T + b_ih + h @ w_hh.T + b_hh)`` at each step.

    All parameters are drawn uniformly from ``[-k, k]`` with ``k = 1 / sqrt(hidden_size)``.

    Args:
        input_size: number of features of the input.
        hidden_size: number of units.
        num_layers: number of layers, each of which reads what the one before gives. Default: 1.
        nonlinearity: "tanh" (the default) or "relu".
        bias: whether there are summands. Default: True.
        batch_first: whether input and output are (batch, length, ...). Default: False.
        dropout: probability with which elements between layers become zero. Default: 0.
        bidirectional: whether each layer also reads the sequence backwards. Default: False.

    Shapes: input (length, batch, input_size), or (length, input_size), or a packed sequence; the
    state (num_layers * directions, batch, hidden_size); output (length, batch, directions *
    hidden_size).

    Example:
        >>> import tapegrad
        >>> rnn = tapegrad.nn.RNN(3, 4, num_layers=2)
        >>> output, h = rnn(tapegrad.ones(5, 2, 3))
        >>> tuple(output.shape), tuple(h.shape)
        ((5, 2, 4), (2, 2, 4))
    """

    nonlinearity: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError(_PROJECTIONS_ELSEWHERE)
        if len(args) > 3:
            nonlinearity = args[3]
            args = args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997).

    At each step, with the quarters i, f, g, o of ``x @ w_ih.T + b_ih + h @ w_hh.T + b_hh``::

        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(c)

    Args:
        proj_size: if greater than zero, h is mapped to this size at each step. Default: 0.
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional: see
            :class:`RNN`.

    Shapes: those of :class:`RNN`; the state is a pair (h, c).

    Example:
        >>> import tapegrad
        >>> lstm = tapegrad.nn.LSTM(3, 4, bidirectional=True)
        >>> output, (h, c) = lstm(tapegrad.ones(5, 2, 3))
        >>> tuple(output.shape), tuple(h.shape), tuple(c.shape)
        ((5, 2, 8), (2, 2, 4), (2, 2, 4))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(
        self, input: Tensor, batch_sizes: Tensor | None
    ) -> tuple[int, int, int]:
        """The shape of the state c."""
        return self._state_shape(self._batch(input, batch_sizes), self.hidden_size)

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        self.check_input(input, batch_sizes)
        expected = (
            self.get_expected_hidden_size(input, batch_sizes),
            self.get_expected_cell_size(input, batch_sizes),
        )
        for i, shape in enumerate(expected):
            self.check_hidden_size(hidden[i], shape, f"Expected hidden[{i}] size {{}}, got {{}}")

    def _initial(self, input: Tensor, batch: int) -> Any:
        c = tapegrad.zeros(*self._state_shape(batch, self.hidden_size), dtype=input.dtype)
        return super()._initial(input, batch) if self.proj_size else c, c

    def _batched_state(self, hx: Any, is_batched: bool) -> Any:
        ranks = hx[0].dim(), hx[1].dim()
        kind, rank = ("batched", 3) if is_batched else ("unbatched", 2)
        if ranks != (rank, rank):
            raise RuntimeError(
                f"For {kind} {rank}-D input, hx and cx should also be {rank}-D but got "
                f"({ranks[0]}-D, {ranks[1]}-D) tensors"
            )
        return hx if is_batched else (hx[0].unsqueeze(1), hx[1].unsqueeze(1))

    def _state_of(self, results: tuple[Tensor, ...]) -> Any:
        return results[1:]


class GRU(RNNBase):
    """Gated recurrent units (Cho et al., arXiv:1406.1078).

    At each step, with the thirds r, z, n of ``x @ w_ih.T + b_ih`` and of ``h @ w_hh.T + b_hh``::

        r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
        n = tanh(x_n + r * h_n)
        h = (1 - z) * n + z * h

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional: see
            :class:`RNN`.

    Shapes: those of :class:`RNN`.

    Example:
        >>> import tapegrad
        >>> gru = tapegrad.nn.GRU(3, 4, batch_first=True)
        >>> output, h = gru(tapegrad.ones(2, 5, 3))
        >>> tuple(output.shape), tuple(h.shape)
        ((2, 5, 4), (1, 2, 4))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError(_PROJECTIONS_ELSEWHERE)
        super().__init__("GRU", *args, **kwargs)


class RNNCellBase(Module):
    """What the cells share: parameters and checks.

    Example:
        >>> import tapegrad
        >>> issubclass(tapegrad.nn.GRUCell, tapegrad.nn.RNNCellBase)
        True
    """

    input_size: int
    hidden_size: int
    bias: bool
    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor | None
    bias_hh: Tensor | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        sums = num_chunks * hidden_size
        self.weight_ih = Parameter(tapegrad.empty(sums, input_size, device=device, dtype=dtype))
        self.weight_hh = Parameter(tapegrad.empty(sums, hidden_size, device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            value = Parameter(tapegrad.empty(sums, device=device, dtype=dtype)) if bias else None
            self.register_parameter(name, value)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new values from [-k, k] with ``k = 1 / sqrt(hidden_size)``."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _check_input(self, input: Tensor) -> None:
        if input.dim() not in (1, 2):
            raise ValueError(
                f"{type(self).__name__}: Expected input to be 1D or 2D, got {input.dim()}D instead"
            )

    def _check_state(self, state: Tensor, what: str) -> None:
        if state.dim() not in (1, 2):
            raise ValueError(
                f"{type(self).__name__}: Expected {what} to be 1D or 2D, got {state.dim()}D instead"
            )

    def _zeros(self, input: Tensor) -> Tensor:
        return tapegrad.zeros(*input.shape[:-1], self.hidden_size, dtype=input.dtype)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text


class _OneStateCell(RNNCellBase):
    def _run(self, name: str, input: Tensor, hx: Tensor | None) -> Tensor:
        self._check_input(input)
        if hx is None:
            hx = self._zeros(input)
        else:
            self._check_state(hx, "hidden")
        weights = self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
        return getattr(tapegrad, name)(input, hx, *weights)


class RNNCell(_OneStateCell):
    """One step of :class:`RNN`.

    Args:
        input_size: number of features of the input.
        hidden_size: number of units.
        bias: whether there are summands. Default: True.
        nonlinearity: "tanh" (the default) or "relu".

    Shapes: input (batch, input_size) or (input_size,), state and output (batch, hidden_size) or
    (hidden_size,).

    Example:
        >>> import tapegrad
        >>> h = tapegrad.nn.RNNCell(3, 4)(tapegrad.ones(2, 3))
        >>> tuple(h.shape)
        (2, 4)
    """

    nonlinearity: str

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._run(f"rnn_{self.nonlinearity}_cell", input, hx)


class LSTMCell(RNNCellBase):
    """One step of :class:`LSTM`.

    Args:
        input_size, hidden_size, bias: see :class:`RNNCell`.

    Shapes: those of :class:`RNNCell`; the state is a pair (h, c).

    Example:
        >>> import tapegrad
        >>> h, c = tapegrad.nn.LSTMCell(3, 4)(tapegrad.ones(2, 3))
        >>> tuple(h.shape), tuple(c.shape)
        ((2, 4), (2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        self._check_input(input)
        if hx is None:
            zeros = self._zeros(input)
            hx = zeros, zeros
        else:
            for i, state in enumerate(hx):
                self._check_state(state, f"hx[{i}]")
        weights = self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
        h, c = tapegrad.lstm_cell(input, hx, *weights)
        return h, c


class GRUCell(_OneStateCell):
    """One step of :class:`GRU`.

    Args:
        input_size, hidden_size, bias: see :class:`RNNCell`.

    Shapes: those of :class:`RNNCell`.

    Example:
        >>> import tapegrad
        >>> h = tapegrad.nn.GRUCell(3, 4)(tapegrad.ones(2, 3))
        >>> tuple(h.shape)
        (2, 4)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._run("gru_cell", input, hx)
