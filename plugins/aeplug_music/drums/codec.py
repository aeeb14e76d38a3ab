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
from aeplug_music.drums.feel import Grid, play_like
from aeplug_music.drums.kit import (
    BAR,
    COMPOUND,
    DRUMS,
    MAX_VELOCITY,
    METRE,
    OFFSETS,
    PITCHES,
    SNARE,
    Offset,
    Taps,
    Velocity,
)
from aeplug_music.drums.origin import DrumOrigin
from aeplug_music.drums.performance import Passage, Performance, cut_windows, make_passage
from aeplug_music.drums.rewriting import rewrite_file
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
from aeplug_music.midi.serialising import to_midi
from aeplug_music.midi.writing import write_edited, write_files
from aeplug_music.score.options import count_windows
from aeplug_music.score.track_choice import label_track

#: Metres that windows are in; where beats are dotted their thirds lie beside the four steps of a
#: beat, as triplets do.
_CARRIED = (METRE, *COMPOUND)
#: Velocity of hits of models without velocities.
VELOCITY = 100
#: Length of a hit that is played in a web page, seconds.
_HIT_SECONDS = 0.1


class DrumCodec:
    """MIDI files and written patterns for models of windows of N bars of drums.

    A document's content is a :class:`aeplug_music.drums.performance.Performance`. Passages in
    metres whose beats are not four or dotted are no pieces; joining leaves them unchanged.
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

        Of a file with several tracks, or with other percussion, one line says on stderr what was
        taken; another says what was damaged.

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
        if line := self._describe_choice(performance):
            say(f"{path}: {line}")
        if performance.origin is None:
            return Document(performance, path.stem, path)
        tune = performance.origin.tune
        tune.data = tune.data or to_midi(tune)
        return Document(performance, path.stem, path, size=len(tune.data))

    def _describe_choice(self, performance: Performance) -> str:
        """Which tracks are the drums, and what was not taken; empty: it is all there is."""
        origin = performance.origin
        # Where there is no drum at all, split says that.
        if origin is None or not (self._form == RHYTHM or performance.velocity.any()):
            return ""
        taken = np.unique(origin.notes.track).tolist()
        # Of a rhythm all percussion counts.
        others = [
            f"{count} {what}{'s' * (count > 1)}{which}"
            for count, what, which in (
                (0 if self._form == RHYTHM else performance.left_out, "note", " of percussion"),
                (performance.other_tracks, "track", ""),
            )
            if count
        ]
        unlearnt = [each.metre for each in performance.passages if each.metre not in _CARRIED]
        if len(unlearnt) < len(performance.passages):
            others += [f"bars in {metre}" for metre in dict.fromkeys(unlearnt)]
        if len(taken) == 1 and not others:
            return ""
        labels = ", ".join(
            label_track(origin.tune, number).removesuffix(" (drums)") for number in taken
        )
        line = f"drums: track{'s' * (len(taken) > 1)} {labels}"
        return line + (f"; others: {', '.join(others)}" if others else "")

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
            if passage.metre in _CARRIED
        ]
        self._check_content(document, bool(windows))
        return _to_columns(windows)

    def _check_content(self, document: Document, has_windows: bool) -> None:
        performance: Performance = document.content
        if not has_windows:
            others = ", ".join(dict.fromkeys(passage.metre for passage in performance.passages))
            raise FileError(
                f"{document.source or document.name} is in {others}; drums are learnt in {METRE}, "
                f"which carries {' and '.join(COMPOUND)} too"
            )
        carried = [passage for passage in performance.passages if passage.metre in _CARRIED]
        if self._form != RHYTHM and not any(passage.velocity.any() for passage in carried):
            raise FileError(
                f"{document.source or document.name}: no drums: no hit of the nine classes on "
                f"channel 10{self._advice}"
            )

    def context_pieces(self, document: Document) -> RawBatch:
        """As :meth:`split`, but only whole windows, aligned to the end of each passage.

        Bars that do not fill a window are dropped at the beginning. If there is no whole window,
        the last passage is padded with rests in front, so that its hits stay next to what follows.

        Raises:
            FileError: as :meth:`split`.
        """
        performance: Performance = document.content
        carried = [passage for passage in performance.passages if passage.metre in _CARRIED]
        self._check_content(document, bool(carried))
        whole = [
            cut_windows(passage.after(passage.steps % self.width), self.bars)
            for passage in carried
            if passage.steps >= self.width
        ]
        if not whole:
            last = carried[-1]
            whole = [cut_windows(last.after(last.steps - self.width), self.bars)]
        return _to_columns(whole)

    def append_pieces(
        self, document: Document, pieces: Tensor, cond: Mapping[str, Tensor]
    ) -> Document:
        """Append windows behind the last bar, in the metre of the last passage that gave pieces.

        They are played as what is before them (:mod:`aeplug_music.drums.feel`).
        """
        original: Performance = document.content
        metre = [each.metre for each in original.passages if each.metre in _CARRIED][-1]
        velocity, offset = _to_stored(pieces.detach().cpu())
        velocity, offset = velocity.reshape(-1, DRUMS), offset.reshape(-1, DRUMS)
        grid = Grid.of(original).extend(len(velocity))
        velocity, offset = play_like(
            velocity, offset, original, grid, original.steps, played=self._played
        )
        origin = self._origin_of(document)
        if origin is not None:
            origin = origin.extend(metre)
        added = make_passage(velocity, offset, metre)
        passages = tuple(_merge_passages([*original.passages, added]))
        result = Performance(passages, original.bpm, continued_at=original.steps, origin=origin)
        return Document(result, document.name)

    def num_pieces(self, options: Mapping[str, Any]) -> int:
        """Number of windows in the option ``bars``; 0 without it.

        Raises:
            ConfigError: the bars are not whole windows.
        """
        return count_windows(options, self.bars)

    def join(self, pieces: Tensor, cond: Mapping[str, Tensor], like: Document | None) -> Document:
        """Join windows of combinations ``(P, T)`` or of values ``(P, T, 27)`` into a performance.

        Inputs of a model, ``(P, T, 31)``, are joined for display.

        With ``like`` it has that performance's length and tempo; with fewer pieces than ``like``
        has, it ends with them. Of combinations, hits that ``like`` has too are played as there,
        others as those around them, and of both kinds new hits in triplets lie on triplets
        (:mod:`aeplug_music.drums.feel`). Without ``like`` combinations get velocity 100 and no
        offsets.
        """
        velocity, offset = _to_stored(pieces.detach().cpu())
        velocity, offset = velocity.reshape(-1, DRUMS), offset.reshape(-1, DRUMS)
        if like is None:
            return Document(Performance((make_passage(velocity, offset),)), "sample")
        original: Performance = like.content
        passages = tuple(self._align_with(original, velocity, offset))
        result = Performance(passages, original.bpm, origin=self._origin_of(like))
        return Document(result, like.name)

    def _origin_of(self, document: Document) -> DrumOrigin | None:
        performance: Performance = document.content
        # Documents without a file stand between several; taps without drums become drums alone.
        is_of_file = document.source is not None and performance.velocity.any()
        return performance.origin if is_of_file else None

    def _align_with(
        self,
        original: Performance,
        velocity: Velocity,
        offset: Offset,
    ) -> Iterator[Passage]:
        place, start = 0, 0
        grid = Grid.of(original)
        has_hits = original.velocity.any()
        for passage in original.passages:
            first, start = start, start + passage.steps
            if passage.metre not in _CARRIED:
                yield passage
                continue
            if place >= len(velocity):
                return
            end = min(place + passage.steps, len(velocity))
            loud: Velocity = velocity[place:end]
            off: Offset = offset[place:end]
            if has_hits:
                loud, off = play_like(loud, off, original, grid, first, played=self._played)
            yield make_passage(loud, off, passage.metre)
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

        What was made of a file is that file with other hits in its drum tracks; see
        :mod:`aeplug_music.drums.rewriting`.

        Args:
            document: the performance.
            stem: path without suffix.
            options: ``tempo`` in quarters a minute (0 or None: the performance's own), ``only``,
                ``wav``, ``soundfont``.

        Raises:
            FileError: a file cannot be written.
        """
        performance: Performance = document.content
        if performance.origin is not None:
            end = performance.origin.to_ticks(np.array([performance.steps]), [0])
            return write_edited(rewrite_file(performance, options), stem, options, int(end[0]))
        bpm = float(options.get("tempo") or performance.bpm)
        midi = to_pretty_midi(performance, document.name, bpm)
        return write_files(midi, stem, options, performance.quarters * 60 / bpm)

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


def _to_columns(
    windows: Sequence[tuple[Velocity, Offset, Taps]],
) -> RawBatch:
    names = ("velocity", "offset", "taps")
    columns = [np.concatenate(column) for column in zip(*windows, strict=True)]
    return {name: torch.from_numpy(column) for name, column in zip(names, columns, strict=True)}


def _to_stored(pieces: Tensor) -> tuple[Velocity, Offset]:
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
