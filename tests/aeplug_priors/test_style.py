"""A style from a few files: learnt, sampled, kept as a model of its own, and what may go wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support import assert_one_line_error

from aeplug.api import load
from aeplug.data.opening import open_dataset
from aeplug.errors import ConfigError, FileError
from aeplug.inference.vary import vary_document
from aeplug.interfaces import Document, Sampling
from aeplug_priors.style.adaptation import adapt


@pytest.fixture(scope="module")
def trained(make_training, tmp_path_factory) -> Path:
    """A run of the tiny VAE whose latents tell items apart, as those of `trained` hardly do."""
    folder = tmp_path_factory.mktemp("told-apart") / "run"
    settings = {"loss.beta": 1e-5, "train.epochs": 120, "train.lr": 0.03}
    make_training({**settings, "prepare.noise": 0.0, "encoder.dropout": 0.0}, folder).run()
    return folder


@pytest.fixture(autouse=True)
def _quicker(monkeypatch):
    """Items of two factors are learnt in fewer steps."""
    monkeypatch.setattr("aeplug_priors.style.adaptation.STEPS", 400)
    monkeypatch.setattr("aeplug_priors.style.adaptation.STEPS_BLIND", 200)


@pytest.fixture
def style_folder(tmp_path) -> Path:
    """Ten files of bright items: both factors near one, where data sets have all."""
    folder = tmp_path / "bright"
    folder.mkdir()
    generator = np.random.default_rng(0)
    mix = np.array([[1.0, 0.0, 0.5, 0.25], [0.0, 1.0, 0.5, 0.75]])
    for number in range(10):
        factors = generator.uniform(0.8, 1.0, (6, 2))
        rows = (factors @ mix * 255).round().astype(int).tolist()
        (folder / f"{number}.tiny").write_text(json.dumps(rows), encoding="utf-8")
    return folder


@pytest.fixture
def files(style_folder) -> list[str]:
    return [str(path) for path in sorted(style_folder.iterdir())]


def refused(path: str, reason: str) -> None:
    raise AssertionError(f"{path}: {reason}")


class TestStyle:
    def test_samples_are_nearer_to_the_style_than_the_models_own(self, model, files):
        own = model.sample(300, prior="own").mean()
        style = adapt(model, files, refused)
        found = model.sample(300)
        real = torch.tensor([row for file in files for row in json.loads(Path(file).read_text())])
        target = real.float().mean() / 255
        assert abs(found.mean() - target) < 0.5 * abs(own - target)
        assert torch.equal(model.sample(5), model.sample(5, prior="style"))
        assert (style.facts["files"], style.facts["pieces"]) == (10, 60)

    def test_held_out_files_tell_when_to_stop(self, model, files):
        facts = adapt(model, files, refused).facts
        assert facts["heldout_files"] == 1
        assert facts["log_density_bound_nats"] > facts["own_log_density_nats"]
        few = adapt(model, files[:4], refused).facts
        assert "heldout_files" not in few

    def test_seeded(self, model, files):
        first, again, other = (adapt(model, files, refused, seed=s).tensors() for s in (1, 1, 2))
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert not all(torch.equal(first[name], other[name]) for name in first)

    def test_a_model_without_a_prior_gets_one(self, trained_plain, plugins, files):
        plain = load(trained_plain, device="cpu", plugins=plugins)
        assert "sample" not in plain.verbs
        adapt(plain, files, refused)
        assert {"sample", "vary"} <= set(plain.verbs)
        assert plain.sample(3).shape == (3, 4)

    def test_variations_are_turned_towards_the_prior_that_is_named(self, model, files):
        adapt(model, files, refused)
        document = Document([[10, 20, 15, 18]], "dark")

        def varied(prior):
            made = vary_document(model, document, 60, 0.3, 0, Sampling(greedy=True), prior=prior)
            return np.mean([one.content for one in made])

        assert varied("") == varied("style") > varied("own") + 10
        assert varied("standard") < varied("style")

    def test_too_few_pieces_are_counted(self, model, files):
        with pytest.raises(ConfigError, match=r"2 files hold 12 pieces, too few.*at least 16"):
            adapt(model, files[:2], refused)
        with pytest.raises(ConfigError, match=r"^1 file holds 6 pieces, .*a piece is what the mod"):
            adapt(model, files[:1], refused)

    def test_bad_files_are_told_and_the_rest_goes_on(self, model, files, tmp_path):
        bad = tmp_path / "bad.tiny"
        bad.write_text("{", encoding="utf-8")
        told = []
        style = adapt(model, [str(bad), *files], lambda path, reason: told.append(path))
        assert told == [str(bad)]
        assert style.facts["files"] == 10
        with pytest.raises(FileError, match="of 1 file none can be read"):
            adapt(model, [str(bad)], lambda path, reason: None)

    def test_feature_maps_have_no_style(self, plugins, files):
        from aeplug.config import resolve
        from aeplug.interfaces import DataShape
        from aeplug.model.model import Model
        from aeplug.model.task import Task

        config = resolve(plugins.task("denoise-mnist"), plugins)
        task = Task(config, DataShape((1, 28, 28), (1, 28, 28)))
        with pytest.raises(ConfigError, match="not one vector"):
            adapt(Model(config, task, torch.device("cpu")), files, refused)


class TestCommand:
    @pytest.fixture
    def adapted(self, invoke, trained, style_folder, tmp_path) -> Path:
        out = tmp_path / "mine"
        result = invoke("adapt", trained, style_folder, "--out", out, "--json")
        assert result.code == 0, result.err
        assert json.loads(result.out)["pieces"] == 60
        return out

    def test_what_is_written_is_a_model_like_any_other(
        self, adapted, invoke, plugins, tmp_path, tiny_file
    ):
        def pixels(*options):
            out = tmp_path / f"out-{len(list(tmp_path.iterdir()))}"
            assert invoke("sample", adapted, "-n", 20, "--out", out, *options).code == 0
            return np.mean([json.loads(p.read_text()) for p in out.glob("*.tiny")])

        assert pixels() == pixels("--prior", "style") > pixels("--prior", "own") + 30
        again = load(adapted, device="cpu", plugins=plugins)
        assert again.default_prior == "style"
        one = tiny_file("a")
        for arguments in (
            ("vary", adapted, one, "-n", 2),
            ("vary", adapted, one, "-n", 2, "--prior", "own"),
            ("interpolate", adapted, one, one),
            ("reconstruct", adapted, one),
        ):
            out = tmp_path / f"{arguments[0]}-{len(arguments)}"
            result = invoke(*arguments, "--out", out)
            assert result.code == 0, result.err
        assert invoke("evaluate", adapted, "--json").code == 0

    def test_the_original_stays_as_it_was(self, adapted, trained, plugins):
        assert load(trained, device="cpu", plugins=plugins).default_prior == "own"
        before, after = (load(one, device="cpu", plugins=plugins) for one in (trained, adapted))
        split = open_dataset(before.config).split("val")
        batch = next(before.batches(split))
        assert torch.equal(before.reconstruct(batch.input), after.reconstruct(batch.input))

    def test_a_damaged_style_is_told_and_the_rest_works(self, adapted, invoke, tmp_path, tiny_file):
        (path,) = adapted.glob("prior-style-*")
        path.write_bytes(path.read_bytes()[:-5])
        result = invoke("sample", adapted, "--out", tmp_path / "x")
        assert result.code == 1
        assert_one_line_error(result.err, "damaged or was altered", "aeplug adapt")
        result = invoke("sample", adapted, "--prior", "own", "--out", tmp_path / "y")
        assert result.code == 0, result.err

    def test_one_line_errors(self, invoke, trained, style_folder, tmp_path):
        empty = tmp_path / "empty"
        empty.mkdir()
        new = ("--out", tmp_path / "new")
        for arguments, message in (
            (("adapt", trained, *new), "no file is named"),
            (("adapt", trained, empty, *new), "empty holds none of .tiny"),
            (("adapt", trained, tmp_path / "none.tiny", *new), "of 1 file none can be read"),
            (("adapt", trained, style_folder / "1.tiny", *new), "too few for a style"),
            (("adapt", trained, style_folder, "--out", style_folder), "is not empty"),
            (
                ("sample", trained, "--prior", "style", *new),
                "aeplug adapt makes a model that has it",
            ),
            (("fit-prior", trained, "--kind", "style"), "is not fitted to a data set"),
        ):
            result = invoke(*arguments)
            assert result.code == 1, arguments
            assert_one_line_error(result.err, message)
        assert not (tmp_path / "new").exists() or not any((tmp_path / "new").iterdir())
