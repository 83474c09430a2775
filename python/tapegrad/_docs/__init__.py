"""Docstrings of the compiled core: text that is attached to its functions, methods and types.

Texts are written without ``import tapegrad`` in their examples; it is added here. A key with
parentheses is also the signature that ``help`` and ``inspect.signature`` show.
"""

from __future__ import annotations

from types import MethodDescriptorType

from .. import _C
from . import creation, elementwise, reductions, shapes, tensor

__all__: list[str] = []

# Names that are bound on their own for the same operation; other aliases are the same object.
SAME = {"clip": "clamp", "concat": "cat", "concatenate": "cat"}

RAISES_IN_PLACE = """
Raises:
    RuntimeError: if the shape or dtype of the result is not that of the tensor, or for a leaf that
        requires gradients.
"""

Entry = tuple[str, str]  # signature, or "", and text


def _complete(text: str) -> str:
    return text.replace("Example:\n", "Example:\n    >>> import tapegrad\n", 1)


def _split(docs: dict[str, str], into: dict[str, Entry]) -> None:
    for key, text in docs.items():
        name, bracket, rest = key.partition("(")
        into[name] = (bracket + rest, text)


def _in_place(name: str, text: str) -> str:
    """The text of ``name_`` from that of ``name``."""
    summary = text.partition("\n")[0].rstrip(".")
    if name in tensor.IN_PLACE_EXAMPLES:
        example = f"    >>> {tensor.IN_PLACE_EXAMPLES[name]}\n    {RESULTS[name]}\n"
    else:  # tapegrad.exp(tapegrad.tensor(x)) becomes tapegrad.tensor(x).exp_()
        start = f">>> tapegrad.{name}(tapegrad.tensor("
        values, _, rest = text.partition(start)[2].partition(")")
        example = f"    >>> tapegrad.tensor({values}).{name}_({rest.removeprefix(', ')}"
    return (
        f"{summary}, in place: the tensor itself is changed and returned.\n\n"
        f"See ``tapegrad.{name}``.\n{RAISES_IN_PLACE}\nExample:\n{example}"
    )


RESULTS: dict[str, str] = {
    "add": "tensor([2., 3.])",
    "sub": "tensor([0., 1.])",
    "div": "tensor([0.5000, 1.0000])",
    "round": "tensor([ 0.,  2., -3.])",
    "clamp": "tensor([0.0000, 0.5000, 1.0000])",
    "clip": "tensor([0.0000, 0.5000, 1.0000])",
    "masked_fill": "tensor([5., 0.])",
    "scatter_add": "tensor([0., 2.])",
    "index_put": "tensor([5., 0., 5.])",
}


def _attach() -> None:
    add = _C._add_docstr
    functions: dict[str, Entry] = {}
    methods: dict[str, Entry] = {}
    for module in (elementwise, reductions, shapes, creation):
        _split(module.DOCS, functions)
    _split(tensor.METHODS, methods)
    for name, other in SAME.items():
        signature, text = functions[other]
        functions[name] = (signature, text.replace(f"tapegrad.{other}(", f"tapegrad.{name}("))

    # Function exp_ and methods exp_ and exp, from the text of function exp.
    members = vars(_C.Tensor)
    for name, (signature, text) in list(functions.items()):
        in_place = name + "_"
        if in_place in members and in_place not in methods:
            changed = (signature, _in_place(name, text))
            methods[in_place] = (signature.replace("input", "", 1).replace("(, ", "("), changed[1])
            if hasattr(_C, in_place):
                functions[in_place] = changed
        if name in members and name not in methods:
            methods[name] = (signature.replace("input", "", 1).replace("(, ", "("), text)

    for name, (signature, text) in functions.items():
        add(getattr(_C, name), _head(name, signature) + _complete(text))
    for name, (signature, text) in methods.items():
        member = members[name]
        if signature:  # C functions know of their self, bound functions of pybind11 do not
            me = "$self" if isinstance(member, MethodDescriptorType) else "self"
            signature = f"({me})" if signature == "()" else f"({me}, {signature[1:]}"
        add(member, _head(name, signature) + _complete(text))
    for name, text in tensor.ATTRIBUTES.items():
        add(members[name], _complete(text))
    for name, text in tensor.TYPES.items():
        getattr(_C, name).__doc__ = _complete(text)


def _head(name: str, signature: str) -> str:
    return f"{name}{signature}\n--\n\n" if signature else ""


_attach()
