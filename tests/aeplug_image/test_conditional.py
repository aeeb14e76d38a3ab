"""Conditions: told to the decoder, changed at will, found where a file tells none."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support import assert_one_line_error

from aeplug.config import resolve
from aeplug.errors import ConfigError, DataError
from aeplug.interfaces import Batch, Context, DataShape, Sampling
from aeplug.model import checkpoint
from aeplug.model.conditions import ConditionEmbedding, infer_conditions
from aeplug.model.header import describe
from aeplug.model.model import Model
from aeplug.model.task import Task
from aeplug.plugins import Plugins
from aeplug_image.datasets.folder import ImageFolder, ImageFolderConfig
from aeplug_image.datasets.mnist import MNIST, MNISTConfig
from aeplug_image.nets.conv import ConvConfig, ConvDecoder
from aeplug_image.nets.mlp import MLPConfig, MLPDecoder

PLUGINS = Plugins([], [], only_builtin=True)
SMALL = {
    "encoder": "mlp",
    "decoder": "mlp",
    "encoder.hidden": [8],
    "decoder.hidden": [8],
    "latent.size": 3,
}


def small_task(**settings: Any) -> Task:
    torch.manual_seed(0)
    config = resolve(PLUGINS.task("mnist-cvae"), PLUGINS, {**SMALL, **settings})
    return Task(config, MNIST(MNISTConfig(conditional=True)).shape)


@pytest.fixture
def model() -> Model:
    """Untrained, but for a decoder that heeds the class more than z."""
    config = resolve(PLUGINS.task("mnist-cvae"), PLUGINS, SMALL)
    task = small_task()
    torch.nn.init.normal_(task.decoder.condition.tables["digit"].weight, std=5)
    torch.nn.init.normal_(task.decoder.logits.weight, std=2)
    return Model(config, task, torch.device("cpu"))


@pytest.fixture
def folder(model: Model, tmp_path: Path) -> Path:
    """The model as a checkpoint, with two pictures that it makes itself: a 3 and a 7."""
    header = describe(model.config, PLUGINS, model.shape)
    checkpoint.save(tmp_path / "model", header, model.task)
    pictures = model.sample(2, seed=1, cond={"digit": torch.tensor([3, 7])})
    for name, picture in zip(("three", "seven"), pictures, strict=True):
        pixels = (picture[0] * 255).round().byte().numpy()
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    return tmp_path


def test_data_says_the_digit_only_where_it_is_asked_for() -> None:
    assert MNIST(MNISTConfig()).shape.conditions == {}
    dataset = MNIST(MNISTConfig(conditional=True))
    assert dataset.shape.conditions == {"digit": tuple("0123456789")}
    for name in ("test", "all"):
        rows = dataset.split(name).take(torch.arange(50))
        assert torch.equal(rows["digit"], rows["label"])
    rows = MNIST(MNISTConfig()).split("test").take(torch.arange(2))
    assert set(rows) == {"image", "label"}


def test_tasks_without_conditions_have_no_weight_more() -> None:
    config = resolve(PLUGINS.task("mnist-vae"), PLUGINS, {})
    names = Task(config, MNIST(MNISTConfig()).shape).state_dict()
    assert not [name for name in names if "condition" in name]


@pytest.mark.parametrize("kind", ["conv", "conv with a hidden layer", "mlp"])
def test_decoders_heed_every_condition(kind: str) -> None:
    shape = DataShape((1, 8, 8), (1, 8, 8), conditions={"digit": ("a", "b"), "pen": ("x", "y")})
    if kind == "mlp":
        decoder: Any = MLPDecoder(MLPConfig(hidden=(6, 5)), shape, (2,))
    else:
        hidden = 7 if "hidden" in kind else 0
        decoder = ConvDecoder(ConvConfig(widths=(3, 4), blocks=(0, 0), hidden=hidden), shape, (2,))
    z = torch.randn(1, 2)
    made = {}
    for digit, pen in itertools.product((0, 1), (0, 1)):
        cond = {"digit": torch.tensor([digit]), "pen": torch.tensor([pen])}
        made[digit, pen] = decoder.generate(z, Context(cond=cond), Sampling())
    for one, other in itertools.combinations(made.values(), 2):
        assert (one - other).abs().max() > 1e-3
    decoder(z, Context(cond=cond), {}).values.sum().backward()
    tables = decoder.condition.tables.values()
    assert all(table.weight.grad.abs().sum() > 0 for table in tables)


def test_embedding_adds_a_vector_a_class() -> None:
    part = ConditionEmbedding({"digit": ("a", "b", "c")}, 4)
    hidden, classes = torch.randn(2, 4), torch.tensor([2, 0])
    expected = hidden + part.tables["digit"].weight[classes]
    assert torch.equal(part(hidden, {"digit": classes}), expected)


class TestInference:
    def test_the_likeliest_class_is_found(self, model: Model) -> None:
        images = model.sample(20, seed=3, cond={"digit": torch.arange(20) % 10})
        batch = infer_conditions(model.task, Batch(images, images))
        z = model.task.encode(images, Context())[0].mode()
        costs = []
        for digit in range(10):
            cond = {"digit": torch.full((20,), digit)}
            output = model.task.decoder(z, Context(cond=cond), {})
            costs.append(model.task.loss.nll(output, Batch(images, images, cond)))
        assert torch.equal(batch.cond["digit"], torch.stack(costs).argmin(0))
        assert len(batch.cond["digit"].unique()) > 1

    def test_what_is_told_stays(self, model: Model) -> None:
        images = torch.rand(4, 1, 28, 28)
        told = Batch(images, images, {"digit": torch.tensor([1, 2, 3, 4])})
        assert infer_conditions(model.task, told) is told

    def test_an_encoder_that_looks_at_conditions_must_be_told(
        self, model: Model, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(type(model.task.encoder), "ignores_conditions", False)
        images = torch.rand(4, 1, 28, 28)
        with pytest.raises(ConfigError, match="the condition digit must be told"):
            infer_conditions(model.task, Batch(images, images))

    def test_a_models_own_pictures_are_recognised(self, model: Model) -> None:
        asked = torch.arange(10).repeat(4)
        found = model.encode(model.sample(40, seed=2, cond={"digit": asked}))["digit"]
        assert (found == asked).float().mean() > 0.9


class TestModel:
    def test_sampling_asks_for_a_class(self, model: Model) -> None:
        by_name = model.sample(3, seed=1, cond={"digit": "7"})
        assert torch.equal(by_name, model.sample(3, seed=1, cond={"digit": 7}))
        assert (by_name - model.sample(3, seed=1, cond={"digit": "3"})).abs().max() > 0.1
        assert torch.equal(model.sample(3, seed=1), model.sample(3, seed=1, cond={"digit": 0}))
        with pytest.raises(ConfigError, match="digit has no class 'seven'"):
            model.sample(1, cond={"digit": "seven"})
        with pytest.raises(ConfigError, match="digit has 10 classes, got number 10"):
            model.sample(1, cond={"digit": 10})
        with pytest.raises(ConfigError, match="takes no condition 'colour'"):
            model.sample(1, cond={"colour": "7"})

    def test_style_is_held_and_the_class_changed(self, model: Model) -> None:
        images = torch.rand(300, 1, 28, 28)  # more than a batch
        encoded = model.encode(images)
        z = encoded["mean"]
        assert torch.equal(model.reconstruct(images), model.decode(z, {"digit": encoded["digit"]}))
        eights = model.reconstruct(images, to={"digit": "8"})
        assert torch.equal(eights, model.decode(z, {"digit": 8}))
        own = torch.arange(300) % 10
        others = model.reconstruct(images, {"digit": own}, to={"digit": (own + 1) % 10})
        assert torch.equal(others, model.decode(z, {"digit": (own + 1) % 10}))

    def test_training_loss_is_that_of_the_told_class(self, model: Model) -> None:
        images = torch.rand(4, 1, 28, 28)
        schedule_values = {"beta": torch.tensor(1.0)}
        losses = [
            model.task(
                Batch(images, images, {"digit": torch.full((4,), digit)}),
                schedule_values,
                torch.Generator().manual_seed(0),
            )["loss"].item()
            for digit in (3, 8)
        ]
        assert losses[0] != pytest.approx(losses[1])


class TestCommandLine:
    def test_a_file_keeps_its_class_or_gets_another(
        self, folder: Path, model: Model, invoke: Callable[..., Any]
    ) -> None:
        result = invoke(
            "reconstruct", folder / "model", folder / "three.png", "--out", folder / "a"
        )
        assert result.code == 0, result.err
        result = invoke(
            *("reconstruct", folder / "model", folder / "three.png", folder / "seven.png"),
            *("--cond", "8", "--out", folder / "b"),
        )
        assert result.code == 0, result.err

        def pixels(name: str) -> torch.Tensor:
            return torch.from_numpy(np.array(Image.open(folder / name))).float() / 255

        z = model.encode(folder / "three.png")
        assert z["digit"].tolist() == [3]
        for name, digit in (("a/three.png", 3), ("b/three.png", 8)):
            expected = model.decode(z["mean"], {"digit": digit})[0, 0]
            torch.testing.assert_close(pixels(name), expected, atol=0.003, rtol=0)
        assert (folder / "b" / "seven.png").is_file()

    def test_another_class_is_another_job(self, folder: Path, invoke: Callable[..., Any]) -> None:
        base = ("reconstruct", folder / "model", folder / "three.png", "--out", folder / "out")
        assert invoke(*base, "--cond", "digit=8").code == 0
        again = invoke(*base, "--cond", "digit=8")
        assert again.code == 0 and "1 was done before" in again.err
        assert invoke(*base, "--cond", "digit=5").code == 1

    @pytest.mark.parametrize(
        ("cond", "words"),
        [
            ("11", "digit has no class '11'"),
            ("colour=1", "takes no condition 'colour'"),
        ],
    )
    def test_wrong_classes_are_told_at_once(
        self, folder: Path, invoke: Callable[..., Any], cond: str, words: str
    ) -> None:
        result = invoke(
            *("reconstruct", folder / "model", folder / "three.png"),
            *("--cond", cond, "--out", folder / "out"),
        )
        assert result.code == 1
        assert_one_line_error(result.err, words)
        assert not (folder / "out").exists()

    @pytest.mark.parametrize("how", [("--similarity", 1), ("--sigma", 0)])
    def test_variations_of_another_class(
        self, folder: Path, model: Model, invoke: Callable[..., Any], how: tuple[Any, ...]
    ) -> None:
        result = invoke(
            *("vary", folder / "model", folder / "three.png", "-n", 1, *how),
            *("--cond", 8, "--out", folder / "varied"),
        )
        assert result.code == 0, result.err
        (path,) = (folder / "varied").glob("three-*.png")
        z = model.encode(folder / "three.png")["mean"]
        found = torch.from_numpy(np.array(Image.open(path))).float() / 255
        expected = model.decode(z, {"digit": 8})[0, 0]
        torch.testing.assert_close(found, expected, atol=0.003, rtol=0)

    def test_samples_of_a_class(self, folder: Path, invoke: Callable[..., Any]) -> None:
        result = invoke(
            *("sample", folder / "model", "-n", 3, "--cond", 7, "--out", folder / "sevens")
        )
        assert result.code == 0, result.err
        assert len(list((folder / "sevens").glob("sample-*.png"))) == 3

    def test_embedding_names_the_class_that_was_found(
        self, folder: Path, invoke: Callable[..., Any]
    ) -> None:
        files = [folder / "three.png", folder / "seven.png"]
        result = invoke("embed", folder / "model", *files, "--out", folder / "z.npz")
        assert result.code == 0, result.err
        with np.load(folder / "z.npz") as found:
            assert found["digit"].tolist() == ["3", "7"]


class TestFolder:
    @pytest.fixture
    def pictures(self, tmp_path: Path) -> Path:
        for label, name in itertools.product(("cat", "dog"), range(4)):
            place = tmp_path / "pictures" / label
            place.mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), 20 * name).save(place / f"{name}.png")
        return tmp_path / "pictures"

    def test_subfolders_are_classes(self, pictures: Path) -> None:
        dataset = ImageFolder(ImageFolderConfig(path=str(pictures), conditional=True))
        assert dataset.shape.conditions == {"label": ("cat", "dog")}
        rows = dataset.split("all").take(torch.arange(8))
        assert rows["label"].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
        assert ImageFolder(ImageFolderConfig(path=str(pictures))).shape.conditions == {}

    def test_images_outside_of_them_are_refused(self, pictures: Path) -> None:
        Image.new("L", (8, 8)).save(pictures / "stray.png")
        with pytest.raises(DataError, match=r"every image in .* must have a subfolder"):
            ImageFolder(ImageFolderConfig(path=str(pictures), conditional=True))

    def test_folders_for_a_trained_model_must_have_its_classes(self, pictures: Path) -> None:
        config = ImageFolderConfig(path=str(pictures))
        known = DataShape((1, 8, 8), (1, 8, 8), conditions={"label": ("bird", "cat", "dog")})
        rows = ImageFolder.with_shape(config, known).split("all").take(torch.arange(8))
        assert rows["label"].tolist() == [1, 1, 1, 1, 2, 2, 2, 2]
        other = DataShape((1, 8, 8), (1, 8, 8), conditions={"digit": ("cat", "mouse")})
        with pytest.raises(DataError, match=r"has images in 'dog'; .* subfolders: cat, mouse"):
            ImageFolder.with_shape(config, other)


def test_sheets_of_samples_have_a_row_for_each_class(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aeplug.plots.gallery import draw_samples

    sheets: list[Any] = []
    monkeypatch.setattr(model.codec, "sheet", lambda rows, path, title: sheets.append(rows))
    draw_samples(model, tmp_path / "samples.png", seed=4)
    (rows,) = sheets
    assert [label for label, _ in rows] == list("0123456789")
    assert {len(documents) for _, documents in rows} == {6}
