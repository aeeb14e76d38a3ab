"""Priors fitted after training: from fitting to samples, kept on disk, and what may go wrong."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch

from aeplug import SamplingDefaults
from aeplug.api import load
from aeplug.data.batching import INFERENCE_BATCH
from aeplug.data.opening import open_dataset
from aeplug.errors import CheckpointError, ConfigError, DataError
from aeplug.priors.gaussian_mixture import fit_gaussian_mixture
from aeplug.priors.mixture import MixturePrior, posterior_draws
from aeplug.priors.registry import PriorRegistry
from aeplug.priors.store import INDEX, PRIORS, cache_folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def run(trained_plain, tmp_path) -> Path:
    """A run of the autoencoder without a prior, to be written to."""
    return Path(shutil.copytree(trained_plain, tmp_path / "run"))


@pytest.fixture
def plain(run, plugins):
    return load(run, device="cpu", plugins=plugins)


def stored(run: Path) -> dict:
    header = json.loads((run / "checkpoints" / "best" / "config.json").read_text("utf-8"))
    return header.get(PRIORS, {})


def prior_files(run: Path) -> list[Path]:
    return sorted((run / "checkpoints" / "best").glob("prior-*"))


def fit_and_keep(model, kind: str, **options) -> Path:
    model.priors.fit(kind, **options)
    return model.priors.keep(kind)


class TestSampling:
    def test_a_model_without_a_prior_samples_what_it_was_trained_on(self, plain, plugins):
        from aeplug.evaluation.outliers import auroc

        real = open_dataset(plain.config).split("train").columns["x"].float() / 255
        made = plain.sample(500, seed=1, prior="gmm")
        assert made.shape == (500, 4)
        # Where latents of another scale would be decoded to.
        far = plain.decode(torch.randn(500, 2, generator=torch.Generator().manual_seed(0)) * 20)
        near = (torch.cdist(x, real).min(1).values for x in (made, far))
        assert auroc(*near) > 0.9

    def test_seeded_and_the_first_do_not_depend_on_how_many_follow(self, plain):
        first = plain.sample(8, seed=3, prior="gmm")
        assert torch.equal(first, plain.sample(8, seed=3, prior="gmm"))
        torch.testing.assert_close(
            first, plain.sample(INFERENCE_BATCH + 9, seed=3, prior="gmm")[:8]
        )
        assert not torch.equal(first, plain.sample(8, seed=4, prior="gmm"))

    def test_temperature_draws_nearer_to_the_components(self, plain):
        plain.priors.fit("gaussian")
        tame, wild = (
            plain.sample(300, temperature=t, prior="gaussian").std(0).mean() for t in (0.05, 1.0)
        )
        assert tame < 0.6 * wild

    def test_prior_scale_apart_from_temperature(self, model):
        middle = model.sample(4, seed=0, prior_scale=0.0)
        assert torch.equal(middle, middle[:1].expand_as(middle))
        near, far = (model.sample(300, seed=0, temperature=1.0, prior_scale=s) for s in (0.1, 3.0))
        assert near.var(0).sum() < far.var(0).sum()
        own = model.sample(30, seed=0, temperature=0.25)
        assert torch.equal(own, model.sample(30, seed=0, temperature=0.25, prior_scale=0.5))

    def test_a_task_says_what_is_drawn_from_and_how_far(self, model, monkeypatch):
        sampling = SamplingDefaults(prior="gmm", prior_scale=0.5)
        spec = dataclasses.replace(model.spec, sampling=sampling)
        wanted = model.sample(20, seed=0, prior="gmm", prior_scale=0.5)
        monkeypatch.setattr(type(model), "spec", spec)
        assert model.default_prior == "gmm"
        assert torch.equal(model.sample(20, seed=0), wanted)
        assert not torch.equal(model.sample(20, seed=0, prior="own"), wanted)
        assert not torch.equal(model.sample(20, seed=0, prior_scale=1.0), wanted)

    def test_names(self, plain, model):
        with pytest.raises(ConfigError, match=r"no prior is called 'gm'. Did you mean 'gmm'\?"):
            plain.sample(1, prior="gm")
        with pytest.raises(ConfigError, match="has no prior to draw from"):
            plain.sample(1, prior="own")
        with pytest.raises(ConfigError, match="has no prior to draw from"):
            plain.sample(1, prior="standard")
        with pytest.raises(ConfigError, match=r"vary --sigma, sample --prior gaussian\\|gmm"):
            plain.sample(1)
        assert torch.equal(model.sample(3, prior="own"), model.sample(3))

    def test_standard_is_n_0_1(self, model):
        prior = model.priors.get("standard")
        z = torch.randn(5, 2)
        torch.testing.assert_close(prior.log_prob(z), model.task.latent.log_prior(z))

    def test_a_class_gets_its_own_density(self):
        left, right = torch.randn(300, 2) - 6, torch.randn(300, 2) + 6
        classes = torch.tensor([0] * 300 + [1] * 300)
        mixture = fit_gaussian_mixture(torch.cat([left, right]), 2, classes, 2)
        prior = MixturePrior("gmm", mixture, {"side": 2}, {})
        cond = {"side": torch.tensor([0, 1] * 50)}
        drawn = prior.sample(100, 1.0, torch.Generator().manual_seed(0), cond)
        assert float((drawn[::2, 0] < 0).float().mean()) > 0.9
        assert float((drawn[1::2, 0] > 0).float().mean()) > 0.9
        both = prior.sample(400, 1.0, torch.Generator().manual_seed(0))
        assert 0.4 < float((both[:, 0] > 0).float().mean()) < 0.6
        z = drawn[:2]
        assert (prior.log_prob(z, {"side": torch.tensor([0, 1])}) > prior.log_prob(z)).all()


class TestFitting:
    def test_to_draws_of_the_posteriors_not_to_their_means(self, model):
        split = open_dataset(model.config).split("train")
        draws, _ = posterior_draws(model, split, 64, 0)
        means = torch.cat([model.posterior(batch)[0].mode() for batch in model.batches(split)])
        spread = torch.cat(
            [model.posterior(b)[0].statistics()["logvar"].exp() for b in model.batches(split)]
        )
        # Variances of draws are those of the means plus the posteriors' own.
        expected = float((means.var(0) + spread.mean(0)).sum())
        assert float(draws.var(0).sum()) == pytest.approx(expected, rel=0.4)
        assert float(draws.var(0).sum()) > 1.2 * float(means.var(0).sum())

    def test_says_what_it_was_fitted_to_and_what_held_out_items_say(self, model):
        facts = model.priors.fit("gmm", components=3).facts
        assert (facts["components"], facts["items"], facts["split"]) == (3, 64, "train")
        assert facts["heldout_items"] == 32
        assert facts["log_density_nats"] > facts["own_log_density_nats"] - 1

    def test_components_follow_the_items_unless_given(self, plain):
        assert plain.priors.fit("gmm").facts["components"] == 64 // (20 * 2)
        assert plain.priors.fit("gmm", components=5).facts["components"] == 5

    def test_only_so_many_items_spread_over_the_split(self, plain):
        split = open_dataset(plain.config).split("train")
        some, _ = posterior_draws(plain, split, 4, 0)
        every, _ = posterior_draws(plain, split, 999, 0)
        torch.testing.assert_close(some, every[[0, 21, 42, 63]])

    def test_what_cannot_be(self, plain):
        for options, error, message in (
            ({"name": "gms"}, ConfigError, "Did you mean 'gmm'"),
            ({"name": "gaussian", "components": 3}, ConfigError, "takes no option components"),
            ({"name": "gmm", "components": 65}, ConfigError, "want as many items"),
            ({"name": "gmm", "split": "tran"}, ConfigError, "Did you mean 'train'"),
            ({"name": "gmm", "split": "all"}, DataError, "no split 'all'"),
        ):
            with pytest.raises(error, match=message):
                plain.priors.fit(**options)

    def test_codes_of_a_finite_set_are_refused(self, make_training, tmp_path, plugins):
        make_training({"latent": "vq", "train.steps": 2}, tmp_path / "vq", "tiny").run()
        model = load(tmp_path / "vq", device="cpu", plugins=plugins)
        with pytest.raises(ConfigError, match="are codes of a finite set"):
            model.priors.fit("gmm")

    def test_feature_maps_are_refused(self, plugins):
        from aeplug.config import resolve
        from aeplug.interfaces import DataShape
        from aeplug.model.model import Model
        from aeplug.model.task import Task

        config = resolve(plugins.task("denoise-mnist"), plugins)
        task = Task(config, DataShape((1, 28, 28), (1, 28, 28)))
        model = Model(config, task, torch.device("cpu"))
        with pytest.raises(ConfigError, match="not one vector"):
            PriorRegistry(model, plugins).fit("gmm")


class TestOnDisk:
    def test_kept_in_the_checkpoint_and_found_again(self, plain, run, plugins, capsys):
        made = plain.sample(5, seed=1, prior="gmm")
        assert "fitting one" in capsys.readouterr().err
        (path,) = prior_files(run)
        assert stored(run)["gmm"]["file"] == path.name
        again = load(run, device="cpu", plugins=plugins)
        assert torch.equal(again.sample(5, seed=1, prior="gmm"), made)
        assert capsys.readouterr().err == ""

    def test_one_of_its_kind_replaces_the_other(self, plain, run):
        for components in (1, 2):
            fit_and_keep(plain, "gmm", components=components)
        fit_and_keep(plain, "gaussian")
        assert stored(run)["gmm"]["components"] == 2
        assert len(prior_files(run)) == 2
        assert not list((run / "checkpoints" / "best").glob("*.new"))

    def test_damage_is_told_with_the_way_out(self, plain, run, plugins):
        path = fit_and_keep(plain, "gmm")
        content = path.read_bytes()
        for damage, message in (
            (content[:-9], "damaged or was altered"),
            (bytes(len(content)), "damaged or was altered"),
            (None, "is missing"),
        ):
            path.unlink() if damage is None else path.write_bytes(damage)
            again = load(run, device="cpu", plugins=plugins)
            with pytest.raises(CheckpointError, match=rf"{message}.*aeplug fit-prior"):
                again.sample(1, prior="gmm")
            assert again.reconstruct(torch.rand(2, 4)).shape == (2, 4)  # the rest is as ever

    def test_of_another_latent_is_told(self, plain, run, plugins):
        other = MixturePrior("gmm", fit_gaussian_mixture(torch.randn(50, 3), 1), {}, {})
        plain.priors.add(other)
        plain.priors.keep("gmm")
        with pytest.raises(CheckpointError, match="is of latents of 3, not 2"):
            load(run, device="cpu", plugins=plugins).sample(1, prior="gmm")

    def test_a_checkpoint_that_cannot_be_written_leaves_it_to_the_cache(
        self, plain, run, plugins, monkeypatch, capsys
    ):
        from aeplug.priors import store

        write = store.atomic_write

        def refuse(path, content):
            if run in path.parents:
                raise PermissionError(13, "read-only")
            write(path, content)

        monkeypatch.setattr(store, "atomic_write", refuse)
        made = plain.sample(2, prior="gmm")
        assert prior_files(run) == [] and stored(run) == {}
        assert str(cache_folder(plain)) in capsys.readouterr().err
        again = load(run, device="cpu", plugins=plugins)
        assert torch.equal(again.sample(2, prior="gmm"), made)
        assert capsys.readouterr().err == ""
        # Damage there is not the user's: it is fitted anew.
        for path in cache_folder(plain).glob("prior-*"):
            path.write_bytes(b"no")
        again = load(run, device="cpu", plugins=plugins)
        assert torch.equal(again.sample(2, prior="gmm"), made)
        assert "passed over" in capsys.readouterr().err

    def test_nowhere_to_keep_it_is_no_reason_not_to_sample(self, plain, tmp_path, monkeypatch):
        from aeplug.priors import store

        def full(path, content):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(store, "atomic_write", full)
        assert plain.sample(2, prior="gmm").shape == (2, 4)

    def test_weights_that_changed_meanwhile_keep_their_own(self, plain, run, plugins):
        """Training goes on and saves while a prior is fitted to what was there before."""
        plain.priors.fit("gmm")
        path = run / "checkpoints" / "best" / "config.json"
        header = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps({**header, "weights_sha256": "0" * 64}), encoding="utf-8")
        assert plain.priors.keep("gmm").parent == cache_folder(plain)
        assert stored(run) == {} and prior_files(run) == []

    def test_shipped_weights_are_not_written_to(self, plain, run, monkeypatch):
        shipped = run / "checkpoints" / "best"
        monkeypatch.setattr("aeplug.model.checkpoint.shipped_weights", lambda task: shipped)
        before = {path: path.read_bytes() for path in shipped.iterdir()}
        assert fit_and_keep(plain, "gmm").parent == cache_folder(plain)
        assert {path: path.read_bytes() for path in shipped.iterdir()} == before
        assert json.loads((cache_folder(plain) / INDEX).read_text("utf-8"))[PRIORS]["gmm"]
        assert "gmm" in plain.priors.pack().entries


class TestCommands:
    def test_fit_then_sample_then_export(self, invoke, run, tmp_path, plugins):
        result = invoke("fit-prior", run, "--components", 2, "--json")
        report = json.loads(result.out)
        assert (report["prior"], report["components"], report["items"]) == ("gmm", 2, 64)
        assert Path(report["path"]).parent == run / "checkpoints" / "best"
        out = tmp_path / "out"
        assert invoke("sample", run, "--prior", "gmm", "-n", 3, "--out", out).code == 0
        assert len(list(out.glob("sample-*.tiny"))) == 3
        assert invoke("export", run, "--half", "--out", tmp_path / "weights").code == 0
        exported = load(tmp_path / "weights", device="cpu", plugins=plugins)
        known = load(run, device="cpu", plugins=plugins)
        made = (m.sample(4, seed=2, prior="gmm") for m in (exported, known))
        torch.testing.assert_close(*made, atol=5e-3, rtol=5e-3)

    def test_a_copy_with_the_prior_leaves_the_run_alone(self, invoke, run, tmp_path):
        copy = tmp_path / "copy"
        result = invoke("fit-prior", run, "--kind", "gaussian", "--out", copy)
        assert result.code == 0, result.err
        assert stored(run) == {}
        assert list(json.loads((copy / "config.json").read_text("utf-8"))[PRIORS]) == ["gaussian"]
        again = invoke("fit-prior", run, "--out", copy)
        assert again.code == 1 and "exists and is not empty" in again.err

    def test_data_of_ones_own(self, invoke, run, tiny_file, tmp_path):
        tiny_file("a", [[9, 200, 105, 150], [1, 2, 3, 4], [99, 98, 97, 96]])
        result = invoke("fit-prior", run, "--data", tmp_path, "--json")
        assert json.loads(result.out)["items"] == 3

    def test_one_line_errors(self, invoke, run, trained, tmp_path):
        for arguments, message in (
            (("fit-prior", run, "--kind", "gmn"), "Did you mean 'gmm'"),
            (("sample", run, "--out", tmp_path / "x"), "vary --prior gaussian|gmm"),
            (("sample", run, "--prior", "stndard", "--out", tmp_path / "x"), "'standard'"),
            (("fit-prior", run, "--split", "dev"), "no split is called 'dev'"),
        ):
            result = invoke(*arguments)
            assert result.code == 1
            assert message in result.err and "this is a bug" not in result.err
            assert len(result.err.splitlines()) == 1


class TestOfAPlugIn:
    """A stranger's prior does whatever those of the engine do."""

    def test_fitted_by_command_kept_and_sampled(self, invoke, run, plugins):
        result = invoke("fit-prior", run, "--kind", "tiny-shell", "--shrink", "0.5", "--json")
        assert result.code == 0, result.err
        assert json.loads(result.out)["prior"] == "tiny-shell"
        header = json.loads((run / "checkpoints" / "best" / "config.json").read_text("utf-8"))
        assert "tiny" in header["plugins"] and "tiny-shell" in header[PRIORS]
        model = load(run, device="cpu", plugins=plugins)
        z = model.priors.get("tiny-shell").sample(5, 1.0, model.generator(0))
        torch.testing.assert_close(z.norm(dim=1), z.norm(dim=1)[:1].expand(5))
        assert model.sample(3, prior="tiny-shell").shape == (3, 4)

    def test_its_options_are_its_own(self, invoke, run, plain):
        refused = invoke("fit-prior", run, "--shrink", "0.5")
        assert refused.code == 1 and "'prior gmm' takes no option --shrink" in refused.err
        with pytest.raises(ConfigError, match="takes no option components"):
            plain.priors.fit("tiny-shell", components=3)

    def test_fitted_where_gradients_are_off(self, plain):
        with torch.no_grad():
            assert plain.priors.fit("tiny-shell").size == 2
