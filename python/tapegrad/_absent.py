"""Names of PyTorch's that are not here, and what to say of them."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["missing"]

# For each package the reasons, with the names that they are about.
_REASONS: dict[str, dict[str, tuple[str, ...]]] = {
    "tapegrad": {
        "tapegrad has no complex numbers.": (
            *("cdouble", "cfloat", "chalf", "complex", "complex128", "complex32", "complex64"),
            *("imag", "istft", "polar", "stft", "view_as_complex", "view_as_real"),
        ),
        "tapegrad has no sparse tensors.": (
            *("smm", "sparse", "sparse_bsc", "sparse_bsr", "sparse_coo", "sparse_coo_tensor"),
            *("sparse_csc", "sparse_csr", "sparse_csr_tensor", "sspaddmm"),
        ),
        "tapegrad has no nested tensors.": ("jagged", "nested"),
        "tapegrad has no masked tensors.": ("masked",),
        "tapegrad has no quantised tensors.": (
            *("ao", "dequantize", "qint32", "qint8", "quantization", "quantize_per_channel"),
            *("quantize_per_tensor", "quint8"),
        ),
        "tapegrad has no integers without signs but uint8.": ("uint16", "uint32", "uint64"),
        "tapegrad has no numbers of 8 bits but integers.": (
            *("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"),
        ),
        "tapegrad runs programs as they are and has no graphs of them.": (
            *("_dynamo", "_inductor", "export", "fx", "library", "package"),
        ),
        "tapegrad has no devices that work beside the CPU.": ("Event", "Stream"),
        "tapegrad does not download models.": ("hub",),
        "tapegrad has no calls from process to process.": ("futures",),
    },
    "tapegrad.jit": {
        "tapegrad runs programs as they are and has no graphs of them.": (
            *("CompilationUnit", "load", "save"),
        ),
    },
    "tapegrad.utils": {
        "tapegrad does not download models.": ("model_zoo",),
        "tapegrad has no interface for extensions in C++.": ("cpp_extension",),
    },
}
# Packages of which there is a part.
_WHOLE = {
    "tapegrad.distributed": "tapegrad's processes share data by DistributedDataParallel and the "
    "collectives, and nothing else."
}


def missing(package: str, name: str, known: Iterable[str]) -> str:
    """What to say where a package has no attribute: why, or the nearest name that there is.

    >>> from tapegrad._absent import missing
    >>> missing("tapegrad", "sparse", [])
    '. tapegrad has no sparse tensors.'
    >>> missing("tapegrad", "arrange", ["arange"])
    ". Did you mean 'arange'?"
    """
    for reason, names in _REASONS.get(package, {}).items():
        if name in names:
            return f". {reason}"
    if package in _WHOLE:
        return f". {_WHOLE[package]}"
    if name.startswith("_"):
        return ""
    from difflib import get_close_matches  # rarely needed, and not quick to import

    return "".join(f". Did you mean {near!r}?" for near in get_close_matches(name, known, 1))
