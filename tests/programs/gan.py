"""A generator of points on a ring and a discriminator that learn from each other."""

import math

import torch
import torch.nn as nn
from drawn import initialise, normal, uniform

torch.set_default_dtype(torch.float64)
NOISE, BATCH = 4, 64


def real_points():
    angle = 2 * math.pi * uniform(BATCH)
    points = torch.stack((angle.cos(), angle.sin()), dim=1)
    return points + 0.05 * normal(BATCH, 2)


generator = nn.Sequential(
    nn.Linear(NOISE, 32),
    nn.BatchNorm1d(32),
    nn.ReLU(True),
    nn.Linear(32, 32),
    nn.BatchNorm1d(32),
    nn.ReLU(True),
    nn.Linear(32, 2),
)
discriminator = nn.Sequential(
    nn.Linear(2, 32),
    nn.LeakyReLU(0.2, inplace=True),
    nn.Linear(32, 32),
    nn.LeakyReLU(0.2, inplace=True),
    nn.Linear(32, 1),
    nn.Sigmoid(),
)
initialise(generator, discriminator)


def weights_init(m):
    if m.__class__.__name__.find("BatchNorm") != -1:
        with torch.no_grad():
            m.weight.copy_(1.0 + 0.02 * normal(*m.weight.shape))
        nn.init.constant_(m.bias.data, 0)


generator.apply(weights_init)
print(generator)

criterion = nn.BCELoss()
optimizerD = torch.optim.Adam(discriminator.parameters(), lr=2e-3, betas=(0.5, 0.999))
optimizerG = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
label = torch.empty(BATCH)

for step in range(200):
    discriminator.zero_grad()
    output = discriminator(real_points()).view(-1)
    errD_real = criterion(output, label.fill_(1.0))
    errD_real.backward()
    fake = generator(normal(BATCH, NOISE))
    errD_fake = criterion(discriminator(fake.detach()).view(-1), label.fill_(0.0))
    errD_fake.backward()
    optimizerD.step()

    generator.zero_grad()
    errG = criterion(discriminator(fake).view(-1), label.fill_(1.0))
    errG.backward()
    optimizerG.step()
    if step % 40 == 39:
        radius = fake.detach().norm(dim=1)
        print(f"step {step} D {(errD_real + errD_fake).item():.5f} G {errG.item():.5f}", end=" ")
        print(f"radius {radius.mean():.4f} {radius.std():.4f}")

generator.eval()
with torch.no_grad():
    print(generator(normal(3, NOISE)))
    print(generator[1].running_mean[:5], int(generator[1].num_batches_tracked))
