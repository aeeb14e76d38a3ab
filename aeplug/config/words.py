"""Types of settings in words, for lists of them and for errors."""

from __future__ import annotations

import types
import typing
from typing import Annotated, Any, Literal, get_args, get_origin

from aeplug.config.schedules import Schedule

_PLURALS = {
    bool: ("true or false", "true or false values"),
    int: ("integer", "integers"),
    float: ("number", "numbers"),
    str: ("text", "texts"),
    Schedule: ("number or schedule", "numbers or schedules"),
}


def type_in_words(annotation: Any, plural: bool = False) -> str:
    """``tuple[int, ...]`` as ``list of integers``; a type of a plug-in's own by its name."""
    if annotation in _PLURALS:
        return _PLURALS[annotation][plural]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_in_words(arguments[0], plural)
    if origin is Literal:
        return ("any of " if plural else "one of ") + ", ".join(map(str, arguments))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(
            "null" if argument is type(None) else type_in_words(argument, plural)
            for argument in arguments
        )
    if origin in (tuple, list, set, frozenset) and arguments:
        kinds = dict.fromkeys(argument for argument in arguments if argument is not Ellipsis)
        inner = " and ".join(type_in_words(argument, True) for argument in kinds)
        fixed = origin is tuple and Ellipsis not in arguments
        return f"list of {f'{len(arguments)} ' if fixed else ''}{inner}"
    if origin is dict and len(arguments) == 2:
        names, of = (type_in_words(argument, True) for argument in arguments)
        return f"object of {names} to {of}"
    return str(getattr(annotation, "__name__", annotation))
