"""A variational autoencoder of small pictures: a bright bar somewhere on a dark ground."""

import torch
from drawn import generator, initialise, normal
from torch import nn, optim
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

SIDE, LATENT = 8, 2


class Bars(Dataset):
    def __init__(self, n):
        self.kinds = [(int(generator.integers(2)), int(generator.integers(SIDE))) for _ in range(n)]

    def __len__(self):
        return len(self.kinds)

    def __getitem__(self, i):
        upright, place = self.kinds[i]
        picture = torch.full((1, SIDE, SIDE), 0.05)
        picture[0, :, place] = 0.95
        return (picture.mT if upright else picture), upright


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(SIDE * SIDE, 48)
        self.fc21 = nn.Linear(48, LATENT)
        self.fc22 = nn.Linear(48, LATENT)
        self.fc3 = nn.Linear(LATENT, 48)
        self.fc4 = nn.Linear(48, SIDE * SIDE)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        return mu + normal(*std.shape) * std

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, SIDE * SIDE))
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    bce = F.binary_cross_entropy(recon_x, x.view(-1, SIDE * SIDE), reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return bce + kld


train_loader = DataLoader(Bars(512), batch_size=64, drop_last=True)
test_loader = DataLoader(Bars(100), batch_size=64)
model = VAE()
initialise(model)
optimizer = optim.Adam(model.parameters(), lr=3e-3)

for epoch in range(1, 11):
    model.train()
    train_loss = 0.0
    for data, _ in train_loader:
        optimizer.zero_grad()
        recon, mu, logvar = model(data)
        loss = loss_function(recon, data, mu, logvar)
        loss.backward()
        train_loss += loss.item()
        optimizer.step()
    model.eval()
    test_loss = 0.0
    with torch.no_grad():
        for data, _ in test_loader:
            recon, mu, logvar = model(data)
            test_loss += loss_function(recon, data, mu, logvar).item()
    train, test = train_loss / len(train_loader.dataset), test_loss / len(test_loader.dataset)
    print(f"epoch {epoch}: train {train:.4f}, test {test:.4f}")

with torch.no_grad():
    prior = torch.distributions.Normal(torch.zeros(LATENT), torch.ones(LATENT))
    posterior = torch.distributions.Normal(mu, torch.exp(0.5 * logvar))
    divergence = torch.distributions.kl_divergence(posterior, prior).sum(1)
    print(f"divergence {divergence.mean():.4f}, largest {divergence.max():.4f}")
    print(model.decode(torch.zeros(1, LATENT)).view(SIDE, SIDE)[:2])
