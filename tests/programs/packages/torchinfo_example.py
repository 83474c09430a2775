"""A table of the layers of a model."""

import torch
from torch import nn
from torchinfo import summary


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.rnn = nn.LSTM(12, 6, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        x = self.features(x).flatten(2)
        return self.head(self.rnn(x.view(x.shape[0], -1, 12))[0][:, -1])


model = Model()
model.features[0].weight.requires_grad_(False)
columns = ("input_size", "output_size", "num_params", "kernel_size", "mult_adds", "trainable")
print(summary(model, (2, 1, 14, 14), depth=3, col_names=columns, verbose=0))
print(summary(nn.Linear(4, 2), input_data=torch.zeros(3, 4), verbose=0).total_params)
result = summary(model, verbose=0)
print(result.total_params, result.trainable_params)
