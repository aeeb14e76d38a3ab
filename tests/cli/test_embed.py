"""``aeplug embed`` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support import assert_one_line_error


class TestEmbed:
    def test_a_split_and_the_first_of_another(self, invoke, trained, tmp_path):
        result = invoke("embed", trained, "--out", tmp_path / "z.npz")
        assert result.code == 0, result.err
        assert result.out == f"{tmp_path / 'z.npz'}\n"
        assert "wrote 16 rows of 2 latents" in result.err
        out = tmp_path / "train.npz"
        assert invoke("embed", trained, "--split", "train", "--items", 5, "--out", out).code == 0
        with np.load(out) as found:
            assert found["name"].tolist() == [f"train-{row}" for row in range(5)]
            assert found["mean"].shape == found["logvar"].shape == (5, 2)

    def test_files_folders_and_what_cannot_be_read(self, invoke, trained, tmp_path, tiny_file):
        (tmp_path / "in").mkdir()
        for name in ("a", "b"):
            tiny_file(f"in/{name}")
        out = tmp_path / "in" / "z.npz"
        assert invoke("embed", trained, tmp_path / "in", "--out", out).code == 0
        (tmp_path / "in" / "c.tiny").write_text("no")
        again = ("embed", trained, tmp_path / "in", "--out", out)
        assert_one_line_error(invoke(*again).err, "is there already; give --overwrite")
        result = invoke(*again, "--overwrite")
        assert result.code == 1
        assert_one_line_error(result.err, "1 file could not be embedded", str(out))
        assert "left out: " in result.err and "c.tiny: not a .tiny file" in result.err
        with np.load(out) as found:
            assert [name[-6:] for name in found["name"]] == ["a.tiny", "b.tiny"]

    def test_all_that_cannot_be_read_is_listed_beside_the_result(
        self, invoke, trained, tmp_path, tiny_file
    ):
        (tmp_path / "in").mkdir()
        tiny_file("in/a")
        for number in range(8):
            (tmp_path / "in" / f"bad-{number}.tiny").write_text("no")
        out, listed = tmp_path / "z.npz", tmp_path / "z.failed.jsonl"
        result = invoke("embed", trained, tmp_path / "in", "--out", out, "--json")
        assert result.code == 1
        assert result.err.count("left out: ") == 6
        assert f"left out: 3 more; all are listed in {listed}" in result.err
        facts = json.loads(result.out)
        assert (facts["left_out"], facts["failures"]) == (8, str(listed))
        entries = [json.loads(line) for line in listed.read_text().splitlines()]
        assert [Path(one["file"]).name for one in entries] == [f"bad-{n}.tiny" for n in range(8)]
        assert all("not a .tiny file" in one["reason"] for one in entries)
        again = ("embed", trained, tmp_path / "in" / "a.tiny", "--out", out, "--overwrite")
        assert invoke(*again).code == 0
        assert not listed.exists()

    def test_data_of_ones_own(self, invoke, trained, tmp_path, tiny_file):
        (tmp_path / "mine").mkdir()
        tiny_file("mine/a", [[n, n, n, n] for n in range(7)])
        out = tmp_path / "z.npz"
        assert invoke("embed", trained, "--data", tmp_path / "mine", "--out", out).code == 0
        with np.load(out) as found:
            assert found["name"][6] == "all-6"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["embed", "RUN"], ["Missing option '--out'"]),
        (["embed", "RUN", "--out", "z.csv"], ["--out z.csv: expected a name that ends in .npz"]),
        (["embed", "RUN", "a", "--data", "b", "--out", "z.npz"], ["IN and --data exclude"]),
        (["embed", "RUN", "a.tiny", "--out", "z.npz"], ["there is no item to embed"]),
        (["embed", "RUN", "--split", "tset", "--out", "z.npz"], ["no split is called 'tset'"]),
        (["embed", "tiny", "--out", "z.npz"], ["ships no weights"]),
    ],
    ids=lambda value: " ".join(value)[:60],
)
def test_errors_are_one_line_and_leave_nothing(
    invoke, arguments, parts, trained, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    result = invoke(*(trained if argument == "RUN" else argument for argument in arguments))
    assert result.code in (1, 2) and result.out == ""
    assert_one_line_error(result.err, *parts)
    assert not list(tmp_path.iterdir())
