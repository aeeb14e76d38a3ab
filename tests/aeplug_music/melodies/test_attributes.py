"""Attributes of windows of melody, on windows counted by hand."""

from __future__ import annotations

import pytest
import torch

from aeplug.interfaces import Batch
from aeplug_music.melodies.attributes import (
    DIVISIONS,
    mean_interval,
    mean_pitch,
    note_density,
    pitch_range,
    syncopation,
)
from aeplug_music.melodies.dataset import melody_shape
from aeplug_music.score.metres import STEPS_PER_BAR

SHAPE = melody_shape(2, ("4/4", "3/4", "6/8"))


def of(measure, notes, metre="4/4", held=()):
    """A window of notes ``{step: pitch}`` and note-offs."""
    tokens = torch.zeros(1, SHAPE.target[0], dtype=torch.int64)
    for step, pitch in notes.items():
        tokens[0, step] = pitch - 19
    tokens[0, list(held)] = 1
    number = torch.tensor([SHAPE.conditions["metre"].index(metre)])
    return float(measure(Batch(tokens, tokens, {"metre": number}), SHAPE))


def test_density_is_a_quarter_whatever_the_metre():
    quarters = dict.fromkeys(range(0, 32, 4), 60)
    assert of(note_density, quarters) == 1
    assert of(note_density, dict.fromkeys(range(0, 24, 2), 60), "3/4") == 2
    assert of(note_density, {}) == 0


def test_pitches():
    notes = {0: 60, 4: 64, 8: 62}
    assert of(pitch_range, notes) == 4
    assert of(mean_pitch, notes) == 62
    assert of(mean_interval, notes) == 3
    assert of(mean_interval, notes, held=(2, 6)) == 3  # rests change nothing


@pytest.mark.parametrize(
    ("steps", "metre", "expected"),
    [
        ((0, 4, 8, 12, 16), "4/4", 0),
        ((0, 6, 8, 16), "4/4", 0),  # a dotted rhythm
        # An eighth (-3) that sounds on over the half bar (-1): two levels, over four notes.
        ((0, 6, 12, 16), "4/4", 2 / 4),
        # One over the bar line (0), and the first of the next bar left out: three levels.
        ((14, 20, 24), "4/4", (3 + 0 + 0) / 3),
        ((0, 4, 6, 10, 12), "6/8", 0),  # quarter and eighth: the metre's own
        # Quarters at odds with 6/8: the second sounds over the half bar, one level up.
        ((0, 4, 8, 12), "6/8", 1 / 4),
    ],
)
def test_syncopation(steps, metre, expected):
    assert of(syncopation, dict.fromkeys(steps, 60), metre) == pytest.approx(expected)


@pytest.mark.parametrize("measure", [pitch_range, mean_interval, syncopation, mean_pitch])
def test_a_window_without_notes_has_none(measure):
    value = of(measure, {})
    assert value != value
    assert of(note_density, {5: 60}) == pytest.approx(1 / 8)


def test_a_single_note_has_no_interval():
    value = of(mean_interval, {5: 60})
    assert value != value and of(pitch_range, {5: 60}) == 0


def test_every_metre_divides_into_its_steps():
    for metre, parts in DIVISIONS.items():
        steps = 1
        for part in parts:
            steps *= part
        assert steps == STEPS_PER_BAR[metre], metre
