"""Stochastic differential equations: solvers, and gradients by the adjoint method."""

import torch
import torchsde

torch.set_default_dtype(torch.float64)


class Walk(torch.nn.Module):
    """A drift towards the middle; the noise is nothing, or goes along the state."""

    sde_type = "ito"
    noise_type = "diagonal"

    def __init__(self, noise):
        super().__init__()
        self.mu = torch.nn.Linear(3, 3)
        self.noise = noise
        with torch.no_grad():
            self.mu.weight.copy_(-torch.eye(3) + 0.1)
            self.mu.bias.fill_(0.2)

    def f(self, t, y):
        return self.mu(y).tanh()

    def g(self, t, y):
        return self.noise * y


ts = torch.linspace(0, 1, 5)
y0 = torch.full((4, 3), 0.5)

# Without noise the solution is that of a differential equation, whatever is drawn.
for method in ("euler", "milstein", "srk"):
    with torch.no_grad():
        ys = torchsde.sdeint(Walk(0.0), y0, ts, method=method, dt=0.05)
    print(method, ys.shape, ys[-1, 0])

for solve in (torchsde.sdeint, torchsde.sdeint_adjoint):
    sde = Walk(0.0)
    sde.sde_type = "stratonovich"
    ys = solve(sde, y0, ts, method="midpoint", dt=0.02)
    ys[-1].pow(2).sum().backward()
    print(f"{solve.__name__} {sde.mu.weight.grad.sum():.4f} {sde.mu.bias.grad.sum():.4f}")

# With noise: the same path is walked again from the same source.
bm = torchsde.BrownianInterval(t0=0.0, t1=1.0, size=(4, 3), entropy=7)
first, second = (torchsde.sdeint(Walk(0.3), y0, ts, bm=bm, method="euler") for _ in range(2))
whole, halves = bm(0.0, 1.0), bm(0.0, 0.5) + bm(0.5, 1.0)
print("again the same:", bool(torch.equal(first, second)), bool(torch.allclose(whole, halves)))
print("moved:", bool((first[-1] != first[0]).all()), bool(first.isfinite().all()))
