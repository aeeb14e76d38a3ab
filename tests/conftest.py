"""Fixtures: the tiny plug-in, its trained runs, and the command line in this process."""

from __future__ import annotations

import os
import sys

# Before torch is imported: tests run side by side, one thread each.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from support import TINY

settings.register_profile(
    "aeplug",
    deadline=None,  # machines that run tests are shared
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
settings.load_profile("aeplug")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also tests of more than 20 seconds")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than 20 seconds; runs with --slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if "slow" in item.keywords and not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason="needs --slow"))


@pytest.fixture(autouse=True)
def _subnormal_numbers() -> Iterator[None]:
    """A training in this process flushes them to zero; property tests draw them."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


@pytest.fixture(scope="session")
def plugins() -> Any:
    """Built-in plug-ins and the tiny one."""
    from aeplug.plugins import Plugins

    return Plugins([TINY])


@pytest.fixture
def tiny_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process as if started with the tiny plug-in, and left as it was found."""
    from aeplug.plugins import current

    for name in [name for name in os.environ if name.startswith(("AEPLUG_", "TINY_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(current.PLUGINS_DIR_VARIABLE, str(TINY))
    monkeypatch.setattr(current, "_active", None)
    monkeypatch.setattr("sys.argv", ["aeplug"])


@pytest.fixture
def invoke(
    tiny_process: None, monkeypatch: pytest.MonkeyPatch, aeplug_cli: Callable[..., Any]
) -> Callable[..., Any]:
    """``invoke("train", "tiny")``: ``aeplug_cli`` with the tiny plug-in, 100 columns wide.

    It is for the test to look at the exit code.
    """
    monkeypatch.setenv("COLUMNS", "100")
    return partial(aeplug_cli, fails=None)


@pytest.fixture(scope="session")
def make_training(plugins: Any) -> Callable[..., Any]:
    """``make_training({"train.ema": 0.9}, run_folder)``: a training of the tiny VAE."""
    import torch

    from aeplug.config import resolve
    from aeplug.data.opening import open_dataset
    from aeplug.model.run_folder import RunFolder
    from aeplug.runtime.distributed import Distributed
    from aeplug.training.trainer import Trainer

    def make(
        settings: dict[str, Any] | None = None,
        folder: Path | None = None,
        task: str = "tiny-vae",
    ) -> Any:
        config = resolve(plugins.task(task), plugins, settings or {})
        run = None
        if folder is not None:
            run = RunFolder(folder)
            if not run.exists:
                run.create(config.as_dict(), {})
        distributed = Distributed(0, 1, torch.device("cpu"))
        return Trainer(config, open_dataset(config), plugins, run, distributed)

    return make


@pytest.fixture(scope="session")
def trained(make_training: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished run of the tiny VAE."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    make_training({}, folder).run()
    return folder


@pytest.fixture(scope="session")
def trained_plain(
    make_training: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Folder of a finished run of the tiny autoencoder without a prior."""
    folder = tmp_path_factory.mktemp("trained") / "plain"
    make_training({}, folder, task="tiny").run()
    return folder


@pytest.fixture
def model(trained: Path, plugins: Any) -> Any:
    """The trained tiny VAE."""
    from aeplug.api import load

    return load(trained, device="cpu", plugins=plugins)


@pytest.fixture
def tiny_file(tmp_path: Path) -> Callable[..., Path]:
    """``tiny_file("a", [[1, 2, 3, 4]])`` writes a file the tiny codec reads."""
    import json

    def write(name: str, rows: list[list[int]] | None = None) -> Path:
        path = tmp_path / f"{name}.tiny"
        path.write_text(json.dumps(rows or [[10, 200, 105, 150]]), encoding="utf-8")
        return path

    return write
