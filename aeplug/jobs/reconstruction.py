"""What a job does with files: put them through a model, each with draws of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from aeplug.data.batching import Result
from aeplug.inference.reconstruct import FixedLatents, reconstruct_chunks
from aeplug.interfaces import Codec, ComparableCodec, RawBatch, Sampling, supports
from aeplug.model.model import Model


@dataclass(frozen=True)
class Reconstruction:
    """A model, and how files go through it.

    Attributes:
        model: what they go through.
        sampling: how to decode; greedily by default.
        seed: of draws, where ``sampling`` is not greedy. Each file has draws of its own: what
            becomes of it does not depend on where a job was cut.
        to: change the class of all: condition's name -> class.
        latents: decode all from these.

    Example:
        >>> images = {"image": torch.zeros(3, 1, 28, 28, dtype=torch.uint8)}
        >>> reconstruction = Reconstruction(model)
        >>> [result] = reconstruction.compute([images], reconstruction.seeded_sampling("a.png"))
        >>> result.data.shape
        torch.Size([3, 1, 28, 28])
    """

    model: Model
    sampling: Sampling = field(default_factory=lambda: Sampling(greedy=True))
    seed: int = 0
    to: Mapping[str, Any] = field(default_factory=dict)
    latents: FixedLatents | None = None

    @property
    def codec(self) -> Codec:
        """The model's."""
        return self.model.codec

    @property
    def device(self) -> torch.device:
        """The model's."""
        return self.model.device

    @property
    def identity(self) -> Mapping[str, Any]:
        """What results depend on beside inputs and options, JSON-ready."""
        model, sampling = self.model, self.sampling
        draws = [self.seed, sampling.temperature, sampling.top_k, sampling.top_p]
        return {
            "model": model.spec.name,
            "weights": model.header.get("weights_sha256", ""),
            "settings": {
                name: model.config.sections[name].as_dict() for name in ("codec", "prepare")
            },
            "draws": [] if sampling.greedy else draws,
            **({"to": dict(self.to)} if self.to else {}),
            **({"latents": self.latents.digest} if self.latents else {}),
            **self._guard_identity,
        }

    @property
    def _guard_identity(self) -> Mapping[str, Any]:
        if not supports(self.codec, ComparableCodec):
            return {}
        guard = self.model.guard
        return {"guard": [guard.reconstruct, guard.vary] if guard else False}

    def seeded_sampling(self, name: str) -> Sampling:
        """How to decode the file whose result has this name."""
        if self.sampling.greedy:
            return self.sampling
        content = f"{self.seed} {name}".encode("utf-8", "surrogateescape")
        seed = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big") % 2**63
        return replace(self.sampling, generator=self.model.generator(seed))

    def compute(self, raws: Sequence[RawBatch], sampling: Sampling) -> list[Result]:
        """Chunks of one form through the model together."""
        return reconstruct_chunks(self.model, raws, sampling, self.to, self.latents)
