"""AdamW on the engine's learning-rate schedule, for modules that are fitted beside the trainer."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn

from aeplug.config import learning_rate


class ScheduledAdamW:
    """A fit of one module: gradients, clipping, step and schedule.

    Args:
        module: whose trainable parameters are moved.
        steps: of the whole fit.
        lr: peak learning rate.
        warmup: steps of linear warm-up.
        floor: share of ``lr`` that the cosine ends at; 1: constant.
        weight_decay: of the parameters that decay.
        beta2: decay of the second moments.
        clip: greatest norm of the gradients; 0: any.
        undecayed: last parts of the names of parameters that do not decay.
        decay_vectors: whether biases and other vectors decay too.

    Example:
        >>> net, x = nn.Linear(4, 1), torch.randn(64, 4)
        >>> optimizer = ScheduledAdamW(net, steps=200, lr=0.05, weight_decay=0.01)
        >>> while optimizer.done < optimizer.steps:
        ...     loss = (net(x) - x.sum(1, keepdim=True)).square().mean()
        ...     optimizer.step(loss)
        >>> loss.item() < 0.01
        True
    """

    def __init__(
        self,
        module: nn.Module,
        steps: int,
        lr: float,
        *,
        warmup: int = 0,
        floor: float = 0.0,
        weight_decay: float = 0.0,
        beta2: float = 0.999,
        clip: float = 0.0,
        undecayed: Collection[str] = (),
        decay_vectors: bool = False,
    ) -> None:
        self.steps, self.done = steps, 0
        self._lr, self._warmup, self._floor, self._clip = lr, warmup, floor, clip
        named = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self._parameters = list(named.values())
        decayed = [
            parameter
            for name, parameter in named.items()
            if (decay_vectors or parameter.ndim > 1) and name.rpartition(".")[2] not in undecayed
        ]
        kept = {id(parameter) for parameter in decayed}
        rest = [parameter for parameter in self._parameters if id(parameter) not in kept]
        groups = [{"params": decayed, "weight_decay": weight_decay}]
        if rest:
            groups.append({"params": rest, "weight_decay": 0.0})
        self._optimizer = torch.optim.AdamW(groups, lr=lr, betas=(0.9, beta2))

    def step(self, loss: Tensor) -> None:
        """One step down the gradient of ``loss``, 0-d."""
        rate = learning_rate(self.done, self.steps, self._lr, self._warmup, self._floor)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad()
        loss.backward()
        if self._clip:
            nn.utils.clip_grad_norm_(self._parameters, self._clip)
        self._optimizer.step()
        self.done += 1
