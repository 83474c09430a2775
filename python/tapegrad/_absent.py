"""Names of PyTorch's that are not here, and what to say of them."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["missing"]

_COMPLEX = "tapegrad has no complex numbers."
_SPARSE = "tapegrad has no sparse tensors."
_QUANTISED = "tapegrad has no quantised tensors."
_STORAGE = "tapegrad has no objects for the memory of tensors."
_GRAPHS = "tapegrad runs programs as they are and has no graphs of them."
_NAMES = {
    "fft": "tapegrad has no Fourier transforms.",
    "distributed": "tapegrad has no distributed training.",
    "hub": "tapegrad does not download models.",
    "onnx": "tapegrad does not write other formats than safetensors.",
    "nested": "tapegrad has no nested tensors.",
    "masked": "tapegrad has no masked tensors.",
    "Stream": "tapegrad has no devices with streams.",
    "Event": "tapegrad has no devices with events.",
    **dict.fromkeys(("uint16", "uint32", "uint64"), "tapegrad has uint8 alone without signs."),
    **dict.fromkeys(("rpc", "futures", "Future"), "tapegrad has no distributed training."),
    **dict.fromkeys(("complex64", "complex128", "complex32", "cfloat", "cdouble"), _COMPLEX),
    **dict.fromkeys(("chalf", "complex", "polar", "view_as_real", "view_as_complex"), _COMPLEX),
    **dict.fromkeys(("stft", "istft", "imag"), _COMPLEX),
    **dict.fromkeys(
        ("quantization", "ao", "dequantize", "fake_quantize_per_tensor_affine"), _QUANTISED
    ),
    **dict.fromkeys(("qint8", "quint8", "qint32", "quantize_per_tensor"), _QUANTISED),
    **dict.fromkeys(("Storage", "UntypedStorage", "TypedStorage", "FloatStorage"), _STORAGE),
    **dict.fromkeys(("LongStorage", "DoubleStorage", "ByteStorage", "storage"), _STORAGE),
    **dict.fromkeys(("fx", "export", "_dynamo", "_inductor", "package", "library"), _GRAPHS),
}
_REASONS = {
    "tapegrad": _NAMES,
    "tapegrad.jit": dict.fromkeys(("ScriptModule", "ScriptFunction", "load", "save"), _GRAPHS),
}


def missing(package: str, name: str, known: Iterable[str]) -> str:
    """What to say where a package has no attribute: why, or the nearest name that there is.

    >>> from tapegrad._absent import missing
    >>> missing("tapegrad", "fft", [])
    '. tapegrad has no Fourier transforms.'
    >>> missing("tapegrad", "arrange", ["arange"])
    ". Did you mean 'arange'?"
    """
    reason = _REASONS.get(package, {}).get(name)
    if reason is None and package == "tapegrad" and "sparse" in name:
        reason = _SPARSE
    if reason is not None:
        return f". {reason}"
    if name.startswith("_"):
        return ""
    from difflib import get_close_matches  # rarely needed, and not quick to import

    return "".join(f". Did you mean {near!r}?" for near in get_close_matches(name, known, 1))
