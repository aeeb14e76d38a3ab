"""``aeplug parts`` and ``train --help-task``: settings, drawn one way, quick where they can be."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support import aeplug, assert_one_line_error, environment, one_object

HEAD = "from aeplug.plugins.specs import *\nfrom aeplug import hookimpl\n"


@pytest.mark.parametrize("arguments", [["parts"], ["parts", "--json"], ["parts", "decoder"]])
def test_a_list_imports_no_torch(arguments):
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print({'torch', 'numpy', 'pydantic'} & set(sys.modules), "
        "file=sys.stderr))\n"
        f"from aeplug.cli import main; main({arguments!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "set()"


def test_all_kinds_are_listed_with_their_plug_in(invoke, plugins):
    found = one_object(invoke("parts", "--json").out)["parts"]
    for kind in ("encoder", "latent", "decoder", "loss", "codec", "dataset"):
        listed = {part["name"] for part in found if part["kind"] == kind}
        assert listed == {spec.name for spec in plugins.specs(kind)}
    (tiny,) = [p for p in found if (p["kind"], p["name"]) == ("dataset", "tiny")]
    assert tiny == {"kind": "dataset", "name": "tiny", "plugin": "tiny", "summary": "made up"}


def test_one_kind(invoke):
    out = invoke("parts", "latent").out
    assert "gaussian" in out and "deterministic" in out
    assert "mnist" not in out and "conv" not in out.split()


def test_named_parts_come_with_their_settings(invoke):
    out = invoke("parts", "tiny", "gaussian").out
    lines = out.splitlines()
    assert "  encoder.width=8  integer, >= 1; short: encoder=8" in lines
    assert "  data.items=64  integer, >= 0, items" in lines
    beta = "linear(0, 0.01, 0.5)"
    assert f"  loss.beta={beta}  number or schedule; short: loss={beta}" in lines
    assert "decoder tiny (tiny): one layer" in lines
    assert "  no settings" in lines
    assert any(line.startswith("latent gaussian (core)") for line in lines)


def test_kind_and_name_choose_one(invoke):
    found = one_object(invoke("parts", "encoder", "tiny", "--json").out)["parts"]
    (part,) = found
    assert (part["kind"], part["factory"]) == ("encoder", "tiny:TinyEncoder")
    width, dropout = part["settings"]
    assert (width["default"], width["minimum"], width["main"]) == (8, 1, True)
    assert dropout["maximum"] == 1 and dropout["maximum_excluded"]


def test_a_codec_comes_with_its_files_and_options(invoke):
    lines = invoke("parts", "codec", "tiny").out.splitlines()
    assert "  files: .tiny" in lines
    assert any("--level (reconstruct, sample, " in ln and "in decibels" in ln for ln in lines)
    (part,) = one_object(invoke("parts", "codec", "tiny", "--json").out)["parts"]
    assert part["suffixes"] == [".tiny"]
    assert {option["name"]: option["maximum"] for option in part["options"]}["level"] == 9


def test_settings_of_all_of_a_kind(invoke):
    found = one_object(invoke("parts", "loss", "--settings", "--json").out)["parts"]
    assert len(found) > 3 and all("settings" in part for part in found)
    assert {setting["unit"] for part in found for setting in part["settings"]} >= {"", "bits"}


def test_unknown_name_gets_the_nearest(invoke):
    result = invoke("parts", "gausian")
    assert result.code == 1
    assert_one_line_error(result.err, "no part is called 'gausian'. Did you mean 'gaussian'?")
    result = invoke("parts", "latent", "conv")
    assert_one_line_error(result.err, "no latent is called 'conv'")
    assert_one_line_error(invoke("parts", "encodr").err, "Did you mean 'encoder'?")


def test_part_that_cannot_be_loaded_is_told_and_the_others_are_listed(tmp_path):
    source = HEAD + (
        "@hookimpl\ndef aeplug_losses():\n"
        "    yield LossSpec('gone', 'no_such_package:Loss', 'not there')\n"
        "    yield LossSpec('bad', 'halved:Bad', 'its config raises')\n"
        "class Bad:\n"
        "    @property\n    def Config(self): pass\n"
    )
    (tmp_path / "halved.py").write_text(source)
    env = environment(AEPLUG_PLUGINS_DIR=str(tmp_path))
    done = aeplug("parts", "loss", "--settings", "--json", env=env)
    assert done.returncode == 1
    found = {part["name"]: part for part in one_object(done.stdout)["parts"]}
    assert "ModuleNotFoundError: No module named 'no_such_package'" in found["gone"]["error"]
    assert "error" in found["bad"]
    assert found["mse"]["settings"] and "error" not in found["mse"]
    assert "Traceback" not in done.stderr
    assert aeplug("parts", env=env).returncode == 0


class TestHelpTask:
    def test_every_section_with_the_tasks_defaults(self, invoke):
        out = invoke("train", "--help-task", "tiny-vae").out
        lines = out.splitlines()
        assert lines[0] == "tiny-vae: four numbers through two"
        titles = ["data=tiny", "prepare", "encoder=tiny", "latent=gaussian", "decoder=tiny"]
        titles += ["loss=tiny", "codec=tiny", "train"]
        assert [line for line in lines[1:] if line and not line.startswith(" ")] == titles
        assert "  latent.size=2  integer, >= 1, dimensions; short: latent=2" in lines
        assert "  train.batch_size=16  integer, >= 1, items" in lines
        assert "  prepare.pause=0.0  number, >= 0, seconds" in lines
        assert "  codec." not in out

    def test_settings_given_beside_it_are_followed(self, invoke):
        out = invoke(
            "train", "--help-task", "tiny", "--set", "encoder=mlp", "--set", "lr=0.5", "--steps", 7
        ).out
        assert "encoder=mlp\n" in out and "encoder.hidden=[512, 256]" in out
        assert "train.lr=0.5" in out and "train.steps=7" in out

    def test_nothing_is_trained(self, invoke, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert invoke("train", "--help-task", "tiny", "--run", "here").code == 0
        assert list(tmp_path.iterdir()) == []

    def test_unknown_task_and_setting_are_told(self, invoke):
        result = invoke("train", "--help-task", "tiny-vea")
        assert_one_line_error(result.err, "no task is called 'tiny-vea'. Did you mean 'tiny-vae'?")
        result = invoke("train", "--help-task", "tiny", "--set", "latent.sise=3")
        assert_one_line_error(result.err, "Did you mean 'latent.size'?")

    @pytest.mark.parametrize("columns", ["40", "60", "120"])
    def test_any_width_will_do(self, columns):
        done = aeplug("train", "--help-task", "mnist-vae", env=environment(COLUMNS=columns))
        assert done.returncode == 0, done.stderr
        rest = done.stdout.splitlines()[1:]
        assert all(len(line) <= int(columns) for line in rest if "=[" not in line)
        words = " ".join(done.stdout.split())
        assert "channels of each stage; the first is at full size" in words
