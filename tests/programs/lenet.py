"""LeNet on small images: which of four shapes is it?"""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from drawn import generator, initialise, normal
from torch.utils.data import DataLoader, Sampler, TensorDataset

SIDE = 16
classes = ("square", "cross", "bar", "frame")


def images(n):
    x, y = 0.2 * normal(n, 1, SIDE, SIDE), torch.empty(n, dtype=torch.int64)
    for i in range(n):
        top, left = (int(v) for v in generator.integers(1, SIDE - 9, 2))
        kind = y[i] = int(generator.integers(4))
        patch = x[i, 0, top : top + 8, left : left + 8]
        if kind == 0:
            patch += 1.0
        elif kind == 1:
            patch[3:5] += 1.0
            patch[:, 3:5] += 1.0
        elif kind == 2:
            patch[3:5] += 1.0
        else:
            patch += 1.0
            patch[2:-2, 2:-2] -= 1.0
    return TensorDataset(x, y)


class Shuffled(Sampler):
    def __init__(self, data_source):
        self.data_source = data_source

    def __iter__(self):
        return iter(generator.permutation(len(self.data_source)).tolist())

    def __len__(self):
        return len(self.data_source)


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 3, padding="same")
        self.fc1 = nn.Linear(16 * 3 * 3, 32)
        self.fc2 = nn.Linear(32, len(classes))

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = torch.flatten(x, 1)
        return self.fc2(F.relu(self.fc1(x)))


trainset, testset = images(256), images(128)
trainloader = DataLoader(trainset, batch_size=32, sampler=Shuffled(trainset), num_workers=0)
testloader = DataLoader(testset, batch_size=64, shuffle=False)
net = LeNet()
initialise(net)
print(net)
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(net.parameters(), lr=0.02, momentum=0.9)

for epoch in range(6):
    running_loss = 0.0
    for _, data in enumerate(trainloader, 0):
        inputs, labels = data
        optimizer.zero_grad()
        loss = criterion(net(inputs), labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    print(f"[{epoch + 1}] loss: {running_loss / len(trainloader):.3f}")

correct = dict.fromkeys(classes, 0)
total = dict.fromkeys(classes, 0)
net.eval()
with torch.no_grad():
    for images_, labels in testloader:
        _, predicted = torch.max(net(images_), 1)
        for label, prediction in zip(labels, predicted, strict=True):
            total[classes[label]] += 1
            correct[classes[label]] += bool(label == prediction)
for name in classes:
    print(f"{name:6s} {100 * correct[name] / total[name]:.1f} %")
