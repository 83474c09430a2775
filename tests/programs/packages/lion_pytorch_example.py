"""Signs of momentum as steps."""

import torch
from lion_pytorch import Lion

layer = torch.nn.Linear(3, 2)
with torch.no_grad():
    layer.weight.fill_(0.3)
    layer.bias.zero_()
optimizer = Lion(layer.parameters(), lr=1e-2, weight_decay=1e-2)
x = torch.arange(12.0).view(4, 3).sin()
for step in range(20):
    loss = (layer(x) - x[:, :2]).pow(2).mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    if step % 5 == 4:
        print(f"{loss.item():.5f}")
print(layer.weight)
