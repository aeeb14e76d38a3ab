"""Damaged files: one build over 500 of them, and a reason for each."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import struct
import subprocess
import sys
import time
import zipfile

import pytest

from aeplug.data.build import build
from aeplug.data.bundled import find_bundled
from aeplug_music.corpus.build import build_melodies
from aeplug_music.midi.reading import parse_midi
from aeplug_music.midi.smf import InvalidMidi, is_suspect

END = b"\x00\xff\x2f\x00"
NOTE = b"\x00\x90\x3c\x50\x83\x60\x80\x3c\x00"


def smf(events, division=480, kind=0, count=1, length=None, after=b"", header=6):
    length = len(events) if length is None else length
    return (
        b"MThd"
        + struct.pack(">IHHH", header, kind, count, division)
        + b"MTrk"
        + struct.pack(">I", length)
        + events
        + after
    )


#: 268 million ticks a time, with notes so far apart that a roll of them takes 453 GiB.
FAR_APART = smf(b"\x00\x90\x3c\x50" + b"\xff\xff\xff\x7f\x80\x3c\x00" + END, 1)

#: Two tracks with a note each.
TWO = smf(NOTE + END, kind=1, count=2) + smf(NOTE + END)[14:]

CRAFTED = {
    "empty file": b"",
    "not a MIDI file": b"\x89PNG\r\n\x1a\n" + bytes(200),
    "truncated": b"MThd\x00\x00",
    "truncated before the first note": (smf(NOTE + END)[:25], "truncated"),
    "no tracks": b"MThd" + struct.pack(">IHHH", 6, 0, 0, 480),
    "unknown format": smf(NOTE + END, kind=7),
    "format 2": smf(NOTE + END, kind=2, count=2) + smf(NOTE + END)[14:],
    "SMPTE division": smf(b"\x00\xff\x51\x03\x07\xa1\x21" + NOTE + END, 0xE728),
    "SMPTE division of no known rate": (smf(NOTE + END, 0xD028), "SMPTE division"),
    "division 0": smf(NOTE + END, 0),
    "ticks out of range": smf(
        b"\x00\x90\x3c\x50" + b"\xff\xff\xff\x7f\x90\x3c\x50\xff\xff\xff\x7f\x80\x3c\x00" * 20 + END
    ),
    "ticks beyond 2^33 in small steps": (
        smf(NOTE + b"\xff\xff\x7f\x90\x3c\x00" * 4100 + NOTE + END),
        "ticks out of range",
    ),
    "too long": FAR_APART,
    "delta time of more than four bytes": smf(b"\x81\x80\x80\x80\x00" + NOTE[1:] + END),
    "unknown event": smf(b"\x00\x3c\x50" + NOTE + END),
    "no notes": smf(END),
    "all notes are shorter than a tick": smf(b"\x00\x90\x3c\x50\x00\x80\x3c\x00" + END),
    "file too large": smf(NOTE + b"\x00\xff\x01\x82\x80\x80\x00" + bytes(2**22) + END),
    "too many notes": smf(b"\x00\x90\x3c\x50\x01\x80\x3c\x00" * 410_000 + END),
    "only drums": smf(b"\x00\x99\x24\x50\x83\x60\x89\x24\x00" + END),
    "no notes within the range": smf(b"\x00\x90\x05\x50\x83\x60\x80\x05\x00" + END),
    "metre not among those learnt": smf(b"\x00\xff\x58\x04\x07\x03\x18\x08" + NOTE + END),
    "shorter than 2 bars of one metre": smf(NOTE + END),
    "many long tracks": (
        b"MThd"
        + struct.pack(">IHHH", 6, 1, 2000, 1)
        + 2000 * smf(b"\x00\x90\x3c\x50\x81\x9c\x10\x80\x3c\x00" + END)[14:],
        "too long",
    ),
}


def reason_of(data):
    with pytest.raises(InvalidMidi) as caught:
        parse_midi(data)
    return caught.value.reason


#: Found by the build, beyond reading.
LATER = ("only drums", "no notes within", "all notes", "metre not among", "shorter than")


@pytest.mark.parametrize("name", [name for name in CRAFTED if not name.startswith(LATER)])
def test_each_crafted_file_has_its_reason(name):
    case = CRAFTED[name]
    data, reason = case if isinstance(case, tuple) else (case, name)
    start = time.perf_counter()
    found = reason_of(data)
    assert time.perf_counter() - start < 2
    assert found == reason


def test_an_error_survives_the_way_between_processes():
    import pickle

    error = pickle.loads(pickle.dumps(InvalidMidi("tempo 0", "at tick 3")))
    assert (error.reason, error.detail) == ("tempo 0", "at tick 3")
    assert str(error) == "tempo 0 (at tick 3)"


def may_be_wrong(data):
    """Whether a delta time has four bytes, a message is live, or a tempo or signature is wrong."""
    for place, byte in enumerate(data):
        is_flats = data[max(place - 3, 0) : place] == b"\xff\x59\x02"
        if 0xF1 <= byte <= 0xFE and byte != 0xF7 and not is_flats:
            return True
    high = [byte >= 0x80 for byte in data]
    if any(all(high[place : place + 3]) for place in range(len(data) - 2)):
        return True
    lengths = {0x51: 3, 0x58: 4, 0x59: 2}
    for place, (byte, kind) in enumerate(itertools.pairwise(data)):
        if (
            byte == 0xFF
            and kind in lengths
            and list(data[place + 2 : place + 3]) != [lengths[kind]]
        ):
            return True
    return False


def test_suspicion_falls_on_all_that_may_be_wrong():
    draw = random.Random(3)
    # Bytes that matter, so that most runs of them are suspicious for one reason or another.
    few = bytes([0, 2, 3, 4, 0x40, 0x51, 0x58, 0x59, 0x7F, 0x80, 0x81, 0xFF])
    found = {True: 0, False: 0}
    for number in range(4000):
        size = draw.randrange(number % 40 + 1)
        data = bytes(draw.choice(few if number % 2 else range(256)) for _ in range(size))
        expected = may_be_wrong(data)
        found[expected] += 1
        assert is_suspect(data) == expected, data
    assert min(found.values()) > 500
    for data in (b"\xff\x51", b"\xff", b"\x80\x80\x80", b"\x80\xff\x80", b"\xff\xff\x51\x02"):
        assert is_suspect(data) == may_be_wrong(data)
    # So many deltas of three bytes that they overflow, in a file without one of four.
    event = b"\xff\xff\x7f\x10\x3c"
    assert is_suspect(event * 1100)
    assert not is_suspect(event * 1000)


def test_a_longer_header_is_read():
    tune = parse_midi(b"MThd" + struct.pack(">IHHH", 8, 0, 1, 480) + b"xy" + smf(NOTE + END)[14:])
    assert tune.tracks[0].pitch.tolist() == [60]


def test_unknown_chunks_are_passed_over():
    alien = b"XFIH" + struct.pack(">I", 4) + b"abcd"
    data = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480) + alien + smf(NOTE + END)[14:] + alien
    assert parse_midi(data).tracks[0].pitch.tolist() == [60]


def damaged(count):
    """Files that are wrong in many ways, and by chance still right, as (name, bytes)."""
    draw = random.Random(7)
    with zipfile.ZipFile(find_bundled("folk_tunes.zip")) as archive:
        names = draw.sample(archive.namelist(), 100)
        tunes = [archive.read(name) for name in names]
    for name, case in CRAFTED.items():
        yield f"crafted {name}", case[0] if isinstance(case, tuple) else case
    for number in range(count - len(CRAFTED)):
        data = bytearray(draw.choice(tunes))
        kind = number % 4
        if kind == 0:
            for _ in range(draw.choice([1, 3, 30])):
                data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del data[draw.randrange(1, len(data)) :]
        elif kind == 2:
            data = bytearray(draw.randbytes(draw.randrange(1, 3000)))
        else:
            # The header stays, so that what follows is parsed.
            start = draw.randrange(22, len(data) - 1)
            data[start:] = draw.randbytes(len(data) - start)
        yield f"{number:03} {['flipped', 'cut', 'random', 'overwritten'][kind]}", bytes(data)


BUILD = """
import json, pathlib, resource, sys, time
from aeplug.data.build import build, summary
from aeplug_music.corpus.build import build_melodies
out = pathlib.Path(sys.argv[2])
report = build(build_melodies, [sys.argv[1]], out, 1, lambda done, total: None)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps({**summary(report), "peak_mb": peak}))
"""


def test_500_damaged_files_in_one_build(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    files = dict(damaged(500))
    assert len(files) == 500
    for name, data in files.items():
        (folder / f"{name.replace('/', ' ')}.mid").write_bytes(data)
    with zipfile.ZipFile(find_bundled("folk_tunes.zip")) as archive:
        sound = archive.namelist()[:20]
        for name in sound:
            (folder / f"sound {name.replace('/', ' ')}").write_bytes(archive.read(name))
    # A process of its own: the memory of its children is that of the readers.
    run = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    lines = (tmp_path / "out" / "skipped.jsonl").read_text(encoding="utf-8").splitlines()
    skipped = {entry["source"]: entry["reason"] for entry in map(json.loads, lines)}
    index = json.loads((tmp_path / "out" / "index.json").read_text(encoding="utf-8"))
    read = {tune["source"] for tune in index["tunes"]}
    # Every file is either listed with its reason or, flipped harmlessly, a tune.
    assert set(skipped) | read == {str(path) for path in folder.iterdir()}
    assert all(skipped.values())
    assert not set(skipped) & read
    assert len([name for name in read if "/sound " in name]) == len(sound)
    # Nothing is read out of random bytes, and what was damaged is listed as such.
    assert not [name for name in read if "random" in name]
    lines = (tmp_path / "out" / "repaired.jsonl").read_text(encoding="utf-8").splitlines()
    repaired = {entry["source"]: entry["repairs"] for entry in map(json.loads, lines)}
    assert report["repaired"] == len(repaired)
    assert {name for name in read if " cut" in name} <= set(repaired)
    assert not [name for name in repaired if "/sound " in name]
    assert all(repaired.values())
    assert report["peak_mb"] < 200
    # Nothing was too much for the reader: what was refused was refused with understanding.
    assert not [reason for reason in skipped.values() if "over 2 s" in reason or "crash" in reason]
    for name, case in CRAFTED.items():
        reason = skipped[str(folder / f"crafted {name}.mid")]
        if not isinstance(case, tuple):
            assert reason.startswith(name), (name, reason)


def test_no_damaged_file_takes_two_seconds():
    for name, data in damaged(300):
        start = time.perf_counter()
        with contextlib.suppress(InvalidMidi):
            parse_midi(data)
        assert time.perf_counter() - start < 2, name


def crash(data):
    """A reader that dies of some files, hangs on others and asks too much for a third kind."""
    if b"die" in data:
        import os

        os._exit(11)
    if b"hang" in data:
        time.sleep(60)
    if b"hoard" in data:
        bytearray(2**30)
    return parse_midi(data)


def test_a_reader_that_dies_or_hangs_costs_one_file(tmp_path):
    with zipfile.ZipFile(find_bundled("folk_tunes.zip")) as archive:
        for name in archive.namelist()[:8]:
            (tmp_path / name.replace("/", "_")).write_bytes(archive.read(name))
    for word in ("die", "hang", "hoard"):
        (tmp_path / f"b_{word}.mid").write_bytes(word.encode())
    out = tmp_path / "out"
    seen = []
    out.mkdir()
    report = build_melodies(
        [str(tmp_path)], out, 2, lambda done, total: seen.append((done, total)), parse=crash
    )
    reasons = {skip.source.split("_")[-1]: skip.reason for skip in report.skipped}
    assert reasons == {
        "die.mid": "crashed the reader",
        "hang.mid": "took over 2 s",
        "hoard.mid": "out of memory",
    }
    assert report.figures["tunes"] == 8
    assert seen[-1] == (11, 11)


def test_nothing_usable_is_an_error_that_says_why(tmp_path):
    from aeplug.errors import DataError

    (tmp_path / "a.mid").write_bytes(b"")
    with pytest.raises(DataError, match="empty file"):
        build(build_melodies, [str(tmp_path / "a.mid")], tmp_path / "out", 1, lambda a, b: None)
    with pytest.raises(DataError, match="no such file"):
        build(build_melodies, [str(tmp_path / "b")], tmp_path / "out", 1, lambda a, b: None)
