"""What an image decoder puts out; apart so that decoders and losses need not know each other."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class PixelOutput(NamedTuple):
    """Parameters of the distribution of pixels.

    Attributes:
        values: ``(B, C, H, W)`` float32.
        logits: whether ``values`` are logits of pixel means, else the means themselves. A
            decoder with a bounded output gives logits: a sigmoid under MSE tends to die at the
            learning rates at which BCE on logits is stable.
    """

    values: Tensor
    logits: bool

    @property
    def means(self) -> Tensor:
        """Pixel means, in 0..1 where they come from logits."""
        return torch.sigmoid(self.values) if self.logits else self.values
