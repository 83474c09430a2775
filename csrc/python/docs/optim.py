"""Signatures of what optimisers and gradient clipping call in the core."""

from __future__ import annotations

__all__ = ["DOCS"]

DOCS: dict[str, str] = {
    "_optim_step(rule, params, grads, states, coefficients)\n"
    "_optim_step(rule, params, grads, states, numbers)": "A step of an optimiser.\n",
    "_grad_norm(tensors, norm_type)": "The norm of all elements of several tensors.\n",
    "_scale_(tensors, factor)": "Several tensors multiplied with a number, in place.\n",
}
