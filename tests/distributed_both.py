"""What PyTorch and tapegrad do alike in a world of one process: ``python this_file.py torch``.

tests/test_distributed.py compares what both print.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

lib: Any = importlib.import_module(sys.argv[1])
dist, nn = lib.distributed, lib.nn
DDP = nn.parallel.DistributedDataParallel


def refused(function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    try:
        function(*args, **kwargs)
    except Exception as error:
        print(type(error).__name__, str(error).split(". ")[0])
    else:
        print("nothing")


refused(dist.get_rank)
refused(dist.barrier)
refused(DDP, nn.Linear(1, 1))
refused(lib.utils.data.DistributedSampler, range(3))
if sys.argv[1] == "torch":
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
else:
    dist.init_process_group()
refused(dist.init_process_group)
print(
    dist.get_rank(),
    dist.get_world_size(),
    dist.is_initialized(),
    dist.get_process_group_ranks(None),
)
x = lib.arange(4.0)
print(dist.all_reduce(x, op=dist.ReduceOp.MAX), dist.broadcast(x, 0), dist.barrier(), x)
work = dist.all_reduce(x, async_op=True)
print(work.wait(), work.is_completed())
refused(dist.broadcast, x)
refused(dist.all_reduce, lib.ones(2), op=dist.ReduceOp.BAND)
refused(dist.gather, x)
objects = [None]
dist.all_gather_object(objects, "a")
dist.broadcast_object_list(objects, src=0)
print(objects, dist.get_rank(dist.new_group([0])))


class Net(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)
        for p in self.parameters():
            nn.init.constant_(p, 0.5)

    def forward(self, x: Any, c: bool = False) -> Any:
        y = self.a(x)
        return (self.b(y), self.c(y)) if c else self.b(y)


refused(DDP, nn.ReLU())
refused(DDP, nn.LazyLinear(2))
refused(DDP, Net(), device_ids=[0])
model = DDP(Net())
print(list(model.state_dict()), isinstance(model.module, Net))
x = lib.ones(3, 2)
model(x).sum().backward()
try:
    model(x)
except RuntimeError as error:
    lines = str(error).splitlines()
    print([line for line in lines if line.startswith("Parameter ind")])
model = DDP(Net(), find_unused_parameters=True)
for outputs in (lambda: model(x), lambda: model(x, c=True)[0]):
    model.zero_grad()
    outputs().sum().backward()
    print([None if p.grad is None else p.grad.tolist() for p in model.parameters()])
model = DDP(Net(), gradient_as_bucket_view=True)
with model.no_sync():
    sum(y.sum() for y in model(x, c=True)).backward()
sum(y.sum() for y in model(x, c=True)).backward()
print([p.grad.tolist() for p in model.parameters()])
model.eval()
with lib.no_grad():
    print(model(x).tolist(), model.training, model.module.training)
dist.destroy_process_group()
print(dist.is_initialized())
