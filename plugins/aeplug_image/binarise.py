"""Grey images as black and white ones: a pixel is white with the probability its grey says.

Log-likelihoods of "binarised MNIST" compare only under one binarisation. ``dynamic`` draws anew
each time an image is trained on (Salakhutdinov & Murray, ICML 2008; Burda et al., ICLR 2016);
``static`` draws an image once and for all, as Larochelle & Murray's set did (AISTATS 2011; the
draw here is another one). Evaluation always takes the one draw of ``static``.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: Odd 64-bit constants of Steele et al.'s SplitMix64 (OOPSLA 2014), as signed integers.
GOLDEN, FIRST, SECOND = (
    number - 2**64 for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)


def sample_binary(images: Tensor, generator: torch.Generator) -> Tensor:
    """A new draw of images ``(B, C, H, W)`` in 0..1: float32 of zeros and ones."""
    noise = torch.rand(images.shape, device=images.device, generator=generator)
    return (noise < images).float()


def fix_binary(images: Tensor) -> Tensor:
    """The one draw of each image ``(B, C, H, W)`` in 0..1: float32 of zeros and ones.

    A function of the image's own 8-bit pixels: the same in every epoch, batch, split and device.
    """
    pixels = (images * 255).round().long().flatten(1)
    places = torch.arange(1, pixels.shape[1] + 1, device=pixels.device) * GOLDEN
    # Products and sums wrap around at 64 bits, as they are meant to.
    of_image = (pixels * _mix_bits(places)).sum(1, keepdim=True)
    noise = (_mix_bits(of_image + places) >> 40) & 0xFFFFFF  # 24 bits, what float32 holds
    return (noise.float() / 2**24 < images.flatten(1)).float().reshape(images.shape)


def _mix_bits(numbers: Tensor) -> Tensor:
    """SplitMix64's finaliser: neighbouring numbers come out unlike each other."""
    numbers = (numbers ^ _shift_right(numbers, 30)) * FIRST
    numbers = (numbers ^ _shift_right(numbers, 27)) * SECOND
    return numbers ^ _shift_right(numbers, 31)


def _shift_right(numbers: Tensor, bits: int) -> Tensor:
    # Torch's own shift repeats the sign.
    return (numbers >> bits) & (2 ** (64 - bits) - 1)
