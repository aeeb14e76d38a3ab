"""Do samples of a model that was adapted to a style sit nearer to the style's own tunes?

    python benchmarks/style_adaptation.py
    python benchmarks/style_adaptation.py --tunes essen_tunes.zip --style /han --json

Tunes of one kind are taken from a zip, ``--files`` of them for ``aeplug adapt``, the others held
out; ``melody-2bar`` is adapted to the first. Windows are then sampled from the adapted model and
from the base, in the held-out tunes' own mixture of metres, and compared with the windows of the
held-out tunes, feature by feature (the overlap of two histograms, see
``aeplug_music.melodies.samples``). The ceiling is what the files that were adapted to have in
common with the held-out ones. Without ``--tunes`` the styles are kinds of dances among the bundled
tunes, on most of which the base was trained; of a style that it seldom samples there is more to
gain.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aeplug.api import load
from aeplug.data import find_bundled
from aeplug.errors import AeplugError
from aeplug_music.melodies.codec import MelodyCodec
from aeplug_music.melodies.dataset import BUNDLED
from aeplug_music.melodies.samples import feature_overlaps
from aeplug_priors.style.adaptation import adapt

SEED = 0
SAMPLES = 1000
#: Kinds of dances, as members of the bundled zip are called, and files of a style at most.
KINDS = ("Reel", "Jig", "Hornpipe")
MOST = 200


def main() -> None:
    """Print a table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tunes", help="zip of MIDI files; else the bundled one")
    parser.add_argument("--style", default="", help="part of the members' names")
    parser.add_argument("--files", type=int, default=10, help="adapted to")
    parser.add_argument("--size", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = {}
    for name, members in styles(options.tunes, options.style).items():
        report[name] = measure(members, options.files, options.size)
    if options.json:
        print(json.dumps(report, indent=2))
        return
    for name, found in report.items():
        print(
            f"\n{name}: {found['files']} files, {found['heldout_files']} held out, "
            f"{found['seconds']:.0f} s"
        )
        print(f"{'':18} adapted   base  ceiling")
        for feature, row in found["overlap"].items():
            print(f"{feature:18} {row['adapted']:7.3f} {row['base']:6.3f} {row['ceiling']:8.3f}")


def styles(tunes: str | None, style: str) -> dict[str, list[tuple[Path, str]]]:
    """Members of zips, by the style that they are of."""
    if tunes:
        path = Path(tunes)
        with zipfile.ZipFile(path) as archive:
            names = [one for one in archive.namelist() if style in one and one.endswith(".mid")]
        return {style or path.stem: [(path, name) for name in names]}
    path = find_bundled(BUNDLED)
    with zipfile.ZipFile(path) as archive:
        names = [one for one in archive.namelist() if one.endswith(".mid")]
    return {kind: [(path, name) for name in names if kind in name] for kind in KINDS}


def measure(members: list[tuple[Path, str]], files: int, size: int) -> dict[str, Any]:
    """Figures of one style."""
    order = np.random.default_rng(SEED).permutation(len(members)).tolist()
    members = [members[number] for number in order[:MOST]]
    with tempfile.TemporaryDirectory() as folder:
        paths = [_extracted(path, name, Path(folder)) for path, name in members]
        base = load("melody-2bar", device="cpu")
        started = time.perf_counter()
        adapted = load("melody-2bar", device="cpu")
        style = adapt(adapted, [str(one) for one in paths[:files]], _say, inner=size, seed=SEED)
        seconds = time.perf_counter() - started
        given = _windows(base.codec, paths[:files])
        real = _windows(base.codec, paths[files:])
    chosen = torch.from_numpy(np.random.default_rng(SEED).choice(len(real[0]), SAMPLES))
    metre = real[1][chosen]
    sets = {
        "adapted": (adapted.sample(SAMPLES, SEED, cond={"metre": metre}), metre),
        "base": (base.sample(SAMPLES, SEED, cond={"metre": metre}), metre),
        "ceiling": given,
    }
    overlap = {
        name: feature_overlaps(tokens, classes, *real, base.shape)
        for name, (tokens, classes) in sets.items()
    }
    rows = {feature: {name: overlap[name][feature] for name in sets} for feature in overlap["base"]}
    rows["mean"] = {name: float(np.mean(list(overlap[name].values()))) for name in sets}
    return {
        "files": len(paths[:files]),
        "heldout_files": len(paths[files:]),
        "seconds": seconds,
        "overlap": rows,
        "steps": style.facts["steps"],
        "pieces": style.facts["pieces"],
    }


def _extracted(path: Path, name: str, folder: Path) -> Path:
    target = folder / f"{len(list(folder.iterdir())):05}-{Path(name).name}"
    with zipfile.ZipFile(path) as archive:
        target.write_bytes(archive.read(name))
    return target


def _windows(codec: Any, paths: list[Path]) -> tuple[torch.Tensor, torch.Tensor]:
    assert isinstance(codec, MelodyCodec)
    tokens, metre = [], []
    for path in paths:
        try:
            raw = codec.context_pieces(codec.read(path))
        except AeplugError as error:
            _say(str(path), str(error))
            continue
        tokens.append(raw["tokens"].long())
        metre.append(raw["metre"])
    return torch.cat(tokens), torch.cat(metre)


def _say(path: str, reason: str) -> None:
    print(f"left out: {path}: {reason}")


if __name__ == "__main__":
    main()
