"""Denoising diffusion of points on a spiral."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from drawn import initialise, integers, normal, uniform

STEPS = 40
device = "cuda" if torch.cuda.is_available() else "cpu"


class SinusoidalEmbedding(nn.Module):
    def __init__(self, size: int, scale: float = 1.0):
        super().__init__()
        self.size, self.scale = size, scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        half = self.size // 2
        factors = torch.exp(-math.log(10000.0) / (half - 1) * torch.arange(half))
        angles = (x * self.scale).unsqueeze(-1) * factors.unsqueeze(0)
        return torch.cat((torch.sin(angles), torch.cos(angles)), dim=-1)


class Block(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.ff = nn.Linear(size, size)
        self.act = nn.GELU()

    def forward(self, x):
        return x + self.act(self.ff(x))


class Denoiser(nn.Module):
    def __init__(self, width=48, layers=2, size=16):
        super().__init__()
        self.time = SinusoidalEmbedding(size)
        self.place = SinusoidalEmbedding(size, scale=25.0)
        self.net = nn.Sequential(
            nn.Linear(3 * size, width),
            nn.GELU(),
            *(Block(width) for _ in range(layers)),
            nn.Linear(width, 2),
        )

    def forward(self, x, t):
        parts = [self.place(x[:, 0]), self.place(x[:, 1]), self.time(t)]
        return self.net(torch.cat(parts, dim=-1))


betas = torch.linspace(1e-4, 0.1, STEPS)
alphas = 1.0 - betas
alphas_cumprod = torch.cumprod(alphas, dim=0)
alphas_cumprod_prev = F.pad(alphas_cumprod[:-1], (1, 0), value=1.0)
posterior_variance = betas * (1.0 - alphas_cumprod_prev) / (1.0 - alphas_cumprod)


def extract(a, t, x_shape):
    return a.gather(-1, t).reshape(t.shape[0], *((1,) * (len(x_shape) - 1)))


def q_sample(x_start, t, noise):
    signal = extract(alphas_cumprod.sqrt(), t, x_start.shape)
    return signal * x_start + extract((1.0 - alphas_cumprod).sqrt(), t, x_start.shape) * noise


def spiral(n):
    t = 3 * math.pi * uniform(n).sqrt()
    return torch.stack((t * torch.cos(t), t * torch.sin(t)), 1) / (3 * math.pi) * 2


model = Denoiser().to(device)
initialise(model)
average = torch.optim.swa_utils.AveragedModel(
    model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.95)
)
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=200)
for step in range(200):
    x0, t = spiral(128), integers(STEPS, 128)
    noise = normal(128, 2)
    loss = F.mse_loss(model(q_sample(x0, t, noise), t), noise)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    scheduler.step()
    average.update_parameters(model)
    if step % 40 == 39:
        print(f"step {step}: {loss.detach().item():.4f}, rate {scheduler.get_last_lr()[0]:.6f}")


@torch.no_grad()
def sample(n):
    average.eval()
    x = normal(n, 2)
    for i in reversed(range(STEPS)):
        t = torch.full((n,), i, dtype=torch.long, device=device)
        predicted = average(x, t)
        x = (x - betas[i] / (1 - alphas_cumprod[i]).sqrt() * predicted) / alphas[i].sqrt()
        if i > 0:
            x = x + posterior_variance[i].sqrt() * normal(n, 2)
    return x


points = sample(200)
print("mean", points.mean(dim=0), "radius", points.norm(dim=-1).mean())
