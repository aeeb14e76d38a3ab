"""Whole tunes: cut to their end, kept where they go on, put back what windows leave out, drawn."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from aeplug.api import load
from aeplug.errors import ConfigError, DataError, FileError
from aeplug.inference.sample import sample_documents
from aeplug.interfaces import Document, Sampling
from aeplug_music.melodies.codec import MelodyCodec
from aeplug_music.melodies.dataset import MelodyDataset, melody_shape
from aeplug_music.melodies.structure import self_similarities
from aeplug_music.melodies.tunes import tune_windows
from aeplug_music.plots.systems import split_systems
from aeplug_music.score.melody import Melody, Passage
from aeplug_music.score.tokens import HOLD, PITCH_OFFSET

#: Melodies are seen as they are, in whatever register and however short.
AS_IT_IS = MelodyCodec.Config(lowest=21, highest=108, short=0)

METRES = ("4/4", "3/4", "6/8")
SHAPE = melody_shape(2, METRES)


@pytest.fixture
def codec() -> MelodyCodec:
    return MelodyCodec(AS_IT_IS, SHAPE)


def bar(first: int, steps: int = 16) -> np.ndarray:
    """A bar of quarters upwards from a pitch."""
    tokens = np.zeros(steps, np.uint8)
    tokens[::4] = first + np.arange(-(-steps // 4)) - PITCH_OFFSET
    return tokens


def tune(*firsts: int, metre: str = "4/4") -> Melody:
    steps = {"4/4": 16, "3/4": 12, "6/8": 12, "5/4": 20}[metre]
    return Melody((Passage(metre, np.concatenate([bar(one, steps) for one in firsts])),), 90.0)


def written(codec: MelodyCodec, melody: Melody, stem: Path) -> Path:
    (path,) = codec.write(Document(melody, stem.name), stem, {})
    return path


FORM = (60, 62, 60, 64, 60, 62, 60, 67)


class TestPassage:
    def test_windows_end_with_the_tune(self, codec):
        raw = codec.context_pieces(Document(tune(50, *FORM), "odd"))
        rows = raw["tokens"].numpy()
        assert [int(row[0]) + PITCH_OFFSET for row in rows] == [60, 60, 60, 60]
        assert [int(row[16]) + PITCH_OFFSET for row in rows] == [62, 64, 62, 67]
        even = codec.context_pieces(Document(tune(*FORM), "even"))
        assert torch.equal(raw["tokens"], even["tokens"])

    def test_a_note_held_into_the_first_window_begins_in_it(self, codec):
        melody = tune(50, 60, 62)
        melody.passages[0].tokens[16] = HOLD
        raw = codec.context_pieces(Document(melody, "tied"))
        assert int(raw["tokens"][0, 0]) == 50 + 3 - PITCH_OFFSET

    def test_of_every_passage_in_a_metre_that_is_learnt(self, codec):
        parts = (tune(60, 62, 64), tune(70, 71, metre="5/4"), tune(72, 74, metre="3/4"))
        melody = Melody(tuple(one.passages[0] for one in parts))
        raw = codec.context_pieces(Document(melody, "mixed"))
        assert raw["metre"].tolist() == [0, METRES.index("3/4")]
        with pytest.raises(FileError, match="five is in 5/4; the model has learnt 4/4, 3/4, 6/8"):
            codec.context_pieces(Document(Melody(melody.passages[1:2]), "five"))

    def test_of_one_bar_the_notes_stand_at_the_end_behind_rests(self, codec):
        raw = codec.context_pieces(Document(tune(60), "one bar"))
        row = raw["tokens"].numpy()
        assert row.shape == (1, codec.width) and raw["metre"].tolist() == [0]
        assert not row[0, :16].any() and not row[0, 32:].any()
        assert np.array_equal(row[0, 16:32], tune(60).tokens)
        waltz = codec.context_pieces(Document(tune(60, metre="3/4"), "one bar"))
        assert np.array_equal(waltz["tokens"].numpy()[0, 12:24], tune(60, metre="3/4").tokens)
        # Of several short ones it is the last, at its place in the bar.
        cut = Melody((tune(60).passages[0], Passage("3/4", tune(72, metre="3/4").tokens[:7])))
        row = codec.context_pieces(Document(cut, "cut"))["tokens"].numpy()[0]
        assert np.flatnonzero(row > 1).tolist() == [12, 16]

    def test_a_note_held_into_a_short_passage_begins_in_it(self, codec):
        five, four = tune(60, metre="5/4").passages[0], tune(72).passages[0]
        four.tokens[0] = HOLD
        row = codec.context_pieces(Document(Melody((five, four)), "tied"))["tokens"].numpy()[0]
        assert int(row[16]) + PITCH_OFFSET == 64

    def test_a_note_over_a_bar_line_is_held_in_a_short_passage(self):
        wide = MelodyCodec(MelodyCodec.Config(), melody_shape(4, METRES))
        melody = tune(60, 72)
        melody.passages[0].tokens[16] = HOLD
        row = wide.context_pieces(Document(melody, "tied"))["tokens"].numpy()[0]
        assert np.array_equal(row[32:64], melody.tokens)

    def test_the_metre_goes_on_where_the_tune_does(self, codec):
        more = codec.context_pieces(Document(tune(72, 74), "more"))
        cond = {"metre": more["metre"]}
        found = codec.append_pieces(Document(tune(60, 62, 64), "x"), more["tokens"], cond).content
        assert [one.metre for one in found.passages] == ["4/4"]
        assert np.array_equal(found.tokens, tune(60, 62, 64, 72, 74).tokens)
        waltz = codec.append_pieces(
            Document(tune(60, metre="3/4"), "x"), more["tokens"], cond
        ).content
        assert [one.metre for one in waltz.passages] == ["3/4", "4/4"]
        # A bar cut short is not filled up by what follows.
        cut = Melody((Passage("4/4", tune(60).tokens[:12]),))
        found = codec.append_pieces(Document(cut, "x"), more["tokens"], cond).content
        assert [len(one.tokens) for one in found.passages] == [12, 32]

    def test_a_tune_is_kept_note_for_note_where_it_goes_on(self, codec):
        melody = tune(*FORM)
        melody.passages[0].tokens[-4:] = HOLD  # the last note is held to the end
        more = codec.context_pieces(Document(tune(72, 74), "more"))
        found = codec.append_pieces(
            Document(melody, "x"), more["tokens"], {"metre": more["metre"]}
        ).content
        assert found.bpm == 90
        assert np.array_equal(found.tokens[: melody.steps], melody.tokens)
        assert np.array_equal(found.tokens[melody.steps :], tune(72, 74).tokens)

    def test_bars_are_whole_windows(self, codec):
        assert codec.num_pieces({"bars": 64}) == 32
        assert codec.num_pieces({"bars": None}) == codec.num_pieces({}) == 0
        with pytest.raises(
            ConfigError, match=r"--bars 63: expected a multiple of .* 2 bars, such as 64"
        ):
            codec.num_pieces({"bars": 63})


class TestSequences:
    @pytest.fixture
    def folder(self, codec, tmp_path) -> Path:
        """Ten tunes of a form in which most bars return, each in bars of its own."""
        folder = tmp_path / "tunes"
        folder.mkdir()
        for number in range(10):
            firsts = [one - 3 * (number % 5) + (number // 5) * (one - 60) for one in FORM]
            written(codec, tune(*firsts), folder / f"{number}")
        return folder

    def test_repeated_windows_are_put_back(self, folder):
        dataset = MelodyDataset(MelodyDataset.Config(path=str(folder), metres=METRES))
        raw, counts = dataset.sequences("all", None)
        assert counts.tolist() == [4] * 10
        assert len(raw["tokens"]) == len(raw["metre"]) == 40
        first = raw["tokens"].view(10, 4, -1)
        assert torch.equal(first[:, 0], first[:, 2])
        assert len(dataset.sequences("train", None)[1]) == 10
        with pytest.raises(DataError, match="10 tunes, too few or too similar to hold any out"):
            dataset.sequences("val", None)
        with pytest.raises(DataError, match="no split 'dev'"):
            dataset.sequences("dev", None)

    def test_with_draws_each_tune_is_in_a_key_of_its_own(self, folder):
        dataset = MelodyDataset(MelodyDataset.Config(path=str(folder), metres=METRES))
        plain = dataset.sequences("all", None)[0]["tokens"].view(10, -1).int()
        moved, again = (
            dataset.sequences("all", torch.Generator().manual_seed(1))[0]["tokens"].view(10, -1)
            for _ in range(2)
        )
        by = [set((m - p)[p > 1].tolist()) for m, p in zip(moved.int(), plain, strict=True)]
        assert all(len(one) == 1 for one in by), "a tune is moved as a whole"
        assert len(set().union(*by)) > 2
        assert torch.equal(moved, again)

    def test_members_of_a_zip_whose_name_has_the_mark(self, codec, tmp_path):
        path = written(codec, tune(*FORM), tmp_path / "one")
        odd = tmp_path / "a!b.zip"
        with zipfile.ZipFile(odd, "w") as archive:
            archive.write(path, "x/one.mid")
        _, counts = tune_windows([f"{odd}!x/one.mid", str(path)], SHAPE)
        assert counts.tolist() == [4, 4]

    def test_a_built_folder_reads_its_files_again_and_says_if_they_are_gone(self, folder, tmp_path):
        from aeplug_music.corpus.build import build_melodies

        out = tmp_path / "built"
        out.mkdir()
        build_melodies([str(folder)], out, 1, lambda done, total: None)
        dataset = MelodyDataset(MelodyDataset.Config(path=str(out), metres=METRES))
        assert dataset.sequences("all", None)[1].tolist() == [4] * 10
        (folder / "3.mid").unlink()
        with pytest.raises(DataError, match=r"read from their files, but .*3.mid no long"):
            dataset.sequences("all", None)
        (folder / "3.mid").write_bytes(b"nothing")
        with pytest.raises(DataError, match=r"3.mid cannot be"):
            dataset.sequences("all", None)


class TestPage:
    def test_lines_of_bars_that_know_which_were_there_before(self):
        melody = tune(*FORM)
        lines = split_systems(melody, 3)
        assert [one.first for one in lines] == [0, 3, 6]
        assert [bar for one in lines for bar in one.earlier] == [0, 1, 0, 3, 0, 1, 0, 7]
        assert np.array_equal(np.concatenate([one.melody.tokens for one in lines]), melody.tokens)

    def test_a_bar_of_rests_returns_nowhere(self):
        rest = np.zeros(16, np.uint8)
        melody = Melody((Passage("4/4", np.concatenate([rest, bar(60), rest])),))
        melody.passages[0].tokens[32] = 1
        assert split_systems(melody, 8)[0].earlier == (-1, 1, -1)

    def test_a_long_tune_takes_several_lines(self, codec, tmp_path):
        from PIL import Image

        sizes = []
        for times in (5, 2):
            path = tmp_path / f"{times}.png"
            codec.sheet([("", [Document(tune(*(FORM * times)), "x")])], path, "a tune")
            with Image.open(path) as page:
                sizes.append(page.size)
        (width, height), (short_width, short_height) = sizes
        assert width == short_width and height > 2 * short_height


class TestShipped:
    def test_a_tune_of_64_bars_has_a_form(self):
        model = load("melody-2bar", device="cpu")
        cond, sampling = {"metre": "6/8"}, Sampling(0.5)
        profiles = []
        for prior in ("", "own"):
            documents = sample_documents(model, 3, 1, sampling, cond, prior, 32)
            tunes = [one.content.tokens for one in documents]
            assert [len(one) for one in tunes] == [64 * 12] * 3
            profiles.append(self_similarities(tunes, 12, lags=8)["equal"])
        # Sections of 8 bars come twice.
        assert profiles[0][7] > profiles[1][7] + 0.2

    def test_its_prior_fits_in_a_download(self):
        model = load("melody-2bar", device="cpu")
        assert model.folder is not None
        (path,) = model.folder.glob("prior-sequence-*")
        assert path.stat().st_size < 5e6


class TestContinue:
    @pytest.mark.parametrize(("voices", "drums"), [(1, False), (1, True), (3, True)])
    def test_a_single_bar_among_other_tracks_goes_on(self, voices, drums, invoke, tmp_path):
        import pretty_midi

        path, out = tmp_path / "band.mid", tmp_path / "out"
        midi = pretty_midi.PrettyMIDI(initial_tempo=120)
        for number in range(voices + drums):
            track = pretty_midi.Instrument(number, is_drum=number == voices)
            for beat in range(4):
                pitch = 72 - 12 * number + beat
                track.notes.append(pretty_midi.Note(100, pitch, beat / 2, beat / 2 + 0.4))
            midi.instruments.append(track)
        midi.write(str(path))
        arguments = ("melody-2bar", path, "-n", 1, "--bars", 2, "--out", out, "--device", "cpu")
        result = invoke("continue", *arguments)
        assert result.code == 0, result.err
        codec = MelodyCodec(MelodyCodec.Config(), SHAPE).with_options({"track": "1"})
        found = codec.read(out / "band-continued-01.mid").content
        # The one bar that there is, and two more.
        assert (found.tokens[:16:4] + PITCH_OFFSET).tolist() == [72, 73, 74, 75]
        assert found.steps == 3 * 16 and len(found.passages) == 1
