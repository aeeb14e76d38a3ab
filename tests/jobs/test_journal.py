"""The journal of a job: whatever moment a kill picks, what it says is true."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aeplug.errors import ConfigError, FileError
from aeplug.jobs.journal import FOLDER, Journal

JOB = {"model": "m", "weights": "w", "options": {}}
NAMES = ["a.x", "sub/b.x", "новый\n.x", os.fsdecode(b"\xff.x"), "c.x"]


def source(number):
    return {"path": f"/in/{number}", "size": number, "time": number}


def publish(journal, place, number, tails=(".x",)):
    stem = journal.new_stem()
    base = place.removesuffix(".x")
    for tail in tails:
        stem.with_name(stem.name + tail).write_text(f"{number}")
    journal.publish(place, source(number), stem, {tail: base + tail for tail in tails})


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def filled(out):
    with Journal(out, JOB) as journal:
        for number, name in enumerate(NAMES):
            publish(journal, name, number)


class TestDone:
    def test_is_what_was_published_and_is_still_there(self, out):
        filled(out)
        with Journal(out, JOB) as journal:
            assert len(journal) == len(NAMES)
            for number, name in enumerate(NAMES):
                assert (out / name).read_text() == str(number)
                assert journal.done(name, source(number))
                assert not journal.done(name, source(number + 1))
                assert journal.owns(name)
            assert not journal.owns("d.x")
            (out / "a.x").unlink()
            assert not journal.done("a.x", source(0)) and journal.owns("a.x")

    def test_is_the_latest_source(self, out):
        filled(out)
        with Journal(out, JOB) as journal:
            publish(journal, "a.x", 7)
        with Journal(out, JOB) as journal:
            assert journal.done("a.x", source(7)) and not journal.done("a.x", source(0))
            assert len(journal) == len(NAMES)

    def test_a_result_of_several_files(self, out):
        with Journal(out, JOB) as journal:
            publish(journal, "a.x", 1, (".x", ".wav"))
        assert (out / "a.x").exists() and (out / "a.wav").exists()

    @pytest.mark.parametrize("gone", ["sub/a.x", "sub/a.wav", "sub/other"])
    def test_needs_all_its_files(self, out, gone):
        with Journal(out, JOB) as journal:
            publish(journal, "b.x", 2)
            stem = journal.new_stem()
            files = {".x": "sub/a.x", ".wav": "sub/a.wav", "-o": "sub/other"}
            for tail in files:
                stem.with_name(stem.name + tail).touch()
            journal.publish("sub/a.x", source(1), stem, files)
            publish(journal, "c.x", 3, (".x", ".wav"))
        with Journal(out, JOB) as journal:
            assert journal.done("sub/a.x", source(1)) and journal.done("b.x", source(2))
            (out / gone).unlink()
            assert not journal.done("sub/a.x", source(1))
            assert journal.owns("sub/a.x")
            assert journal.done("c.x", source(3))
            publish(journal, "sub/a.x", 1)
        with Journal(out, JOB) as journal:  # of the latest line, and that names one
            assert journal.done("sub/a.x", source(1))

    def test_work_is_cleared_away(self, out):
        filled(out)
        assert sorted(path.name for path in (out / FOLDER).iterdir()) == ["journal.jsonl", "lock"]

    def test_discard_leaves_others(self, out):
        with Journal(out, JOB) as journal:
            stems = [journal.new_stem() for _ in range(12)]
            for stem in stems:
                stem.with_name(stem.name + ".x").touch()
                stem.with_name(f".{stem.name}.x.partial").touch()
            journal.discard(stems[1])
            assert len(list(journal.work.iterdir())) == 22
            assert stems[11].with_name(stems[11].name + ".x").exists()


class TestKill:
    @given(
        cut=st.integers(0, 1500),
        tail=st.sampled_from(
            [b"", b"\0\0", b'{"out'],
        ),
    )
    def test_cut_at_any_byte_what_is_left_is_true_and_goes_on(self, tmp_path_factory, cut, tail):
        out = tmp_path_factory.mktemp("torn") / "out"
        filled(out)
        path = out / FOLDER / "journal.jsonl"
        content = path.read_bytes()
        cut = min(cut, len(content))
        path.write_bytes(content[:cut] + tail)
        whole = max(content[:cut].count(b"\n") - 1, 0)
        with Journal(out, JOB) as journal:
            known = [journal.done(name, source(number)) for number, name in enumerate(NAMES)]
            assert known == [number < whole for number in range(len(NAMES))]
            publish(journal, "z.x", 99)
        with Journal(out, JOB) as journal:
            assert journal.done("z.x", source(99))
            assert len(journal) == whole + 1

    def test_between_the_line_and_the_renaming(self, out, monkeypatch):
        filled(out)
        journal = Journal(out, JOB)
        monkeypatch.setattr(journal, "_move", lambda line: None)
        publish(journal, "a.x", 7)  # the line is there, the file is not moved: killed
        publish(journal, "new/d.x", 8)
        left = journal.new_stem()
        left.with_name(left.name + ".x").write_text("half a file")
        journal._lock.close()
        journal._file.close()
        assert (out / "a.x").read_text() == "0"
        with Journal(out, JOB) as again:
            assert (out / "a.x").read_text() == "7" and again.done("a.x", source(7))
            assert (out / "new" / "d.x").read_text() == "8"
            assert list(again.work.iterdir()) == []

    @pytest.mark.parametrize("tail", [".x", ".wav"])
    def test_between_two_files_of_a_result(self, out, tail):
        with Journal(out, JOB) as journal:
            publish(journal, "a.x", 1, (".x", ".wav"))
            line = (out / FOLDER / "journal.jsonl").read_text().splitlines()[1]
            work = json.loads(line)["work"]
        (out / FOLDER / "work").mkdir()
        (out / f"a{tail}").rename(out / FOLDER / "work" / f"{work}{tail}")
        with Journal(out, JOB) as journal:
            assert journal.done("a.x", source(1))
        assert (out / "a.x").exists() and (out / "a.wav").exists()

    def test_a_line_of_nonsense_in_the_middle_is_one_result_to_do_again(self, out):
        filled(out)
        path = out / FOLDER / "journal.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        lines[2] = b"\0" * (len(lines[2]) - 1) + b"\n"
        path.write_bytes(b"".join(lines))
        with Journal(out, JOB) as journal:
            known = [journal.done(name, source(number)) for number, name in enumerate(NAMES)]
        assert known == [True, False, True, True, True]

    def test_a_damaged_head_is_refused(self, out):
        filled(out)
        path = out / FOLDER / "journal.jsonl"
        path.write_bytes(b"\0\0\n" + path.read_bytes())
        with pytest.raises(FileError, match=r"is damaged; remove .*\.aeplug, or name another"):
            Journal(out, JOB)


class TestOthers:
    @pytest.mark.parametrize("key", list(JOB))
    def test_another_job_is_refused_and_the_difference_named(self, out, key):
        filled(out)
        before = (out / FOLDER / "journal.jsonl").read_bytes()
        with pytest.raises(ConfigError, match=rf"results of another job \(its {key} differ\)"):
            Journal(out, {**JOB, key: "other"})
        assert (out / FOLDER / "journal.jsonl").read_bytes() == before

    def test_overwrite_makes_them_again_and_goes_on_after_a_kill(self, out):
        filled(out)
        other = {**JOB, "model": "n"}
        with Journal(out, other, overwrite=True) as journal:
            assert len(journal) == 0
            publish(journal, "a.x", 0)
        with Journal(out, other, overwrite=True) as journal:
            assert journal.done("a.x", source(0)) and not journal.done("c.x", source(4))

    def test_two_at_once(self, out):
        with Journal(out, JOB), pytest.raises(ConfigError, match="another job is writing there"):
            Journal(out, JOB)
        with Journal(out, JOB):
            pass

    def test_a_file_in_place_of_the_folder(self, tmp_path):
        (tmp_path / "out").touch()
        with pytest.raises(FileError, match=r"--out .*out: "):
            Journal(tmp_path / "out", JOB)


class TestTrouble:
    def test_a_full_disk_leaves_no_torn_line(self, out, monkeypatch):
        filled(out)
        with Journal(out, JOB) as journal:

            def full(descriptor):
                raise OSError(28, "No space left on device")

            with monkeypatch.context() as patch:
                patch.setattr("aeplug.jobs.journal.os.fsync", full)
                with pytest.raises(OSError, match="No space"):
                    publish(journal, "d.x", 9)
            publish(journal, "e.x", 10)
        with Journal(out, JOB) as journal:
            assert not journal.owns("d.x") and journal.done("e.x", source(10))
            assert journal.done("a.x", source(0))

    def test_a_result_that_cannot_be_moved_is_not_done(self, out):
        with Journal(out, JOB) as journal:
            (out / "sub").touch()
            with pytest.raises(OSError, match=r"exists|directory"):
                publish(journal, "sub/a.x", 1)
            (out / "sub").unlink()
        with Journal(out, JOB) as journal:
            assert not journal.done("sub/a.x", source(1))

    def test_removed_folder_of_results_begins_anew(self, out):
        filled(out)
        shutil.rmtree(out)
        with Journal(out, JOB) as journal:
            assert len(journal) == 0
