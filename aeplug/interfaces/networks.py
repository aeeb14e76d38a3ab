"""Protocols of encoders and decoders, and what an encoder may be able to do beyond."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from aeplug.interfaces.batch import Context, Features, Sampling, ScheduleValues


class Encoder(Protocol):
    """``factory(config, shape)``; a plain module, also of use alone as a feature extractor.

    Example:
        >>> class Linear(nn.Module):
        ...     def __init__(self, config, shape):
        ...         super().__init__()
        ...         self.features_shape = (64,)
        ...         self.linear = nn.LazyLinear(64)
        ...     def forward(self, input, context=None):  # (B, C, H, W) -> (B, 64)
        ...         return self.linear(input.flatten(1))
        >>> Linear(None, model.shape)(torch.zeros(4, 1, 28, 28)).shape
        torch.Size([4, 64])
    """

    features_shape: tuple[int, ...]

    def __call__(self, input: Tensor, context: Context | None = None) -> Tensor | Features:
        """``(B, *shape.input)`` -> ``(B, *features_shape)``."""
        ...


class Decoder(Protocol):
    """``factory(config, shape, latent_shape)``.

    Example:
        >>> class Linear(nn.Module):
        ...     def __init__(self, config, shape, latent_shape):
        ...         super().__init__()
        ...         self.linear = nn.Linear(*latent_shape, shape.target[0])
        ...     def forward(self, z, context, schedule_values):  # (B, D) -> (B, T)
        ...         return self.linear(z)
        ...     def generate(self, z, context, sampling):
        ...         return self.linear(z)
        >>> decoder = Linear(None, DataShape((16,), (16,)), latent_shape=(2,))
        >>> decoder.generate(torch.zeros(4, 2), Context(), Sampling()).shape
        torch.Size([4, 16])
    """

    def __call__(self, z: Tensor, context: Context, schedule_values: ScheduleValues) -> Any:
        """Latents -> parameters of the output distribution; teacher forcing lives here."""
        ...

    def generate(self, z: Tensor, context: Context, sampling: Sampling) -> Tensor:
        """Latents -> data, ``(B, *shape.target)``; works from ``z`` and ``cond`` alone."""
        ...


@runtime_checkable
class AnySizeEncoder(Encoder, Protocol):
    """An encoder that takes items of other sizes than ``shape.input``, ``(C, H', W')``.

    A fully convolutional one does, with the latent ``maps`` and a decoder that is one too. Users'
    files then go through whole, without being resized.

    Attributes:
        any_size: True; False takes the claim back, where it depends on settings.

    Example:
        >>> class Downsample(nn.Module):
        ...     any_size = True
        ...     def __init__(self, config, shape):
        ...         super().__init__()
        ...         channels, height, width = shape.input
        ...         self.conv = nn.Conv2d(channels, 8, 3, stride=2, padding=1)
        ...         self.features_shape = (8, -(-height // 2), -(-width // 2))
        ...     def forward(self, input, context=None):  # (B, C, H', W') -> (B, 8, H'/2, W'/2)
        ...         return self.conv(input)
        >>> Downsample(None, DataShape((1, 28, 28), (1, 28, 28)))(torch.zeros(4, 1, 40, 60)).shape
        torch.Size([4, 8, 20, 30])
    """

    any_size: bool


@runtime_checkable
class ConditionBlindEncoder(Encoder, Protocol):
    """An encoder that looks at no condition: z is the same whatever ``context.cond`` says.

    The classes of a user's file, which names none, are then inferred: those under which the
    decoder finds the item likeliest (:mod:`aeplug.model.conditions`).

    Attributes:
        ignores_conditions: True; False takes the claim back, where it depends on settings.

    Example:
        >>> class Flat(nn.Module):
        ...     ignores_conditions = True
        ...     def __init__(self, config, shape):
        ...         super().__init__()
        ...         self.features_shape = (shape.input[0] * shape.input[1] * shape.input[2],)
        ...     def forward(self, input, context=None):  # (B, C, H, W) -> (B, C * H * W)
        ...         return input.flatten(1)
        >>> Flat(None, DataShape((1, 28, 28), (1, 28, 28)))(torch.zeros(4, 1, 28, 28)).shape
        torch.Size([4, 784])
    """

    ignores_conditions: bool
