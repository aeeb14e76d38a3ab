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


def test_leading_components_are_those_of_all():
    values = 60
    draw = torch.Generator().manual_seed(1)
    scales = 0.9 ** torch.arange(values)
    many = torch.randn(400, values, generator=draw) * scales + 100
    exact = pca.fit_pca(many.split(37))
    leading = pca.fit_leading_pca(lambda: many.split(37), 8)
    assert leading.axes.shape == (values, 8) and leading.variances.shape == (8,)
    torch.testing.assert_close(leading.mean, exact.mean)
    torch.testing.assert_close(leading.variances, exact.variances[:8], rtol=1e-3, atol=0)
    identity = torch.eye(8, dtype=leading.axes.dtype)
    torch.testing.assert_close(leading.axes.T @ leading.axes, identity)
    expected = exact.squared_errors(many)[:9]
    torch.testing.assert_close(leading.squared_errors(many), expected, rtol=1e-4, atol=0)


def test_more_components_than_values_are_all_of_them(items):
    leading, exact = pca.fit_leading_pca(lambda: [items], 40), pca.fit_pca([items])
    assert leading.axes.shape == exact.axes.shape
    torch.testing.assert_close(leading.variances, exact.variances, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 5), (4, 0)])
def test_values_are_counted_as_they_are_flattened(shape):
    length, classes = shape
    described = DataShape((length,), (length,), classes=classes)
    flat = pca.flatten_items(torch.zeros(2, length, dtype=torch.int64), described)
    assert pca.count_values(described) == flat.shape[1]


def test_nothing_and_too_much_are_told():
    with pytest.raises(DataError, match="no item"):
        pca.fit_pca([])
    with pytest.raises(DataError, match="no item"):
        pca.fit_leading_pca(list, 2)
    with pytest.raises(ConfigError, match=f"at most {pca.MOST_VALUES}"):
        pca.fit_pca([torch.zeros(2, pca.MOST_VALUES + 1)])
