"""Key, scale, range and density of what a model of melodies makes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from music_files import TUNE, Q, meta, notes, smf, track
from support import assert_one_line_error

from aeplug.api import load
from aeplug.errors import ConfigError
from aeplug.inference import interpolate_documents, sample_documents, vary_document
from aeplug.interfaces import Context, Document, Sampling
from aeplug.model import constrain
from aeplug_music.melodies.constraints import (
    MelodyConstraints,
    find_key,
    measure_density,
    read_constraints,
)
from aeplug_music.melodies.dataset import melody_shape
from aeplug_music.melodies.lstm import LSTMDecoder
from aeplug_music.nets.reference_pitch import bias_reference, shift_bias, to_absolute
from aeplug_music.score.melody import Melody, Passage
from aeplug_music.score.scales import Key
from aeplug_music.score.tokens import CLASSES, FIRST_ONSET, PITCH_OFFSET, tokens_to_notes

G_MAJOR = Key(7).pitch_classes()


@pytest.fixture(scope="module")
def two_bars():
    return load("melody-2bar", device="cpu")


@pytest.fixture(scope="module")
def sixteen_bars():
    return load("melody-16bar", device="cpu")


def melody(*pitches, steps=4):
    tokens = np.zeros(len(pitches) * steps, np.uint8)
    tokens[::steps] = np.array(pitches) - PITCH_OFFSET
    return Melody((Passage("4/4", tokens),))


def in_g(count=2):
    scale = [67, 69, 71, 72, 74, 71, 69, 67]
    return Document(melody(*scale * count), "in-g")


def pitches_of(documents):
    return np.concatenate([tokens_to_notes(d.content.tokens)[2] for d in documents])


def allowed_pitches(bias):
    return {token + PITCH_OFFSET for token in range(FIRST_ONSET, CLASSES) if bias[0, 0, token] == 0}


def test_nothing_is_constrained_unless_it_is_named():
    assert MelodyConstraints().logit_bias(None) is None
    assert read_constraints({"key": "auto", "scale": None}).logit_bias(None) is None
    assert read_constraints({"key": "none"}).logit_bias(in_g().content) is None


def test_a_key_by_name_allows_its_scale_alone():
    bias = read_constraints({"key": "G", "low": "C4", "high": "G4"}).logit_bias(None)
    assert allowed_pitches(bias) == {60, 62, 64, 66, 67}
    assert bool((bias[..., :FIRST_ONSET] == 0).all())


def test_the_key_of_a_document_has_its_accidentals_as_rare_as_they_are():
    tune = melody(*[67, 69, 71, 72, 74, 71, 69, 67] * 4, 73, 67)
    bias = MelodyConstraints().logit_bias(tune)[0, 0]
    in_key, own, foreign = (float(bias[pitch - PITCH_OFFSET]) for pitch in (66, 73, 68))
    assert in_key == 0
    assert -3 <= own < -1
    assert foreign == -np.inf


def test_without_a_tonic_a_scale_is_nothing():
    with pytest.raises(ConfigError, match="--scale dorian needs a tonic"):
        read_constraints({"scale": "dorian"}).logit_bias(None)
    bias = read_constraints({"scale": "pentatonic"}).logit_bias(in_g().content)
    assert {pitch % 12 for pitch in allowed_pitches(bias)} == {7, 9, 11, 2, 4}


def test_no_pitch_is_left():
    with pytest.raises(ConfigError, match="no pitch from 61 to 61 is in the scale"):
        read_constraints({"key": "C", "low": "61", "high": "61"}).logit_bias(None)
    with pytest.raises(ConfigError, match="--low C5 is above --high C4"):
        read_constraints({"low": "C5", "high": "C4"})


@pytest.mark.parametrize(
    ("sharps", "expected"), [(1, "G"), (0, "G"), (2, "G"), (None, "G")], ids=str
)
def test_a_key_signature_counts_where_the_notes_are_in_it(tmp_path, two_bars, sharps, expected):
    # A tune in G with the F# that neither C has nor D's C# allows.
    tune = [*TUNE, *((66, Q), (67, Q), (66, Q), (67, Q)), *TUNE]
    key = [] if sharps is None else [(0, meta(0x59, bytes([sharps % 256, 0])))]
    path = tmp_path / "tune.mid"
    path.write_bytes(smf(track(key), track(notes(tune))))
    assert str(find_key(two_bars.read(path).content)) == expected


def test_a_plausible_signature_is_believed_before_an_estimate(tmp_path, two_bars):
    # Without a leading note it might be in C too.
    path = tmp_path / "tune.mid"
    tune = [(pitch, Q) for pitch in (60, 64, 67, 64, 62, 60, 64, 60)]
    for sharps, expected in ((1, "G"), (0, "C")):
        path.write_bytes(smf(track([(0, meta(0x59, bytes([sharps, 0])))]), track(notes(tune))))
        assert str(find_key(two_bars.read(path).content)) == expected


@pytest.mark.parametrize("name", ["two_bars", "sixteen_bars"])
@pytest.mark.parametrize("greedy", [True, False])
def test_variations_stay_in_the_key_of_the_document(request, name, greedy):
    model = request.getfixturevalue(name).without_guard()
    document, sampling = in_g(4), Sampling(greedy=greedy)
    varied = vary_document(model, document, 4, 0.1, 0, sampling)
    assert {pitch % 12 for pitch in pitches_of(varied)} <= G_MAJOR
    free = vary_document(model.with_options({"key": "none"}), document, 4, 0.1, 0, sampling)
    assert not {pitch % 12 for pitch in pitches_of(free)} <= G_MAJOR


@pytest.mark.parametrize("name", ["two_bars", "sixteen_bars"])
def test_samples_keep_key_and_range(request, name):
    model = request.getfixturevalue(name)
    model = model.with_options({"key": "Ebm", "scale": "pentatonic", "low": "C4", "high": "C5"})
    pitches = pitches_of(sample_documents(model, 20, 0, Sampling(1.0)))
    assert len(pitches) > 100
    assert {pitch % 12 for pitch in pitches} <= {3, 6, 8, 10, 1}
    assert 60 <= pitches.min() <= pitches.max() <= 72
    assert len(set(pitches.tolist())) > 3


def test_samples_of_a_model_keep_them_in_python_too(two_bars):
    tokens = two_bars.with_options({"key": "G"}).sample(20, seed=1)
    pitches = tokens[tokens >= FIRST_ONSET] + PITCH_OFFSET
    assert set((pitches % 12).tolist()) <= G_MAJOR


def test_interpolation_is_free_unless_a_key_is_named(two_bars):
    other = Document(melody(*[61, 63, 65, 66, 68, 66, 65, 61] * 2), "in-d-flat")
    model = two_bars.with_options({"key": "G"})
    steps = interpolate_documents(model, in_g(), in_g(), 3, Sampling(greedy=True))
    assert {pitch % 12 for pitch in pitches_of(steps)} <= G_MAJOR
    free = interpolate_documents(two_bars, in_g(), other, 3, Sampling(greedy=True))
    assert not {pitch % 12 for pitch in pitches_of(free)} <= G_MAJOR


def test_density_is_graded(two_bars):
    measured = []
    for density in (0.5, 1.0, 2.0, 4.0):
        model = two_bars.with_options({"density": density})
        documents = sample_documents(model, 40, 0, Sampling(0.5))
        measured.append(np.mean([measure_density(document.content) for document in documents]))
    assert np.allclose(measured, [0.5, 1, 2, 4], rtol=0.4)
    assert measured == sorted(measured)


def test_a_document_of_one_item_is_the_same_however_many_follow(two_bars):
    model = two_bars.with_options({"key": "A", "low": "60"})
    few, many = (sample_documents(model, count, 3, Sampling(0.8)) for count in (2, 5))
    for one, other in zip(few, many, strict=False):
        assert np.array_equal(one.content.tokens, other.content.tokens)


def test_a_bias_shifts_with_the_reference():
    bias = read_constraints({"key": "G"}).logit_bias(None)
    references = torch.tensor([55, 62, 0, 127])
    relative = shift_bias(bias, references)
    tokens = torch.arange(CLASSES).expand(4, -1)
    assert torch.equal(relative[:, 0], bias[0, 0][to_absolute(tokens, references)])


def test_a_reference_moves_a_window_into_its_key_and_range():
    bias = read_constraints({"key": "G", "low": "C4", "high": "C6"}).logit_bias(None)
    reference = bias_reference(bias, 8)[0]
    assert reference.shape == (128,)
    assert int(reference.argmax()) % 12 in (7, 2, 0)  # G, D, C: their scales are nearest
    assert int(reference.argmax()) in range(60, 84)
    assert bool((reference <= 0).all())


def test_a_decoder_without_a_reference_takes_the_bias_as_it_is():
    shape = melody_shape(1, ("4/4",))
    decoder = LSTMDecoder(LSTMDecoder.Config(hidden=8, layers=1), shape, (2,)).eval()
    bias = read_constraints({"key": "G", "low": "60", "high": "72"}).logit_bias(None)
    context = Context(cond={"metre": torch.zeros(9, dtype=torch.int64)})
    sampling = Sampling(1.0, generator=torch.Generator().manual_seed(0))
    z = torch.randn(9, 2, generator=torch.Generator().manual_seed(0))
    tokens = decoder.generate(z, context, replace(sampling, logit_bias=bias))
    onsets = tokens[tokens >= FIRST_ONSET] + PITCH_OFFSET
    assert set(onsets.tolist()) <= allowed_pitches(bias)
    assert len(onsets) > 50


def test_items_keep_their_own_bias_in_batches(two_bars):
    z = torch.zeros(1030, 128)
    bias = torch.zeros(1030, 1, CLASSES)
    bias[:, :, FIRST_ONSET:] = -torch.inf
    bias[:515, :, 60 - PITCH_OFFSET] = 0
    bias[515:, :, 67 - PITCH_OFFSET] = 0
    tokens = two_bars.decode(z, None, Sampling(greedy=True, logit_bias=bias))
    for part, pitch in ((tokens[:515], 60), (tokens[515:], 67)):
        assert set((part[part >= FIRST_ONSET] + PITCH_OFFSET).tolist()) == {pitch}


def test_a_bias_that_is_there_stays(two_bars):
    own = Sampling(logit_bias=torch.zeros(1, 1, CLASSES))
    assert constrain(two_bars, own, in_g()) is own


def test_on_the_command_line(tmp_path, invoke):
    path = tmp_path / "tune.mid"
    path.write_bytes(smf(track(notes(TUNE))))
    out = tmp_path / "out"
    vary = ("vary", "melody-2bar", path, "--out", out, "-n", 1)
    done = invoke(*vary, "--key", "G", "--scale", "pentatonic", "--density", "2")
    assert done.code == 0, done.err
    for option, value, expected in (
        ("--key", "H", "--key H: expected auto, none or a key"),
        ("--low", "C", "--low C: expected a pitch such as C4"),
        ("--density", "5", "--density 5.0: expected at most 4"),
    ):
        failed = invoke(*vary, "--overwrite", option, value)
        assert failed.code != 0
        assert_one_line_error(failed.err, expected)
