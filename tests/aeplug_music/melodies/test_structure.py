"""Bar-level self-similarity: what counts as alike, lags, silence, and the distance of profiles."""

from __future__ import annotations

import numpy as np
import pytest

from aeplug_music.melodies.structure import (
    LAGS,
    profile_distance,
    self_similarities,
)
from aeplug_music.score.tokens import NOTE_OFF, PITCH_OFFSET


def bar(*pitches: int) -> list[int]:
    """Four quarters in 4/4."""
    return [token for pitch in pitches for token in (pitch - PITCH_OFFSET, 0, 0, 0)]


A, B = bar(60, 62, 64, 65), bar(67, 65, 64, 60)


def equal_bars(tunes, bar, lengths=None, lags=LAGS):
    """Share of equal bars at each lag."""
    return self_similarities(tunes, bar, lengths, lags)["equal"]


def test_sections_that_return_show_at_their_lag():
    profile = equal_bars(np.array([A + B + A + B]), 16, lags=4)
    assert profile[:3].tolist() == [0, 1, 0]
    assert np.isnan(profile[3]), "no pair is so far apart"
    assert len(equal_bars(np.array([A + B]), 16)) == LAGS


def test_measures_from_strict_to_loose():
    up = bar(67, 69, 71, 72)
    quicker = bar(60, 62, 64, 65)
    quicker[2] = 64 - PITCH_OFFSET
    found = {
        name: profile.tolist()
        for name, profile in self_similarities(np.array([A + up]), 16, lags=1).items()
    }
    assert found == {"equal": [0], "transposed": [1], "rhythm": [1], "sounding": [0]}
    slight = self_similarities(np.array([A + quicker]), 16, lags=1)
    assert slight["rhythm"][0] == slight["equal"][0] == 0
    assert slight["sounding"][0] == 14 / 16


def test_a_note_held_over_a_bar_line_begins_in_the_bar():
    held = bar(60, 62, 64, 65)
    held[0] = 0
    tied = bar(65, 62, 64, 60) + held  # 60 sounds on
    assert equal_bars(np.array([tied + A]), 16, lags=2)[1] == 0
    assert equal_bars(np.array([A + tied]), 16, lags=2)[1] == 1


def test_silent_bars_are_no_repetition():
    rest = [NOTE_OFF] + [0] * 15
    profile = equal_bars(np.array([A + rest + rest + A]), 16, lags=3)
    assert profile.tolist() == [0, 0, 1]


def test_tunes_count_alike_whatever_their_lengths_and_metres():
    waltz = bar(60, 62, 64) * 9
    rows = [np.array(A + B), np.array(waltz, np.uint8)]
    assert equal_bars(rows, [16, 12], lags=1)[0] == pytest.approx(0.5)
    padded = np.zeros((2, 9 * 12), np.int64)
    padded[0, :32], padded[1] = A + B, waltz
    by_length = equal_bars(padded, [16, 12], [32, 108], lags=1)
    assert by_length[0] == pytest.approx(0.5)


def test_distance_is_over_the_lags_that_both_have():
    a, b = np.array([0.5, np.nan, 0.2]), np.array([0.1, 0.3, 0.2, 0.9])
    assert profile_distance(a, b) == pytest.approx(0.2)
    assert profile_distance(a, a) == 0
    assert np.isnan(profile_distance(np.array([np.nan]), b))
