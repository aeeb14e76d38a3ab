"""Files come back as they were, but for the notes that a model changed."""

from __future__ import annotations

import json
import wave

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from music_files import (
    HEAD,
    TUNE,
    Q,
    is_note,
    meta,
    metre,
    moved,
    name,
    notes,
    program,
    read_notes,
    read_tracks,
    smf,
    tempo,
    track,
    without_notes,
)

from aeplug.errors import FileError
from aeplug.interfaces import Document
from aeplug_music.melodies.codec import MelodyCodec
from aeplug_music.melodies.dataset import melody_shape
from aeplug_music.melodies.rewriting import plan_changes, rewrite_file
from aeplug_music.midi.reading import parse_midi
from aeplug_music.score.melody import extract_melody
from aeplug_music.score.metres import METRES
from aeplug_music.score.tokens import tokens_to_notes

#: Melodies are seen as they are, in whatever register and however short.
AS_IT_IS = MelodyCodec.Config(lowest=21, highest=108, short=0)

CODEC = MelodyCodec(AS_IT_IS, melody_shape(2, METRES))
BASS = (30, Q)


def read(data, folder):
    path = folder / "tune.mid"
    path.write_bytes(data)
    return CODEC.read(path)


def joined(document, tokens=None):
    """What a model made of a document: its own pieces, or ``tokens`` (P, T)."""
    raw = CODEC.split(document)
    pieces = raw["tokens"].long() if tokens is None else tokens
    return CODEC.join(pieces, {"metre": raw["metre"]}, document)


def write(document, folder, **options):
    files = CODEC.write(document, folder / "result", options)
    return files[0]


def with_note(document, step, token, *, removing=()):
    """The pieces of a document, with a note more and some less."""
    raw = CODEC.split(document)
    tokens = raw["tokens"].long()
    flat = tokens[:, :32].reshape(-1)
    for place in removing:
        flat[place] = 0
    flat[step] = token
    tokens[:, :32] = flat.reshape(-1, 32)
    return joined(document, tokens)


texts = st.binary(max_size=6).map(lambda content: bytes(byte & 0x7F for byte in content))
data_byte = st.integers(0, 127)
ticks = st.integers(0, 6 * 4 * Q)


@st.composite
def any_event(draw):
    kind = draw(st.sampled_from(["controller", "bend", "pressure", "text", "exclusive", "program"]))
    channel = draw(st.integers(0, 3))
    if kind == "text":
        return meta(draw(st.sampled_from([1, 4, 5, 6, 7])), draw(texts))
    if kind == "exclusive":
        content = bytes([*draw(texts), 0xF7])
        return bytes([0xF0, len(content)]) + content
    if kind == "program":
        # On a channel without notes: one within a track makes two of it.
        return program(draw(data_byte), 9)
    status = {"controller": 0xB0, "bend": 0xE0, "pressure": 0xD0}[kind] | channel
    return bytes([status, draw(data_byte), draw(data_byte)][: 2 if kind == "pressure" else 3])


@st.composite
def any_track(draw, channel):
    events = [(0, name(f"part {channel}"))]
    sequence = draw(
        st.lists(
            st.tuples(st.one_of(st.none(), st.integers(40, 90)), st.integers(30, 2 * Q)),
            max_size=24,
        )
    )
    sequence = [(60, Q), *sequence]
    events += notes(sequence, channel, draw(st.sampled_from([0.3, 0.9, 1.0, 1.2])), 60 + channel)
    if draw(st.booleans()):
        events += notes(moved(sequence, -5), channel, 0.8, 40)
    return events + draw(st.lists(st.tuples(ticks, any_event()), max_size=8))


@st.composite
def any_file(draw):
    tempos = draw(st.lists(st.tuples(ticks, st.sampled_from([50.0, 97.0, 200.0])), max_size=4))
    head = [(0, metre(*draw(st.sampled_from([(4, 4), (3, 4), (6, 8)]))))]
    head += [(tick, tempo(bpm)) for tick, bpm in tempos]
    tracks = [draw(any_track(channel)) for channel in range(draw(st.integers(1, 4)))]
    if draw(st.booleans()):  # all in one track
        return smf(track(head + [event for events in tracks for event in events]), kind=0)
    return smf(track(head), *map(track, tracks))


@given(any_file())
def test_a_file_whose_notes_no_model_changed_comes_back_event_for_event(data):
    melody = extract_melody(parse_midi(data))
    document = Document(melody, "tune")
    raw = CODEC.split(document)
    again = CODEC.join(raw["tokens"], {"metre": raw["metre"]}, document).content
    assert read_tracks(rewrite_file(replaced(again, melody), {})) == read_tracks(data)


@given(any_file(), st.integers(0, 2**32 - 1))
def test_whatever_a_model_makes_all_else_comes_back_event_for_event(data, seed):
    melody = extract_melody(parse_midi(data))
    origin = melody.origin
    document = Document(melody, "tune")
    raw = CODEC.split(document)
    random = np.random.default_rng(seed)
    made = raw["tokens"].numpy().copy()
    changed = random.random(made.shape) < 0.2
    made[changed] = random.choice([0, 1, 30, 45, 60], int(changed.sum()))
    result = CODEC.join(torch.tensor(made), {"metre": raw["metre"]}, document).content
    found = read_tracks(rewrite_file(replaced(result, melody), {}))
    before = read_tracks(data)
    assert len(found) == len(before)
    channel = int(origin.track.velocity.max()) - 60
    others = [
        [event for event in events if not is_note(event[1]) or event[1][0] & 15 != channel]
        for events in before
    ]
    for events, expected in zip(found, others, strict=True):
        kept = [event for event in events if not is_note(event[1]) or event[1][0] & 15 != channel]
        assert without_notes(kept) == without_notes(expected)
        assert [e for e in kept if is_note(e[1])] == [e for e in expected if is_note(e[1])]
    # Chords under the voice, and the notes that the result has in common with the tune, stay too.
    changes = plan_changes(origin, result.tokens)
    stay = [n for n in range(len(origin.track)) if n not in {*changes.removed, *changes.ends}]
    there = {
        (tick, message[1], message[2])
        for events in found
        for tick, message in events
        if message[0] == 0x90 | channel
    }
    for number in stay:
        one = (origin.track.onset[number], origin.track.pitch[number])
        assert (*map(int, one), int(origin.track.velocity[number])) in there


def replaced(result, melody):
    """With the file behind it, which the codec keeps of documents that have a source."""
    from dataclasses import replace

    return replace(result, origin=melody.origin)


def test_short_notes_stay_short_and_new_ones_are_as_short(tmp_path):
    document = read(smf(track(HEAD + notes(TUNE, gate=0.2))), tmp_path)
    assert read_tracks(write(joined(document), tmp_path)) == read_tracks(tmp_path / "tune.mid")
    found = read_tracks(write(with_note(document, 2, 50), tmp_path))
    new = [note for note in read_notes(found[0]) if note[0] == Q // 2]
    ((_, length, pitch, velocity),) = new
    assert (pitch, velocity) == (50 + 19, 90)
    assert length <= Q // 4
    assert len(read_notes(found[0])) == len(TUNE) + 1


def test_new_notes_are_as_loud_as_those_around_them(tmp_path):
    loud = [(tick + 8 * Q, message) for tick, message in notes(TUNE[:5], velocity=120)]
    document = read(smf(track(HEAD + notes(TUNE[:7], velocity=30) + loud)), tmp_path)
    result = with_note(document, 6, 50)
    assert (6 * Q // 4, 69, 30) in strikes(write(result, tmp_path))
    result = with_note(document, 32 + 10, 50)
    assert (42 * Q // 4, 69, 120) in strikes(write(result, tmp_path))
    assert (42 * Q // 4, 69, 7) in strikes(write(result, tmp_path, velocity=7))


def strikes(path):
    return {
        (tick, message[1], message[2])
        for events in read_tracks(path)
        for tick, message in events
        if message[0] & 0xF0 == 0x90
    }


def test_a_note_sounds_until_a_new_one_begins(tmp_path):
    document = read(smf(track(HEAD + notes(TUNE))), tmp_path)
    found = read_notes(read_tracks(write(with_note(document, 18, 60), tmp_path))[0])
    assert [note[:3] for note in found[4:6]] == [
        (4 * Q, Q // 2, 74),
        (4 * Q + Q // 2, 3 * Q // 2, 79),
    ]


def test_chords_under_the_voice_stay_and_graces_go_with_their_note(tmp_path):
    chord = [(4 * Q, bytes([0x90, 62, 50])), (6 * Q, bytes([0x80, 62, 64]))]
    grace = [(Q - 30, bytes([0x90, 70, 50])), (Q, bytes([0x80, 70, 64]))]
    document = read(smf(track(HEAD + notes(TUNE) + chord + grace)), tmp_path)
    result = with_note(document, 20, 50, removing=(4, 16))
    found = [note[:3] for note in read_notes(read_tracks(write(result, tmp_path))[0])]
    assert (4 * Q, 2 * Q, 62) in found
    assert (4 * Q, 2 * Q, 74) not in found
    assert not [note for note in found if note[2] == 70]


def test_late_tempos_do_not_reach_back(tmp_path):
    data = smf(track([(0, metre(4, 4)), (8 * Q, tempo(60)), *notes(TUNE)]))
    document = read(data, tmp_path)
    assert document.content.bpm == 120
    mid, wav = CODEC.write(joined(document), tmp_path / "result", {"wav": True})
    assert read_tracks(mid) == read_tracks(data)
    with wave.open(str(wav)) as sound:
        assert 12 <= sound.getnframes() / sound.getframerate() < 14


def test_a_tempo_scales_the_map(tmp_path):
    data = smf(track([*HEAD, (4 * Q, tempo(140)), (12 * Q, tempo(70)), *notes(TUNE)]))
    document = read(data, tmp_path)
    tune = parse_midi(write(joined(document), tmp_path, tempo=50).read_bytes())
    assert [(tick, round(60e6 / value)) for tick, value in tune.tempos] == [
        (0, 50),
        (4 * Q, 70),
        (12 * Q, 35),
    ]
    late = read(smf(track([(8 * Q, tempo(60)), *notes(TUNE)])), tmp_path)
    tune = parse_midi(write(joined(late), tmp_path, tempo=60).read_bytes())
    assert [(tick, round(60e6 / value)) for tick, value in tune.tempos] == [(0, 60), (8 * Q, 30)]


def band():
    return smf(
        track([*HEAD, (8 * Q, tempo(80))]),
        track([(0, name("Tune")), (0, program(73)), (Q, meta(5, b"la")), *notes(TUNE)]),
        track([(0, name("Bass")), (0, program(33, 1)), *notes([BASS] * 16, 1)]),
    )


def test_the_track_alone_with_what_says_when(tmp_path):
    found = read_tracks(write(joined(read(band(), tmp_path)), tmp_path, only=True))
    before = read_tracks(band())
    assert found == before[:2]


def test_another_program_on_request(tmp_path):
    found = read_tracks(write(joined(read(band(), tmp_path)), tmp_path, program=5))
    before = read_tracks(band())
    assert found[0] == before[0] and found[2] == before[2]
    programs = [event for event in found[1] if event[1][0] == 0xC0]
    assert programs == [(0, program(5))]


def test_in_another_metre_than_its_file_a_melody_stands_alone(tmp_path):
    document = read(band(), tmp_path)
    raw = CODEC.split(document)
    waltz = torch.full_like(raw["metre"], METRES.index("3/4"))
    result = CODEC.join(raw["tokens"], {"metre": waltz}, document)
    assert len(parse_midi(write(result, tmp_path).read_bytes()).tracks) == 1


def test_what_lies_between_files_belongs_to_none(tmp_path):
    from dataclasses import replace

    between = joined(replace(read(band(), tmp_path), source=None))
    tune = parse_midi(write(between, tmp_path).read_bytes())
    assert len(tune.tracks) == 1
    assert round(tune.bpm) == 100


def test_bars_that_are_added_follow_the_melody_and_all_else_stays(tmp_path):
    document = read(band(), tmp_path)
    piece = torch.zeros(1, CODEC.width, dtype=torch.long)
    piece[0, 0] = 60
    cond = {"metre": torch.tensor([METRES.index("3/4")])}
    found = read_tracks(write(CODEC.append_pieces(document, piece, cond), tmp_path))
    before = read_tracks(band())
    assert without_notes(found[0]) == [*without_notes(before[0]), (16 * Q, metre(3, 4))]
    assert found[2] == before[2]
    assert read_notes(found[1])[:-1] == read_notes(before[1])
    assert read_notes(found[1])[-1] == (16 * Q, 6 * Q, 79, 90)


def test_doubled_parts_are_told_apart(tmp_path):
    part = track([(0, program(73)), *notes(TUNE)])
    data = smf(track(HEAD), part, part)
    tune = parse_midi(data)
    for number, changed in ((0, 1), (1, 2)):
        melody = extract_melody(tune)
        from dataclasses import replace

        origin = replace(melody.origin, number=number)
        tokens = melody.tokens.copy()
        tokens[2] = 50
        onset, _, _ = tokens_to_notes(tokens)
        assert len(onset) == len(TUNE) + 1
        result = replace(
            melody, origin=origin, passages=(replace(melody.passages[0], tokens=tokens),)
        )
        found = read_tracks(rewrite_file(result, {}))
        before = read_tracks(data)
        assert [a == b for a, b in zip(found, before, strict=True)] == [
            place != changed for place in range(3)
        ]


def test_of_all_tracks_each_comes_back_in_its_place(tmp_path):
    path = tmp_path / "tune.mid"
    path.write_bytes(band())
    document = CODEC.with_options({"track": "all"}).read(path)
    assert len(document.content.others) == 1
    assert read_tracks(write(joined(document), tmp_path)) == read_tracks(band())
    raw = CODEC.split(document)
    tokens = raw["tokens"].long()
    tokens[0, 2], tokens[2, 6] = 50, 20
    found = read_tracks(write(joined(document, tokens), tmp_path))
    before = read_tracks(band())
    assert found[0] == before[0]
    for number, (onset, pitch) in ((1, (Q // 2, 69)), (2, (3 * Q // 2, 39))):
        new = {note[:3:2] for note in read_notes(found[number])}
        assert new - {note[:3:2] for note in read_notes(before[number])} == {(onset, pitch)}
    assert len(read_tracks(write(joined(document), tmp_path, only=True))) == 3
    with pytest.raises(FileError, match="one melody goes on"):
        CODEC.context_pieces(document)


def test_the_track_that_is_taken_is_said(capsys, tmp_path):
    read(band(), tmp_path)
    assert "melody: track 1 'Tune' (by its name); others: 2 'Bass'" in capsys.readouterr().err
    other = CODEC.with_options({"track": "bass"}).read(tmp_path / "tune.mid")
    assert other.content.origin.number == 1


def test_an_interpolation_is_a_melody_between_two_whole_files(invoke, tmp_path):
    other = smf(track([(0, tempo(60)), (0, metre(4, 4)), *notes(moved(TUNE, 2))]))
    for called, data in (("a", band()), ("b", other)):
        (tmp_path / f"{called}.mid").write_bytes(data)
    out = tmp_path / "out"
    ends = (tmp_path / "a.mid", tmp_path / "b.mid")
    options = ("--steps", 5, "--out", out, "--device", "cpu")
    result = invoke("interpolate", "melody-2bar", *ends, *options)
    assert result.code == 0, result.err
    assert read_tracks(out / "step-01.mid") == read_tracks(band())
    assert read_tracks(out / "step-05.mid") == read_tracks(other)
    between = [parse_midi((out / f"step-0{step}.mid").read_bytes()) for step in (2, 3, 4)]
    assert [len(tune.tracks) for tune in between] == [1, 1, 1]
    assert [round(tune.bpm) for tune in (between[0], between[-1])] == [100, 60]


@pytest.mark.parametrize(
    "verb",
    [
        ("reconstruct", "melody-2bar"),
        ("vary", "melody-2bar", "--similarity", "0.5", "-n", "2"),
        ("continue", "melody-2bar", "--bars", "2", "-n", "1"),
    ],
    ids=lambda verb: verb[0],
)
def test_with_the_model_that_ships_all_else_of_a_file_stays(verb, invoke, tmp_path):
    source = tmp_path / "band.mid"
    source.write_bytes(band())
    out = tmp_path / "out"
    command, model, *rest = verb
    result = invoke(command, model, source, *rest, "--out", out, "--device", "cpu", "--json")
    assert result.code == 0, result.err
    readings = list(json.loads(result.out)["readings"].values())
    assert readings == ["melody: track 1 'Tune' (by its name); others: 2 'Bass'"]
    assert readings[0] in result.err
    written = sorted(out.glob("*.mid"))
    assert written
    before = read_tracks(band())
    for path in written:
        found = read_tracks(path)
        assert found[0] == before[0] and found[2] == before[2]
        assert without_notes(found[1]) == without_notes(before[1])
