"""The loop: what it computes, what it leaves out, what it tells."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from support import aeplug, tiny_environment
from torch import nn

from aeplug.config.schedules import learning_rate
from aeplug.data.splits import epoch_order
from aeplug.errors import TrainingError
from aeplug.model.run_folder import RunFolder


def weights(training) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in training.task.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def after(make_training, settings, folder=None, task="tiny-vae"):
    training = make_training(settings, folder, task)
    training.run()
    return weights(training)


def test_it_learns(make_training):
    settings = {"train.epochs": 30, "train.lr": 0.05, "prepare.noise": 0, "encoder.dropout": 0}
    training = make_training(settings, task="tiny")
    before = training.evaluate(training.val_split, 100)
    training.run()
    found = training.evaluate(training.val_split, 100)
    assert found["recon"] < 0.5 * before["recon"]
    assert training.state.step == training.plan.total == 30 * 4


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_same_seed_same_weights_and_another_seed_others(make_training, optimizer):
    settings = {"train.epochs": 2, "train.optimizer": optimizer}
    first = after(make_training, settings)
    assert same(first, after(make_training, settings))
    other = after(make_training, {**settings, "train.seed": 1})
    assert not any(torch.equal(first[name], other[name]) for name in first)


def test_state_of_torchs_own_randomness_does_not_matter(make_training):
    torch.manual_seed(1)
    first = after(make_training, {"train.steps": 6})
    torch.manual_seed(2)
    assert same(first, after(make_training, {"train.steps": 6}))


@pytest.mark.parametrize("clip", [0.0, 0.01])
def test_steps_are_those_of_a_hand_written_loop(make_training, clip):
    """Order, schedule, clipping and AdamW, against the plainest torch."""
    settings = {
        "prepare.noise": 0,
        "encoder.dropout": 0,
        "loss.beta": 0,
        "train.steps": 10,  # into the third epoch
        "train.clip": clip,
        "train.seed": 3,
        "train.weight_decay": 0.1,
        "train.warmup": 4,
    }
    training = make_training(settings, task="tiny")
    rows = training.train_split.take(torch.arange(64))["x"].float() / 255
    torch.manual_seed(3)
    encoder, code, decoder = nn.Linear(4, 8), nn.Linear(8, 2), nn.Linear(2, 4)
    parameters = [p for module in (encoder, code, decoder) for p in module.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=0.01, weight_decay=0.1, fused=False)
    unclipped = []
    for step in range(10):
        optimizer.param_groups[0]["lr"] = learning_rate(step, 10, 0.01, 4, 0.01)
        order = epoch_order(64, 3, step // 4)
        batch = rows[order[(step % 4) * 16 : (step % 4 + 1) * 16]]
        loss = (torch.sigmoid(decoder(code(torch.tanh(encoder(batch))))) - batch).square().mean()
        optimizer.zero_grad()
        loss.backward()
        if clip:
            unclipped.append(nn.utils.clip_grad_norm_(parameters, clip))
        optimizer.step()
    training.run()
    for ours, theirs in zip(training.task.parameters(), parameters, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    if clip:
        # Only if norms were above and differed has clipping been at work under Adam.
        assert min(unclipped) > clip and max(unclipped) > 1.05 * min(unclipped)


def test_clipping_changes_the_result(make_training):
    settings = {"train.steps": 12, "encoder.dropout": 0}
    loose = after(make_training, {**settings, "train.clip": 0.0})
    tight = after(make_training, {**settings, "train.clip": 0.02})
    assert max((loose[n] - tight[n]).abs().max() for n in loose) > 1e-4


@pytest.mark.parametrize("setting", [{"train.eval_every": 1}, {"train.save_every": 1}])
def test_looking_and_saving_more_often_changes_no_weight(make_training, tmp_path, setting):
    plain = after(make_training, {"train.epochs": 2, "train.eval_every": 8}, tmp_path / "a")
    assert same(plain, after(make_training, {"train.epochs": 2, **setting}, tmp_path / "b"))


def test_every_item_is_seen_once_an_epoch(make_training):
    training = make_training({"train.epochs": 2})
    batches = list(training._batches())
    for epoch in (batches[:4], batches[4:]):
        assert sorted(torch.cat(epoch).tolist()) == list(range(64))
    assert not torch.equal(torch.cat(batches[:4]), torch.cat(batches[4:]))


class TestBadSteps:
    @pytest.mark.parametrize("optimizer", ["adamw", "muon"])
    def test_weights_and_moments_are_as_if_the_step_had_not_been(self, make_training, optimizer):
        settings = {"train.steps": 6, "train.optimizer": optimizer}
        good = make_training(settings)
        bad = make_training({**settings, "loss.nan_at": 5})
        before: dict[str, torch.Tensor] = {}
        original = bad._step

        def step():
            before.clear()
            before.update(weights(bad))
            return original()

        bad._step = step
        bad.run()
        assert same(before, weights(bad))
        assert bad.state.skipped == 1
        good.run()
        assert not same(before, weights(good))

    def test_training_goes_on_and_says_how_many(self, make_training, tmp_path, capsys):
        training = make_training({"loss.nan_at": 2, "train.epochs": 3}, tmp_path / "run")
        training.run()
        assert training.state.skipped == 1
        assert "1 step skipped: gradient not finite" in capsys.readouterr().err
        assert all(torch.isfinite(value).all() for value in weights(training).values())
        text = (tmp_path / "run" / "metrics.jsonl").read_text()
        assert "NaN" not in text, "not JSON"
        records = [json.loads(line) for line in text.splitlines()]
        assert [record["skipped"] for record in records][-1] == 1
        first = next(record for record in records if record["split"] == "train")
        assert first["loss"] is None and math.isfinite(first["recon"])

    def test_count_outlives_an_interruption(self, make_training, tmp_path):
        settings = {"loss.nan_at": 1, "train.steps": 8, "train.log_every": 8, "train.save_every": 3}
        training = make_training(settings, tmp_path / "run")
        training.run_folder.checkpoint("last")
        saved = []
        original = training._save

        def save(which, *rest):
            original(which, *rest)
            if which == "last":
                saved.append(dict(vars(training.state)))

        training._save = save
        training.run()
        assert [state["skipped"] for state in saved] == [1, 1, 1]

    @pytest.mark.parametrize("steps", [3, 40])
    @pytest.mark.parametrize("save_every", [1, 100])
    def test_none_but_bad_steps_is_an_error(self, make_training, tmp_path, steps, save_every):
        settings = {
            "loss.nan_from": 0,
            "train.steps": steps,
            "train.log_every": 50,
            "train.save_every": save_every,
        }
        with pytest.raises(TrainingError, match="no gradient was finite in the last") as caught:
            make_training(settings, tmp_path / "run").run()
        assert "\n" not in str(caught.value)

    def test_good_start_and_endless_bad_steps_is_an_error(self, make_training):
        with pytest.raises(TrainingError, match=r"lower train.lr"):
            make_training({"loss.nan_from": 10, "train.epochs": 100}).run()

    def test_one_bad_step_at_the_very_end_is_none(self, make_training):
        settings = {"loss.nan_at": 8, "train.steps": 9, "train.log_every": 100}
        training = make_training(settings)
        training.run()
        assert training.state.skipped == 1


def test_bf16_trains_in_half_precision_and_keeps_full_weights(make_training):
    settings = {"train.epochs": 10, "train.precision": "bf16"}
    training = make_training(settings)
    kinds = set()
    training.task.encoder.hidden.register_forward_hook(lambda m, i, o: kinds.add(o.dtype))
    before = training.evaluate(training.val_split, 100)["recon"]
    training.run()
    assert kinds == {torch.bfloat16}
    assert all(value.dtype == torch.float32 for value in weights(training).values())
    assert training.evaluate(training.val_split, 100)["recon"] < before
    exact = after(make_training, {**settings, "train.precision": "fp32"})
    assert not same(exact, weights(training))


def test_average_of_weights_is_what_is_saved_and_lags_behind(make_training, tmp_path):
    from aeplug.model import checkpoint

    training = make_training({"train.ema": 0.9, "train.epochs": 2}, tmp_path / "run")
    training.run()
    raw = weights(training)
    averaged = training.ema_model.state_dict()
    assert not same(raw, averaged)
    fresh = make_training({"train.ema": 0.9})
    checkpoint.read(tmp_path / "run" / "checkpoints" / "last").load_into(fresh.task)
    assert same(weights(fresh), dict(averaged))
    assert same(raw, after(make_training, {"train.epochs": 2})), "averaging must not disturb"


def test_checkpoints_lie_some_seconds_apart_unless_it_is_set(make_training, tmp_path, monkeypatch):
    def saves(name, **settings):
        training = make_training({"train.steps": 40, **settings}, tmp_path / name)
        steps, save = [], training._save

        def noted(which, *rest):
            if which == "last":
                steps.append(training.state.step)
            save(which, *rest)

        monkeypatch.setattr(training, "_save", noted)
        training.run()
        return steps

    assert saves("quick") == [40]
    assert saves("set", **{"train.save_every": 16}) == [16, 32, 40]
    monkeypatch.setattr("aeplug.training.trainer.SAVE_SECONDS", 0.0)
    assert saves("slow") == [4, 8, 12, 16, 20, 24, 28, 32, 36, 40]
    lines = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("quick", "slow")]
    plain = [re.sub(r'"seconds": [^}]*', "", text) for text in lines]
    assert plain[0] == plain[1]  # what is noted does not depend on a machine's speed


def test_best_checkpoint_is_the_one_with_the_lowest_held_out_loss(make_training, tmp_path):
    from aeplug.model import checkpoint

    # A large rate with a KL that sets in late: the held-out loss rises again.
    settings = {"train.epochs": 12, "train.lr": 0.3, "train.lr_floor": 1, "loss.beta": 0.0}
    training = make_training({**settings, "train.eval_every": 4}, tmp_path / "run")
    kept: dict[int, dict] = {}
    original = training._evaluate_and_keep_best

    def look(progress):
        original(progress)
        kept[training.state.step] = weights(training)

    training._evaluate_and_keep_best = look
    training.run()
    val = {
        r["step"]: r["loss"] for r in RunFolder(tmp_path / "run").metrics() if r["split"] == "val"
    }
    best = min(val, key=val.__getitem__)
    assert best != training.plan.total, "the case is not tested"
    source = checkpoint.read(tmp_path / "run" / "checkpoints" / "best")
    assert source.header["step"] == best
    assert source.header["metrics"]["loss"] == val[best]
    fresh = make_training(settings)
    source.load_into(fresh.task)
    assert same(weights(fresh), kept[best])


def test_held_out_figures_do_not_depend_on_the_batch_size(make_training):
    training = make_training({"train.eval_every": 4, "encoder.dropout": 0.5}, task="tiny")
    whole = training.evaluate(training.val_split, 100)
    training.plan = replace(training.plan, batch_size=5)  # does not divide 32
    torch.testing.assert_close(training.evaluate(training.val_split, 100), whole)
    assert training.task.training


def test_metrics_hold_what_a_curve_needs(make_training, tmp_path):
    training = make_training({"train.epochs": 3, "train.log_every": 2}, tmp_path / "run")
    training.run()
    records = RunFolder(tmp_path / "run").metrics()
    train = [record for record in records if record["split"] == "train"]
    val = [record for record in records if record["split"] == "val"]
    assert [record["step"] for record in train] == [2, 4, 6, 8, 10, 12]
    assert [record["step"] for record in val] == [4, 8, 12]
    assert [record["epoch"] for record in val] == [1, 2, 3]
    for record in records:
        assert {"loss", "recon", "kl", "skipped", "seconds"} <= set(record)
    assert train[-1]["lr"] < train[2]["lr"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data.items": 0}, "the training split is empty"),
    ],
)
def test_what_cannot_be_trained_is_said_when_built(make_training, settings, message):
    with pytest.raises(TrainingError, match=message):
        make_training(settings)


def test_split_smaller_than_a_batch_is_one_batch(make_training):
    training = make_training({"data.items": 5, "train.epochs": 3})
    assert (training.plan.batch_size, training.plan.total) == (5, 3)
    training.run()


def test_observers_hear_of_everything_rare(make_training, tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_EVENTS", str(tmp_path / "events"))
    make_training({"train.epochs": 2}, tmp_path / "run").run()
    lines = (tmp_path / "events").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    kinds = [event["kind"] for event in events]
    assert kinds[0] == "started" and kinds[-1] == "finished"
    assert {"logged", "evaluated", "saved"} <= set(kinds)
    assert all(math.isfinite(e["loss"]) for e in events if e["kind"] == "evaluated")


@pytest.mark.parametrize("angry", ["RuntimeError", "SystemExit"])
def test_angry_observer_does_not_stop_the_training(
    make_training, tmp_path, monkeypatch, angry, capsys, plugins
):
    plugins._silenced.clear()
    monkeypatch.setenv("TINY_ANGRY", angry)
    training = make_training({"train.epochs": 2}, tmp_path / "run")
    training.run()
    assert training.state.step == training.plan.total
    assert len(re.findall("failed on 'started'", capsys.readouterr().err)) == 1


@pytest.mark.filterwarnings("ignore")  # torch's own, of its compiler
def test_compiled_training_learns_the_same(make_training, tmp_path):
    """With the eager backend: what is checked is our wiring, names, schedules, shapes."""
    from aeplug.model import checkpoint

    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()  # other tests' graphs
    settings = {"train.epochs": 2, "train.compile": True}
    original = nn.Module.compile
    try:
        nn.Module.compile = lambda self: original(self, backend="eager", fullgraph=True)
        training = make_training(settings, tmp_path / "run")
        training.run()
    finally:
        nn.Module.compile = original
    plain = after(make_training, {"train.epochs": 2})
    for name, value in weights(training).items():
        torch.testing.assert_close(value, plain[name], rtol=1e-4, atol=1e-6)
    # Schedules move at every step: one graph for all of them, or every step would be compiled.
    counted = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert 0 < counted <= 10
    loaded = make_training({})
    checkpoint.read(tmp_path / "run" / "checkpoints" / "last").load_into(loaded.task)


@pytest.mark.slow
def test_compiled_with_the_real_compiler(make_training, tmp_path):
    """In a process of its own: the compiler minds what else a process has imported."""
    # Without dropout: a compiled one draws other numbers.
    settings = {"train.steps": 6, "encoder.dropout": 0.0}
    choices = [f"--set={key}={value}" for key, value in settings.items()]
    done = aeplug(
        *("train", "tiny-vae", "--run", tmp_path / "run", "--set=train.compile=true", *choices),
        env=tiny_environment(),
    )
    assert done.returncode == 0, done.stderr
    found = load_file(tmp_path / "run" / "checkpoints" / "last" / "model.safetensors")
    plain = after(make_training, settings)
    assert found.keys() == plain.keys()
    for name, value in found.items():
        torch.testing.assert_close(value, plain[name], rtol=1e-3, atol=1e-5)
