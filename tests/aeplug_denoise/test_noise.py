"""Noise: what its name says, a seed's own, never on a user's file."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aeplug.interfaces import DataShape
from aeplug_denoise.noise import Noise
from aeplug_denoise.prepare import PrepareNoisy, PrepareNoisyConfig

COLOUR = DataShape((3, 16, 16), (3, 16, 16))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("text", "mean", "deviation"),
    [("gaussian(0.5, 0.3)", 0.5, 0.3), ("gaussian(0, 0.1)", 0.0, 0.1)],
)
def test_gaussian_noise_has_its_mean_and_sigma_and_is_not_clipped(
    text: str, mean: float, deviation: float
) -> None:
    clean = torch.rand(40, 1, 32, 32)
    added = Noise.parse(text).add_to(clean, generator()) - clean
    assert added.mean().item() == pytest.approx(mean, abs=0.01)
    assert added.std().item() == pytest.approx(deviation, abs=0.01)
    assert (clean + added).max() > 1


def test_a_range_of_sigmas_gives_each_picture_its_own() -> None:
    added = Noise.parse("gaussian(0, 0, 0.2)").add_to(torch.zeros(200, 1, 32, 32), generator())
    sigmas = added.flatten(1).std(1)
    assert sigmas.min() < 0.02
    assert sigmas.max() > 0.18
    assert sigmas.mean().item() == pytest.approx(0.1, abs=0.02)


def test_salt_and_pepper_hit_their_share_with_half_of_each() -> None:
    noisy = Noise.parse("salt-and-pepper(0.3)").add_to(
        torch.full((20, 1, 64, 64), 0.5), generator()
    )
    assert (noisy == 1).float().mean().item() == pytest.approx(0.15, abs=0.01)
    assert (noisy == 0).float().mean().item() == pytest.approx(0.15, abs=0.01)
    assert (noisy == 0.5).float().mean().item() == pytest.approx(0.7, abs=0.01)


@given(
    st.one_of(
        st.builds(
            lambda mean, sigmas: f"gaussian({mean:g}, {min(sigmas):g}, {max(sigmas):g})",
            st.floats(-1, 1),
            st.tuples(st.floats(0, 1), st.floats(0, 1)),
        ),
        st.builds(lambda share: f"salt-and-pepper({share:g})", st.floats(0, 1)),
    )
)
def test_the_text_of_a_noise_reads_as_the_same_noise(text: str) -> None:
    noise = Noise.parse(text)
    assert Noise.parse(str(noise)) == noise
    config = PrepareNoisyConfig(noise=(text,))
    assert PrepareNoisyConfig(**config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    "text", ["gaussian", "gaussian(1)", "gaussian(0, -1)", "gaussian(0, 0.3, 0.1)", "snow(1)",
             "salt-and-pepper(2)", "gaussian(0, nan)", "gaussian(a, b)", ""],
)  # fmt: skip
def test_what_is_no_noise_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ValidationError, match=r"gaussian|share|sigma"):
        PrepareNoisyConfig(noise=(text,))


def test_the_same_seed_gives_the_same_noise_and_another_seed_another() -> None:
    prepare = PrepareNoisy(PrepareNoisyConfig(noise=("gaussian(0, 0.1)",)), COLOUR)
    raw = {"photo": torch.randint(0, 256, (6, 3, 24, 24), dtype=torch.uint8)}
    first, again, other = (prepare(raw, generator(seed), training=True) for seed in (1, 1, 2))
    assert torch.equal(first.input, again.input)
    assert not torch.equal(first.input, other.input)
    assert first.target.shape == (6, 3, 16, 16)


def test_a_grey_photograph_has_grey_noise() -> None:
    prepare = PrepareNoisy(PrepareNoisyConfig(noise=("gaussian(0, 0.1)",), grey=0.5), COLOUR)
    raw = {"photo": torch.randint(0, 256, (8, 3, 24, 24), dtype=torch.uint8)}
    batch = prepare(raw, generator(), training=True)
    for images in (batch.input, batch.target):
        same = (images[:, :1] == images).flatten(1).all(1)
        assert same.tolist() == [True] * 4 + [False] * 4


def test_kinds_share_a_batch() -> None:
    prepare = PrepareNoisy(
        PrepareNoisyConfig(noise=("gaussian(3, 0)", "salt-and-pepper(1)")),
        DataShape((1, 8, 8), (1, 8, 8)),
    )
    raw = {"image": torch.full((6, 1, 8, 8), 128, dtype=torch.uint8)}
    noisy = prepare(raw, generator(), training=True).input
    assert (noisy[:3] > 3).all()
    assert noisy[3:].unique().tolist() == [0, 1]


def test_a_users_file_goes_in_as_it_is() -> None:
    prepare = PrepareNoisy(PrepareNoisyConfig(noise=("gaussian(0, 1)",)), COLOUR)
    image = torch.rand(1, 3, 40, 30)
    assert torch.equal(prepare.prepare_file({"image": image}).input, image)
