"""Every check: passed by what is right, failed with a clear word by what is wrong in one way."""

from __future__ import annotations

import json
from dataclasses import replace

import broken_parts
import pytest

from aeplug.checks.fakes import TASKS
from aeplug.checks.suite import examine_task
from aeplug.errors import ConfigError, PluginError
from aeplug.testing import CHECKS, CheckFailed, check_task, isolated_plugins, tiny_batch

PLUGINS = isolated_plugins(broken_parts)

#: check, settings, what was expected, what was found.
WRONG = [
    ("building", {"encoder": "Unbuildable"}, "a task that can be built", "only pictures of 7x7"),
    ("building", {"latent.size": 0}, "a task that can be built", "latent.size=0"),
    ("shapes", {"data": "untested"}, "split('test')", "there is no split 'test'"),
    ("shapes", {"encoder": "WrongFeatures"}, "features from the encoder to be (8, 32)", "(8, 31)"),
    ("shapes", {"decoder": "DoubleData"}, "float32 data from generate", "float64"),
    ("seeds", {"data": "restless"}, "the same rows whenever the data set is opened", "another"),
    ("shapes", {"decoder": "WrongData"}, "data from generate", "(8, 11)"),
    (
        "shapes",
        {"decoder": "Peeking"},
        "generate in sampling, where context.input is None",
        "TypeError",
    ),
    ("loss", {"loss": "Vector"}, "a tensor without dimensions", "shape (8,)"),
    ("loss", {"loss": "Infinite"}, "a finite 'loss'", "-inf"),
    ("loss", {"loss": "Unnamed"}, "a dict with 'loss'", "['mse']"),
    ("loss", {"loss": "Summed"}, "a mean over the batch", "2 times as much"),
    ("loss", {"loss": "MeanNats"}, "a value for each item, (8,)", "()"),
    ("gradients", {"encoder": "Spare"}, "in every parameter", "none in encoder.spare.weight"),
    ("gradients", {"encoder": "Detached"}, "in every parameter", "none in encoder.layer.weight"),
    ("gradients", {"encoder": "Silent"}, "other than zero", "nothing but zeros in encoder.scale"),
    (
        "gradients",
        {"latent": "LeakyCritic", "latent.size": 4},
        "'loss' to leave the weights of the adversary alone",
        "latent.adversary.weight",
    ),
    (
        "gradients",
        {"latent": "IdleCritic", "latent.size": 4},
        "a gradient in every parameter",
        "latent.adversary.idle.weight",
    ),
    ("learning", {"decoder": "Saturated"}, "trained on alone, to fall by 3%", "in 300 steps"),
    ("saving", {"encoder": "Forgetful"}, "loaded from its checkpoint to give", "latents"),
    ("saving", {"encoder": "Uncopyable"}, "a copy of the task", "RuntimeError"),
    (
        "seeds",
        {"latent": "LooseLatent", "latent.size": 4},
        "the same results in evaluation",
        "when torch's own generator was elsewhere",
    ),
    ("seeds", {"latent": "FrozenPrior", "latent.size": 4}, "for another seed", "the same ones"),
    ("compiling", {"encoder": "GraphBreak"}, "fullgraph=True", "broken_parts.py, line"),
    ("codec", {"codec": "LossyCodec"}, "within 0.02 of their range", "on average"),
    ("codec", {"codec": "DriftingCodec"}, "written and read again to hold the same", "other rows"),
    ("codec", {"codec": "CrashingCodec"}, "FileError for a file that is empty", "EOFError"),
    ("codec", {"codec": "MisnamingCodec"}, "the stem 'first' plus a suffix", "'output.npy'"),
    ("codec", {"codec": "SheetlessCodec"}, "sheet to draw a PNG", "another file"),
    ("settings", {"encoder": "LaxEncoder"}, "refuse a setting", "was taken"),
]


@pytest.mark.parametrize(
    ("check", "settings", "expected", "found"),
    WRONG,
    ids=[f"{check}-{'-'.join(map(str, s.values()))}" for check, s, *_ in WRONG],
)
def test_what_is_wrong_fails_its_check_with_the_reason(check, settings, expected, found):
    with pytest.raises(CheckFailed) as caught:
        check_task("fake-vectors", plugins=PLUGINS, settings=settings, only=[check])
    outcome = caught.value.report.of(check)
    assert expected in outcome.expected
    assert found in outcome.found
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"task fake-vectors: {check}: expected ")
    assert line.endswith(f"(see docs/plugins/checking.md#{check})")


@pytest.mark.parametrize(
    ("prepare", "check", "found"),
    [("DoublePrepare", "shapes", "float64"), ("LooseNoisePrepare", "seeds", "another when torch")],
)
def test_prepare_that_is_wrong(prepare, check, found):
    task = replace(PLUGINS.task("fake-vectors"), prepare=f"broken_parts:{prepare}")
    with pytest.raises(CheckFailed, match=found):
        check_task(task, plugins=PLUGINS, only=[check])


@pytest.mark.parametrize(
    ("decoder", "check", "found"),
    [("FloatTokens", "shapes", "float32"), ("LooseDraws", "seeds", "generator was elsewhere")],
)
def test_decoder_of_tokens_that_is_wrong(decoder, check, found):
    with pytest.raises(CheckFailed, match=found):
        check_task("fake-tokens", plugins=PLUGINS, settings={"decoder": decoder}, only=[check])


def test_value_that_changes_is_compiled_anew_and_named(monkeypatch):
    monkeypatch.setattr("aeplug.checks.compiling.STEPS", 2)
    source = broken_parts.Counting

    def forward(self, input, context=None):
        self.steps += 1
        return super(source, self).forward(input) * (1 + self.steps)

    monkeypatch.setattr(source, "forward", forward)
    settings = {"encoder": "Counting"}
    with pytest.raises(CheckFailed, match="1 more graphs in 1 steps"):
        check_task("fake-vectors", plugins=PLUGINS, settings=settings, only=["compiling"])


def test_setting_without_a_word_is_a_warning():
    report = check_task(
        "fake-vectors", plugins=PLUGINS, settings={"encoder": "BareEncoder"}, only=["settings"]
    )
    assert report.of("settings").status == "warning"
    assert "no text for width" in report.of("settings").found


@pytest.mark.parametrize("task", TASKS)
def test_fakes_pass_every_check(task):
    report = check_task(task, plugins=PLUGINS, skip=["processes"])
    assert [outcome.check for outcome in report.outcomes] == [c for c in CHECKS if c != "processes"]
    assert {outcome.status for outcome in report.outcomes} == {"ok"}, str(report)


def test_two_processes_agree_and_a_part_they_do_not_share_is_named():
    good = examine_task("fake-vectors", plugins=PLUGINS, only=["processes"]).of("processes")
    assert good.status in ("ok", "skipped"), good.message
    if good.status == "skipped":
        pytest.skip(good.text)
    settings = {"encoder": "Spare"}
    with pytest.raises(CheckFailed, match="two processes to train together; found RuntimeError"):
        check_task("fake-vectors", plugins=PLUGINS, settings=settings, only=["processes"])


def test_plug_in_of_this_process_alone_is_skipped_there():
    from types import ModuleType

    module = ModuleType("here_only")
    module.aeplug_losses = broken_parts.aeplug_losses
    plugins = isolated_plugins(module)
    outcome = check_task("fake-vectors", plugins=plugins, only=["processes"]).of("processes")
    assert outcome.status == "skipped"
    assert "'here_only' lives in this process only" in outcome.text


def test_adversary_and_several_draws_pass():
    for settings in (
        {"latent": "adversarial", "latent.size": 4},
        {"latent": "fsq"},
        {"latent": "vq"},
    ):
        try:
            PLUGINS.find("latent", settings["latent"])
        except PluginError:
            continue
        check_task("fake-vectors", plugins=PLUGINS, settings=settings, only=["loss", "gradients"])


def test_a_codec_may_say_what_its_files_cannot_hold(monkeypatch):
    settings = {"codec": "CoarseCodec"}
    report = examine_task("fake-vectors", plugins=PLUGINS, settings=settings, only=["codec"])
    assert report.of("codec").status == "ok"
    monkeypatch.setattr("broken_parts.CoarseCodec.file_loss", 0.01)
    report = examine_task("fake-vectors", plugins=PLUGINS, settings=settings, only=["codec"])
    assert "within 0.01 of their range" in report.of("codec").expected


def test_a_wrong_loss_is_told_once():
    report = examine_task("fake-vectors", plugins=PLUGINS, settings={"loss": "Vector"})
    assert [outcome.check for outcome in report.failures] == ["loss"]
    assert report.of("gradients").status == "skipped"
    assert report.of("codec").status == "ok"


def test_a_task_that_cannot_be_built_is_told_once():
    report = examine_task("fake-vectors", plugins=PLUGINS, settings={"encoder": "Unbuildable"})
    assert [outcome.check for outcome in report.failures] == ["building"]
    assert {outcome.status for outcome in report.outcomes[1:]} == {"skipped"}


def test_report_is_json():
    report = examine_task(
        "fake-vectors", plugins=PLUGINS, settings={"loss": "Vector"}, only=["loss"]
    )
    (outcome,) = json.loads(json.dumps([o.as_dict() for o in report.outcomes]))
    assert outcome["status"] == "failed"
    assert outcome["section"] == "docs/plugins/checking.md#loss"
    assert not report.ok


def test_unknown_check_names_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'gradients'"):
        check_task("fake-vectors", plugins=PLUGINS, only=["gradient"])
    with pytest.raises(PluginError, match="Did you mean 'fake-vectors'"):
        check_task("fake-vector", plugins=PLUGINS)


def test_nothing_is_left_behind():
    import torch

    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    check_task("fake-vectors", plugins=PLUGINS, skip=["processes", "compiling"])
    assert torch.equal(torch.rand(1), expected)


def test_tiny_batch_is_the_same_at_every_call():
    one, two = (tiny_batch("fake-tokens", plugins=PLUGINS, count=3) for _ in range(2))
    assert one.input.shape == (3, 16)
    assert one.input.equal(two.input)
    assert set(one.cond) == {"kind"}
