"""Whether a part's settings are typed, explained, and refuse what they do not know."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from aeplug.checks.outcome import CheckMismatch, CheckWarning, describe_failure, expect
from aeplug.checks.subject import Subject
from aeplug.config import PartConfig, config_of, resolve
from aeplug.errors import ConfigError

UNKNOWN = "no_such_setting"


def check_settings(subject: Subject) -> str:
    """Every section of the task's settings is checked, and the program refuses unknown keys."""
    count = 0
    for section, chosen in subject.config.sections.items():
        count += check_config(f"the part '{chosen.name or section}'", chosen.factory)
        layer = {**subject.layer, f"{section}.{UNKNOWN}": 1}
        try:
            resolve(subject.spec, subject.plugins, layer)
        except ConfigError:
            continue
        raise CheckMismatch(f"--set {section}.{UNKNOWN}=1 to be refused", "that it was taken")
    return f"{count} settings"


def check_config(what: str, factory: Any) -> int:
    """The ``Config`` of a part's factory; returns how many settings it has."""
    config = config_of(factory)
    expect(
        isinstance(config, type) and issubclass(config, PartConfig),
        f"the Config of {what} to be a subclass of aeplug.config.PartConfig",
        f"{config!r:.80}",
    )
    try:
        defaults = config()
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise CheckMismatch(
            f"every setting of {what} to have a default within its own limits",
            f"{key}: {first['msg']}",
        ) from error
    try:
        config(**{UNKNOWN: 1})
    except ValidationError:
        pass
    else:
        raise CheckMismatch(
            f"the Config of {what} to refuse a setting that it does not know",
            f"that {UNKNOWN}=1 was taken (its model_config overrides 'extra')",
        )
    _check_written(what, config, defaults)
    bare = [name for name, field in config.model_fields.items() if not field.description]
    if bare:
        raise CheckWarning(
            f"every setting of {what} to be explained: setting(default, 'what it is', unit=...)",
            f"no text for {', '.join(bare)}",
        )
    return len(config.model_fields)


def _check_written(what: str, config: type[PartConfig], defaults: PartConfig) -> None:
    try:
        again = config(**json.loads(json.dumps(defaults.model_dump(mode="json"))))
    except Exception as error:  # pydantic has many for a type that it cannot write
        raise CheckMismatch(
            f"the settings of {what} to be written as JSON and read again", describe_failure(error)
        ) from error
    expect(
        again == defaults,
        f"the settings of {what} to be the same after being written as JSON and read",
        f"{again!r:.80}",
    )
