"""How well a representation predicts a label: nearest neighbours, and a linear classifier."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

#: Neighbours that vote.
NEIGHBOURS = 5
#: Distances held at once.
DISTANCES = 1 << 24
#: Weight of the squared weights beside the sum of cross-entropies, as scikit-learn's ``C=1``.
PENALTY = 1.0
STEPS = 200


@dataclass(frozen=True)
class LabelledFeatures:
    """Items and what they are.

    Attributes:
        features: float32 ``(N, D)``.
        classes: int64 ``(N,)``.
    """

    features: Tensor
    classes: Tensor


def measure_accuracies(train: LabelledFeatures, test: LabelledFeatures) -> dict[str, float]:
    """Accuracy on ``test`` after fitting on ``train``, in 0..1.

    ``knn`` by the vote of the nearest, ``linear`` by multinomial logistic regression.
    """
    return {
        "knn": _share_right(vote_neighbours(train, test.features), test),
        "linear": _share_right(fit_linear_probe(train, test.features), test),
    }


def vote_neighbours(train: LabelledFeatures, features: Tensor, count: int = NEIGHBOURS) -> Tensor:
    """The commonest class among the ``count`` nearest by Euclidean distance, int64 ``(B,)``.

    Of classes equally common the lowest number, as in scikit-learn.
    """
    classes = int(train.classes.max()) + 1
    # Squared distances without the item's own norm, which all its neighbours share.
    lengths = train.features.square().sum(1)
    winners = []
    for part in features.split(max(1, DISTANCES // len(train.features))):
        distance = torch.addmm(lengths, part, train.features.T, alpha=-2)
        nearest = distance.topk(min(count, len(lengths)), largest=False, sorted=False).indices
        votes = functional.one_hot(train.classes[nearest], classes).sum(1)
        winners.append(votes.argmax(1))
    return torch.cat(winners)


def fit_linear_probe(train: LabelledFeatures, features: Tensor) -> Tensor:
    """The likeliest class by multinomial logistic regression, int64 ``(B,)``.

    Fitted to its optimum on standardised features, with the penalty of scikit-learn's default.
    """
    deviation, mean = torch.std_mean(train.features, 0, correction=0)
    deviation = torch.where(deviation > 1e-6, deviation, 1.0)
    standardised = (train.features - mean) / deviation
    classes = int(train.classes.max()) + 1
    weight = torch.zeros(classes, features.shape[1], device=features.device, requires_grad=True)
    bias = torch.zeros(classes, device=features.device, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=STEPS, tolerance_change=1e-7, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        logits = functional.linear(standardised, weight, bias)
        loss = functional.cross_entropy(logits, train.classes)
        loss = loss + PENALTY * 0.5 * weight.square().sum() / len(standardised)
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        return functional.linear((features - mean) / deviation, weight, bias).argmax(1)


def _share_right(guessed: Tensor, test: LabelledFeatures) -> float:
    return float((guessed == test.classes).float().mean())
