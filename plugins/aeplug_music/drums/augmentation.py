"""Augmentation of drums: other beats, other bars, other forms, other limbs, other drums and hits.

Drawn afresh for every window and epoch, on the device, for all windows at once. What comes out is
a window of its own, input and target alike: nothing is corrupted, the set is only made wider. It
works on hits alone and on hits with velocity and timing: values of a drum stay together.
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

#: What goes together from one window to another.
FEET_AND_SNARE = (KICK, SNARE)
#: Drums that take each other's part: place of what each class gets.
SWAPS = (
    {CLOSED_HAT: RIDE, RIDE: CLOSED_HAT},
    {OPEN_HAT: CRASH, CRASH: OPEN_HAT},
    {LOW_TOM: MID_TOM, MID_TOM: HIGH_TOM, HIGH_TOM: LOW_TOM},
    {CLOSED_HAT: LOW_TOM, LOW_TOM: CLOSED_HAT},
    {SNARE: HIGH_TOM, HIGH_TOM: SNARE},
)
#: Phrases of which a window is laid anew, in bars; a share of them gives way to another, which is
#: another window's in a share of the cases.
PHRASES = (1, 2, 4)
REARRANGED_PHRASES, FOREIGN_PHRASES = 0.4, 0.4
#: Share of the hits that go, and of the free places that are hit, in a window that is edited.
EDITED_HITS, EDITED_PLACES = 0.06, 0.012


@dataclass(frozen=True)
class Chances:
    """How often each augmentation is applied; probabilities of a window.

    Attributes:
        rotated: begins on another beat, and what was before it comes last.
        recombined: goes on after one of its bars with another window.
        rearranged: some of its phrases give way to others of its own or of another window.
        mixed: kick and snare stay, cymbals and toms are another window's.
        dropped: a drum falls silent.
        swapped: drums take each other's part (closed hi-hat and ride ...).
        edited: some hits go and, of hits alone, some come.
    """

    rotated: float
    recombined: float
    rearranged: float
    mixed: float
    dropped: float
    swapped: float
    edited: float


def augment(values: Tensor, chances: Chances, generator: torch.Generator) -> Tensor:
    """Windows ``(B, T, 9, C)`` under the augmentations that their dice give.

    Args:
        values: of each drum at each step, 0 where there is no hit; the first says the hit.
        chances: probabilities.
        generator: source of randomness on the values' device.
    """
    count, steps = values.shape[:2]
    device = values.device

    def happens(probability: float) -> Tensor:
        return torch.rand(count, device=device, generator=generator) < probability

    def integers(high: int) -> Tensor:
        return torch.randint(high, (count,), device=device, generator=generator)

    def shuffled() -> Tensor:
        return values[torch.randperm(count, device=device, generator=generator)]

    if chances.mixed:
        keeps = torch.tensor([drum in FEET_AND_SNARE for drum in range(DRUMS)], device=device)
        use = happens(chances.mixed).unsqueeze(1) & ~keeps  # (B, 9)
        values = torch.where(use[:, None, :, None], shuffled(), values)
    bars = steps // BAR
    if chances.recombined and bars > 1:
        edge = (1 + integers(bars - 1)) * BAR
        later = torch.arange(steps, device=device) >= edge.unsqueeze(1)
        use = later & happens(chances.recombined).unsqueeze(1)
        values = torch.where(use[:, :, None, None], shuffled(), values)
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
    """Chosen windows with some phrases, each window's of one length, in place of others.

    What a few hundred performances hold of stretches of sixteen bars is little, of bars much.
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
    if values.shape[3] == 1:  # of a new hit neither velocity nor timing is known
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
