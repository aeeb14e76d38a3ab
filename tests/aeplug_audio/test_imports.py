"""Libraries of sound are imported where sound is at work, and nowhere else."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support import environment

SOUND = ("librosa", "soundfile", "soxr", "numba", "scipy", "sounddevice")


def imported(*statements: str) -> list[str]:
    """What of ``SOUND`` a fresh process has imported when it ends."""
    code = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print(sorted(set({SOUND!r}) & set(sys.modules)), "
        "file=sys.stderr))\n" + "\n".join(statements)
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = eval(done.stderr.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    "statement",
    [
        "import aeplug, aeplug_audio",
        "from aeplug.cli import main; main(['--help'])",
        "from aeplug.cli import main; main(['play', '--help'])",
        "from aeplug.cli import main; main(['data', 'build', '--help'])",
        "import aeplug_audio.synthesis.rendering, aeplug_audio.sounds.codec",
        "import aeplug_music.melodies.codec",
    ],
)
def test_starting_and_listing_import_none(statement):
    assert imported(statement) == []


def test_image_tasks_import_none(tmp_path):
    arguments = ["sample", "mnist-vae", "-n", "2", "--out", str(tmp_path / "out")]
    assert imported(f"from aeplug.cli import main; main({arguments!r})") == []
    assert (tmp_path / "out").is_dir()
