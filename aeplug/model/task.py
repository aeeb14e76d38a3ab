"""Task: encoder, latent, decoder and loss as one module, built from a resolved config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from aeplug.config import NAMED_ROLES, TaskConfig
from aeplug.config.schedules import Schedule
from aeplug.errors import ConfigError
from aeplug.interfaces import (
    Adversarial,
    AfterStep,
    AuxiliaryLosses,
    Batch,
    Bindable,
    Context,
    DataShape,
    Encoded,
    Features,
    InputGradientLatent,
    MultiDrawLoss,
    Posterior,
    ScheduleValues,
    supports,
)
from aeplug.latents.importance import ImportanceSamples

if TYPE_CHECKING:
    from aeplug.runtime.distributed import Distributed

#: Terms that latent parts give beside figures: see :class:`aeplug.interfaces.AuxiliaryLosses`.
PENALTY, ADVERSARY = "penalty", "adversary"


def objective(losses: Mapping[str, Tensor]) -> Tensor:
    """What a training step differentiates: the loss, and what an adversary minimises beside it.

    No term reaches the other side's weights, so that one pass serves both.

    Example:
        >>> losses = {"loss": 2.0, "kl_nats": 1.0, "adversary": 0.5}
        >>> objective({name: torch.tensor(value) for name, value in losses.items()})
        tensor(2.5000)
    """
    return losses["loss"] + losses[ADVERSARY] if ADVERSARY in losses else losses["loss"]


class Task(nn.Module):
    """What is trained and saved.

    Args:
        config: resolved settings.
        shape: what one item looks like.

    Attributes:
        draws: of each item's latent that the loss asks for; 0: one, as usual.
        differentiates_input: whether a term is made of the latent's derivative by the input.

    Raises:
        ConfigError: parts do not fit each other or the data; raised when built, not in training.

    Example:
        >>> from aeplug.training import training_config
        >>> task = Task(training_config("mnist-vae"), model.shape)
        >>> batch = Batch(torch.zeros(4, 1, 28, 28), torch.zeros(4, 1, 28, 28))
        >>> schedule_values = task.new_schedule_values(torch.device("cpu"))
        >>> objective(task(batch, schedule_values)).shape
        torch.Size([])
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
            for part in self.parts():
                if supports(part, Bindable):
                    part.bind(self)
        except (ValueError, TypeError) as error:
            raise ConfigError(f"task '{config.task.name}' cannot be built: {error}") from error
        # Asked once, not at every step.
        self.draws = self.loss.draws if supports(self.loss, MultiDrawLoss) else 0
        self.differentiates_input = supports(self.latent, InputGradientLatent)
        self._has_auxiliary_losses = supports(self.latent, AuxiliaryLosses)
        self.schedules = {
            field: value
            for role in NAMED_ROLES
            for field, value in dict(sections[role].config).items()
            if isinstance(value, Schedule)
        }

    def parts(self) -> list[nn.Module]:
        """Encoder, latent, decoder and loss."""
        return [getattr(self, role) for role in NAMED_ROLES]

    def adversaries(self) -> list[nn.Module]:
        """The parts' own critics, whose weights are updated apart."""
        return [part.adversary for part in self.parts() if supports(part, Adversarial)]

    def after_step(self, skipped: Tensor, distributed: Distributed) -> None:
        """Let parts move what the optimizers do not; see :class:`aeplug.interfaces.AfterStep`."""
        for part in self.parts():
            if supports(part, AfterStep):
                part.after_step(skipped, distributed)

    def new_schedule_values(self, device: torch.device) -> dict[str, Tensor]:
        """A 0-d float32 tensor for every schedule among the parts' settings, by field name."""
        return {name: torch.zeros((), device=device) for name in self.schedules}

    def update_schedules(
        self, schedule_values: Mapping[str, Tensor], step: int, total: int
    ) -> None:
        """Set the values to their schedules' values at ``step``."""
        for name, schedule in self.schedules.items():
            schedule_values[name].fill_(schedule(step, total))

    def encode(self, input: Tensor, context: Context) -> tuple[Posterior, Context]:
        """Posterior of the latent, and the context the decoder gets (with skips)."""
        features = self.encoder(input, context)
        if isinstance(features, Features):
            context.skips = features.skips
            features = features.values
        return self.latent(features), context

    def forward(
        self,
        batch: Batch,
        schedule_values: ScheduleValues,
        generator: torch.Generator | None = None,
    ) -> dict[str, Tensor]:
        """One step's losses, 0-d: ``loss`` and its terms."""
        return self.measure(batch, schedule_values, generator)[0]

    def measure(
        self,
        batch: Batch,
        schedule_values: ScheduleValues,
        generator: torch.Generator | None = None,
    ) -> tuple[dict[str, Tensor], Any, Posterior]:
        """Losses, decoder output and posterior of a batch, with teacher forcing.

        Of several draws an item, where the loss asks for them, output and posterior have a row
        each.
        """
        context, input = batch.context(with_target=True), batch.input
        with torch.set_grad_enabled(torch.is_grad_enabled() or self.differentiates_input):
            if self.differentiates_input:
                input = input.detach().requires_grad_()
            posterior, context = self.encode(input, context)
            if self.draws:
                posterior = ImportanceSamples(posterior, self.draws, self.latent)
                batch, context = batch.repeat_items(self.draws), context.repeat_items(self.draws)
            z = posterior.sample(generator)
        output = self.decoder(z, context, schedule_values)
        terms = dict(self.loss(output, batch, posterior, schedule_values))
        if self._has_auxiliary_losses:
            found = posterior.each if isinstance(posterior, ImportanceSamples) else posterior
            encoded = Encoded(found, z, input, schedule_values, self.training, generator)
            more = dict(self.latent.auxiliary_losses(encoded))
            if PENALTY in more:
                terms["loss"] = terms["loss"] + more[PENALTY]
            if ADVERSARY in more and ADVERSARY in terms:
                more[ADVERSARY] = more[ADVERSARY] + terms[ADVERSARY]
            terms |= more
        return terms, output, posterior

    def compile_parts(self) -> None:
        """Compile the parts in place; the wrapper stays plain, so state keeps its names.

        Raises:
            ConfigError: the latent's derivative is itself differentiated, which the compiler
                cannot.
        """
        if self.differentiates_input:
            raise ConfigError(
                "train.compile: a penalty on the latent's derivative (latent.contractive) cannot "
                "be compiled"
            )
        for part in self.parts():
            part.compile()
