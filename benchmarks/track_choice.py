"""How often the melody's track is chosen rightly, with the names of the tracks hidden.

Takes the files of which some tracks are named as the melody and others are not: MIDI files, and
with the extra `scores` songs as MusicXML, in which the voice is the melody and the piano is not.

    python benchmarks/track_choice.py FOLDER...
    python benchmarks/track_choice.py game-music lieder --every 7 --list
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Iterator
from pathlib import Path

from aeplug.errors import FileError
from aeplug_music.midi.notation import read_score
from aeplug_music.midi.reading import read_midi
from aeplug_music.midi.suffixes import MIDI_SUFFIXES, NOTATION_SUFFIXES
from aeplug_music.score.track_choice import choose_tracks, rank_name
from aeplug_music.score.tune import Tune

#: Parts of songs that are no voice.
INSTRUMENT = re.compile(
    "piano|klav|organ|harp|cello|viol|horn|clar|guitar|flute|flöt|keyb|cemb", re.IGNORECASE
)


def labelled_tracks(tune: Tune, is_score: bool) -> set[int]:
    """Numbers of the tracks that the file itself calls its melody."""
    voices = [number for number, track in enumerate(tune.tracks) if not track.is_drum]
    names = {number: tune.tracks[number].name for number in voices}
    if is_score:
        named = {number for number, name in names.items() if not INSTRUMENT.search(name)}
    else:
        named = {number for number, name in names.items() if rank_name(name)}
    return named if 0 < len(named) < len(voices) else set()


def read_tunes(folder: Path, every: int) -> Iterator[tuple[Path, Tune, bool]]:
    """Every n-th file of a folder that can be read."""
    suffixes = (*MIDI_SUFFIXES, *NOTATION_SUFFIXES)
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes)
    for path in paths[::every]:
        is_score = path.suffix.lower() in NOTATION_SUFFIXES
        try:
            yield path, (read_score if is_score else read_midi)(path), is_score
        except FileError as error:
            print(f"left out: {path.name}: {error}")


def main() -> None:
    """Print the accuracy in each folder and in all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every n-th file")
    parser.add_argument("--list", action="store_true", help="list the wrong ones")
    arguments = parser.parse_args()
    right, chance, total = 0, 0.0, 0
    for folder in arguments.folders:
        results = []
        for path, tune, is_score in read_tunes(folder, arguments.every):
            named = labelled_tracks(tune, is_score)
            if not named:
                continue
            # The order of the tracks says nothing either.
            order = random.Random(path.name).sample(range(len(tune.tracks)), len(tune.tracks))
            tracks = [tune.tracks[number] for number in order]
            shuffled = Tune(tune.ticks_per_quarter, tracks, tune.time_signatures, end=tune.end)
            (choice,) = choose_tracks(shuffled, by_name=False).numbers
            results.append(order[choice] in named)
            chance += len(named) / sum(not track.is_drum for track in tune.tracks)
            if arguments.list and not results[-1]:
                names = ", ".join(repr(tune.tracks[number].name) for number in sorted(named))
                print(f"{path.name}: took {tune.tracks[order[choice]].name!r}, not {names}")
        if results:
            print(f"{folder}: {sum(results)} of {len(results)}, {sum(results) / len(results):.3f}")
        right, total = right + sum(results), total + len(results)
    if total:
        print(f"all: {right} of {total}, {right / total:.3f}; by chance {chance / total:.3f}")


if __name__ == "__main__":
    main()
