"""Whole tunes as sequences of windows, for priors over sequences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from aeplug.data import concat_raw
from aeplug.errors import DataError, FileError
from aeplug.interfaces import DataShape, Document, RawBatch
from aeplug_music.corpus.ingest import MetreParser
from aeplug_music.melodies.augmentation import transpose
from aeplug_music.melodies.codec import MelodyCodec
from aeplug_music.midi.sources import Reader, Source, find_sources
from aeplug_music.score.melody import Melody, extract_melody

#: Transposition of tunes in semitones: lowest, and one above the highest.
LOWEST_MOVE, BEYOND_MOVE = -6, 6
_AGAIN = "whole tunes are read from their files"


def tune_windows(
    sources: Sequence[str],
    shape: DataShape,
    generator: torch.Generator | None = None,
    metre: str = "",
) -> tuple[RawBatch, Tensor]:
    """Read the melody of each file in consecutive windows.

    Args:
        sources: MIDI files, a member of a zip as ``tunes.zip!a/b.mid``.
        shape: of the windows.
        generator: transposes each tune by a random -6 to 5 semitones; None: not transposed.
        metre: of all; empty: their own.

    Returns:
        Columns ``tokens`` uint8 ``(N, T)`` and ``metre`` int64 ``(N,)``; and the number of windows
        of each tune, int64 ``(M,)``. Files without a whole window are skipped.

    Raises:
        DataError: a file no longer exists, or has changed.
    """
    codec = MelodyCodec(MelodyCodec.Config(), shape)
    rows: list[RawBatch] = []
    for name, melody in read_melodies(sources, metre):
        try:
            rows.append(codec.context_pieces(Document(melody, name)))
        except FileError:
            continue
    if not rows:
        empty = torch.zeros(0, dtype=torch.int64)
        return {"tokens": empty.new_zeros(0, shape.input[0]).byte(), "metre": empty}, empty
    counts = torch.tensor([len(windows["metre"]) for windows in rows])
    raw = concat_raw(rows)
    if generator is not None:
        moves = torch.randint(LOWEST_MOVE, BEYOND_MOVE, (len(counts),), generator=generator)
        tokens = transpose(raw["tokens"].long(), moves.repeat_interleave(counts))
        raw = {**raw, "tokens": tokens.byte()}
    return raw, counts


def read_melodies(sources: Sequence[str], metre: str = "") -> Iterator[tuple[str, Melody]]:
    """Read the melody of each file, with the file's name.

    Args:
        sources: as for :func:`tune_windows`.
        metre: likewise.

    Raises:
        DataError: a file no longer exists, or has changed.
    """
    parse = MetreParser(metre=metre)
    with Reader() as reader:
        for source in _locate(sources):
            try:
                yield str(source), extract_melody(parse(reader.read(source)))
            except (FileError, OSError) as error:
                raise DataError(f"{_AGAIN}, but {source} cannot be read: {error}") from error


def _locate(names: Sequence[str]) -> Iterator[Source]:
    """Locate sources by their names, in order."""
    archives: dict[str, dict[str, Source]] = {}
    for name in names:
        if Path(name).is_file():
            yield Source(name)
            continue
        outer = _find_archive(name)
        if outer and outer not in archives:
            archives[outer] = {str(source): source for source in find_sources([outer])[0]}
        source = archives.get(outer, {}).get(name)
        if source is None:
            raise DataError(f"{_AGAIN}, but {name} no longer exists")
        yield source


def _find_archive(name: str) -> str:
    """The zip of a member, whose path may itself contain ``!``; empty: there is none."""
    end = name.find("!")
    while end >= 0 and not Path(name[:end]).is_file():
        end = name.find("!", end + 1)
    return name[: max(end, 0)]
