"""The guide for plug-in authors: its tutorials executed, its reference compared with the code."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import inspect
import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from documents import (
    RESUMED_STEPS,
    Workshop,
    anchors,
    blocks,
    commands,
    files_of,
    read_page,
    sections,
    shortened,
)
from support import ROOT, environment

from aeplug import HOOK_VERSION, interfaces
from aeplug.checks.outcome import CHECKS, GUIDE, PLUGIN_CHECKS
from aeplug.interfaces import CAPABILITIES
from aeplug.interfaces.capabilities import own_members
from aeplug.plugins import Plugins, hookspecs, specs
from aeplug.plugins.builtin import aeplug_latents
from aeplug.plugins.specs import RunEvent
from aeplug.plugins.validation import HOOKS
from aeplug.testing import check_task, isolated_plugins

FOLDER = ROOT / "docs" / "plugins"
PAGES = sorted(FOLDER.glob("*.md"))
HOOKS_PAGE, PARTS_PAGE, CHOOSING_PAGE, TUTORIAL = (
    FOLDER / f"{name}.md" for name in ("hooks", "parts", "choosing", "tutorial")
)
CHECKING, COMPATIBILITY = ROOT / GUIDE, FOLDER / "compatibility.md"
#: Its commands install something, and are tried in an environment of their own.
PROJECT = "The same as a project"

pytestmark = pytest.mark.skipif(not HOOKS_PAGE.is_file(), reason="needs the checkout")


# The tutorials


def test_the_tutorial_has_at_most_40_lines() -> None:
    lines = files_of(read_page(TUTORIAL))["waves.py"].splitlines()[1:]
    assert 20 < len([line for line in lines if line.strip()]) <= 40


def test_the_tutorial_trains_samples_and_goes_on(tmp_path, aeplug_cli) -> None:
    """All commands of its section, as a reader types them (see tests/test_readme.py)."""
    workshop = Workshop(TUTORIAL, tmp_path, (PROJECT,))
    for line in commands(sections(read_page(TUTORIAL))["A new modality in 40 lines"]):
        workshop.run(line, aeplug_cli)
    samples = [np.load(path) for path in sorted((tmp_path / "out/waves").glob("*.npy"))]
    assert [sample.shape for sample in samples] == [(64,)] * 12
    record = json.loads((tmp_path / "runs/waves/metrics.jsonl").read_text().splitlines()[-1])
    assert record["step"] == RESUMED_STEPS


def project_lines() -> list[str]:
    return commands(sections(read_page(TUTORIAL))[PROJECT])


#: Runs lines of the guide, one after the other, in one process of the reader's environment.
DRIVER = """
import json, runpy, sys
from aeplug.cli import main
for words in json.loads(sys.argv[1]):
    sys.argv = words if words[0] == "aeplug" else words[2:]
    try:
        if words[0] == "aeplug":
            main(words[1:])
        else:
            runpy.run_module(words[2], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ended:
        code = ended.code or 0
    print("##", int(code), *words, flush=True)
    if code:
        sys.exit(1)
"""


@pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("hatchling", "pip"))), reason="needs hatchling and pip"
)
def test_the_project_of_the_tutorial_is_made_installed_trained_and_tested(tmp_path) -> None:
    """Line by line in an empty environment, with pip; nothing is fetched."""
    python, user = python_with_this_aeplug(tmp_path / "venv"), tmp_path / "user"
    user.mkdir()
    env = {k: v for k, v in environment().items() if k != "PYTHONPATH"}
    steps: list[list[str]] = []

    def go() -> str:
        given = [str(python), "-c", DRIVER, json.dumps(steps)]
        done = subprocess.run(given, cwd=user, env=env, capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        codes = re.findall(r"^## (\d+) ", done.stdout, re.MULTILINE)
        assert codes == ["0"] * len(steps)
        steps.clear()
        return done.stdout

    installed = False
    for line in project_lines():
        words = shlex.split(line)
        if words[:4] == ["python", "-m", "pip", "install"]:
            go()
            subprocess.run(
                [
                    *(sys.executable, "-m", "pip", "--python", str(python), *words[3:], "--quiet"),
                    *("--no-deps", "--no-index", "--no-build-isolation"),
                    "--disable-pip-version-check",
                ],
                cwd=user,
                env={**env, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
                check=True,
                capture_output=True,
            )
            installed = True
            continue
        assert words[0] == "aeplug" or words[:3] == ["python", "-m", "pytest"], line
        steps.append([words[0], *shortened(words[1:])])
    assert installed
    assert any("check" in words for words in steps) and any("pytest" in w for w in steps)
    said = go()
    assert re.search(r"\b11 passed, 2 deselected", said), said[-2000:]
    assert len(list((user / "out" / "discs").glob("sample-*.png"))) == 16
    records = (user / "runs" / "discs" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(records[-1])["step"] == RESUMED_STEPS, "resumed"


def python_with_this_aeplug(folder: Path) -> Path:
    """The python of an empty venv that finds the packages present here, and this checkout."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    (site,) = folder.glob("lib/python*/site-packages") if os.name != "nt" else [folder / "Lib"]
    packages = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    places = (*packages, ROOT, ROOT / "plugins")
    (site / "present.pth").write_text("\n".join(map(str, places)) + "\n")
    return python


# Every hook: signature, section, example, test

FUNCTIONS = {
    name: function
    for name, function in vars(hookspecs).items()
    if name.startswith("aeplug_") and inspect.isfunction(function)
}


def is_signature(block: str) -> bool:
    return bool(re.fullmatch(r"def \w+\(.*\).*: \.\.\.\n", block))


def of_source(function: Callable[..., Any]) -> str:
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(node, ast.FunctionDef)
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"def {node.name}({ast.unparse(node.args)}){returns}: ..."


def test_every_hook_has_a_section_and_nothing_else_has_one() -> None:
    headings = {name for name in sections(read_page(HOOKS_PAGE)) if name.startswith("aeplug_")}
    assert headings == set(FUNCTIONS) == set(HOOKS)


@pytest.mark.parametrize("hook", FUNCTIONS)
def test_a_hooks_signature_stands_in_its_section_as_in_the_code(hook) -> None:
    section = sections(read_page(HOOKS_PAGE))[hook]
    (signature,) = filter(is_signature, blocks(section, "python"))
    assert signature.strip() == of_source(FUNCTIONS[hook])


@pytest.fixture(scope="module")
def ripples(tmp_path_factory) -> Iterator[Any]:
    """The examples of the page as the one plug-in that they are."""
    found = [block for block in blocks(read_page(HOOKS_PAGE), "python") if not is_signature(block)]
    path = tmp_path_factory.mktemp("examples") / "ripples.py"
    path.write_text("\n\n".join(found), encoding="utf-8")
    sys.modules.pop("ripples", None)
    yield isolated_plugins(path)
    sys.modules.pop("ripples", None)


def encoder_works(plugins, cli, folder) -> None:
    settings = {"encoder.width": 24}
    report = check_task("ripples", plugins=plugins, settings=settings, only=["shapes", "gradients"])
    assert "-> (24) ->" in report.of("shapes").text


def latent_works(plugins, cli, folder) -> None:
    check_task("ripples", plugins=plugins, settings={"latent": 5}, only=["shapes", "seeds"])
    part = plugins.find("latent", "laplace").load()
    posterior = part(part.Config(size=3), (7,)).forward(torch.randn(1, 7))
    # The KL in closed form against the mean over draws of the densities' ratio.
    middle, scale = posterior.middle, posterior.logscale.exp()
    drawn = type(posterior)(middle.expand(200_000, 3), posterior.logscale.expand(200_000, 3))
    z = drawn.sample(torch.Generator().manual_seed(0))
    ratio = z.abs() - (z - middle).abs() / scale - scale.log()
    assert torch.allclose(ratio.mean(0), posterior.kl()[0], atol=0.02)


def decoder_works(plugins, cli, folder) -> None:
    parts = {"decoder": "ripple", "loss": "ripple"}
    only = ["shapes", "loss", "learning", "compiling"]
    check_task("fake-images", plugins=plugins, settings=parts, only=only)


def loss_works(plugins, cli, folder) -> None:
    check_task("ripples", plugins=plugins, only=["loss", "gradients", "learning"])
    settings = {"loss.beta": "linear(0, 1, 0.5)"}
    report = check_task("ripples", plugins=plugins, settings=settings, only=["loss", "saving"])
    assert report.ok


def codec_works(plugins, cli, folder) -> None:
    check_task("ripples", plugins=plugins, only=["codec"])
    cli("train", "ripples", "--steps", 2, "--run", folder / "run", plugins=plugins)
    file = folder / "mine.csv"
    np.savetxt(file, np.full((2, 16), 0.25), delimiter=",")
    options = ("--digits", 2, "--out", folder / "out")
    cli("reconstruct", folder / "run", file, *options, plugins=plugins)
    (written,) = (folder / "out").glob("*.csv")
    assert np.loadtxt(written, delimiter=",").shape == (2, 16)
    assert max(len(text) for text in written.read_text().replace("\n", ",").split(",")) <= 7


def dataset_works(plugins, cli, folder) -> None:
    check_task("ripples", plugins=plugins, settings={"data.items": 30}, only=["shapes", "settings"])


def task_works(plugins, cli, folder) -> None:
    run = folder / "run"
    cli("train", "ripples", "--steps", 4, "--run", run, plugins=plugins)
    cli("train", "ripples", "--steps", 6, "--run", run, "--resume", plugins=plugins)
    cli("sample", run, "-n", 3, "--out", folder / "out", plugins=plugins)
    assert len(list((folder / "out").glob("sample-*.csv"))) == 3
    figures = json.loads(cli("evaluate", run, "--json", plugins=plugins).out)
    assert 0 < json.loads(json.dumps(figures))["largest_error"] < 2


def priors_work(plugins, cli, folder) -> None:
    run = folder / "run"
    cli("train", "ripples", "--steps", 4, "--run", run, plugins=plugins)
    cli("fit-prior", run, "--kind", "nearby", "--jitter", 0, plugins=plugins)
    drawn = ("--prior", "nearby", "-n", 3, "--out", folder / "out")
    cli("sample", run, *drawn, plugins=plugins)
    cli("embed", run, *(folder / "out").glob("*.csv"), "--out", folder / "e.npz", plugins=plugins)
    assert len(np.load(folder / "e.npz")["mean"]) == 3


def commands_work(plugins, cli, folder) -> None:
    run = folder / "run"
    cli("train", "ripples", "--steps", 4, "--run", run, plugins=plugins)
    from aeplug.cli.program import cli as program

    plugins.add_commands(program)
    lowest = float(cli("lowest", run, plugins=plugins).out)
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert lowest == min(record["loss"] for record in records if record["split"] == "val")


def run_event_works(plugins, cli, folder) -> None:
    plugins.announce(RunEvent("started", str(folder), "ripples", 0))
    plugins.announce(RunEvent("evaluated", str(folder), "ripples", 7, {"loss": 0.5}))
    assert (folder / "losses.txt").read_text() == "7 0.5\n"


WORKS: dict[str, Callable[..., None]] = {
    "aeplug_encoders": encoder_works,
    "aeplug_latents": latent_works,
    "aeplug_decoders": decoder_works,
    "aeplug_losses": loss_works,
    "aeplug_codecs": codec_works,
    "aeplug_datasets": dataset_works,
    "aeplug_tasks": task_works,
    "aeplug_priors": priors_work,
    "aeplug_commands": commands_work,
    "aeplug_run_event": run_event_works,
}


@pytest.mark.parametrize("hook", FUNCTIONS)
def test_a_hooks_example_works(hook, ripples, aeplug_cli, tmp_path) -> None:
    section = sections(read_page(HOOKS_PAGE))[hook]
    assert any(f"@hookimpl\ndef {hook}(" in block for block in blocks(section, "python"))
    (plugin,) = [plugin for plugin in ripples.plugins if plugin.name == "ripples"]
    assert hook in plugin.hooks and plugin.notes in ([], plugin.notes[:1])
    assert hook in WORKS, f"no test uses the example of {hook}"
    WORKS[hook](ripples, aeplug_cli, tmp_path)


# The rest of the reference


def mentioned(name: str, text: str) -> bool:
    return bool(re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`", text))


def members_of(one: type) -> set[str]:
    names = {*vars(one), *inspect.get_annotations(one)}
    return {name for name in names if not name.startswith("_") and name != "kind"}


@pytest.mark.parametrize(
    "one",
    [
        o
        for o in vars(interfaces).values()
        if inspect.isclass(o) and o.__module__.startswith("aeplug.interfaces.")
    ],
    ids=lambda one: one.__name__,
)
def test_what_parts_are_called_with_is_told_in_full(one) -> None:
    text = read_page(PARTS_PAGE) + read_page(FOLDER / "capabilities.md")
    assert mentioned(one.__name__, text), f"{one.__name__} is in neither page"
    #: Done for parts, not by them.
    helpers = {
        "Batch": {"context", "repeat_items"},
        "Context": {"repeat_items"},
        "Sampling": {"select_items"},
    }.get(one.__name__, set())
    missing = {name for name in members_of(one) - helpers if not mentioned(name, text)}
    assert not missing, f"of {one.__name__}"


def test_every_capability_has_its_row_with_its_members() -> None:
    rows = dict(
        re.findall(r"^\| `(\w+)` \| (.*?) \|", read_page(FOLDER / "capabilities.md"), re.MULTILINE)
    )
    every = {capability for kind in CAPABILITIES.values() for capability in kind}
    assert set(rows) == {capability.__name__ for capability in every}
    for capability in every:
        missing = [
            n for n in own_members(capability) if not mentioned(n, rows[capability.__name__])
        ]
        assert not missing, f"of {capability.__name__}"


@pytest.mark.parametrize(
    "spec",
    [s for s in vars(specs).values() if dataclasses.is_dataclass(s) and s.__name__[0] != "_"],
    ids=lambda spec: spec.__name__,
)
def test_every_field_of_a_spec_is_told(spec) -> None:
    text = read_page(HOOKS_PAGE)
    assert mentioned(spec.__name__, text)
    missing = {f.name for f in dataclasses.fields(spec) if not mentioned(f.name, text)}
    assert not missing, f"of {spec.__name__}"


def test_kinds_of_events_and_verbs_are_told() -> None:
    text = read_page(HOOKS_PAGE)
    for kind in ("started", "logged", "evaluated", "saved", "finished", *specs.VERBS):
        assert mentioned(kind, text)


def test_every_bottleneck_of_the_core_has_its_advice() -> None:
    (table,) = re.findall(
        r"^\| latent \|.*?\n\n", read_page(CHOOSING_PAGE), re.DOTALL | re.MULTILINE
    )
    rows = [line.split("|")[1] for line in table.splitlines()[2:] if line]
    named = {name for row in rows for name in re.findall(r"`(.*?)`", row)}
    assert named == {spec.name for spec in aeplug_latents()}


def test_the_hook_version_of_the_text_is_todays() -> None:
    assert f"`aeplug.HOOK_VERSION`, today {HOOK_VERSION}." in read_page(COMPATIBILITY)


def test_the_way_to_every_page_and_project_is_shown() -> None:
    text = read_page(ROOT / "plugins" / "README.md")
    for page in PAGES:
        assert f"(../docs/plugins/{page.name})" in text
    for project in (ROOT / "tests" / "plugins_outside").glob("*/pyproject.toml"):
        assert f"`{project.parent.name}`" in read_page(TUTORIAL)
    assert "docs/plugins/tutorial.md" in read_page(ROOT / "README.md")


@pytest.mark.parametrize("check", [*PLUGIN_CHECKS, *CHECKS])
def test_every_check_has_its_section(check) -> None:
    section = sections(read_page(CHECKING))[check]
    assert "If it fails:" in " ".join(section.split()), "what to do"


def test_every_page_and_anchor_that_a_message_names_exists() -> None:
    named = {
        (page, anchor)
        for path in (ROOT / "aeplug").rglob("*")
        if path.suffix in (".py", ".template")
        for page, anchor in re.findall(r"(docs/[\w./-]+\.md)(?:#([\w-]+))?", read_page(path))
    }
    assert ("docs/plugins/compatibility.md", "") in named
    assert "when-a-plug-in-is-not-used" in {anchor for _, anchor in named}
    for page, anchor in named:
        assert (ROOT / page).is_file(), page
        assert not anchor or anchor in anchors(ROOT / page), f"{page}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_piece_of_python_parses_and_imports_what_there_is(page) -> None:
    for block in blocks(read_page(page), "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aeplug"):
                module = importlib.import_module(node.module or "")
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{node.module}.{alias.name}"


# Why a plug-in is not used: the table's words are the program's

HEAD = "from aeplug.plugins.specs import *\nfrom aeplug import hookimpl\n"
LOSS = "@hookimpl\ndef aeplug_losses():\n    yield LossSpec('a-loss', 'math:pi')\n"
BROKEN = {
    "ZeroDivisionError: ...": "1 / 0\n",
    "there is no hook 'aeplug_encoder'": "@hookimpl\ndef aeplug_encoder():\n    return []\n",
    "lacks the decorator @hookimpl": "def aeplug_losses():\n    return []\n",
    "it implements no hook": "",
    "gave str 'x', expected LossSpec": "@hookimpl\ndef aeplug_losses():\n    return ['x']\n",
    "gave more than 10,000 specs": "@hookimpl\ndef aeplug_losses():\n    while True:\n"
    "        yield LossSpec('a-loss', 'math:pi')\n",
    "its name is taken by the plug-in of": LOSS,
    "is taken by another module": LOSS,
    "it replaces the command 'train'": "@hookimpl\ndef aeplug_commands(cli):\n"
    "    @cli.command()\n    def train():\n        pass\n",
    "its aeplug_requires": "aeplug_requires = ['librosa']\n" + LOSS,
    "it needs hook version": f"aeplug_hook_version = {HOOK_VERSION + 1}\n" + LOSS,
}
NAMES = {"its name is taken by the plug-in of": "image", "is taken by another module": "json"}


@pytest.mark.parametrize("reason", BROKEN)
def test_a_reason_of_the_table_is_what_the_program_says(reason, tmp_path, monkeypatch) -> None:
    assert f"`{reason}`" in sections(read_page(CHECKING))["When a plug-in is not used"]
    name = NAMES.get(reason, "of_the_table")
    (tmp_path / f"{name}.py").write_text(HEAD + BROKEN[reason], encoding="utf-8")
    plugins = Plugins([tmp_path])
    if "command" in reason:
        from aeplug.cli.program import cli
        from aeplug.cli.registry import load_command

        monkeypatch.setitem(cli.commands, "train", load_command("train"))
        plugins.add_commands(cli)
    plugins.collect()
    plugin = plugins.plugins[-1]
    sys.modules.pop("of_the_table", None)
    assert (plugin.name, plugin.status) == (name, "broken")
    assert reason.removesuffix(" ...") in plugin.reason


NOTED = {
    "took 4.1 s to load": "import time\ntime.sleep(0.02)\n" + LOSS,
    "prints to stdout": "print('hello')\n" + LOSS,
    "is brought by 'a' (...) and 'b' (...)": LOSS.replace("a-loss", "mse"),
}


@pytest.mark.parametrize("note", NOTED)
def test_a_note_of_the_table_is_what_the_program_says(note, tmp_path, monkeypatch) -> None:
    assert f"`{note}`" in sections(read_page(CHECKING))["When a plug-in is not used"]
    monkeypatch.setenv("AEPLUG_SLOW_IMPORT_SECONDS", "0.01")
    (tmp_path / "of_the_table.py").write_text(HEAD + NOTED[note], encoding="utf-8")
    plugin = Plugins([tmp_path], block=["music"]).collect()[-1]
    sys.modules.pop("of_the_table", None)
    pattern = re.sub(r"\\\(\\\.\\\.\\\.\\\)", r"\\(.*\\)", re.escape(note))
    pattern = pattern.replace(r"4\.1", r"\d+\.\d").replace("'a'", "'.*'").replace("'b'", "'.*'")
    assert plugin.status == "ok"
    assert any(re.search(pattern, text) for text in plugin.notes), plugin.notes
