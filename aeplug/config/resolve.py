"""Typed settings of a task: parts' defaults, the task's own, a file, and ``--set``.

A setting is addressed by a dotted key, ``latent.size`` or ``train.lr``. ``--set loss=NAME``
chooses a part; ``--set latent=20`` is short for the part's main setting. Unknown keys and values
out of range are errors that name the nearest key and the expected type.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aeplug.config.fields import NAMED_ROLES, SECTIONS, PartConfig, TrainConfig, config_of
from aeplug.config.invalid import describe_invalid, refuse_truth_values
from aeplug.errors import ConfigError, PluginError, nearest
from aeplug.plugins import Plugins, explain_missing_library
from aeplug.plugins.specs import TaskSpec, load_attribute


@dataclass(frozen=True)
class Section:
    """One chosen part: its name (empty where the task fixes it), factory and settings."""

    name: str
    factory: Any
    config: PartConfig

    def as_dict(self) -> dict[str, Any]:
        """Name and settings, JSON-ready."""
        named = {"name": self.name} if self.name else {}
        return {**named, **self.config.model_dump(mode="json")}


@dataclass(frozen=True)
class TaskConfig:
    """A task's settings, resolved: every part chosen, every value checked.

    Example:
        >>> from aeplug.plugins import active
        >>> config = resolve(active().task("mnist-vae"), active(), {"train.lr": 3e-4})
        >>> config.train.lr, config.as_dict()["latent"]["name"]
        (0.0003, 'gaussian')
    """

    task: TaskSpec
    sections: Mapping[str, Section]

    @property
    def train(self) -> TrainConfig:
        """The section ``train``."""
        config = self.sections["train"].config
        assert isinstance(config, TrainConfig)
        return config

    def as_dict(self) -> dict[str, Any]:
        """All settings as nested JSON-ready values; :func:`resolve` accepts them again."""
        return {
            "task": self.task.name,
            **{role: section.as_dict() for role, section in self.sections.items()},
        }


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """What ``--set`` takes -> dotted keys and values.

    Values are read as JSON where they are JSON (numbers, true, lists), else as text.

    Raises:
        ConfigError: one has no ``=`` or no key.

    Example:
        >>> parse_assignments(["latent=20", "loss.beta=0.5", "encoder=mlp"])
        {'latent': 20, 'loss.beta': 0.5, 'encoder': 'mlp'}
    """
    settings: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {assignment}: expected KEY=VALUE, as in latent=20")
        try:
            value = json.loads(text)
        except ValueError:
            value = {"True": True, "False": False}.get(text, text)
        key = key.strip()
        whole = "." not in key
        if whole and key in settings and isinstance(settings[key], str) != isinstance(value, str):
            # `latent=gaussian latent=20`: the later would drop the choice of the part.
            raise ConfigError(f"--set {key} is given twice; write {key}.SETTING={text}")
        settings[key] = value
    return settings


def read_settings(path: Path) -> dict[str, Any]:
    """Settings from a JSON file: nested as in a run's ``config.json``, or dotted keys.

    Raises:
        ConfigError: the file is missing or not a JSON object.

    Example:
        >>> _ = Path("mine.json").write_text('{"latent": {"name": "gaussian", "size": 20}}')
        >>> read_settings(Path("mine.json"))
        {'latent': 'gaussian', 'latent.size': 20}
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: cannot be read: it is no text in UTF-8") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not JSON ({error})") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected a JSON object of settings")
    content = content.get("config", content)
    return flatten({key: value for key, value in content.items() if key != "task"})


def flatten(nested: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings as dotted keys; a section's ``name`` becomes the section's own value.

    Part names come first, so that settings of a chosen part follow the choice.

    Example:
        >>> flatten({"latent": {"size": 20, "name": "gaussian"}, "train.lr": 3e-4})
        {'latent': 'gaussian', 'latent.size': 20, 'train.lr': 0.0003}
    """
    names: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for key, value in nested.items():
        if key in SECTIONS and isinstance(value, Mapping):
            for inner, setting_value in value.items():
                if inner == "name":
                    names[key] = setting_value
                else:
                    values[f"{key}.{inner}"] = setting_value
        elif "." in key:
            values[key] = value
        else:
            names[key] = value
    return {**names, **values}


def resolve(
    task: TaskSpec, plugins: Plugins, *layers: Mapping[str, Any], defaults: bool = True
) -> TaskConfig:
    """All settings of a task: its defaults, then each layer of dotted keys over the last.

    Args:
        task: whose settings.
        plugins: where parts are looked up.
        *layers: dotted keys and values; later layers win.
        defaults: start from the task's own settings.

    Raises:
        ConfigError: an unknown key, a value of the wrong type or out of range.
        PluginError: a part that no plug-in brings.

    Example:
        >>> from aeplug.plugins import active
        >>> config = resolve(active().task("mnist-vae"), active(), {"latent": 20})
        >>> config.sections["latent"].config.size
        20
        >>> resolve(active().task("mnist-vae"), active(), {"latent.sise": 20})
        Traceback (most recent call last):
            ...
        aeplug.errors.ConfigError: no setting is called 'latent.sise'. Did you mean 'latent.size'?
    """
    chosen: dict[str, str] = {
        "data": task.dataset,
        "encoder": task.encoder,
        "latent": task.latent,
        "decoder": task.decoder,
        "loss": task.loss,
        "codec": task.codec,
    }
    values: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    all_layers = [task.settings, *layers] if defaults else list(layers)
    for layer in all_layers:
        _apply(task, plugins, layer, chosen, values)
    sections = {}
    for section in SECTIONS:
        factory = _factory(task, plugins, section, chosen.get(section, ""))
        config_type = TrainConfig if section == "train" else config_of(factory)
        if section == "data":
            _check_own_data(task, plugins, chosen["data"], config_type, values["data"])
        sections[section] = Section(
            chosen.get(section, ""), factory, _validate(section, config_type, values[section])
        )
    return TaskConfig(task, sections)


def _apply(
    task: TaskSpec,
    plugins: Plugins,
    layer: Mapping[str, Any],
    chosen: dict[str, str],
    values: dict[str, dict[str, Any]],
) -> None:
    # Choices first: settings of the part that is left behind go with it.
    for key, value in sorted(layer.items(), key=lambda item: "." in item[0]):
        section, dot, field = key.partition(".")
        if not dot and key not in SECTIONS:
            # `epochs=3` is unambiguous enough to be allowed for what every task has.
            if key in TrainConfig.model_fields:
                values["train"][key] = value
                continue
            raise ConfigError(f"no setting is called '{key}'. {_nearest_key(task, plugins, key)}")
        if section not in SECTIONS:
            raise ConfigError(f"no setting is called '{key}'. {nearest(section, SECTIONS)}")
        if dot:
            values[section][field] = value
            continue
        if section not in chosen:
            raise ConfigError(
                f"'{section}' is a group of settings; set one, as in {section}.KEY=VALUE"
            )
        main = config_of(_factory(task, plugins, section, chosen[section])).main
        if not isinstance(value, str) and main:
            values[section][main] = value
        elif isinstance(value, str):
            if value != chosen[section]:
                values[section] = {}
            chosen[section] = value
            _factory(task, plugins, section, value)
        else:
            raise ConfigError(f"'{section}' expects the name of a part, got {value!r}")


def _factory(task: TaskSpec, plugins: Plugins, section: str, name: str) -> Any:
    if section == "train":
        return None
    if section == "prepare":
        return load_attribute(task.prepare)
    kind = "dataset" if section == "data" else section
    spec = plugins.find(kind, name)
    try:
        return spec.load()
    except (ImportError, AttributeError, ValueError) as error:
        owner = plugins.owner(kind, name)
        reason = explain_missing_library(error) or error
        raise PluginError(
            f"{kind} '{name}' of plug-in '{owner.name}' ({owner.origin}) cannot be loaded: {reason}"
        ) from error


def _nearest_key(task: TaskSpec, plugins: Plugins, key: str) -> str:
    keys = [*SECTIONS, *TrainConfig.model_fields]
    names = {"data": task.dataset, **{role: getattr(task, role) for role in NAMED_ROLES}}
    for section, name in names.items():
        fields = config_of(_factory(task, plugins, section, name)).model_fields
        if key in fields:
            return f"Did you mean '{section}.{key}'?"
        keys += [f"{section}.{field}" for field in fields]
    return nearest(key, keys)


def _check_own_data(
    task: TaskSpec,
    plugins: Plugins,
    name: str,
    config_type: type[PartConfig],
    values: Mapping[str, Any],
) -> None:
    """Refuse settings of the user's own files as data, where there are none."""
    if task.folder_dataset in (None, name):
        return
    own = config_of(_factory(task, plugins, "data", task.folder_dataset)).model_fields
    for field in values:
        if field in own and field not in config_type.model_fields:
            raise ConfigError(
                f"data.{field} is a setting of data of your own: give it with --data PATH"
            )


def _validate(section: str, config_type: type[PartConfig], values: Mapping[str, Any]) -> PartConfig:
    for field in values:
        if field not in config_type.model_fields:
            near = nearest(field, config_type.model_fields, f"{section}.")
            raise ConfigError(f"no setting is called '{section}.{field}'. {near}")
    refuse_truth_values(section, config_type, values)
    try:
        return config_type(**values)
    except ValidationError as error:
        raise ConfigError(describe_invalid(section, config_type, error)) from error
