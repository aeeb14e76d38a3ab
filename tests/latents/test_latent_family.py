"""Every bottleneck of the core in the one pipeline: learns, resumes, skips, compiles, is saved."""

from __future__ import annotations

import pytest
import torch
from runs_compared import assert_bit_equal, records, state
from torch import nn

from aeplug.api import load
from aeplug.errors import ConfigError
from aeplug.model import checkpoint

#: Settings of the tiny task with each of them.
FAMILY = {
    "mixture": {"latent": "mixture", "latent.size": 2, "latent.components": 3},
    "vamp": {"latent": "vamp", "latent.size": 2, "latent.components": 3},
    "adversarial": {"latent": "adversarial", "latent.size": 2, "latent.critic": [8]},
    "fsq": {"latent": "fsq", "latent.codes": 2, "latent.levels": [4, 3]},
    "vq": {"latent": "vq", "latent.codes": 2, "latent.width": 2, "latent.entries": 6},
    "vq by gradient": {
        "latent": "vq",
        "latent.width": 2,
        "latent.entries": 6,
        "latent.codebook": "gradient",
    },
    "sparse": {"latent": "deterministic", "latent.size": 2, "latent.sparse": 0.1},
    "contractive": {"latent": "deterministic", "latent.size": 2, "latent.contractive": 0.1},
}
EACH = pytest.mark.parametrize("settings", FAMILY.values(), ids=FAMILY)


def weights(training) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in training.task.state_dict().items()}


@EACH
@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_resumed_is_bit_equal(tmp_path, make_training, settings, ema):
    """Also where the last step before the stop was a bad one."""
    settings = {
        **settings,
        "train.steps": 9,
        "train.save_every": 1,
        "train.ema": ema,
        "train.log_every": 4,
        "loss.nan_at": 4,
        "train.optimizer": "muon",
    }
    make_training(settings, tmp_path / "whole").run()

    class Killed(BaseException):
        pass

    first = make_training(settings, tmp_path / "parts")
    original = first._save

    def save(which, *rest):
        original(which, *rest)
        if which == "last" and first.state.step == 5:
            raise Killed

    first._save = save
    with pytest.raises(Killed):
        first.run()
    assert first.state.skipped == 1
    second = make_training(settings, tmp_path / "parts")
    second.resume(checkpoint.read(tmp_path / "parts" / "checkpoints" / "last"))
    second.run()
    assert_bit_equal(state(tmp_path / "parts"), state(tmp_path / "whole"))
    assert records(tmp_path / "parts") == records(tmp_path / "whole")


@EACH
def test_a_bad_step_changes_nothing(make_training, settings):
    """Neither weights nor codebooks; a critic, whose own term was fine, may learn."""
    training = make_training({**settings, "train.steps": 6, "loss.nan_at": 5})
    before: dict[str, torch.Tensor] = {}
    original = training._step

    def step():
        before.update(weights(training))
        return original()

    training._step = step
    training.run()
    for name, value in weights(training).items():
        if "adversary" in name:
            assert not torch.equal(value, before[name]), name
        else:
            assert torch.equal(value, before[name]), name


#: What each shows beside the loss.
TERMS = {
    "adversarial": {"adversary", "generator_loss", "critic_accuracy", "penalty"},
    "fsq": {"perplexity"},
    "vq": {"penalty", "commitment", "perplexity"},
    "vq by gradient": {"penalty", "commitment", "perplexity"},
    "sparse": {"penalty", "sparsity"},
    "contractive": {"penalty", "contraction"},
}


@EACH
def test_terms_are_logged_and_make_up_the_loss(tmp_path, make_training, settings):
    fixed = {"loss.beta": 0.5, "train.steps": 4, "train.log_every": 1}
    make_training({**settings, **fixed}, tmp_path / "run").run()
    name = next(name for name, one in FAMILY.items() if one is settings)
    usual = {"loss", "recon", "kl", "lr", "step", "epoch", "split", "skipped"}
    for record in records(tmp_path / "run"):
        training = record["split"] == "train"
        # A critic's opinion does not count in evaluation.
        gone = {"penalty"} if name == "adversarial" and not training else set()
        expected = TERMS.get(name, set()) - gone
        assert set(record) - {"lr"} == (usual - {"lr"}) | expected
        total = record["recon"] + 0.5 * record["kl"] + record.get("penalty", 0)
        assert record["loss"] == pytest.approx(total, rel=1e-4)


@EACH
def test_it_is_saved_loaded_and_used(tmp_path, make_training, settings, plugins):
    training = make_training({**settings, "train.epochs": 2}, tmp_path / "run")
    training.run()
    model = load(tmp_path / "run", device="cpu", plugins=plugins, checkpoint="last")
    for name, value in model.task.state_dict().items():
        assert torch.equal(value, weights(training)[name]), name
    items = torch.rand(5, 4)
    encoded = model.encode(items)
    latent_shape = model.task.latent.latent_shape
    assert encoded["mean"].shape == (5, *latent_shape)
    torch.testing.assert_close(model.decode(encoded["mean"]), model.reconstruct(items))
    if model.has_prior:
        assert model.sample(3, seed=1).shape == (3, 4)
        assert torch.equal(model.sample(3, seed=1), model.sample(5, seed=1)[:3])
        assert not torch.equal(model.sample(3, seed=1), model.sample(3, seed=2))
    else:
        with pytest.raises(ConfigError, match="has no prior to draw from"):
            model.sample(3)


@pytest.mark.filterwarnings("ignore")  # torch's own, of its compiler
@EACH
def test_parts_are_captured_whole(make_training, settings, monkeypatch):
    torch._dynamo.reset()
    original = nn.Module.compile
    monkeypatch.setattr(
        nn.Module, "compile", lambda self: original(self, backend="eager", fullgraph=True)
    )
    settings = {**settings, "train.steps": 6}
    if "latent.contractive" in settings:
        with pytest.raises(ConfigError, match="cannot be compiled"):
            make_training({**settings, "train.compile": True})
        return
    training = make_training({**settings, "train.compile": True})
    training.run()
    plain = make_training(settings)
    plain.run()
    for name, value in weights(training).items():
        torch.testing.assert_close(value, weights(plain)[name], rtol=1e-4, atol=1e-6)
