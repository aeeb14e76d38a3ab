"""What commands that take seconds show meanwhile: bars on a terminal, nothing elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest
from support import environment, one_object

pty = pytest.importorskip("pty")  # Windows has none


def run_on_terminal(*arguments: object) -> tuple[str, str]:
    """Stdout of a command whose stderr is a terminal, and what that shows, without colours."""
    master, slave = pty.openpty()
    shown: list[bytes] = []

    def read() -> None:
        try:
            while block := os.read(master, 1 << 16):
                shown.append(block)
        except OSError:  # the other end is closed
            pass

    reader = Thread(target=read)
    reader.start()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "aeplug", *map(str, arguments)],
            env=environment(COLUMNS="100", TERM="xterm"),
            stdout=subprocess.PIPE,
            stderr=slave,
            text=True,
            check=True,
        )
    finally:
        os.close(slave)
        reader.join()
        os.close(master)
    return done.stdout, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", b"".join(shown).decode())


def commands(folder: Path) -> dict[str, tuple[tuple[object, ...], tuple[str, ...]]]:
    """Each command, and a pattern for each bar that it shows, in order."""
    directions = folder / "slant.safetensors"
    return {
        "sample": (
            ("sample", "melody-2bar", "-n", 2, "--seed", 1, "--out", folder / "samples"),
            (r"0/1 model .*loading", r"0/2 items .*sampling", r"0/2 files .*writing", "0/2 panels"),
        ),
        "export": (
            ("export", "mnist-vae", "--out", folder / "weights"),
            (r"0/1 model .*loading", r"0/1 folder .*writing"),
        ),
        "attribute": (
            (
                *("attribute", "mnist-vae", "slant", "--items", 64, "--save", directions),
                *("--check", "--check-items", 8),
            ),
            (r"0/64 items .*learning directions", r"0/8 rounds .*measuring the effect"),
        ),
    }


class TestCommands:
    @pytest.mark.parametrize("name", ["sample", "export", "attribute"])
    def test_bars_on_a_terminal(self, name: str, tmp_path: Path) -> None:
        arguments, bars = commands(tmp_path)[name]
        _, shown = run_on_terminal(*arguments)
        assert re.search(".*".join(bars), shown, re.DOTALL), shown

    @pytest.mark.parametrize("name", ["sample", "attribute"])
    def test_none_beside_json(self, name: str, tmp_path: Path) -> None:
        arguments, _ = commands(tmp_path)[name]
        out, shown = run_on_terminal(*arguments, "--json")
        assert one_object(out)
        assert not re.search(r"\d/\d+ ", shown)

    @pytest.mark.parametrize("name", ["sample", "attribute"])
    def test_none_in_a_file(self, name: str, tmp_path: Path) -> None:
        arguments, _ = commands(tmp_path)[name]
        done = subprocess.run(
            [sys.executable, "-m", "aeplug", *map(str, arguments)],
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        assert not re.search(r"\d/\d+ ", done.stderr)
