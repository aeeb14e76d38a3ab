"""Do whole tunes repeat themselves as real ones do?

    python benchmarks/tune_structure.py
    python benchmarks/tune_structure.py --bars 32 --tunes 200 --json

Bar-level self-similarity (``aeplug_music.melodies.structure``), for each distance between bars: of
real tunes of at least ``--bars`` bars, cut there; of as many tunes sampled by ``melody-2bar`` with
its prior over sequences, in the same metres (``aeplug sample melody-2bar --bars 64``); and of
windows that are sampled alone and laid end to end (``--prior own``). Printed is the mean absolute
difference of the profiles from the real ones' over the distances 1 to 32, and the profiles. Of the
bundled tunes' held-out splits few are as long as 64 bars: ``real`` is of those that are,
``training`` of tunes of the training split, against which sampled ones are compared as well.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
import torch

from aeplug.api import load
from aeplug.data import open_dataset
from aeplug.inference import sample_documents
from aeplug.interfaces import Sampling
from aeplug.model import Model
from aeplug_music.melodies.dataset import MelodyDataset
from aeplug_music.melodies.structure import (
    MEASURES,
    Profile,
    profile_distance,
    self_similarities,
)
from aeplug_music.score.metres import STEPS_PER_BAR
from aeplug_music.score.tokens import Tokens

SEED = 0
#: Distances that are shown.
SHOWN = (1, 2, 4, 6, 8, 12, 16, 24, 32)

Tunes = tuple[list[Tokens], list[str]]


def main() -> None:
    """Print two tables, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="melody-2bar")
    parser.add_argument("--bars", type=int, default=64)
    parser.add_argument("--tunes", type=int, default=60, help="sampled, and real at most")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    model = load(options.model, device="cpu")
    dataset = open_dataset(model.config)
    assert isinstance(dataset, MelodyDataset)
    held_out = [long_tunes(dataset, name, options.bars, options.tunes) for name in ("val", "test")]
    real = (held_out[0][0] + held_out[1][0], held_out[0][1] + held_out[1][1])
    training = long_tunes(dataset, "train", options.bars, options.tunes)
    metres = [training[1][number % len(training[1])] for number in range(options.tunes)]
    sets = {
        "real": real,
        "training": training,
        "sequence": sampled(model, metres, options.bars, ""),
        "end to end": sampled(model, metres, options.bars, "own"),
    }
    profiles = {
        name: self_similarities(tunes, [STEPS_PER_BAR[metre] for metre in chosen])
        for name, (tunes, chosen) in sets.items()
    }
    report = {
        "bars": options.bars,
        "tunes": {name: len(tunes) for name, (tunes, _) in sets.items()},
        "distance_to_real": _distances(profiles, "real"),
        "distance_to_training": _distances(profiles, "training"),
        "profiles": {
            name: {measure: _rounded(each[measure]) for measure in MEASURES}
            for name, each in profiles.items()
        },
    }
    if options.json:
        print(json.dumps(report, indent=2))
        return
    for whose in ("real", "training"):
        print(f"\ndistance to {whose} tunes of {options.bars} bars")
        print(f"{'':12}" + "".join(f"{measure:>12}" for measure in MEASURES))
        for name, row in report[f"distance_to_{whose}"].items():
            print(f"{name:12}" + "".join(f"{row[measure]:12.4f}" for measure in MEASURES))
    for measure in ("equal", "sounding"):
        print(f"\n{measure} bars, by distance in bars")
        print(f"{'':12}" + "".join(f"{lag:>7}" for lag in SHOWN) + "   tunes")
        for name, each in profiles.items():
            row = "".join(f"{each[measure][lag - 1]:7.3f}" for lag in SHOWN)
            print(f"{name:12}{row}{len(sets[name][0]):8}")


def long_tunes(dataset: MelodyDataset, split: str, bars: int, most: int) -> Tunes:
    """The first ``bars`` bars of a split's tunes that have as many, in one metre; some of all."""
    raw, counts = dataset.sequences(split, None)
    found: Tunes = ([], [])
    windows = -(-bars // dataset.config.bars)
    start = 0
    for count in counts.tolist():
        metre = raw["metre"][start : start + count]
        rows = raw["tokens"][start : start + windows].numpy()
        start += count
        if count >= windows and bool((metre == metre[0]).all()):
            name = dataset.config.metres[int(metre[0])]
            steps = STEPS_PER_BAR[name] * dataset.config.bars
            found[0].append(rows[:, :steps].reshape(-1)[: STEPS_PER_BAR[name] * bars])
            found[1].append(name)
    chosen = np.linspace(0, len(found[0]) - 1, min(most, len(found[0]))).round().astype(int)
    return [found[0][one] for one in chosen], [found[1][one] for one in chosen]


def sampled(model: Model, metres: list[str], bars: int, prior: str) -> Tunes:
    """Tunes in these metres."""
    names = model.shape.conditions["metre"]
    cond = {"metre": torch.tensor([names.index(metre) for metre in metres])}
    pieces = model.codec.num_pieces({"bars": bars})  # type: ignore[attr-defined]
    documents = sample_documents(
        model, len(metres), SEED, Sampling(model.spec.sampling.temperature), cond, prior, pieces
    )
    return [document.content.tokens for document in documents], metres


def _distances(profiles: dict[str, dict[str, Profile]], whose: str) -> dict[str, dict[str, float]]:
    return {
        name: {
            measure: profile_distance(each[measure], profiles[whose][measure])
            for measure in MEASURES
        }
        for name, each in profiles.items()
        if name != whose
    }


def _rounded(profile: Profile) -> list[Any]:
    return [None if np.isnan(value) else round(float(value), 4) for value in profile]


if __name__ == "__main__":
    main()
