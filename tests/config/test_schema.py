"""A config told as a list of settings: what a user reads before typing ``--set``."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import pytest
from pydantic import Field

from aeplug.config import PartConfig, TrainConfig, parse_assignments, resolve, setting
from aeplug.config.schedules import Schedule
from aeplug.config.schema import Setting, settings_of, settings_of_task, type_in_words


class Sizes(PartConfig):
    main = "width"

    width: int = setting(8, "units  of\n a layer", unit="units", ge=1, le=64)
    share: float = setting(0.5, "share", ge=0, lt=1)
    rate: float = setting(1e-3, "rate", gt=0)
    seed: int = setting(0, "seed", ge=0, lt=2**63)
    layers: tuple[int, ...] = setting((8, 16), "layers", min_length=1)
    pair: tuple[float, float] = setting((0.0, 1.0), "range")
    levels: tuple[Annotated[int, Field(ge=2)], ...] = setting((3,), "levels")
    kind: Literal["a", "b"] = setting("a", "kind")
    beta: Schedule = setting("linear(0, 1, 0.2)", "beta")
    top: int | None = setting(None, "top")
    names: dict[str, int] = setting({}, "names")
    on: bool = setting(False, "on")
    plain: str = ""


def described(name: str) -> Setting:
    return {one.name: one for one in settings_of(Sizes)}[name]


@pytest.mark.parametrize(
    ("name", "kind", "limits", "default"),
    [
        ("width", "integer", "1 to 64", 8),
        ("share", "number", ">= 0, < 1", 0.5),
        ("rate", "number", "> 0", 1e-3),
        ("seed", "integer", ">= 0, < 9.223e+18", 0),
        ("layers", "list of integers", "at least 1 of them", [8, 16]),
        ("pair", "list of 2 numbers", "", [0.0, 1.0]),
        ("levels", "list of integers", ">= 2", [3]),
        ("kind", "one of a, b", "", "a"),
        ("beta", "number or schedule", "", "linear(0, 1, 0.2)"),
        ("top", "integer or null", "", None),
        ("names", "object of texts to integers", "", {}),
        ("on", "true or false", "", False),
        ("plain", "text", "", ""),
    ],
)
def test_type_range_and_default_in_words(name, kind, limits, default):
    found = described(name)
    assert (found.type, found.range, found.default) == (kind, limits, default)


def test_unit_help_choices_and_main():
    assert (described("width").unit, described("width").help) == ("units", "units of a layer")
    assert described("width").main and not described("share").main
    assert described("kind").choices == ("a", "b")


def test_as_json_only_what_there_is():
    text = json.dumps([one.as_dict() for one in settings_of(Sizes)])
    found = {one["name"]: one for one in json.loads(text)}
    assert found["width"] == {
        "name": "width",
        "type": "integer",
        "default": 8,
        "unit": "units",
        "minimum": 1,
        "maximum": 64,
        "help": "units of a layer",
        "main": True,
    }
    assert found["on"]["default"] is False and found["plain"]["default"] == ""
    assert found["share"]["maximum_excluded"] is True and "minimum_excluded" not in found["share"]


def test_type_of_a_plug_ins_own_is_called_by_its_name():
    class Noise:
        pass

    assert type_in_words(Noise) == "Noise"
    assert type_in_words(tuple[Noise, ...]) == "list of Noise"
    assert type_in_words(tuple[Literal["x", "y"], ...]) == "list of any of x, y"


def test_every_setting_of_every_part_has_help_and_its_default_can_be_set(plugins):
    """What is shown as KEY=VALUE is what ``--set`` takes."""
    from aeplug.cli.reports import as_typed

    for task in plugins.specs("task"):
        config = resolve(task, plugins)
        typed = []
        for section, settings in settings_of_task(config).items():
            for one in settings:
                if task.name != "tiny" and task.name != "tiny-vae":
                    assert one.help, f"{section}.{one.name} of {task.name}"
                typed.append(f"{section}.{one.name}={as_typed(one.default)}")
        again = resolve(task, plugins, parse_assignments(typed))
        assert again.as_dict() == config.as_dict()


def test_defaults_are_the_tasks_own(plugins):
    found = settings_of_task(resolve(plugins.task("tiny-vae"), plugins))
    values = {one.name: one.default for one in found["train"]}
    assert values["batch_size"] == 16 != TrainConfig().batch_size
    assert values["warmup"] == TrainConfig().warmup
