"""The drum codec: performances are read whole, split into windows, joined and written."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aeplug.config import PartConfig
from aeplug.errors import FileError
from aeplug.interfaces import DataShape, Document, RawBatch
from aeplug.runtime import say
from aeplug_music.drums.collection import parse_performance
from aeplug_music.drums.constraints import DrumConstraints, read_constraints
from aeplug_music.drums.distance import measure_distance, read_hits, stored_to_pieces
from aeplug_music.drums.kit import BAR, DRUMS, MAX_VELOCITY, METRE, OFFSETS, PITCHES, SNARE
from aeplug_music.drums.performance import Passage, Performance, cut_windows, make_passage
from aeplug_music.drums.sheet import draw_page, draw_thumbnail
from aeplug_music.drums.window_shape import (
    ALL,
    INPUT_VALUES,
    RHYTHM,
    VALUES,
    check_form,
    combination_to_bits,
    count_bars,
)
from aeplug_music.drums.writing import TICKS_PER_QUARTER, hit_ticks, to_pretty_midi
from aeplug_music.midi.reading import read_bytes, report_repairs
from aeplug_music.midi.writing import write_files
from aeplug_music.score.metres import STEPS_PER_QUARTER

#: Velocity of hits of models without velocities.
VELOCITY = 100
#: Length of a hit that is played in a web page, seconds.
_HIT_SECONDS = 0.1


class DrumCodec:
    """MIDI files and written patterns for models of windows of N bars of drums.

    A document's content is a :class:`aeplug_music.drums.performance.Performance`. Passages that
    are not in 4/4 are not pieces; joining leaves them unchanged.
    """

    def __init__(self, config: PartConfig, shape: DataShape) -> None:
        self.bars = count_bars(shape)
        self.width = self.bars * BAR
        self._played = not shape.classes
        self._form = ALL
        self._advice = ""
        self._constraints = DrumConstraints()

    def with_options(self, options: Mapping[str, Any]) -> DrumCodec:
        """The same codec, for files of which ``options["given"]`` is to be taken.

        Of a task that takes ``given``, so that it is of use to name it where drums are missing.
        What is made keeps to ``density`` and ``only-drums``.

        Raises:
            ConfigError: no form or drum is called so.
        """
        codec = copy.copy(self)
        codec._form = check_form(options)
        takes = "given" in options
        codec._advice = "; with --given rhythm its notes are taken as taps" if takes else ""
        codec._constraints = read_constraints(options)
        return codec

    def logit_bias(self, like: Document | None) -> Tensor | None:
        """What the options allow, as a bias on combinations of hits, ``(1, 1, 512)``."""
        return self._constraints.logit_bias(None if like is None else like.content)

    def read(self, path: Path) -> Document:
        """The drums of a MIDI file or pattern, and the rhythm of all notes where there are none.

        Where other percussion and other tracks are left out, one line says so on stderr; another
        says what was damaged.

        Raises:
            FileError: it is neither, or holds no note.
        """
        if path.is_dir():
            raise FileError(f"{path} is a folder, expected a MIDI file or a pattern")
        try:
            performance, _ = parse_performance(read_bytes(path), path.suffix)
        except FileError as error:
            raise FileError(f"{path}: {error}") from error
        report_repairs(path, performance.repairs)
        self._report_omissions(path, performance)
        return Document(performance, path.stem, path)

    def _report_omissions(self, path: Path, performance: Performance) -> None:
        # Of a rhythm all percussion counts; where there is no drum at all, split says that.
        is_rhythm = self._form == RHYTHM
        if not (is_rhythm or performance.velocity.any()):
            return
        omissions = [
            f"{count} {what}{'s' * (count > 1)}{which}"
            for count, what, which in (
                (0 if is_rhythm else performance.left_out, "note", " of other percussion"),
                (performance.other_tracks, "track", " without drums"),
            )
            if count
        ]
        if omissions:
            say(f"{path}: {' and '.join(omissions)} left out")

    def split(self, document: Document) -> RawBatch:
        """``velocity`` uint8, ``offset`` int8 ``(P, T, 9)`` and ``taps`` int16 ``(P, T, 2)``.

        Windows one after another.

        Raises:
            FileError: nothing in it is in 4/4, or it has no hit there and not the rhythm is asked
                for.
        """
        performance: Performance = document.content
        windows = [
            cut_windows(passage, self.bars)
            for passage in performance.passages
            if passage.metre == METRE
        ]
        if not windows:
            others = ", ".join(dict.fromkeys(passage.metre for passage in performance.passages))
            raise FileError(
                f"{document.source or document.name} is in {others}; drums are learnt in {METRE}"
            )
        if self._form != RHYTHM and not any(velocity.any() for velocity, _, _ in windows):
            raise FileError(
                f"{document.source or document.name}: no drums: no hit of the nine classes on "
                f"channel 10{self._advice}"
            )
        names = ("velocity", "offset", "taps")
        columns = [np.concatenate(column) for column in zip(*windows, strict=True)]
        return {name: torch.from_numpy(column) for name, column in zip(names, columns, strict=True)}

    def join(self, pieces: Tensor, cond: Mapping[str, Tensor], like: Document | None) -> Document:
        """Join windows of combinations ``(P, T)`` or of values ``(P, T, 27)`` into a performance.

        Inputs of a model, ``(P, T, 31)``, are joined for display.

        With ``like`` it has that performance's length and tempo; with fewer pieces than ``like``
        has, it ends with them. Combinations get velocity 100 and no offsets.
        """
        velocity, offset = _to_stored(pieces.detach().cpu())
        velocity, offset = velocity.reshape(-1, DRUMS), offset.reshape(-1, DRUMS)
        if like is None:
            return Document(Performance((make_passage(velocity, offset),)), "sample")
        original: Performance = like.content
        passages = tuple(self._align_with(original, velocity, offset))
        return Document(Performance(passages, original.bpm), like.name)

    def _align_with(
        self,
        original: Performance,
        velocity: npt.NDArray[np.uint8],
        offset: npt.NDArray[np.int8],
    ) -> Iterator[Passage]:
        place = 0
        for passage in original.passages:
            if passage.metre != METRE:
                yield passage
                continue
            if place >= len(velocity):
                return
            end = min(place + passage.steps, len(velocity))
            yield make_passage(velocity[place:end], offset[place:end])
            place += -(-passage.steps // self.width) * self.width

    def as_pieces(self, raw: RawBatch) -> Tensor:
        """Windows of a file as combinations ``(P, T)`` or values ``(P, T, 27)``.

        Of a file taken as a rhythm its taps, as hits of the snare.
        """
        return stored_to_pieces(raw, self._form, played=self._played)

    def distance(self, pieces: Tensor, others: Tensor, cond: Mapping[str, Tensor]) -> Tensor:
        """1 - F1 of the hits; see :func:`aeplug_music.drums.distance.measure_distance`."""
        return measure_distance(pieces, others)

    def is_blank(self, pieces: Tensor, cond: Mapping[str, Tensor]) -> Tensor:
        """Windows without a hit, bool ``(P,)``."""
        return ~read_hits(pieces).flatten(1).any(1)

    def chain(self, documents: Sequence[Document], name: str) -> Document:
        """Chain performances, at the tempo of the first."""
        passages = [passage for document in documents for passage in document.content.passages]
        bpm = documents[0].content.bpm if documents else 120.0
        return Document(Performance(tuple(_merge_passages(passages)), bpm), name)

    def write(self, document: Document, stem: Path, options: Mapping[str, Any]) -> list[Path]:
        """Write ``stem.mid``, and ``stem.wav`` with the option ``wav``.

        Args:
            document: the performance.
            stem: path without suffix.
            options: ``tempo`` in quarters a minute (0 or None: the performance's own), ``wav``,
                ``soundfont``.

        Raises:
            FileError: a file cannot be written.
        """
        performance: Performance = document.content
        bpm = float(options.get("tempo") or performance.bpm)
        midi = to_pretty_midi(performance, document.name, bpm)
        return write_files(midi, stem, options, performance.steps * 60 / bpm / STEPS_PER_QUARTER)

    def sheet(self, rows: Sequence[tuple[str, Sequence[Document]]], path: Path, title: str) -> None:
        """Draw labelled rows of performances as drum grids into one PNG."""
        draw_page(
            [
                (label, [(document.name, document.content) for document in documents])
                for label, documents in rows
            ],
            path,
            title,
        )

    def thumbnail(self, document: Document) -> npt.NDArray[np.uint8]:
        """The first window as a small grid, uint8 ``(h, w, 3)``."""
        return draw_thumbnail(document.content, self.width)

    def playable(self, document: Document) -> list[tuple[float, float, int]]:
        """Hits of the performance: onset and duration, seconds at its own tempo, and MIDI pitch."""
        performance: Performance = document.content
        seconds = 60 / performance.bpm / TICKS_PER_QUARTER
        ticks, drums, _ = hit_ticks(performance)
        return [
            (tick * seconds, _HIT_SECONDS, PITCHES[drum][0])
            for tick, drum in zip(ticks, drums, strict=True)
        ]


def _to_stored(pieces: Tensor) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int8]]:
    """Output of a model -> velocity uint8 and offset int8, each ``(P, T, 9)``."""
    if not pieces.is_floating_point():
        hits = combination_to_bits(pieces)
        velocity, offset = hits * VELOCITY, torch.zeros_like(hits)
    else:
        hits, velocity, offset = pieces[..., :VALUES].float().split(DRUMS, -1)
        if pieces.shape[-1] == INPUT_VALUES:
            # Inputs of a model, to be drawn: hits without velocity, or taps, shown as snare.
            velocity = torch.where((hits > 0) & (velocity == 0), VELOCITY / MAX_VELOCITY, velocity)
            taps = pieces[..., VALUES : VALUES + 3].float()
            for values, tap in zip((hits, velocity, offset), taps.unbind(-1), strict=True):
                values[..., SNARE] = torch.where(taps[..., 0] > 0, tap, values[..., SNARE])
        velocity = (velocity * MAX_VELOCITY).round().clamp(1, MAX_VELOCITY) * (hits > 0.5)
        offset = (offset * OFFSETS).round().clamp(-OFFSETS // 2, OFFSETS // 2 - 1) * (hits > 0.5)
    return velocity.to(torch.uint8).numpy(), offset.to(torch.int8).numpy()


def _merge_passages(passages: Sequence[Passage]) -> Iterator[Passage]:
    """Merge neighbours in the same metre into a passage."""
    run: list[Passage] = []
    for place, passage in enumerate(passages):
        run.append(passage)
        if place + 1 == len(passages) or passages[place + 1].metre != passage.metre:
            yield Passage(
                passage.metre,
                *(
                    np.concatenate([getattr(member, name) for member in run])
                    for name in ("velocity", "offset", "taps")
                ),
            )
            run = []
