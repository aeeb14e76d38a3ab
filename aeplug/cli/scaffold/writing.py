"""Write the files of a new plug-in."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

from aeplug.cli.scaffold.joining import join_modules
from aeplug.cli.scaffold.kinds import KINDS
from aeplug.cli.scaffold.names import module_name
from aeplug.errors import PluginError
from aeplug.plugins import Plugins


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        files: in the order in which to read them.
        next_steps: commands to go on with.
    """

    files: list[Path]
    next_steps: list[str]


def write_plugin(
    name: str,
    kind: str,
    folder: Path,
    *,
    single_file: bool = False,
    taken: Mapping[str, str] | None = None,
) -> Written:
    """Write a plug-in that works as it is, and say how to go on.

    Args:
        name: of the plug-in and of its task or parts; the module has underscores for hyphens.
        kind: one of :data:`aeplug.cli.scaffold.KINDS`.
        folder: gets the folder ``name``, or the one file.
        single_file: hooks and parts in one ``.py`` for ``--plugins-dir``, without tests.
        taken: names that it may not have, with what they belong to (``"a task"``).

    Raises:
        PluginError: the name will not do, there is something of that name in the folder, or it
            cannot be written.
    """
    module = module_name(name, taken or {})
    texts = _single(name, module, kind) if single_file else _project(name, module, kind)
    root = folder if single_file else folder / name
    if not single_file and root.exists():
        raise PluginError(f"{root} exists already; nothing was written")
    files = [root / place for place in texts]
    for path in files:
        if path.exists():
            raise PluginError(f"{path} exists already; nothing was written")
    try:
        for path, text in zip(files, texts.values(), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        for path in files:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        raise PluginError(f"{root} cannot be written: {error.strerror or error}") from error
    try_it = Template(KINDS[kind].try_it).substitute(name=name)
    return Written(files, _next_steps(root, files[0], try_it, single_file=single_file))


def names_in_use(kind: str, plugins: Plugins) -> dict[str, str]:
    """Names that belong to something else, beside which the new plug-in's would be a second."""
    articles = {"task": "a task"}
    if kind != "observer":
        articles |= {"decoder": "a decoder", "loss": "a loss"}
    if kind in ("image", "sequence"):
        articles |= {"dataset": "a data set", "encoder": "an encoder"}
    taken = {spec.name: text for kind, text in articles.items() for spec in plugins.specs(kind)}
    return {plugin.name: "a plug-in" for plugin in plugins.plugins} | taken


def _next_steps(root: Path, first: Path, try_it: str, *, single_file: bool) -> list[str]:
    if single_file:
        place = shlex.quote(str(root))
        return [
            f"aeplug --plugins-dir {place} {try_it}",
            f"aeplug plugins check {shlex.quote(str(first))}",
        ]
    place = shlex.quote(str(root))
    return [f'pip install -e "{root}[test]"', f"aeplug {try_it}", f"aeplug plugins check {place}"]


def _project(name: str, module: str, kind: str) -> dict[str, str]:
    def text(template: str) -> str:
        return _fill_template(template, name, module, f"{module}.parts", kind)

    files = {
        f"{module}/__init__.py": text(f"{kind}/plugin.py"),
        f"{module}/parts.py": text(f"{kind}/parts.py") if KINDS[kind].has_parts else "",
        f"{module}/py.typed": "",
        f"tests/test_{module}.py": text(f"{kind}/test.py"),
        "pyproject.toml": text("common/pyproject.toml"),
        "README.md": text(f"{kind}/README.md"),
    }
    return {place: text for place, text in files.items() if text or place.endswith("py.typed")}


def _single(name: str, module: str, kind: str) -> dict[str, str]:
    hooks = _fill_template(f"{kind}/plugin.py", name, module, module, kind)
    if KINDS[kind].has_parts:
        hooks = join_modules(hooks, _fill_template(f"{kind}/parts.py", name, module, module, kind))
    return {f"{module}.py": hooks}


def _fill_template(template: str, name: str, module: str, parts: str, kind: str) -> str:
    source = resources.files("aeplug.cli.scaffold") / "templates" / f"{template}.template"
    words = name.replace("-", " ").replace("_", " ")
    return Template(source.read_text(encoding="utf-8")).substitute(
        name=name,
        module=module,
        parts=parts,
        distribution=f"aeplug-{name}",
        title=words[0].upper() + words[1:],
        summary=f"{KINDS[kind].summary}, a plug-in of aeplug",
    )
