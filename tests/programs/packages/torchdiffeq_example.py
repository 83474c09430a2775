"""Solutions of differential equations, their gradients by both methods, and events."""

import math

import torch
from torch import nn
from torchdiffeq import odeint, odeint_adjoint, odeint_event

torch.set_default_dtype(torch.float64)
t = torch.linspace(0.0, 2.0, 5)


class Spiral(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
        with torch.no_grad():
            for parameter in self.parameters():
                values = torch.linspace(-1, 1, parameter.numel())
                parameter.copy_(values.sin().view(parameter.shape))

    def forward(self, t, y):
        return self.net(y) - 0.1 * y


field = Spiral()
methods = ("dopri5", "dopri8", "bosh3", "adaptive_heun", "euler", "midpoint", "rk4", "heun3")
for method in (*methods, "explicit_adams", "implicit_adams"):
    print(method, odeint(field, torch.tensor([[1.0, 0.5]]), t, method=method)[-1])

for solve in (odeint, odeint_adjoint):
    y0 = torch.tensor([[1.0, 0.5], [0.2, -0.3]], requires_grad=True)
    field.zero_grad()
    loss = solve(field, y0, t, rtol=1e-9, atol=1e-10).pow(2).mean()
    loss.backward()
    weight = field.net[0].weight.grad
    print(f"{solve.__name__} {loss:.6f} {y0.grad.sum():.6f} {weight.abs().sum():.6f}")

optimizer = torch.optim.Adam(field.parameters(), lr=0.02)
goal = torch.stack((torch.cos(t), torch.sin(t)), dim=1)[:, None]
for step in range(12):
    optimizer.zero_grad()
    loss = (odeint_adjoint(field, goal[0], t) - goal).abs().mean()
    loss.backward()
    optimizer.step()
    if step % 4 == 3:
        print(f"step {step} {loss.item():.5f}")


class Falling(nn.Module):
    def forward(self, t, state):
        _height, speed = state
        return speed, -9.81 * torch.ones_like(speed)


start = (torch.tensor([10.0]), torch.tensor([0.0]))
when, state = odeint_event(
    Falling(), start, torch.tensor(0.0), event_fn=lambda t, s: s[0], atol=1e-9, rtol=1e-9
)
print(f"lands at {when.item():.5f}, {math.sqrt(20 / 9.81):.5f}, speed {state[1][-1].item():.4f}")
