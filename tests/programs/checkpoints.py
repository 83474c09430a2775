"""Checkpoints: states, whole modules, arrays and other objects are saved and read again."""

import pickle
from collections import OrderedDict

import numpy as np
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.hidden = hidden
        self.layers = nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 1))
        self.register_buffer("seen", torch.zeros(1, dtype=torch.long))

    def forward(self, x):
        return self.layers(x)


net = Net(4)
with torch.no_grad():
    for i, p in enumerate(net.parameters()):
        p.copy_(torch.linspace(-1, 1, p.numel()).view_as(p) * (i + 1))
x = torch.tensor([[1.0, -1.0], [0.5, 2.0]])
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
net(x).sum().backward()
optimizer.step()

shared = torch.arange(6.0)
torch.save(
    {
        "epoch": 3,
        "model": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "best": 0.25,
        "views": (shared, shared[2:4]),
        "types": [torch.float16, torch.Size([2, 3]), torch.device("cpu")],
    },
    "checkpoint.pt",
)
loaded = torch.load("checkpoint.pt", map_location=lambda storage, location: storage)
print(list(loaded), loaded["epoch"], loaded["best"], type(loaded["model"]).__name__)
print(isinstance(loaded["model"], OrderedDict), loaded["types"])
loaded["views"][0].zero_()
print("shared:", loaded["views"][1].tolist())
other = Net(4)
print(other.load_state_dict(loaded["model"]))
print(torch.equal(other(x), net(x)))
again = torch.optim.Adam(other.parameters(), lr=1.0)
again.load_state_dict(loaded["optimizer"])
print(again.param_groups[0]["lr"], again.state_dict()["state"][0]["step"])

torch.save(net, "model.pt")
try:
    torch.load("model.pt")
except pickle.UnpicklingError as error:
    print("refused:", "weights_only" in str(error), "add_safe_globals" in str(error))
whole = torch.load("model.pt", weights_only=False)
print(type(whole) is Net, whole.hidden, torch.equal(whole(x), net(x)), whole)
kinds = [Net, nn.Sequential, nn.Linear, nn.Tanh]
with torch.serialization.safe_globals(kinds):
    print(type(torch.load("model.pt")).__name__)

torch.save({"array": np.arange(3), "score": np.float64(0.5), "set": {1, 2}}, "arrays.pt")
arrays = torch.load("arrays.pt", weights_only=False)
print(arrays["array"], type(arrays["score"]).__name__, arrays["score"], arrays["set"])
print(torch.load("checkpoint.pt", mmap=True)["views"][0].tolist())
