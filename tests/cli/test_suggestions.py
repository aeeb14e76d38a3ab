"""A mistyped command, option or class names what was meant."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support import assert_one_line_error, environment


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["help"], "Did you mean 'aeplug --help'?"),
        (["list"], "Did you mean 'aeplug tasks'?"),
        (["generate"], "Did you mean 'aeplug sample'?"),
        (["trian"], "Did you mean 'train'?"),
        (["train", "tiny-vae", "--lr", "1"], "It is a setting: --set train.lr=VALUE"),
        (["train", "tiny-vae", "--batch-size", "1"], "--set train.batch_size=VALUE"),
        (["train", "tiny-vae", "--learning-rate", "1"], "--set train.lr=VALUE"),
        (["train", "tiny-vae", "--latent-size", "1"], "--set latent.size=VALUE"),
        (["train", "tiny-vae", "--latent", "1"], "--set latent=VALUE"),
        (["train", "tiny-vae", "--beta", "1"], "--set loss.beta=VALUE"),
        (["train", "tiny-vae", "--spes", "1"], "Did you mean '--steps'?"),
        (["sample", "tiny-vae", "--output", "x"], "Did you mean '--out'?"),
        (["sample", "tiny-vae", "--num", "4"], "Did you mean '--count'?"),
        (["sample", "tiny-vae", "--force"], "Did you mean '--overwrite'?"),
        (["plugins", "check", "tiny", "--lr", "1"], "--set train.lr=VALUE"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_was_meant_is_named(invoke, arguments, hint):
    result = invoke(*arguments)
    assert result.code == 2
    assert_one_line_error(result.err, hint)


def test_nothing_is_suggested_where_nothing_is_near(invoke):
    result = invoke("sample", "tiny-vae", "--zzz")
    assert_one_line_error(result.err, "no option is called '--zzz'. (see 'aeplug sample --help')")


def test_an_unknown_class_lists_those_there_are(invoke, tmp_path):
    result = invoke("sample", "mnist-cvae", "--cond", "11", "--out", tmp_path / "o")
    assert_one_line_error(result.err, "digit has no class '11'. Expected one of 0, 1, 2, 3,")


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "mnits"],
        ["train", "--help-task", "mnits"],
        ["sample", "mnist-vea", "--out", "o"],
        ["evaluate", "mnist-vea"],
        ["attribute", "mnist-vea", "--list"],
        ["embed", "runs/nothing", "--out", "z.npz"],
        ["train", "mnist-vae", "--lr", "1"],
    ],
    ids=" ".join,
)
def test_a_typo_is_answered_before_torch_is_imported(arguments, tmp_path):
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('torch' in sys.modules))\n"
        f"from aeplug.cli import main; main({arguments!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (1, 2)
    assert_one_line_error(done.stderr)
    assert done.stdout == "False\n"


def test_attributes_are_listed_without_torch():
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr))\n"
        "from aeplug.cli import main; main(['attribute', 'mnist', '--list'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True
    )
    assert "slant" in done.stdout and done.stderr == "False\n"
