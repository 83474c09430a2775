"""Sentences of different lengths: a bag of embeddings, packed sequences, attention under a mask."""

import re
from collections import Counter

import torch
import torch.nn.functional as F
from drawn import initialise
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader

DOCUMENTS = [
    (1, "The cat sat on the mat"),
    (0, "a dog ran"),
    (1, "The cat ran on a mat, fast"),
    (0, "dog, dog sat"),
]
counts = Counter(w for _, text in DOCUMENTS for w in re.findall(r"\w+", text.lower()))
words = ["<pad>", "<unk>"] + [w for w, _ in counts.most_common()]
place = {w: i for i, w in enumerate(words)}


def numbers(text):
    return torch.tensor([place.get(w, 1) for w in re.findall(r"\w+", text.lower())])


def as_bags(batch):
    labels, texts = zip(*batch)
    texts = [numbers(text) for text in texts]
    offsets = torch.tensor([0] + [len(t) for t in texts[:-1]]).cumsum(dim=0)
    return torch.tensor(labels), torch.cat(texts), offsets


def as_rows(batch):
    labels, texts = zip(*batch)
    texts = [numbers(text) for text in texts]
    lengths = torch.as_tensor([len(t) for t in texts])
    return torch.tensor(labels), pad_sequence(texts, batch_first=True), lengths


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.EmbeddingBag(len(words), 6)
        self.out = nn.Linear(6, 2)

    def forward(self, text, offsets):
        return self.out(self.embedding(text, offsets))


class Attentive(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(len(words), 5, padding_idx=0)
        self.gru = nn.GRU(5, 4, bidirectional=True, batch_first=True)
        self.score, self.out = nn.Linear(8, 1), nn.Linear(8, 2)

    def forward(self, text, lengths):
        packed = pack_padded_sequence(
            self.embedding(text), lengths, batch_first=True, enforce_sorted=False
        )
        states, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True)
        scores = self.score(torch.tanh(states)).squeeze(-1).masked_fill(text == 0, -1e9)
        self.weights = F.softmax(scores, dim=1)
        return self.out(torch.bmm(self.weights.unsqueeze(1), states).squeeze(1))


for model, collate in ((Bag(), as_bags), (Attentive(), as_rows)):
    initialise(model)
    print(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for epoch in range(5):
        for labels, *text in DataLoader(DOCUMENTS, batch_size=2, collate_fn=collate):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(*text), labels)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
        print(f"{epoch} {loss:.4f} {norm:.4f}")
labels, rows, lengths = as_rows(DOCUMENTS)
print(model(rows, lengths).argmax(1) == labels, model.weights)
print(torch.split(rows[rows > 0], lengths.tolist())[1])
