"""``aeplug embed``, ``map`` and ``compare-pca`` as a user meets them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from support import assert_one_line_error, environment, one_object


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
        assert_one_line_error(result.err, "1 files could not be embedded", str(out))
        assert "left out: " in result.err and "c.tiny: not a .tiny file" in result.err
        with np.load(out) as found:
            assert [name[-6:] for name in found["name"]] == ["a.tiny", "b.tiny"]

    def test_data_of_ones_own(self, invoke, trained, tmp_path, tiny_file):
        (tmp_path / "mine").mkdir()
        tiny_file("mine/a", [[n, n, n, n] for n in range(7)])
        out = tmp_path / "z.npz"
        assert invoke("embed", trained, "--data", tmp_path / "mine", "--out", out).code == 0
        with np.load(out) as found:
            assert found["name"][6] == "all-6"


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


class TestComparePCA:
    def test_figures_of_the_model_and_of_pca(self, invoke, trained):
        result = invoke("compare-pca", trained, "--json")
        assert result.code == 0, result.err
        found = one_object(result.out)
        assert (found["items"], found["values"], found["dims"]) == (16, 4, 2)
        # Made of two factors; what is left is rounding.
        assert found["pca_squared_error"] < 1e-4 < found["model_squared_error"]
        assert found["curve"]["dims"] == [0, 1, 2, 3, 4]
        errors = found["curve"]["pca_squared_error"]
        assert errors == sorted(errors, reverse=True)
        assert "probes" not in found  # it has no label

    def test_table_and_curve(self, invoke, trained, tmp_path):
        result = invoke("compare-pca", trained, "--out", tmp_path / "curve.png")
        assert result.code == 0, result.err
        assert "the model  2" in result.out and "PCA        4" in result.out
        assert (tmp_path / "curve.png").stat().st_size > 5000

    def test_a_task_without_weights_is_pca_alone(self, invoke):
        result = invoke("compare-pca", "tiny-vae", "--dims", 1, "--json")
        assert result.code == 0, result.err
        found = one_object(result.out)
        assert found["pca_squared_error"] > 0 and "model_squared_error" not in found
        assert "ships no weights: PCA alone" in result.err

    def test_mnist_with_30_components_is_the_textbooks(self, invoke):
        result = invoke("compare-pca", "mnist", "--dims", 30, "--no-probes", "--json")
        found = one_object(result.out)
        assert found["value_range"] == [0.0, 1.0]
        assert found["pca_squared_error"] == pytest.approx(13.86, abs=0.01)
        assert found["pca_squared_error"] * (255 / 256) ** 2 == pytest.approx(13.76, abs=0.01)
        assert found["model_dims"] == 32 and found["model_squared_error"] < 2

    def test_probes_of_digits(self, invoke, monkeypatch):
        monkeypatch.setattr("aeplug.evaluation.pca_comparison.PROBE_VALUES", 3000 * 784)
        result = invoke("compare-pca", "mnist-vae", "--items", 300, "--json")
        probes = one_object(result.out)["probes"]
        assert (probes["label"], probes["classes"]) == ("label", 10)
        assert set(probes["accuracy"]) == {"model", "pca", "values"}
        assert probes["train_items"] == 3000
        assert probes["accuracy"]["values"]["knn"] > 0.85
        assert probes["accuracy"]["model"]["knn"] > probes["accuracy"]["pca"]["knn"]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["embed", "RUN"], ["Missing option '--out'"]),
        (["embed", "RUN", "--out", "z.csv"], ["--out z.csv: expected a name that ends in .npz"]),
        (["embed", "RUN", "a", "--data", "b", "--out", "z.npz"], ["IN and --data exclude"]),
        (["embed", "RUN", "a.tiny", "--out", "z.npz"], ["there is no item to embed"]),
        (["embed", "RUN", "--split", "tset", "--out", "z.npz"], ["no split is called 'tset'"]),
        (["embed", "tiny", "--out", "z.npz"], ["ships no weights"]),
        (["map", "RUN", "--out", "o", "--colour", "x"], ["no label 'x'. There are none."]),
        (["map", "RUN", "--out", "o", "--projection", "tsne"], ["'tsne' is not one of"]),
        (["map", "RUN", "--out", "o", "--cond", "x"], ["takes no condition"]),
        (["map", "denoise", "--out", "o"], ["'denoise' has no embedding"]),
        (["fit-prior", "denoise"], ["'denoise' has no embedding"]),
        (["compare-pca", "RUN", "--dims", "9"], ["--dims 9: items have 4 values"]),
        (["compare-pca", "RUN", "--out", "a.jpg"], ["expected a name that ends in .png"]),
        (["compare-pca", "RUN", "--label", "x"], ["no label 'x'"]),
        (["compare-pca", "nothing"], ["no run directory and no task is called 'nothing'"]),
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
