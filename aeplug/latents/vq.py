"""Vector quantisation: the nearest entry of a learnt codebook (van den Oord et al., NeurIPS 2017).

The codebook learns by running means of the vectors assigned to each entry (the paper's appendix),
or by gradient. Entries that are hardly used are re-seeded with vectors of the batch.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from aeplug.config import PartConfig, setting
from aeplug.interfaces import Encoded, Posterior
from aeplug.latents.quantised import CodesPosterior, pass_straight_through, perplexity
from aeplug.runtime.distributed import Distributed


class VQConfig(PartConfig):
    """Settings of the codebook."""

    main = "codes"

    codes: int = setting(8, "codes per item", unit="codes", ge=1)
    width: int = setting(8, "dimensions of an entry", unit="dimensions", ge=1)
    entries: int = setting(256, "entries of the codebook", unit="entries", ge=2)
    codebook: Literal["means", "gradient"] = setting(
        "means", "how entries learn: running means of assigned vectors, or the loss's gradient"
    )
    commitment: float = setting(
        0.25, "weight of the commitment loss: squared distance of codes to their entries", ge=0
    )
    decay: float = setting(0.99, "decay of the running means per step", gt=0, lt=1)
    revive: float = setting(
        0.1, "re-seed entries used less than this share of an even use; 0: off", ge=0, lt=1
    )


class VQLatent(nn.Module):
    """A linear map to ``codes`` vectors, each replaced by the nearest entry of one codebook.

    Terms: ``penalty``, ``commitment`` (the mean squared distance of a number to its entry's) and
    ``perplexity``.
    """

    Config = VQConfig
    has_prior = False

    def __init__(self, config: VQConfig, features_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.config = config
        self.latent_shape = (config.codes * config.width,)
        self.code = nn.Linear(math.prod(features_shape), config.codes * config.width)
        book = torch.randn(config.entries, config.width) * 0.3
        self.learnt = config.codebook == "gradient"
        if self.learnt:
            # An embedding: optimizers recognise tables of rows by the module.
            self.table = nn.Embedding.from_pretrained(book, freeze=False)
        else:
            self.register_buffer("means", book)
            self.register_buffer("sums", book / config.entries)
        self.register_buffer("shares", torch.full((config.entries,), 1 / config.entries))
        # Statistics of a step, until it is known whether the step is skipped.
        self.register_buffer("seen", torch.zeros(config.entries), persistent=False)
        self.register_buffer("seen_sums", torch.zeros_like(book), persistent=False)
        self.register_buffer("candidates", torch.zeros_like(book), persistent=False)
        self.means: Tensor
        self.sums: Tensor
        self.shares: Tensor
        self.seen: Tensor
        self.seen_sums: Tensor
        self.candidates: Tensor

    @property
    def codebook(self) -> Tensor:
        """The codebook, ``(entries, width)``."""
        return self.table.weight if self.learnt else self.means

    def forward(self, features: Tensor) -> CodesPosterior:
        """``(B, *features_shape)`` -> codes."""
        free = self.code(features.flatten(1)).float().unflatten(1, (self.config.codes, -1))
        codebook = self.codebook
        flat = free.detach().flatten(0, 1)
        # Half precision would confuse neighbours.
        with torch.autocast(features.device.type, enabled=False):
            distances = codebook.detach().square().sum(1) - 2 * flat @ codebook.detach().T
            nearest = distances.argmin(1)
            if self.training:
                self._count_assignments(flat, nearest)
        codes = nearest.unflatten(0, free.shape[:2])
        chosen = functional.embedding(codes, codebook)
        z = pass_straight_through(free, chosen)
        return CodesPosterior(z.flatten(1), codes, self.config.entries, free, chosen)

    def _count_assignments(self, flat: Tensor, nearest: Tensor) -> None:
        count = len(flat)
        assigned = functional.one_hot(nearest, self.config.entries).to(flat.dtype)
        self.seen.copy_(assigned.sum(0))
        self.seen_sums.copy_(assigned.T @ flat)
        row = torch.randint(count, (self.config.entries,), device=flat.device)
        self.candidates.copy_(flat[row])

    def auxiliary_losses(self, encoded: Encoded) -> dict[str, Tensor]:
        """Commitment loss, and the codebook's own where it learns by gradient."""
        codes = _codes(encoded.posterior)
        commitment = functional.mse_loss(codes.before, codes.chosen.detach())
        penalty = self.config.commitment * commitment
        if self.learnt:
            penalty = penalty + functional.mse_loss(codes.chosen, codes.before.detach())
        return {
            "penalty": penalty,
            "commitment": commitment,
            "perplexity": perplexity(codes.codes, codes.entries),
        }

    @torch.no_grad()
    def after_step(self, skipped: Tensor, distributed: Distributed) -> None:
        """Update what the optimizers do not: running means, and entries that are hardly used."""
        config, counts = self.config, 1 - skipped
        first = float(distributed.rank == 0)
        # Without a finite gradient the batch was not finite either: 0 x NaN would still be NaN.
        seen, seen_sums, candidates = (
            distributed.sum(torch.nan_to_num(statistic, 0.0, 0.0, 0.0))
            for statistic in (self.seen.clone(), self.seen_sums.clone(), self.candidates * first)
        )
        total = seen.sum().clamp(min=1)
        rate = (1 - config.decay) * counts
        self.shares.lerp_(seen / total, rate)
        if not self.learnt:
            self.sums.lerp_(seen_sums / total, rate)
            means = self.sums / self.shares.clamp(min=1e-12).unsqueeze(1)
            self.means.copy_(torch.where(counts > 0, means, self.means))
        dead = (self.shares < config.revive / config.entries) & (counts > 0)
        self.shares.masked_fill_(dead, 1 / config.entries)
        moved = dead.unsqueeze(1)
        self.codebook.copy_(torch.where(moved, candidates, self.codebook))
        if not self.learnt:
            self.sums.copy_(torch.where(moved, candidates / config.entries, self.sums))


def _codes(posterior: Posterior) -> CodesPosterior:
    assert isinstance(posterior, CodesPosterior)
    return posterior
