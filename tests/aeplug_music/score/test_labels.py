"""What a data set of melodies says of its windows, and how the codec shows them."""

from __future__ import annotations

import numpy as np
import torch

from aeplug.interfaces import Document, LabelledDataset, PicturedCodec, PlayableCodec
from aeplug_music.melodies.codec import MelodyCodec
from aeplug_music.melodies.dataset import MelodyDataset
from aeplug_music.score.labels import (
    collection_name,
    count_notes_per_bar,
    estimate_keys,
    make_titles,
)
from aeplug_music.score.melody import Melody, Passage
from aeplug_music.score.tokens import PITCH_OFFSET


def window(pitches, steps=32):
    tokens = np.zeros(steps, np.uint8)
    tokens[: 2 * len(pitches) : 2] = np.array(pitches) - PITCH_OFFSET
    return tokens


def test_keys_follow_a_scale_through_its_transpositions():
    scale = np.array([60, 62, 64, 65, 67, 69, 71, 72, 67, 64, 60, 60])
    found = estimate_keys(np.stack([window(scale + shift) for shift in range(12)]))
    assert found[[0, 2, 7, 9]].tolist() == ["C/Am", "D/Bm", "G/Em", "A/F#m"]
    assert len(set(found.tolist())) == 12
    assert estimate_keys(np.zeros((1, 32), np.uint8)).tolist() == ["C/Am"]  # silence is in no key


def test_notes_and_names():
    assert count_notes_per_bar(np.stack([window([60] * 6), window([])]), 2).tolist() == [3.0, 0.0]
    assert collection_name("/data/tunes.zip!airs/one.mid") == "airs"
    assert collection_name("/data/tunes.zip!one.mid") == "tunes"
    assert collection_name("/data/jigs/one.mid") == "jigs"
    assert make_titles(["a/tune.mid"], np.array([4])).tolist() == ["tune, bar 5"]


def test_the_data_set_says_what_its_windows_are():
    dataset = MelodyDataset(MelodyDataset.Config())
    assert isinstance(dataset, LabelledDataset)
    rows = dataset.split("test").take(torch.arange(50))
    found = dataset.labels(rows)
    assert list(found) == ["collection", "key", "notes per bar", "metre", "name"]
    assert {len(values) for values in found.values()} == {50}
    assert set(found["collection"]) <= {"airdsAirs", "oneills1850", "ryansMammoth"}


def test_a_melody_is_seen_and_heard():
    dataset = MelodyDataset(MelodyDataset.Config())
    codec = MelodyCodec(MelodyCodec.Config(), dataset.shape)
    assert isinstance(codec, PicturedCodec) and isinstance(codec, PlayableCodec)
    melody = Melody((Passage("4/4", window([60, 64, 84, 20 + 21])),), bpm=60.0)
    picture = codec.thumbnail(Document(melody, "x"))
    empty = codec.thumbnail(Document(Melody(()), "x"))
    assert picture.shape == empty.shape and picture.dtype == np.uint8
    assert (picture != 255).any() and picture.shape[2] == 3
    notes = codec.playable(Document(melody, "x"))
    assert notes[1] == (0.5, 0.5, 64)
    assert len(notes) == 4
    assert codec.playable(Document(Melody(()), "x")) == []
