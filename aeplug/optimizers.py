"""Which optimizer moves which weights."""

from __future__ import annotations

import torch

from aeplug.config import TrainConfig
from aeplug.muon import Muon
from aeplug.task import Task

#: Muon takes matrices whose shorter side is at least this; the stem and the output layer of a
#: small image net are closer to vectors.
MUON_LEAST_SIDE = 16


def build_optimizers(task: Task, settings: TrainConfig) -> list[torch.optim.Optimizer]:
    """AdamW for everything; or Muon for matrices and convolutions, AdamW for the rest."""
    parameters = [p for p in task.parameters() if p.requires_grad]
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
        betas = (0.9, settings.beta2)
        optimizers.append(
            torch.optim.AdamW(
                rest, settings.lr, betas, weight_decay=settings.weight_decay, fused=True
            )
        )
    return optimizers
