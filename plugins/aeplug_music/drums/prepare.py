"""Stored windows of drums -> a batch; augmented in training."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from aeplug.config import PartConfig, setting
from aeplug.interfaces import Batch, DataShape, RawBatch
from aeplug_music.drums.augmentation import Chances, augment
from aeplug_music.drums.kit import BAR, DRUMS, MAX_VELOCITY, OFFSETS
from aeplug_music.drums.window_shape import (
    ALL,
    FORMS,
    VALUES,
    bits_to_combination,
    check_form,
    groove_shape,
    hits_shape,
)

#: Largest relative change of the velocities of a window, and of its offsets.
_LOUDER, _LATER = 0.15, 0.3


class DrumAugmentation(PartConfig):
    """Settings of the augmentation."""

    rotated: float = setting(0.1, "probability of a rotation to another beat", ge=0, le=1)
    recombined: float = setting(
        0.1, "probability of continuing after a bar with another window", ge=0, le=1
    )
    rearranged: float = setting(
        0.0, "probability of replacing some phrases by others of any window", ge=0, le=1
    )
    mixed: float = setting(
        0.08, "probability of taking cymbals and toms from another window", ge=0, le=1
    )
    dropped: float = setting(0.05, "probability of silencing a drum", ge=0, le=1)
    swapped: float = setting(0.08, "probability of swapping the parts of two drums", ge=0, le=1)
    edited: float = setting(0.05, "probability of adding and removing some hits", ge=0, le=1)

    def chances(self) -> Chances:
        """The probabilities of :mod:`aeplug_music.drums.augmentation`."""
        return Chances(**{name: getattr(self, name) for name in Chances.__dataclass_fields__})


class PrepareDrums:
    """Columns ``velocity`` and ``offset`` -> combinations, input and target alike."""

    Config = DrumAugmentation

    def __init__(self, config: DrumAugmentation, shape: DataShape) -> None:
        self.shape = hits_shape(shape.target[0] // BAR)
        self._chances = config.chances()

    def __call__(self, raw: RawBatch, generator: torch.Generator, training: bool) -> Batch:
        """``velocity`` uint8 ``(B, T, 9)`` -> int64 ``(B, T)`` in 0..511."""
        hits = (raw["velocity"] > 0).float()
        if training:
            hits = augment(hits.unsqueeze(-1), self._chances, generator).squeeze(-1)
        tokens = bits_to_combination(hits)
        return Batch(tokens, tokens, lengths=_lengths(tokens))


class GrooveConfig(DrumAugmentation):
    """Settings of the augmentation, and of the encoder's input."""

    score: float = setting(
        0.35, "share of training windows of which the encoder sees only the hits", ge=0, le=1
    )
    rhythm: float = setting(
        0.25, "share of training windows of which the encoder sees only the rhythm", ge=0, le=1
    )


class PrepareGroove:
    """Columns ``velocity``, ``offset`` -> input ``(B, T, 31)`` and target ``(B, T, 27)``.

    In training the form of each window's input is random; otherwise the input is all of it, or
    what the option ``given`` names (:meth:`with_options`). The target is always the whole
    performance: hits 0 or 1, velocities in 0..1, offsets in [-0.5, 0.5) of a step.
    """

    Config = GrooveConfig

    def __init__(self, config: GrooveConfig, shape: DataShape) -> None:
        if config.score + config.rhythm > 1:
            raise ValueError("prepare.score and prepare.rhythm are shares: at most 1 together")
        self.shape = groove_shape(shape.target[0] // BAR)
        self.form = ALL
        self._chances, self._batches = config.chances(), (config.score, config.rhythm)

    def with_options(self, options: Mapping[str, Any]) -> PrepareGroove:
        """The same for files of which only ``options["given"]`` is to be taken.

        Raises:
            ConfigError: no form is called so.
        """
        prepare = copy.copy(self)
        prepare.form = check_form(options)
        return prepare

    def __call__(self, raw: RawBatch, generator: torch.Generator, training: bool) -> Batch:
        """Velocities uint8 and offsets int8 ``(B, T, 9)``, and taps if the rows have them."""
        velocity, offset = raw["velocity"].float(), raw["offset"].float()
        hits = (velocity > 0).float()
        values = torch.stack([hits, velocity, offset], -1)  # (B, T, 9, 3)
        taps = raw["taps"].float() if "taps" in raw else None
        form = torch.full((len(hits),), FORMS.index(self.form), device=hits.device)
        if training:
            values, taps = augment(values, self._chances, generator), None
            values = _vary_playing(values, generator)
            dice = torch.rand(len(hits), device=hits.device, generator=generator)
            score, rhythm = self._batches
            form = torch.where(dice < score, 1, torch.where(dice < score + rhythm, 2, 0))
        if taps is None:
            taps = reduce_to_rhythm(values)
        target = scale_values(values)
        return Batch(build_encoder_input(target, taps, form), target, lengths=_lengths(target))


def reduce_to_rhythm(values: Tensor) -> Tensor:
    """Reduce values ``(B, T, 9, 3)`` to one voice, velocity and offset ``(B, T, 2)``.

    The loudest at each step, of equally loud ones the earliest (:mod:`aeplug_music.drums.kit`).
    """
    hits, velocity, offset = values.unbind(-1)
    rank = torch.where(hits > 0, velocity * 512 - offset, -torch.inf)
    loudest = rank.argmax(-1, keepdim=True)
    return torch.cat([velocity.gather(-1, loudest), offset.gather(-1, loudest)], -1)


def scale_values(values: Tensor) -> Tensor:
    """Stored values ``(B, T, 9, 3)`` -> values of the model, ``(B, T, 27)``."""
    hits, velocity, offset = values.unbind(-1)
    return torch.cat([hits, velocity / MAX_VELOCITY, offset / OFFSETS], -1)


def build_encoder_input(target: Tensor, taps: Tensor, form: Tensor) -> Tensor:
    """Build the input of the encoder, ``(B, T, 31)``.

    Args:
        target: the whole performance, ``(B, T, 27)``.
        taps: velocity 0..127 and offset in 1/256 of a step, ``(B, T, 2)``.
        form: number in ``FORMS`` for each window, int64 ``(B,)``.
    """
    form = form.view(-1, 1, 1)
    is_hit = torch.arange(VALUES, device=target.device) < DRUMS
    seen = (form == 0) | ((form == 1) & is_hit)
    velocity, offset = taps.unbind(-1)
    voice = torch.stack([velocity > 0, velocity / MAX_VELOCITY, offset / OFFSETS], -1)
    is_score = (form == 1).expand(*target.shape[:2], 1)
    return torch.cat([target * seen, voice * (form == 2), is_score.to(target.dtype)], -1)


def _vary_playing(values: Tensor, generator: torch.Generator) -> Tensor:
    """Scale the velocities and the offsets of each window by random factors."""
    shape = (len(values), 1, 1)
    louder, later = (
        1 + most * (2 * torch.rand(shape, device=values.device, generator=generator) - 1)
        for most in (_LOUDER, _LATER)
    )
    hits, velocity, offset = values.unbind(-1)
    velocity = (velocity * louder).round().clamp(1, MAX_VELOCITY) * hits
    offset = (offset * later).round().clamp(-OFFSETS // 2, OFFSETS // 2 - 1) * hits
    return torch.stack([hits, velocity, offset], -1)


def _lengths(values: Tensor) -> Tensor:
    return torch.full((len(values),), values.shape[1], device=values.device)
