"""The kinds of plug-ins that can be written, and how one goes on with each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Kind:
    """One kind.

    Attributes:
        summary: of the project that is written; ``$name`` stands for its name.
        has_parts: it has a module of parts beside its hooks.
        try_it: a command that shows it at work; ``$name`` is its name.
    """

    summary: str
    has_parts: bool
    try_it: str


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "image": Kind("A variational autoencoder of pictures", True, "train $name"),
        "sequence": Kind("A variational autoencoder of sequences", True, "train $name"),
        "parts": Kind(
            "A loss and a decoder of pictures",
            True,
            "train mnist --set loss=$name --set decoder=$name --steps 200",
        ),
        "observer": Kind(
            "Every run's figures as a table",
            False,
            "train mnist-vae --steps 200 --set train.eval_every=50",
        ),
    }
)
