"""What a model sees of a melody: its register by octaves, short notes at full length, and back."""

from __future__ import annotations

import wave

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from music_files import HEAD, TUNE, Q, moved, notes, read_notes, read_tracks, smf, track

from aeplug.interfaces import Document
from aeplug_music.melodies.codec import MelodyCodec
from aeplug_music.melodies.dataset import melody_shape
from aeplug_music.melodies.view import choose_view
from aeplug_music.midi.reading import parse_midi
from aeplug_music.score.melody import Melody, Passage, extract_melody
from aeplug_music.score.metres import METRES
from aeplug_music.score.tokens import PITCH_OFFSET, canonicalise, tokens_to_notes

CODEC = MelodyCodec(MelodyCodec.Config(), melody_shape(2, METRES))
TOKENS = st.lists(
    st.one_of(st.sampled_from([0, 0, 0, 1]), st.integers(2, 89)), min_size=32, max_size=96
)


def document(sequence, gate=1.0):
    data = smf(track(HEAD + notes(sequence, gate=gate)))
    return Document(extract_melody(parse_midi(data)), "tune")


def melody_of(tokens):
    tokens = np.array(tokens[: len(tokens) // 16 * 16], np.uint8)
    return Melody((Passage("4/4", canonicalise(tokens[None])[0]),))


@given(TOKENS)
def test_every_melody_comes_back_as_it_was(tokens):
    melody = melody_of(tokens)
    view = choose_view(melody, 55, 86, 0.5)
    again = view.undo(view.show(melody), melody)
    np.testing.assert_array_equal(again.tokens, melody.tokens)


@pytest.mark.parametrize("semitones", [-36, -24, -17, -12, 0, 12, 24])
def test_models_see_the_register_that_they_know(semitones):
    raw = CODEC.split(document(moved(TUNE, semitones)))
    pitches = raw["tokens"][raw["tokens"] >= 2].int() + PITCH_OFFSET
    assert pitches.min() >= 55 and pitches.max() <= 86
    assert (int(pitches[0]) - 67 - semitones) % 12 == 0


def test_a_melody_within_the_register_stays_where_it_is():
    for semitones in (-12, -5, 7, 12):
        raw = CODEC.split(document(moved(TUNE, semitones)))
        assert int(raw["tokens"][0, 0]) + PITCH_OFFSET == 67 + semitones


def test_what_a_model_made_comes_back_to_the_register_of_the_file():
    low = document(moved(TUNE, -24))
    raw = CODEC.split(low)
    tokens = raw["tokens"].long()
    tokens[0, 2] = tokens[0, 0] + 2
    made = CODEC.join(tokens, {"metre": raw["metre"]}, low).content
    assert tokens_to_notes(made.tokens)[2][:3].tolist() == [43, 45, 45]
    more = CODEC.append_pieces(low, tokens[:1], {"metre": raw["metre"][:1]}).content
    assert tokens_to_notes(more.tokens)[2][len(TUNE) :][:3].tolist() == [43, 45, 45]


def test_limits_of_pitch_are_those_of_the_file_and_not_of_what_the_model_sees():
    codec = CODEC.with_options({"low": "C2", "high": "C3", "key": "none"})
    low = document(moved(TUNE, -24))
    bias = codec.logit_bias(low)[0, 0]
    seen = int(codec.split(low)["tokens"][0, 0])
    assert bias[seen] == 0 and seen + PITCH_OFFSET == 67
    allowed = [token + PITCH_OFFSET for token in range(2, 90) if bias[token] == 0]
    assert (min(allowed), max(allowed)) == (36 + 24, 48 + 24)


def test_short_notes_are_seen_at_full_length_and_come_back_short():
    short = document(TUNE, gate=0.2)
    raw, whole = CODEC.split(short), CODEC.split(document(TUNE))
    assert torch.equal(raw["tokens"], whole["tokens"])
    tokens = raw["tokens"].long()
    tokens[0, 4] = 0
    tokens[0, 6] = 60
    made = CODEC.join(tokens, {"metre": raw["metre"]}, short).content
    onsets, ends, _ = tokens_to_notes(made.tokens)
    assert onsets[:3].tolist() == [0, 6, 8]
    assert (ends - onsets)[:3].tolist() == [1, 1, 1]


def test_rests_between_phrases_stay_rests():
    bar = [(67, 480), (69, 480), (71, 480), (None, 480)]
    raw = CODEC.split(document(bar * 4, gate=0.25))
    onsets, ends, _ = tokens_to_notes(raw["tokens"][0, :32].numpy())
    assert (ends - onsets).tolist() == [4, 4, 4] * 2
    assert onsets.tolist() == [0, 4, 8, 16, 20, 24]


@pytest.mark.parametrize(("model", "times"), [("melody-2bar", 1), ("melody-16bar", 4)])
def test_low_and_short_tunes_come_back_from_the_models_that_ship(model, times, invoke, tmp_path):
    tune = TUNE * times
    files = {
        "low": smf(track(HEAD + notes(moved(tune, -24)))),
        "short": smf(track(HEAD + notes(tune, gate=0.2))),
    }
    for called, data in files.items():
        (tmp_path / f"{called}.mid").write_bytes(data)
    paths = [tmp_path / f"{called}.mid" for called in files]
    out = tmp_path / "out"
    result = invoke("reconstruct", model, *paths, "--out", out, "--device", "cpu")
    assert result.code == 0, result.err
    for called, data in files.items():
        (found,) = read_tracks(out / f"{called}.mid")
        assert read_notes(found) == read_notes(read_tracks(data)[0])


def hum(path):
    """The tune, hummed by a low voice at 100 quarters a minute."""
    rate, sound = 22050, []
    for pitch, ticks in moved(TUNE, -24):
        seconds = np.arange(int(ticks / Q * 0.6 * rate)) / rate
        pulse = 2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * seconds
        tone = sum(np.sin(pulse * k) / k for k in range(1, 7))
        fade = np.clip(np.minimum(seconds / 0.03, (seconds[-1] - seconds) / 0.06), 0, 1)
        sound.append(0.2 * tone * fade)
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, rate, 0, "NONE", ""))
        out.writeframes((np.concatenate(sound).clip(-1, 1) * 32000).astype("<i2").tobytes())


def test_variations_of_a_low_voice_stay_in_its_register_and_key(invoke, tmp_path):
    hum(tmp_path / "hum.wav")
    out = tmp_path / "out"
    options = ("-n", 3, "--out", out, "--device", "cpu")
    result = invoke("vary", "melody-2bar", tmp_path / "hum.wav", *options)
    assert result.code == 0, result.err
    for path in out.glob("*.mid"):
        pitches = [note[2] for events in read_tracks(path) for note in read_notes(events)]
        assert min(pitches) >= 38 and max(pitches) <= 57
        assert {pitch % 12 for pitch in pitches} <= {7, 9, 11, 0, 2, 4, 6}
