"""Noise by name, made on the device.

=============================  ===================================================================
``gaussian(MEAN, SIGMA)``      a normal number is added to each pixel; grey levels lie in 0..1 and
                               the result is not clipped
``gaussian(MEAN, LOW, HIGH)``  the same, with a sigma for each picture drawn evenly from a range
``salt-and-pepper(SHARE)``     this share of pixels becomes black or white, half of them each
=============================  ===================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema
from torch import Tensor

_TEXT = re.compile(r"\s*([a-z-]+)\s*\(([^()]*)\)\s*")
_EXPECTED = "expected gaussian(MEAN, SIGMA), gaussian(MEAN, LOW, HIGH) or salt-and-pepper(SHARE)"


@dataclass(frozen=True)
class Noise:
    """One kind of noise; a field type for part configs.

    Attributes:
        kind: ``gaussian`` or ``salt-and-pepper``.
        arguments: as in the table above.
    """

    kind: str
    arguments: tuple[float, ...]

    @classmethod
    def parse(cls, value: Any) -> Noise:
        """From its text, or a noise itself.

        Raises:
            ValueError: no such kind, or arguments out of range.
        """
        if isinstance(value, cls):
            return value
        match = _TEXT.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise ValueError(f"{_EXPECTED}, got {value!r}")
        try:
            arguments = tuple(float(part) for part in match[2].split(","))
        except ValueError:
            arguments = ()
        kind = match[1]
        if kind == "gaussian" and len(arguments) in (2, 3):
            if -10 <= arguments[0] <= 10 and 0 <= arguments[1] <= arguments[-1] <= 10:
                return cls(kind, arguments)
            raise ValueError(f"{value}: a mean in -10..10 and sigmas in 0..10, the lower first")
        if kind == "salt-and-pepper" and len(arguments) == 1:
            if 0 <= arguments[0] <= 1:
                return cls(kind, arguments)
            raise ValueError(f"{value}: a share lies in 0..1")
        raise ValueError(f"{_EXPECTED}, got {value!r}")

    def __str__(self) -> str:
        return f"{self.kind}({', '.join(f'{number:g}' for number in self.arguments)})"

    def add_to(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Clean pictures ``(B, C, H, W)`` float32 in 0..1 -> noisy ones, not clipped.

        The noise of each channel is its own.
        """
        device = images.device
        if self.kind == "salt-and-pepper":
            chance = torch.rand(images.shape, device=device, generator=generator)
            (share,) = self.arguments
            noisy = torch.where(chance < share, torch.zeros_like(images), images)
            return torch.where(chance < share / 2, torch.ones_like(images), noisy)
        mean, low, high = self.arguments[0], self.arguments[1], self.arguments[-1]
        sigma = torch.rand(len(images), 1, 1, 1, device=device, generator=generator)
        sigma = low + (high - low) * sigma
        normal = torch.randn(images.shape, device=device, generator=generator)
        return images + mean + sigma * normal

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.parse, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )
