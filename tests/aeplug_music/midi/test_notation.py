"""Notation through music21, and what is said where it is missing."""

from __future__ import annotations

import importlib.util
import io
import sys
import zipfile

import pytest

from aeplug.errors import FileError
from aeplug_music.melodies.codec import MelodyCodec
from aeplug_music.melodies.dataset import melody_shape
from aeplug_music.midi.notation import read_score
from aeplug_music.midi.score_files import split_scores
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
    return MelodyCodec(MelodyCodec.Config(), melody_shape(2, METRES))


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


SECOND = "X:2\nT:Another\nM:3/4\nL:1/4\nK:C\ncBA|GFE|\n"


@needs_music21
def test_of_several_tunes_the_first_and_a_line_says_so(codec, tmp_path, capsys):
    path = written(tmp_path, "two.abc", f"{ABC}\n{SECOND}")
    document = codec.read(path)
    assert document.content.passages[0].metre == "6/8"
    line = f"{path}: tune 1 of 2, A tune; --tune N takes another\n"
    assert capsys.readouterr().err == line


@needs_music21
def test_a_tune_of_a_book_by_its_number(codec, tmp_path, capsys):
    path = written(tmp_path, "two.abc", f"{ABC}\n{SECOND}")
    document = codec.with_options({"tune": 2}).read(path)
    assert [t + 19 for t in document.content.tokens.tolist() if t > 1] == [72, 71, 69, 67, 65, 64]
    assert document.content.passages[0].metre == "3/4"
    assert capsys.readouterr().err == ""
    with pytest.raises(FileError, match="--tune 3: it holds 2 tunes"):
        codec.with_options({"tune": 3}).read(path)
    with pytest.raises(FileError, match=r"--tune 2: it holds 1 tune$"):
        codec.with_options({"tune": 2}).read(written(tmp_path, "one.abc", ABC))


TRANSPOSE = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose></attributes>"


@needs_music21
def test_transposing_parts_sound_as_they_are_heard(codec, tmp_path):
    """A clarinet in B flat that reads a G plays an F."""
    text = XML.replace("</attributes>", TRANSPOSE)
    tokens = codec.read(written(tmp_path, "clarinet.musicxml", text)).content.tokens.tolist()
    assert [t + 19 for t in tokens if t > 1] == [63, 68]
    assert read_score(tmp_path / "clarinet.musicxml").keys == [(0, -3, False)]


@needs_music21
def test_musicxml_in_utf_16(tmp_path):
    path = tmp_path / "tune.musicxml"
    path.write_bytes(XML.replace("UTF-8", "UTF-16").replace("Flute", "Flöte").encode("utf-16"))
    tune = read_score(path)
    assert tune.tracks[0].pitch.tolist() == [65, 70]
    assert tune.tracks[0].name == "Flöte"


@needs_music21
@pytest.mark.parametrize("container", ["named", "elsewhere", "damaged", "none"])
def test_compressed_musicxml(tmp_path, container):
    path = tmp_path / "tune.mxl"
    places = {"named": "score.musicxml", "elsewhere": "scores/a b/1.bin", "damaged": "It's.xml"}
    place = places.get(container, "x.xml")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        # Where the container is no help, the first that may be a score is taken.
        is_named = container in ("named", "elsewhere")
        archive.writestr("about.xml" if is_named else "picture.png", "<about/>")
        if container != "none":
            archive.writestr(
                "META-INF/container.xml",
                f"<container><rootfiles><rootfile full-path='{place}'/></rootfiles></container>",
            )
        archive.writestr(place, XML)
    assert read_score(path).tracks[0].pitch.tolist() == [65, 70]


@needs_music21
def test_dynamics_are_velocities(tmp_path):
    mark = "<direction><direction-type><dynamics><{}/></dynamics></direction-type></direction>"
    second = '<measure number="2">'
    text = XML.replace(second, second + mark.format("ff"))
    track = read_score(written(tmp_path, "loud.musicxml", text)).tracks[0]
    plain, loud = track.velocity.tolist()
    assert plain == 80
    assert loud > 100


@needs_music21
def test_other_xml_is_no_score(codec, tmp_path):
    path = written(tmp_path, "page.xml", "<html><body/></html>")
    with pytest.raises(FileError, match="it is <html>, expected <score-partwise>"):
        codec.read(path)


def test_a_book_is_split_at_its_tunes():
    book = (
        "%abc-2.1\nM:6/8\nL:1/8\nA word in front.\n\nX:1\nT:One\nK:C\nCDE|\n\nBetween A and B.\n\n"
        "X:7\nT:Two\nK:G\nGAB|\n"
    )
    assert split_scores(book.replace("\n", "\r\n").encode(), ".abc") == [
        "X:1\nM:6/8\nL:1/8\nT:One\nK:C\nCDE|\n",
        "X:7\nM:6/8\nL:1/8\nT:Two\nK:G\nGAB|\n",
    ]
    assert split_scores(b"K:C\nCDE|\n", ".ABC") == ["K:C\nCDE|\n"]
    # Latin-1, as old books are.
    assert "é" in split_scores("X:1\nT:Thé\nK:C\nC|\n".encode("latin-1"), ".abc")[0]


def test_a_packed_score_is_not_unpacked_without_limit(monkeypatch):
    monkeypatch.setattr("aeplug_music.midi.score_files.MAX_XML_BYTES", 1000)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.xml", "<a/>" * 1000)
    with pytest.raises(FileError, match="score too large"):
        split_scores(packed.getvalue(), ".mxl")


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
