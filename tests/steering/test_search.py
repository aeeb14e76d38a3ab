"""Directions learnt, applied and measured; grids and noise in the latent space."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from aeplug import AttributeSpec, api
from aeplug.data.opening import open_dataset
from aeplug.errors import AeplugError, ConfigError, DataError, FileError
from aeplug.inference.interpolate import interpolate_grid
from aeplug.inference.reconstruct import reconstruct_document
from aeplug.inference.vary import add_noise
from aeplug.interfaces import Sampling
from aeplug.latents.paths import interpolate_corners
from aeplug.steering.attributes import find_attribute, measure_attributes
from aeplug.steering.check import check_steering
from aeplug.steering.directions import learn_directions, load_directions, save_directions
from aeplug.steering.examples import find_rows, parse_classes
from aeplug.steering.search import steer

GREEDY = Sampling(greedy=True)


def first(batch, shape):
    """The first number; undefined where the last is under 0.1."""
    return torch.where(batch.target[:, 3] > 0.1, batch.target[:, 0], torch.nan)


def second(batch, shape):
    return batch.target[:, 1]


ATTRIBUTES = (
    AttributeSpec("first", f"{__name__}:first", "shares"),
    AttributeSpec("second", f"{__name__}:second", "shares"),
)


@pytest.fixture(scope="module")
def learnt(make_training, tmp_path_factory):
    """Folder of a tiny autoencoder that tells items apart."""
    folder = tmp_path_factory.mktemp("learnt") / "run"
    make_training({"train.epochs": 100, "prepare.noise": 0.0}, folder, task="tiny").run()
    return folder


@pytest.fixture
def measured(learnt, plugins):
    """It with two attributes."""
    model = api.load(learnt, device="cpu", plugins=plugins)
    model.config = replace(model.config, task=replace(model.spec, attributes=ATTRIBUTES))
    return model


@pytest.fixture
def directions(measured):
    return learn_directions(measured, open_dataset(measured.config).split("train"))


class TestLearn:
    def test_deviations_are_those_of_the_data(self, measured, directions):
        split = open_dataset(measured.config).split("train")
        data = split.take(torch.arange(len(split)))["x"].float() / 255
        expected = data[data[:, 3] > 0.1, 0].std()
        torch.testing.assert_close(directions.deviations[0], expected)
        assert directions.names == ("first", "second")
        cov = directions.points.T @ directions.points / len(directions.points)
        torch.testing.assert_close(cov, torch.eye(2), atol=1e-4, rtol=0)

    def test_too_few_items_or_a_constant_are_told(self, measured):
        split = open_dataset(measured.config).split("train")
        with pytest.raises(DataError, match="need at least 8 items, the split has 4"):
            learn_directions(measured, split, 4)
        same = AttributeSpec("same", f"{__name__}:constant", "x")
        measured.config = replace(measured.config, task=replace(measured.spec, attributes=(same,)))
        with pytest.raises(DataError, match="'same' is the same for all of 64 items"):
            learn_directions(measured, split)

    def test_a_file_keeps_all_of_it(self, measured, directions, tmp_path):
        path = tmp_path / "d.safetensors"
        save_directions(directions, "second", path)
        loaded, target = load_directions(path, measured)
        assert target == "second" and loaded.names == directions.names
        torch.testing.assert_close(loaded.slopes, directions.slopes)
        torch.testing.assert_close(loaded.points, directions.points)

    def test_files_that_are_none(self, measured, directions, tmp_path):
        with pytest.raises(ConfigError, match=r"a name that ends in \.safetensors"):
            save_directions(directions, "first", tmp_path / "d.npz")
        with pytest.raises(FileError, match="no such file"):
            load_directions(tmp_path / "x.safetensors", measured)
        (tmp_path / "y.safetensors").write_bytes(b"nothing")
        with pytest.raises(FileError, match="is no saved direction"):
            load_directions(tmp_path / "y.safetensors", measured)
        save_directions(replace(directions, task="other"), "first", tmp_path / "z.safetensors")
        with pytest.raises(ConfigError, match="was learnt for 'other' with 2 latent dimensions"):
            load_directions(tmp_path / "z.safetensors", measured)


def constant(batch, shape):
    return torch.ones(len(batch.target))


class TestSteer:
    def items(self, model):
        raw = open_dataset(model.config).split("test").take(torch.arange(16))
        return model.posterior(model.prepare_batch(raw))[0].mode()

    @pytest.mark.parametrize("amount", [0.5, -0.5])
    def test_moves_what_is_asked_and_holds_the_other(self, measured, directions, amount):
        done = steer(measured, directions, self.items(measured), {}, "second", amount)
        assert (done.change[:, 1] * amount > 0).all()
        assert done.change[:, 1].mean() == pytest.approx(amount, abs=0.12)
        assert done.change[:, 0].nan_to_num(0).abs().mean() < abs(amount) / 3

    def test_says_what_the_decoder_does(self, measured, directions):
        z = self.items(measured)
        done = steer(measured, directions, z, {}, "second", 0.7)
        torch.testing.assert_close(measured.decode(done.latents), done.data)
        change = measure_attributes(measured, done.data, {}) - measure_attributes(
            measured, measured.decode(z), {}
        )
        torch.testing.assert_close(
            done.change, change / directions.deviations, equal_nan=True, atol=1e-5, rtol=1e-4
        )

    def test_by_nothing_changes_nothing(self, measured, directions):
        z = self.items(measured)
        done = steer(measured, directions, z, {}, "second", 0.0)
        torch.testing.assert_close(done.latents, z)
        assert not done.change.nan_to_num(0).any()

    def test_an_item_does_not_depend_on_its_neighbours(self, measured, directions):
        z = self.items(measured)
        together = steer(measured, directions, z, {}, "second", 1.0)
        alone = steer(measured, directions, z[5:6], {}, "second", 1.0)
        torch.testing.assert_close(together.latents[5:6], alone.latents, atol=1e-4, rtol=1e-4)

    def test_an_item_without_the_attribute_stays(self, measured, directions):
        z = self.items(measured)
        has = ~measure_attributes(measured, measured.decode(z), {})[:, 0].isnan()
        far = z[:1] - 50 * torch.sign(measured.task.decoder.out.weight[3])
        assert measure_attributes(measured, measured.decode(far), {})[0, 0].isnan()
        done = steer(measured, directions, torch.cat([far, z[has][:1]]), {}, "first", 0.5)
        assert done.change[0, 0].isnan() and done.change[1, 0] > 0.3
        torch.testing.assert_close(done.latents[:1], far)

    def test_names_and_sizes_that_are_wrong(self, measured, directions):
        z = self.items(measured)
        with pytest.raises(ConfigError, match=r"no attribute 'secnd'\. Did you mean 'second'"):
            steer(measured, directions, z, {}, "secnd", 1)
        with pytest.raises(AeplugError, match="latents have 2 dimensions"):
            steer(measured, directions, z[:, :1], {}, "second", 1)
        with pytest.raises(ConfigError, match="no attribute 'x'"):
            find_attribute(measured.spec, "x")

    def test_between_examples(self, measured, directions):
        z = self.items(measured)
        order = measured.decode(z)[:, 1].argsort()
        found = directions.with_examples("low:high", z[order[:8]], z[order[8:]])
        apart = found.ends[1] - found.ends[0]
        done = steer(measured, found, z[order[:4]], {}, "low:high", apart / 2, keep=[])
        assert (measured.decode(done.latents)[:, 1] > measured.decode(z[order[:4]])[:, 1]).all()
        assert (done.change[:, 2] > 0).all()
        with pytest.raises(DataError, match="are the same to the model"):
            directions.with_examples("a:a", z, z)

    def test_the_check_reports_what_happened(self, measured, directions):
        split = open_dataset(measured.config).split("test")
        report = check_steering(
            measured, directions, split, torch.arange(16), "second", [0.5, -0.5]
        )
        for amount in ("0.5", "-0.5"):
            figures = report["amounts"][amount]
            assert figures["right_way"] == 1.0
            assert figures["moved"]["second"]["mean"] == pytest.approx(float(amount), abs=0.1)
            assert figures["moved"]["first"]["share"] < 1 / 3
        # One that cannot go on is not counted as moved.
        stuck = replace(directions, slopes=directions.slopes * 0, points=directions.points * 0)
        far = check_steering(measured, stuck, split, torch.arange(16), "second", [40.0])
        assert far["amounts"]["40"]["moved"]["second"]["mean"] < 10


class TestClasses:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [("3:8", ("", "3", "8")), ("label=3:8", ("label", "3", "8")), ("slant", None)],
    )
    def test_are_read(self, text, expected):
        assert parse_classes(text) == expected

    @pytest.mark.parametrize("text", ["3:", ":8", "3:3", "=3:8"])
    def test_wrong_ones_are_told(self, text):
        with pytest.raises(ConfigError, match="expected two classes"):
            parse_classes(text)

    def test_a_class_that_is_missing_names_the_nearest(self):
        model = api.load("mnist-vae", device="cpu")
        dataset = open_dataset(model.config)
        split = dataset.split("test")
        a, b = find_rows(dataset, split, "label", ("3", "8"), 20, 0)
        assert (len(a), len(b)) == (20, 20)
        assert set(split.take(a)["label"].tolist()) == {3}
        with pytest.raises(ConfigError, match="no item of the 10000 has label '11'"):
            find_rows(dataset, split, "label", ("3", "11"), 20, 0)


class TestGrid:
    def test_corners_stand_where_they_belong(self):
        corners = [torch.randn(2, 5) for _ in range(4)]
        for spherical in (True, False):
            for number, (x, y) in enumerate([(0, 0), (1, 0), (0, 1), (1, 1)]):
                found = interpolate_corners(corners, x, y, spherical=spherical)
                torch.testing.assert_close(found, corners[number], atol=1e-4, rtol=1e-4)
        middle = interpolate_corners(corners, 0.5, 0.5, spherical=False)
        torch.testing.assert_close(middle, sum(corners) / 4)

    def test_documents(self, model, tiny_file):
        read = [model.read(tiny_file(str(n), [[n * 60, 9, 200, 9]])) for n in range(4)]
        grid = interpolate_grid(model, read, 3, GREEDY)
        assert [len(row) for row in grid] == [3, 3, 3]
        for (y, x), document in zip([(0, 0), (0, 2), (2, 0), (2, 2)], read, strict=True):
            rebuilt = reconstruct_document(model, document, GREEDY)
            assert grid[y][x].content == rebuilt.content
        with pytest.raises(ConfigError, match="a grid needs 4 corners"):
            interpolate_grid(model, read[:3], 3, GREEDY)


class TestNoise:
    def test_without_a_prior(self, trained_plain, plugins, tiny_file):
        model = api.load(trained_plain, device="cpu", plugins=plugins)
        document = model.read(tiny_file("a"))
        rebuilt = reconstruct_document(model, document, GREEDY).content
        none, some, more = add_noise(model, document, [0, 0.5, 4], 20, 1, GREEDY)
        assert all(one.content == rebuilt for one in none)

        def off(row):
            both = torch.tensor([one.content for one in row]) - torch.tensor(rebuilt)
            return both.float().abs().mean()

        assert 0 < off(some) < off(more)
        again = add_noise(model, document, [0.5], 20, 1, GREEDY)[0]
        assert [one.content for one in again] == [one.content for one in some]
        with pytest.raises(ConfigError, match="sigma -1: expected 0 or more"):
            add_noise(model, document, [-1], 1, 0, GREEDY)
