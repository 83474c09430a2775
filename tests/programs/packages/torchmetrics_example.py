"""Metrics that gather over batches."""

import torch
import torchmetrics
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import (
    BinaryAUROC,
    MulticlassAccuracy,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
)
from torchmetrics.functional import mean_squared_error, pairwise_cosine_similarity, r2_score
from torchmetrics.regression import MeanAbsoluteError, PearsonCorrCoef

values = torch.arange(60, dtype=torch.float32)
logits = ((values * 12.9898).sin() * 43.7).frac().view(20, 3)
target = torch.arange(20) % 3
metrics = MetricCollection(
    {
        "accuracy": MulticlassAccuracy(num_classes=3, average="micro"),
        "top2": MulticlassAccuracy(num_classes=3, top_k=2),
        "f1": MulticlassF1Score(num_classes=3),
    }
)
confusion = MulticlassConfusionMatrix(num_classes=3)
for i in range(0, 20, 5):
    metrics.update(logits[i : i + 5], target[i : i + 5])
    confusion.update(logits[i : i + 5], target[i : i + 5])
print({name: round(value.item(), 5) for name, value in metrics.compute().items()})
print(confusion.compute().tolist())
print(confusion)
confusion.reset()
print(confusion(logits[:5].softmax(-1), target[:5]).tolist())

score = logits[:, 0].sigmoid()
auroc = BinaryAUROC()
print(f"{auroc(score, target == 0).item():.5f}")
print(f"{BinaryAUROC(thresholds=5)(score, (target == 0).long()).item():.5f}")
x, y = logits[:, 0], logits[:, 1] + logits[:, 0]
print(f"{mean_squared_error(x, y):.5f} {r2_score(x, y):.5f}")
for metric in (MeanAbsoluteError(), PearsonCorrCoef()):
    print(type(metric).__name__, f"{metric(x, y):.5f}")
print(pairwise_cosine_similarity(logits[:2], logits[2:5]))
mean = MeanMetric()
for loss, n in ((0.5, 3), (0.25, 1)):
    mean.update(loss, weight=n)
print(
    mean.compute().item(),
    torchmetrics.functional.accuracy(logits, target, "multiclass", num_classes=3),
)


class Signs(torchmetrics.Metric):
    def __init__(self):
        super().__init__()
        self.add_state("right", default=torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("total", default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predicted, wanted):
        self.right += (predicted.sign() == wanted.sign()).sum()
        self.total += wanted.numel()

    def compute(self):
        return self.right.float() / self.total


print(Signs()(x, y))
