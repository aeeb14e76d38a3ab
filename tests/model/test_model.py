"""A trained model in use."""

from __future__ import annotations

import math
import os

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import aeplug
from aeplug.api import load
from aeplug.data.batching import INFERENCE_BATCH
from aeplug.errors import AeplugError, CheckpointError, ConfigError, FileError, PluginError
from aeplug.inference.interpolate import interpolate_documents
from aeplug.inference.reconstruct import reconstruct_document
from aeplug.inference.vary import vary_document
from aeplug.interfaces import Sampling
from aeplug.latents.paths import slerp

GREEDY = Sampling(greedy=True)
# No subnormal numbers: torch's kernels may have told the processor to flush them.
numbers = st.floats(-100, 100, width=32, allow_subnormal=False)
shares = st.floats(0, 1, allow_subnormal=False)


def rows(count: int, size: int = 3):
    row = st.lists(numbers, min_size=size, max_size=size)
    return st.lists(row, min_size=count, max_size=count).map(torch.tensor)


class TestSlerp:
    @given(rows(2), rows(2))
    def test_ends_are_the_ends(self, a, b):
        torch.testing.assert_close(slerp(a, b, 0.0), a, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(slerp(a, b, 1.0), b, rtol=1e-3, atol=1e-3)

    @given(rows(1), rows(1), shares)
    def test_length_of_unit_vectors_is_kept(self, a, b, t):
        assume(a.norm() > 1 and b.norm() > 1)
        a, b = a / a.norm(), b / b.norm()
        assume(float(a @ b.T) > -0.999)  # between opposite points no way is the shortest
        assert slerp(a, b, t).norm().item() == pytest.approx(1, abs=2e-3)

    @given(rows(2), rows(2), shares)
    def test_the_way_back_is_the_same(self, a, b, t):
        torch.testing.assert_close(slerp(a, b, t), slerp(b, a, 1 - t), rtol=1e-2, atol=1e-2)

    @given(rows(3), rows(3), shares)
    def test_rows_do_not_mix_and_nothing_is_nan(self, a, b, t):
        together = slerp(a, b, t)
        assert torch.isfinite(together).all()
        for row in range(3):
            one = slerp(a[row : row + 1], b[row : row + 1], t)
            torch.testing.assert_close(together[row : row + 1], one, rtol=1e-4, atol=1e-4)

    def test_half_way_of_a_right_angle(self):
        found = slerp(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), 0.5)
        torch.testing.assert_close(found, torch.tensor([[0.5, 0.5]]).sqrt())

    def test_zeros_and_shapes(self):
        zeros = torch.zeros(2, 3, 4)
        assert slerp(zeros, torch.ones(2, 3, 4), 0.5).shape == (2, 3, 4)
        assert torch.isfinite(slerp(zeros, zeros, 0.5)).all()


class TestSample:
    def test_same_seed_same_items_another_seed_others(self, model):
        assert torch.equal(model.sample(8, seed=3), model.sample(8, seed=3))
        assert not torch.equal(model.sample(8, seed=3), model.sample(8, seed=4))

    @pytest.mark.parametrize("more", [9, INFERENCE_BATCH, INFERENCE_BATCH + 1, 3 * INFERENCE_BATCH])
    def test_first_items_do_not_depend_on_how_many_follow(self, model, more):
        torch.testing.assert_close(model.sample(more, seed=1)[:8], model.sample(8, seed=1))

    def test_torchs_own_randomness_is_neither_used_nor_moved(self, model):
        torch.manual_seed(1)
        first = model.sample(4)
        torch.manual_seed(2)
        before = torch.get_rng_state()
        assert torch.equal(first, model.sample(4))
        assert torch.equal(torch.get_rng_state(), before)

    def test_temperature_spreads_the_draws(self, model):
        tame, wild = (model.sample(200, temperature=t).std(0).mean() for t in (0.1, 2.0))
        assert tame < wild

    def test_model_without_prior_says_what_it_can(self, trained_plain, plugins):
        model = load(trained_plain, device="cpu", plugins=plugins)
        assert model.verbs == ("reconstruct", "interpolate")
        with pytest.raises(
            ConfigError,
            match=r"'tiny' cannot sample: its latent 'deterministic' has no prior to draw from. "
            r"It can: reconstruct, interpolate, vary --sigma, sample --prior gaussian\|gmm",
        ):
            model.sample(1)

    def test_unknown_condition(self, model):
        with pytest.raises(ConfigError, match="'tiny-vae' takes no condition 'metre'"):
            model.sample(1, cond={"metre": "3/4"})


class TestDocuments:
    def test_interpolation_begins_and_ends_with_the_reconstructions(self, model, tiny_file):
        a, b = (
            model.read(tiny_file("a", [[9, 200, 105, 150]])),
            model.read(tiny_file("b", [[250, 3, 99, 50]])),
        )
        way = interpolate_documents(model, a, b, 5, GREEDY)
        assert len(way) == 5
        assert way[0].content == reconstruct_document(model, a, GREEDY).content
        assert way[-1].content == reconstruct_document(model, b, GREEDY).content
        assert len({str(document.content) for document in way}) > 2

    def test_longer_file_is_cut_to_the_shorter(self, model, tiny_file):
        long = model.read(tiny_file("a", [[9, 200, 105, 150]] * 3))
        short = model.read(tiny_file("b", [[250, 3, 99, 50]]))
        assert len(interpolate_documents(model, long, short, 2, GREEDY)[0].content) == 1

    def test_variation_of_similarity_1_is_the_reconstruction(self, model, tiny_file):
        document = model.read(tiny_file("a", [[9, 200, 105, 150], [1, 2, 3, 4]]))
        expected = reconstruct_document(model, document, GREEDY).content
        for variation in vary_document(model, document, 3, 1.0, 0, GREEDY):
            assert variation.content == expected

    def test_variations_differ_and_drift_away(self, model, tiny_file):
        document = model.read(tiny_file("a"))
        same = torch.tensor(reconstruct_document(model, document, GREEDY).content).float()

        def distance(similarity):
            found = vary_document(model, document, 30, similarity, 0, GREEDY)
            return (torch.tensor([d.content for d in found]).float() - same).abs().mean()

        assert 0 < distance(0.9) < distance(0.0)
        again = [d.content for d in vary_document(model, document, 3, 0.5, 7, GREEDY)]
        assert again == [d.content for d in vary_document(model, document, 3, 0.5, 7, GREEDY)]
        assert again != [d.content for d in vary_document(model, document, 3, 0.5, 8, GREEDY)]


class TestTensors:
    @pytest.fixture
    def items(self, model):
        torch.manual_seed(0)
        return torch.rand(INFERENCE_BATCH + 3, 4)

    def test_encode_decode_is_reconstruct(self, model, items):
        found = model.encode(items)
        assert found["mean"].shape == found["logvar"].shape == (INFERENCE_BATCH + 3, 2)
        torch.testing.assert_close(model.decode(found["mean"]), model.reconstruct(items))
        assert model.reconstruct(items).shape == items.shape

    def test_items_do_not_depend_on_their_neighbours(self, model, items):
        torch.testing.assert_close(model.reconstruct(items[5:6]), model.reconstruct(items)[5:6])

    def test_files_and_tensors_agree(self, model, tiny_file):
        content = [[9, 200, 105, 150], [1, 2, 3, 4]]
        path, other = tiny_file("a", content), tiny_file("b")
        as_tensor = model.encode(torch.tensor(content) / 255)["mean"]
        torch.testing.assert_close(model.encode(path)["mean"], as_tensor)
        torch.testing.assert_close(model.encode(str(path))["mean"], as_tensor)
        assert model.encode([path, other])["mean"].shape == (3, 2)
        assert model.reconstruct([path, other]).shape == (3, 4)

    def test_wrong_shape_says_which_is_expected(self, model):
        with pytest.raises(AeplugError, match=r"takes items of shape \(4,\), got \(3,\)"):
            model.encode(torch.zeros(2, 3))

    def test_unreadable_file_is_named(self, model, tmp_path):
        (tmp_path / "x.tiny").write_text("no")
        with pytest.raises(FileError, match=r"x.tiny"):
            model.encode(tmp_path / "x.tiny")

    def test_nothing_asks_for_gradients(self, model, items):
        found = [*model.encode(items).values(), model.reconstruct(items), model.sample(2)]
        assert not any(value.requires_grad for value in found)

    def test_encoder_is_a_plain_module_to_build_upon(self, model, items):
        head = torch.nn.Sequential(model.encoder, torch.nn.Linear(8, 1))
        head(items).mean().backward()
        assert isinstance(model.encoder, torch.nn.Module)
        assert model.encoder.hidden.weight.grad.abs().sum() > 0
        model.encoder.zero_grad()


class TestLoad:
    def test_by_run_folder_and_by_checkpoint(self, tiny_process, trained, model):
        expected = model.sample(2)
        for place in (trained, str(trained), trained / "checkpoints" / "best"):
            assert torch.equal(aeplug.load(place, device="cpu").sample(2), expected)

    def test_best_goes_before_last(self, trained, plugins):
        best = load(trained, device="cpu", plugins=plugins)
        last = load(trained, device="cpu", checkpoint="last", plugins=plugins)
        assert best.header["metrics"] and not last.header["metrics"]

    def test_what_is_not_there(self, tiny_process, trained, tmp_path):
        for name, error, message in (
            ("tiny-va", PluginError, "no run directory and no task is called.*'tiny-vae'"),
            ("runs/no", CheckpointError, "no run directory 'runs/no'"),
            ("tiny-vae", CheckpointError, "ships no weights; train it"),
            (str(tmp_path), CheckpointError, "neither a run directory nor a checkpoint"),
        ):
            with pytest.raises(error, match=message):
                aeplug.load(name)
        with pytest.raises(CheckpointError, match="holds no checkpoint 'bst'"):
            aeplug.load(str(trained), checkpoint="bst")

    def test_model_is_in_evaluation_mode(self, model):
        assert not any(module.training for module in model.task.modules())


def test_what_is_no_file_is_refused_before_it_is_opened(model, tmp_path):
    os.mkfifo(tmp_path / "a.tiny")  # to open it would wait for a writer
    (tmp_path / "b.tiny").mkdir()
    for name, reason in (("a", "is no regular file"), ("b", "is a folder, expected a file")):
        with pytest.raises(FileError, match=rf"{name}\.tiny {reason}"):
            model.read(tmp_path / f"{name}.tiny")


def test_kl_of_a_gaussian_is_the_textbooks():
    from aeplug.latents.gaussian import GaussianPosterior

    posterior = GaussianPosterior(torch.tensor([[0.5, -1.0]]), torch.tensor([[0.3, -2.0]]))
    ours = torch.distributions.Normal(posterior.mean, torch.exp(posterior.logvar / 2))
    standard = torch.distributions.Normal(0.0, 1.0)
    torch.testing.assert_close(posterior.kl(), torch.distributions.kl_divergence(ours, standard))


def test_samples_of_the_posterior_have_its_moments():
    from aeplug.latents.gaussian import GaussianPosterior

    posterior = GaussianPosterior(
        torch.full((20000, 1), 2.0), torch.full((20000, 1), 2 * math.log(0.5))
    )
    drawn = posterior.sample(torch.Generator().manual_seed(0))
    assert drawn.mean().item() == pytest.approx(2.0, abs=0.02)
    assert drawn.std().item() == pytest.approx(0.5, abs=0.02)
