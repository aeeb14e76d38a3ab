"""Errors a user sees: one clear line that says what was wrong and what was expected."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "AeplugError",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "FileError",
    "PluginError",
    "TrainingError",
    "format_count",
    "list_choices",
    "nearest",
    "shortened",
]


class AeplugError(Exception):
    """Base of every error shown to a user as one line, without a traceback."""


class PluginError(AeplugError):
    """A plug-in, or a part or task asked for by name, is missing, broken or ambiguous."""


class ConfigError(AeplugError):
    """A setting has an unknown name or a value outside its range."""


class DataError(AeplugError):
    """A data set is missing, damaged or not what the task expects."""


class FileError(AeplugError):
    """One input file cannot be read or one output file cannot be written."""


class CheckpointError(AeplugError):
    """A run or checkpoint is missing, damaged, or needs a plug-in that is not there."""


class TrainingError(AeplugError):
    """Training cannot go on (for instance every step gives a non-finite gradient)."""


def format_count(number: int, what: str) -> str:
    """A number of things in words.

    Example:
        >>> format_count(1, "step"), format_count(20_000, "step")
        ('1 step', '20,000 steps')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def shortened(name: str) -> str:
    """A name for a message: of one longer than most paths are, the beginning and the end.

    Example:
        >>> shortened("x" * 300 + ".npy")
        'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx ... xxxxxxxxxxxxxxxx.npy'
    """
    return name if len(name) <= 200 else f"{name[:60]} ... {name[-20:]}"


def nearest(name: str, choices: Iterable[str], prefix: str = "") -> str:
    """Text to put behind an error: the choice nearest to a wrong name, or all where none is near.

    ``prefix`` stands before each choice where it is named, and does not count as likeness.

    Example:
        >>> nearest("mnits", ["mnist", "groove"]), nearest("cat", ["mnist", "groove"])
        ("Did you mean 'mnist'?", 'Expected one of groove, mnist.')
        >>> nearest("sise", ["size"], "latent.")
        "Did you mean 'latent.size'?"
    """
    known = sorted(set(choices))
    folded = {choice.lower(): choice for choice in known}
    close = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    if close:
        return f"Did you mean '{prefix}{folded[close[0]]}'?"
    return f"{list_choices(known, prefix)}." if known else "There are none."


def list_choices(choices: Iterable[str], prefix: str = "") -> str:
    """``Expected one of a, b``, of one alone ``Expected a``.

    Example:
        >>> list_choices(["mono", "stereo"]), list_choices(["mono"])
        ('Expected one of mono, stereo', 'Expected mono')
    """
    names = [f"{prefix}{choice}" for choice in choices]
    return f"Expected {'one of ' if len(names) > 1 else ''}{', '.join(names)}"
