"""A setting's value that does not fit, as one line in the words of the settings' lists."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import ValidationError

from aeplug.config.fields import PartConfig
from aeplug.config.words import type_in_words
from aeplug.errors import ConfigError, shortened

#: Limits of numbers and lists: pydantic's kind of error -> its name for the limit, and words.
_LIMITS = {
    "greater_than_equal": ("ge", "at least {}"),
    "greater_than": ("gt", "more than {}"),
    "less_than_equal": ("le", "at most {}"),
    "less_than": ("lt", "less than {}"),
    "too_short": ("min_length", "at least {} of them"),
    "too_long": ("max_length", "at most {} of them"),
    "finite_number": ("", "a finite number"),
    "literal_error": ("expected", "{}"),
}


def describe_invalid(section: str, config: type[PartConfig], error: ValidationError) -> str:
    """The first value that a part's config refuses, and what was expected.

    Example:
        >>> from pydantic import ValidationError
        >>> from aeplug.config import TrainConfig
        >>> try:
        ...     TrainConfig(lr="fast")
        ... except ValidationError as error:
        ...     describe_invalid("train", TrainConfig, error)
        'train.lr=fast: expected a number'
    """
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    key, value = ".".join([section, *place]), first["input"]
    limit, words = _LIMITS.get(first["type"], ("", ""))
    if first["type"] == "value_error":
        # What a config's own check says; it may name the value, which stands before it already.
        said = first["msg"].removeprefix("Value error, ").removesuffix(f", got {value!r}")
    elif words:
        said = f"expected {words.format(first.get('ctx', {}).get(limit, ''))}"
    elif len(place) == 1 and place[0] in config.model_fields:
        said = f"expected {_kind(config, place[0])}"
    else:
        said = first["msg"].replace("Input should be", "expected", 1)
    return " ".join(f"{key}={_as_typed(value)}: {said}".split())


def refuse_truth_values(section: str, config: type[PartConfig], values: Mapping[str, Any]) -> None:
    """Refuse true and false where a number is expected: Python takes them for 1 and 0.

    Raises:
        ConfigError: there is one.
    """
    for name, value in values.items():
        items = value if isinstance(value, (list, tuple)) else [value]
        is_truth = any(isinstance(item, bool) for item in items)
        if is_truth and not _admits_truth(config.model_fields[name].annotation):
            kind = _kind(config, name)
            raise ConfigError(f"{section}.{name}={_as_typed(value)}: expected {kind}")


def _admits_truth(annotation: Any) -> bool:
    if annotation in (bool, Any) or isinstance(annotation, bool):
        return True
    return any(_admits_truth(argument) for argument in get_args(annotation))


def _kind(config: type[PartConfig], name: str) -> str:
    words = type_in_words(config.model_fields[name].annotation)
    plain = words.startswith(("true", "text", "one of"))
    return words if plain else f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _as_typed(value: Any) -> str:
    """A value as it is written behind ``--set KEY=``."""
    if isinstance(value, str):
        return shortened(value if value.isprintable() else repr(value))
    if value is None or isinstance(value, (bool, list, dict)):
        return shortened(json.dumps(value, default=str))
    return shortened(repr(value))
