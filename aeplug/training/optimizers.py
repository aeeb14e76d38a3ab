"""Optimizers: parameter groups, clipping and the step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from aeplug.config import TrainConfig
from aeplug.model.task import Task
from aeplug.training.muon import Muon

#: Muon takes matrices whose shorter side is at least this; the stem and the output layer of a
#: small image net are closer to vectors.
MUON_LEAST_SIDE = 16
#: First-moment decay of an adversary: what it learns from moves (Radford et al., ICLR 2016).
ADVERSARY_BETA1 = 0.5
#: Names in checkpoints.
MAIN, ADVERSARY = "main", "adversary"


@dataclass
class OptimizerGroup:
    """Weights that are updated together: clipped by one norm, and all or none of them.

    Attributes:
        name: in checkpoints.
        parameters: each in one of the optimizers.
        optimizers: those that take clipping and skipping as tensors.
        lr: peak learning rate.
    """

    name: str
    parameters: Sequence[Tensor]
    optimizers: list[torch.optim.Optimizer]
    lr: float

    def set_lr(self, lr: float) -> None:
        """Set the learning rate."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = lr

    def step(self, clip: float) -> Tensor:
        """Clip and update, unless the gradient is not finite; 1.0 if it was skipped, else 0.0.

        The optimizers take both decisions on the device (``grad_scale``, ``found_inf``: what
        torch's own GradScaler hands to fused ones), so that no step waits for a value. Under DDP
        the gradients, hence the norm, are the same in every process.
        """
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        found_inf = (~torch.isfinite(norm)).float()
        scale = (norm / clip).clamp_(min=1.0) if clip else None
        for optimizer in self.optimizers:
            optimizer.grad_scale = scale  # type: ignore[attr-defined]
            optimizer.found_inf = found_inf  # type: ignore[attr-defined]
            optimizer.step()
            optimizer.zero_grad()
        return found_inf


def build_optimizer_groups(task: Task, settings: TrainConfig) -> list[OptimizerGroup]:
    """The task's weights, and apart from them those of its adversaries, where it has any."""
    adversarial = [p for adversary in task.adversaries() for p in adversary.parameters()]
    apart = {id(p) for p in adversarial}
    own = [p for p in task.parameters() if p.requires_grad and id(p) not in apart]
    groups = [OptimizerGroup(MAIN, own, _main_optimizers(task, own, settings), settings.lr)]
    if adversarial:
        betas = (ADVERSARY_BETA1, settings.beta2)
        adamw = _adamw(adversarial, settings.adversary_lr, betas, settings)
        groups.append(OptimizerGroup(ADVERSARY, adversarial, [adamw], settings.adversary_lr))
    return groups


def _main_optimizers(
    task: Task, parameters: Sequence[Tensor], settings: TrainConfig
) -> list[torch.optim.Optimizer]:
    """AdamW for everything; or Muon for matrices and convolutions, AdamW for the rest."""
    if settings.optimizer == "muon":
        # An embedding's rows are looked up, not multiplied: a matrix in shape only.
        looked_up = {
            id(module.weight) for module in task.modules() if isinstance(module, torch.nn.Embedding)
        }
        matrices = [
            p
            for p in parameters
            if p.dim() > 1
            and id(p) not in looked_up
            and min(len(p), p[0].numel()) >= MUON_LEAST_SIDE
        ]
    else:
        matrices = []
    chosen = {id(p) for p in matrices}
    rest = [p for p in parameters if id(p) not in chosen]
    optimizers: list[torch.optim.Optimizer] = []
    if matrices:
        optimizers.append(Muon(matrices, settings.lr, settings.weight_decay))
    if rest:
        optimizers.append(_adamw(rest, settings.lr, (0.9, settings.beta2), settings))
    return optimizers


def _adamw(
    parameters: Sequence[Tensor], lr: float, betas: tuple[float, float], settings: TrainConfig
) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr, betas, weight_decay=settings.weight_decay, fused=True)
