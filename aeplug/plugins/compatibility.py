"""What a checkpoint needs of plug-ins, and what to install where those here are others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aeplug.plugins import Plugin, Plugins


@dataclass(frozen=True)
class Difference:
    """A plug-in that is not what a checkpoint was written with.

    Attributes:
        kind: ``missing``, ``older`` or ``newer`` than the checkpoint's, or ``other`` where
            versions are in no order.
        text: what differs, and what to install, in one line.
    """

    kind: str
    text: str


def differences(header: Mapping[str, Any], plugins: Plugins) -> list[Difference]:
    """How the plug-ins here differ from those that a checkpoint's header names.

    Args:
        header: with ``plugins``, name -> origin (``"aeplug-sensors 1.2"``, or a file's path).
        plugins: those of this process.
    """
    found = []
    for name, origin in header.get("plugins", {}).items():
        here = [plugin for plugin in plugins.collect() if plugin.name == name]
        used = [plugin for plugin in here if plugin.status == "ok"]
        distribution, version = _parted(str(origin))
        if not used:
            found.append(Difference("missing", _missing(name, origin, distribution, version, here)))
            continue
        own_distribution, own = _parted(used[0].origin)
        if not version or not own:
            continue
        kind = _order(own, version) if own_distribution == distribution else "other"
        if kind == "same":
            continue
        advice = f"pip install '{distribution}{'>=' if kind == 'older' else '=='}{version}'"
        article = f"the {kind} " if kind != "other" else ""
        found.append(
            Difference(
                kind,
                f"plug-in '{name}' was {distribution} {version} when it was written, "
                f"here it is {article}{own_distribution} {own}: {advice}",
            )
        )
    return found


def _missing(name: str, origin: str, distribution: str, version: str, here: list[Plugin]) -> str:
    needed = f"it needs the plug-in '{name}' ({origin}), which is"
    if here:
        return f"{needed} {here[0].status} here: {here[0].reason}"
    if not version:
        return f"{needed} not loaded: name the folder of its file by --plugins-dir"
    return (
        f"{needed} not loaded: pip install '{distribution}=={version}', "
        f"or name its folder by --plugins-dir"
    )


def _parted(origin: str) -> tuple[str, str]:
    """``"aeplug-sensors 1.2"`` as distribution and version; a file's path has no version."""
    distribution, _, version = origin.rpartition(" ")
    if distribution and re.fullmatch(r"v?\d[\w.+!-]*", version) and not origin.endswith(".py"):
        return distribution, version
    return origin, ""


def _order(own: str, written: str) -> str:
    """Whether the version here is the ``same`` as, ``older`` or ``newer`` than a checkpoint's.

    By the numbers they begin with; versions that differ only behind them are ``other``.
    """
    (here, own_rest), (there, written_rest) = _parsed(own), _parsed(written)
    if here == there:
        return "same" if own_rest == written_rest else "other"
    return "older" if here < there else "newer"


def _parsed(version: str) -> tuple[tuple[int, ...], str]:
    """``(1, 10), "rc1"`` of ``1.10.0rc1``: zeros at the end of the numbers say nothing."""
    ((text, rest),) = re.findall(r"^v?(\d+(?:\.\d+)*)(.*)$", version)
    numbers = [int(number) for number in text.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers), rest
