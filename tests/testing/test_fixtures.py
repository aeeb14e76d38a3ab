"""The pytest plug-in: found by itself, light, and its fixtures leave nothing behind."""

from __future__ import annotations

import subprocess
import sys

from support import environment

SOURCE = """
from aeplug import LossSpec, hookimpl

@hookimpl
def aeplug_losses():
    yield LossSpec("fixture-loss", "aeplug.checks.fakes:FakeLoss", "again")
"""


def test_plugins_are_this_process_s_for_the_test(aeplug_plugins, tmp_path):
    from aeplug.plugins import active

    (tmp_path / "of_a_fixture.py").write_text(SOURCE, encoding="utf-8")
    plugins = aeplug_plugins(tmp_path / "of_a_fixture.py")
    assert active() is plugins
    assert plugins.find("loss", "fixture-loss").summary == "again"
    assert plugins.task("fake-vectors").name == "fake-vectors"


def test_and_forgotten_after_it():
    from aeplug.plugins import active

    assert "of_a_fixture" not in sys.modules
    assert "fixture-loss" not in [spec.name for spec in active().specs("loss")]


def test_batch_is_tiny(aeplug_batch, aeplug_plugins):
    batch = aeplug_batch("fake-images", plugins=aeplug_plugins())
    assert batch.input.shape == (8, 1, 16, 16)


def test_command_line_in_this_process(aeplug_cli, aeplug_plugins, tmp_path):
    plugins = aeplug_plugins()
    done = aeplug_cli(
        *("train", "fake-vectors", "--steps", 2, "--run", tmp_path / "run"), plugins=plugins
    )
    assert done.out.strip() == str(tmp_path / "run")
    failed = aeplug_cli("train", "fake-vectrs", plugins=plugins, fails=True)
    assert "Did you mean 'fake-vectors'" in failed.err


def test_pytest_loads_it_without_torch(tmp_path):
    (tmp_path / "test_nothing.py").write_text(
        "import sys\ndef test(request):\n    assert 'torch' not in sys.modules\n"
        "    assert request.config.pluginmanager.has_plugin('aeplug')\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
