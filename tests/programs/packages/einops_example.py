"""Rearranged, reduced and repeated tensors, and layers that do so."""

import einops
import torch
from einops import einsum, pack, rearrange, reduce, repeat, unpack
from einops.layers.torch import EinMix, Rearrange, Reduce
from torch import nn

x = torch.arange(2 * 3 * 4 * 4, dtype=torch.float32).reshape(2, 3, 4, 4).requires_grad_()
patches = rearrange(x, "b c (h p) (w q) -> b (h w) (p q c)", p=2, q=2)
print(patches.shape, patches[0, 1, :4].tolist())
print(reduce(x, "b c (h 2) (w 2) -> b c h w", "max")[1, 2].tolist())
print(reduce(x, "b c h w -> b c", "mean").tolist(), reduce(x, "b ... -> b", "sum").tolist())
print(repeat(x[0, 0, 0], "w -> h w", h=2).tolist())
print(einsum(x, x, "b c h w, b d h w -> b c d")[0, 0, :2].tolist())
packed, shapes = pack([x[:, 0], x[:, 1, 0]], "b *")
print(packed.shape, shapes, [t.shape for t in unpack(packed, shapes, "b *")])
print(einops.parse_shape(x, "b _ h w"), einops.asnumpy(x.detach()).shape)

model = nn.Sequential(
    Rearrange("b c (h p) (w q) -> b (h w) (p q c)", p=2, q=2),
    EinMix("b n i -> b n o", weight_shape="i o", bias_shape="o", i=12, o=5),
    nn.ReLU(),
    Reduce("b n o -> b o", "mean"),
)
with torch.no_grad():
    for parameter in model.parameters():
        parameter.copy_(torch.linspace(-1, 1, parameter.numel()).view(parameter.shape))
print(model)
y = model(x)
y.pow(2).sum().backward()
print(y.tolist(), x.grad.sum().item(), x.grad[0, 0, 0].tolist())
try:
    rearrange(x, "b c h -> b (c h)")
except einops.EinopsError as error:
    print(str(error).splitlines()[0])
