"""Where a task's model is trusted: the bounds beyond which a file stays as it is; no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class GuardSpec:
    """Where a model is trusted: what is too far from a file's own piece is passed through.

    Distances are those of the task's codec (:class:`aeplug.interfaces.ComparableCodec`), 0..1. A
    piece with nothing in it is passed through in any case.

    Example:
        >>> GuardSpec(reconstruct=0.02, vary=0.2, pieces="windows").vary
        0.2

    Attributes:
        reconstruct: a piece whose reconstruction is further away than this stays as it is in
            ``reconstruct``; None: no piece does.
        vary: the same for verbs that change a piece: ``vary``, ``interpolate``, ``attribute``.
        pieces: what a piece is called, in the plural.
        not_under: options of the task under which what a model makes is meant to differ from the
            file, by name with hyphens, and their values: there both bounds are None.
    """

    reconstruct: float | None = None
    vary: float | None = None
    pieces: str = "pieces"
    not_under: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
