"""Telling a model's own kind of data from another by the error of reconstruction."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aeplug.errors import ConfigError, DataError
from aeplug.evaluation.outliers import auroc, detect_outliers, open_outliers

scores = st.lists(st.integers(-3, 3), min_size=1, max_size=12).map(
    lambda values: torch.tensor(values, dtype=torch.float32)
)


@given(scores, scores)
def test_auroc_is_the_share_of_pairs_in_order(own, strange):
    pairs = (strange[:, None] > own).double() + 0.5 * (strange[:, None] == own).double()
    assert auroc(own, strange) == pytest.approx(float(pairs.mean()))


@pytest.fixture
def strange_folder(tmp_path):
    """Fours that no two factors make."""
    folder = tmp_path / "strange"
    folder.mkdir()
    rows = [[0, 0, 255, 0], [255, 255, 0, 0], [0, 255, 0, 0], [255, 0, 0, 255]]
    (folder / "a.tiny").write_text(json.dumps(rows), encoding="utf-8")
    return folder


def test_strange_items_are_rebuilt_worse(model, plugins, strange_folder):
    from aeplug.data.opening import open_dataset

    own = open_dataset(model.config).split("test")
    report = detect_outliers(model, own, open_outliers(model, str(strange_folder), plugins))
    assert report["outlier_items"] == 4
    assert report["auroc"] > 0.9
    assert report["outlier_mean_error"] > 2 * report["mean_error"]
    assert "elbo_auroc" not in report  # this model has no likelihood
    same = detect_outliers(model, own, own)
    assert same["auroc"] == pytest.approx(0.5)
    assert same["mean_error"] == same["outlier_mean_error"]


def test_a_data_set_by_its_name_is_an_outlier_too(model, plugins):
    assert len(open_outliers(model, "tiny", plugins)) == 16


def test_what_is_not_there_or_does_not_fit(model, plugins, tmp_path):
    with pytest.raises(ConfigError, match=r"--outliers tinny: no folder or .*'tiny'"):
        open_outliers(model, "tinny", plugins)
    with pytest.raises(ConfigError, match=r"printed-letters: its items have shape \(1, 28, 28\)"):
        open_outliers(model, "printed-letters", plugins)
    with pytest.raises(DataError, match=r"holds no \.tiny files"):
        open_outliers(model, str(tmp_path), plugins)


def test_command_line(invoke, trained, strange_folder):
    result = invoke("evaluate", trained, "--outliers", strange_folder, "--json")
    report = json.loads(result.out)
    assert report["outliers"] == str(strange_folder)
    assert report["auroc"] > 0.9
    assert "worst" in report  # the task's own figures are there as ever


def test_the_bound_tells_them_apart_too(model, plugins, strange_folder):
    from linear_gaussian import LinearDecoder, LinearGaussian, NormalLoss, Same

    from aeplug.data.splits import TensorSplit

    task = model.task
    task.encoder, task.latent = Same(), LinearGaussian()
    task.decoder, task.loss = LinearDecoder(), NormalLoss()
    # Its numbers lie about 0.
    generator = torch.Generator().manual_seed(0)
    own = TensorSplit({"x": torch.randint(0, 60, (50, 4), generator=generator).byte()})
    report = detect_outliers(model, own, open_outliers(model, str(strange_folder), plugins))
    assert report["mean_elbo_nats"] > report["outlier_mean_elbo_nats"] + 0.5
    assert report["elbo_auroc"] > 0.9
