"""A part's config as a list of its settings: type, default, unit and range, for lists and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from aeplug.config import PartConfig, TaskConfig, config_of
from aeplug.config.words import type_in_words
from aeplug.plugins import explain_missing_library


@dataclass(frozen=True)
class Setting:
    """One setting, JSON-ready.

    Attributes:
        name: what stands behind the section's dot in ``--set SECTION.NAME=VALUE``.
        type: of its value, in words.
        default: its value where it is not set.
        unit: of its value; empty where it has none.
        minimum, maximum: the range's ends, included unless ``..._excluded``.
        choices: all its values, where they are few and named.
        help: one line.
        main: ``--set SECTION=VALUE`` stands for it.
    """

    name: str
    type: str
    default: Any
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    minimum_excluded: bool = False
    maximum_excluded: bool = False
    least_items: int | None = None
    most_items: int | None = None
    choices: tuple[Any, ...] = ()
    help: str = ""
    main: bool = False

    def as_dict(self) -> dict[str, Any]:
        """What is known of it; limits and choices that it has not are left out."""
        always = ("name", "type", "default", "unit", "help")
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in vars(self).items()
            if name in always or value not in (None, False, ())
        }

    @property
    def range(self) -> str:
        """The limits in words: ``1 to 8``, ``> 0``, ``>= 0, < 1``; empty where there are none."""
        low, high = self.minimum, self.maximum
        included = not (self.minimum_excluded or self.maximum_excluded)
        if low is not None and high is not None and included:
            return f"{_number(low)} to {_number(high)}"
        ends = []
        if low is not None:
            ends.append(f"{'>' if self.minimum_excluded else '>='} {_number(low)}")
        if high is not None:
            ends.append(f"{'<' if self.maximum_excluded else '<='} {_number(high)}")
        if self.least_items:
            ends.append(f"at least {self.least_items} of them")
        if self.most_items is not None:
            ends.append(f"at most {self.most_items} of them")
        return ", ".join(ends)


def settings_of(config: type[PartConfig] | PartConfig) -> list[Setting]:
    """Settings of a part's ``Config`` with its defaults, or of a config with its values."""
    kind = config if isinstance(config, type) else type(config)
    values = (config() if isinstance(config, type) else config).model_dump(mode="json")
    return [
        _setting(name, field, values[name], name == kind.main)
        for name, field in kind.model_fields.items()
    ]


def settings_of_task(config: TaskConfig) -> dict[str, list[Setting]]:
    """Settings of every section of a task, with the task's own defaults."""
    return {role: settings_of(section.config) for role, section in config.sections.items()}


def describe_settings(spec: Any) -> dict[str, Any]:
    """Settings of a part that a plug-in describes; imports it.

    Returns:
        ``factory``; of a codec ``suffixes`` and ``options``, of a prior ``unit`` and ``options``;
        and of all but priors ``settings``, or ``error``: why there are none to be had. An error
        is no exception: the other parts are listed all the same.
    """
    brought = spec.options if spec.kind in ("codec", "prior") else ()
    options = [{**vars(option), "verbs": list(option.verbs)} for option in brought]
    if spec.kind == "prior":
        return {"factory": spec.fit, "unit": spec.unit, "options": options}
    described: dict[str, Any] = {"factory": spec.factory}
    if spec.kind == "codec":
        described.update(suffixes=list(spec.suffixes), options=options)
    try:
        described["settings"] = settings_of(config_of(spec.load()))
    except (Exception, SystemExit) as error:  # whatever a plug-in's module may raise
        lacks = explain_missing_library(error)
        reason = lacks or " ".join(f"{type(error).__name__}: {error}".split())
        described["error"] = f"cannot be loaded: {reason}"
    return described


def _setting(name: str, field: FieldInfo, default: Any, main: bool) -> Setting:
    known: dict[str, Any] = {}
    metadata = list(field.metadata)
    for argument in get_args(field.annotation):
        # Limits of a list's items: tuple[Annotated[int, Ge(1)], ...].
        if get_origin(argument) is Annotated:
            for limit in get_args(argument)[1:]:
                metadata += limit.metadata if isinstance(limit, FieldInfo) else [limit]
    for limit in metadata:
        for attribute, end in (("ge", "minimum"), ("gt", "minimum"), ("le", "maximum")):
            if getattr(limit, attribute, None) is not None:
                known[end] = getattr(limit, attribute)
                known["minimum_excluded"] = known.get("minimum_excluded") or attribute == "gt"
        if getattr(limit, "lt", None) is not None:
            known.update(maximum=limit.lt, maximum_excluded=True)
        if getattr(limit, "min_length", None):
            known["least_items"] = limit.min_length
        if getattr(limit, "max_length", None) is not None:
            known["most_items"] = limit.max_length
    extra = field.json_schema_extra
    unit = extra.get("unit", "") if isinstance(extra, dict) else ""
    annotation = field.annotation
    return Setting(
        name=name,
        type=type_in_words(annotation),
        default=default,
        unit=str(unit),
        choices=get_args(annotation) if get_origin(annotation) is Literal else (),
        help=" ".join((field.description or "").split()),
        main=main,
        **known,
    )


def _number(value: float) -> str:
    return str(value) if abs(value) < 1e6 else f"{value:.4g}"
