"""``data build``: what it replaces, and what it never touches."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from aeplug.data.build import SKIPPED, BuildReport, Skipped, build
from aeplug.errors import DataError


def builder(sources, out, processes, progress):
    (out / "made").write_text("new")
    return BuildReport({"files": 1}, [Skipped("a", "bad")])


def failing(sources, out, processes, progress):
    (out / "made").write_text("half")
    raise DataError("no")


def run(out: Path, *sources: Path, overwrite: bool = False, how=builder) -> BuildReport:
    return build(how, [str(s) for s in sources], out, 1, lambda *_: None, overwrite=overwrite)


def test_a_name_that_is_no_text_is_listed_like_any_other(tmp_path: Path) -> None:
    odd = os.fsdecode(b"latin1-\xe9.mid")

    def skipping(sources, out, processes, progress):
        return BuildReport({"files": 1}, [Skipped(odd, "bad"), Skipped("schön.mid", "bad")])

    run(tmp_path / "out", how=skipping)
    text = (tmp_path / "out" / SKIPPED).read_text(encoding="utf-8")
    assert [json.loads(line)["source"] for line in text.splitlines()] == [odd, "schön.mid"]
    assert "schön" in text


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mid").write_text("mine")
    return tmp_path / "in"


def everything(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_build_and_its_replacement(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "deep" / "out"
    run(out, source)
    assert (out / "made").read_text() == "new"
    assert '"reason": "bad"' in (out / SKIPPED).read_text()
    (out / "made").write_text("old")
    with pytest.raises(DataError, match="give --overwrite"):
        run(out, source)
    assert (out / "made").read_text() == "old"
    run(out, source, overwrite=True)
    assert (out / "made").read_text() == "new"
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_failed_build_leaves_all_as_it_was(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out"
    run(out, source)
    before = everything(tmp_path)
    with pytest.raises(DataError):
        run(out, source, overwrite=True, how=failing)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("place", ["in", ".", "..", "thesis"])
def test_nothing_but_a_build_is_ever_replaced(
    tmp_path: Path, source: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.txt").write_text("years")
    (tmp_path / "out.building").mkdir()
    (tmp_path / "out.building" / "mine.mid").write_text("mine")
    monkeypatch.chdir(source if place == ".." else tmp_path)
    before = everything(tmp_path)
    with pytest.raises(DataError):
        run(Path(place), source, overwrite=True)
    assert everything(tmp_path) == before
    run(tmp_path / "out", source)
    assert (tmp_path / "out.building" / "mine.mid").read_text() == "mine"
