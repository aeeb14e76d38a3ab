"""Task: encoder, latent, decoder and loss as one module, built from a resolved config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from aeplug.config import NAMED_ROLES, TaskConfig
from aeplug.errors import ConfigError
from aeplug.interfaces import Batch, Context, DataShape, Features, Knobs, Posterior, Prepare
from aeplug.schedules import Schedule


def build_prepare(config: TaskConfig, shape: DataShape) -> Prepare:
    """The task's step from rows of this shape to a batch.

    Raises:
        ConfigError: it cannot work on items of this shape.
    """
    section = config.sections["prepare"]
    try:
        prepare: Prepare = section.factory(section.config, shape)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"task '{config.task.name}' cannot be built: {error}") from error
    return prepare


class Task(nn.Module):
    """What is trained and saved.

    Args:
        config: resolved settings.
        shape: what one item looks like.

    Raises:
        ConfigError: parts do not fit each other or the data; raised when built, not in training.
    """

    def __init__(self, config: TaskConfig, shape: DataShape) -> None:
        super().__init__()
        sections = config.sections
        self.shape = shape
        try:
            self.encoder = sections["encoder"].factory(sections["encoder"].config, shape)
            self.latent = sections["latent"].factory(
                sections["latent"].config, self.encoder.features_shape
            )
            self.decoder = sections["decoder"].factory(
                sections["decoder"].config, shape, self.latent.latent_shape
            )
            self.loss = sections["loss"].factory(sections["loss"].config, shape)
        except (ValueError, TypeError) as error:
            raise ConfigError(f"task '{config.task.name}' cannot be built: {error}") from error
        self.schedules = {
            field: value
            for role in NAMED_ROLES
            for field, value in dict(sections[role].config).items()
            if isinstance(value, Schedule)
        }

    def knobs(self, device: torch.device) -> dict[str, Tensor]:
        """A 0-d float32 tensor for every schedule among the parts' settings, by field name."""
        return {name: torch.zeros((), device=device) for name in self.schedules}

    def turn(self, knobs: Mapping[str, Tensor], step: int, total: int) -> None:
        """Set the knobs to their schedules' values at ``step``."""
        for name, schedule in self.schedules.items():
            knobs[name].fill_(schedule(step, total))

    def encode(self, input: Tensor, context: Context) -> tuple[Posterior, Context]:
        """Posterior of the latent, and the context the decoder gets (with skips)."""
        features = self.encoder(input, context)
        if isinstance(features, Features):
            context.skips = features.skips
            features = features.values
        return self.latent(features), context

    def forward(
        self, batch: Batch, knobs: Knobs, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """One step's losses, 0-d: ``loss`` and its terms."""
        return self.measure(batch, knobs, generator)[0]

    def measure(
        self, batch: Batch, knobs: Knobs, generator: torch.Generator | None = None
    ) -> tuple[dict[str, Tensor], Any, Posterior]:
        """Losses, decoder output and posterior of a batch, with teacher forcing."""
        posterior, context = self.encode(batch.input, batch.context(with_target=True))
        output = self.decoder(posterior.sample(generator), context, knobs)
        return self.loss(output, batch, posterior, knobs), output, posterior

    def compile_parts(self) -> None:
        """Compile the parts in place; the wrapper stays plain, so state keeps its names."""
        for role in NAMED_ROLES:
            getattr(self, role).compile()
