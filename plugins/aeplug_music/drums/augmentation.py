"""Augmentation of drums: rotation, recombination of bars, phrases and limbs, other drums and hits.

Sampled for every window and epoch, on the device, for all windows at once. The result is both
input and target: nothing is corrupted, the data set is enlarged. It applies to hits alone and to
hits with velocity and timing: the values of a drum stay together.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from aeplug_music.drums.kit import (
    BAR,
    CLOSED_HAT,
    CRASH,
    DRUMS,
    HIGH_TOM,
    KICK,
    LOW_TOM,
    MID_TOM,
    OPEN_HAT,
    RIDE,
    SNARE,
)

#: Drums that stay when the others are taken from another window.
FEET_AND_SNARE = (KICK, SNARE)
#: Drums that swap their parts: class -> class whose part it gets.
SWAPS = (
    {CLOSED_HAT: RIDE, RIDE: CLOSED_HAT},
    {OPEN_HAT: CRASH, CRASH: OPEN_HAT},
    {LOW_TOM: MID_TOM, MID_TOM: HIGH_TOM, HIGH_TOM: LOW_TOM},
    {CLOSED_HAT: LOW_TOM, LOW_TOM: CLOSED_HAT},
    {SNARE: HIGH_TOM, HIGH_TOM: SNARE},
)
#: Lengths of phrases that are rearranged, bars; share of phrases that are replaced, and share of
#: the replacements that come from another window.
PHRASES = (1, 2, 4)
REARRANGED_PHRASES, FOREIGN_PHRASES = 0.4, 0.4
#: Share of hits removed, and of empty positions filled, in an edited window.
EDITED_HITS, EDITED_PLACES = 0.06, 0.012


@dataclass(frozen=True)
class Chances:
    """Probability of each augmentation, per window.

    Attributes:
        rotated: begins on another beat, cyclically.
        recombined: continues after one of its bars with another window.
        rearranged: some phrases are replaced by others of the same or of another window.
        mixed: kick and snare stay, cymbals and toms are another window's.
        dropped: a drum is silenced.
        swapped: drums swap their parts (closed hi-hat and ride ...).
        edited: some hits are removed and, without velocities, some added.
    """

    rotated: float
    recombined: float
    rearranged: float
    mixed: float
    dropped: float
    swapped: float
    edited: float


def augment(values: Tensor, chances: Chances, generator: torch.Generator) -> Tensor:
    """Apply random augmentations to windows ``(B, T, 9, C)``.

    Args:
        values: of each drum at each step, the first is the hit; 0 without a hit.
        chances: probabilities.
        generator: on the values' device.
    """
    count, steps = values.shape[:2]
    device = values.device

    def happens(probability: float) -> Tensor:
        return torch.rand(count, device=device, generator=generator) < probability

    def integers(high: int) -> Tensor:
        return torch.randint(high, (count,), device=device, generator=generator)

    def shuffle() -> Tensor:
        return values[torch.randperm(count, device=device, generator=generator)]

    if chances.mixed:
        keeps = torch.tensor([drum in FEET_AND_SNARE for drum in range(DRUMS)], device=device)
        use = happens(chances.mixed).unsqueeze(1) & ~keeps  # (B, 9)
        values = torch.where(use[:, None, :, None], shuffle(), values)
    bars = steps // BAR
    if chances.recombined and bars > 1:
        edge = (1 + integers(bars - 1)) * BAR
        later = torch.arange(steps, device=device) >= edge.unsqueeze(1)
        use = later & happens(chances.recombined).unsqueeze(1)
        values = torch.where(use[:, :, None, None], shuffle(), values)
    if chances.rearranged and bars > 1:
        values = _rearrange(values, happens(chances.rearranged), generator)
    if chances.rotated:
        by = integers(steps // 4) * 4 * happens(chances.rotated)
        index = (torch.arange(steps, device=device) + by.unsqueeze(1)) % steps
        values = values[torch.arange(count, device=device).unsqueeze(1), index]
    if chances.swapped:
        table = _SWAP_TABLE.to(device)
        row = torch.where(happens(chances.swapped), 1 + integers(len(SWAPS)), 0)
        index = table[row][:, None, :, None].expand_as(values)
        values = values.gather(2, index)
    if chances.dropped:
        which = torch.where(happens(chances.dropped), integers(DRUMS), -1)
        gone = torch.arange(DRUMS, device=device) == which.unsqueeze(1)
        values = values.masked_fill(gone[:, None, :, None], 0)
    if chances.edited:
        values = _edit(values, happens(chances.edited), generator)
    return values


def _rearrange(values: Tensor, chosen: Tensor, generator: torch.Generator) -> Tensor:
    """Replace phrases of chosen windows, each of one length per window, by others.

    A few hundred performances have few passages of sixteen bars, but many bars.
    """
    count, bars = len(values), values.shape[1] // BAR
    device = values.device

    def dice(*shape: int) -> Tensor:
        return torch.rand(shape, device=device, generator=generator)

    lengths = torch.tensor([length for length in PHRASES if length < bars], device=device)
    length = lengths[(dice(count) * len(lengths)).long()].unsqueeze(1)
    bar = torch.arange(bars, device=device)
    phrase = bar // length  # (B, bars)
    changes = dice(count, bars).gather(1, phrase) < REARRANGED_PHRASES
    foreign = dice(count, bars).gather(1, phrase) < FOREIGN_PHRASES
    phrase_source = (dice(count, bars).gather(1, phrase) * (bars // length)).long()
    changes &= chosen.unsqueeze(1)
    source = torch.where(changes, phrase_source * length + bar % length, bar)
    own = torch.arange(count, device=device).unsqueeze(1)
    other = torch.randperm(count, device=device, generator=generator).unsqueeze(1)
    row = torch.where(changes & foreign, other, own)
    return values.unflatten(1, (bars, BAR))[row, source].flatten(1, 2)


def _edit(values: Tensor, chosen: Tensor, generator: torch.Generator) -> Tensor:
    places = values.shape[:3]
    dice = torch.rand(places, device=values.device, generator=generator)
    chosen = chosen[:, None, None]
    hits = values[..., 0] > 0
    values = values.masked_fill((chosen & hits & (dice < EDITED_HITS)).unsqueeze(-1), 0)
    if values.shape[3] == 1:  # velocity and timing of a new hit are unknown
        come = chosen & ~hits & (dice < EDITED_PLACES)
        values = torch.where(come.unsqueeze(-1), torch.ones_like(values), values)
    return values


def _make_swap_table() -> Tensor:
    table = torch.arange(DRUMS).repeat(len(SWAPS) + 1, 1)
    for row, swap in enumerate(SWAPS, 1):
        for place, source in swap.items():
            table[row, place] = source
    return table


_SWAP_TABLE = _make_swap_table()
