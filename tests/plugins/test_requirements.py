"""Where a library is missing: what lacks it says how to install it, all else works."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support import OTHERS, assert_one_line_error, environment, one_object

from aeplug.errors import AeplugError, PluginError
from aeplug.plugins import Plugins
from aeplug.runtime import import_library, missing_libraries

HEAD = "from aeplug.plugins.specs import *\nfrom aeplug import hookimpl\n"
LOSS = HEAD + "@hookimpl\ndef aeplug_losses():\n    return [LossSpec('some-loss', 'math:pi')]\n"
COMMAND = (
    "@hookimpl\ndef aeplug_commands(cli):\n    import click\n"
    "    @cli.command()\n    @click.option('--far', required=True)\n"
    "    def listen(far):\n        'Listen to it.'\n"
)

#: The program where some modules are not installed, whatever there is.
WITHOUT = """
import sys
class Finder:
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, *more):
        return None if name.split(".")[0] in {missing!r} else self.finder.find_spec(name, *more)
sys.meta_path[:] = map(Finder, sys.meta_path)
if __name__ == "__main__":
    from aeplug.cli import main
    main(sys.argv[1:])
"""

AUDIO = ("librosa", "soundfile", "soxr", "scipy", "numba", "sklearn")
MUSIC = ("symusic", "pretty_midi", "mido")
OPTIONAL = ("skimage", "music21", "bm3d", "umap", "pyarrow", "cv2", "tifffile")


def without(
    missing: tuple[str, ...], *arguments: object, **extra: str
) -> subprocess.CompletedProcess[str]:
    """The command line in a process that finds none of ``missing``."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT.format(missing=set(missing)), *map(str, arguments)],
        env=environment(**extra),
        capture_output=True,
        text=True,
        timeout=300,
    )


def statuses(missing: tuple[str, ...]) -> dict[str, dict[str, str]]:
    done = without(missing, "plugins", "--json")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return {plugin["name"]: plugin for plugin in one_object(done.stdout)["plugins"]}


class TestBuiltIn:
    def test_pictures_need_nothing_of_music_and_sound(self, tmp_path: Path) -> None:
        missing = (*AUDIO, *MUSIC, *OPTIONAL)
        for arguments in (
            ("sample", "mnist-vae", "-n", 2, "--seed", 1, "--out", tmp_path / "a"),
            ("reconstruct", "denoise-mnist", tmp_path / "a", "--out", tmp_path / "b"),
            ("reconstruct", "superres-mnist", tmp_path / "a", "--out", tmp_path / "c"),
            ("train", "mnist", "--set", "train.steps=2", "--run", tmp_path / "run"),
            ("evaluate", tmp_path / "run", "--items", 8, "--json"),
        ):
            done = without(missing, *arguments)
            assert done.returncode == 0, done.stderr
        assert len(list((tmp_path / "b").glob("*.png"))) >= 2
        listed = statuses(missing)
        assert {name for name, plugin in listed.items() if plugin["status"] == "ok"} == {
            *("core", "image", "denoise", "superres", "priors")
        }

    def test_music_needs_nothing_of_sound(self, tmp_path: Path) -> None:
        missing = (*AUDIO, *OPTIONAL)
        for arguments in (
            ("sample", "melody-2bar", "-n", 1, "--seed", 1, "--out", tmp_path / "a"),
            ("sample", "drums-2bar", "-n", 1, "--seed", 1, "--out", tmp_path / "d"),
            ("reconstruct", "melody-2bar", tmp_path / "a", "--out", tmp_path / "b"),
        ):
            done = without(missing, *arguments)
            assert done.returncode == 0, done.stderr
        listed = statuses(missing)
        assert listed["music"]["status"] == "ok"
        assert listed["audio"]["reason"].endswith("pip install librosa soundfile soxr scipy")

    def test_sound_needs_nothing_of_music(self) -> None:
        done = without((*MUSIC, *OPTIONAL), "train", "audio-vae", "--help-task", "audio-vae")
        assert done.returncode == 0, done.stderr
        assert statuses(MUSIC)["audio"]["status"] == "ok"

    @pytest.mark.parametrize(
        "arguments",
        [
            ("train", "melody-2bar"),
            ("sample", "melody-2bar", "--out", "o"),
            ("evaluate", "melody-2bar"),
            ("play", "a.mid"),
            ("transcribe", "a.wav", "--out", "o"),
        ],
    )
    def test_what_lacks_a_library_says_how_to_install_it(self, arguments: tuple[str, ...]) -> None:
        done = without(("symusic",), *arguments)
        assert done.returncode == 1
        assert_one_line_error(done.stderr, "symusic is not installed: pip install symusic")

    def test_tasks_are_those_that_can_be_used(self) -> None:
        done = without(MUSIC, "tasks", "--json")
        listed = one_object(done.stdout)
        names = {task["name"] for task in listed["tasks"]}
        assert "mnist" in names and "audio-vae" in names
        assert not {"melody-2bar", "groove"} & names
        line = "pretty_midi and symusic are not installed: pip install pretty_midi symusic"
        assert listed["incomplete"] == {"music": line}

    @pytest.mark.parametrize("what", ["tasks", "parts"])
    def test_lists_say_what_they_leave_out(self, what: str) -> None:
        done = without(("librosa",), what)
        assert done.returncode == 0 and "librosa" not in done.stdout
        reason = "librosa is not installed: pip install librosa"
        assert done.stderr == f"{what} of 'audio' are not listed: {reason}\n"

    def test_a_list_of_losses_owes_nothing_to_sound(self) -> None:
        done = without(("librosa",), "parts", "loss")
        assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.parametrize("arguments", [("melodies",), ("dataset", "melodies")])
    def test_a_part_that_lacks_a_library_is_not_called_unknown(
        self, arguments: tuple[str, ...]
    ) -> None:
        done = without(("symusic",), "parts", *arguments)
        assert done.returncode == 1
        assert_one_line_error(
            done.stderr, "dataset 'melodies' of 'music': symusic is not installed"
        )

    @pytest.mark.parametrize("module", ["soundfile", "soxr", "scipy"])
    def test_transcribe_says_once_what_recordings_need(self, module: str, tmp_path: Path) -> None:
        for name in ("a.wav", "b.wav"):
            (tmp_path / name).write_bytes(b"no sound is read")
        done = without((module,), "transcribe", tmp_path, "--out", tmp_path / "out")
        assert done.returncode == 1 and not (tmp_path / "out").exists()
        assert_one_line_error(
            done.stderr, f"transcribe: {module} is not installed: pip install {module}"
        )

    def test_a_file_that_needs_a_library_on_its_way_says_which(self, tmp_path: Path) -> None:
        melodies, out = tmp_path / "melodies", tmp_path / "out"
        done = without((), "sample", "melody-2bar", "-n", 1, "--seed", 1, "--out", melodies)
        assert done.returncode == 0, done.stderr
        done = without(
            ("scipy",), "reconstruct", "melody-2bar", melodies, "--wav", "--out", out, "--json"
        )
        assert done.returncode == 1
        reason = json.loads((out / "failed.jsonl").read_text())["reason"]
        assert reason == "this needs scipy: pip install scipy"

    def test_doctor_names_what_is_missing(self) -> None:
        plain = without(("librosa",), "doctor")
        assert plain.returncode == 0, plain.stderr
        words = " ".join(plain.stdout.split())
        assert "audio incomplete: librosa is not installed: pip install librosa" in words
        assert words.endswith("everything is in order; 1 plug-in lacks a library")


class TestTorch:
    @pytest.mark.parametrize(
        "arguments",
        [
            ("train", "mnist"),
            ("sample", "mnist-vae", "--out", "o"),
            ("reconstruct", "denoise", "a.png", "--out", "o"),
            ("doctor",),
            ("demo",),
            ("evaluate", "mnist"),
            ("plugins", "check", "image"),
        ],
    )
    def test_missing_is_one_line(self, arguments: tuple[str, ...], tmp_path: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT.format(missing={"torch"}), *arguments],
            env=environment(),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 1
        *_, last = done.stderr.splitlines()
        assert last == "aeplug: error: aeplug needs torch: pip install torch"
        assert "Traceback" not in done.stderr and "bug" not in done.stderr

    @pytest.mark.parametrize("arguments", [("--help",), ("tasks",), ("plugins",), ("parts",)])
    def test_lists_need_none(self, arguments: tuple[str, ...]) -> None:
        done = without(("torch",), *arguments)
        assert (done.returncode, done.stderr) == (0, "")


class TestDeclared:
    @pytest.fixture
    def load(self, tmp_path: Path):
        def call(source: str) -> Plugins:
            (tmp_path / "light.py").write_text(source, encoding="utf-8")
            return Plugins([tmp_path], block=OTHERS)

        yield call
        sys.modules.pop("light", None)

    def test_one_that_is_there_is_only_listed(self, load) -> None:
        plugin = load("aeplug_requires = {'PIL': 'Pillow'}\n" + LOSS).named("light")
        assert (plugin.status, plugin.requires) == ("ok", {"PIL": "Pillow"})

    def test_one_that_is_not_there(self, load, capsys) -> None:
        source = "aeplug_requires = {'PIL': 'Pillow', 'no_such_thing': 'no-such>=2'}\n"
        plugins = load(source + LOSS + COMMAND)
        plugin = plugins.named("light")
        line = "no_such_thing is not installed: pip install 'no-such>=2'"
        assert (plugin.status, plugin.reason) == ("incomplete", line)
        assert plugin.provides == {"loss": ["some-loss"]}
        assert "some-loss" not in [spec.name for spec in plugins.specs("loss")]
        with pytest.raises(PluginError, match="'some-loss' of 'light': no_such_thing is not"):
            plugins.find("loss", "some-loss")
        assert capsys.readouterr().err == ""  # at every command would be too often

    def test_commands_show_their_help_and_run_no_further(self, load) -> None:
        import click
        from click.testing import CliRunner

        plugins = load("aeplug_requires = {'no_such_thing': 'no-such'}\n" + LOSS + COMMAND)
        group = click.Group("aeplug")
        plugins.add_commands(group)
        result = CliRunner().invoke(group, ["listen", "--far"])
        assert isinstance(result.exception, PluginError)
        assert "pip install no-such" in str(result.exception)
        shown = CliRunner().invoke(group, ["listen", "--help"]).output
        assert "Listen to it." in shown and "pip install no-such" in shown

    def test_hooks_that_need_it_are_no_fault(self, load, capsys) -> None:
        late = LOSS.replace("    return", "    import no_such_thing\n    return")
        plugins = load("aeplug_requires = {'no_such_thing': 'no-such'}\n" + late)
        assert plugins.collect()[-1].status == "incomplete"
        assert capsys.readouterr().err == ""

    @pytest.mark.parametrize(
        "text", ["['librosa']", "{'a.b': 'ab'}", "{'librosa': None}", "'librosa'"]
    )
    def test_another_form_is_refused(self, load, capsys, text: str) -> None:
        plugin = load(f"aeplug_requires = {text}\n" + LOSS).named("light")
        assert plugin.status == "broken" and "its aeplug_requires" in plugin.reason
        assert "expected" in capsys.readouterr().err


def test_what_is_looked_for_is_not_imported() -> None:
    code = (
        "import sys; from aeplug.runtime import missing_libraries as m; "
        "print(repr(m({'antigravity': 'x', 'librosa': 'librosa'})), 'librosa' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "'' False\n"


def test_the_line_that_installs() -> None:
    assert missing_libraries({"json": "x"}) == ""
    several = {"no_a": "no-a", "no_b": "no_b>=1", "no_c": "no.c"}
    line = "no_a, no_b and no_c are not installed: pip install no-a 'no_b>=1' no.c"
    assert missing_libraries(several) == line
    with pytest.raises(AeplugError, match=r"^reading it needs no-a: pip install no-a$"):
        import_library("no_a.inner", "no-a", "reading it")


def test_a_library_that_lacks_another_is_not_called_missing(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "half_there.py").write_text("import no_such_thing\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_thing"):
        import_library("half_there", "half-there", "reading it")
