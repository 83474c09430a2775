"""A neural ODE: a field, integrated by Runge-Kutta steps, that follows a damped oscillator."""

from itertools import pairwise

import torch
import torch.nn as nn
from drawn import initialise, integers

torch.set_default_dtype(torch.float64)


def rk4(field, y, t):
    """The solution at each of the times, beginning with `y` at the first."""
    solution = [y]
    for t0, t1 in pairwise(t):
        h = t1 - t0
        k1 = field(t0, y)
        k2 = field(t0 + h / 2, y + h * k1 / 2)
        k3 = field(t0 + h / 2, y + h * k2 / 2)
        k4 = field(t1, y + h * k3)
        y = y + h * (k1 + 2 * k2 + 2 * k3 + k4) / 6
        solution.append(y)
    return torch.stack(solution)


class Truth(nn.Module):
    A = torch.tensor([[-0.1, 2.0], [-2.0, -0.1]])

    def forward(self, t, y):
        return torch.mm(y**3, self.A)


class Field(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))
        for m in self.net.modules():
            if isinstance(m, nn.Linear):
                nn.init.constant_(m.bias, val=0)

    def forward(self, t, y):
        return self.net(y**3)


times = torch.linspace(0.0, 10.0, 201)
start = torch.tensor([[2.0, 0.0]])
with torch.no_grad():
    truth = rk4(Truth(), start, times)
print("truth ends at", truth[-1])

field = Field()
initialise(field)
optimizer = torch.optim.RMSprop(field.parameters(), lr=2e-3)
LENGTH = 8
for step in range(60):
    places = integers(200 - LENGTH, 20)
    batch_y0 = truth[places]  # (20, 1, 2)
    batch_t = times[:LENGTH]
    batch_y = torch.stack([truth[places + i] for i in range(LENGTH)], dim=0)
    optimizer.zero_grad()
    loss = torch.mean(torch.abs(rk4(field, batch_y0, batch_t) - batch_y))
    loss.backward()
    optimizer.step()
    if step % 15 == 0 or step == 59:
        with torch.no_grad():
            total = torch.mean(torch.abs(rk4(field, start, times) - truth))
        print(f"Iter {step:04d} | Batch {loss.item():.6f} | Total Loss {total.item():.6f}")
