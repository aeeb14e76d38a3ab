"""What a user names -> files, the listing of zips, and the shares that processes are given."""

from __future__ import annotations

import json
import os
import zipfile

import pytest

from aeplug.data.build import build
from aeplug.data.bundled import find_bundled
from aeplug.errors import DataError
from aeplug_music.corpus.build import build_melodies
from aeplug_music.corpus.queue import BATCH_FILES, Queue
from aeplug_music.midi.archives import list_members
from aeplug_music.midi.smf import InvalidMidi
from aeplug_music.midi.sources import Reader, Source, find_sources, list_sources


def nothing(done, total):
    pass


def test_what_is_named_is_found(tmp_path):
    for name in ("a.mid", "sub/b.MIDI", "sub/k.kar", "sub/r.Rmi", "sub/notes.txt", "odd"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    with zipfile.ZipFile(tmp_path / "sub" / "z.zip", "w") as archive:
        for name in ("in/c.mid", "in/d.kar", "in/e.RMI"):
            archive.writestr(name, b"y" * 10)
        archive.writestr("in/readme.txt", b"y")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04")
    found, skipped = find_sources([str(tmp_path), str(tmp_path / "a.mid")])
    names = [str(one).removeprefix(str(tmp_path) + "/") for one in found]
    assert names == [
        *("a.mid", "sub/b.MIDI", "sub/k.kar", "sub/r.Rmi"),
        *("sub/z.zip!in/c.mid", "sub/z.zip!in/d.kar", "sub/z.zip!in/e.RMI"),
    ]
    assert [skip.reason for skip in skipped] == ["damaged zip"]
    with Reader() as reader:
        assert reader.read(found[-1]) == b"y" * 10
    assert [str(one) for one in find_sources([str(tmp_path / "odd")])[0]] == [str(tmp_path / "odd")]
    by_glob, _ = find_sources([str(tmp_path / "**" / "*.MIDI")])
    assert by_glob == [Source(str(tmp_path / "sub" / "b.MIDI"))]


def test_files_of_folders_come_in_the_order_of_their_paths(tmp_path):
    names = ["a/z.mid", "a.mid", "a/b/c.mid", "a b/x.mid", "B.mid", "é.mid", ".mid", "a/y.mid."]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "round.mid").symlink_to(tmp_path)
    (tmp_path / "link.mid").symlink_to(tmp_path / "a.mid")
    (tmp_path / "gone.mid").symlink_to(tmp_path / "nowhere")
    found, skipped = find_sources([str(tmp_path)])
    expected = [tmp_path / name for name in (*names[:6], "link.mid")]
    assert [source.path for source in found] == [str(path) for path in sorted(expected)]
    assert [(one.source, one.reason) for one in skipped] == [
        (str(tmp_path / "gone.mid"), "no regular file")
    ]


def test_a_folder_is_listed_as_it_is_named(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.mid").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    assert [one.path for one in find_sources(["."])[0]] == [os.path.join("sub", "a.mid")]
    assert [one.path for one in find_sources(["sub/"])[0]] == [os.path.join("sub", "a.mid")]


def test_a_folder_that_cannot_be_listed_is_skipped_and_the_rest_goes_on(tmp_path, monkeypatch):
    for name in ("a/1.mid", "b/2.mid", "c/3.mid"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"x")
    scandir = os.scandir

    def locked(path):
        if str(path).endswith("b"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    found, skipped = find_sources([str(tmp_path)])
    assert [os.path.basename(one.path) for one in found] == ["1.mid", "3.mid"]
    assert [(one.source, one.reason, one.detail) for one in skipped] == [
        (str(tmp_path / "b"), "folder cannot be listed", "Permission denied")
    ]


def test_a_name_without_an_answer_is_an_error_before_anything_is_listed(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        list_sources([str(tmp_path), str(tmp_path / "nowhere")], [])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_members_of_zips(tmp_path, method):
    path = tmp_path / "z.zip"
    content = {f"{'long/' * 80}{n}.mid": bytes([n]) * 5000 for n in range(3)}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
        archive.writestr("big.mid", bytes(2**22 + 1))
    found, _ = find_sources([str(path)])
    with Reader() as reader:
        for source in found[1:]:
            assert reader.read(source) == content[source.member]
        if method != zipfile.ZIP_LZMA:
            with pytest.raises(InvalidMidi, match="too large"):
                reader.read(found[0])
    data = bytearray(path.read_bytes())
    data[:600:20] = b"\xff" * 30
    path.write_bytes(data)
    with Reader() as reader, pytest.raises(InvalidMidi, match="damaged zip member"):
        reader.read(found[1])


def packed_by(path, kind):
    """A zip of one kind; its MIDI files by name."""
    names = [f"{n % 3}/tune {n}.mid" for n in range(40, 0, -1)]
    if kind == "accents":
        names = [f"é{name}" for name in names]
    if kind == "a signature in a name":
        names[3] = "PK\1\2.mid"
    content = {name: name.encode() * 9 for name in names}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = b"notes" if kind == "comment" else b""
        for number, (name, data) in enumerate(content.items()):
            member = zipfile.ZipInfo(name)
            member.compress_type = zipfile.ZIP_STORED if number % 2 else zipfile.ZIP_DEFLATED
            # What Info-ZIP adds to every member: the time at which it was changed.
            member.extra = b"UT\5\0\1abcd" if kind == "extra fields" else b""
            member.comment = b"by hand" if kind == "comments of members" else b""
            archive.writestr(member, data)
        archive.writestr("folder/", b"")
        archive.writestr("readme.txt", b"x")
    if kind == "in front":
        path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    return content


KINDS = ["plain", "accents", "comment", "extra fields", "comments of members", "in front"]


@pytest.mark.parametrize("kind", [*KINDS, "a signature in a name"])
def test_zips_are_listed_as_zipfile_lists_them(tmp_path, kind):
    path = tmp_path / "z.zip"
    content = packed_by(path, kind)
    names, packed, zips = list_members(str(path), (".mid",))
    assert not zips
    assert names == sorted(content)
    assert packed.shape == (len(names), 5)
    with zipfile.ZipFile(path) as archive:
        for name, row in zip(names, packed.tolist(), strict=True):
            one = archive.getinfo(name)
            deflated = one.compress_type == zipfile.ZIP_DEFLATED
            assert row == [one.header_offset, one.compress_size, one.file_size, one.CRC, deflated]
    found, _ = find_sources([str(path)])
    with Reader() as reader:
        assert {source.member: reader.read(source) for source in found} == content


def test_an_empty_zip(tmp_path):
    zipfile.ZipFile(tmp_path / "z.zip", "w").close()
    assert find_sources([str(tmp_path / "z.zip")]) == ([], [])


@pytest.mark.parametrize("damage", ["halfway", "cut", "end", "name"])
def test_a_zip_that_cannot_be_listed_has_its_reason_and_the_rest_goes_on(tmp_path, damage):
    with zipfile.ZipFile(find_bundled("folk_tunes.zip")) as archive:
        for folder in ("a", "c"):
            with zipfile.ZipFile(tmp_path / f"{folder}.zip", "w") as out:
                name = archive.namelist()[ord(folder)]
                out.writestr(name, archive.read(name))
    packed_by(tmp_path / "b.zip", "accents")
    data = bytearray((tmp_path / "b.zip").read_bytes())
    directory = data.index(b"PK\1\2")
    middle = data.index(b"PK\1\2", (directory + len(data)) // 2)
    if damage == "halfway":
        data[middle + 1] ^= 0xFF
    elif damage == "cut":
        del data[middle:]
    elif damage == "end":
        data[-22] ^= 0xFF
    else:
        # No UTF-8, as the member's flags say that it is.
        data[middle + 46] = 0xFF
    (tmp_path / "b.zip").write_bytes(data)
    report = build(build_melodies, [str(tmp_path)], tmp_path / "out", 2, nothing)
    assert [(one.source, one.reason) for one in report.skipped] == [
        (str(tmp_path / "b.zip"), "damaged zip")
    ]
    assert report.skipped[0].detail
    assert (report.figures["files"], report.figures["tunes"]) == (2, 2)


def test_a_zip_in_a_zip_is_listed_as_left_out_and_the_rest_goes_on(tmp_path):
    with zipfile.ZipFile(find_bundled("folk_tunes.zip")) as archive:
        name = archive.namelist()[0]
        tune = archive.read(name)
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as inner:
        inner.writestr("deep.mid", tune)
    packed = (tmp_path / "inner.zip").read_bytes()
    (tmp_path / "inner.zip").unlink()
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as outer:
        for member in ("b.ZIP", "a.mid", "sub/a.zip", "a.zip.txt", "folder.zip/"):
            outer.writestr(member, tune if member.endswith(".mid") else packed)
    report = build(build_melodies, [str(tmp_path)], tmp_path / "out", 1, nothing)
    assert report.figures["tunes"] == 1
    left_out = [f"{tmp_path / 'outer.zip'}!{member}" for member in ("b.ZIP", "sub/a.zip")]
    assert [(one.source, one.reason) for one in report.skipped] == [
        (source, "zip in a zip") for source in left_out
    ]
    lines = (tmp_path / "out" / "skipped.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["source"] for line in lines] == left_out
    assert all("unpack" in json.loads(line)["detail"] for line in lines)


def test_nothing_but_a_zip_in_a_zip_is_an_error_that_says_so(tmp_path):
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as outer:
        outer.writestr("inner.zip", b"PK")
    with pytest.raises(DataError, match="zip in a zip"):
        build(build_melodies, [str(tmp_path / "outer.zip")], tmp_path / "out", 1, nothing)


def listings(folder, counts):
    """Zips of so many files, as they are listed."""
    for number, count in enumerate(counts):
        with zipfile.ZipFile(folder / f"{number:03}.zip", "w") as archive:
            for n in range(count):
                archive.writestr(f"{n:05}.mid", b"")
    return list_sources([str(folder)], [])


def drained(queue):
    shares = []
    while (share := queue.next()) is not None:
        shares.append(share)
    return shares


@pytest.mark.parametrize("counts", [[], [3], [5, 0, 9], [1] * 30, [9000, 20, 3000]])
def test_shares_are_all_files_once_in_order(tmp_path, counts):
    shares = drained(Queue(listings(tmp_path, counts), 2))
    numbered = [pair for share in shares for pair in enumerate(share.files, share.first)]
    assert numbered == list(enumerate(find_sources([str(tmp_path)])[0]))
    assert all(0 < len(share.files) <= BATCH_FILES for share in shares)
    # Few files are shared out, and many small zips do not make small shares.
    assert len(shares) >= min(sum(counts), 7)
    assert len(shares) <= max(8, sum(counts) / BATCH_FILES + 1)


def test_what_is_left_of_a_lost_share_comes_next(tmp_path):
    queue = Queue(listings(tmp_path, [80]), 2)
    share = queue.next()
    assert queue.put_back(share, 4) == 1
    before, after = queue.next(), queue.next()
    assert [before.first, len(before.files), after.first, len(after.files)] == [0, 4, 5, 5]
    assert queue.put_back(before, 0) == 1
    assert queue.next().first == 1
    # Without a file to blame every file is tried alone.
    assert queue.put_back(after, None) == 0
    assert [(one.first, len(one.files)) for one in drained(queue)[:6]] == [
        *((number, 1) for number in range(5, 10)),
        (10, 10),
    ]
