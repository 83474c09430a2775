"""A normalising flow (RealNVP) that learns the density of two half-moons."""

import numpy as np
import torch
import torch.nn as nn
from drawn import generator, initialise
from torch import distributions
from torch.nn.parameter import Parameter

torch.set_default_dtype(torch.float64)


def moons(n, noise=0.05):
    t = np.pi * generator.random(n)
    upper = generator.random(n) < 0.5
    x = np.where(upper, np.cos(t), 1 - np.cos(t))
    y = np.where(upper, np.sin(t), 0.5 - np.sin(t))
    return np.stack([x, y], axis=1) + noise * generator.standard_normal((n, 2))


def net(last=None):
    layers = [nn.Linear(2, 32), nn.LeakyReLU(), nn.Linear(32, 32), nn.LeakyReLU(), nn.Linear(32, 2)]
    return nn.Sequential(*layers, *([last] if last else []))


class RealNVP(nn.Module):
    def __init__(self, mask, prior):
        super().__init__()
        self.prior = prior
        self.mask = Parameter(mask, requires_grad=False)
        self.t = nn.ModuleList([net() for _ in range(len(mask))])
        self.s = nn.ModuleList([net(nn.Tanh()) for _ in range(len(mask))])

    def g(self, z):
        x = z
        for i in range(len(self.t)):
            x_ = x * self.mask[i]
            s = self.s[i](x_) * (1 - self.mask[i])
            t = self.t[i](x_) * (1 - self.mask[i])
            x = x_ + (1 - self.mask[i]) * (x * torch.exp(s) + t)
        return x

    def f(self, x):
        log_det_J, z = x.new_zeros(x.shape[0]), x
        for i in reversed(range(len(self.t))):
            z_ = self.mask[i] * z
            s = self.s[i](z_) * (1 - self.mask[i])
            t = self.t[i](z_) * (1 - self.mask[i])
            z = (1 - self.mask[i]) * (z - t) * torch.exp(-s) + z_
            log_det_J -= s.sum(dim=1)
        return z, log_det_J

    def log_prob(self, x):
        z, logp = self.f(x)
        return self.prior.log_prob(z) + logp


masks = torch.from_numpy(np.array([[0, 1], [1, 0]] * 3).astype(np.float64))
prior = distributions.MultivariateNormal(torch.zeros(2), torch.eye(2))
flow = RealNVP(masks, prior)
initialise(*flow.t, *flow.s)
optimizer = torch.optim.Adam([p for p in flow.parameters() if p.requires_grad], lr=2e-3)
for step in range(120):
    loss = -flow.log_prob(torch.from_numpy(moons(100))).mean()
    optimizer.zero_grad()
    loss.backward(retain_graph=True)
    optimizer.step()
    if step % 20 == 0 or step == 119:
        print(f"step {step}: loss = {loss:.5f}")

with torch.no_grad():
    x = torch.from_numpy(moons(200))
    z, log_det = flow.f(x)
    print(f"back again: {(flow.g(z) - x).abs().max() < 1e-10}")
    print("mean", z.mean(0), "covariance", torch.cov(z.T))
x0 = x[0].clone().requires_grad_()
jacobian = torch.autograd.functional.jacobian(lambda v: flow.f(v[None])[0][0], x0)
print(f"log det {torch.linalg.slogdet(jacobian)[1]:.6f} {log_det[0]:.6f}")
