"""Music that comes back as it went in: what verbs do with the weights that ship."""

from __future__ import annotations

import itertools
import json
import zipfile

import numpy as np
import pretty_midi
import pytest

import aeplug
from aeplug.data.bundled import extract_bundled, find_bundled
from aeplug.inference import (
    draw_variations,
    interpolate_documents,
    reconstruct_document,
)
from aeplug.interfaces import Document, Sampling
from aeplug.model.checkpoint import shipped_weights
from aeplug.plugins import active
from aeplug_music.drums.kit import DRUMS
from aeplug_music.drums.performance import make_passage
from aeplug_music.midi.reading import parse_midi
from aeplug_music.score.melody import Melody, Passage, extract_melody
from aeplug_music.score.tokens import FIRST_ONSET, PITCH_OFFSET

GREEDY = Sampling(greedy=True)
#: Four bars of 4/4 in G: pitches and lengths in quarters.
TUNE = [
    *((67, 1), (69, 1), (71, 1), (72, 1), (74, 2), (71, 1), (67, 1)),
    *((72, 1), (71, 1), (69, 1), (67, 1), (69, 2), (67, 2)),
]

pytestmark = pytest.mark.skipif(
    any(
        shipped_weights(active().task(name)) is None
        for name in ("melody-2bar", "drums-2bar", "groove")
    ),
    reason="needs the weights",
)


@pytest.fixture(scope="module")
def melodies():
    return aeplug.load("melody-2bar", device="cpu")


@pytest.fixture(scope="module")
def drums():
    return aeplug.load("drums-2bar", device="cpu")


@pytest.fixture(scope="module")
def groove():
    return aeplug.load("groove", device="cpu")


def tokens_of(notes):
    """Pitches, or None in rests, with lengths in quarters -> tokens."""
    tokens = np.zeros(4 * sum(length for _, length in notes), np.uint8)
    place = 0
    for pitch, length in notes:
        tokens[place] = 1 if pitch is None else pitch - PITCH_OFFSET
        place += 4 * length
    return tokens


def tune(notes, name="tune"):
    return Document(Melody((Passage("4/4", tokens_of(notes)),)), name)


def bars(document, begin, end):
    return document.content.tokens[16 * begin : 16 * end]


WITH_REST = [*TUNE, (None, 16), *TUNE]


def is_silent(document):
    """Whether bars 5 to 8 hold no note."""
    return not (bars(document, 4, 8) >= FIRST_ONSET).any()


class TestRests:
    def test_stay_silent_in_reconstructions(self, melodies):
        found = reconstruct_document(melodies, tune(WITH_REST), GREEDY)
        assert is_silent(found)
        assert np.array_equal(found.content.tokens, tokens_of(WITH_REST))
        assert found.passed.as_dict() == {"pieces": 6, "blank": 2, "unlike": 0}
        raw = reconstruct_document(melodies.without_guard(), tune(WITH_REST), GREEDY)
        assert not is_silent(raw)

    @pytest.mark.parametrize("similarity", [1.0, 0.8, 0.0])
    def test_stay_silent_in_variations(self, melodies, similarity):
        for found in draw_variations(melodies, tune(WITH_REST), 2, similarity, 0, GREEDY):
            assert is_silent(found.document)
            same = np.array_equal(found.document.content.tokens, tokens_of(WITH_REST))
            assert same == (similarity == 1)

    def test_stay_silent_on_the_way_to_another_tune_with_them(self, melodies):
        other = [(pitch and pitch + 5, length) for pitch, length in WITH_REST]
        way = interpolate_documents(melodies, tune(WITH_REST), tune(other), 5, GREEDY)
        assert all(map(is_silent, way))
        assert np.array_equal(way[0].content.tokens, tokens_of(WITH_REST))
        assert np.array_equal(way[-1].content.tokens, tokens_of(other))


def test_music_unlike_folk_tunes_is_passed_through(melodies):
    wild = [(21 + 17 * number % 80, 1) for number in range(16)]
    found = reconstruct_document(melodies, tune([*TUNE, *wild]), GREEDY)
    assert np.array_equal(found.content.tokens, tokens_of([*TUNE, *wild]))
    assert found.passed.as_dict() == {"pieces": 4, "blank": 0, "unlike": 2}


@pytest.fixture(scope="module")
def folk():
    """The melodies of every 60th bundled tune in 4/4, 2/2 or 2/4."""
    with zipfile.ZipFile(find_bundled("folk_tunes.zip")) as archive:
        names = [name for name in sorted(archive.namelist()) if name.endswith(".mid")][::60]
        found = [extract_melody(parse_midi(archive.read(name))) for name in names]
    return [one for one in found if {p.metre for p in one.passages} <= {"4/4", "2/2", "2/4"}]


def share_of_notes(original, made):
    """Of the notes of a melody those that another has, at the same step."""
    onsets = original.tokens >= FIRST_ONSET
    return float((made.tokens[onsets] == original.tokens[onsets]).mean())


def test_folk_tunes_keep_their_notes(melodies, folk):
    kept, passed = [], []
    for melody in folk:
        found = reconstruct_document(melodies, Document(melody, "x"), GREEDY)
        kept.append(share_of_notes(melody, found.content))
        passed.append(found.passed)
    assert min(kept) >= 0.99
    assert sum(one.unlike for one in passed) <= 0.06 * sum(one.pieces for one in passed)


def test_variations_at_the_default_keep_about_0_8_of_the_notes(melodies, folk):
    shares = [
        share_of_notes(melody, found.document.content)
        for melody in folk[:8]
        for found in draw_variations(melodies, Document(melody, "x"), 2, 0.8, 0, GREEDY)
    ]
    assert np.mean(shares) == pytest.approx(0.8, abs=0.05)
    assert np.mean([0.7 <= share <= 0.9 for share in shares]) >= 0.9


def test_a_figure_that_is_repeated_is_varied_alike(melodies):
    figure = TUNE[:7]
    again = [*figure, *TUNE[7:], *figure, *[(67, 4)] * 2] * 2
    for found in draw_variations(melodies, tune(again), 6, 0.6, 0, GREEDY):
        first, *others = (bars(found.document, at, at + 2) for at in (0, 4, 8, 12))
        assert all(np.array_equal(first, other) for other in others)


def test_drums_are_varied_by_degrees(drums, tmp_path):
    pattern = drums.read(extract_bundled("patterns/funk-corner.drums", tmp_path))
    hits = pattern.content.velocity > 0
    shares = []
    for similarity in (0.8, 0.6, 0.4, 0.2):
        found = draw_variations(drums, pattern, 4, similarity, 0, GREEDY)
        made = [one.document.content.velocity > 0 for one in found]
        assert not any(np.array_equal(one, hits) for one in made)
        shares.append(np.mean([2 * (one & hits).sum() / (one.sum() + hits.sum()) for one in made]))
    assert shares == sorted(shares, reverse=True)
    assert np.allclose(shares, (0.8, 0.6, 0.4, 0.2), atol=0.1)


def changes(codec, line):
    """How far apart neighbours of a line are."""
    raws = [codec.split(document) for document in line]
    pieces = [codec.as_pieces(raw) for raw in raws]
    return np.array(
        [float(codec.distance(a, b, raws[0]).mean()) for a, b in itertools.pairwise(pieces)]
    )


def test_steps_between_windows_of_tunes_are_even(melodies, folk):
    """Two bars against two bars: there is no other window to make up for a jump."""
    shares, distinct = [], []
    windows = [
        Document(Melody((Passage("2/2", one.passages[0].tokens[32:64]),)), "x")
        for one in folk
        if one.passages[0].metre == "2/2" and len(one.passages[0].tokens) >= 64
    ][:16]
    assert len(windows) == 16
    for a, b in zip(windows[::2], windows[1::2], strict=False):
        line = interpolate_documents(melodies, a, b, 9, GREEDY)
        assert np.array_equal(line[0].content.tokens, a.content.tokens)
        assert np.array_equal(line[-1].content.tokens, b.content.tokens)
        apart = changes(melodies.codec, line)
        shares.append(apart.max() / apart.sum())
        distinct.append(len({document.content.tokens.tobytes() for document in line}))
    assert min(distinct) >= 8
    assert np.mean(shares) <= 0.25


def test_a_way_is_the_same_every_time(melodies):
    ends = tune(TUNE), tune([(pitch - 2, length) for pitch, length in TUNE[::-1]])
    one, two = (
        [document.content.tokens.tobytes() for document in interpolate_documents(*way)]
        for way in [(melodies, *ends, 9, GREEDY)] * 2
    )
    assert one == two


class TestGroove:
    @pytest.mark.parametrize("form", ["all", "score", "rhythm"])
    def test_silence_stays_silent_whatever_is_given(self, groove, drums, tmp_path, form):
        pattern = drums.read(extract_bundled("patterns/funk-corner.drums", tmp_path))
        played = pattern.content.passages[0]
        nothing = np.zeros((32, DRUMS), np.uint8)
        silence = make_passage(nothing, nothing.astype(np.int8))
        content = type(pattern.content)((silence, played))
        model = groove.with_options({"given": form})
        found = reconstruct_document(model, Document(content, "x"), GREEDY)
        assert not found.content.velocity[:32].any()
        assert found.content.velocity[32:].any()
        assert found.passed.blank == 1
        if form != "all":
            assert found.passed.unlike == 0


class TestCommands:
    @pytest.fixture
    def rest(self, tmp_path):
        midi = pretty_midi.PrettyMIDI(initial_tempo=120)
        voice, at = pretty_midi.Instrument(0), 0.0
        for pitch, length in WITH_REST:
            if pitch is not None:
                voice.notes.append(pretty_midi.Note(90, pitch, at, at + length / 2))
            at += length / 2
        midi.instruments.append(voice)
        midi.write(str(tmp_path / "rest.mid"))
        return tmp_path / "rest.mid"

    def onsets(self, path):
        (track,) = pretty_midi.PrettyMIDI(str(path)).instruments
        return [note.start for note in track.notes]

    def test_one_line_counts_what_was_passed_through(self, aeplug_cli, rest, tmp_path):
        out = tmp_path / "out"
        done = aeplug_cli("reconstruct", "melody-2bar", rest, "--out", out, "--json")
        assert done.err.count("2 of 6 windows passed through: empty") == 1
        counts = {"pieces": 6, "blank": 2, "unlike": 0}
        assert json.loads(done.out)["passed_through"] == {**counts, "files": {"rest.mid": counts}}
        assert not [one for one in self.onsets(out / "rest.mid") if 8 <= one < 16]
        again = aeplug_cli("reconstruct", "melody-2bar", rest, "--out", out, "--json")
        assert json.loads(again.out)["done_before"] == 1
        assert json.loads(again.out)["passed_through"] == json.loads(done.out)["passed_through"]

    def test_no_guard_shows_the_raw_model(self, aeplug_cli, rest, tmp_path):
        out = tmp_path / "out"
        done = aeplug_cli("reconstruct", "melody-2bar", rest, "--no-guard", "--out", out, "--json")
        assert "passed through" not in done.err
        assert "passed_through" not in json.loads(done.out)
        assert [one for one in self.onsets(out / "rest.mid") if 8 <= one < 16]

    def test_attributes_leave_silence_silent(self, aeplug_cli, rest, tmp_path):
        way = ("attribute", "melody-2bar", "note-density", rest, "--by", 1, "--items", 300)
        done = aeplug_cli(*way, "--out", tmp_path / "denser")
        assert done.err.count("2 of 6 windows passed through: empty") == 1
        (path,) = (tmp_path / "denser").glob("*.mid")
        assert not [one for one in self.onsets(path) if 8 <= one < 16]
        raw = aeplug_cli(*way, "--no-guard", "--out", tmp_path / "raw")
        assert "passed through" not in raw.err

    def test_vary_says_how_near_it_gets(self, aeplug_cli, rest, tmp_path):
        way = ("vary", "melody-2bar", rest, "-n", 2, "--json")
        done = aeplug_cli(*way, "--similarity", 0.8, "--out", tmp_path / "near")
        assert done.err.count("windows passed through") == 1
        assert json.loads(done.out)["similarity"] == pytest.approx([0.8, 0.8], abs=0.1)
        assert "not of similarity" not in done.err
        noisy = aeplug_cli("vary", "melody-2bar", rest, "--sigma", "0,2", "--out", tmp_path / "n")
        assert noisy.err.count("2 of 6 windows passed through: empty") == 1
