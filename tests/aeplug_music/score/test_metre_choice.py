"""The metre in which a file is read: its own, as told, or the likeliest where it has none."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
from music_files import TUNE, Q, metre, moved, notes, read_notes, read_tracks, smf, tempo, track

from aeplug.config import PartConfig
from aeplug.data.bundled import find_bundled
from aeplug_music.melodies.dataset import MelodyDataset
from aeplug_music.midi.reading import parse_midi
from aeplug_music.score.melody import extract_melody
from aeplug_music.score.metre_choice import estimate_metre, settle_metre

NOMINAL = [(0, tempo(100)), (0, metre(1, 4))]
WALTZ = [(67, 2 * Q), (71, Q), (74, 2 * Q), (72, Q), (71, Q), (69, Q), (67, Q), (69, 3 * Q)] * 4
JIG = [(67, Q // 2), (69, Q // 2), (71, Q // 2), (72, Q), (71, Q // 2), (74, 3 * Q // 2)] * 6


def tune(sequence, head=NOMINAL):
    return parse_midi(smf(track(head + notes(sequence))))


@pytest.mark.parametrize(
    ("sequence", "expected"), [(TUNE, "4/4"), (TUNE * 3, "4/4"), (WALTZ, "3/4"), (JIG, "6/8")]
)
def test_a_nominal_metre_is_read_in_the_likeliest(sequence, expected):
    settled, remark = settle_metre(tune(sequence))
    assert {passage.metre for passage in extract_melody(settled).passages} == {expected}
    assert f"1/4 read in {expected}, the likeliest metre" in remark


def test_a_metre_that_the_file_has_stays_and_a_told_one_holds_for_all():
    named = tune(WALTZ, [(0, metre(2, 4)), (8 * Q, metre(3, 4))])
    assert settle_metre(named) == (named, "")
    told, remark = settle_metre(named, "6/8")
    assert told.time_signatures == [(0, 6, 8)] and not remark
    assert told.data == named.data


def test_an_upbeat_of_one_beat_is_none_of_these():
    upbeat = tune([(67, Q), *TUNE], [(0, metre(1, 4)), (Q, metre(4, 4))])
    assert settle_metre(upbeat) == (upbeat, "")


def test_bundled_tunes_whose_metre_is_hidden():
    found = {"even": [], "3/4": [], "6/8": []}
    with zipfile.ZipFile(find_bundled("folk_tunes.zip")) as archive:
        for called in sorted(archive.namelist())[::10]:
            each = parse_midi(archive.read(called))
            names = {f"{n}/{d}" for _, n, d in each.time_signatures if n > 1}
            if len(names) == 1:
                (name,) = names
                kind = "even" if name in ("4/4", "2/4", "2/2") else name
                if kind in found:
                    even = estimate_metre(each) == "4/4"
                    found[kind].append(even if kind == "even" else not even)
    shares = {kind: float(np.mean(right)) for kind, right in found.items()}
    assert shares["even"] > 0.9 and shares["3/4"] > 0.85 and shares["6/8"] > 0.8


def test_reconstruct_says_the_metre_and_takes_another(invoke, tmp_path):
    path = tmp_path / "pop.mid"
    path.write_bytes(smf(track(NOMINAL + notes(TUNE))))
    for option, said in (((), "1/4 read in 4/4"), (("--metre", "2/4"), "")):
        out = tmp_path / f"out{len(option)}"
        result = invoke(
            "reconstruct", "melody-2bar", path, *option, "--out", out, "--device", "cpu"
        )
        assert result.code == 0, result.err
        assert ("likeliest" in result.err) == bool(said) and said in result.err
        # The file itself says what it said.
        (found,) = read_tracks(out / "pop.mid")
        assert (0, metre(1, 4)) in found
        assert read_notes(found) == read_notes(read_tracks(path)[0])


@pytest.mark.parametrize(("option", "expected"), [((), "4/4"), (("--metre", "2/4"), "2/4")])
def test_data_build_reads_them_too(option, expected, invoke, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for semitones in range(3):
        data = smf(track(NOMINAL + notes(moved(TUNE, semitones))))
        (folder / f"{semitones}.mid").write_bytes(data)
    result = invoke("data", "build", folder, "--dataset", "melodies", *option, "--out", out)
    assert result.code == 0, result.err
    index = json.loads((out / "index.json").read_text())
    assert {tune["metre"] for tune in index["tunes"]} == {expected}
    said = (out / "repaired.jsonl").read_text() if not option else ""
    assert ("likeliest" in said) == (not option)
    dataset = MelodyDataset(MelodyDataset.Config(path=str(out)))
    raw, _ = dataset.sequences("all", None)
    assert {dataset.shape.conditions["metre"][n] for n in raw["metre"].tolist()} == {expected}
    assert isinstance(dataset.config, PartConfig)
