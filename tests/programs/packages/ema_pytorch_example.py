"""A moving average of a model."""

import torch
from ema_pytorch import EMA

net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
with torch.no_grad():
    net[0].weight.fill_(0.5)
    net[0].bias.fill_(0.1)
ema = EMA(net, beta=0.9, update_after_step=2, update_every=1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
x = torch.arange(12.0).view(4, 3).sin()
for _ in range(10):
    optimizer.zero_grad()
    (net(x) - x[:, :2]).pow(2).mean().backward()
    optimizer.step()
    ema.update()
print(net[0].weight, ema.ema_model[0].weight)
print(ema.ema_model[1].running_mean, ema.step)
ema.load_state_dict(ema.state_dict())
ema.copy_params_from_ema_to_model()
print(torch.equal(net[0].weight, ema.ema_model[0].weight))
