"""``aeplug compare-pca`` as a user meets it."""

from __future__ import annotations

import pytest
from support import assert_one_line_error, one_object


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

    def test_first_components_alone_where_values_are_many(self, invoke, trained, monkeypatch):
        arguments = ("compare-pca", trained, "--json")
        exact = one_object(invoke(*arguments).out)
        monkeypatch.setattr("aeplug.evaluation.pca_comparison.MOST_VALUES", 3)
        leading = one_object(invoke(*arguments).out)
        assert exact["pca_is_exact"] and not leading["pca_is_exact"]
        errors = leading["curve"]["pca_squared_error"]
        assert errors == pytest.approx(exact["curve"]["pca_squared_error"], rel=1e-3, abs=1e-4)
        assert "PCA: its first components alone" in invoke("compare-pca", trained).out

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
