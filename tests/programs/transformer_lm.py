"""A small transformer that continues sequences, with causal attention written out."""

import math

import torch
import torch.nn as nn
from drawn import initialise, integers
from torch.nn import functional as F

VOCABULARY, BLOCK, WIDTH, HEADS, LAYERS = 16, 24, 32, 4, 2


class SelfAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.projection = nn.Linear(WIDTH, WIDTH)
        self.register_buffer("mask", torch.tril(torch.ones(BLOCK, BLOCK)).view(1, 1, BLOCK, BLOCK))

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.qkv(x).split(WIDTH, dim=2)
        q, k, v = (t.view(B, T, HEADS, C // HEADS).transpose(1, 2) for t in (q, k, v))
        scores = (q @ k.transpose(-2, -1)) / math.sqrt(k.size(-1))
        scores = scores.masked_fill(self.mask[:, :, :T, :T] == 0, float("-inf"))
        y = F.softmax(scores, dim=-1) @ v
        return self.projection(y.transpose(1, 2).contiguous().view(B, T, C))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attention = SelfAttention()
        self.mlp = nn.ModuleDict(
            {
                "up": nn.Linear(WIDTH, 4 * WIDTH),
                "act": nn.GELU(),
                "down": nn.Linear(4 * WIDTH, WIDTH),
            }
        )

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        y = self.norm2(x)
        for layer in self.mlp.values():
            y = layer(y)
        return x + y


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Embedding(BLOCK, WIDTH)
        self.blocks = nn.Sequential(*[Block() for _ in range(LAYERS)])
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.head.weight = self.tokens.weight  # one matrix for both

    def forward(self, ids, targets=None):
        positions = torch.arange(ids.size(1), device=ids.device)
        x = self.tokens(ids) + self.positions(positions)
        logits = self.head(self.norm(self.blocks(x)))
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(-1, VOCABULARY), targets.reshape(-1))


def batch(size=16):
    """Sequences that count upwards by a step of their own."""
    first, step = integers(VOCABULARY, size, 1), 1 + integers(3, size, 1)
    ids = (first + step * torch.arange(BLOCK + 1)) % VOCABULARY
    return ids[:, :-1], ids[:, 1:]


model = Transformer()
initialise(model)
decay = [p for p in set(model.parameters()) if p.dim() >= 2]
rest = [p for p in model.parameters() if p.dim() < 2]
groups = [{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.95))
print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(model.state_dict())} tensors")


def rate(step, warmup=10, last=80):
    if step < warmup:
        return (step + 1) / warmup
    return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - warmup) / (last - warmup)))


scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
for step in range(80):
    for _ in range(2):  # gradients of two batches
        _, loss = model(*batch())
        (loss / 2).backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    scheduler.step()
    if step % 20 == 19:
        print(f"step {step} loss {loss.item():.4f} norm {norm.item():.4f}")

model.eval()
with torch.no_grad():
    ids = torch.tensor([[1, 3, 5, 7], [9, 10, 11, 12]])
    for _ in range(8):
        logits, _ = model(ids[:, -BLOCK:])
        best = torch.topk(logits[:, -1, :], k=3).values
        ids = torch.cat((ids, logits[:, -1, :].argmax(-1, keepdim=True)), dim=1)
    print(ids)
    print(best)
