"""Notation through music21, and what is said where it is missing."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from aeplug.config import PartConfig
from aeplug.errors import FileError
from aeplug_music.melodies.codec import MelodyCodec
from aeplug_music.melodies.dataset import melody_shape
from aeplug_music.midi.notation import read_score
from aeplug_music.score.metres import METRES

ABC = """X:1
T:A tune
M:6/8
L:1/8
Q:3/8=60
K:G
D|GAB dBG|A3 z2D|GAB dBG|A3 z2:|
"""

XML = """<?xml version="1.0" encoding="UTF-8"?>
<score-partwise version="3.1">
<part-list><score-part id="P1"><part-name>Flute</part-name></score-part></part-list>
<part id="P1"><measure number="1">
<attributes><divisions>1</divisions><key><fifths>-1</fifths></key>
<time><beats>3</beats><beat-type>4</beat-type></time></attributes>
<note><pitch><step>F</step><octave>4</octave></pitch><duration>2</duration>
<tie type="start"/></note>
<note><pitch><step>F</step><octave>4</octave></pitch><duration>1</duration>
<tie type="stop"/></note>
</measure><measure number="2">
<note><rest/><duration>1</duration></note>
<note><pitch><step>B</step><alter>-1</alter><octave>4</octave></pitch><duration>2</duration></note>
</measure></part></score-partwise>
"""

#: Not importorskip: a broken installation is to fail, only a missing one is passed over.
needs_music21 = pytest.mark.skipif(
    importlib.util.find_spec("music21") is None, reason="the extra 'scores' is not installed"
)


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def codec():
    return MelodyCodec(PartConfig(), melody_shape(2, METRES))


@needs_music21
def test_abc(codec, tmp_path):
    document = codec.read(written(tmp_path, "tune.abc", ABC))
    melody = document.content
    assert [passage.metre for passage in melody.passages] == ["6/8"]
    assert melody.bpm == pytest.approx(90)
    tokens = melody.tokens.tolist()
    # The upbeat is the end of a bar of rests; the repeat is played.
    assert tokens[:13] == [0] * 10 + [62 - 19, 0, 67 - 19]
    once = [62, 67, 69, 71, 74, 71, 67, 69, 62, 67, 69, 71, 74, 71, 67, 69]
    assert [t + 19 for t in tokens if t > 1] == once * 2
    # Nine bars: the second upbeat fills the bar that the repeat ends in.
    assert len(tokens) == 9 * 12
    assert codec.split(document)["tokens"].shape == (5, 48)


@needs_music21
def test_musicxml(codec, tmp_path):
    path = written(tmp_path, "tune.musicxml", XML)
    tune = read_score(path)
    assert tune.keys == [(0, -1, False)]
    tokens = codec.read(path).content.tokens.tolist()
    # Tied notes are one.
    assert [(n, t + 19) for n, t in enumerate(tokens) if t > 1] == [(0, 65), (16, 70)]
    assert tokens[12] == 1
    assert len(tokens) == 24


@needs_music21
def test_of_several_tunes_the_first(codec, tmp_path):
    second = ABC.replace("X:1", "X:2").replace("M:6/8", "M:3/4")
    document = codec.read(written(tmp_path, "two.abc", f"{ABC}\n{second}"))
    assert document.content.passages[0].metre == "6/8"


@needs_music21
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("bad.musicxml", "<score-partwise"),
        ("bad.xml", "\x00\x01"),
        ("bad.mxl", "PK"),
        ("empty.abc", ""),
    ],
)
def test_unreadable_notation(codec, tmp_path, name, text):
    with pytest.raises(FileError, match=name):
        codec.read(written(tmp_path, name, text))


def test_without_music21_it_says_what_to_install(codec, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "music21", None)
    path = written(tmp_path, "tune.abc", ABC)
    with pytest.raises(FileError, match="pip install music21"):
        codec.read(path)


def test_a_missing_score(codec, tmp_path):
    with pytest.raises(FileError, match="No such file"):
        codec.read(tmp_path / "none.abc")
