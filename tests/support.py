"""What several test files use: the command line in another process, and small conveniences."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from importlib import metadata
from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
TINY = TESTS / "tiny_plugin"
#: Documents of several pieces, of the parts of the one above.
CHAINS = TESTS / "sequence_plugin"

#: Installed plug-ins that the engine's own tests do without.
OTHERS = [
    entry_point.name
    for entry_point in metadata.entry_points(group="aeplug")
    if entry_point.name not in ("core", "image")
]


def environment(**extra: str) -> dict[str, str]:
    """A process's environment: one thread, no settings of the person who runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AEPLUG_")}
    kept.pop("COLUMNS", None)
    return {**kept, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", **extra}


def tiny_environment(**extra: str) -> dict[str, str]:
    return environment(AEPLUG_PLUGINS_DIR=str(TINY), **extra)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "aeplug", *map(str, arguments)]


def aeplug(
    *arguments: object, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    return subprocess.run(
        command(*arguments),
        env=environment() if env is None else env,
        cwd=cwd,
        capture_output=True,
        text=True,
        errors="surrogateescape",  # names of files need not be text
        timeout=300,
    )


def warnings_about(stderr: str, name: str) -> list[str]:
    """Lines of warning that name a plug-in."""
    return [
        line
        for line in stderr.splitlines()
        if line.startswith("aeplug: warning:") and f"'{name}'" in line
    ]


def one_object(stdout: str) -> dict:
    """The one JSON object that stdout shall hold, strictly JSON."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    value = json.loads(stdout, parse_constant=refuse)
    assert isinstance(value, dict)
    return value


def assert_one_line_error(stderr: str, *parts: str) -> None:
    """The last thing said is one line that starts as errors do; nowhere is a traceback."""
    assert "Traceback" not in stderr
    lines = [line for line in stderr.splitlines() if line.startswith("aeplug: error: ")]
    assert len(lines) == 1, stderr
    assert stderr.splitlines()[-1] == lines[0], stderr
    assert "this is a bug" not in lines[0]
    for part in parts:
        assert part in lines[0], lines[0]


def build_wheel(folder: Path, project: Path = ROOT) -> Path:
    """A distribution as it is shipped, built into an empty folder."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=project,
        env=environment(),
        check=True,
        capture_output=True,
    )
    (found,) = folder.glob("*.whl")
    return found


def clean_python(folder: Path, *wheels: Path) -> Path:
    """The python of an empty venv with these wheels, beside the packages present here."""
    venv.create(folder, with_pip=False, symlinks=True)
    scripts = "Scripts" if os.name == "nt" else "bin"
    python = folder / scripts / "python"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"),
            *("--no-deps", "--no-index", "--disable-pip-version-check"),
            *map(str, wheels),
        ],
        check=True,
        capture_output=True,
        env=environment(),
    )
    (site,) = folder.glob("lib/python*/site-packages") if os.name != "nt" else [folder / "Lib"]
    # Packages found there, but no .pth files: the checkout installed there stays out of sight.
    (site / "present.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return python
