"""Probes against scikit-learn's."""

from __future__ import annotations

import pytest
import torch

from aeplug.evaluation.probes import (
    LabelledFeatures,
    fit_linear_probe,
    measure_accuracies,
    vote_neighbours,
)

draw = torch.Generator().manual_seed(0)
CENTRES = torch.randn(4, 6, generator=draw)


def some(count: int) -> LabelledFeatures:
    classes = torch.randint(0, 4, (count,), generator=draw)
    noise = torch.randn(count, 6, generator=draw)
    features = CENTRES[classes] + noise
    return LabelledFeatures(torch.cat([features, torch.ones(count, 1)], 1), classes)


TRAIN, TEST = some(800), some(300)


def test_neighbours_are_those_of_scikit_learn(monkeypatch):
    neighbors = pytest.importorskip("sklearn.neighbors")
    monkeypatch.setattr("aeplug.evaluation.probes.DISTANCES", 10_000)
    expected = neighbors.KNeighborsClassifier(5).fit(TRAIN.features, TRAIN.classes)
    found = vote_neighbours(TRAIN, TEST.features)
    assert (found.numpy() == expected.predict(TEST.features)).all()


def test_linear_probe_is_that_of_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    scale = preprocessing.StandardScaler().fit(TRAIN.features)
    expected = linear_model.LogisticRegression(tol=1e-8, max_iter=2000)
    expected.fit(scale.transform(TRAIN.features), TRAIN.classes)
    found = fit_linear_probe(TRAIN, TEST.features).numpy()
    assert (found == expected.predict(scale.transform(TEST.features))).mean() > 0.995


def test_accuracies_are_shares():
    found = measure_accuracies(TRAIN, TEST)
    assert set(found) == {"knn", "linear"}
    assert all(0.6 < share < 1 for share in found.values())
    assert measure_accuracies(TRAIN, TRAIN)["knn"] > found["knn"]
