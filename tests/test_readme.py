"""Every command of the READMEs, as typed; trainings are cut to a few steps."""

from __future__ import annotations

import re
import shlex
import wave
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import ROOT

from aeplug.cli import main
from aeplug.data.bundled import find_bundled


def commands(readme: Path) -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


#: Commands that look at a data set, and take fewer of its items.
MEASURING = ("evaluate", "embed", "map", "compare-pca", "attribute")


def shortened(arguments: list[str]) -> list[str]:
    """A training of 20 epochs, or of no length, as one of 20 steps; of 2000 steps as of 20.

    What measures takes 200 items where it is not told how many.
    """
    short = list(arguments)
    if short[0] in MEASURING and "--items" not in short:
        short += ["--items", "200"]
    if "train" in short and not {"--epochs", "--steps"} & set(short):
        return [*short, "--steps", "20"]
    if "train" in short:
        for position, argument in enumerate(arguments[:-1]):
            if argument == "--epochs":
                short[position : position + 2] = ["--steps", arguments[position + 1]]
            if argument == "--steps":
                short[position + 1] = str(max(2, int(arguments[position + 1]) // 100))
    return short


def hum(path: Path) -> None:
    """A scale up and down, four seconds of a voice-like tone."""
    rate, pitches = 22_050, (60, 62, 64, 65, 64, 62, 60, 60)
    time = np.arange(rate // 2) / rate
    shape = np.minimum(1, np.minimum(time, 0.48 - time).clip(0) / 0.02)
    tones = [
        sum(np.sin(2 * np.pi * k * 440 * 2 ** ((pitch - 69) / 12) * time) / k for k in (1, 2, 3))
        for pitch in pitches
    ]
    sound = np.concatenate([tone * shape for tone in tones])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((sound * 10_000).astype("<i2").tobytes())


def make_inputs(folder: Path) -> None:
    """What the README calls `my-pictures`, `my-photos`, `my-midi` and `humming.wav`."""
    generator = np.random.default_rng(0)
    (folder / "my-pictures").mkdir()
    for number in range(60):
        pixels = generator.integers(0, 256, (40, 40 + number % 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "my-pictures" / f"{number}.png")
    (folder / "my-photos").mkdir()
    for name in "abcdef":
        coarse = generator.integers(0, 256, (9, 12, 3), dtype=np.uint8)
        photo = Image.fromarray(coarse).resize((150, 110), Image.Resampling.BICUBIC)
        photo.save(folder / "my-photos" / f"{name}.png")
    hum(folder / "humming.wav")
    with zipfile.ZipFile(find_bundled("folk_tunes.zip")) as archive:
        for name in sorted(archive.namelist())[:300:3]:
            if name.endswith(".mid"):
                archive.extract(name, folder / "my-midi")


@pytest.mark.parametrize("page", ["README.md", "docs/lesson.md"])
def test_every_command_works(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Those of plugins/README.md and its pages: tests/plugins/test_reference.py."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AEPLUG_CACHE", str(tmp_path / "cache"))
    make_inputs(tmp_path)
    lines = commands(ROOT / page)
    assert len(lines) >= 5
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "aeplug", line
        with pytest.raises(SystemExit) as ended:
            main(shortened(arguments))
        assert ended.value.code == 0, f"{line}\n{capfd.readouterr().err[-2000:]}"


def test_the_pictures_of_the_lesson_are_there() -> None:
    page = ROOT / "docs" / "lesson.md"
    pictures = re.findall(r"\]\((lesson/[^)]+)\)", page.read_text(encoding="utf-8"))
    assert len(pictures) >= 6
    for picture in pictures:
        assert (page.parent / picture).is_file(), picture


def test_the_python_example_gives_the_shapes_it_says() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    said = re.findall(r"^(\w+) = .*# \(([\d, ]+)\)", code, re.MULTILINE)
    assert len(said) >= 3
    for name, shape in said:
        expected = tuple(int(size) for size in shape.split(","))
        assert tuple(names[name].shape) == expected  # type: ignore[attr-defined]


def test_the_demo_runs_and_leaves_its_pictures(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--quick", "--out", str(tmp_path)])
    assert ended.value.code == 0
    folders = [Path(line) for line in capfd.readouterr().out.splitlines() if "." not in line]
    assert len(folders) >= 1
    assert (folders[0] / "curve.png").stat().st_size > 5000
    assert (folders[0] / "reconstructions.png").is_file()
    assert (folders[0] / "samples" / "samples.png").is_file()
