"""What was meant by a mistyped command or option; options may turn out to be settings."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

import click

from aeplug.errors import AeplugError, nearest
from aeplug.plugins import active

#: What users of other programs type -> the command that does it here.
OTHER_WORDS: Mapping[str, str] = {
    "help": "--help",
    "list": "tasks",
    "ls": "tasks",
    "models": "tasks",
    "fit": "train",
    "test": "evaluate",
    "generate": "sample",
    "predict": "reconstruct",
    "encode": "embed",
    "version": "--version",
}
#: The same for options.
OTHER_OPTIONS: Mapping[str, str] = {
    "number": "count",
    "num": "count",
    "gpu": "device",
    "learning-rate": "lr",
    "output-dir": "out",
    "force": "overwrite",
}


def suggest_command(name: str, commands: Iterable[str]) -> str:
    """Text to put behind the error that no command has this name."""
    if name in OTHER_WORDS:
        return f"Did you mean 'aeplug {OTHER_WORDS[name]}'?"
    return nearest(name, commands)


def explain_option(error: click.NoSuchOption, arguments: Sequence[str]) -> str:
    """The error about an unknown option, with what was meant by it as far as that is clear.

    Args:
        error: as click raises it.
        arguments: the whole command line; a task named in it has settings.
    """
    typed = error.option_name.lstrip("-").replace("_", "-").lower()
    typed = OTHER_OPTIONS.get(typed, typed)
    context = error.ctx
    parameters = context.command.get_params(context) if context else []
    options = {text.lstrip("-"): text for p in parameters for text in (*p.opts, *p.secondary_opts)}
    message = f"no option is called '{error.option_name}'."
    best = _closest(typed, options)
    if best and (best == typed or _is_prefix(best, typed)):
        return f"{message} Did you mean '{options[best]}'?"
    if "set" in options:
        setting = _setting(typed, arguments)
        if setting:
            return f"{message} It is a setting: --set {setting}=VALUE"
    return f"{message} Did you mean '{options[best]}'?" if best else message


def _closest(typed: str, names: Iterable[str]) -> str:
    """The name that ``typed`` begins or that begins it, else the most alike; or empty."""
    known = [name for name in names if len(name) > 1]
    related = [name for name in known if _is_prefix(name, typed)]
    close = related or difflib.get_close_matches(typed, known, n=1, cutoff=0.6)
    return close[0] if close else ""


def _is_prefix(a: str, b: str) -> bool:
    return min(len(a), len(b)) > 2 and (a.startswith(b) or b.startswith(a))


def _setting(typed: str, arguments: Sequence[str]) -> str:
    """The dotted key of a setting, of training or of a task that is named; or empty."""
    from aeplug.config import SECTIONS, TrainConfig

    if typed in SECTIONS:
        return typed
    keys = [f"train.{name}" for name in TrainConfig.model_fields]
    exact = _find_key(typed, keys)
    if not exact:
        keys += _keys_of_task(arguments)
        exact = _find_key(typed, keys)
    if exact:
        return exact
    names = {key.partition(".")[2].replace("_", "-"): key for key in reversed(keys)}
    close = difflib.get_close_matches(typed, names, n=1, cutoff=0.8)
    return names[close[0]] if close else ""


def _find_key(typed: str, keys: Iterable[str]) -> str:
    for key in keys:
        section, _, field = key.replace("_", "-").partition(".")
        if typed in (field, f"{section}.{field}", f"{section}-{field}"):
            return key
    return ""


def _keys_of_task(arguments: Sequence[str]) -> list[str]:
    """Settings of the parts of the first task that is named; brings torch."""
    from aeplug.config import resolve
    from aeplug.config.schema import settings_of_task

    names = {spec.name for spec in active().specs("task")}
    for word in arguments:
        if word not in names:
            continue
        try:
            sections = settings_of_task(resolve(active().task(word), active()))
        except (AeplugError, ImportError):
            return []
        return [f"{section}.{s.name}" for section, each in sections.items() for s in each]
    return []
