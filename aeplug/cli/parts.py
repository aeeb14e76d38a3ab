"""``aeplug parts``: what a task can name, with its settings; a plain list imports no torch."""

from __future__ import annotations

from typing import Any

import click

from aeplug.cli.output import print_json, print_settings, print_table
from aeplug.errors import PluginError, nearest
from aeplug.plugins import active
from aeplug.plugins.validation import COLLECTED

#: Kinds of parts, as ``aeplug parts`` takes them; tasks have a list of their own.
KINDS = tuple(kind.kind for kind in COLLECTED.values() if kind.kind != "task")  # type: ignore[attr-defined]
#: Settings are given under the name of a task's section.
SECTION = {kind: "data" if kind == "dataset" else kind for kind in KINDS}


@click.command()
@click.argument("names", nargs=-1, metavar="[KIND] [NAME]...")
@click.option("--settings", "wanted", is_flag=True, help="Each part's settings too (imports them).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def parts(names: tuple[str, ...], wanted: bool, as_json: bool) -> None:
    """List the parts a task can name; of parts named, their settings.

    \b
    aeplug parts
    aeplug parts decoder
    aeplug parts decoder --settings
    aeplug parts gaussian elbo
    aeplug parts encoder conv --json

    KIND is encoder, latent, decoder, loss, codec, dataset or prior. A setting is shown as
    --set takes it, with its default, type, range and unit.
    """
    kind = names[0] if names and names[0] in KINDS else ""
    chosen = names[1:] if kind else names
    found = _found(kind, chosen)
    wanted = wanted or bool(chosen)
    failed = False
    entries = []
    for spec in found:
        entry: dict[str, Any] = {
            "kind": spec.kind,
            "name": spec.name,
            "plugin": active().owner(spec.kind, spec.name).name,
            "summary": spec.summary,
        }
        if wanted:
            entry.update(_with_settings(spec))
            failed = failed or "error" in entry
        entries.append(entry)
    if as_json:
        print_json({"parts": [_as_json(entry) for entry in entries]})
    elif wanted:
        for entry in entries:
            _print_part(entry)
    else:
        rows = [[entry[key] for key in ("kind", "name", "plugin", "summary")] for entry in entries]
        print_table(rows, ["KIND", "PART", "PLUG-IN", "SUMMARY"])
    if failed:
        raise click.exceptions.Exit(1)


def _found(kind: str, names: tuple[str, ...]) -> list[Any]:
    every = [spec for one in KINDS if kind in ("", one) for spec in active().specs(one)]
    known = {spec.name for spec in every}
    for name in names:
        if name not in known:
            choices = known if kind else known | set(KINDS)
            text = f"no {kind or 'part'} is called '{name}'. {nearest(name, choices)}"
            raise PluginError(text)
    return [spec for spec in every if not names or spec.name in names]


def _with_settings(spec: Any) -> dict[str, Any]:
    """A part's settings, or why they cannot be had: the others are listed all the same."""
    from aeplug.config import config_of
    from aeplug.config.schema import settings_of

    found: dict[str, Any] = {"factory": spec.factory}
    if spec.kind in ("codec", "prior"):
        options = [{**vars(option), "verbs": list(option.verbs)} for option in spec.options]
        found["options"] = options
    if spec.kind == "prior":
        return {**found, "settings": []}
    if spec.kind == "codec":
        found["suffixes"] = list(spec.suffixes)
    try:
        found["settings"] = settings_of(config_of(spec.load()))
    except (Exception, SystemExit) as error:  # whatever a plug-in's module may raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        found["error"] = f"cannot be loaded: {reason}"
    return found


def _as_json(entry: dict[str, Any]) -> dict[str, Any]:
    settings = entry.get("settings")
    if settings is None:
        return entry
    return {**entry, "settings": [setting.as_dict() for setting in settings]}


def _print_part(entry: dict[str, Any]) -> None:
    title = click.style(f"{entry['kind']} {entry['name']}", bold=True)
    click.echo(f"{title} ({entry['plugin']}): {entry['summary'] or entry['factory']}")
    if entry.get("suffixes"):
        click.echo(f"  files: {', '.join(entry['suffixes'])}")
    for option in entry.get("options", ()):
        click.echo(f"  --{option['name']} ({', '.join(option['verbs'])}): {option['help']}")
    if "error" in entry:
        click.echo(f"  {entry['error']}")
    else:
        print_settings(entry["settings"], SECTION[entry["kind"]])
