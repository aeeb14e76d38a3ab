"""Do tunes end, move and repeat themselves as real ones do?

    python benchmarks/tune_form.py
    python benchmarks/tune_form.py --tunes 30 --json

Of real held-out tunes and of what models make, the same way:

* ``tonic``: tunes whose last note is their tonic, estimated of the whole tune from how long each
  pitch class sounds (Krumhansl and Kessler's profiles).
* ``leaps``: edges of two-bar windows over which the melody moves by more than nine semitones.
* ``held``: such edges over which a note is held, and ``struck again``, where the same pitch begins.
* ``blocks``: different blocks of eight bars among the first four, and where there are as many among
  the first eight: number -> share of tunes.

Made are whole tunes of 64 and of 32 bars (``aeplug sample melody-2bar --bars 64``), the first eight
bars of real tunes with sixteen more (``aeplug continue --bars 16``), and samples of
``melody-16bar``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from aeplug.api import load
from aeplug.data import open_dataset
from aeplug.inference import sample_documents
from aeplug.interfaces import Document, Sampling
from aeplug.model import Model
from aeplug_music.melodies.dataset import MelodyDataset
from aeplug_music.melodies.tunes import read_melodies
from aeplug_music.score.keys import estimate_key, weigh_pitch_classes
from aeplug_music.score.melody import Melody, Passage
from aeplug_music.score.tokens import FIRST_ONSET, HOLD, Tokens, fill_holds, tokens_to_notes
from aeplug_priors.sequence.continuation import continue_documents

SEED = 0
#: Bars of a window and of a block, and of real tunes that are continued.
WINDOW, BLOCK, BEGUN = 2, 8, 8
#: Windows that are added to those.
ADDED = 8
#: Semitones, above which a move over an edge is a leap.
LEAP = 9


def main() -> None:
    """Print a table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tunes", type=int, default=60, help="of each kind that is made")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    model = load("melody-2bar", device="cpu")
    real = read_real(model)
    report: dict[str, Any] = {"real": describe(real)}
    for name, make in (
        ("64 bars", lambda: sample_whole(model, options.tunes, 32)),
        ("32 bars", lambda: sample_whole(model, options.tunes, 16)),
        ("continued", lambda: continue_real(model, real, options.tunes)),
        ("16 bars", lambda: sample_whole(load("melody-16bar", device="cpu"), 2 * options.tunes, 1)),
    ):
        begun = time.process_time()
        made = make()
        seconds = time.process_time() - begun
        report[name] = describe(made) | {"seconds a tune": round(seconds / len(made), 2)}
    if options.json:
        print(json.dumps(report, indent=2))
        return
    for name, figures in report.items():
        print(name)
        for key, value in figures.items():
            print(f"  {key:16}", value)


def read_real(model: Model) -> list[Melody]:
    """Held-out tunes, in metres that the model knows, each the longest passage of its file."""
    dataset = open_dataset(model.config)
    assert isinstance(dataset, MelodyDataset)
    tunes = []
    for split in ("val", "test"):
        for _, melody in read_melodies(dataset.sources(split)):
            passage = max(melody.passages, key=lambda passage: len(passage.tokens))
            known = passage.metre in model.shape.conditions["metre"]
            if known and len(passage.tokens) >= BEGUN * passage.bar:
                upbeat = len(passage.tokens) % (WINDOW * passage.bar)
                tunes.append(Melody((Passage(passage.metre, passage.tokens[upbeat:]),)))
    return tunes


def sample_whole(model: Model, count: int, pieces: int) -> list[Melody]:
    """Tunes of so many windows, as ``aeplug sample`` draws them."""
    sampling = Sampling(model.spec.sampling.temperature)
    documents = sample_documents(model, count, SEED, sampling, pieces=pieces)
    return [document.content for document in documents]


def continue_real(model: Model, tunes: Sequence[Melody], count: int) -> list[Melody]:
    """The first bars of real tunes, each continued once."""
    sampling, made = Sampling(model.spec.sampling.temperature), []
    chosen = np.linspace(0, len(tunes) - 1, min(count, len(tunes))).round().astype(int)
    for number in chosen.tolist():
        (passage,) = tunes[number].passages
        begun = Passage(passage.metre, passage.tokens[: BEGUN * passage.bar])
        document = Document(Melody((begun,)), "begun")
        # Each with draws of its own: with the same ones they would not be independent.
        made += continue_documents(model, document, 1, ADDED, SEED + number, sampling)
    return [document.content for document in made]


def describe(tunes: Sequence[Melody]) -> dict[str, Any]:
    """The figures of tunes."""
    ends, edges = [], Counter[str]()
    blocks: dict[int, Counter[int]] = {4: Counter(), 8: Counter()}
    for tune in tunes:
        tokens, bar = tune.tokens, tune.passages[0].bar
        pitches = tokens_to_notes(tokens)[2]
        if len(pitches):
            ends.append(pitches[-1] % 12 == estimate_key(weigh_pitch_classes(tokens)).tonic)
        edges += _count_edges(tokens, WINDOW * bar)
        for number, counter in blocks.items():
            if len(tokens) >= number * BLOCK * bar:
                counter[_count_blocks(tokens, BLOCK * bar, number)] += 1
    return {
        "tunes": len(tunes),
        "tonic": round(float(np.mean(ends)), 3),
        **{
            name: round(float(edges[name] / edges["all"]), 3)
            for name in ("leaps", "held", "struck again")
        },
        **{
            f"blocks of {number}": {
                count: round(tunes_with / counter.total(), 2)
                for count, tunes_with in sorted(counter.items())
            }
            for number, counter in blocks.items()
            if counter
        },
    }


def _count_edges(tokens: Tokens, length: int) -> Counter[str]:
    edges, sounding = Counter[str](), fill_holds(tokens)
    for edge in range(length, len(tokens), length):
        before, after = (part[part >= FIRST_ONSET] for part in (tokens[:edge], tokens[edge:]))
        if not len(before) or not len(after):
            continue
        is_held = tokens[edge] == HOLD and sounding[edge] >= FIRST_ONSET
        following = sounding[edge] if is_held else after[0]
        edges["all"] += 1
        edges["held"] += is_held
        edges["struck again"] += tokens[edge] == sounding[edge - 1] >= FIRST_ONSET
        edges["leaps"] += abs(int(following) - int(before[-1])) > LEAP
    return edges


def _count_blocks(tokens: Tokens, length: int, number: int) -> int:
    blocks = {tokens[place * length : (place + 1) * length].tobytes() for place in range(number)}
    return len(blocks)


if __name__ == "__main__":
    main()
