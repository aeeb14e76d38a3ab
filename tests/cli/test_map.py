"""``aeplug map`` as a user meets it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support import assert_one_line_error, environment


class TestMap:
    def test_two_pictures_or_one_page(self, invoke, trained, tmp_path):
        out = tmp_path / "o"
        result = invoke("map", trained, "--grid", 3, "--out", out)
        assert result.code == 0, result.err
        assert result.out.split() == [str(out / "scatter.png"), str(out / "manifold.png")]
        assert "16 items: the latent plane; decoded: quantiles of the prior" in result.err
        result = invoke("map", trained, "--html", "--out", out)
        assert result.out.split() == [str(out / "map.html")]
        assert sorted(path.name for path in out.iterdir()) == [
            "manifold.png",
            "map.html",
            "scatter.png",
        ]

    def test_without_a_prior(self, invoke, trained_plain, tmp_path):
        result = invoke("map", trained_plain, "--grid", 2, "--out", tmp_path)
        assert result.code == 0 and "quantiles of the items" in result.err


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["map", "RUN", "--out", "o", "--colour", "x"], ["no label 'x'. There are none."]),
        (["map", "RUN", "--out", "o", "--projection", "tsne"], ["'tsne' is not one of"]),
        (["map", "RUN", "--out", "o", "--cond", "x"], ["takes no condition"]),
        (["map", "denoise", "--out", "o"], ["'denoise' has no embedding"]),
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


def test_the_help_imports_nothing_heavy():
    code = (
        "import atexit, sys\n"
        "heavy = {'torch', 'numpy', 'matplotlib', 'sklearn', 'umap', 'pyarrow'}\n"
        "atexit.register(lambda: print(sorted(heavy & set(sys.modules)), file=sys.stderr))\n"
        "from aeplug.cli import main; main(['map', '--help'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stderr.splitlines()[-1] == "[]"
