"""Latents of splits and files, and the files they are written to."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from aeplug.data.labels import label_rows
from aeplug.data.opening import open_dataset
from aeplug.errors import AeplugError, ConfigError, FileError
from aeplug.inference.embed import concat_embeddings, embed_files, embed_split
from aeplug.inference.embedding_file import write_embedding


def blocks(rows: int, size: int = 100):
    """Columns of every kind; row ``n`` tells its number."""
    for start in range(0, rows, size):
        numbers = np.arange(start, min(start + size, rows))
        yield {
            "name": np.array([f"é{number}" * (1 + number % 3) for number in numbers]),
            "label": numbers,
            "mean": np.stack([numbers, -numbers], 1).astype(np.float32),
        }


class TestSplit:
    def test_rows_are_those_of_encode_in_order(self, model):
        dataset = open_dataset(model.config)
        split = dataset.split("test")
        found = concat_embeddings(embed_split(model, dataset, split, "test"))
        batch = next(model.batches(split))
        expected = model.encode(batch.input)
        assert set(found) == {"name", "mean", "logvar"}
        assert found["name"].tolist() == [f"test-{row}" for row in range(16)]
        for name in ("mean", "logvar"):
            assert found[name].dtype == np.float32
            np.testing.assert_allclose(found[name], expected[name], atol=1e-6)

    def test_chosen_rows_keep_their_numbers(self, model):
        dataset = open_dataset(model.config)
        chosen = torch.tensor([3, 9])
        found = concat_embeddings(
            embed_split(model, dataset, dataset.split("test"), "test", chosen)
        )
        assert found["name"].tolist() == ["test-3", "test-9"]

    def test_without_a_word_columns_of_one_integer_are_labels(self, model):
        raw = {
            "x": torch.zeros(3, 4, dtype=torch.uint8),
            "class": torch.arange(3),
            "weight": torch.rand(3),
        }
        found = label_rows(open_dataset(model.config), raw, list("abc"))
        assert {name: column.tolist() for name, column in found.items()} == {
            "name": ["a", "b", "c"],
            "class": [0, 1, 2],
        }


class TestFiles:
    def test_each_piece_is_a_row_and_a_bad_file_is_told(self, model, tiny_file):
        paths = [str(tiny_file("a", [[1, 2, 3, 4]] * 2)), "none.tiny", str(tiny_file("b"))]
        bad: dict[str, str] = {}
        found = concat_embeddings(embed_files(model, paths, bad.__setitem__))
        assert found["name"].tolist() == [paths[0], paths[0], paths[2]]
        assert found["piece"].tolist() == [0, 1, 0]
        np.testing.assert_allclose(found["mean"], model.encode([paths[0], paths[2]])["mean"])
        assert list(bad) == ["none.tiny"] and "not a .tiny file" in bad["none.tiny"]

    def test_many_pieces_of_many_files(self, model, tiny_file):
        draw = np.random.default_rng(0)
        rows = {
            str(tiny_file(f"{n}", draw.integers(0, 255, (n % 7 * 60 + 1, 4)).tolist())): n
            for n in range(20)
        }
        found = concat_embeddings(embed_files(model, rows, lambda *bad: pytest.fail(str(bad))))
        expected = model.encode(list(rows))["mean"]
        np.testing.assert_allclose(found["mean"], expected, atol=1e-6)
        assert list(dict.fromkeys(found["name"].tolist())) == list(rows)

    def test_what_the_model_cannot_take_is_that_files_fault(self, model, tiny_file, monkeypatch):
        paths = [str(tiny_file(name)) for name in "abc"]
        given = model.prepare_file

        def choosy(raw):
            if len(raw["x"]) != 1 or bool((raw["x"] == 77).any()):
                raise RuntimeError("no")
            return given(raw)

        Path(paths[1]).write_text("[[77, 1, 1, 1]]")
        monkeypatch.setattr(model, "prepare_file", choosy)
        bad: dict[str, str] = {}
        found = concat_embeddings(embed_files(model, paths, bad.__setitem__))
        assert found["name"].tolist() == [paths[0], paths[2]]
        assert list(bad) == [paths[1]]


def test_feature_maps_are_no_embedding(model, monkeypatch):
    monkeypatch.setattr(model.task.latent, "latent_shape", (8, 4, 4))
    with pytest.raises(ConfigError, match=r"no embedding: .* feature maps of shape \(8, 4, 4\)"):
        next(embed_files(model, ["a"], lambda *bad: None))


class TestWritten:
    def test_npz_is_what_numpy_reads(self, tmp_path):
        path = tmp_path / "deep" / "z.npz"
        assert write_embedding(path, blocks(1234)) == 1234
        with np.load(path, allow_pickle=False) as found:
            expected = concat_embeddings(blocks(1234))
            assert found.files == list(expected)
            for name, values in expected.items():
                np.testing.assert_array_equal(found[name], values)
        assert [one.name for one in path.parent.iterdir()] == ["z.npz"]

    def test_parquet_has_lists_of_fixed_size(self, tmp_path):
        parquet = pytest.importorskip("pyarrow.parquet")
        path = tmp_path / "z.parquet"
        write_embedding(path, blocks(40_000))
        table = parquet.read_table(path)
        assert str(table.schema.field("mean").type) == "fixed_size_list<element: float>[2]" or (
            table.schema.field("mean").type.list_size == 2
        )
        assert table["mean"][39_999].as_py() == [39_999.0, -39_999.0]
        assert table["name"][7].as_py() == "é7é7"
        assert parquet.ParquetFile(path).num_row_groups > 1

    def test_memory_does_not_grow_with_the_rows(self, tmp_path):
        peaks = []
        for rows in (10_000, 100_000):
            tracemalloc.start()
            write_embedding(tmp_path / "z.npz", blocks(rows))
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[1] < 1.5 * peaks[0] + (8 << 20)

    def test_cut_short_it_leaves_what_was_there(self, tmp_path):
        path = tmp_path / "z.npz"
        path.write_text("before")

        def broken():
            yield from blocks(300)
            raise AeplugError("stopped")

        with pytest.raises(AeplugError, match="stopped"):
            write_embedding(path, broken())
        assert path.read_text() == "before"
        assert [one.name for one in tmp_path.iterdir()] == ["z.npz"]

    def test_nothing_to_write_and_no_format(self, tmp_path):
        with pytest.raises(FileError, match="no item to embed"):
            write_embedding(tmp_path / "z.npz", [])
        with pytest.raises(ConfigError, match=r"ends in .npz or .parquet"):
            write_embedding(tmp_path / "z.csv", blocks(1))
        assert not list(tmp_path.iterdir())

    def test_parquet_without_pyarrow_says_what_to_install(self, tmp_path, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
        with pytest.raises(AeplugError, match=r"needs pyarrow: pip install pyarrow"):
            write_embedding(tmp_path / "z.parquet", blocks(1))
