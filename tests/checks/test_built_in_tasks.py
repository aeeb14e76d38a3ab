"""The built-in tasks pass the checks that strangers' must."""

from __future__ import annotations

import pytest

from aeplug.testing import check_task, isolated_plugins

PLUGINS = isolated_plugins()
NAMES = [task.name for task in PLUGINS.specs("task") if not task.name.startswith("fake-")]

#: Of a second or so; the others' turn comes with --slow.
QUICK = ("mnist-vae", "melody-2bar", "groove")


@pytest.mark.parametrize("name", QUICK)
def test_task_is_right(name):
    quick = ["shapes", "loss", "gradients", "seeds", "codec", "settings"]
    check_task(name, plugins=PLUGINS, only=quick)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_task_passes_every_check(name):
    check_task(name, plugins=PLUGINS)


def test_data_that_waits_for_a_folder_is_made_up():
    check_task("superres", plugins=PLUGINS, only=["building", "shapes"])
