"""Do variations stay in their tune's key, and samples within what the options say?

    python benchmarks/melody_constraints.py
    python benchmarks/melody_constraints.py --tunes 30 --json

``vary`` at its default, of held-out tunes of the bundled ones, with ``--key auto`` (the default)
and ``--key none``; the share of windows

* ``foreign``: with a note that is neither in the key of the tune nor among its own pitch classes;
* ``outside``: with a note that is not in the key's scale, and as many in the tune itself;
* ``another key``: whose own notes are in another key by their estimate (major keys and their
  relative minors are one), and as many in the tune itself.

Then samples of ``melody-2bar`` under each constraint: notes outside ``--key D --scale dorian``,
outside ``--low C4 --high C5``, and the notes a quarter that each ``--density`` gives.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from aeplug.api import load
from aeplug.data import open_dataset
from aeplug.inference import sample_documents, vary_document
from aeplug.interfaces import Document, Sampling
from aeplug.model import Model
from aeplug_music.melodies.constraints import find_key, measure_density
from aeplug_music.melodies.dataset import MelodyDataset
from aeplug_music.melodies.tunes import read_melodies
from aeplug_music.score.keys import estimate_key, weigh_pitch_classes
from aeplug_music.score.melody import Melody
from aeplug_music.score.metres import STEPS_PER_BAR
from aeplug_music.score.scales import Key
from aeplug_music.score.tokens import Tokens, split_windows, tokens_to_notes

SEED, SIMILARITY, SAMPLES = 0, 0.8, 200
DENSITIES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0)


def main() -> None:
    """Print the shares, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tunes", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    model = load("melody-2bar", device="cpu")
    report: dict[str, Any] = {"vary": vary_tunes(model, options.tunes), **sample_under(model)}
    if options.json:
        print(json.dumps(report, indent=2))
        return
    for name, values in report.items():
        print(name)
        for key, value in values.items():
            print(f"  {key:24}", value)


def vary_tunes(model: Model, count: int) -> dict[str, Any]:
    """Shares of windows by kind, of the tunes and of one variation of each."""
    dataset = open_dataset(model.config)
    assert isinstance(dataset, MelodyDataset)
    tunes = [
        melody
        for split in ("val", "test")
        for _, melody in read_melodies(dataset.sources(split))
        if all(passage.metre in model.shape.conditions["metre"] for passage in melody.passages)
    ]
    chosen = np.linspace(0, len(tunes) - 1, min(count, len(tunes))).round().astype(int)
    counts: dict[str, list[Any]] = {"tunes": [], "key auto": [], "key none": []}
    for number in chosen:
        tune = tunes[number]
        weights = weigh_pitch_classes(tune.tokens)
        key, own = find_key(tune, weights), set(np.flatnonzero(weights).tolist())
        counts["tunes"].append(_count_windows(tune, key, own))
        for name in ("auto", "none"):
            constrained = model.with_options({"key": name})
            varied = vary_document(
                constrained, Document(tune, "tune"), 1, SIMILARITY, SEED, Sampling(greedy=True)
            )[0]
            counts[f"key {name}"].append(_count_windows(varied.content, key, own))
    report: dict[str, Any] = {"count": len(chosen)}
    for name, rows in counts.items():
        total = np.sum(rows, 0)
        kinds = ("foreign", "outside", "another key")
        report[name] = {
            kind: round(float(value / total[3]), 4)
            for kind, value in zip(kinds, total[:3], strict=True)
        }
    return report


def sample_under(model: Model) -> dict[str, Any]:
    """What samples keep of each constraint."""
    dorian = set(Key(2).pitch_classes("dorian"))
    notes = _sample_notes(model, {"key": "D", "scale": "dorian"})
    inside = _sample_notes(model, {"low": "C4", "high": "C5"})
    return {
        "key D, scale dorian": {
            "notes outside": float(np.mean([pitch % 12 not in dorian for pitch in notes]))
        },
        "low C4, high C5": {"notes outside": float(np.mean((inside < 60) | (inside > 72)))},
        "density": {
            f"{density:g}": round(_sample_density(model, density), 2)
            for density in (None, *DENSITIES)
            if density is not None
        }
        | {"none": round(_sample_density(model, None), 2)},
    }


def _samples(model: Model, options: dict[str, Any]) -> list[Melody]:
    constrained = model.with_options(options)
    temperature = model.spec.sampling.temperature
    documents = sample_documents(constrained, SAMPLES, SEED, Sampling(temperature))
    return [document.content for document in documents]


def _sample_notes(model: Model, options: dict[str, Any]) -> np.ndarray[Any, Any]:
    melodies = _samples(model, options)
    return np.concatenate([tokens_to_notes(melody.tokens)[2] for melody in melodies])


def _sample_density(model: Model, density: float | None) -> float:
    return float(np.mean([measure_density(m) for m in _samples(model, {"density": density})]))


def _count_windows(melody: Melody, key: Key, own: set[int]) -> tuple[int, int, int, int]:
    """Windows with foreign notes, notes outside the scale, in another key; and all with notes."""
    foreign = outside = another = count = 0
    scale = key.pitch_classes()
    for window in _windows(melody):
        weights = weigh_pitch_classes(window)
        pitches = set(np.flatnonzero(weights).tolist())
        if pitches:
            count += 1
            foreign += bool(pitches - scale - own)
            outside += bool(pitches - scale)
            another += estimate_key(weights).pitch_classes() != scale
    return foreign, outside, another, count


def _windows(melody: Melody) -> list[Tokens]:
    return [
        window
        for passage in melody.passages
        for window in split_windows(passage.tokens, 2 * STEPS_PER_BAR[passage.metre])
    ]


if __name__ == "__main__":
    main()
