"""Windows of melody -> the passages of a tune: notes end or are tied at the edges of windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from aeplug_music.score.melody import Melody, Passage
from aeplug_music.score.metres import find_learnt
from aeplug_music.score.tokens import (
    FIRST_ONSET,
    HOLD,
    NOTE_OFF,
    Tokens,
    fill_holds,
    sounding_token,
)

#: Notes held and struck again at bar lines, as in real tunes, that count beside a tune's own; and
#: how many times more often than struck they must be held, fitted to real tunes.
_HELD = (0.74, 1.26)
_CAUTION = 1.2


def align_windows(
    original: Melody, windows: list[Tokens], names: list[str], lengths: Mapping[str, int]
) -> Iterator[Passage]:
    """Join windows into the passages of the tune that they were cut from.

    Args:
        original: the tune.
        windows: what a model made of its windows, uint8 ``(S,)`` each.
        names: metre of each.
        lengths: steps of a window by metre; passages in other metres stay.
    """
    place = 0
    # Tokens that sound across the edge of two passages, in the result and in the original.
    sounds, original_sounds = HOLD, HOLD
    for passage in original.passages:
        tokens = passage.tokens
        metre = find_learnt(passage.metre, tuple(lengths))
        if metre:
            if place >= len(windows):
                return
            length = lengths[metre]
            end = place + -(-len(tokens) // length)
            if any(name != metre for name in names[place:end]):
                # Generated in another metre: there is nothing to align with.
                yield from to_passages(windows[place:], names[place:], sounds)
                return
            tokens = np.concatenate(windows[place:end])[: len(tokens)]
            tokens = _tie_over_edges(tokens, passage.tokens, length, sounds, original_sounds)
            place = end
        elif sounds >= FIRST_ONSET and original_sounds < FIRST_ONSET:
            tokens = end_note(tokens, sounds)
        yield replace(passage, tokens=tokens)
        sounds = sounding_token(tokens, sounds)
        original_sounds = sounding_token(passage.tokens, original_sounds)


def to_passages(
    windows: Sequence[Tokens], names: Sequence[str], before: int = HOLD
) -> Iterator[Passage]:
    """Join windows into passages, one for each run of a metre; ``before`` sounds before them."""
    run: list[Tokens] = []
    for place, window in enumerate(windows):
        run.append(end_note(window, before))
        before = sounding_token(run[-1], before)
        if place + 1 == len(windows) or names[place + 1] != names[place]:
            yield Passage(names[place], np.concatenate(run))
            run = []


def join_windows(
    windows: Sequence[Tokens], names: Sequence[str], lengths: Mapping[str, int], bars: int
) -> tuple[Passage, ...]:
    """Join windows that were sampled, in metres of these names, into the passages of a tune.

    Args:
        windows: uint8 ``(S,)`` each.
        names: metre of each.
        lengths: steps of a window by metre.
        bars: of a window.
    """
    return tuple(
        hold_over_edges(passage, lengths[passage.metre], bars)
        for passage in to_passages(windows, names)
    )


def hold_over_edges(passage: Passage, length: int, bars: int) -> Passage:
    """Hold notes that windows strike again at their edges, if the tune holds such over bar lines.

    A window begins a note that is held into it anew, so a model cannot say which it is. It can at
    the bar lines within its windows: where most of the notes that meet the same pitch there are
    held, so are those at the edges. Of real held-out tunes that was right at .76 of such edges,
    where striking all again was at .66.

    Args:
        passage: windows laid end to end.
        length: steps of a window.
        bars: of a window.
    """
    tokens = passage.tokens
    sounding = fill_holds(tokens)
    lines = np.arange(length // bars, len(tokens), length // bars)
    before = sounding[lines - 1]
    held = (tokens[lines] == HOLD) & (before >= FIRST_ONSET)
    struck = (tokens[lines] == before) & (before >= FIRST_ONSET)
    edge = lines % length == 0
    holds, strikes = ((kind & ~edge).sum() for kind in (held, struck))
    if holds + _HELD[0] < _CAUTION * (strikes + _HELD[1]):
        return passage
    tokens = tokens.copy()
    tokens[lines[struck & edge]] = HOLD
    return replace(passage, tokens=tokens)


def continues_in(passage: Passage, other: Passage) -> bool:
    """Whether bars of the other passage can follow without a time signature, on the same grid."""
    whole = passage.bar > 0 and len(passage.tokens) % passage.bar == 0
    return whole and (passage.metre, passage.written) == (other.metre, other.written)


def end_note(tokens: Tokens, before: int) -> Tokens:
    """End the note that sounds ``before`` a window that begins with a rest."""
    if len(tokens) and tokens[0] == HOLD and before >= FIRST_ONSET:
        tokens = tokens.copy()
        tokens[0] = NOTE_OFF
    return tokens


def _tie_over_edges(
    tokens: Tokens, original: Tokens, length: int, sounds: int, original_sounds: int
) -> Tokens:
    """Tie notes over the edges of windows where the original ties one.

    Args:
        tokens: of consecutive windows, ``(S,)``.
        original: of the tune, ``(S,)`` or longer.
        length: steps of a window.
        sounds: the token that sounds before the first of them.
        original_sounds: the token that sounds there in the original.
    """
    tied_tokens = tokens.copy()
    for edge in range(0, len(tied_tokens), length):
        before = sounding_token(tied_tokens[:edge], sounds)
        tied = (
            original[edge] == HOLD
            and sounding_token(original[:edge], original_sounds) >= FIRST_ONSET
        )
        if tied and before >= FIRST_ONSET and tied_tokens[edge] == before:
            tied_tokens[edge] = HOLD
        else:
            tied_tokens[edge : edge + 1] = end_note(tied_tokens[edge : edge + 1], before)
    return tied_tokens
