"""Files of drums: read, cut, joined, written, read again; drawn and heard."""

from __future__ import annotations

import wave

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from aeplug.config import PartConfig
from aeplug.errors import ConfigError, FileError
from aeplug.interfaces import Document
from aeplug_music.drums.codec import VELOCITY, DrumCodec
from aeplug_music.drums.kit import BAR, CRASH, DRUMS, KICK, RIDE, SNARE
from aeplug_music.drums.performance import Performance, make_passage
from aeplug_music.drums.prepare import PrepareDrums, PrepareGroove
from aeplug_music.drums.sheet import ROWS
from aeplug_music.drums.window_shape import groove_shape, hits_shape

NOTHING: dict[str, object] = {}


def codec(bars: int = 2, groove: bool = True) -> DrumCodec:
    return DrumCodec(PartConfig(), (groove_shape if groove else hits_shape)(bars))


@st.composite
def performances(draw) -> Performance:
    """One or two bars of any hits, the last bar with one."""
    bars = draw(st.integers(1, 2))
    size = (bars * BAR, DRUMS)
    velocity = draw(arrays.arrays(np.uint8, size, elements=st.integers(0, 127)))
    sparse = draw(arrays.arrays(np.bool_, size))
    offset = draw(arrays.arrays(np.int8, size))
    velocity = velocity * sparse
    velocity[-1, KICK] = 1
    # What would begin before the file does begins with it, and is another performance.
    offset[0] = np.maximum(offset[0], 0)
    bpm = 60e6 / draw(st.integers(200_000, 2_000_000))
    return Performance((make_passage(velocity, offset),), bpm)


def same(a: Performance, b: Performance) -> None:
    assert [one.metre for one in a.passages] == [one.metre for one in b.passages]
    for ours, theirs in zip(a.passages, b.passages, strict=True):
        for name in ("velocity", "offset", "taps"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    assert a.bpm == pytest.approx(b.bpm, rel=1e-9)


@given(performances())
@settings(max_examples=30, deadline=None)
def test_what_is_written_is_read_again_to_the_last_offset(tmp_path_factory, performance):
    stem = tmp_path_factory.mktemp("round") / "x"
    (path,) = codec().write(Document(performance, "x"), stem, NOTHING)
    same(codec().read(path).content, performance)


@given(performances())
@settings(max_examples=30, deadline=None)
def test_cut_prepared_and_joined_it_is_the_same(performance):
    document = Document(performance, "x")
    for bars in (1, 2, 4):
        ours = codec(bars)
        prepare = PrepareGroove(PrepareGroove.Config(), groove_shape(bars))
        batch = prepare(ours.split(document), torch.Generator(), False)
        same(ours.join(batch.target, {}, document).content, performance)


def test_hits_alone_are_played_as_in_the_file_and_else_at_one_velocity_on_the_grid():
    velocity = np.zeros((BAR, DRUMS), np.uint8)
    velocity[[0, 4], [KICK, SNARE]] = 30, 120
    document = Document(Performance((make_passage(velocity, np.full((BAR, DRUMS), 9)),)), "x")
    ours = codec(groove=False)
    prepare = PrepareDrums(PrepareDrums.Config(), hits_shape(2))
    batch = prepare(ours.split(document), torch.Generator(), False)
    same(ours.join(batch.target, {}, document).content, document.content)
    sampled = ours.join(batch.target, {}, None).content
    np.testing.assert_array_equal(sampled.velocity[:BAR], (velocity > 0) * VELOCITY)
    assert not sampled.offset.any()
    assert sampled.steps == 2 * BAR


def other_metres() -> Performance:
    velocity, offset = np.zeros((20, DRUMS), np.uint8), np.zeros((20, DRUMS), np.int8)
    velocity[::4, SNARE] = 90
    three = make_passage(velocity[:12], offset[:12] + 3, "3/4")
    return Performance(
        (make_passage(velocity, offset), three, make_passage(velocity, offset)), 90.0
    )


def test_passages_in_other_metres_are_no_pieces_and_stay(tmp_path):
    document = Document(other_metres(), "x")
    ours = codec()
    raw = ours.split(document)
    assert raw["velocity"].shape == (2, 2 * BAR, DRUMS)
    silent = torch.zeros(2, 2 * BAR, 27)
    joined = ours.join(silent, {}, document).content
    assert [one.metre for one in joined.passages] == ["4/4", "3/4", "4/4"]
    assert [one.steps for one in joined.passages] == [20, 12, 20]
    assert joined.passages[1] is document.content.passages[1]
    assert not joined.passages[0].velocity.any()
    # Fewer pieces end it where they end.
    assert [one.steps for one in ours.join(silent[:1], {}, document).content.passages] == [20, 12]
    (path,) = ours.write(document, tmp_path / "x", NOTHING)
    assert [one.metre for one in ours.read(path).content.passages] == ["4/4", "3/4", "4/4"]


def test_a_file_without_4_4_says_what_it_is_in():
    three = Performance((other_metres().passages[1],))
    with pytest.raises(FileError, match="3/4; drums are learnt in 4/4"):
        codec().split(Document(three, "waltz"))


def test_bars_are_whole_windows():
    assert codec().num_pieces({"bars": 8}) == 4
    assert codec().num_pieces({}) == 0
    with pytest.raises(ConfigError, match="--bars 7: expected a multiple of the model's 2 bars"):
        codec().num_pieces({"bars": 7})


def test_a_melody_has_taps_but_no_drums(tmp_path):
    import pretty_midi

    midi = pretty_midi.PrettyMIDI(initial_tempo=100)
    piano = pretty_midi.Instrument(0)
    piano.notes = [pretty_midi.Note(70, 60 + n, n * 0.6, n * 0.6 + 0.3) for n in range(4)]
    midi.instruments.append(piano)
    midi.write(str(tmp_path / "taps.mid"))
    ours, path = codec(), tmp_path / "taps.mid"
    for form in ("all", "score"):
        with pytest.raises(FileError, match=r"taps\.mid: no drums.*--given rhythm its notes are"):
            ours.with_options({"given": form}).split(ours.read(path))
    # Of no use where the task does not take it, or where it does not hold.
    for other in (ours, ours.with_options({})):
        with pytest.raises(FileError, match=r"taps\.mid: no drums.*channel 10$"):
            other.split(ours.read(path))
    tapped = {"given": "rhythm"}
    raw = ours.with_options(tapped).split(ours.read(path))
    prepare = PrepareGroove(PrepareGroove.Config(), groove_shape(2))
    batch = prepare.with_options(tapped)(raw, torch.Generator(), False)
    assert batch.input[0, :16:4, 27].tolist() == [1, 1, 1, 1]
    assert batch.input[0, 0, 28].item() == pytest.approx(70 / 127)


def test_what_is_taken_of_a_file_is_said_in_one_line(tmp_path, capsys):
    import pretty_midi

    midi = pretty_midi.PrettyMIDI(initial_tempo=120)
    kit, piano = pretty_midi.Instrument(0, is_drum=True), pretty_midi.Instrument(0)
    # Twelve bars, so several windows: a kick each, and on two a cowbell.
    kit.notes = [pretty_midi.Note(90, 36, 2 * n, 2 * n + 0.1) for n in range(12)]
    kit.notes += [pretty_midi.Note(90, 56, 2 * n + 1, 2 * n + 1.1) for n in (3, 7)]
    piano.notes = [pretty_midi.Note(70, 60, n, n + 0.5) for n in range(3)]
    midi.instruments += [kit, piano]
    path = tmp_path / "band.mid"
    midi.write(str(path))
    ours = codec()
    ours.split(ours.read(path))
    said = f"{path}: drums: track 1; others: 2 notes of percussion, 1 track\n"
    assert capsys.readouterr().err == said
    # As a rhythm the cowbell counts too.
    ours.with_options({"given": "rhythm"}).read(path)
    assert capsys.readouterr().err == f"{path}: drums: track 1; others: 1 track\n"
    kit.notes = kit.notes[:12]
    midi.instruments.remove(piano)
    midi.write(str(path))
    ours.read(path)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("content", [b"", b"no midi at all", b"MThd\0\0\0\6\0\0\0\1\1\xe0"])
def test_what_is_no_midi_file_says_so(tmp_path, content):
    path = tmp_path / "x.mid"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"x\.mid"):
        codec().read(path)
    with pytest.raises(FileError, match="folder"):
        codec().read(tmp_path)


def test_a_hit_before_the_beginning_stands_at_it(tmp_path):
    velocity, offset = np.zeros((BAR, DRUMS), np.uint8), np.zeros((BAR, DRUMS), np.int8)
    velocity[0, KICK], offset[0, KICK] = 80, -40
    early = Performance((make_passage(velocity, offset),))
    (path,) = codec().write(Document(early, "x"), tmp_path / "x", NOTHING)
    found = codec().read(path).content
    assert (found.velocity[0, KICK], found.offset[0, KICK]) == (80, 0)


def test_tempo_is_the_files_own_or_the_one_asked_for(tmp_path):
    document = Document(other_metres(), "x")
    (path,) = codec().write(document, tmp_path / "x", {"tempo": 150.0})
    found = codec().read(path).content
    assert found.bpm == pytest.approx(150)
    np.testing.assert_array_equal(found.velocity[:52], document.content.velocity)


def heard(path):
    """Samples ``(n, channels)`` and their rate."""
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
        return samples.reshape(-1, file.getnchannels()), file.getframerate()


def test_it_can_be_heard_louder_where_it_is_louder(tmp_path):
    velocity, offset = np.zeros((BAR, DRUMS), np.uint8), np.zeros((BAR, DRUMS), np.int8)
    velocity[[0, 8], SNARE] = 40, 120
    document = Document(Performance((make_passage(velocity, offset),), 120.0), "x")
    mid, wav = codec().write(document, tmp_path / "x", {"wav": True})
    assert (mid.suffix, wav.suffix) == (".mid", ".wav")
    sound, rate = heard(wav)
    soft, loud, rest = (np.abs(sound[int(s * rate) : int((s + 0.2) * rate)]) for s in (0, 1, 1.9))
    assert loud.mean() > 3 * soft.mean() > 9 * rest.mean()
    assert loud.max() > 20_000


def test_every_drum_sounds_and_a_rest_at_the_end_is_kept(tmp_path):
    velocity = np.zeros((BAR * 2, DRUMS), np.uint8)
    velocity[:DRUMS] = np.eye(DRUMS, dtype=np.uint8) * 100
    one = Performance((make_passage(velocity, np.zeros((BAR * 2, DRUMS), np.int8)),))
    _, wav = codec().write(Document(one, "x"), tmp_path / "x", {"wav": True})
    sound, rate = heard(wav)
    for step in range(DRUMS):
        assert np.abs(sound[int(step * rate / 8) :][: rate // 8]).max() > 200, step
    assert len(sound) / rate >= 4


def test_a_page_shows_loud_hits_darker_and_late_ones_further_right(tmp_path):
    velocity, offset = np.zeros((BAR, DRUMS), np.uint8), np.zeros((BAR, DRUMS), np.int8)
    velocity[[0, 8], KICK] = 20, 127
    ours = codec(1)
    document = Document(Performance((make_passage(velocity, offset),)), "a $name$ of a file")
    small = ours.thumbnail(document).astype(int)
    assert small.shape == (8 * DRUMS, 4 * BAR, 3)
    soft, loud = small[-4, 2].sum(), small[-4, 4 * 8 + 2].sum()
    assert loud < soft < 3 * 255
    ours.sheet([("row", [document, document]), ("", [])], tmp_path / "page.png", "title $")
    with Image.open(tmp_path / "page.png") as page:
        assert page.width > 300
    assert sorted(ROWS) == list(range(DRUMS))
    long = ours.chain([document] * 40, "long")
    assert long.content.steps == 40 * BAR
    assert len(long.content.passages) == 1
    ours.sheet([("long", [long])], tmp_path / "long.png", "")
    assert (tmp_path / "long.png").stat().st_size > 5000


def test_what_is_played_is_in_order_and_at_the_own_tempo():
    velocity, offset = np.zeros((BAR, DRUMS), np.uint8), np.zeros((BAR, DRUMS), np.int8)
    velocity[[4, 4, 8], [CRASH, RIDE, KICK]] = 100
    offset[4, [CRASH, RIDE]] = 64, -64
    document = Document(Performance((make_passage(velocity, offset),), 60.0), "x")
    played = codec().playable(document)
    assert [(round(begin, 4), pitch) for begin, _, pitch in played] == [
        (0.9375, 51),
        (1.0625, 49),
        (2.0, 36),
    ]
