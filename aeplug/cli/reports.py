"""Reports for people, in a terminal of any width: settings, parts, plug-ins, comparisons."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from aeplug.cli.output import print_json, print_table, terminal_width
from aeplug.errors import ConfigError
from aeplug.plugins import Plugin, Plugins
from aeplug.plugins.catalogue import describe_plugin

if TYPE_CHECKING:
    from aeplug.checks.outcome import Outcome, Report
    from aeplug.config import TaskConfig
    from aeplug.config.schema import Setting
    from aeplug.plugins import TaskSpec

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": None}

#: Where the documentation explains why a plug-in is not used, or what its notes mean.
EXPLAINED = "docs/plugins/checking.md#when-a-plug-in-is-not-used"


def print_settings(settings: Sequence[Setting], section: str, indent: str = "  ") -> None:
    """A line ``KEY=VALUE  type, range, unit`` for each, as ``--set`` takes it, and its help.

    Args:
        settings: of one part.
        section: what stands before the dot of the key.
        indent: in front of every line.
    """
    if not settings:
        click.echo(f"{indent}no settings")
    for setting in settings:
        key = f"{indent}{section}.{setting.name}={as_typed(setting.default)}"
        kind = ", ".join(filter(None, (setting.type, setting.range, setting.unit)))
        if setting.main:
            kind += f"; short: {section}={as_typed(setting.default)}"
        room = terminal_width()
        if len(key) + 2 + len(kind) <= room:
            click.echo(click.style(key, bold=True) + f"  {kind}")
        else:
            click.echo(click.style(key, bold=True))
            _print_wrapped(kind, indent + "    ", room)
        if setting.help:
            _print_wrapped(setting.help, indent + "    ", room)


def print_task_settings(config: TaskConfig) -> None:
    """All settings of a task, a section after the other."""
    from aeplug.config.schema import settings_of_task

    click.echo(f"{click.style(config.task.name, bold=True)}: {config.task.summary}")
    for section, settings in settings_of_task(config).items():
        part = config.sections[section].name
        click.echo()
        click.echo(click.style(f"{section}={part}" if part else section, bold=True))
        print_settings(settings, section)


def print_part(entry: Mapping[str, Any]) -> None:
    """A part with its settings, as ``aeplug parts`` shows one."""
    title = click.style(f"{entry['kind']} {entry['name']}", bold=True)
    click.echo(f"{title} ({entry['plugin']}): {entry['summary'] or entry['factory']}")
    if entry.get("suffixes"):
        click.echo(f"  files: {', '.join(entry['suffixes'])}")
    for option in entry.get("options", ()):
        users = f" ({', '.join(option['verbs'])})" if entry["kind"] == "codec" else ""
        click.echo(f"  --{option['name']}{users}: {option['help']}")
    if "error" in entry:
        click.echo(f"  {entry['error']}")
    elif "settings" in entry:
        # Settings are given under the name of a task's section.
        section = "data" if entry["kind"] == "dataset" else entry["kind"]
        print_settings(entry["settings"], section)


def print_attributes(task: TaskSpec, as_json: bool = False) -> None:
    """What can be measured of a task's items.

    Raises:
        ConfigError: nothing can.
    """
    if as_json:
        rows = [asdict(attribute) for attribute in task.attributes]
        print_json({"task": task.name, "attributes": rows})
        return
    if not task.attributes:
        raise ConfigError(f"'{task.name}' has no attributes; give classes or folders of examples")
    print_table([[a.name, a.unit, a.summary] for a in task.attributes], ["NAME", "UNIT", "WHAT"])


def print_steering(report: Mapping[str, Any], as_json: bool = False) -> None:
    """What :meth:`aeplug.steering.Steering.check` measured, as tables or one JSON object."""
    if as_json:
        print_json(report)
        return
    click.echo(
        f"{report['attribute']} of {report['items']} held-out items; in standard deviations "
        f"(1 is {report['standard_deviation']:.3g} {report['unit']})"
    )
    if report["undefined"]:
        click.echo(f"{report['undefined']} of them have no {report['attribute']}")
    for amount, figures in report["amounts"].items():
        click.echo(
            f"\nasked for {float(amount):+g}: {figures['right_way']:.1%} moved the right way, "
            f"{figures['within_third']:.1%} with every other held within a third of that"
        )
        if figures["at_limit"]:
            side = "most" if float(amount) > 0 else "least"
            click.echo(
                f"{figures['at_limit']} have the {side} there is from the start; of the others "
                f"{figures['right_way_within']:.1%} moved the right way"
            )
        click.echo()
        rows = [
            [name, f"{each['mean']:+.3f}", f"{each['mean_absolute']:.3f}", f"{each['share']:.2f}"]
            for name, each in figures["moved"].items()
        ]
        print_table(rows, ["", "MEAN CHANGE", "MEAN ABSOLUTE", "SHARE"])


def print_pca_comparison(report: Mapping[str, Any]) -> None:
    """What :func:`aeplug.api.compare_pca` measured, as tables."""
    low, high = report["value_range"]
    click.echo(
        f"{report['task']}, {report['items']} items of {report['values']} values "
        f"in {low:g}..{high:g}; squared error: summed over an item\n"
    )
    curve = report["curve"]
    rows = [
        ["PCA", str(dims), f"{error:.4g}", f"{error / report['values']:.4g}"]
        for dims, error in zip(curve["dims"], curve["pca_squared_error"], strict=True)
    ]
    if "model_dims" in report:
        errors = (report["model_squared_error"], report["model_mse"])
        place = 1 + curve["dims"].index(max(d for d in curve["dims"] if d <= report["model_dims"]))
        row = ["the model", str(report["model_dims"]), *(f"{error:.4g}" for error in errors)]
        rows.insert(place, row)
    print_table(rows, ["", "DIMS", "SQUARED ERROR", "MSE"])
    if not report["pca_is_exact"]:
        click.echo(
            f"PCA: its first components alone, by randomised subspace iteration, since "
            f"{report['values']} values are many; its errors are slightly too large"
        )
    accuracy = [("PCA", "pca_accuracy", "dims"), ("the model", "model_accuracy", "model_dims")]
    for name, key, dims in accuracy:
        if key in report:
            click.echo(f"tokens right, {name} with {report[dims]}: {report[key]:.2%}")
    if "probes" in report:
        _print_probes(report)
    if "picture" in report:
        click.echo(f"\n{report['picture']}")


def _print_probes(report: Mapping[str, Any]) -> None:
    probes = report["probes"]
    size = {"model": "model_dims", "pca": "dims", "values": "values"}
    click.echo(f"\n'{probes['label']}' ({probes['classes']} classes) predicted from\n")
    print_table(
        [
            [f"{name}, {report[size[name]]}", *(f"{share:.2%}" for share in figures.values())]
            for name, figures in probes["accuracy"].items()
        ],
        ["", "K-NN", "LINEAR"],
    )


def print_plugin_line(plugin: Plugin) -> None:
    """Name, status and origin; under them what it brings, its hooks, and what is wrong."""
    click.echo(f"{click.style(plugin.name, bold=True)}  {plugin.status}  {plugin.origin}")
    rows = [(kind, ", ".join(names)) for kind, names in plugin.provides.items()]
    others = [hook for hook in plugin.hooks if hook in ("aeplug_commands", "aeplug_run_event")]
    if others:
        rows.append(("hooks", ", ".join(others)))
    if plugin.reason:
        rows.append(("reason", plugin.reason))
    rows += [("note", note) for note in plugin.notes]
    size = max((len(title) for title, _ in rows), default=0)
    room = max(terminal_width(), size + 24)
    for title, text in rows:
        start = f"  {title.ljust(size)}  "
        click.echo(
            textwrap.fill(
                text,
                room,
                initial_indent=start,
                subsequent_indent=" " * len(start),
                break_on_hyphens=False,  # paths and commands are there to be copied
                break_long_words=False,
            )
        )


def print_plugin(plugin: Plugin, plugins: Plugins) -> None:
    """Everything that is known of one plug-in."""
    rows = [
        ["name", plugin.name],
        ["summary", plugin.summary],
        ["version", plugin.version],
        ["origin", plugin.origin],
        ["file", plugin.location],
        ["status", plugin.status],
        ["reason", plugin.reason],
        *(["note", note] for note in plugin.notes),
        ["needs", ", ".join(plugin.requires.values())],
        ["hook version", "" if plugin.hook_version is None else str(plugin.hook_version)],
        ["loaded in", f"{plugin.seconds:.3f} s" if plugin.status == "ok" else ""],
        ["hooks", ", ".join(plugin.hooks)],
    ]
    print_table([row for row in rows[1:] if row[1]], rows[0])
    for kind, specs in describe_plugin(plugin, plugins).items():
        click.echo()
        print_table([[spec["name"], spec["summary"]] for spec in specs], [kind.upper(), ""])
    if plugin.status in ("broken", "incomplete") or plugin.notes:
        click.echo(f"\nexplained in {EXPLAINED}")


class OutcomePrinter:
    """Prints a line for each check, under a heading for each thing checked."""

    def __init__(self) -> None:
        self.subject = ""

    def __call__(self, outcome: Outcome) -> None:
        """Print the line of a check."""
        if outcome.subject != self.subject:
            gap = "\n" if self.subject else ""
            self.subject = outcome.subject
            click.echo(gap + click.style(outcome.subject, bold=True))
        status = click.style(f"{outcome.status:8}", fg=_COLOURS[outcome.status])
        click.echo(f"  {status}  {outcome.check:10}  {outcome.message}".rstrip())


def print_check_report(report: Report, target: str, as_json: bool = False) -> None:
    """How many checks passed, in how long; or all outcomes as one JSON object."""
    if as_json:
        outcomes = [outcome.as_dict() for outcome in report.outcomes]
        print_json({"ok": report.ok, "target": target, "checks": outcomes})
        return
    counts = Counter[str](outcome.status for outcome in report.outcomes)
    parts = [f"{counts[status]} {status}" for status in _COLOURS if counts[status]]
    seconds = sum(outcome.seconds for outcome in report.outcomes)
    click.echo(f"\n{', '.join(parts)} in {seconds:.1f} s")


def as_typed(value: Any) -> str:
    """A value as it is written behind ``--set KEY=``: text as it is, all else as JSON."""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _print_wrapped(text: str, indent: str, room: int) -> None:
    click.echo(
        textwrap.fill(
            text, max(room, len(indent) + 20), initial_indent=indent, subsequent_indent=indent
        )
    )
