"""The codec: files -> windows -> files, whatever a model makes of them."""

from __future__ import annotations

import io
import wave
import zipfile
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from aeplug.data.bundled import find_bundled
from aeplug.errors import FileError
from aeplug.interfaces import Codec, Document
from aeplug_music.melodies.codec import MelodyCodec
from aeplug_music.melodies.dataset import melody_shape
from aeplug_music.midi.reading import parse_midi
from aeplug_music.midi.writing import to_pretty_midi
from aeplug_music.plots.pianoroll import note_name
from aeplug_music.score.melody import Melody, Passage, extract_melody
from aeplug_music.score.metres import METRES, STEPS_PER_BAR, window_lengths
from aeplug_music.score.tokens import CLASSES, canonicalise

#: Melodies are seen as they are, in whatever register and however short.
AS_IT_IS = MelodyCodec.Config(lowest=21, highest=108, short=0)

LENGTHS = np.array(window_lengths(METRES, 2))


@pytest.fixture(scope="module")
def codec():
    return MelodyCodec(AS_IT_IS, melody_shape(2, METRES))


@pytest.fixture(scope="module")
def tunes():
    with zipfile.ZipFile(find_bundled("folk_tunes.zip")) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written_and_read(melody, bpm=None):
    out = io.BytesIO()
    to_pretty_midi(melody, "x", bpm or melody.bpm, 0, 80).write(out)
    return extract_melody(parse_midi(out.getvalue()))


def same(a, b):
    return len(a.passages) == len(b.passages) and all(
        p.metre == q.metre and np.array_equal(p.tokens, q.tokens)
        for p, q in zip(a.passages, b.passages, strict=True)
    )


def round_trip(codec, data):
    melody = extract_melody(parse_midi(data))
    document = Document(melody, "x")
    if all(passage.metre not in METRES for passage in melody.passages):
        return same(written_and_read(melody), melody)
    raw = codec.split(document)
    joined = codec.join(raw["tokens"], {"metre": raw["metre"]}, document)
    return same(joined.content, melody) and same(written_and_read(melody), melody)


def test_it_is_a_codec(codec):
    assert isinstance(codec, Codec)
    assert (codec.width, codec.bars) == (48, 2)


def test_round_trip_of_every_10th_bundled_tune(codec, tunes):
    assert [name for name in sorted(tunes)[::10] if not round_trip(codec, tunes[name])] == []


@pytest.mark.slow
def test_round_trip_of_every_bundled_tune(codec, tunes):
    assert [name for name, data in tunes.items() if not round_trip(codec, data)] == []


def pieces(count):
    token = st.one_of(st.sampled_from([0, 0, 0, 1]), st.integers(0, CLASSES - 1))
    row = st.lists(token, min_size=48, max_size=48)
    return st.tuples(
        st.lists(row, min_size=count, max_size=count),
        st.lists(st.integers(0, len(METRES) - 1), min_size=count, max_size=count),
    )


@given(pieces(1), st.sampled_from([120.0, 97.3, 61.0, 400.0]))
def test_whatever_a_model_samples_is_re_encoded_unchanged(codec, piece, bpm):
    tokens, metre = (torch.tensor(one) for one in piece)
    expected = canonicalise(tokens.numpy().astype(np.uint8), LENGTHS[metre.numpy()])
    document = codec.join(tokens, {"metre": metre}, None)
    if not (expected >= 2).any():
        with pytest.raises(FileError, match="no notes"):
            written_and_read(document.content, bpm)
        return
    again = codec.split(Document(written_and_read(document.content, bpm), "again"))
    assert np.array_equal(again["tokens"].numpy(), expected)
    assert again["metre"].tolist() == metre.tolist()


@given(pieces(4))
def test_several_windows_are_re_encoded_in_a_row(codec, piece):
    tokens, metre = (torch.tensor(one) for one in piece)
    # A note in each, so that the file is as long as the windows.
    tokens[:, 0], tokens[:, 1:3] = 50, 0
    expected = canonicalise(tokens.numpy().astype(np.uint8), LENGTHS[metre.numpy()])
    document = codec.join(tokens, {"metre": metre}, None)
    again = codec.split(Document(written_and_read(document.content), "again"))
    assert np.array_equal(again["tokens"].numpy(), expected)
    assert again["metre"].tolist() == metre.tolist()


def melody(*passages, bpm=100.0):
    return Melody(tuple(Passage(m, np.array(t, np.uint8)) for m, t in passages), bpm)


def filled(steps, *events):
    tokens = [0] * steps
    for place, token in events:
        tokens[place] = token
    return tokens


def test_a_note_tied_over_windows_stays_one_note(codec):
    tied = melody(("4/4", filled(80, (0, 40), (28, 45), (36, 47), (62, 50), (70, 1))))
    document = Document(tied, "tied")
    raw = codec.split(document)
    assert raw["tokens"].shape == (3, 48)
    assert raw["tokens"][1, 0] == 45
    assert raw["tokens"][2, 0] == 50
    joined = codec.join(raw["tokens"], {"metre": raw["metre"]}, document)
    assert same(joined.content, tied)
    assert joined.content.bpm == 100.0
    # Where the model says another pitch, it is struck.
    raw["tokens"][1, 0] = 46
    other = codec.join(raw["tokens"], {"metre": raw["metre"]}, document)
    assert other.content.tokens[32] == 46


def test_a_window_that_begins_with_a_rest_ends_the_note_before(codec):
    rows = torch.zeros(2, 48, dtype=torch.long)
    rows[0, 0], rows[1, 4] = 40, 42
    joined = codec.join(rows, {"metre": torch.zeros(2, dtype=torch.long)}, None).content
    assert joined.tokens[32] == 1


def test_passages_in_other_metres_stand_unchanged(codec):
    mixed = melody(
        ("4/4", filled(16, (0, 40))),
        ("7/8", filled(14, (0, 41), (4, 1))),
        ("3/4", filled(12, (2, 43))),
    )
    document = Document(mixed, "mixed")
    raw = codec.split(document)
    assert raw["metre"].tolist() == [0, 1]
    raw["tokens"] = torch.where(raw["tokens"] > 1, raw["tokens"] + 12, raw["tokens"])
    joined = codec.join(raw["tokens"], {"metre": raw["metre"]}, document).content
    assert [passage.tokens.max() for passage in joined.passages] == [52, 41, 55]
    assert same(written_and_read(mixed), mixed)


def test_nothing_the_model_has_learnt(codec):
    odd = Document(melody(("7/8", filled(14, (0, 41)))), "odd")
    with pytest.raises(FileError, match="odd is in 7/8; the model has learnt 4/4"):
        codec.split(odd)


def test_metres_are_numbered_as_the_model_has_them():
    few = MelodyCodec(MelodyCodec.Config(), melody_shape(2, ("3/4", "2/4")))
    assert few.width == 24
    raw = few.split(Document(melody(("2/4", filled(16, (0, 40)))), "x"))
    assert raw["metre"].tolist() == [1]
    assert raw["tokens"].shape == (1, 24)


def test_fewer_pieces_end_the_tune_early(codec):
    document = Document(melody(("4/4", filled(96, (0, 40), (40, 42), (80, 43)))), "x")
    raw = codec.split(document)
    joined = codec.join(raw["tokens"][:2], {"metre": raw["metre"][:2]}, document)
    assert joined.content.steps == 64


def test_in_another_metre_there_is_nothing_to_line_up_with(codec):
    document = Document(melody(("4/4", filled(32, (0, 40)))), "x")
    raw = codec.split(document)
    joined = codec.join(raw["tokens"], {"metre": torch.tensor([1])}, document)
    assert [(p.metre, len(p.tokens)) for p in joined.content.passages] == [("3/4", 24)]


def test_chain_plays_documents_in_a_row(codec):
    a = Document(melody(("4/4", filled(16, (0, 40)))), "a")
    b = Document(melody(("3/4", filled(12, (4, 42))), bpm=60.0), "b")
    chained = codec.chain([a, b], "both")
    assert (chained.name, chained.content.bpm) == ("both", 100.0)
    assert [passage.metre for passage in chained.content.passages] == ["4/4", "3/4"]
    assert chained.content.tokens[16] == 1


def test_options_of_writing(codec, tmp_path):
    document = Document(melody(("3/4", filled(24, (0, 41), (8, 1)))), "tune")
    options = {"tempo": 90.0, "program": 40, "velocity": 33, "wav": True}
    paths = codec.write(document, tmp_path / "a.b", options)
    assert [path.name for path in paths] == ["a.b.mid", "a.b.wav"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.b.mid", "a.b.wav"]
    midi = pretty_midi.PrettyMIDI(str(paths[0]))
    assert midi.get_tempo_changes()[1][0] == pytest.approx(90, abs=1e-3)
    assert [i.program for i in midi.instruments] == [40]
    assert [(n.velocity, n.pitch) for n in midi.instruments[0].notes] == [(33, 60)]
    signature = midi.time_signature_changes[0]
    assert (signature.numerator, signature.denominator) == (3, 4)
    with wave.open(str(paths[1])) as sound:
        assert (sound.getsampwidth(), sound.getnchannels(), sound.getframerate()) == (2, 2, 44100)
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    # The rests behind the last note are kept; what sounds on dies away within two seconds.
    assert 0 <= len(samples) / 2 / 44100 - 24 * 60 / 90 / 4 <= 2.01
    assert 5_000 < np.abs(samples).max() <= 32_767


def test_a_soundfont_of_the_users_that_is_none(codec, tmp_path):
    (tmp_path / "my.sf2").write_bytes(b"RIFF" + bytes(40))
    document = Document(melody(("3/4", filled(24, (0, 41)))), "tune")
    options = {"wav": True, "soundfont": str(tmp_path / "my.sf2")}
    with pytest.raises(FileError, match=r"my\.sf2 is not a soundfont"):
        codec.write(document, tmp_path / "tune", options)
    assert not (tmp_path / "tune.wav").exists()


def test_the_tunes_own_tempo_without_an_option(codec, tmp_path):
    document = Document(melody(("3/4", filled(24, (0, 41))), bpm=66.0), "tune")
    path = codec.write(document, tmp_path / "a", {"tempo": None, "wav": False})[0]
    assert codec.read(path).content.bpm == pytest.approx(66, abs=1e-3)


def test_silence_is_written_too(codec, tmp_path):
    document = Document(melody(("4/4", filled(32))), "rest")
    assert len(codec.write(document, tmp_path / "rest", {"wav": True})) == 2
    codec.sheet([("", [document])], tmp_path / "rest.png", "rests")


def test_errors_name_the_file(codec, tmp_path):
    (tmp_path / "bad.mid").write_bytes(b"MThd")
    with pytest.raises(FileError, match=r"bad\.mid: truncated"):
        codec.read(tmp_path / "bad.mid")
    with pytest.raises(FileError, match="none"):
        codec.read(tmp_path / "none.mid")
    with pytest.raises(FileError, match="is a folder"):
        codec.read(tmp_path)
    (tmp_path / "file").write_text("")
    document = Document(melody(("3/4", filled(24, (0, 41)))), "tune")
    with pytest.raises(FileError, match="cannot be written"):
        codec.write(document, tmp_path / "file" / "x", {})


def test_reading_a_file(codec, tunes, tmp_path):
    name = sorted(tunes)[3]
    path = tmp_path / Path(name).name
    path.write_bytes(tunes[name])
    document = codec.read(path)
    assert (document.name, document.source) == (path.stem, path)
    assert document.content.steps % STEPS_PER_BAR[document.content.passages[0].metre] == 0


def test_a_sheet(codec, tunes, tmp_path):
    names = sorted(tunes)[:5]
    documents = [Document(extract_melody(parse_midi(tunes[n])), f"{n} $a$ _{{") for n in names]
    codec.sheet([("input", documents[:3]), ("", documents[3:])], tmp_path / "in" / "s.png", "t $x$")
    with Image.open(tmp_path / "in" / "s.png") as image:
        image.load()
        # Five long tunes, one below the other.
        assert image.height > 5 * 110
        assert 1000 < image.width < 2000
        assert len(image.convert("L").getcolors(100_000)) > 20
    codec.sheet([], tmp_path / "empty.png", "nothing")


def test_note_names():
    assert [note_name(pitch) for pitch in (21, 60, 61, 108)] == ["A0", "C4", "C#4", "C8"]
