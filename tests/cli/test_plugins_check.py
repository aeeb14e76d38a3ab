"""``aeplug plugins check``: a line a check, an exit code, JSON."""

from __future__ import annotations

import sys

import pytest
from support import TINY, assert_one_line_error, one_object

BAD = """
from aeplug import LossSpec, TaskSpec, hookimpl
from aeplug.checks.fakes import FakeLoss

class Summed(FakeLoss):
    def forward(self, output, batch, posterior, schedule_values):
        return {"loss": self.nll(output, batch).sum() + 0 * posterior.kl().sum()}

@hookimpl
def aeplug_losses():
    yield LossSpec("summed", "bad_loss:Summed", "a sum")
"""


@pytest.fixture
def bad_file(tmp_path):
    path = tmp_path / "bad_loss.py"
    path.write_text(BAD, encoding="utf-8")
    yield path
    sys.modules.pop("bad_loss", None)


def test_a_line_for_each_check_of_a_plug_in_that_is_right(invoke):
    quick = [f"--only={name}" for name in ("loading", "imports", "observer", "shapes", "loss")]
    result = invoke("plugins", "check", "tiny", *quick)
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert lines[0] == "plug-in tiny"
    assert "  ok        loading     encoder tiny; latent tiny-code; " in lines[1]
    assert lines[2].startswith("  ok        imports     ")
    assert "torch with it, as a single file may" in lines[2]
    assert "task tiny-vae" in lines
    assert "  ok        shapes      (4) -> (8) -> (2) -> (4)" in lines
    assert lines[-1].endswith(" s") and " ok in " in lines[-1]
    assert "\x1b" not in result.out


def test_a_task_s_name_checks_the_task_alone(invoke):
    result = invoke("plugins", "check", "tiny-vae", "--only", "loss", "--json")
    report = one_object(result.out)
    assert report["ok"] is True and report["target"] == "tiny-vae"
    (outcome,) = report["checks"]
    assert (outcome["subject"], outcome["check"]) == ("task tiny-vae", "loss")
    assert outcome["seconds"] > 0


def test_failure_is_said_on_its_line_and_by_the_exit_code(invoke, bad_file):
    result = invoke("plugins", "check", bad_file, "--only", "loss")
    assert result.code == 1
    (line,) = [line for line in result.out.splitlines() if line.startswith("  failed")]
    assert "expected 'loss' to be a mean over the batch" in line
    assert "found 2 times as much (see docs/plugins/checking.md#loss)" in line
    assert "1 failed" in result.out.splitlines()[-1]
    assert "Traceback" not in result.err
    report = one_object(invoke("plugins", "check", bad_file, "--only=loss", "--json").out)
    (failed,) = [outcome for outcome in report["checks"] if outcome["status"] == "failed"]
    assert report["ok"] is False
    assert failed["section"] == "docs/plugins/checking.md#loss"
    assert failed["found"] == "2 times as much"


def test_settings_and_task_are_as_in_train(invoke, bad_file):
    arguments = ("--task", "tiny-vae", "--set", "latent=3", "--only", "shapes", "--json")
    report = one_object(invoke("plugins", "check", bad_file, *arguments).out)
    (outcome,) = report["checks"]
    assert outcome["subject"] == "loss summed in tiny-vae"
    assert "(3)" in outcome["text"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["tinny"], "no plug-in is called 'tinny'"),
        (["tinny"], "Did you mean 'tiny'?"),
        (["tiny", "--only", "shape"], "no check is called 'shape'. Did you mean 'shapes'?"),
        ([str(TINY.parent / "photo_plugin" / "nothing.py")], "no such file or folder"),
        (["tiny", "--set", "latent"], "expected KEY=VALUE"),
    ],
)
def test_what_cannot_be_checked_is_one_line(invoke, arguments, reason):
    result = invoke("plugins", "check", *arguments)
    assert result.code == 1
    assert_one_line_error(result.err, reason)


def test_broken_plug_in_is_a_failure_with_its_reason(invoke, tmp_path):
    path = tmp_path / "raises_at_once.py"
    path.write_text("raise ValueError('no luck')", encoding="utf-8")
    result = invoke("plugins", "check", path)
    assert result.code == 1
    assert "failed    loading" in result.out and "ValueError: no luck" in result.out
    again = invoke("--plugins-dir", tmp_path, "plugins", "check", "raises_at_once")
    assert again.code == 1 and "ValueError: no luck" in again.out


def test_the_list_still_lists(invoke):
    result = invoke("plugins")
    assert result.code == 0 and "tiny" in result.out
    help_ = invoke("plugins", "--help").out
    assert " new " in help_ and " check " in help_


def test_a_file_that_is_loaded_already_is_checked_without_a_word_of_doubt(invoke, bad_file):
    result = invoke(
        "--plugins-dir", bad_file.parent, "plugins", "check", bad_file, "--only", "loading"
    )
    assert result.code == 0, result.out
    assert "ok        loading     loss summed" in result.out
    assert "is not used" not in result.err
