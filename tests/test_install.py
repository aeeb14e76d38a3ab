"""The page on installing: its tables name each library there is, with its true size."""

from __future__ import annotations

import itertools
import os
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support import ROOT

from aeplug.plugins import Plugins
from aeplug.runtime.libraries import ENGINE, distribution_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it there

#: Versions and builds differ: sizes of the page may be off by this share, or this many megabytes.
SHARE, MEGABYTES = 0.35, 3.0


def table_of(heading: str) -> dict[str, list[str]]:
    """The rows of a section's table, by their first cell."""
    text = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return {row[0]: row[1:] for row in rows[2:]}


PLAIN, EXTRA = table_of("What it weighs"), table_of("More, where you want it")


def project() -> tuple[set[str], set[str]]:
    """Names of what a plain install needs, and of what extras for users add."""
    # The file, not the metadata of the checkout: that is of the day it was installed.
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = dict(tables["optional-dependencies"])
    del extras["test"]
    plain, extra = (
        {canonicalize_name(Requirement(text).name) for text in texts}
        for texts in (tables["dependencies"], itertools.chain(*extras.values()))
    )
    return plain, extra


def size_of(name: str) -> float:
    """Megabytes of a distribution's files, those aside that Python compiles."""
    distribution = metadata.distribution(name)
    files = [Path(str(distribution.locate_file(file))) for file in distribution.files or ()]
    return sum(os.path.getsize(f) for f in files if f.suffix != ".pyc" and f.exists()) / 1e6


def needs_of(name: str, sizes: dict[str, float]) -> dict[str, float]:
    """Sizes of a distribution and of all that it needs, added to ``sizes``."""
    if canonicalize_name(name) not in sizes:
        sizes[canonicalize_name(name)] = size_of(name)
        for text in metadata.requires(name) or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                needs_of(requirement.name, sizes)
    return sizes


def is_near(said: float, size: float) -> bool:
    return abs(said - size) <= max(MEGABYTES, SHARE * size)


def test_each_library_of_the_project_is_in_the_tables_and_nothing_else() -> None:
    plain, extra = project()
    assert {canonicalize_name(name) for name in PLAIN} == plain
    assert {canonicalize_name(name) for name in EXTRA} == extra


@pytest.mark.parametrize("name", [*PLAIN, *EXTRA])
def test_sizes_are_those_of_the_installed_files(name: str) -> None:
    try:
        sizes = needs_of(name, {})
    except metadata.PackageNotFoundError as error:
        pytest.skip(f"{error.name} is not installed")
    if name == "torch" and "+cpu" not in metadata.version("torch"):
        pytest.skip("the page has torch for the CPU")
    alone, in_all = ({**PLAIN, **EXTRA}[name])[:2]
    assert is_near(float(alone), size_of(name)), size_of(name)
    assert is_near(float(in_all), sum(sizes.values())), sizes


def test_the_whole_is_as_heavy_as_the_page_says() -> None:
    if "+cpu" not in metadata.version("torch"):
        pytest.skip("the page has torch for the CPU")
    sizes: dict[str, float] = {}
    for name in PLAIN:
        needs_of(name, sizes)
    text = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    (said,) = re.findall(r"takes ([\d.]+) GB", text)
    assert is_near(1000 * float(said), sum(sizes.values()))
    assert "opencv-python-headless" not in sizes


def test_a_library_is_needed_by_what_says_so() -> None:
    said: dict[str, set[str]] = {}
    for plugin in Plugins(only_builtin=True).collect():
        for requirement in plugin.requires.values():
            said.setdefault(distribution_name(requirement), set()).add(plugin.name)
    for name, (_, _, needed_by, _) in PLAIN.items():
        users = set(re.findall(r"(?<!of )`(\w+)`", needed_by))
        assert users == said.get(name, set()), name
        assert ("engine" in needed_by) == (name in ENGINE.values()), name


def test_lines_of_the_lighter_install_have_all_of_it_between_them() -> None:
    text = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    section = text.partition("## A lighter one")[2].partition("\n## ")[0]
    lines = re.findall(r"^pip install ([^-#]*)", section, re.MULTILINE)
    assert sorted(" ".join(lines).split()) == sorted(PLAIN)
