"""Finite scalar quantisation: numbers rounded to a few levels (Mentzer et al., ICLR 2024)."""

from __future__ import annotations

import math

import torch
from pydantic import field_validator
from torch import Tensor, nn

from aeplug.config import PartConfig, setting
from aeplug.interfaces import Encoded
from aeplug.latents.quantised import CodesPosterior, pass_straight_through, perplexity


class FSQConfig(PartConfig):
    """Settings of the grid."""

    main = "codes"

    codes: int = setting(8, "codes per item", unit="codes", ge=1)
    levels: tuple[int, ...] = setting(
        (8, 5, 5), "levels of each dimension of a code", unit="levels", min_length=1
    )

    @field_validator("levels")
    @classmethod
    def _check_levels(cls, levels: tuple[int, ...]) -> tuple[int, ...]:
        if min(levels) < 2:
            raise ValueError("levels must be at least 2 each")
        return levels


class FSQLatent(nn.Module):
    """A linear map, bounded and rounded; the code book is the grid and has no weights.

    Terms: ``perplexity``.
    """

    Config = FSQConfig
    has_prior = False

    def __init__(self, config: FSQConfig, features_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.codes, self.entries = config.codes, math.prod(config.levels)
        size = config.codes * len(config.levels)
        self.latent_shape = (size,)
        self.code = nn.Linear(math.prod(features_shape), size)
        levels = torch.tensor(config.levels)
        self.register_buffer("levels", levels, persistent=False)
        # A code's number counts the first level fastest.
        strides = torch.cumprod(torch.cat([torch.ones(1, dtype=torch.long), levels[:-1]]), 0)
        self.register_buffer("strides", strides, persistent=False)
        self.levels: Tensor
        self.strides: Tensor

    def forward(self, features: Tensor) -> CodesPosterior:
        """``(B, *features_shape)`` -> codes; their numbers are multiples of ``1 / (L // 2)``."""
        free = self.code(features.flatten(1)).float().unflatten(1, (self.codes, -1))
        # An even number of levels has none in the middle: they are whole numbers again by a half.
        offset = torch.where(self.levels % 2 == 0, 0.5, 0.0)
        bounded = torch.tanh(free) * ((self.levels - 1) / 2) - offset
        rounded = bounded.detach().round()
        scale = self.levels // 2
        # Clamped, since what is not finite is no number of a code either.
        places = ((rounded.long() + scale) * self.strides).sum(-1).clamp(0, self.entries - 1)
        before, chosen = bounded / scale, rounded / scale
        z = pass_straight_through(before, chosen)
        return CodesPosterior(z.flatten(1), places, self.entries, before, chosen)

    def auxiliary_losses(self, encoded: Encoded) -> dict[str, Tensor]:
        """The perplexity of the codes in use."""
        assert isinstance(encoded.posterior, CodesPosterior)
        return {"perplexity": perplexity(encoded.posterior.codes, self.entries)}
