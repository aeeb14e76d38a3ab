"""Windows of melody -> the passages of a tune: notes end or are tied at the edges of windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from aeplug_music.score.melody import Melody, Passage
from aeplug_music.score.metres import find_learnt
from aeplug_music.score.tokens import FIRST_ONSET, HOLD, NOTE_OFF, Tokens, sounding_token


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
