"""Files that players play and the format forbids: their notes, and what is said of them."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pretty_midi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aeplug.config import PartConfig
from aeplug.data.bundled import find_bundled
from aeplug.errors import FileError
from aeplug_music.drums.codec import DrumCodec
from aeplug_music.drums.window_shape import groove_shape
from aeplug_music.midi.reading import parse_midi, read_midi, repair_midi, ticks_to_seconds
from aeplug_music.midi.smf import InvalidMidi

END = b"\x00\xff\x2f\x00"
QUARTER = 480
TEMPO = b"\x00\xff\x51\x03\x09\x27\xc0"  # 100 BPM
METRE = b"\x00\xff\x58\x04\x03\x02\x18\x08"


def note(pitch, delta=0, length=QUARTER):
    """A note and its end, each with its status."""
    return quantity(delta) + bytes([0x90, pitch, 80]) + quantity(length) + bytes([0x80, pitch, 64])


def quantity(value):
    content = [value & 127]
    while value := value >> 7:
        content.insert(0, value & 127 | 128)
    return bytes(content)


def track(events, length=None):
    return b"MTrk" + struct.pack(">I", len(events) if length is None else length) + events


def smf(*tracks, count=None, kind=1, division=QUARTER):
    counted = len(tracks) if count is None else count
    return b"MThd" + struct.pack(">IHHH", 6, kind, counted, division) + b"".join(tracks)


FIRST = note(60) + note(62) + note(64)
SECOND = note(48) + note(50)
WHOLE = smf(track(TEMPO + METRE + END), track(FIRST + END), track(SECOND + END))


def notes(data):
    """(pitch, onset, end) of every track."""
    return [
        list(zip(one.pitch.tolist(), one.onset.tolist(), one.end.tolist(), strict=True))
        for one in parse_midi(data).tracks
    ]


def rmid(data, before=b"", after=b""):
    chunks = b"RMID" + before + b"data" + struct.pack("<I", len(data)) + data + after
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


SAME_NOTES = {
    "one track in the header": (smf(*(WHOLE[14:],), count=1), "the header says 1 track, 3 are"),
    "nine tracks in the header": (smf(*(WHOLE[14:],), count=9), "the header says 9 tracks, 3 are"),
    "the last byte missing": (WHOLE[:-1], "track 3 ends within an event"),
    "no end of the last track": (WHOLE[:-4], "track 3 ends without an end-of-track event"),
    "no end of a track": (
        smf(track(TEMPO + METRE + END), track(FIRST), track(SECOND + END)),
        "track 2 ends without an end-of-track event",
    ),
    "a track too long for the file": (
        smf(track(TEMPO + METRE + END), track(FIRST + END), track(SECOND + END, 2**31)),
        "another length",
    ),
    "a track that covers the next": (
        smf(track(TEMPO + METRE + END), track(FIRST + END, 60), track(SECOND + END)),
        "another length",
    ),
    "a track that covers all others": (
        smf(track(TEMPO + METRE + END, len(WHOLE) - 22), track(FIRST + END), track(SECOND + END)),
        "",
    ),
    "a track too short": (
        smf(track(TEMPO + METRE + END), track(FIRST + END, 9), track(SECOND + END)),
        "another length",
    ),
    "the last track too short": (
        smf(track(TEMPO + METRE + END), track(FIRST + END), track(SECOND + END, 10)),
        "another length",
    ),
    "junk before the header": (b"junk" * 32 + WHOLE, "128 bytes before the header"),
    "junk between tracks": (
        smf(track(TEMPO + METRE + END), b"\x00\x00junk", track(FIRST + END), track(SECOND + END)),
        "",
    ),
    "junk after the last track": (WHOLE + b"\x00junk\xff" * 9, ""),
    "a header with a wrong length": (
        WHOLE[:4] + struct.pack(">I", 2**32 - 1) + WHOLE[8:],
        "the header says it is 4294967295 bytes long",
    ),
    "RMID": (rmid(WHOLE), ""),
    "RMID with more": (rmid(WHOLE, b"LIST\x03\0\0\0abc\0", b"DISP\x04\0\0\0abcd"), ""),
    "RMID of a wrong length": (rmid(WHOLE)[:-1], "track 3 ends within an event"),
    "running status after a text": (
        smf(
            track(TEMPO + METRE + END),
            track(note(60) + b"\x00\xff\x01\x01x" + note(62)[:1] + b"\x90" + note(62)[2:]
                  + note(64) + END),
            track(SECOND[:9] + b"\x00\xff\x01\x01x\x00\x80\x0a\x40" + SECOND[9:] + END),
        ),
        "",
    ),
    "a live message": (
        smf(
            track(TEMPO + METRE + END), track(b"\x00\xfe" + FIRST + END),
            track(b"\x00\xf2\x01\x02" + SECOND + END),
        ),
        "2 x live message left out",
    ),
    "a tempo of two bytes": (
        smf(track(TEMPO + METRE + b"\x00\xff\x51\x02\x07\xa1" + END), track(FIRST + END),
            track(SECOND + END)),
        "tempo of 2 bytes left out",
    ),
    "a tempo of 0": (
        smf(track(TEMPO + METRE + b"\x00\xff\x51\x03\x00\x00\x00" + END), track(FIRST + END),
            track(SECOND + END)),
        "tempo 0 ignored",
    ),
    "a key signature of 8 sharps": (
        smf(track(TEMPO + METRE + b"\x00\xff\x59\x02\x08\x00" + END), track(FIRST + END),
            track(SECOND + END)),
        "key signature of 8 sharps ignored",
    ),
    "a key signature of one byte": (
        smf(track(TEMPO + METRE + b"\x00\xff\x59\x01\x02" + END), track(FIRST + END),
            track(SECOND + END)),
        "key signature of 1 bytes left out",
    ),
    "a time signature of 0": (
        smf(track(TEMPO + METRE + b"\x01\xff\x58\x04\x00\x02\x18\x08" + END), track(FIRST + END),
            track(SECOND + END)),
        "time signature 0/4 ignored",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME_NOTES)
def test_the_notes_are_those_of_the_whole_file(name):
    data, said = SAME_NOTES[name]
    tune, whole = parse_midi(data), parse_midi(WHOLE)
    assert notes(data) == notes(WHOLE)
    assert tune.tempos == whole.tempos
    assert tune.time_signatures == whole.time_signatures
    assert tune.keys == []
    if said:
        assert any(said in repair for repair in tune.repairs), tune.repairs
    assert "\n" not in "; ".join(tune.repairs)
    # What was repaired is a file that nobody needs to repair again.
    repaired, repairs = repair_midi(data)
    if repairs and not any("ignored" in one for one in repairs):
        assert repair_midi(repaired) == (repaired, ())
    assert notes(repaired) == notes(WHOLE)


def test_a_file_without_a_fault_stays_to_the_byte():
    assert repair_midi(WHOLE) == (WHOLE, ())
    assert repair_midi(rmid(WHOLE)) == (WHOLE, ())
    assert parse_midi(WHOLE).repairs == ()


def test_a_note_that_never_ends_ends_with_its_track():
    events = note(60) + b"\x00\x90\x3e\x50" + quantity(900) + b"\xff\x01\x03end" + END
    assert notes(smf(track(events))) == [[(60, 0, 480), (62, 480, 1380)]]
    assert parse_midi(smf(track(events))).repairs == ("1 note without an end, ended",)
    # Also where another track is longer.
    longer = smf(track(events), track(note(48, 5000) + END))
    assert notes(longer)[0] == [(60, 0, 480), (62, 480, 1380)]


def test_a_note_struck_again_without_an_end_ends_there():
    strike = b"\x90\x24\x50"
    drums = b"\x00" + strike + b"\x60" + strike + b"\x60" + strike + b"\x60\xff\x2f\x00"
    assert notes(smf(track(drums))) == [[(36, 0, 96), (36, 96, 192), (36, 192, 288)]]
    # Two strikes and one end: both end there at the latest, and nothing sounds on to the end.
    one_end = b"\x00" + strike + b"\x60" + strike + b"\x60\x80\x24\x40" + note(60, 960) + END
    assert max(end for pitch, _, end in notes(smf(track(one_end)))[0] if pitch == 36) == 192


def test_hanging_notes_in_any_channel_and_with_running_status():
    events = b"\x00\x9f\x3c\x50" + b"\x60\x3e\x50" + b"\x60\x3e\x00" + b"\x60\xff\x2f\x00"
    assert notes(smf(track(events))) == [[(60, 0, 288), (62, 96, 192)]]


def test_a_note_released_before_it_is_struck_has_no_length():
    """As some programs write notes that are shorter than a tick."""
    struck = note(60) + b"\x00\x80\x48\x40\x00\x90\x48\x50" + note(62) + note(64) + END
    tune = parse_midi(smf(track(struck)))
    assert notes(smf(track(struck))) == [
        [(60, 0, 480), (72, 480, 480), (62, 480, 960), (64, 960, 1440)]
    ]
    assert tune.repairs == ()


def test_data_above_127_comes_into_range():
    loud = b"\x00\x90\x3c\xc0" + b"\x60\x80\x3c\x40" + END
    tune = parse_midi(smf(track(loud)))
    assert tune.tracks[0].velocity.tolist() == [127]
    assert "above 127" in tune.repairs[0]


def test_a_damaged_track_is_read_up_to_there_and_the_others_whole():
    bad = note(60) + note(62) + b"\xff\xff\xff\xff\xff\xff" + note(64) + END
    tune = parse_midi(smf(track(bad), track(SECOND + END)))
    assert notes(smf(track(bad), track(SECOND + END))) == [
        [(60, 0, 480), (62, 480, 960)],
        [(48, 0, 480), (50, 480, 960)],
    ]
    assert any("track 1 read up to its damage" in repair for repair in tune.repairs)


def test_one_pattern_of_format_2_is_a_file_of_format_0():
    assert notes(smf(track(FIRST + END), kind=2)) == notes(smf(track(FIRST + END), kind=0))
    with pytest.raises(InvalidMidi, match=r"format 2 .its 2 tracks are patterns of their own"):
        parse_midi(smf(track(FIRST + END), track(SECOND + END), kind=2))


@pytest.mark.parametrize(
    ("division", "seconds"),
    [(0xE728, 1e-3), (0xE850, 1 / 1920), (0xE250, 1 / 2400), (0xE350, 1001 / 30000 / 80)],
)
def test_time_in_frames_keeps_its_seconds(division, seconds):
    """25 frames of 40 ticks, 24, 30 and 29.97 frames of 80."""
    tune = parse_midi(smf(track(note(60, 1000, 500) + END), division=division))
    (one,) = tune.tracks
    onset, end = (
        ticks_to_seconds(tune.tempos, tune.ticks_per_quarter, int(tick))
        for tick in (one.onset[0], one.end[0])
    )
    assert onset == pytest.approx(1000 * seconds, rel=1e-9)
    assert end == pytest.approx(1500 * seconds, rel=1e-9)
    assert any("time in frames" in repair for repair in tune.repairs)


def test_time_in_frames_takes_the_tempo_of_the_file():
    tune = parse_midi(smf(track(TEMPO + note(60, 1000, 500) + END), division=0xE728))
    assert round(tune.bpm) == 100
    assert tune.ticks_per_quarter == 600
    two = TEMPO + b"\x60\xff\x51\x03\x07\xa1\x20" + note(60) + END
    with pytest.raises(InvalidMidi, match="time in frames, with 2 tempos"):
        parse_midi(smf(track(two), division=0xE728))


def test_the_true_cause_is_said():
    with pytest.raises(InvalidMidi, match="no note-on event in its 2 tracks"):
        parse_midi(smf(track(TEMPO + END), track(b"\x00\xc0\x05" + END)))
    with pytest.raises(InvalidMidi, match="not a MIDI file"):
        parse_midi(b"RIFF\x04\0\0\0WAVE" + bytes(100))
    with pytest.raises(InvalidMidi, match="truncated"):
        parse_midi(WHOLE[:50])


def test_limits_hold_in_damaged_files_too():
    far = track(note(60) + b"\xff\xff\xff\x7f\x90\x3c\x50" * 3)
    with pytest.raises(InvalidMidi, match="ticks out of range"):
        parse_midi(smf(far, count=7))
    many = track(b"\x00\x90\x3c\x50" + b"\x00\x3c\x50" * 400_001)
    with pytest.raises(InvalidMidi, match="too many notes"):
        parse_midi(smf(many))


def test_one_line_says_what_was_repaired(tmp_path, capsys):
    path = tmp_path / "tune.rmi"
    path.write_bytes(rmid(WHOLE[:-1]))
    read_midi(path)
    assert capsys.readouterr().err == (
        f"{path}: repaired in reading: track 3 ends within an event\n"
    )
    path.write_bytes(rmid(WHOLE))
    read_midi(path)
    assert capsys.readouterr().err == ""


def test_drums_say_it_too(tmp_path, capsys):
    path = tmp_path / "beat.kar"
    path.write_bytes(smf(track(b"\x00\x99\x24\x50\x60\x26\x50\x60\xff\x2f")))
    performance = DrumCodec(PartConfig(), groove_shape(2)).read(path).content
    assert (performance.velocity > 0).sum() == 2
    said = "track 1 ends within an event; 2 notes without an end, ended"
    assert capsys.readouterr().err == f"{path}: repaired in reading: {said}\n"


@pytest.fixture(scope="module")
def tunes():
    with zipfile.ZipFile(find_bundled("folk_tunes.zip")) as archive:
        return [archive.read(name) for name in sorted(archive.namelist())[::300]]


def test_a_repaired_file_is_one_for_other_readers_too(tunes):
    for data in tunes:
        repaired, repairs = repair_midi(data[:-7])
        assert repairs
        midi = pretty_midi.PrettyMIDI(io.BytesIO(repaired))
        count = sum(len(one.notes) for one in midi.instruments)
        # It leaves out a note that ends where it begins.
        tracks = parse_midi(repaired).tracks
        assert count == sum(int((one.end > one.onset).sum()) for one in tracks)


DAMAGE = st.lists(
    st.one_of(
        st.tuples(st.just("cut"), st.floats(0, 1), st.just(0)),
        st.tuples(st.just("flip"), st.floats(0, 1), st.integers(0, 7)),
        st.tuples(st.just("count"), st.just(0.0), st.integers(0, 2**16 - 1)),
        st.tuples(st.just("length"), st.just(0.0), st.integers(0, 2**32 - 1)),
        st.tuples(st.just("insert"), st.floats(0, 1), st.integers(0, 255)),
        st.tuples(st.just("delete"), st.floats(0, 1), st.just(0)),
    ),
    min_size=1,
    max_size=6,
)


def damage(data, changes):
    data = bytearray(data)
    for kind, where, value in changes:
        place = int(where * max(len(data) - 1, 0))
        if kind == "cut":
            del data[place:]
        elif kind == "flip" and data:
            data[place] ^= 1 << value
        elif kind == "count":
            data[10:12] = struct.pack(">H", value)
        elif kind == "length" and (tag := bytes(data).rfind(b"MTrk")) >= 0:
            data[tag + 4 : tag + 8] = struct.pack(">I", value)
        elif kind == "insert":
            data.insert(place, value)
        elif kind == "delete":
            del data[place : place + 1]
    return bytes(data)


@settings(deadline=None, max_examples=300)
@given(which=st.integers(0, 14), changes=DAMAGE)
def test_whatever_the_damage_there_are_notes_or_one_clear_line(tunes, which, changes):
    data = damage(tunes[which % len(tunes)], changes)
    try:
        tune = parse_midi(data)
    except FileError as error:
        line = str(error)
    else:
        line = "read"
    assert line
    assert "\n" not in line
    if line != "read":
        return
    assert sum(map(len, tune.tracks)) > 0
    for one in tune.tracks:
        assert (np.diff(one.onset) >= 0).all()
        assert (one.end >= one.onset).all()
        assert ((one.velocity >= 1) & (one.pitch >= 0)).all()


@settings(deadline=None, max_examples=100)
@given(which=st.integers(0, 14), keep=st.floats(0.3, 1))
def test_a_cut_file_has_the_notes_before_the_cut(tunes, which, keep):
    data = tunes[which % len(tunes)]
    whole = {(p, a) for one in notes(data) for p, a, _ in one}
    cut = {(p, a) for one in notes(data[: int(keep * len(data))]) for p, a, _ in one}
    assert cut <= whole
    assert len(cut) >= (keep - 0.2) * len(whole)
