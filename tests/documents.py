"""The documents as tests read them: sections, blocks, and a folder in which commands are run."""

from __future__ import annotations

import re
import shlex
import sys
import wave
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support import ROOT

from aeplug.data import find_bundled

#: Steps of a training that begins, and to which one is resumed.
STEPS, RESUMED_STEPS = 4, 6
#: Commands that look at a data set, and take fewer of its items.
MEASURING = ("evaluate", "embed", "map", "compare-pca", "attribute")
#: Checks of a plug-in that take seconds, and that other tests make.
LONG_CHECKS = ("processes", "compiling")


def read_page(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def sections(text: str) -> dict[str, str]:
    """Heading -> what stands under it, up to the next heading; code is no heading."""
    parts, name, code = {"": ""}, "", False
    for line in text.splitlines(keepends=True):
        code ^= line.startswith("```")
        heading = re.match(r"#+ (.*)", line)
        if heading and not code:
            name = heading[1].strip()
            assert name not in parts, f"'{name}' twice: the second has another anchor"
            parts[name] = ""
        else:
            parts[name] += line
    return parts


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    names = (name.lower().replace(" ", "-") for name in sections(read_page(page)) if name)
    return {re.sub(r"[^\w-]", "", name) for name in names}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def console_lines(text: str) -> list[str]:
    """Lines of console blocks: ``$ command``, or ``# what it is and how long it takes``."""
    lines = [line for block in blocks(text, "console") for line in block.splitlines()]
    assert all(line.startswith(("$ ", "# ")) for line in lines), lines
    return lines


def commands(text: str) -> list[str]:
    """Commands of console blocks, in order."""
    return [line[2:] for line in console_lines(text) if line.startswith("$ ")]


def shortened(words: list[str]) -> list[str]:
    """A command's arguments with few steps, items, samples and checks."""
    short = list(words)
    if "train" in words and "--help-task" not in words:
        resumed = "--resume" in words
        for option in ("--epochs", "--steps"):
            if option in short:
                at = short.index(option)
                del short[at : at + 2]
        short += ["--steps", str(RESUMED_STEPS if resumed else STEPS)]
        if not resumed:
            short += ["--set", "train.batch_size=16"]
    if words[0] in MEASURING and "--items" not in words:
        short += ["--items", "200"]
    for option, most in (("--items", 200), ("--samples", 20), ("--importance", 20), ("--bars", 16)):
        if option in short:
            at = short.index(option) + 1
            short[at] = str(min(int(short[at]), most))
    if "--check-items" in short:
        short[short.index("--check-items") + 1] = "20"
    if words[:2] == ["plugins", "check"] or words[:2] == ["-m", "pytest"]:
        pytest_names = " and ".join(f"not {name}" for name in LONG_CHECKS)
        skipped = [word for name in LONG_CHECKS for word in ("--skip", name)]
        short += ["-k", pytest_names] if words[0] == "-m" else skipped
    return short


class Workshop:
    """A folder in which the commands of a page are run, each at most once.

    What a command reads, and no command before it made, is made first: by the command of the page
    that writes it, or as one of :data:`INPUTS`. So every section of a page can be run alone.
    """

    def __init__(self, page: Path, folder: Path, without: tuple[str, ...] = ()) -> None:
        self.folder = folder
        parts = sections(read_page(page))
        self.lines = [
            line for name, text in parts.items() if name not in without for line in commands(text)
        ]
        self.done: set[str] = set()
        for name, content in files_of(read_page(page)).items():
            (folder / name).write_text(content, encoding="utf-8")

    def run(self, line: str, cli: Callable[..., Any]) -> None:
        """Run a command of the page, with few steps and items; an exit code but 0 fails."""
        if line in self.done:
            return
        at = self.lines.index(line)
        words = shlex.split(line)
        for word in words:
            for earlier in reversed(self.lines[:at]):
                if any(is_within(word, place) for place in written_by(earlier)):
                    self.run(earlier, cli)
                    break
            if word in INPUTS and not (self.folder / word).exists():
                INPUTS[word](self.folder / word)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.setenv("AEPLUG_CACHE", str(self.folder / "cache"))
            # A probe is fitted to all 55,000 digits otherwise.
            patch.setattr("aeplug.evaluation.pca_comparison.PROBE_VALUES", 1000 * 784)
            draw_less(patch)
            learn_less(patch)
            while "=" in words[0]:
                patch.setenv(*words.pop(0).split("=", 1))
            assert words[0] == "aeplug", line
            if words[1] == "sample" and "--prior" in words:
                kind = words[words.index("--prior") + 1]
                cli("fit-prior", words[2], "--kind", kind, "--items", 1000)
            cli(*shortened(words[1:]))
        for name in files_of_folder(self.folder):
            sys.modules.pop(name, None)
        self.done.add(line)


def draw_less(patch: pytest.MonkeyPatch) -> None:
    """Pages of 60 samples take longer to draw than the trainings here."""
    patch.setattr("aeplug.plots.gallery.RECONSTRUCTIONS", 4)
    patch.setattr("aeplug.plots.gallery.SAMPLES", 4)


def learn_less(patch: pytest.MonkeyPatch) -> None:
    """A prior over documents takes minutes to fit to the few that the pages' data have."""
    from aeplug_priors.sequence import fitting

    defaults = {**fitting.fit_sequence_prior.__kwdefaults__, "seen": 640, "critic_seen": 320}
    patch.setattr(fitting, "PASSES", (1, 2))
    patch.setattr(fitting.fit_sequence_prior, "__kwdefaults__", defaults)


def written_by(line: str) -> list[str]:
    """Paths that a command writes."""
    words = shlex.split(line)
    options = ("--out", "--run", "--sheet")
    return [words[at + 1] for at, word in enumerate(words[:-1]) if word in options]


def is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


def files_of(text: str) -> dict[str, str]:
    """Files that a page has one write: Python blocks that begin with ``# NAME.py``."""
    named = [(re.match(r"# (\w+\.py)\n", block), block) for block in blocks(text, "python")]
    return {match[1]: block for match, block in named if match}


def files_of_folder(folder: Path) -> Iterator[str]:
    """Modules that lie in a folder, by name: what is imported from it is forgotten again."""
    return (path.stem for path in folder.glob("*.py"))


# What the documents call my-photos, humming.wav ...


def make_pictures(folder: Path) -> None:
    generator = np.random.default_rng(0)
    folder.mkdir()
    for number in range(60):
        pixels = generator.integers(0, 256, (40, 40 + number % 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


def make_photos(folder: Path, count: int = 6) -> None:
    generator = np.random.default_rng(0)
    folder.mkdir()
    for number in range(count):
        coarse = generator.integers(0, 256, (9, 12, 3), dtype=np.uint8)
        photo = Image.fromarray(coarse).resize((150, 110), Image.Resampling.BICUBIC)
        photo.save(folder / f"{'abcdefghijklmnopqrstuvwxyz'[number]}.png")


def make_tunes(folder: Path) -> None:
    """A hundred of the bundled tunes."""
    with zipfile.ZipFile(find_bundled("folk_tunes.zip")) as archive:
        for name in sorted(archive.namelist())[:300:3]:
            if name.endswith(".mid"):
                archive.extract(name, folder)


def make_drums(folder: Path) -> None:
    """Performances as MIDI, with a catalogue as Groove's."""
    from aeplug.config import PartConfig
    from aeplug_music.drums.codec import DrumCodec
    from aeplug_music.drums.window_shape import groove_shape

    codec = DrumCodec(PartConfig(), groove_shape(2))
    rows = ["drummer,session,id,style,bpm,midi_filename,split"]
    folder.mkdir()
    patterns = sorted(find_bundled("patterns").glob("*.drums"))
    for number, path in enumerate(path for path in patterns if "4/4" in read_page(path)):
        codec.write(codec.read(path), folder / path.stem, {})
        part = "train" if number < 30 else "validation"
        rows.append(f"drummer{number // 4},a,{number},rock,100,{path.stem}.mid,{part}")
    (folder / "info.csv").write_text("\n".join(rows) + "\n")


def make_notes(folder: Path) -> None:
    """Rendered notes, as ``aeplug data build --render`` writes them."""
    from aeplug.cli import main

    words = ["data", "build", "--render", "0-9", "--pitches", "60-64", "--out", str(folder)]
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0


def make_humming(path: Path) -> None:
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


INPUTS: dict[str, Callable[[Path], None]] = {
    "my-pictures": make_pictures,
    "my-photos": make_photos,
    "my-midi": make_tunes,
    "my-drums": make_drums,
    "humming.wav": make_humming,
    "GROOVE": make_drums,
    "PHOTOS": lambda folder: make_photos(folder, 22),
    "NOTES": make_notes,
}

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
