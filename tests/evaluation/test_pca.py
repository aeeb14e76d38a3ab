"""Principal components against a plain singular value decomposition."""

from __future__ import annotations

import pytest
import torch

from aeplug.errors import ConfigError, DataError
from aeplug.evaluation import pca
from aeplug.interfaces import DataShape


@pytest.fixture
def items() -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    mixed = torch.randn(500, 12, generator=draw) @ torch.randn(12, 12, generator=draw)
    return mixed + 100  # far from 0, where sums of squares lose digits


def test_is_the_singular_value_decomposition(items):
    found = pca.fit_pca(items.split(37))
    exact = items.double()
    _, values, axes = torch.linalg.svd(exact - exact.mean(0), full_matrices=False)
    torch.testing.assert_close(found.mean, exact.mean(0))
    torch.testing.assert_close(found.variances, values.square() / len(items), rtol=1e-4, atol=1e-6)
    overlap = (found.axes * axes.T).sum(0).abs()
    torch.testing.assert_close(overlap, torch.ones_like(overlap), rtol=1e-4, atol=1e-4)


def test_errors_of_every_number_of_components_are_those_of_restoring(items):
    found = pca.fit_pca([items])
    errors = found.squared_errors(items)
    for dims in (0, 1, 5, 12):
        restored = found.restore(found.project(items, dims))
        expected = (restored - items).square().sum()
        torch.testing.assert_close(errors[dims], expected, rtol=1e-6, atol=1e-4)


def test_tokens_are_one_hot():
    shape = DataShape((3,), (3,), classes=5)
    found = pca.flatten_items(torch.tensor([[0, 4, 1]]), shape)
    assert found.shape == (1, 15) and found.dtype == torch.float32
    assert found.nonzero()[:, 1].tolist() == [0, 9, 11]
    assert pca.flatten_items(torch.zeros(2, 1, 4, 4), DataShape((1, 4, 4), (1, 4, 4))).shape == (
        2,
        16,
    )


def test_nothing_and_too_much_are_told():
    with pytest.raises(DataError, match="no item"):
        pca.fit_pca([])
    with pytest.raises(ConfigError, match=f"at most {pca.MOST_VALUES}"):
        pca.fit_pca([torch.zeros(2, pca.MOST_VALUES + 1)])
