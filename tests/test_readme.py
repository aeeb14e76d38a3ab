"""README and docs: every command and block of Python is run; links, lengths and times are right.

The reference for authors of plug-ins is compared with the code in tests/plugins/test_reference.py.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from documents import (
    PAGES,
    Workshop,
    anchors,
    blocks,
    commands,
    console_lines,
    draw_less,
    files_of,
    read_page,
    sections,
)
from support import ROOT

pytestmark = pytest.mark.skipif(len(PAGES) < 2, reason="needs the checkout")

#: Its commands install something; see tests/plugins/test_reference.py.
APART = ("The same as a project",)
#: The pages whose commands take longest come first, so that no process is left with one at the end.
LONG_PAGES = ("results.md", "digits.md", "melodies.md", "own-midi.md")
#: Commands whose options are looked at, but which take too long to be run.
UNTRIED = {
    "aeplug compare-pca audio-vae --data NOTES --split test": "eigenvectors of 6,400 values",
}
#: Benchmarks that train something.
TRAINING = ("conditional_digits", "drum_bits", "hierarchy", "style_adaptation")
DURATION = re.compile(r"\b(seconds?|minutes?|hours?)\b")


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def by_length(page: Path) -> tuple[int, str]:
    position = LONG_PAGES.index(page.name) if page.name in LONG_PAGES else len(LONG_PAGES)
    return position, page_name(page)


CASES = [
    (page, heading)
    for page in sorted(PAGES, key=by_length)
    for heading, text in sections(read_page(page)).items()
    if commands(text) and heading not in APART
]


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Workshop]:
    """``workshop(page)``: the folder in which a page's commands are run, made once."""
    made: dict[Path, Workshop] = {}

    def of(page: Path) -> Workshop:
        if page not in made:
            made[page] = Workshop(page, tmp_path_factory.mktemp(page.stem), APART)
        return made[page]

    return of


@pytest.mark.parametrize(
    ("page", "heading"), CASES, ids=[f"{page.name}: {heading}" for page, heading in CASES]
)
def test_every_command_works(
    page: Path, heading: str, workshop: Callable[[Path], Workshop], aeplug_cli: Callable[..., Any]
) -> None:
    """As typed, but for the length of trainings and the number of items."""
    for line in commands(sections(read_page(page))[heading]):
        if shlex.split(line)[0] == "python":
            assert_benchmark_takes(line)
        elif line in UNTRIED:
            words = shlex.split(line)
            options = aeplug_cli(words[1], "--help").out
            assert all(word in options for word in words if word.startswith("--"))
        else:
            workshop(page).run(line, aeplug_cli)


def assert_benchmark_takes(line: str) -> None:
    """The script is there, and knows the options; running it takes minutes to hours."""
    _, script, *words = shlex.split(line)
    source = read_page(ROOT / script)
    for option in (word for word in words if word.startswith("--")):
        assert f'"{option}"' in source, line


def test_commands_are_looked_for_in_every_page() -> None:
    counts = {page.name: len(commands(read_page(page))) for page in PAGES}
    assert counts["digits.md"] >= 30
    assert sum(counts.values()) >= 100


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_make_knows_the_targets_that_a_page_names(page: Path) -> None:
    targets = re.findall(r"^([\w-]+):", read_page(ROOT / "Makefile"), re.MULTILINE)
    for block in blocks(read_page(page), "sh"):
        for name in re.findall(r"^make ([\w-]+)", block, re.MULTILINE):
            assert name in targets


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_training_says_how_long_it_takes(page: Path) -> None:
    before = ""
    for line in console_lines(read_page(page)):
        if trains(line):
            assert before.startswith("# ") and DURATION.search(before), f"no time above: {line}"
        before = line
    for code in blocks(read_page(page), "python"):
        assert "aeplug.train(" not in code or DURATION.search(code), "no time in the block"


def trains(line: str) -> bool:
    words = shlex.split(line.removeprefix("$ ")) if line.startswith("$ ") else [""]
    if words[0] == "python":
        return any(name in line for name in TRAINING)
    return "adapt" in words or ("train" in words and "--help-task" not in words)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.parent.name != "plugins"], ids=page_name
)
def test_every_block_of_python_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order of the page; shapes that comments give are those of the results."""
    monkeypatch.chdir(tmp_path)
    draw_less(monkeypatch)
    text, names = read_page(page), dict[str, Any]()
    for code in blocks(text, "python"):
        if code not in files_of(text).values():  # a plug-in, which a command loads
            shorter = re.sub(r"steps=(\d{2,})", lambda n: f"steps={int(n[1]) // 50}", code)
            exec(compile(shorter, page.name, "exec"), names)
            for name, shape in re.findall(r"^(\w+) = .*# \(([\d, ]+)\)", code, re.MULTILINE):
                expected = tuple(int(size) for size in shape.split(",") if size.strip())
                assert tuple(names[name].shape) == expected, name


def test_the_readme_is_read_in_two_minutes() -> None:
    lines = read_page(ROOT / "README.md").splitlines()
    assert len(lines) <= 120
    assert len(re.findall(r"# \([\d, ]+\)", "\n".join(lines))) >= 3, "shapes in the example"


def documents() -> list[Path]:
    """Every Markdown file of the repository."""
    folders = ("docs", "plugins", "data", "tests", "benchmarks")
    below = [path for name in folders for path in sorted((ROOT / name).rglob("*.md"))]
    return [*sorted(ROOT.glob("*.md")), *below]


@pytest.mark.parametrize("page", documents(), ids=page_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```", "", read_page(page), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if target.startswith(("http://", "https://")):
            continue
        place, _, anchor = target.partition("#")
        path = (page.parent / place).resolve() if place else page
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path), target


def test_every_page_is_listed() -> None:
    index = ROOT / "docs" / "index.md"
    targets = re.findall(r"\]\(([^)#]+)", read_page(index))
    listed = {(index.parent / target).resolve() for target in targets}
    assert {page for page in PAGES if page != index} <= listed


def test_the_demo_runs_and_leaves_its_pictures(
    tmp_path: Path, aeplug_cli: Callable[..., Any]
) -> None:
    result = aeplug_cli("demo", "--quick", "--out", tmp_path)
    folders = [Path(line) for line in result.out.splitlines() if "." not in line]
    assert len(folders) >= 1
    assert (folders[0] / "curve.png").stat().st_size > 5000
    assert (folders[0] / "reconstructions.png").is_file()
    assert (folders[0] / "samples" / "samples.png").is_file()
