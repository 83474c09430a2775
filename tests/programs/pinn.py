"""A physics-informed network: u'' + u = 0 on an interval and Burgers' equation, by LBFGS."""

import math
from itertools import pairwise

import torch
from drawn import initialise, uniform
from torch import nn
from torch.autograd import grad

torch.set_default_dtype(torch.float64)


class Net(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(layers))

    def forward(self, *coordinates):
        x = torch.cat(coordinates, dim=1)
        for layer in self.layers[:-1]:
            x = torch.tanh(layer(x))
        return self.layers[-1](x)


def derivative(y, x):
    return grad(y, x, grad_outputs=torch.ones_like(y), create_graph=True, retain_graph=True)[0]


# An oscillator: Adam first, then LBFGS.
net = Net([1, 20, 20, 1])
initialise(net)
x = torch.linspace(0, math.pi, 32).view(-1, 1).requires_grad_(True)
zero = torch.zeros(1, 1, requires_grad=True)


def oscillator_loss():
    u = net(x)
    u_x = derivative(u, x)
    residual = derivative(u_x, x) + u
    u0 = net(zero)
    return residual.pow(2).mean() + (u0**2).sum() + ((derivative(u0, zero) - 1) ** 2).sum()


adam = torch.optim.Adam(net.parameters(), lr=5e-3)
for _ in range(100):
    adam.zero_grad()
    loss = oscillator_loss()
    loss.backward()
    adam.step()
print(f"Adam: {loss.item():.6e}")
lbfgs = torch.optim.LBFGS(
    net.parameters(), lr=1.0, max_iter=20, history_size=10, line_search_fn="strong_wolfe"
)


def closure():
    lbfgs.zero_grad()
    loss = oscillator_loss()
    loss.backward()
    return loss


print(f"LBFGS: {lbfgs.step(closure).item():.6e} -> {oscillator_loss().item():.4e}")

# Burgers' equation, all by LBFGS.
net = Net([2, 16, 16, 1])
initialise(net)
xf = (2 * uniform(100, 1) - 1).requires_grad_()
tf = uniform(100, 1).requires_grad_()
xi = torch.linspace(-1, 1, 30).unsqueeze(1)
ti = torch.zeros_like(xi)
ui = -torch.sin(math.pi * xi)
tb = torch.linspace(0, 1, 20)[:, None]
history = []
optimizer = torch.optim.LBFGS(
    net.parameters(),
    max_iter=30,
    max_eval=40,
    tolerance_grad=1e-9,
    tolerance_change=1e-12,
    line_search_fn="strong_wolfe",
)


def burgers():
    optimizer.zero_grad()
    u = net(xf, tf)
    u_t, u_x = grad(u.sum(), (tf, xf), create_graph=True)
    u_xx = derivative(u_x, xf)
    f = u_t + u * u_x - (0.01 / math.pi) * u_xx
    edges = sum(net(side * torch.ones_like(tb), tb).square().mean() for side in (-1.0, 1.0))
    loss = f.square().mean() + (net(xi, ti) - ui).square().mean() + edges
    if loss.requires_grad:
        loss.backward()
    history.append(loss.item())
    return loss


optimizer.step(burgers)
print(f"{len(history)} evaluations:", " ".join(f"{v:.5f}" for v in history[::5]))
print("middle", net(torch.zeros(1, 1), torch.full((1, 1), 0.5)))
