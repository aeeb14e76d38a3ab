"""Jobs without a model: what a converter reads it writes, with all that a job does around it."""

from __future__ import annotations

import json

import pytest

from aeplug.errors import AeplugError, ConfigError, FileError
from aeplug.interfaces import Document
from aeplug.jobs.conversion import Conversion
from aeplug.jobs.failures import FAILED
from aeplug.jobs.inputs import Inputs
from aeplug.jobs.job import Job


class Shouter:
    """Text in capitals, and its length beside it."""

    def __init__(self, mark: str = "!") -> None:
        self.mark = mark
        self.read_paths: list[str] = []

    def read(self, path):
        self.read_paths.append(path.name)
        text = path.read_text(encoding="utf-8")
        if not text:
            raise FileError(f"{path}: nothing in it")
        return Document(text, path.stem, path, size=len(text))

    def write(self, document, stem, options):
        written = [stem.with_name(stem.name + ".loud")]
        written[0].write_text(document.content.upper() + self.mark * options.get("times", 1))
        if options.get("count"):
            written.append(stem.with_name(stem.name + ".count"))
            written[1].write_text(str(len(document.content)))
        return written


@pytest.fixture
def folder(tmp_path):
    for number in range(30):
        path = tmp_path / "in" / str(number % 3) / f"{number:02}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text {number}" if number != 7 else "")
    return tmp_path / "in"


def make(converter, folder, out, options=None, **how):
    named = Inputs([str(folder)], "", (".txt",), out, skip_unlisted=True)
    conversion = Conversion(converter, {"shout": converter.mark})
    return Job(conversion, named, out, ".loud", options or {}, **how)


def test_every_file_is_converted_and_bad_ones_are_listed(folder, tmp_path):
    out = tmp_path / "out"
    job = make(Shouter(), folder, out, {"count": True})
    assert job.run() == 0
    assert (job.counts.total, job.counts.done, job.counts.failed) == (30, 29, 1)
    assert (out / "1" / "04.loud").read_text() == "TEXT 4!"
    assert (out / "1" / "04.count").read_text() == "6"
    assert len(list(out.rglob("*.loud"))) == len(list(out.rglob("*.count"))) == 29
    (line,) = (out / FAILED).read_text().splitlines()
    assert json.loads(line)["reason"].endswith("07.txt: nothing in it")


def test_the_same_job_does_only_what_is_not_done(folder, tmp_path):
    out = tmp_path / "out"
    make(Shouter(), folder, out).run()
    (folder / "0" / "03.txt").write_text("changed")
    (folder / "1" / "07.txt").write_text("now there")
    again = make(converter := Shouter(), folder, out)
    again.run()
    assert sorted(converter.read_paths) == ["03.txt", "07.txt"]
    assert (again.counts.before, again.counts.done) == (28, 2)
    assert (out / "0" / "03.loud").read_text() == "CHANGED!" and not (out / FAILED).exists()


def test_another_conversion_or_other_options_are_another_job(folder, tmp_path):
    out = tmp_path / "out"
    make(Shouter(), folder, out).run()
    for job in (make(Shouter("?"), folder, out), make(Shouter(), folder, out, {"times": 2})):
        with pytest.raises(ConfigError, match="another job"):
            job.run()
    make(Shouter("?"), folder, out, overwrite=True).run()
    assert (out / "0" / "00.loud").read_text() == "TEXT 0?"


def test_what_others_left_stays(folder, tmp_path):
    out = tmp_path / "out"
    (out / "0").mkdir(parents=True)
    (out / "0" / "00.loud").write_text("mine")
    job = make(Shouter(), folder, out)
    job.run()
    assert (out / "0" / "00.loud").read_text() == "mine" and job.counts.failed == 2


def test_a_converter_that_breaks_fails_the_file(folder, tmp_path):
    class Broken(Shouter):
        def write(self, document, stem, options):
            if document.content == "text 5":
                raise ValueError("no five")
            return super().write(document, stem, options)

    job = make(Broken(), folder, tmp_path / "out")
    job.run()
    assert job.counts.failed == 2
    assert "unexpected error: ValueError: no five" in (tmp_path / "out" / FAILED).read_text()


def test_without_files_there_is_nothing_to_do(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(AeplugError, match=r"holds none of \.txt"):
        make(Shouter(), tmp_path / "in", tmp_path / "out").run()
