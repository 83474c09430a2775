"""Graph convolutions and graph attention over a dense adjacency matrix of two communities."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from drawn import generator, initialise, normal

NODES, FEATURES = 40, 8
labels = (torch.arange(NODES) >= NODES // 2).long()
adjacency = torch.zeros(NODES, NODES)
for i in range(NODES):
    for j in range(i):
        if generator.random() < (0.3 if labels[i] == labels[j] else 0.05):
            adjacency[i, j] = adjacency[j, i] = 1.0
features = normal(NODES, FEATURES) + 0.3 * labels[:, None]
train = torch.zeros(NODES, dtype=torch.bool)
train[::4] = True
print(f"{int(adjacency.sum()) // 2} edges, {train.sum().item()} labels")


class GraphConv(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_features, out_features))
        self.bias = nn.Parameter(torch.zeros(out_features))
        nn.init.xavier_uniform_(self.weight, gain=1.414)

    def forward(self, h, adj):
        return torch.mm(adj, torch.mm(h, self.weight)) + self.bias

    def extra_repr(self):
        return f"{self.weight.shape[0]} -> {self.weight.shape[1]}"


class GraphAttention(nn.Module):
    def __init__(self, in_features, out_features, heads):
        super().__init__()
        self.heads, self.width = heads, out_features // heads
        self.W = nn.Linear(in_features, out_features, bias=False)
        self.a = nn.Parameter(torch.empty(heads, 2 * self.width))
        nn.init.xavier_normal_(self.a.data)

    def forward(self, h, adj):
        h = self.W(h).view(-1, self.heads, self.width)
        source = torch.einsum("nhd,hd->hn", h, self.a[:, : self.width])
        target = torch.einsum("nhd,hd->hn", h, self.a[:, self.width :])
        e = F.leaky_relu(source[:, :, None] + target[:, None, :], 0.2)
        attention = torch.where(adj > 0, e, torch.full_like(e, -9e15)).softmax(dim=-1)
        return F.elu(torch.einsum("hnm,mhd->nhd", attention, h).reshape(h.shape[0], -1))


class GCN(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([GraphConv(FEATURES, 16), GraphConv(16, 2)])

    def forward(self, x, adj):
        degree = adj.sum(1).pow(-0.5)
        adj = torch.diag(degree) @ adj @ torch.diag(degree)
        return F.log_softmax(self.layers[1](F.relu(self.layers[0](x, adj)), adj), dim=1)


class GAT(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([GraphAttention(FEATURES, 16, 4), GraphAttention(16, 2, 1)])

    def forward(self, x, adj):
        for layer in self.layers:
            x = layer(x, adj)
        return F.log_softmax(x, dim=1)


with_loops = adjacency + torch.eye(NODES)
for make in (GCN, GAT):
    model = make()
    initialise(model)
    print(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=5e-4)
    for epoch in range(60):
        optimizer.zero_grad()
        output = model(features, with_loops)
        loss = F.nll_loss(output[train], labels[train])
        loss.backward()
        optimizer.step()
        if epoch % 20 == 19:
            with torch.no_grad():
                right = model(features, with_loops).argmax(dim=1).eq(labels)
                rest = right[~train].float().mean()
            print(f"epoch {epoch}: loss {loss.item():.4f}, accuracy {rest.item():.3f}")
