"""The option of ``evaluate`` that tasks of restoration share; apart, since it needs no torch."""

from __future__ import annotations

from aeplug import OptionSpec

__all__ = ["SHEET"]

SHEET = OptionSpec(
    "sheet",
    "str",
    None,
    "also draw the first photographs before, after and in truth into this PNG",
    verbs=("evaluate",),
)
