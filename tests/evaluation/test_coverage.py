"""The share of data that a model is trusted with."""

from __future__ import annotations

import pytest
import torch
from comparing import Comparing

from aeplug.data.splits import TensorSplit
from aeplug.evaluation.coverage import measure_coverage
from aeplug.plugins import GuardSpec


@pytest.fixture
def rows():
    """Three that the tiny model knows, one that it does not, and a blank one."""
    known = [[128, 128, 128, 128]] * 3
    return TensorSplit({"x": torch.tensor([*known, [255, 255, 0, 0], [0, 0, 0, 0]]).byte()})


def test_it_is_the_share_of_what_is_not_blank(model, rows):
    model.codec, model.guard = Comparing(model.codec), GuardSpec(reconstruct=0.25)
    assert measure_coverage(model, rows) == 0.75
    model.guard = GuardSpec(reconstruct=1.0)
    assert measure_coverage(model, rows) == 1


@pytest.mark.parametrize("guard", [None, GuardSpec()])
def test_without_a_bound_there_is_none(model, rows, guard):
    model.codec, model.guard = Comparing(model.codec), guard
    assert measure_coverage(model, rows) is None
