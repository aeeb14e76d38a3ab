"""Triplets: read on the grid of compound time, and written as what they were."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from music_files import (
    HEAD,
    TUNE,
    Q,
    metre,
    moved,
    notes,
    read_notes,
    read_tracks,
    smf,
    tempo,
    track,
)

from aeplug.interfaces import Document
from aeplug_music.melodies.codec import MelodyCodec
from aeplug_music.melodies.dataset import MelodyDataset, melody_shape
from aeplug_music.midi.reading import parse_midi
from aeplug_music.midi.writing import to_pretty_midi
from aeplug_music.score.grid import NoteBatch, metre_segments
from aeplug_music.score.melody import extract_melody
from aeplug_music.score.metres import METRES
from aeplug_music.score.tokens import tokens_to_notes
from aeplug_music.score.triplets import find_triplets

#: Quarters in three against two, then swung eighths: four bars of 4/4.
SWING = [
    *((pitch, 2 * Q // 3) for pitch in (67, 71, 74, 72, 71, 69)),
    *((67, 2 * Q // 3), (69, 4 * Q // 3), (71, 2 * Q)),
    *(((67, 2 * Q // 3), (69, Q // 3)) * 8),
]
STRAIGHT = [(67, Q // 2), (69, Q // 4), (71, Q // 4)] * 16
SHIPPED = ("4/4", "3/4", "6/8", "2/4", "2/2", "9/8", "3/8")
AS_IT_IS = MelodyCodec.Config(lowest=21, highest=108, short=0)


def melody_of(sequence, head=HEAD):
    return extract_melody(parse_midi(smf(track(head + notes(sequence)))))


def grids(melody):
    return [(one.signature, one.metre, len(one.tokens) // one.bar) for one in melody.passages]


def test_a_tune_in_triplets_is_read_in_compound_time():
    melody = melody_of(SWING)
    assert grids(melody) == [("4/4", "12/8", 4)]
    onsets, ends, _ = tokens_to_notes(melody.tokens)
    assert onsets[:7].tolist() == [0, 4, 8, 12, 16, 20, 24]
    assert (ends - onsets)[-4:].tolist() == [4, 2, 4, 2]
    assert melody.times[-1] == 16


@pytest.mark.parametrize(
    ("head", "compound"), [((2, 4), "6/8"), ((3, 4), "9/8"), ((2, 2), "12/8"), ((4, 4), "12/8")]
)
def test_in_every_simple_metre(head, compound):
    melody = melody_of([(67, 2 * Q // 3), (69, Q // 3)] * 12, [(0, metre(*head))])
    assert {(one.signature, one.metre) for one in melody.passages} == {
        (f"{head[0]}/{head[1]}", compound)
    }


@pytest.mark.parametrize("sequence", [TUNE, STRAIGHT, [(67, 3 * Q // 4), (69, Q // 4)] * 16])
def test_straight_tunes_stay_straight(sequence):
    assert {one.metre for one in melody_of(sequence).passages} == {"4/4"}


def test_a_stray_triplet_changes_nothing():
    stray = [*STRAIGHT, *((pitch, Q // 3) for pitch in (67, 69, 71)), *STRAIGHT]
    assert {one.metre for one in melody_of(stray).passages} == {"4/4"}


def test_bars_of_each_kind_are_each_on_their_grid():
    assert grids(melody_of([*STRAIGHT, *SWING, *STRAIGHT])) == [
        ("4/4", "4/4", 4),
        ("4/4", "12/8", 4),
        ("4/4", "4/4", 4),
    ]


@given(st.lists(st.sampled_from([STRAIGHT, SWING]), min_size=1, max_size=4))
def test_the_bulk_reader_looks_where_triplets_are(parts):
    tune = parse_midi(smf(track(HEAD + notes([note for part in parts for note in part]))))
    batch = NoteBatch()
    batch.add(tune.tracks[0], metre_segments(tune), Q)
    assert find_triplets(batch).tolist() == [SWING in parts]


@given(st.lists(st.sampled_from([STRAIGHT, SWING, TUNE]), min_size=1, max_size=4))
def test_written_anew_they_are_triplets_of_their_own_metre(parts):
    melody = melody_of([note for part in parts for note in part])
    out = io.BytesIO()
    to_pretty_midi(melody, "x", melody.bpm, 0, 80).write(out)
    tune = parse_midi(out.getvalue())
    assert tune.time_signatures == [(0, 4, 4)]
    ours = melody.origin.track
    np.testing.assert_array_equal(tune.tracks[0].onset, ours.onset)
    again = extract_melody(tune)
    assert grids(again) == grids(melody)
    np.testing.assert_array_equal(again.tokens, melody.tokens)


class TestCodec:
    codec = MelodyCodec(AS_IT_IS, melody_shape(2, SHIPPED))

    def document(self):
        return Document(melody_of(SWING), "swing")

    def test_a_model_without_twelve_eighths_takes_them_in_six(self):
        raw = self.codec.split(self.document())
        assert [SHIPPED[number] for number in raw["metre"].tolist()] == ["6/8"] * 4
        wide = MelodyCodec(AS_IT_IS, melody_shape(2, METRES))
        assert [METRES[n] for n in wide.split(self.document())["metre"].tolist()] == ["12/8"] * 2

    def test_what_comes_back_is_the_same(self):
        document = self.document()
        raw = self.codec.split(document)
        joined = self.codec.join(raw["tokens"], {"metre": raw["metre"]}, document).content
        assert grids(joined) == grids(document.content)
        np.testing.assert_array_equal(joined.tokens, document.content.tokens)

    def test_it_goes_on_in_triplets(self):
        document = self.document()
        piece = torch.zeros(1, self.codec.width, dtype=torch.long)
        piece[0, :24:2] = 60
        cond = {"metre": torch.tensor([SHIPPED.index("6/8")])}
        more = self.codec.append_pieces(document, piece, cond).content
        assert grids(more) == [("4/4", "12/8", 5)]
        assert more.times[-1] == 20

    def test_heard_in_time(self):
        begins = [begin for begin, _, _ in self.codec.playable(self.document())]
        assert begins[1] == pytest.approx(2 / 3 * 0.6)


def test_reconstruct_gives_triplets_back_and_new_notes_lie_among_them(invoke, tmp_path):
    path = tmp_path / "swing.mid"
    path.write_bytes(smf(track([(0, tempo(100)), (0, metre(4, 4)), *notes(SWING)])))
    out = tmp_path / "out"
    result = invoke("reconstruct", "melody-2bar", path, "--out", out, "--device", "cpu")
    assert result.code == 0, result.err
    assert read_tracks(out / "swing.mid") == read_tracks(path)
    out = tmp_path / "varied"
    options = ("-n", 2, "--similarity", 0.3, "--out", out, "--device", "cpu")
    result = invoke("vary", "melody-2bar", path, *options)
    assert result.code == 0, result.err
    for varied in out.glob("*.mid"):
        onsets = {note[0] for note in read_notes(read_tracks(varied)[0])}
        assert all(tick % (Q // 6) == 0 for tick in onsets)


def test_data_build_takes_them_too(invoke, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for semitones in range(3):
        swing = smf(track([(0, metre(2, 4)), *notes(moved(SWING, semitones))]))
        (folder / f"{semitones}.mid").write_bytes(swing)
    result = invoke("data", "build", folder, "--dataset", "melodies", "--out", out)
    assert result.code == 0, result.err
    index = json.loads((out / "index.json").read_text())
    assert {tune["metre"] for tune in index["tunes"]} == {"6/8"}
    rows = MelodyDataset(MelodyDataset.Config(path=str(out))).split("all").take(torch.arange(3))
    assert (rows["tokens"][:, 1:24:2] == 0).all()
