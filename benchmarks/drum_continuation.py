"""How `aeplug continue drums-2bar` goes on, beside how the drummers did.

Of held-out performances of sixteen bars and more the first eight are continued by eight. Measured
are the distance of each two-bar window to the one before (1 - F1 of the hits) and hits a bar: of
the drummers, of the continuation, and of windows sampled alone. Then the continuation of a shuffle:
the share of its hits between beats that are nearer to triplets than to sixteenths.

    python benchmarks/drum_continuation.py --data GROOVE [--performances 16]

GROOVE is the folder of the Groove MIDI Dataset; without it, the bundled patterns.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import Tensor

import aeplug
from aeplug.data import find_bundled
from aeplug.interfaces import Document, Sampling
from aeplug.model import Model
from aeplug_music.drums.dataset import DrumDataset
from aeplug_music.drums.distance import measure_distance
from aeplug_music.drums.kit import BAR, DRUMS, OFFSETS
from aeplug_music.drums.performance import Performance, make_passage
from aeplug_music.drums.window_shape import bits_to_combination
from aeplug_priors.sequence.continuation import continue_documents

#: Windows that are heard, and windows that are added.
HEARD, ADDED = 4, 4


def to_pieces(velocity: np.ndarray) -> Tensor:
    """Velocities ``(S, 9)`` -> combinations ``(P, 2 bars)``."""
    return bits_to_combination(torch.tensor(velocity > 0).float()).view(-1, 2 * BAR)


def continued(model: Model, document: Document, pieces: int, seed: int) -> Performance:
    sampling = Sampling(model.spec.sampling.temperature)
    (result,) = continue_documents(model, document, 1, pieces, seed, sampling)
    content: Performance = result.content
    return content


def measure_continuations(model: Model, data: str, count: int) -> None:
    dataset = DrumDataset.with_shape(DrumDataset.Config(path=data), model.shape)
    raw, counts = dataset.sequences("test", None)
    columns = zip(
        *(raw[name].split(counts.tolist()) for name in ("velocity", "offset")), strict=True
    )
    long = [pair for pair in columns if len(pair[0]) >= HEARD + ADDED][:count]
    distances: dict[str, list[float]] = {"the drummers": [], "continued": [], "sampled alone": []}
    hits: dict[str, list[float]] = {name: [] for name in distances}
    for seed, (velocity, offset) in enumerate(long):
        played = velocity[: HEARD + ADDED].reshape(-1, DRUMS).numpy()
        heard = HEARD * 2 * BAR
        begin = make_passage(played[:heard], offset[:HEARD].reshape(-1, DRUMS).numpy())
        made = continued(model, Document(Performance((begin,)), "x"), ADDED, seed)
        alone = torch.cat([to_pieces(played)[:HEARD], model.sample(ADDED, seed=seed)])
        for name, pieces in (
            ("the drummers", to_pieces(played)),
            ("continued", to_pieces(made.velocity)),
            ("sampled alone", alone),
        ):
            apart = measure_distance(pieces[HEARD:], pieces[HEARD - 1 : -1])
            distances[name].append(float(apart.mean()))
            struck = (pieces[HEARD:, :, None] >> torch.arange(DRUMS)) & 1
            hits[name].append(float(struck.sum()) / (2 * ADDED))
    print(f"{len(long)} performances    distance to the window before    hits a bar")
    for name, values in distances.items():
        print(f"{name:16} {np.mean(values):24.3f} {np.mean(hits[name]):26.1f}")


def measure_triplets(model: Model) -> None:
    document = model.codec.read(find_bundled("patterns") / "jazz-shuffle.drums")
    heard = document.content.steps
    made = continued(model, document, 2 * ADDED, 0)
    step, drum = np.nonzero(made.velocity[heard:])
    phase = (step + made.offset[heard:][step, drum] / OFFSETS) / 4 % 1
    straight, triplet = (
        np.abs(phase[:, None] - np.arange(1, parts) / parts).min(1) for parts in (4, 3)
    )
    between = np.minimum(phase, 1 - phase) > np.minimum(straight, triplet)
    print(f"continued shuffle: on triplets {np.mean((triplet < straight)[between]):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="", help="folder of the Groove MIDI Dataset")
    parser.add_argument("--performances", type=int, default=16)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = aeplug.load("drums-2bar", device="cpu")
    measure_continuations(model, arguments.data, arguments.performances)
    measure_triplets(model)


if __name__ == "__main__":
    main()
