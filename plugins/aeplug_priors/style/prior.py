"""A prior of one style: a small variational autoencoder over a trained model's latents.

Of a few files a large model learns nothing; a few numbers between latent and latent do (MidiMe:
Dinculescu, Engel & Roberts, 2019). It starts as the model's own prior, N(0, 1), and moves from
there only as far as the files bear out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from aeplug.priors import number_classes

#: Width of the hidden layers.
WIDTH = 128
#: Least standard deviation of a latent around what the style says.
NARROWEST = 0.05
_NET, _CLASSES, _COUNTS = "net.", "classes", "counts"


class StyleNet(nn.Module):
    """Latents ``(B, D)`` through ``(B, K)`` numbers, given classes.

    Args:
        size: D.
        inner: K.
        conditions: condition's name -> number of classes; one of which there was no file is
            treated as their mean.
    """

    def __init__(self, size: int, inner: int, conditions: Mapping[str, int]) -> None:
        super().__init__()
        self.conditions = dict(conditions)
        self.encode = nn.Sequential(
            nn.Linear(size, WIDTH), nn.GELU(), nn.Dropout(0.1), nn.Linear(WIDTH, 2 * inner)
        )
        self.decode = nn.Sequential(nn.Linear(inner, WIDTH), nn.GELU(), nn.Linear(WIDTH, size))
        self.middle = nn.Parameter(torch.zeros(size))
        self.deviation = nn.Parameter(torch.zeros(size))
        self.classes = nn.Embedding(max(math.prod(conditions.values()), 1), size)
        nn.init.zeros_(self.classes.weight)
        last = self.decode[-1]
        assert isinstance(last, nn.Linear)
        nn.init.normal_(last.weight, std=0.01)
        nn.init.zeros_(last.bias)

    def forward(self, inner: Tensor, cond: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """``(B, K)`` -> mean and standard deviation of the latent, ``(B, D)`` and ``(D,)``."""
        mean = self.middle + self.decode(inner)
        if self.conditions and set(self.conditions) <= set(cond):
            mean = mean + self.classes(number_classes(self.conditions, cond))
        return mean, self.deviation.exp().clamp(min=NARROWEST)

    def bound(
        self, z: Tensor, cond: Mapping[str, Tensor], generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Log-likelihood given a draw, and KL, nats, ``(B,)`` each: their difference is the ELBO.

        Without a generator the draw is the middle.
        """
        mean, logvar = self.encode(z).chunk(2, dim=1)
        logvar = logvar.clamp(-8, 4)
        inner = mean
        if generator is not None:
            noise = torch.empty_like(mean).normal_(generator=generator)
            inner = mean + noise * torch.exp(0.5 * logvar)
        middle, deviation = self(inner, cond)
        scaled = (z - middle) / deviation
        constant = deviation.log().sum() + 0.5 * z.shape[1] * math.log(2 * math.pi)
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum(1)
        return -0.5 * scaled.square().sum(1) - constant, kl


@dataclass(frozen=True)
class StylePrior:
    """Where latents of a style lie.

    Attributes:
        net: in evaluation mode.
        combinations: classes of the conditions, in their order, that pieces of the style have,
            int64 ``(n, conditions)``.
        counts: how many pieces have them, int64 ``(n,)``.
        facts: what it was fitted to and how well, JSON-ready.
    """

    net: StyleNet
    combinations: Tensor
    counts: Tensor
    facts: Mapping[str, Any]

    kind = "style"

    @property
    def size(self) -> int:
        """D."""
        return len(self.net.middle)

    @property
    def conditions(self) -> Mapping[str, int]:
        """Condition's name -> number of classes."""
        return self.net.conditions

    @property
    def inner(self) -> int:
        """K."""
        first = self.net.decode[0]
        assert isinstance(first, nn.Linear)
        return first.in_features

    @property
    def entry(self) -> dict[str, Any]:
        """See :class:`aeplug.interfaces.StoredPrior`, as is :meth:`tensors`."""
        known = {"size": self.size, "inner": self.inner, "conditions": dict(self.conditions)}
        return {**known, **self.facts}

    def tensors(self) -> dict[str, Tensor]:
        """Its weights, and the classes of its pieces."""
        state = {_NET + name: weight for name, weight in self.net.state_dict().items()}
        return {**state, _CLASSES: self.combinations, _COUNTS: self.counts}

    @torch.no_grad()
    def sample(
        self,
        count: int,
        scale: float,
        generator: torch.Generator | None,
        cond: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """``count`` draws, ``(count, D)``; see :class:`aeplug.interfaces.Prior`."""
        device = self.net.middle.device
        inner = torch.empty(count, self.inner, device=device).normal_(generator=generator)
        mean, deviation = self.net(scale * inner, cond or {})
        noise = torch.empty(count, self.size, device=device).normal_(generator=generator)
        return mean + scale * deviation * noise

    def draw_classes(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Classes that pieces of the style have, drawn as often: int64 ``(count,)`` each."""
        if not self.conditions:
            return {}
        # One uniform number each, so that the first are the same however many follow.
        edges = (self.counts.cumsum(0).double() / self.counts.sum()).float()
        drawn = torch.rand(count, device=edges.device, generator=generator)
        chosen = torch.searchsorted(edges, drawn).clamp(max=len(edges) - 1)
        return {
            name: self.combinations[chosen, column] for column, name in enumerate(self.conditions)
        }


def restore_style(entry: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> StylePrior:
    """The prior of what :attr:`StylePrior.entry` and :meth:`StylePrior.tensors` gave.

    Raises:
        KeyError, TypeError, RuntimeError: the two do not fit each other.
    """
    net = StyleNet(entry["size"], entry["inner"], dict(entry["conditions"]))
    net.load_state_dict(
        {
            name.removeprefix(_NET): tensor
            for name, tensor in tensors.items()
            if name.startswith(_NET)
        }
    )
    net.to(tensors[_COUNTS].device).eval().requires_grad_(False)
    known = ("kind", "size", "inner", "conditions")
    facts = {name: value for name, value in entry.items() if name not in known}
    return StylePrior(net, tensors[_CLASSES], tensors[_COUNTS], facts)
