from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import TUNE, sound_of

from aeplug_audio.analysis.frames import BANDS, LOWEST_PITCH, PITCHES, STEP, Analysis, analyse
from aeplug_audio.analysis.onsets import compute_flux, measure_hard_onsets
from aeplug_audio.analysis.pitch import CANDIDATES, FRAME, RATE, find_candidates
from aeplug_audio.analysis.voice import (
    SILENCE,
    VoiceModel,
    decode_notes,
    estimate_tuning,
    segment_notes,
)

#: Partials of a reed, roughly.
REED = (1.0, 0.6, 0.5, 0.3, 0.2, 0.1)


def heard(sound):
    return decode_notes(analyse([np.asarray(sound, np.float32)]))


def agree(found, played, lead=0.3, within=0.03):
    assert [note.pitch for note in found] == [pitch for *_, pitch in played]
    for note, (onset, _, _) in zip(found, played, strict=True):
        assert note.onset == pytest.approx(onset + lead, abs=within)


class TestCandidates:
    @pytest.mark.parametrize("pitch", [37, 48, 60.25, 69, 81, 95])
    @pytest.mark.parametrize("partials", [(1.0,), REED])
    def test_the_likeliest_is_the_pitch(self, pitch, partials):
        sound = sound_of([(0, 0.5, pitch)], partials=partials, lead=0)[2_000 : 2_000 + FRAME]
        found = find_candidates(sound[None].astype(np.float32))
        assert found.pitch.shape == found.probability.shape == (1, CANDIDATES)
        best = found.probability[0].argmax()
        assert found.pitch[0, best] == pytest.approx(pitch, abs=0.15)
        assert found.probability[0, best] > 0.8

    def test_noise_and_silence_have_none_that_is_likely(self):
        noise = np.random.default_rng(0).standard_normal((40, FRAME)).astype(np.float32)
        assert np.median(find_candidates(noise).probability.sum(1)) < 0.2
        assert find_candidates(np.zeros((1, FRAME), np.float32)).probability.sum() < 0.02

    @settings(max_examples=30)
    @given(st.integers(0, 2**32 - 1))
    def test_probabilities_are_ones(self, seed):
        rng = np.random.default_rng(seed)
        frames = rng.standard_normal((3, FRAME)) * 10.0 ** rng.integers(-6, 1, (3, 1))
        found = find_candidates(frames.astype(np.float32))
        assert (found.probability >= 0).all() and (found.probability.sum(1) <= 1.001).all()
        assert np.isnan(found.pitch[found.probability == 0]).all()


class TestNotes:
    @pytest.mark.parametrize("partials", [(1.0,), REED])
    def test_repeats_and_rests_are_heard(self, partials):
        notes, tuning = heard(sound_of(TUNE, partials=partials))
        agree(notes, TUNE)
        assert abs(tuning) < 0.05
        assert notes[4].end == pytest.approx(0.3 + 2.0, abs=0.04)

    def test_loudness_does_not_matter(self):
        agree(heard(0.002 * sound_of(TUNE))[0], TUNE)

    def test_noise_around_does_not_matter(self):
        noise = 0.01 * np.random.default_rng(1).standard_normal(len(sound_of(TUNE)))
        agree(heard(sound_of(TUNE, partials=REED) + noise)[0], TUNE)

    def test_vibrato_is_one_note(self):
        agree(heard(sound_of([(0, 2, 69)], partials=REED, vibrato=0.4))[0], [(0, 2, 69)])

    @pytest.mark.parametrize("cents", [-40, -15, 30, 45])
    def test_an_instrument_may_be_out_of_tune(self, cents):
        notes, tuning = heard(sound_of(TUNE, cents=cents, partials=REED))
        agree(notes, TUNE)
        assert tuning == pytest.approx(cents / 100, abs=0.04)

    @pytest.mark.parametrize("octave", [-24, -12, 0, 12, 20])
    def test_from_bass_to_piccolo(self, octave):
        tune = [(onset, end, pitch + octave) for onset, end, pitch in TUNE]
        agree(heard(sound_of(tune, partials=REED))[0], tune, within=0.05)

    @pytest.mark.parametrize("what", ["noise", "clicks", "nothing"])
    def test_what_has_no_pitch_has_no_notes(self, what):
        rng = np.random.default_rng(0)
        sound = np.zeros(2 * RATE)
        if what == "noise":
            sound = 0.3 * rng.standard_normal(2 * RATE)
        if what == "clicks":
            sound[::7_000] = 0.9
        assert heard(sound)[0] == []

    def test_a_tail_under_the_next_note_is_none(self):
        """What rings on makes no common subharmonic a note."""
        first = sound_of([(0, 1.5, 69), (1.5, 1.6, 69)], partials=REED)
        decay = np.exp(-np.arange(len(first)) / RATE * 3)
        second = sound_of([(0.6, 1.5, 74), (1.5, 1.6, 74)], partials=REED)
        rising = np.exp(-np.maximum(np.arange(len(second)) / RATE - 0.9, 0) * 3)
        notes, _ = heard(first * decay + second * rising)
        assert {note.pitch for note in notes} == {69, 74}
        assert next(n.onset for n in notes if n.pitch == 74) == pytest.approx(0.9, abs=0.04)


def curve(pitches, probability=0.95, loudness=-12.0):
    """An analysis in which each frame has one candidate, NaN for none."""
    pitches = np.asarray(pitches, np.float32)
    frames = len(pitches)
    pitch = np.full((frames, CANDIDATES), np.nan, np.float32)
    pitch[:, 0] = pitches
    likely = np.zeros((frames, CANDIDATES), np.float32)
    likely[:, 0] = np.where(np.isnan(pitches), 0, probability)
    harmonics = np.full((frames, PITCHES), 100, np.uint8)
    for frame in np.flatnonzero(~np.isnan(pitches)):
        harmonics[frame, round(float(pitches[frame])) - LOWEST_PITCH] = 160
    return Analysis(
        pitch,
        likely,
        np.where(np.isnan(pitches), -90.0, loudness).astype(np.float32),
        np.zeros((frames, BANDS), np.uint8),
        harmonics,
    )


#: Runs of one pitch, or of silence (0), in frames, neighbours apart by a semitone at least.
RUNS = st.lists(
    st.tuples(st.one_of(st.just(0), st.integers(45, 80)), st.integers(9, 60)),
    min_size=1,
    max_size=12,
).filter(lambda runs: all(a != b for (a, _), (b, _) in pairwise(runs)))


class TestSegmentation:
    @given(RUNS, st.floats(0, 0.2), st.integers(0, 1_000))
    def test_runs_of_a_curve_are_its_notes(self, runs, jitter, seed):
        pitches = np.concatenate([np.full(n, p or np.nan, float) for p, n in runs])
        pitches += jitter * np.random.default_rng(seed).uniform(-1, 1, len(pitches))
        # Tuning is a matter of many notes; here each is where it should be.
        found, _ = decode_notes(curve(pitches))
        assert [note.pitch for note in found] == [pitch for pitch, _ in runs if pitch]
        edges = np.cumsum([0, *(count for _, count in runs)]) * STEP
        starts = [edge for edge, (pitch, _) in zip(edges, runs, strict=False) if pitch]
        assert [note.onset for note in found] == pytest.approx(starts, abs=2.5 * STEP)

    @given(st.integers(46, 90), st.integers(1, 3), st.sampled_from([-12, -7, 3, 12]))
    def test_what_does_not_last_is_no_note(self, pitch, frames, jump):
        pitches = np.full(80, float(pitch))
        pitches[40 : 40 + frames] += jump
        found, _ = decode_notes(curve(np.clip(pitches, 36, 96)))
        assert [note.pitch for note in found] == [pitch]

    @given(
        st.lists(st.integers(0, SILENCE), min_size=1, max_size=400),
        st.integers(0, 2**32 - 1),
    )
    def test_notes_are_in_order_and_long_enough(self, states, seed):
        rng = np.random.default_rng(seed)
        states = np.repeat(states, rng.integers(1, 8, len(states)))
        rise = rng.exponential(1.0, len(states)).astype(np.float32)
        struck = measure_hard_onsets(rise, rng.normal(-20, 3, len(states)).astype(np.float32))
        voice = VoiceModel()
        found = segment_notes(states, rise, struck, voice)
        for note in found:
            assert note.end - note.onset >= voice.min_duration - 1e-9
            assert LOWEST_PITCH <= note.pitch < LOWEST_PITCH + PITCHES
        for before, after in pairwise(found):
            assert before.end <= after.onset + 1e-9

    def test_few_frames_do_not_tell_a_tuning(self):
        assert estimate_tuning(curve([60.4] * 5)) == 0.0

    def test_of_no_frames_there_is_nothing(self):
        nothing = curve([])
        assert decode_notes(nothing) == ([], 0.0)
        assert len(compute_flux(nothing)) == 0
