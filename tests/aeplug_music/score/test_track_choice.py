"""Which track is the melody: by name, else by how it sounds, or the one that is wanted."""

from __future__ import annotations

import pytest
from music_files import HEAD, TUNE, Q, moved, name, notes, program, smf, track

from aeplug.errors import FileError
from aeplug_music.midi.reading import parse_midi
from aeplug_music.score.track_choice import (
    WEIGHTS,
    choose_tracks,
    describe_choice,
    rank_name,
    score_tracks,
)


def part(sequence, called="", channel=0, number=0, velocity=90):
    events = [(0, program(number, channel)), *notes(sequence, channel, velocity=velocity)]
    return track([(0, name(called)), *events] if called else events)


BASS = [(43, Q)] * 16
CHORDS = [
    *notes(TUNE, 2),
    *notes(moved(TUNE, 4), 2),
    *notes(moved(TUNE, 7), 2),
]


def tune(*parts):
    return parse_midi(smf(track(HEAD), *parts))


def choose(made, wanted="", **options):
    return choose_tracks(made, wanted, **options).numbers


class TestName:
    @pytest.mark.parametrize(
        "called",
        ["Vocal Melody", "MELODIE", "lead vocals", "Voice 1", "Gesang", "Canto", "VOZ", "melodia"],
    )
    def test_a_track_that_is_called_so_is_the_melody(self, called):
        # By all else the other one would be.
        made = tune(part(moved(TUNE, -24), called, number=33), part(TUNE, "Flute", 1, 73))
        assert choose(made) == (0,)
        assert choose(made, by_name=False) == (1,)

    @pytest.mark.parametrize(
        "called",
        [
            "Sawtooth Lead",
            "Lead 2 (sawtooth)",
            "Backing Vocals",
            "Voice Oohs",
            "Harmony",
            "Bass",
            "",
        ],
    )
    def test_names_of_sounds_and_of_second_voices_say_nothing(self, called):
        assert rank_name(called) == 0

    def test_the_clearest_name_wins(self):
        made = tune(part(TUNE, "Lead"), part(moved(TUNE, -7), "Melody", 1))
        assert choose(made) == (1,)


class TestSound:
    def test_a_bass_is_none_though_it_has_more_notes(self):
        made = tune(part([(43, Q // 2)] * 32, channel=1, number=33), part(TUNE))
        assert choose(made) == (1,)

    def test_chords_are_none(self):
        made = tune(track(CHORDS), part(moved(TUNE, -7), channel=1))
        assert choose(made) == (1,)

    def test_the_louder_of_two_alike(self):
        made = tune(part(TUNE, velocity=60), part(TUNE, channel=1, velocity=110))
        assert choose(made) == (1,)

    def test_one_alone_is_taken_whatever_it_is(self):
        assert choose(tune(track(CHORDS))) == (0,)

    def test_every_weight_counts(self):
        # A measure that no track had any of would be dead.
        assert all(WEIGHTS.values())
        made = tune(part(TUNE, number=40), part(BASS, channel=1, number=33))
        scores = score_tracks(made, [0, 1])
        assert scores[0] > scores[1] + 2


class TestWanted:
    made = property(
        lambda self: tune(
            part(TUNE, "Flute"),
            part(BASS, "Bass", 1, 33),
            part([(36, Q)] * 4, "Kit", 9),
            part(moved(TUNE, -5), "Flute 2", 3),
        )
    )

    @pytest.mark.parametrize(
        ("wanted", "number"), [("Flute", 0), ("bass", 1), ("2", 1), ("4", 3), ("e 2", 3)]
    )
    def test_by_name_part_of_one_or_number(self, wanted, number):
        assert choose(self.made, wanted) == (number,)

    def test_all_that_are_melodies(self):
        assert choose(self.made, "all") == (0, 1, 3)

    @pytest.mark.parametrize("wanted", ["Oboe", "5", "0", "flu te"])
    def test_one_that_is_not_there_gets_the_list(self, wanted):
        with pytest.raises(FileError, match=r"no track .*1 'Flute', 2 'Bass', 3 'Kit' \(drums\)"):
            choose(self.made, wanted)

    def test_drums_are_no_melody(self):
        with pytest.raises(FileError, match="track 3 'Kit' \\(drums\\) is drums"):
            choose(self.made, "kit")


class TestLine:
    def test_says_which_and_why_and_what_else_there_is(self):
        made = tune(part(BASS, "Bass", 1), part(TUNE, "Melody"), part([(36, Q)], "", 9))
        assert describe_choice(made, choose_tracks(made)) == (
            "melody: track 2 'Melody' (by its name); others: 1 'Bass', 3 (drums)"
        )
        assert "(by how it sounds)" in describe_choice(made, choose_tracks(made, by_name=False))
        every = describe_choice(made, choose_tracks(made, "all"))
        assert every == "melody: tracks 1 'Bass', 2 'Melody' (--track all); others: 3 (drums)"

    def test_there_is_none_where_there_is_no_choice(self):
        assert describe_choice(tune(part(TUNE)), choose_tracks(tune(part(TUNE)))) == ""
