"""A job over many files: all of them once, bad ones listed, whatever comes between."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import aeplug.jobs.pipeline as pipeline_module
import aeplug.jobs.reconstruction as reconstruction_module
from aeplug.data.batching import INFERENCE_BATCH
from aeplug.errors import AeplugError, ConfigError, FileError
from aeplug.inference.reconstruct import reconstruct_document
from aeplug.interfaces import Sampling
from aeplug.jobs.failures import FAILED
from aeplug.jobs.inputs import Inputs
from aeplug.jobs.job import Job
from aeplug.jobs.pipeline import Pipeline
from aeplug.jobs.reconstruction import Reconstruction
from aeplug.runtime.signals import stop_requests

GREEDY = Sampling(greedy=True)


def write(path: Path, *rows: list[int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(rows) or [[10, 200, 105, 150]]))
    return path


@pytest.fixture
def files(tmp_path):
    """Forty files of different lengths in a tree."""
    for number in range(40):
        rows = [[number, number * 6, 255 - number, 3]] * (1 + number % 3)
        write(tmp_path / "in" / f"{number % 4}" / f"{number:02}.tiny", *rows)
    return tmp_path / "in"


def make(model, *inputs, out, manifest="", **options):
    inputs = Inputs([str(one) for one in inputs], manifest, (".tiny",), out, skip_unlisted=True)
    how = {name: options.pop(name) for name in ("sampling", "seed", "to") if name in options}
    reconstruction = Reconstruction(model, **how)
    return Job(reconstruction, inputs, out, ".tiny", options.pop("write", {}), **options)


def results(out):
    """Relative path and content of every file that is a result."""
    return {
        str(path.relative_to(out)): path.read_text()
        for path in sorted(out.rglob("*"))
        if path.is_file() and ".aeplug" not in path.parts and path.name != FAILED
    }


def failed(out):
    lines = (out / FAILED).read_text().splitlines()
    return {entry["file"]: entry["reason"] for entry in map(json.loads, lines)}


class TestResults:
    def test_are_those_of_the_model_one_by_one_in_the_inputs_tree(self, model, files, tmp_path):
        out = tmp_path / "out"
        job = make(model, files, out=out)
        assert job.run() == 0
        assert (job.counts.total, job.counts.done, job.counts.failed) == (40, 40, 0)
        expected = {}
        for path in sorted(files.rglob("*.tiny")):
            after = reconstruct_document(model, model.read(path), GREEDY)
            expected[str(path.relative_to(files))] = json.dumps(after.content)
        assert results(out) == expected
        assert not (out / FAILED).exists()

    def test_files_go_through_the_model_together(self, model, tmp_path, monkeypatch):
        for number in range(600):
            write(tmp_path / "in" / f"{number}.tiny")
        sizes = []
        through = reconstruction_module.reconstruct_chunks
        started = threading.Event()

        def slow_at_first(model, raws, *how):
            if not started.is_set():  # until others have been read
                time.sleep(0.5)
                started.set()
            sizes.append(len(raws))
            return through(model, raws, *how)

        monkeypatch.setattr(reconstruction_module, "reconstruct_chunks", slow_at_first)
        assert make(model, tmp_path / "in", out=tmp_path / "out").run() == 0
        assert sum(sizes) == 600
        assert max(sizes) <= INFERENCE_BATCH
        assert len(sizes) < 60

    def test_options_reach_the_codec(self, model, files, tmp_path):
        make(model, files, out=tmp_path / "out", write={"shout": True}).run()
        assert all(text.endswith("\n") for text in results(tmp_path / "out").values())

    def test_draws_of_a_file_do_not_depend_on_the_others(self, model, files, tmp_path, monkeypatch):
        seeds = {}
        through = reconstruction_module.reconstruct_chunks

        def noted(model, raws, sampling, *more):
            assert len(raws) == 1
            seeds.setdefault(len(seeds), sampling.generator.initial_seed())
            return through(model, raws, sampling, *more)

        monkeypatch.setattr(reconstruction_module, "reconstruct_chunks", noted)
        draws = Sampling(1.0, generator=model.generator(5))
        make(model, files, out=tmp_path / "a", sampling=draws, seed=5).run()
        every = list(seeds.values())
        assert len(set(every)) == 40
        seeds.clear()
        monkeypatch.chdir(files)
        (tmp_path / "list").write_text(sorted(results(files))[7])
        listed = str(tmp_path / "list")
        make(model, out=tmp_path / "b", manifest=listed, sampling=draws, seed=5).run()
        assert list(seeds.values()) == [every[7]]

    def test_parts_of_a_large_file_show_progress(self, model, tmp_path, monkeypatch, capsys):
        class Streaming:
            """The model's codec, a row at a time."""

            def __getattr__(self, name):
                return getattr(plain, name)

            def chunks(self, document):
                rows = plain.split(document)["x"]
                return iter([{"x": row[None]} for row in rows])

            def assemble(self, results, like):
                return plain.join(torch.cat(list(results)), {}, like)

        plain = model.codec
        monkeypatch.setattr(model, "codec", Streaming())
        monkeypatch.setattr("aeplug.runtime.console.LINE_SECONDS", 0.0)
        path = write(tmp_path / "long.tiny", *([[1, 2, 3, 4]] * 5))
        assert make(model, path, out=tmp_path / "out").run() == 0
        lines = capsys.readouterr().err.splitlines()
        assert lines[0] == "0/1 files"
        shown = [line for line in lines if "part" in line]
        assert re.fullmatch(r"0/1 files, .*/s, .* left  long\.tiny: part 2 of 5", shown[1])
        assert shown[-1].endswith("part 5 of 5")

    def test_pairs_for_a_sheet_are_kept_in_order(self, model, files, tmp_path):
        job = make(model, files, out=tmp_path / "out", keep_pairs=5)
        job.run()
        assert len(job.pairs) == 5
        for _, before, after in job.pairs:
            assert len(before.content) == len(after.content)


class TestBadFiles:
    def test_each_is_listed_and_tried_again(self, model, files, tmp_path):
        out = tmp_path / "out"
        bad = files / "0" / "00.tiny"
        bad.write_text("no")
        (files / "9.tiny").touch()
        names = [str(bad), str(files / "9.tiny"), str(files / "gone.tiny")]
        job = make(model, files, names[2], out=out)
        assert job.run() == 0
        assert (job.counts.done, job.counts.failed, job.counts.total) == (39, 3, 42)
        assert set(failed(out)) == set(names)
        assert all("not a .tiny file" in reason for reason in failed(out).values())
        write(bad)
        write(files / "9.tiny")
        job = make(model, files, out=out)
        job.run()
        assert (job.counts.before, job.counts.done, job.counts.failed) == (39, 2, 0)
        assert not (out / FAILED).exists()
        assert len(results(out)) == 41

    def test_whatever_a_codec_or_model_raises_is_one_files_reason(
        self, model, files, tmp_path, monkeypatch
    ):
        out = tmp_path / "out"
        kinds = {
            "01": ("read", KeyError("k")),
            "02": ("split", MemoryError()),
            "03": ("model", torch.OutOfMemoryError("CUDA out of memory")),
            "04": ("join", RuntimeError("two\nlines")),
            "05": ("write", OSError(errno.EACCES, "Permission denied")),
            "06": ("write", FileError("cannot be written")),
            "07": ("read", RuntimeError("DefaultCPUAllocator: can't allocate memory")),
        }

        def trouble(where, name):
            if kinds.get(name, ("",))[0] == where:
                raise kinds[name][1]

        codec = model.codec
        plain = {name: getattr(codec, name) for name in ("read", "split", "join", "write")}
        monkeypatch.setattr(
            codec, "read", lambda path: (trouble("read", path.stem), plain["read"](path))[1]
        )
        for name in ("split", "write"):
            monkeypatch.setattr(
                codec,
                name,
                lambda document, *rest, name=name: (
                    trouble(name, document.name),
                    plain[name](document, *rest),
                )[1],
            )
        monkeypatch.setattr(
            codec,
            "join",
            lambda pieces, cond, like: (
                trouble("join", like.name),
                plain["join"](pieces, cond, like),
            )[1],
        )
        through = reconstruction_module.reconstruct_chunks

        def model_trouble(model, raws, *how):
            if any(int(raw["x"][0, 0]) == 3 for raw in raws):
                trouble("model", "03")
            return through(model, raws, *how)

        monkeypatch.setattr(reconstruction_module, "reconstruct_chunks", model_trouble)
        job = make(model, files, out=out)
        assert job.run() == 0
        reasons = {Path(name).stem: reason for name, reason in failed(out).items()}
        assert reasons == {
            "01": "unexpected error: KeyError: 'k'",
            "02": "not enough memory",
            "03": "not enough memory",
            "04": "unexpected error: RuntimeError: two lines",
            "05": "Permission denied",
            "06": "cannot be written",
            "07": "not enough memory",
        }
        assert job.counts.done == len(results(out)) == 33

    def test_names_of_any_bytes(self, model, tmp_path):
        names = ["новый.tiny", "a\nb.tiny", os.fsdecode(b"\xff\xfe.tiny"), "x" * 250 + ".tiny"]
        for name in names:
            write(tmp_path / "in" / name)
        (tmp_path / "in" / "bad\n.tiny").write_text("no")
        out = tmp_path / "out"
        make(model, tmp_path / "in", out=out).run()
        assert set(results(out)) == set(names)
        ((name, reason),) = failed(out).items()
        assert name.endswith("bad\n.tiny") and "\n" not in reason

    def test_a_pipe_is_not_waited_for(self, model, files, tmp_path):
        os.mkfifo(files / "0" / "f.tiny")
        job = make(model, files, out=tmp_path / "out")
        assert job.run() == 0
        assert (job.counts.done, job.counts.failed) == (40, 1)
        name = str(files / "0" / "f.tiny")
        assert failed(tmp_path / "out") == {name: f"{name} is no regular file"}

    def test_names_too_long_for_the_file_system(self, model, files, tmp_path):
        long = "x" * 249 + ".tiny"
        for folder in "ab":
            write(tmp_path / folder / long)
        listed = tmp_path / "list"
        names = ["a word " * 700, "y" * 200_000, "z/" * 3000, *(tmp_path / f / long for f in "ab")]
        listed.write_text("".join(f"{name}\n" for name in names))
        job = make(model, files, out=tmp_path / "out", manifest=str(listed))
        assert job.run() == 0
        assert (job.counts.done, job.counts.failed) == (41, 4)
        reasons = failed(tmp_path / "out")
        assert set(reasons) == {names[0], names[1], names[2], str(names[4])}
        assert all("too long" in reason and len(reason) < 200 for reason in reasons.values())
        assert long in results(tmp_path / "out")

    def test_a_folder_that_cannot_be_listed(self, model, files, tmp_path, monkeypatch):
        list_one = os.scandir

        def refuse(path):
            if str(path).endswith("in/2"):
                raise PermissionError(errno.EACCES, "Permission denied", path)
            return list_one(path)

        monkeypatch.setattr("aeplug.jobs.inputs.os.scandir", refuse)
        job = make(model, files, out=tmp_path / "out")
        assert job.run() == 0
        assert (job.counts.total, job.counts.done, job.counts.failed) == (30, 30, 0)
        assert job.counts.unlisted == 1
        ((folder, reason),) = failed(tmp_path / "out").items()
        assert folder == str(files / "2")
        assert reason == f"{folder}: folder cannot be listed: Permission denied"
        with pytest.raises(FileError, match="2: folder cannot be listed: Permission denied"):
            make(model, files / "2", out=tmp_path / "none").run()
        assert not (tmp_path / "none").exists()

    def test_reasons_name_the_result_and_not_where_it_was_to_be_written_first(
        self, model, files, tmp_path, monkeypatch
    ):
        def broken(document, stem, options):
            if document.name == "04":
                path = stem.with_name(f".{stem.name}.tiny.part")
                raise OSError(errno.EFBIG, "File too large", str(path))
            raise FileError(f"{stem}.tiny cannot be written: File too large")

        monkeypatch.setattr(model.codec, "write", broken)
        out = tmp_path / "out"
        make(model, files, out=out).run()
        reasons = {Path(name).stem: reason for name, reason in failed(out).items()}
        assert len(reasons) == 40
        assert reasons["01"] == f"{out / '1' / '01.tiny'} cannot be written: File too large"
        assert reasons["04"] == f"{out / '0' / '04.tiny.part'}: File too large"

    def test_a_folder_in_place_of_the_list_is_seen_before_any_work(self, model, files, tmp_path):
        (tmp_path / "out" / FAILED).mkdir(parents=True)
        with pytest.raises(FileError, match=r"failed\.jsonl is a folder"):
            make(model, files, out=tmp_path / "out").run()
        assert [path.name for path in (tmp_path / "out").iterdir()] == [FAILED]

    def test_results_of_one_name(self, model, tmp_path):
        out = tmp_path / "out"
        a, b = write(tmp_path / "x" / "a.tiny"), write(tmp_path / "y" / "a.tiny", [1, 2, 3, 4])
        make(model, a, b, a, out=out).run()
        first = results(out)
        assert set(first) == {"a.tiny", "a-2.tiny"}
        job = make(model, a, b, a, out=out)
        job.run()
        assert job.counts.before == 2 and job.counts.done == 0
        assert results(out) == first


class TestOverwriting:
    def test_what_another_left_stays(self, model, files, tmp_path):
        out = tmp_path / "out"
        theirs = out / "1" / "01.tiny"
        theirs.parent.mkdir(parents=True)
        theirs.write_text("precious")
        job = make(model, files, out=out)
        job.run()
        assert theirs.read_text() == "precious"
        assert job.counts.done == 39
        (reason,) = failed(out).values()
        assert "is there, and not of this job; give --overwrite" in reason
        job = make(model, files, out=out, overwrite=True)
        job.run()
        assert (job.counts.before, job.counts.done) == (39, 1)
        assert theirs.read_text() != "precious"

    def test_a_changed_input_is_done_again_and_others_are_not(self, model, files, tmp_path):
        out = tmp_path / "out"
        make(model, files, out=out).run()
        before = results(out)
        times = {path: path.stat().st_mtime_ns for path in out.rglob("*.tiny")}
        write(files / "1" / "01.tiny", [9, 9, 9, 9])
        job = make(model, files, out=out)
        job.run()
        assert (job.counts.before, job.counts.done) == (39, 1)
        after = results(out)
        assert [name for name in after if after[name] != before[name]] == ["1/01.tiny"]
        changed = [path for path, time in times.items() if path.stat().st_mtime_ns != time]
        assert [path.name for path in changed] == ["01.tiny"]

    def test_a_result_that_was_removed_is_made_again(self, model, files, tmp_path):
        out = tmp_path / "out"
        make(model, files, out=out).run()
        before = results(out)
        (out / "1" / "01.tiny").unlink()
        job = make(model, files, out=out)
        job.run()
        assert job.counts.done == 1 and results(out) == before

    def test_a_file_beside_a_result_that_was_removed_is_made_again(
        self, model, files, tmp_path, monkeypatch
    ):
        write_one = model.codec.write

        def with_sound(document, stem, options):
            sound = stem.with_name(stem.name + ".wav")
            sound.write_text("la")
            return [*write_one(document, stem, options), sound]

        monkeypatch.setattr(model.codec, "write", with_sound)
        out = tmp_path / "out"
        make(model, files, out=out).run()
        before = results(out)
        assert len(before) == 80
        (out / "1" / "01.wav").unlink()
        job = make(model, files, out=out)
        job.run()
        assert (job.counts.before, job.counts.done) == (39, 1)
        assert results(out) == before

    def test_another_model_or_option_is_refused(self, model, files, tmp_path):
        out = tmp_path / "out"
        make(model, files, out=out).run()
        before = results(out)
        with pytest.raises(ConfigError, match=r"another job \(its options differ\)"):
            make(model, files, out=out, write={"shout": True}).run()
        header = model.header
        model.header = {**header, "weights_sha256": "other"}
        with pytest.raises(ConfigError, match=r"another job \(its weights differ\)"):
            make(model, files, out=out).run()
        assert results(out) == before
        job = make(model, files, out=out, overwrite=True)
        job.run()
        assert job.counts.done == 40

    @pytest.mark.parametrize("overwrite", [False, True])
    def test_an_input_never(self, model, tmp_path, overwrite):
        # The result of x/a.tiny belongs where the second input lies.
        out = tmp_path / "out"
        first = write(tmp_path / "x" / "a.tiny")
        second = write(out / "a.tiny", [1, 2, 3, 4])
        linked = tmp_path / "b.tiny"
        linked.symlink_to(write(out / "b.tiny", [5, 6, 7, 8]))
        manifest = tmp_path / "list"
        manifest.write_text(f"{first}\n{tmp_path / 'y'}\n{linked}\n")
        write(tmp_path / "y" / "b.tiny")
        (tmp_path / "y" / "c.tiny").symlink_to(second)
        before = [path.read_text() for path in (first, second, linked)]
        job = make(model, out=out, manifest=str(manifest), overwrite=overwrite)
        job.run()
        assert job.counts.done == 2  # y/c.tiny and b.tiny, which was numbered
        reasons = " ".join(failed(out).values())
        assert reasons.count("are never replaced") == job.counts.failed == 2
        assert [path.read_text() for path in (first, second, linked)] == before

    def test_nothing_is_made_where_nothing_is_to_do(self, model, tmp_path):
        (tmp_path / "in").mkdir()
        with pytest.raises(FileError, match=r"in holds none of \.tiny"):
            make(model, tmp_path / "in", out=tmp_path / "out").run()
        path = write(tmp_path / "a.tiny")
        with pytest.raises(ConfigError, match="would replace the input a; name another"):
            make(model, path, out=tmp_path).run()
        assert sorted(one.name for one in tmp_path.iterdir()) == ["a.tiny", "in"]

    def test_results_within_the_inputs_folder_are_not_done_again(self, model, files):
        out = files / "results"
        make(model, files, out=out).run()
        job = make(model, files, out=out)
        job.run()
        assert (job.counts.total, job.counts.before) == (40, 40)


class TestEnds:
    def test_full_disk(self, model, files, tmp_path, monkeypatch):
        out = tmp_path / "out"
        write_one, count = model.codec.write, iter(range(1000))

        def filling(document, stem, options):
            if next(count) >= 15:
                stem.with_name(stem.name + ".tiny").write_text("ha")
                cause = OSError(errno.ENOSPC, "No space left on device")
                raise FileError("x cannot be written") from cause
            return write_one(document, stem, options)

        with monkeypatch.context() as patch:
            patch.setattr(model.codec, "write", filling)
            with pytest.raises(
                AeplugError,
                match=r"out: No space left on device; 15 of 40 files are done and stay. Make room",
            ):
                make(model, files, out=out).run()
        assert len(results(out)) == 15
        job = make(model, files, out=out)
        job.run()
        assert (job.counts.before, job.counts.done) == (15, 25)
        assert len(results(out)) == 40 and not list((out / ".aeplug").glob("work/*"))

    def test_encoder_that_loses_the_reason_of_a_full_disk(
        self, model, files, tmp_path, monkeypatch
    ):
        def broken(document, stem, options):
            raise FileError("encoder error -2")

        monkeypatch.setattr(model.codec, "write", broken)
        usage = pipeline_module.disk_full.__globals__["shutil"]
        monkeypatch.setattr(usage, "disk_usage", lambda path: type("Usage", (), {"free": 4096}))
        with pytest.raises(AeplugError, match="No space left on device; 0 of 40"):
            make(model, files, out=tmp_path / "out").run()

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_a_signal_stops_it_where_it_can_go_on(
        self, model, files, tmp_path, monkeypatch, number
    ):
        out = tmp_path / "out"
        write_one, count = model.codec.write, iter(range(1000))
        if number == signal.SIGHUP:  # the tests may run under nohup
            monkeypatch.setattr("aeplug.runtime.signals.signal.getsignal", lambda _: signal.SIG_DFL)

        def signalling(document, stem, options):
            if next(count) == 3:
                os.kill(os.getpid(), number)
            time.sleep(0.01)
            return write_one(document, stem, options)

        monkeypatch.setattr(pipeline_module, "DOCUMENTS", 4)
        with monkeypatch.context() as patch:
            patch.setattr(model.codec, "write", signalling)
            job = make(model, files, out=out)
            assert job.run() == number
        assert 4 <= job.counts.done < 40
        assert len(results(out)) == job.counts.done
        again = make(model, files, out=out)
        assert again.run() == 0
        assert again.counts.before == job.counts.done
        assert len(results(out)) == 40

    def test_a_closed_terminal_is_nothing_under_nohup(self):
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            with stop_requests() as requests:
                os.kill(os.getpid(), signal.SIGHUP)
                assert requests == []
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            with stop_requests() as requests:
                for _ in range(2):  # the shell sends one, the system another
                    os.kill(os.getpid(), signal.SIGHUP)
                assert set(requests) == {signal.SIGHUP}
        finally:
            signal.signal(signal.SIGHUP, before)

    def test_on_the_way_are_few(self, model, files, tmp_path, monkeypatch):
        monkeypatch.setattr(pipeline_module, "DOCUMENTS", 6)
        held, most = set(), 0
        read, write_one = model.codec.read, model.codec.write
        lock = threading.Lock()

        def reading(path):
            nonlocal most
            with lock:
                held.add(path.stem)
                most = max(most, len(held))
            return read(path)

        def writing(document, stem, options):
            time.sleep(0.01)
            with lock:
                held.discard(document.name)
            return write_one(document, stem, options)

        monkeypatch.setattr(model.codec, "read", reading)
        monkeypatch.setattr(model.codec, "write", writing)
        make(model, files, out=tmp_path / "out").run()
        assert 2 <= most <= 6

    def test_large_documents_are_read_one_at_a_time(self, model, files, tmp_path, monkeypatch):
        read, write_one = model.codec.read, model.codec.write
        held, most = 0, 0
        lock = threading.Lock()

        def reading(path):
            nonlocal held, most
            with lock:
                held += 1
                most = max(most, held)
            document = read(path)
            document.size = pipeline_module.BYTES
            return document

        def writing(document, stem, options):
            nonlocal held
            time.sleep(0.005)
            with lock:
                held -= 1
            return write_one(document, stem, options)

        monkeypatch.setattr(model.codec, "read", reading)
        monkeypatch.setattr(model.codec, "write", writing)
        # What the first is like is not known before it has been read.
        monkeypatch.setattr(Pipeline, "typical_size", pipeline_module.BYTES)
        job = make(model, files, out=tmp_path / "out")
        job.run()
        assert job.counts.done == 40 and most == 1

    def test_threads_of_the_model_stay_as_they_were(self, model, files, tmp_path):
        before = torch.get_num_threads()
        make(model, files, out=tmp_path / "out").run()
        assert torch.get_num_threads() == before


@given(
    bad=st.sets(st.integers(0, 11)),
    cuts=st.lists(st.integers(0, 12), max_size=3),
    documents=st.integers(1, 8),
)
def test_whatever_is_bad_and_wherever_it_stops_every_file_is_done_once(
    model, tmp_path_factory, bad, cuts, documents
):
    folder = tmp_path_factory.mktemp("job")
    for number in range(12):
        path = write(folder / "in" / f"{number:02}.tiny", [number, 2, 3, 4])
        if number in bad:
            path.write_text("no")
    done: list[str] = []
    write_one = model.codec.write
    limit = [0]

    def writing(document, stem, options):
        if limit[0] == 0:
            raise FileError("full") from OSError(errno.ENOSPC, "No space left on device")
        limit[0] -= 1
        done.append(document.name)
        return write_one(document, stem, options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline_module, "DOCUMENTS", documents)
        patch.setattr(model.codec, "write", writing)
        patch.setattr("aeplug.jobs.journal.os.fsync", lambda descriptor: None)
        for cut in [*cuts, 1000]:
            limit[0] = cut
            job = make(model, folder / "in", out=folder / "out")
            try:
                job.run()
            except AeplugError:
                assert cut < 12
    assert sorted(done) == [f"{number:02}" for number in range(12) if number not in bad]
    assert len(results(folder / "out")) == 12 - len(bad)
    listed = failed(folder / "out") if bad else {}
    assert sorted(Path(name).stem for name in listed) == [f"{n:02}" for n in sorted(bad)]
