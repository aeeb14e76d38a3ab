"""Books of tunes and scores in data build: every tune is built, and what cannot be is said."""

from __future__ import annotations

import importlib.util
import json
import zipfile

import numpy as np
import pytest

from aeplug.data.build import build
from aeplug.errors import DataError
from aeplug_music.corpus.build import build_melodies
from aeplug_music.melodies.dataset import MelodyDataset

HEAD = "X:{}\nT:Tune {}\nM:4/4\nL:1/4\nK:C\n"
BOOK = "\n".join(
    HEAD.format(number, number) + notes
    for number, notes in enumerate(
        ["CDEF|GABc|cBAG|FEDC|\n", "ceGc|egec|GcEG|C4|\n", "z4|z4|\n"], 1
    )
)

needs_music21 = pytest.mark.skipif(
    importlib.util.find_spec("music21") is None, reason="the extra 'scores' is not installed"
)


def run(sources, out, **options):
    return build(build_melodies, [str(source) for source in sources], out, 1, nothing, options)


def nothing(done, total):
    pass


@needs_music21
def test_every_tune_of_a_book_is_built_in_folders_and_zips(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "book.abc").write_text(BOOK, "utf-8")
    with zipfile.ZipFile(folder / "z.zip", "w") as archive:
        archive.writestr("a/one.ABC", BOOK.split("\nX:2")[0].replace("CDEF", "GDEF"))
        archive.writestr("a/page.xml", "<html/>")
    report = run([folder], tmp_path / "out")
    index = json.loads((tmp_path / "out" / "index.json").read_text("utf-8"))
    book, packed = str(folder / "book.abc"), str(folder / "z.zip")
    tunes = {tune["source"]: tune for tune in index["tunes"]}
    assert list(tunes) == [f"{book}#1", f"{book}#2", f"{packed}!a/one.ABC"]
    assert [tune["title"] for tune in index["tunes"]] == ["Tune 1", "Tune 2", "Tune 1"]
    assert all(tune["metre"] == "4/4" for tune in index["tunes"])
    first, end = tunes[f"{book}#1"]["rows"]
    tokens = np.load(tmp_path / "out" / "tokens.npy")[first:end]
    assert [t + 19 for t in tokens[0].tolist() if t > 1] == [60, 62, 64, 65, 67, 69, 71, 72]
    assert report.figures["files"] == 3
    assert report.figures["files_of_notation"] == 3
    assert report.figures["tunes_in_notation"] == 3
    reasons = {skip.source: (skip.reason, skip.detail) for skip in report.skipped}
    assert set(reasons) == {f"{book}#3", f"{packed}!a/page.xml"}
    assert reasons[f"{book}#3"] == ("notation not readable", "no notes")
    assert "expected <score-partwise>" in reasons[f"{packed}!a/page.xml"][1]
    # Whole tunes are read again from the files that the build wrote.
    data = MelodyDataset(MelodyDataset.Config(path=str(tmp_path / "out")))
    _, counts = data.sequences("all", None)
    assert len(counts) == 3


@needs_music21
def test_a_book_may_be_split_alone(tmp_path):
    (tmp_path / "book.abc").write_text(BOOK, "utf-8")
    other = HEAD.format(1, 1) + "ABcd|efga|agfe|dcBA|\n"
    (tmp_path / "other.abc").write_text(other, "utf-8")
    sources = [tmp_path / "book.abc", tmp_path / "other.abc"]
    run(sources, tmp_path / "out", split_of=str(sources[1]))
    index = json.loads((tmp_path / "out" / "index.json").read_text("utf-8"))
    splits = {tune["source"]: tune["split"] for tune in index["tunes"]}
    assert splits[f"{sources[0]}#1"] == splits[f"{sources[0]}#2"] == "train"


def test_without_music21_the_reason_is_said_for_each_file(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, package=None: None)
    (tmp_path / "book.abc").write_text(BOOK, "utf-8")
    with pytest.raises(DataError, match="1 notation needs music21, which is not installed: pip"):
        run([tmp_path / "book.abc"], tmp_path / "out")


def test_a_folder_without_music_says_what_was_looked_for(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match="no MIDI files, recordings or notation in"):
        run([tmp_path / "in"], tmp_path / "out")
