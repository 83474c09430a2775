"""Model-agnostic meta-learning of sine waves: gradients through a step of gradient descent."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from drawn import normal, uniform

torch.set_default_dtype(torch.float64)
SIZES = [1, 24, 24, 1]
weights = []
for fan_in, fan_out in pairwise(SIZES):
    weights.append((normal(fan_out, fan_in) / fan_in**0.5).requires_grad_())
    weights.append(torch.zeros(fan_out, requires_grad=True))


def forward(x, params):
    for i in range(0, len(params), 2):
        x = F.linear(x, params[i], params[i + 1])
        if i < len(params) - 2:
            x = F.relu(x)
    return x


def task():
    amplitude, phase = 0.1 + 4.9 * uniform(1), math.pi * uniform(1)

    def draw(n):
        x = 10 * uniform(n, 1) - 5
        return x, amplitude * torch.sin(x - phase)

    return draw


def adapt(params, x, y, steps=1, rate=0.01, create_graph=True):
    for _ in range(steps):
        loss = F.mse_loss(forward(x, params), y)
        grads = torch.autograd.grad(loss, params, create_graph=create_graph)
        params = [w - rate * g for w, g in zip(params, grads, strict=True)]
    return params


meta = torch.optim.Adam(weights, lr=5e-3)
for iteration in range(80):
    meta.zero_grad()
    total = 0.0
    for _ in range(4):
        draw = task()
        fast = adapt(weights, *draw(10))
        x, y = draw(10)
        total = total + F.mse_loss(forward(x, fast), y)
    (total / 4).backward()
    meta.step()
    if iteration % 20 == 19:
        size = sum(w.grad.abs().sum() for w in weights)
        print(f"iteration {iteration}: {total.item() / 4:.5f}, gradient {size.item():.5f}")

draw = task()
x, y = draw(10)
params = [w.detach().clone().requires_grad_() for w in weights]
before = F.mse_loss(forward(x, params), y)
after = F.mse_loss(forward(x, adapt(params, x, y, steps=5, create_graph=False)), y)
print(f"a new wave: {before:.5f} -> {after:.5f}")
