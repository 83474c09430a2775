"""Networks as estimators of scikit-learn: fitted, cloned, in pipelines and searches."""

import pickle

import numpy as np
import torch
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import EarlyStopping, EpochScoring, GradientNormClipping, LRScheduler
from torch import nn

X, y = make_classification(200, 8, n_informative=4, random_state=0)
X, y = X.astype(np.float32), y.astype(np.int64)


class Net(nn.Module):
    def __init__(self, width=10, outputs=2):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, outputs))
        with torch.no_grad():
            for parameter in self.parameters():
                values = torch.arange(1.0, parameter.numel() + 1)
                parameter.copy_((values * 12.9898).sin().view(parameter.shape) / 3)

    def forward(self, x):
        return self.layers(x)


net = NeuralNetClassifier(
    Net,
    criterion=nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam,
    optimizer__weight_decay=1e-4,
    lr=0.02,
    max_epochs=8,
    batch_size=32,
    iterator_train__shuffle=False,
    verbose=0,
    callbacks=[
        EpochScoring("roc_auc", lower_is_better=False),
        GradientNormClipping(1.0),
        LRScheduler("StepLR", step_size=3, gamma=0.7),
        EarlyStopping(patience=5),
    ],
)
net.fit(X, y)
for name in ("train_loss", "valid_loss", "valid_acc", "roc_auc", "event_lr"):
    print(name, np.round(net.history[:, name], 4).tolist())
print(f"score {net.score(X, y):.3f}", net.predict_proba(X[:2]).round(4).tolist())
again = pickle.loads(pickle.dumps(net))
print("pickled:", np.array_equal(again.predict(X), net.predict(X)))
net.save_params(f_params="params.pt", f_history="history.json")
other = clone(net).initialize()
other.load_params(f_params="params.pt", f_history="history.json")
print("loaded:", np.array_equal(other.predict(X), net.predict(X)), len(other.history))

simple = NeuralNetClassifier(
    Net, criterion=nn.CrossEntropyLoss, max_epochs=4, lr=0.1, verbose=0, train_split=None
)
pipeline = Pipeline([("scale", StandardScaler()), ("net", simple)])
search = GridSearchCV(pipeline, {"net__module__width": [2, 10]}, cv=3, scoring="accuracy")
search.set_params(estimator__net__iterator_train__shuffle=False)
search.fit(X, y)
print(search.best_params_, search.cv_results_["mean_test_score"].round(3).tolist())

regressor = NeuralNetRegressor(Net, module__outputs=1, max_epochs=6, lr=0.05, verbose=0)
regressor.fit(X, X[:, :1] - X[:, 1:2])
print(np.round(regressor.history[:, "train_loss"], 4).tolist())
print(regressor.module_)
