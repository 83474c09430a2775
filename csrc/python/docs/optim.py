"""Signatures of what optimisers and gradient clipping call in the core."""

from __future__ import annotations

__all__ = ["DOCS"]

DOCS: dict[str, str] = {
    "_optim_step(rule, params, grads, states, coefficients)\n"
    "_optim_step(rule, params, grads, states, numbers)": "A step of an optimiser.\n",
    "_grad_norm(tensors, norm_type)": "The norm of all elements of several tensors.\n",
    "_clip_(tensors, total_norm, max_norm, norm_type=None)": (
        "Several tensors scaled down so that their norm is at most a number, in place.\n"
    ),
}
