"""Active units, and the warning where the posterior has collapsed."""

from __future__ import annotations

import json

import pytest
import torch

from aeplug.evaluation.collapse import (
    LEAST_STEPS,
    LatentUse,
    PosteriorCollapseMonitor,
    measure_latent_use,
)
from aeplug.interfaces import Batch


def use(variances: list[float], kl: list[float]) -> LatentUse:
    return LatentUse(torch.tensor(variances), torch.tensor(kl))


def test_active_are_dimensions_whose_means_vary():
    found = use([0.5, 0.011, 0.009, 0.0], [1.0, 0.1, 0.0, 0.0])
    assert (found.active_units, found.latent_units, found.warning) == (2, 4, "")


@pytest.mark.parametrize(
    "found",
    [use([0.0, 0.001], [0.5, 0.5]), use([0.3, 0.3], [0.009, 0.001])],
    ids=["means never vary", "posteriors are the prior"],
)
def test_collapse_is_told_in_words(found):
    assert found.warning.startswith("the posterior has collapsed: of 2 latent dimensions")


def test_variance_is_over_all_batches(model):
    torch.manual_seed(0)
    items = torch.rand(100, 4) * 50  # far from 0: squares must lose nothing
    batches = [Batch(part, part) for part in items.split(30)]
    found = measure_latent_use(model.task, batches)
    with torch.no_grad():
        posterior, _ = model.task.encode(items, Batch(items, items).context(with_target=True))
    torch.testing.assert_close(found.variances, posterior.mode().var(0, correction=0))
    torch.testing.assert_close(found.kl, posterior.kl().mean(0))


@pytest.mark.parametrize("latent", ["mixture", "vamp"])
def test_priors_that_do_not_fall_into_dimensions(make_training, tmp_path, invoke, latent):
    make_training({"latent": latent, "latent.size": 2, "train.steps": 8}, tmp_path / "run").run()
    result = invoke("evaluate", tmp_path / "run", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["latent_units"] == 2


def test_plain_codes_have_none(trained_plain, plugins):
    from aeplug.api import load

    model = load(trained_plain, device="cpu", plugins=plugins)
    assert measure_latent_use(model.task, [Batch(torch.rand(3, 4), torch.rand(3, 4))]) is None


def test_training_says_it_once_and_goes_on(make_training, capsys):
    training = make_training({"loss.beta": 1000.0, "train.steps": 300, "train.lr": 0.05})
    training.run()
    warnings = [line for line in capsys.readouterr().err.splitlines() if "collapsed" in line]
    assert len(warnings) == 1
    assert warnings[0].startswith("warning: the posterior has collapsed: of 2")


def test_looking_changes_nothing(model):
    class Split:
        def __len__(self):
            return 10

        def take(self, index):
            return {"x": torch.full((len(index), 4), 100, dtype=torch.uint8)}

        def to(self, device):
            return self

    model.task.train()
    before = torch.get_rng_state()
    said: list[str] = []
    monitor = PosteriorCollapseMonitor(model.prepare, Split(), 4)
    for step in (2, 20, LEAST_STEPS - 1):  # it is early yet
        monitor.check(model.task, step, said.append, last=step > 2)
    monitor.check(model.task, LEAST_STEPS, said.append, last=False)
    assert said == []
    for step in (LEAST_STEPS + 1, LEAST_STEPS + 2):
        monitor.check(model.task, step, said.append, last=False)
    assert len(said) == 1  # items all alike: their means cannot vary
    monitor = PosteriorCollapseMonitor(model.prepare, Split(), 4)
    monitor.check(model.task, LEAST_STEPS, said.append, last=True)
    assert len(said) == 2
    assert model.task.training
    assert torch.equal(torch.get_rng_state(), before)


def test_evaluate_reports_units_and_warns_on_stderr(invoke, trained, make_training, tmp_path):
    report = json.loads(invoke("evaluate", trained, "--json").out)
    assert report["latent_units"] == 2
    assert 0 <= report["active_units"] <= 2
    settings = {"loss.beta": 1000.0, "train.lr": 0.05}
    make_training({**settings, "train.steps": 20}, tmp_path / "short").run()
    assert "collapsed" not in invoke("evaluate", tmp_path / "short").err
    make_training({**settings, "train.steps": 200}, tmp_path / "run").run()
    result = invoke("evaluate", tmp_path / "run", "--json")
    assert json.loads(result.out)["active_units"] == 0
    assert "aeplug: warning: the posterior has collapsed" in result.err
