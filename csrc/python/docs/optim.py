"""Signatures of what optimisers and gradient clipping call in the core."""

from __future__ import annotations

__all__ = ["DOCS"]

DOCS: dict[str, str] = {
    "_optim_sgd(params, grads, momentum_buffers, lr, momentum, dampening, weight_decay, nesterov, "
    "maximize, first_step)": "A step of stochastic gradient descent.\n",
    "_optim_adam(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps, lr, beta1, beta2, "
    "eps, weight_decay, decoupled, amsgrad, maximize)": "A step of Adam.\n",
    "_optim_rmsprop(params, grads, square_avgs, grad_avgs, momentum_buffers, lr, alpha, eps, "
    "weight_decay, momentum, centered, maximize)": "A step of RMSprop.\n",
    "_grad_norm(tensors, norm_type)": "The norm of all elements of several tensors.\n",
    "_scale_(tensors, factor)": "Several tensors multiplied with a number, in place.\n",
}
