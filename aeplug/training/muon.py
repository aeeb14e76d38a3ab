"""Muon: momentum whose update is made orthogonal, for weights that are matrices.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024); the scale that
lets it share AdamW's learning rate is that of Liu et al., "Muon is scalable for LLM training"
(2025). Unlike ``torch.optim.Muon`` it takes convolutions too (as matrices of one row an output
channel), works on all matrices of one shape at once, and can skip a step on the device.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from aeplug.runtime.distributed import multiplies_bfloat16

#: Coefficients of the quintic Newton-Schulz iteration, and how often it is applied.
COEFFICIENTS, ITERATIONS = (3.4445, -4.7750, 2.0315), 5
#: Root mean square of an AdamW update, which Muon's is brought to.
UPDATE_RMS = 0.2


class Muon(torch.optim.Optimizer):
    """Orthogonalised Nesterov momentum with decoupled weight decay.

    As torch's fused optimizers do for a GradScaler, ``step`` honours two attributes, 0-d tensors
    on the device: gradients are divided by ``grad_scale``, and with ``found_inf`` at 1 nothing
    changes.

    Args:
        parameters: each of two or more dimensions.
        lr: learning rate, on AdamW's scale.
        weight_decay: decoupled, as AdamW's.
        momentum: decay of the momentum a step.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})
        self.grad_scale: Tensor | None = None
        self.found_inf: Tensor | None = None

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            by_shape: dict[tuple[int, int], list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    matrix = (parameter.shape[0], parameter[0].numel())
                    by_shape.setdefault(matrix, []).append(parameter)
            for shape, parameters in by_shape.items():
                self._step_alike(parameters, shape, group)

    def _step_alike(
        self, parameters: list[Tensor], shape: tuple[int, int], group: dict[str, float]
    ) -> None:
        momentum, lr = group["momentum"], group["lr"]
        keep: Tensor | float = 1.0 if self.found_inf is None else 1.0 - self.found_inf
        directions = []
        for parameter in parameters:
            assert parameter.grad is not None
            gradient = parameter.grad
            if self.grad_scale is not None:
                gradient = gradient / self.grad_scale
            # Zeros in place of what is not finite: 0 x NaN would still be NaN.
            gradient = torch.nan_to_num(gradient, 0.0, 0.0, 0.0)
            state = self.state[parameter]
            if not state:
                state["momentum"] = torch.zeros_like(parameter)
            buffer = state["momentum"]
            buffer.add_((gradient - buffer) * ((1 - momentum) * keep))
            directions.append(gradient.lerp(buffer, momentum).reshape(shape))
        updates = orthogonalise(torch.stack(directions))
        scale = UPDATE_RMS * math.sqrt(max(shape))
        for parameter, update in zip(parameters, updates, strict=True):
            parameter.mul_(1 - lr * group["weight_decay"] * keep)
            parameter.sub_(update.reshape(parameter.shape) * (lr * scale * keep))


def orthogonalise(matrices: Tensor) -> Tensor:
    """Each matrix of ``(N, R, C)`` with its singular values brought near 1, in its own dtype."""
    a, b, c = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    # bfloat16 is enough: singular values end between 0.7 and 1.2 in any precision.
    dtype = torch.bfloat16 if multiplies_bfloat16(matrices.device) else torch.float32
    x = (matrices.mT if tall else matrices).to(dtype).contiguous()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).to(matrices.dtype)
