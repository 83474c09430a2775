"""A masked autoregressive flow and a coupling flow with splines."""

import torch
from nflows.distributions.normal import StandardNormal
from nflows.flows.base import Flow
from nflows.nn.nets import ResidualNet
from nflows.transforms.autoregressive import MaskedAffineAutoregressiveTransform
from nflows.transforms.base import CompositeTransform
from nflows.transforms.coupling import PiecewiseRationalQuadraticCouplingTransform
from nflows.transforms.permutations import ReversePermutation

torch.set_default_dtype(torch.float64)
transforms = []
for _ in range(2):
    transforms += [
        ReversePermutation(features=2),
        MaskedAffineAutoregressiveTransform(features=2, hidden_features=8),
        PiecewiseRationalQuadraticCouplingTransform(
            torch.tensor([1, 0]),
            lambda inputs, outputs: ResidualNet(inputs, outputs, hidden_features=8),
            tails="linear",
            tail_bound=3.0,
            num_bins=5,
        ),
    ]
flow = Flow(CompositeTransform(transforms), StandardNormal([2]))
with torch.no_grad():
    for parameter in flow.parameters():
        values = torch.arange(1.0, parameter.numel() + 1)
        parameter.copy_((values * 12.9898).sin().view(parameter.shape) / 2)
x = (torch.arange(80.0) * 7.233).sin().view(40, 2)
optimizer = torch.optim.Adam(flow.parameters(), lr=1e-2)
for step in range(20):
    optimizer.zero_grad()
    loss = -flow.log_prob(inputs=x).mean()
    loss.backward()
    optimizer.step()
    if step % 5 == 4:
        print(f"step {step} {loss.item():.5f}")
noise, log_det = flow._transform(x)
back, _ = flow._transform.inverse(noise)
print("back:", bool(torch.allclose(back, x, atol=1e-6)), log_det[:3])
print(flow.sample(5).shape)
