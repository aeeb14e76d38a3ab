"""``aeplug plugins`` and its ``show``: what is wrong with a plug-in, in one line and in lists."""

from __future__ import annotations

import re

import pytest
from support import (
    TINY,
    aeplug,
    assert_one_line_error,
    environment,
    one_object,
    warnings_about,
)

from aeplug.plugins.validation import HOOKS

HEAD = "from aeplug.plugins.specs import *\nfrom aeplug import hookimpl\n"
GOOD = HEAD + "@hookimpl\ndef aeplug_losses():\n    return [LossSpec('good-loss', 'math:pi')]\n"
WATCHER = "@hookimpl\ndef aeplug_run_event(event):\n    pass\n"
PRINTS = "import sys\nprint('{\"plugins\": 0}')\nsys.stdout.write('more\\n')\n"
#: name -> source, status, what the one line says of it.
SOURCES: dict[str, tuple[str, str, str]] = {
    "raises_on_import": ("raise ValueError('no luck')", "broken", "ValueError: no luck"),
    "raises_in_hook": (
        HEAD + "@hookimpl\ndef aeplug_tasks():\n    raise KeyError('x')\n",
        "broken",
        "KeyError: 'x'",
    ),
    "returns_nonsense": (
        HEAD + "@hookimpl\ndef aeplug_tasks():\n    return [None, {'task': 1}]\n",
        "broken",
        "aeplug_tasks gave NoneType None, expected TaskSpec",
    ),
    "returns_a_number": (
        HEAD + "@hookimpl\ndef aeplug_tasks():\n    return 5\n",
        "broken",
        "aeplug_tasks gave int 5, expected to yield TaskSpecs",
    ),
    "never_ends": (
        HEAD + "@hookimpl\ndef aeplug_losses():\n    while True:\n"
        "        yield LossSpec('again', 'math:pi')\n",
        "broken",
        "aeplug_losses gave more than 10,000 specs",
    ),
    "names_no_text": (
        HEAD + "@hookimpl\ndef aeplug_losses():\n    yield LossSpec('a-loss', None)\n",
        "broken",
        "aeplug_losses gave LossSpec 'a-loss' whose factory is None, expected a text",
    ),
    "no_exception": (
        "class Panic(BaseException):\n    pass\nraise Panic('rust')",
        "broken",
        "Panic: rust",
    ),
    "brings_one_twice": (
        GOOD.replace("[LossSpec", "2 * [LossSpec").replace("good-loss", "twice-loss"),
        "ok",
        "loss 'twice-loss' is brought 2 times by 'brings_one_twice'",
    ),
    "image": (GOOD, "broken", "its name is taken by the plug-in of aeplug"),
    "misspells": (
        HEAD + "@hookimpl\ndef aeplug_looses():\n    return []\n",
        "broken",
        "there is no hook 'aeplug_looses'. Did you mean 'aeplug_losses'?",
    ),
    "prints_on_import": (PRINTS + GOOD, "ok", "prints to stdout when it is loaded"),
    "prints_in_hook": (
        GOOD.replace("    return", "    print('from a hook')\n    return"),
        "ok",
        "prints to stdout in aeplug_losses",
    ),
    # Two hours by a clock of its own: how busy the machine is does not matter.
    "two_hours": (
        "import time\nclock = time.perf_counter\ntime.perf_counter = lambda: clock() + 7200\n"
        + GOOD,
        "ok",
        " s to load",
    ),
    "of_tomorrow": (
        "aeplug_hook_version = 99\n" + GOOD,
        "broken",
        "needs hook version 99, aeplug 0.1.0 has 2: pip install --upgrade aeplug",
    ),
    "imports_of_tomorrow": (
        "from aeplug import QuantumSpec\n" + GOOD,
        "broken",
        "a newer one may have it: pip install --upgrade aeplug",
    ),
    "hook_version_in_words": (
        "aeplug_hook_version = 'new'\n" + GOOD,
        "broken",
        "aeplug_hook_version is 'new', expected a whole number from 1",
    ),
}


class TestMarred:
    """Each of these plug-ins through the program: it works, says one line, and lists them."""

    @pytest.mark.parametrize("name", SOURCES)
    def test_one_line_and_the_program_works(self, tmp_path, name):
        source, status, said = SOURCES[name]
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        env = environment(AEPLUG_PLUGINS_DIR=str(tmp_path), AEPLUG_SLOW_IMPORT_SECONDS="7000")
        done = aeplug("plugins", "--json", env=env)
        assert done.returncode == 0, done.stderr
        (line,) = warnings_about(done.stderr, name)
        assert said in line and f"{name}.py" in line
        listed = one_object(done.stdout)["plugins"]
        (found,) = [p for p in listed if p["name"] == name and p["origin"].endswith(".py")]
        assert found["status"] == status
        assert said in "; ".join([found["reason"], *found["notes"]])
        assert all(p["status"] == "ok" for p in listed if p["origin"].startswith("aeplug "))
        if name == "two_hours":
            seconds = re.search(r"took (\d+\.\d) s to load", line)
            assert seconds and float(seconds[1]) >= 7200

    def test_all_of_them_in_a_narrow_terminal(self, tmp_path):
        for name, (source, _, _) in SOURCES.items():
            (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        env = environment(AEPLUG_PLUGINS_DIR=str(tmp_path), COLUMNS="60")
        done = aeplug("plugins", env=env)
        assert done.returncode == 0
        text = " ".join(done.stdout.split())
        for name, (_, status, said) in SOURCES.items():
            assert f"{name} {status} {tmp_path / name}.py" in text
            assert " ".join(said.split()) in text
        unbroken = [line for line in done.stdout.splitlines() if " " in line.strip()]
        assert all(len(line) <= 60 for line in unbroken if str(tmp_path) not in line)


def test_trace_shows_registrations_and_calls(tmp_path):
    (tmp_path / "watcher.py").write_text(GOOD + WATCHER)
    env = environment(AEPLUG_PLUGINS_DIR=str(tmp_path), AEPLUG_TRACE_PLUGINS="1")
    done = aeplug("--block", "music", "plugins", "--json", env=env)
    one_object(done.stdout)
    lines = [ln for ln in done.stderr.splitlines() if ln.startswith("aeplug: trace: ")]
    text = "\n".join(lines)
    assert re.search(r"registered 'watcher' \(\S+\) after \d.*: aeplug_losses, aeplug_run_e", text)
    assert "'music' (aeplug 0.1.0) is left out: --block" in text
    assert "call aeplug_losses() of 'watcher'" in text
    assert re.search(r"aeplug_losses returned after \d+\.\d ms", text)
    quiet = aeplug("plugins", env={**env, "AEPLUG_TRACE_PLUGINS": "0"})
    assert quiet.stderr == ""


class TestShow:
    def test_everything_of_one(self, invoke):
        out = invoke("plugins", "show", "tiny").out
        words = " ".join(out.split())
        assert f"file {TINY / 'tiny.py'}" in words
        assert "summary A single-file plug-in for the tests" in words
        for hook in HOOKS:
            assert hook in words
        assert "DATASET tiny made up" in words and "tiny-vae four numbers through two" in words

    def test_json_has_the_parts_of_each_task(self, invoke):
        shown = one_object(invoke("plugins", "show", "tiny", "--json").out)
        assert shown["status"] == "ok" and shown["version"] == ""
        tasks = {task["name"]: task for task in shown["brings"]["task"]}
        assert tasks["tiny-vae"]["parts"]["latent"] == "gaussian"
        (encoder,) = shown["brings"]["encoder"]
        assert encoder["factory"] == "tiny:TinyEncoder"

    def test_broken_one_says_why_and_where_that_is_explained(self, invoke, tmp_path):
        (tmp_path / "sick.py").write_text("1 / 0")
        out = invoke("--plugins-dir", tmp_path, "plugins", "show", "sick").out
        assert "ZeroDivisionError: division by zero" in out
        assert f"{tmp_path / 'sick.py'}:1" in "".join(out.split())
        assert "explained in docs/plugins/checking.md#when-a-plug-in-is-not-used" in out

    def test_of_two_with_one_name_the_used_one(self, tmp_path):
        (tmp_path / "image.py").write_text(GOOD)
        env = environment(AEPLUG_PLUGINS_DIR=str(tmp_path))
        shown = one_object(aeplug("plugins", "show", "image", "--json", env=env).stdout)
        assert shown["status"] == "ok" and shown["origin"].startswith("aeplug ")

    @pytest.mark.parametrize(
        ("source", "line"),
        [
            ("x = 1\n\nimport json\njson.loads('{')\n", ":4"),
            ("x = 1\n\n(", ":3"),
            (HEAD + "@hookimpl\ndef aeplug_tasks():\n    return open('/no/where')\n", ":5"),
            (HEAD + "@hookimpl\ndef aeplug_tassk():\n    return []\n", ""),
        ],
        ids=["import", "syntax", "hook", "refused"],
    )
    def test_line_of_the_plug_in_that_raised_is_shown(self, tmp_path, source, line):
        info = tmp_path / "stranger-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text("[aeplug]\nodd = stranger_odd\n")
        (tmp_path / "stranger_odd.py").write_text(source)
        done = aeplug(
            *("plugins", "show", "odd", "--json"), env=environment(PYTHONPATH=str(tmp_path))
        )
        shown = one_object(done.stdout)
        assert (shown["status"], shown["version"]) == ("broken", "1.2")
        assert shown["location"] == f"{tmp_path / 'stranger_odd.py'}{line}"

    def test_unknown_name_gets_the_nearest(self, invoke):
        result = invoke("plugins", "show", "imgae")
        assert result.code == 1
        assert_one_line_error(result.err, "no plug-in is called 'imgae'. Did you mean 'image'?")
