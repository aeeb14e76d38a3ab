"""What is known of one plug-in: who brought it, whether it is used, and what it brings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: Status of plug-ins whose parts and commands are known.
LISTED = ("ok", "incomplete")


@dataclass
class Plugin:
    """One plug-in, loaded or not.

    Attributes:
        name: its entry point's name, or its file's stem.
        origin: distribution and version, or the file's path.
        version: of the distribution; empty for a single file.
        status: ``ok``, ``incomplete`` (a library that it needs is missing), ``blocked`` or
            ``broken``.
        reason: why it is not ok, in one line.
        seconds: how long its import took.
        hooks: names of the hooks it implements.
        provides: names of what it brings, by kind.
        notes: what is to be mended in it though it is used (slow, deprecated, prints ...).
        summary: the first line of its docstring.
        location: the file it was imported from; of one that raised, with the line.
        hook_version: the one it says it needs; None where it says nothing.
        requires: libraries it says it needs, name of the module -> what pip installs.

    Example:
        >>> active().named("image").provides["task"][:3]
        ['mnist', 'mnist-30', 'mnist-shape']
    """

    name: str
    origin: str
    version: str = ""
    status: str = "ok"
    reason: str = ""
    seconds: float = 0.0
    hooks: list[str] = field(default_factory=list)
    provides: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    summary: str = ""
    location: str = ""
    hook_version: int | None = None
    requires: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The plug-in as JSON-ready values, for ``aeplug plugins --json``."""
        return {**self.__dict__, "seconds": round(self.seconds, 4)}
