"""Optimisers as programs of earlier years wrote them: factors in front, one wrapped in another."""

import math
from collections import defaultdict

import torch
from drawn import normal
from torch.optim.optimizer import Optimizer


class RAdam(Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0):
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        )

    def __setstate__(self, state):
        super().__setstate__(state)

    def step(self, closure=None):
        loss = None
        if closure is not None:
            loss = closure()
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                grad, data, state = p.grad.data.float(), p.data.float(), self.state[p]
                if grad.is_sparse:
                    raise RuntimeError("RAdam does not support sparse gradients")
                if len(state) == 0:
                    state["step"] = 0
                    state["mean"] = torch.zeros_like(data)
                    state["square"] = torch.zeros_like(data)
                state["step"] += 1
                mean = state["mean"].mul_(beta1).add_(1 - beta1, grad)
                square = state["square"].mul_(beta2).addcmul_(1 - beta2, grad, grad)
                power = beta2 ** state["step"]
                longest = 2 / (1 - beta2) - 1
                length = longest - 2 * state["step"] * power / (1 - power)
                size = group["lr"] / (1 - beta1 ** state["step"])
                if group["weight_decay"] != 0:
                    data.add_(-group["weight_decay"] * group["lr"], data)
                if length >= 5:
                    ratio = (length - 4) * (length - 2) * longest
                    ratio /= (longest - 4) * (longest - 2) * length
                    size *= math.sqrt((1 - power) * ratio)
                    data.addcdiv_(-size, mean, square.sqrt().add_(group["eps"]))
                else:
                    data.add_(-size, mean)
                p.data.copy_(data)
        return loss


class Lookahead(Optimizer):
    def __init__(self, optimizer, k=5, alpha=0.5):
        self.optimizer, self.k, self.alpha = optimizer, k, alpha
        self.param_groups, self.defaults = optimizer.param_groups, optimizer.defaults
        self.state = defaultdict(dict)
        for group in self.param_groups:
            group["counter"] = 0

    def zero_grad(self):
        self.optimizer.zero_grad()

    def step(self, closure=None):
        loss = self.optimizer.step(closure)
        for group in self.param_groups:
            if group["counter"] == 0:
                for fast in group["params"]:
                    slow = self.state[fast].setdefault("slow", fast.data.clone())
                    slow += (fast.data - slow) * self.alpha
                    fast.data.copy_(slow)
            group["counter"] = (group["counter"] + 1) % self.k
        return loss


x = normal(20, 3)
y = torch.addmv(normal(20) * 0.1, x, torch.tensor([1.0, -2.0, 0.5])) + 0.3
seen = x.t().mm(x).div(20)
print(torch.eye(3).addmm_(0.5, 2, seen, seen))
for make in (
    lambda p: RAdam(p, lr=0.1, weight_decay=0.01),
    lambda p: Lookahead(RAdam(p, lr=0.1)),
    lambda p: Lookahead(torch.optim.SGD(p, lr=0.05, momentum=0.9), k=3),
):
    w, b = torch.zeros(3, requires_grad=True), torch.zeros((), requires_grad=True)
    optimizer = make([w, b])
    for _ in range(30):
        optimizer.zero_grad()
        loss = (x.mv(w) + b - y).pow(2).mean()
        loss.backward()
        optimizer.step()
    print(type(optimizer).__name__, f"{loss.item():.4f}", w.data, b.item())
    print(optimizer)
