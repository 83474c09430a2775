"""Optimisers of a collection, on one small problem."""

import torch
from pytorch_optimizer import load_optimizer

x = torch.arange(24.0).view(8, 3).sin()
for name in ("adabelief", "adamp", "diffgrad", "lamb", "lion", "madgrad", "radam", "ranger", "sophiah",
             "adan", "prodigy", "shampoo", "novograd", "sam", "yogi"):  # fmt: skip
    layer = torch.nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight.fill_(0.3)
        layer.bias.zero_()
    try:
        optimizer = load_optimizer(name)(layer.parameters(), lr=1e-2)
    except (NotImplementedError, TypeError) as error:
        print(name, type(error).__name__)
        continue
    for _ in range(10):
        optimizer.zero_grad()
        loss = (layer(x) - x[:, :2]).pow(2).mean()
        loss.backward(create_graph=name == "sophiah")
        optimizer.step()
    print(name, f"{loss.item():.5f}", f"{layer.weight.sum().item():.4f}")
