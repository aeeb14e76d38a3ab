"""Quantised bottlenecks: codes on the grid or in the book, and codebooks that move."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from aeplug.interfaces import Encoded
from aeplug.latents.fsq import FSQConfig, FSQLatent
from aeplug.latents.quantised import perplexity
from aeplug.latents.vq import VQConfig, VQLatent
from aeplug.runtime.distributed import Distributed

ALONE = Distributed(0, 1, torch.device("cpu"))
KEPT, SKIPPED = torch.tensor(0.0), torch.tensor(1.0)
LEVELS = st.lists(st.integers(2, 9), min_size=1, max_size=4)


def encoded(posterior: Any) -> Encoded:
    return Encoded(posterior, posterior.sample(), torch.zeros(1), {}, training=True)


class TestFSQ:
    @settings(max_examples=30)
    @given(levels=LEVELS, codes=st.integers(1, 3), size=st.floats(0.1, 30))
    def test_codes_lie_on_the_grid(self, levels, codes, size):
        part = FSQLatent(FSQConfig(codes=codes, levels=levels), (6,))
        posterior = part(torch.randn(40, 6) * size)
        assert part.latent_shape == (codes * len(levels),)
        assert posterior.z.shape == (40, codes * len(levels))
        numbers = posterior.z.reshape(40, codes, len(levels))
        places = numbers * torch.tensor([level // 2 for level in levels])
        torch.testing.assert_close(places, places.round())
        for at, level in enumerate(levels):
            found = places[..., at].round()
            assert found.min() >= -(level // 2) and found.max() <= (level - 1) // 2
        # Equal codes have equal numbers, and no others.
        entries = math.prod(levels)
        assert posterior.codes.min() >= 0 and posterior.codes.max() < entries
        pairs = {
            (int(code), tuple(row))
            for code, row in zip(
                posterior.codes.flatten(), places.round().flatten(0, 1).tolist(), strict=True
            )
        }
        assert len({code for code, _ in pairs}) == len({row for _, row in pairs}) == len(pairs)

    @pytest.mark.parametrize("level", [2, 3, 4, 5, 8])
    def test_every_level_is_reached(self, level):
        part = FSQLatent(FSQConfig(codes=1, levels=(level,)), (1,))
        torch.nn.init.ones_(part.code.weight)
        torch.nn.init.zeros_(part.code.bias)
        posterior = part(torch.linspace(-9, 9, 1001).unsqueeze(1))
        assert posterior.codes.unique().tolist() == list(range(level))
        assert (posterior.codes.flatten().diff() >= 0).all()

    def test_gradient_is_that_before_rounding(self):
        part = FSQLatent(FSQConfig(codes=2, levels=(8, 5)), (6,))
        features = torch.randn(7, 6, requires_grad=True)
        weights = torch.randn(7, 4)
        (through,) = torch.autograd.grad((part(features).z * weights).sum(), features)
        smooth = part(features).before.flatten(1)
        (expected,) = torch.autograd.grad((smooth * weights).sum(), features)
        torch.testing.assert_close(through, expected)
        assert through.abs().sum() > 0

    def test_what_is_not_finite_does_not_end_the_program(self):
        part = FSQLatent(FSQConfig(), (6,))
        posterior = part(torch.full((2, 6), torch.nan))
        assert torch.isnan(posterior.z).all()
        part.auxiliary_losses(encoded(posterior))

    def test_levels_are_checked(self):
        with pytest.raises(ValidationError, match="at least 2 each"):
            FSQConfig(levels=(8, 1))


def vq(**settings_: Any) -> VQLatent:
    torch.manual_seed(0)
    return VQLatent(VQConfig(**{"codes": 2, "width": 3, "entries": 5, **settings_}), (6,))


class TestVQ:
    @pytest.mark.parametrize("codebook", ["means", "gradient"])
    def test_each_vector_becomes_the_nearest_entry(self, codebook):
        part = vq(codebook=codebook)
        features = torch.randn(30, 6)
        posterior = part(features)
        free = part.code(features).reshape(30, 2, 3)
        nearest = torch.cdist(free, part.codebook.detach()).argmin(-1)
        assert torch.equal(posterior.codes, nearest)
        torch.testing.assert_close(posterior.z, part.codebook[nearest].flatten(1))
        assert torch.equal(posterior.mode(), posterior.sample())
        assert posterior.kl().sum(1)[0].item() == pytest.approx(2 * math.log(5))
        assert posterior.statistics()["codes"].dtype == torch.int64

    def test_gradient_passes_through(self):
        part = vq()
        features = torch.randn(4, 6, requires_grad=True)
        weights = torch.randn(4, 6)
        (through,) = torch.autograd.grad((part(features).z * weights).sum(), features)
        torch.testing.assert_close(through, weights @ part.code.weight)

    @pytest.mark.parametrize("codebook", ["means", "gradient"])
    def test_terms_are_the_papers(self, codebook):
        part = vq(codebook=codebook, commitment=0.25)
        posterior = part(torch.randn(9, 6))
        terms = part.auxiliary_losses(encoded(posterior))
        distance = (posterior.before - part.codebook[posterior.codes]).square().mean()
        torch.testing.assert_close(terms["commitment"], distance)
        both = 1.25 if codebook == "gradient" else 0.25
        torch.testing.assert_close(terms["penalty"], both * distance)
        terms["penalty"].backward()
        # The encoder feels commitment alone, the entries the codebook's loss alone.
        pull = 2 * (posterior.before - posterior.chosen).detach() / posterior.before.numel()
        torch.testing.assert_close(part.code.bias.grad, 0.25 * pull.flatten(1).sum(0))
        if codebook == "gradient":
            expected = torch.zeros(5, 3).index_add_(
                0, posterior.codes.flatten(), -pull.flatten(0, 1)
            )
            torch.testing.assert_close(part.table.weight.grad, expected)

    def test_entries_follow_the_running_means_of_what_falls_to_them(self):
        part = vq(revive=0.0, decay=0.8)
        features = torch.randn(200, 6)
        shares, sums = torch.full((5,), 0.2), part.codebook.clone() * 0.2
        for _ in range(60):
            posterior = part(features)
            falls = torch.nn.functional.one_hot(posterior.codes.flatten(), 5).float()
            free = posterior.before.detach().flatten(0, 1)
            shares = 0.8 * shares + 0.2 * falls.mean(0)
            sums = 0.8 * sums + 0.2 * falls.T @ free / 400
            part.after_step(KEPT, ALONE)
            torch.testing.assert_close(part.shares, shares)
            torch.testing.assert_close(
                part.codebook, sums / shares.unsqueeze(1), rtol=1e-3, atol=1e-4
            )

    def test_distance_to_entries_shrinks(self):
        part = vq(entries=16)
        features = torch.randn(500, 6)
        before = part.auxiliary_losses(encoded(part(features)))
        for _ in range(300):
            part(features)
            part.after_step(KEPT, ALONE)
        after = part.auxiliary_losses(encoded(part(features)))
        assert after["commitment"] < 0.6 * before["commitment"]
        assert after["perplexity"] > 10

    @pytest.mark.parametrize("codebook", ["means", "gradient"])
    def test_entries_that_nothing_falls_to_are_moved_to_where_something_is(self, codebook):
        part = vq(codebook=codebook, entries=8)
        with torch.no_grad():
            part.codebook.add_(100)  # all but one entry are as good as infinitely far away
            part.codebook[0] = 0
        features = torch.randn(64, 6)
        assert part.auxiliary_losses(encoded(part(features)))["perplexity"].item() == pytest.approx(
            1
        )
        for _ in range(300):
            part(features)
            part.after_step(KEPT, ALONE)
        assert part.auxiliary_losses(encoded(part(features)))["perplexity"] > 4
        assert part.codebook.abs().max() < 50

    @pytest.mark.parametrize("codebook", ["means", "gradient"])
    @pytest.mark.parametrize("value", [1.0, float("nan")])
    def test_a_skipped_step_leaves_everything(self, codebook, value):
        part = vq(codebook=codebook)
        part(torch.randn(9, 6))
        part.after_step(KEPT, ALONE)
        kept = {name: one.clone() for name, one in part.state_dict().items()}
        part(torch.full((9, 6), value))
        part.after_step(SKIPPED, ALONE)
        for name, one in part.state_dict().items():
            assert torch.equal(one, kept[name]), name

    def test_evaluation_moves_nothing(self):
        part = vq().eval()
        seen = part.seen.clone()
        part(torch.randn(9, 6))
        assert torch.equal(part.seen, seen)

    def test_two_processes_are_one_with_both_batches(self):
        """What each of two would sum with the other is handed to it here."""
        a, b = torch.randn(8, 6), torch.randn(8, 6)
        together = vq()
        together(torch.cat([a, b]))
        one, other = vq(), vq()
        one(a)
        other(b)
        noted = {"seen": other.seen, "seen_sums": other.seen_sums}

        class Two(Distributed):
            def sum(self, tensor):
                for value in noted.values():
                    if value.shape == tensor.shape:
                        return tensor + value
                return tensor

        shapes = {tuple(value.shape) for value in noted.values()}
        assert len(shapes) == 2
        together.after_step(KEPT, ALONE)
        one.config = one.config.model_copy(update={"revive": 0.0})
        one.after_step(KEPT, Two(0, 2, torch.device("cpu")))
        torch.testing.assert_close(one.shares, together.shares)
        torch.testing.assert_close(one.codebook, together.codebook)


def test_perplexity_counts_the_entries_at_work():
    assert perplexity(torch.tensor([[1, 1], [1, 1]]), 4).item() == pytest.approx(1)
    assert perplexity(torch.arange(4).reshape(2, 2), 4).item() == pytest.approx(4)
    shares = torch.tensor([0.75, 0.25])
    expected = math.exp(-(shares * shares.log()).sum())
    assert perplexity(torch.tensor([[0, 0], [0, 1]]), 4).item() == pytest.approx(expected)
