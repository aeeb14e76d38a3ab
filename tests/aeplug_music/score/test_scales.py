"""Names of keys, scales and pitches, as musicians write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aeplug.errors import ConfigError
from aeplug_music.score.scales import (
    SCALES,
    Key,
    check_scale,
    parse_key,
    parse_pitch,
    signature_key,
)


@pytest.mark.parametrize(
    ("text", "tonic", "minor"),
    [
        ("G", 7, False),
        ("g", 7, False),
        ("Bb", 10, False),
        ("F#m", 6, True),
        ("D minor", 2, True),
        ("Cbmaj", 11, False),
        ("B#", 0, False),
        ("b", 11, False),
    ],
)
def test_keys_by_name(text, tonic, minor):
    assert parse_key(text) == Key(tonic, minor)


@pytest.mark.parametrize("text", ["H", "", "G7", "Gmm", "D dorian", "auto"])
def test_what_is_no_key_is_one_line(text):
    with pytest.raises(ConfigError, match="expected auto, none or a key such as G, Bb, F#m or Dm"):
        parse_key(text)


@given(st.integers(0, 11), st.booleans())
def test_the_name_of_a_key_reads_as_the_key(tonic, minor):
    assert parse_key(str(Key(tonic, minor))) == Key(tonic, minor)


@given(st.integers(-7, 7))
def test_a_signature_is_a_major_key_or_its_relative_minor_of_the_same_notes(sharps):
    major, minor = signature_key(sharps, False), signature_key(sharps, True)
    assert major.pitch_classes() == minor.pitch_classes()
    assert (major.tonic - minor.tonic) % 12 == 3


def test_signatures():
    assert str(signature_key(1, False)) == "G"
    assert str(signature_key(-1, True)) == "Dm"


def test_scales_are_on_the_tonic():
    assert Key(2).pitch_classes("dorian") == Key(0).pitch_classes()
    assert Key(9, True).pitch_classes("pentatonic") == Key(0).pitch_classes("pentatonic")
    assert len(Key(5).pitch_classes("chromatic")) == 12
    with pytest.raises(ConfigError, match="Did you mean 'dorian'"):
        check_scale("dorien")
    assert all(steps[0] == 0 for steps in SCALES.values())


@given(st.integers(0, 127))
def test_a_pitch_is_its_number(pitch):
    assert parse_pitch(str(pitch), "low") == pitch


def test_a_pitch_by_name():
    assert [parse_pitch(name, "low") for name in ("C4", "A0", "bb3", "G9", "C-1")] == [
        *(60, 21, 58, 127, 0)
    ]
    for text in ("H4", "128", "-1", "C", "", "60.5", "²"):
        with pytest.raises(ConfigError, match="--high"):
            parse_pitch(text, "high")
