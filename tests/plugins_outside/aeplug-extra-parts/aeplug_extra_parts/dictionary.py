"""A decoder that adds up atoms: what sparse coding learns, with coefficients from the latent."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from aeplug.config import PartConfig, setting
from aeplug.interfaces import Context, DataShape, Sampling, ScheduleValues


@dataclass
class Logits:
    """What the decoder says of each value or token.

    Attributes:
        values: ``(B, *target)`` of Bernoulli means, or ``(B, *target, classes)`` of tokens.
    """

    values: Tensor

    @property
    def means(self) -> Tensor:
        """Values in 0..1, ``(B, *target)``."""
        return self.values.sigmoid()

    def most_likely(self) -> Tensor:
        """The likeliest token of each place, int64 ``(B, *target)``."""
        return self.values.argmax(-1)


class DictionaryConfig(PartConfig):
    """Settings of the decoder."""

    main = "atoms"

    atoms: int = setting(128, "size of the dictionary", unit="atoms", ge=1)


class Dictionary(nn.Module):
    """``softplus(A z)``, how much of each atom there is, times the atoms."""

    Config = DictionaryConfig

    def __init__(self, config: DictionaryConfig, shape: DataShape, latent_shape: tuple[int, ...]):
        super().__init__()
        self.tokens = shape.classes > 0
        self.places = (*shape.target, shape.classes) if self.tokens else shape.target
        self.coefficients = nn.Linear(math.prod(latent_shape), config.atoms)
        self.atoms = nn.Linear(config.atoms, math.prod(self.places))

    def forward(self, z: Tensor, context: Context, schedule_values: ScheduleValues) -> Logits:
        """``(B, *latent_shape)`` -> logits; no step sees another, so nothing is forced."""
        coefficients = functional.softplus(self.coefficients(z.flatten(1)))
        return Logits(self.atoms(coefficients).float().reshape(-1, *self.places))

    def generate(self, z: Tensor, context: Context, sampling: Sampling) -> Tensor:
        """Means ``(B, *target)`` in 0..1, or tokens drawn as ``sampling`` says."""
        logits = self(z, context, {})
        if not self.tokens:
            return logits.means
        if sampling.greedy:
            return logits.most_likely()
        rows = logits.values.flatten(0, -2) / sampling.temperature
        ordered, order = rows.sort(-1, descending=True)
        if sampling.top_k:
            ordered[:, sampling.top_k :] = -torch.inf
        chances = ordered.softmax(-1)
        # A token stays as long as those before it fall short of top_p: one always does.
        chances[chances.cumsum(-1) - chances >= sampling.top_p] = 0
        drawn = order.gather(-1, torch.multinomial(chances, 1, generator=sampling.generator))
        return drawn.reshape(logits.values.shape[:-1])
