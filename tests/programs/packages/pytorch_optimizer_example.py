"""Optimisers of a collection, on one small problem."""

import torch
from pytorch_optimizer import load_optimizer

x = torch.arange(24.0).view(8, 3).sin()
names = (
    *("adabelief", "adamp", "adan", "diffgrad", "lamb", "lion", "madgrad", "novograd", "prodigy"),
    *("radam", "ranger", "shampoo", "sophiah", "yogi"),
)
for name in names:
    layer = torch.nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight.fill_(0.3)
        layer.bias.zero_()
    optimizer = load_optimizer(name)(layer.parameters(), lr=1e-2)
    for _ in range(10):
        optimizer.zero_grad()
        loss = (layer(x) - x[:, :2]).pow(2).mean()
        loss.backward(create_graph=name == "sophiah")
        optimizer.step()
    print(name, f"{loss.item():.5f}", f"{layer.weight.sum().item():.4f}")
