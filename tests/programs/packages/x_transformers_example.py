"""A decoder of a library of transformers, a few steps of training."""

import torch
from x_transformers import AutoregressiveWrapper, Decoder, TransformerWrapper

model = TransformerWrapper(
    num_tokens=20,
    max_seq_len=16,
    attn_layers=Decoder(dim=32, depth=2, heads=1, attn_dim_head=32, rotary_pos_emb=True),
)
with torch.no_grad():
    for name, parameter in model.named_parameters():
        if "bias" in name:
            parameter.zero_()
        elif parameter.dim() > 1:
            values = torch.arange(1.0, parameter.numel() + 1)
            parameter.copy_((values * 12.9898).sin().view(parameter.shape) / 6)
wrapped = AutoregressiveWrapper(model)
optimizer = torch.optim.Adam(wrapped.parameters(), lr=1e-3)
ids = (torch.arange(17)[None] * torch.tensor([[1], [2], [3]])) % 20
for step in range(12):
    loss = wrapped(ids[:, :16])
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    if step % 4 == 3:
        print(f"step {step} {loss.item():.4f}")
model.eval()
print(wrapped.generate(ids[:, :4], 6, temperature=0.0).shape)
