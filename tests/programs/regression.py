"""A polynomial of third degree that follows the sine, learned in four ways."""

import math

import torch
from drawn import normal
from torch import nn

x = torch.linspace(-math.pi, math.pi, 500)
y = torch.sin(x)
start = 0.1 * normal(4)


def report(name, loss, weights):
    numbers = " ".join(f"{w:.5f}" for w in torch.as_tensor(weights).flatten().tolist())
    print(f"{name}: loss {float(loss):.5f}, weights {numbers}")


# 1. The derivatives by hand, on tensors alone.
a, b, c, d = start.tolist()
rate = 2e-6
for _ in range(200):
    residual = a + b * x + c * x**2 + d * x**3 - y
    loss = residual.pow(2).sum().item()
    gradient = 2.0 * residual
    a -= rate * gradient.sum().item()
    b -= rate * (gradient * x).sum().item()
    c -= rate * (gradient * x**2).sum().item()
    d -= rate * (gradient * x**3).sum().item()
report("by hand", loss, [a, b, c, d])

# 2. The derivatives by autograd, the step by hand.
a, b, c, d = (w.clone().requires_grad_() for w in start)
for _ in range(200):
    loss = (a + b * x + c * x**2 + d * x**3 - y).pow(2).sum()
    loss.backward()
    with torch.no_grad():
        for w in (a, b, c, d):
            w -= rate * w.grad
            w.grad = None
report("autograd", loss, torch.stack([a, b, c, d]).detach())


# 3. A function with a derivative of its own.
class Legendre3(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (5 * x**3 - 3 * x) / 2

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * (15 * x**2 - 3) / 2


a, b, c, d = (torch.full((), v, requires_grad=True) for v in (0.0, -1.0, 0.0, 0.3))
for _ in range(300):
    loss = (a + b * Legendre3.apply(c + d * x) - y).pow(2).sum()
    loss.backward()
    with torch.no_grad():
        for w in (a, b, c, d):
            w -= 5e-6 * w.grad
            w.grad.zero_()
report("own function", loss, torch.stack([a, b, c, d]).detach())

# 4. A model, a loss and an optimiser.
features = x.unsqueeze(-1).pow(torch.tensor([1, 2, 3]))
model = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0, 1))
with torch.no_grad():
    model[0].bias.fill_(start[0])
    model[0].weight.copy_(start[1:].unsqueeze(0))
criterion = nn.MSELoss(reduction="sum")
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(600):
    loss = criterion(model(features), y)
    if step % 200 == 0:
        print(f"step {step}: {loss.item():.5f}")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
report("model", loss, model[0].weight.detach())
print(model)
