"""A Gaussian process, its hyperparameters fitted to a sine."""

import math

import gpytorch
import torch

torch.set_default_dtype(torch.float64)
train_x = torch.linspace(0, 1, 25)
train_y = torch.sin(train_x * (2 * math.pi)) + 0.1 * torch.cos(41 * train_x)


class ExactGP(gpytorch.models.ExactGP):
    def __init__(self, train_x, train_y, likelihood):
        super().__init__(train_x, train_y, likelihood)
        self.mean_module = gpytorch.means.ConstantMean()
        self.covar_module = gpytorch.kernels.ScaleKernel(gpytorch.kernels.RBFKernel())

    def forward(self, x):
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


likelihood = gpytorch.likelihoods.GaussianLikelihood()
model = ExactGP(train_x, train_y, likelihood)
model.train()
likelihood.train()
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
mll = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)
for i in range(30):
    optimizer.zero_grad()
    loss = -mll(model(train_x), train_y)
    loss.backward()
    if i % 10 == 9:
        length = model.covar_module.base_kernel.lengthscale.item()
        print(f"{i} loss {loss.item():.5f} length {length:.5f} noise {likelihood.noise.item():.5f}")
    optimizer.step()

model.eval()
likelihood.eval()
with torch.no_grad(), gpytorch.settings.fast_pred_var():
    prediction = likelihood(model(torch.linspace(0, 1, 7)))
    lower, upper = prediction.confidence_region()
print(prediction.mean)
print(upper - lower)
