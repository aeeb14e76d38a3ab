"""Options of files of music: what cannot be done is said before anything is written."""

from __future__ import annotations

import os

import pytest
from support import assert_one_line_error


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--wav", "--soundfont", "my.sf2"), "my.sf2 is not a soundfont (.sf2)"),
        (("--wav", "--soundfont", "gone.sf2"), "gone.sf2 cannot be read: No such file"),
        (("--wav", "--soundfont", "pipe.sf2"), "pipe.sf2 is no regular file"),
        (("--soundfont", "my.sf2"), "--soundfont has no effect without --wav"),
    ],
)
def test_a_soundfont_that_cannot_play_leaves_nothing(invoke, tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.sf2").write_bytes(b"none at all")
    os.mkfifo("pipe.sf2")
    result = invoke("sample", "melody-2bar", "-n", 1, "--out", "out", *options)
    assert result.code == 1
    assert_one_line_error(result.err, said)
    assert not (tmp_path / "out").exists()
