"""The MIDI codec: tunes are read whole, split into windows, joined and written."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aeplug.config import PartConfig, setting
from aeplug.errors import ConfigError, FileError
from aeplug.interfaces import DataShape, Document, RawBatch
from aeplug_music.melodies.candidates import CandidateWindows
from aeplug_music.melodies.constraints import MelodyConstraints, read_constraints
from aeplug_music.melodies.joining import align_windows, continues_in, end_note, join_windows
from aeplug_music.melodies.reading import MelodyReader
from aeplug_music.melodies.rewriting import rewrite_file
from aeplug_music.melodies.view import View, choose_view
from aeplug_music.midi.writing import to_pretty_midi, write_edited, write_files
from aeplug_music.plots.pianoroll import draw_page, draw_thumbnail
from aeplug_music.score.distance import has_no_onset, measure_distance
from aeplug_music.score.melody import Melody, Passage
from aeplug_music.score.metres import (
    METRES,
    find_learnt,
    longest_bar,
    window_lengths,
)
from aeplug_music.score.options import count_windows
from aeplug_music.score.tokens import (
    HOLD,
    Steps,
    Tokens,
    canonicalise,
    sounding_token,
    split_windows,
    tokens_to_notes,
)


class MelodyCodec(CandidateWindows):
    """Files of music for models of windows of N bars.

    A document's content is a :class:`aeplug_music.score.melody.Melody`. Passages in a metre that
    the model has not learnt are not pieces; joining leaves them unchanged.
    """

    class Config(PartConfig):
        """What models know: the register of 999 of 1,000 notes of the bundled tunes, held notes.

        Other melodies are brought to it before a model sees them, and back.
        """

        lowest: int = setting(55, "lowest pitch that models know", unit="MIDI number", ge=21, le=60)
        highest: int = setting(
            86, "highest pitch that models know", unit="MIDI number", ge=72, le=108
        )
        short: float = setting(
            0.5,
            "share of the time to the next note up to which notes are short: a melody of such is "
            "seen with notes at full length",
            ge=0,
            le=1,
        )

    def __init__(self, config: Config, shape: DataShape) -> None:
        self._known = (config.lowest, config.highest, config.short)
        self.metres: tuple[str, ...] = tuple(shape.conditions.get("metre", METRES))
        self.width = shape.target[0]
        self.bars = self.width // longest_bar(self.metres)
        self._lengths = window_lengths(self.metres, self.bars)
        self._by_metre = dict(zip(self.metres, self._lengths, strict=True))
        self._reader = MelodyReader()
        self._constraints = MelodyConstraints()

    def with_options(self, options: Mapping[str, Any]) -> MelodyCodec:
        """A copy that reads files as options say.

        Args:
            options: ``tune`` of books, ``track``, ``metre``; ``bpm`` of recordings.

        What it makes is under the constraints that options name.

        Raises:
            ConfigError: melodies are not modelled in this metre, or at this tempo, or there is no
                such key, scale or range (:mod:`aeplug_music.melodies.constraints`).
        """
        codec = copy.copy(self)
        codec._reader = MelodyReader.of(options)
        codec._constraints = read_constraints(options)
        return codec

    def logit_bias(self, like: Document | None) -> Tensor | None:
        """What the options allow, and by default the key of ``like``: ``(1, 1, classes)``."""
        if like is None:
            return self._constraints.logit_bias(None)
        bias = self._constraints.logit_bias(like.content)
        return bias if bias is None else bias[..., self._view(like.content).as_it_is]

    def read(self, path: Path) -> Document:
        """Read the melody of MIDI, a recording, or with the extra ``scores`` ABC or MusicXML.

        See :class:`aeplug_music.melodies.reading.MelodyReader`.

        Raises:
            FileError: it cannot be read, or has no melody or no such track.
        """
        return self._reader.read(path)

    def split(self, document: Document) -> RawBatch:
        """Consecutive windows: ``tokens`` uint8 ``(P, T)`` and ``metre`` int64 ``(P,)``.

        Raises:
            FileError: no passage is in a metre that the model has learnt.
        """
        melody: Melody = document.content
        rows: list[Tokens] = []
        metres: list[int] = []
        for each in (melody, *melody.others):
            before = HOLD
            for passage in self._view(each).show(each).passages:
                if metre := find_learnt(passage.metre, self.metres):
                    number = self.metres.index(metre)
                    windows = split_windows(passage.tokens, self._lengths[number], before)
                    rows.append(np.pad(windows, ((0, 0), (0, self.width - windows.shape[1]))))
                    metres += [number] * len(windows)
                before = sounding_token(passage.tokens, before)
        if not rows:
            raise self._metre_error(document)
        return {
            "tokens": torch.from_numpy(np.concatenate(rows)),
            "metre": torch.tensor(metres, dtype=torch.int64),
        }

    def _view(self, melody: Melody) -> View:
        return choose_view(melody, *self._known)

    def _metre_error(self, document: Document) -> FileError:
        others = ", ".join(
            dict.fromkeys(passage.signature for passage in document.content.passages)
        )
        return FileError(
            f"{document.source or document.name} is in {others}; the model has learnt "
            f"{', '.join(self.metres)}"
        )

    def context_pieces(self, document: Document) -> RawBatch:
        """As :meth:`split`, but only whole windows, aligned to the end of each passage.

        Bars that do not fill a window are dropped at the beginning, which is mostly an upbeat. If
        there is no whole window, the last passage is padded with rests in front, so that its notes
        stay next to what follows.

        Raises:
            FileError: no passage is in a metre that the model has learnt.
        """
        if document.content.others:
            raise FileError(
                f"{document.source or document.name}: one melody goes on; name its track"
            )
        rows, metres = [], []
        before = HOLD
        short: tuple[str, Tokens] | None = None
        melody: Melody = document.content
        for passage in self._view(melody).show(melody).passages:
            learnt = find_learnt(passage.metre, self.metres)
            length = self._by_metre.get(learnt, 0)
            first = len(passage.tokens) % length if length else 0
            if length and len(passage.tokens) >= length:
                lead, tokens = passage.tokens[:first], passage.tokens[first:]
                windows = split_windows(tokens, length, sounding_token(lead, before))
                rows.append(np.pad(windows, ((0, 0), (0, self.width - windows.shape[1]))))
                metres += [self.metres.index(learnt)] * len(windows)
            elif length and len(passage.tokens):
                bars = -(-len(passage.tokens) // passage.bar)
                short = learnt, split_windows(passage.tokens, bars * passage.bar, before)[0]
            before = sounding_token(passage.tokens, before)
        if not rows and short is not None:
            metre, tokens = short
            length = self._by_metre[metre]
            row = np.pad(tokens, (length - len(tokens), self.width - length))
            rows, metres = [canonicalise(row[None])], [self.metres.index(metre)]
        if not rows:
            raise self._metre_error(document)
        return {
            "tokens": torch.from_numpy(np.concatenate(rows)),
            "metre": torch.tensor(metres, dtype=torch.int64),
        }

    def append_pieces(
        self, document: Document, pieces: Tensor, cond: Mapping[str, Tensor]
    ) -> Document:
        """Append windows ``(P, T)`` after the last bar of the tune, at its tempo."""
        original: Melody = document.content
        added = self._view(original).undo(self.join(pieces, cond, None).content)
        # Behind triplets they go on, in the metre in which models take them.
        last = original.passages[-1]
        if last.written:
            learnt = find_learnt(last.metre, self.metres)
            added = replace(
                added,
                passages=tuple(
                    replace(last, tokens=one.tokens) if one.metre == learnt else one
                    for one in added.passages
                ),
            )
        chained = self.chain([document, Document(added, "")], document.name)
        origin = original.origin if document.source is not None else None
        melody = replace(chained.content, continued_at=original.steps, origin=origin)
        return Document(melody, document.name)

    def num_pieces(self, options: Mapping[str, Any]) -> int:
        """Number of windows in the option ``bars``; 0 without it.

        Raises:
            ConfigError: the bars are not whole windows.
        """
        return count_windows(options, self.bars)

    def join(self, pieces: Tensor, cond: Mapping[str, Tensor], like: Document | None) -> Document:
        """Join windows ``(P, T)`` and their ``metre`` ``(P,)`` into a tune.

        Sampled ones are tied over the edges of windows as they are over the bar lines within. With
        ``like`` it has that tune's length and tempo, and a note that the tune ties over the
        edge of two windows is tied if the windows agree on its pitch. With fewer pieces than
        ``like`` has, the tune ends with them.
        """
        rows = pieces.detach().to("cpu", torch.uint8).numpy()
        metres = [int(number) for number in cond["metre"]] if "metre" in cond else [0] * len(rows)
        lengths = np.array([self._lengths[number] for number in metres], np.int64)
        rows = canonicalise(rows, lengths)
        windows = [row[:length] for row, length in zip(rows, lengths.tolist(), strict=True)]
        names = [self.metres[number] for number in metres]
        if like is None:
            passages = join_windows(windows, names, self._by_metre, self.bars)
            return Document(Melody(passages), "sample")
        original: Melody = like.content
        if original.others and like.source is None:
            raise ConfigError("--track all: the way is from one melody to another; name a track")
        melodies, place = [], 0
        for melody in (original, *original.others):
            count = sum(
                -(-len(passage.tokens) // self._by_metre[metre])
                for passage in melody.passages
                if (metre := find_learnt(passage.metre, self.metres))
            )
            # Where the metre was changed there may be more of them than windows before.
            end = len(windows) if not original.others else place + count
            view = self._view(melody)
            seen = view.show(melody)
            passages = tuple(
                align_windows(seen, windows[place:end], names[place:end], self._by_metre)
            )
            # In another metre than its file a melody stands alone: nothing in the file fits it.
            is_aligned = all(
                one.metre == other.metre
                for one, other in zip(passages, melody.passages, strict=False)
            )
            if original.others and not is_aligned:
                raise ConfigError("--track all: all keep the metre of their file; name a track")
            origin = melody.origin if is_aligned and like.source is not None else None
            made = Melody(passages, melody.bpm, origin=origin)
            melodies.append(view.undo(made, melody if is_aligned else None))
            place = end
        return Document(replace(melodies[0], others=tuple(melodies[1:])), like.name)

    def as_pieces(self, raw: RawBatch) -> Tensor:
        """Windows of a file as tokens, int64 ``(P, T)``."""
        return raw["tokens"].long()

    def distance(self, pieces: Tensor, others: Tensor, cond: Mapping[str, Tensor]) -> Tensor:
        """1 - F1 of the notes; see :func:`aeplug_music.score.distance.measure_distance`."""
        tokens, other = (each.detach().to("cpu", torch.uint8).numpy() for each in (pieces, others))
        distance = measure_distance(tokens, other, self._lengths_of(pieces, cond))
        return torch.from_numpy(distance).to(pieces.device)

    def is_blank(self, pieces: Tensor, cond: Mapping[str, Tensor]) -> Tensor:
        """Windows without a note, bool ``(P,)``."""
        rows = pieces.detach().to("cpu", torch.uint8).numpy()
        blank = has_no_onset(rows, self._lengths_of(pieces, cond))
        return torch.from_numpy(blank).to(pieces.device)

    def _lengths_of(self, pieces: Tensor, cond: Mapping[str, Tensor]) -> Steps:
        metres = cond["metre"].tolist() if "metre" in cond else [0] * len(pieces)
        return np.array([self._lengths[number] for number in metres], np.int64)

    def chain(self, documents: Sequence[Document], name: str) -> Document:
        """Chain tunes, at the tempo of the first.

        If one ends with a whole bar and the next begins in the same metre, they share a passage.
        """
        passages: list[Passage] = []
        before = HOLD
        for document in documents:
            for number, passage in enumerate(document.content.passages):
                tokens = passage.tokens if number else end_note(passage.tokens, before)
                before = sounding_token(tokens, before)
                if not number and passages and continues_in(passages[-1], passage):
                    tokens = np.concatenate([passages.pop().tokens, tokens])
                passages.append(replace(passage, tokens=tokens))
        bpm = documents[0].content.bpm if documents else 120.0
        return Document(Melody(tuple(passages), bpm), name)

    def write(self, document: Document, stem: Path, options: Mapping[str, Any]) -> list[Path]:
        """Write ``stem.mid``, and ``stem.wav`` with the option ``wav``.

        What was made of a file is that file with other notes in the melody's track; see
        :mod:`aeplug_music.melodies.rewriting`.

        Args:
            document: the tune.
            stem: path without suffix.
            options: ``tempo`` in quarters a minute (0 or None: the tune's own), ``program``,
                ``velocity``, ``only``, ``wav``, ``soundfont``.

        Raises:
            FileError: a file cannot be written.
        """
        melody: Melody = document.content
        if melody.origin is not None:
            end = melody.origin.to_ticks(np.array([melody.steps]))
            return write_edited(rewrite_file(melody, options), stem, options, int(end[0]))
        bpm = float(options.get("tempo") or melody.bpm)
        midi = to_pretty_midi(
            melody,
            document.name,
            bpm,
            int(options.get("program") or 0),
            int(options.get("velocity") or 80),
        )
        return write_files(midi, stem, options, float(melody.times[-1]) * 60 / bpm)

    def sheet(self, rows: Sequence[tuple[str, Sequence[Document]]], path: Path, title: str) -> None:
        """Draw labelled rows of tunes as piano rolls into one PNG."""
        draw_page(
            [
                (label, [(document.name, document.content) for document in documents])
                for label, documents in rows
            ],
            path,
            title,
        )

    def thumbnail(self, document: Document) -> npt.NDArray[np.uint8]:
        """The first window as a small piano roll, uint8 ``(h, w, 3)``."""
        return draw_thumbnail(document.content, self.width)

    def playable(self, document: Document) -> list[tuple[float, float, int]]:
        """Notes of the tune: onset and duration, seconds at its own tempo, and MIDI pitch."""
        melody: Melody = document.content
        if not melody.passages:
            return []
        times = (melody.times * 60 / melody.bpm).tolist()
        onsets, ends, pitches = (values.tolist() for values in tokens_to_notes(melody.tokens))
        return [
            (times[onset], times[end] - times[onset], pitch)
            for onset, end, pitch in zip(onsets, ends, pitches, strict=True)
        ]
