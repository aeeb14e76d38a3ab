"""The command line: instant, one line for every error, nothing but JSON where JSON is asked for."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import click
import pytest
from support import (
    aeplug,
    assert_one_line_error,
    command,
    environment,
    one_object,
    tiny_environment,
)

HEAVY = (
    *("torch", "librosa", "matplotlib", "pretty_midi", "symusic", "PIL", "numpy", "pydantic"),
    *("rich", "safetensors"),
)


class TestStart:
    @pytest.mark.parametrize(
        "arguments",
        [["--help"], ["tasks"], ["tasks", "--json"], ["plugins"], ["plugins", "--json"], ["-h"]],
    )
    def test_imports_nothing_heavy(self, arguments):
        code = (
            "import atexit, sys\n"
            f"atexit.register(lambda: print(sorted(set({HEAVY!r}) & set(sys.modules)), "
            "file=sys.stderr))\n"
            f"from aeplug.cli import main; main({arguments!r})"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr.splitlines()[-1] == "[]"

    def test_completion_knows_commands(self):
        env = environment(_AEPLUG_COMPLETE="bash_complete", COMP_WORDS="aeplug ta", COMP_CWORD="1")
        code = "import sys; sys.argv = ['aeplug']; from aeplug.cli import main; main()"
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
        assert done.stdout.split() == ["plain,tasks"], done.stderr

    def test_console_script_and_module_are_the_same_program(self):
        script = os.path.join(os.path.dirname(sys.executable), "aeplug")
        if not os.path.exists(script):
            pytest.skip("aeplug is not installed beside this python")
        done = subprocess.run([script, "--version"], capture_output=True, text=True)
        assert done.stdout == aeplug("--version").stdout != ""


def all_commands() -> dict[str, click.Command]:
    from aeplug.cli.registry import COMMANDS, load_command
    from aeplug.plugins import active

    group = click.Group("aeplug")
    for name in COMMANDS:
        group.add_command(load_command(name))
    active().add_commands(group)
    found: dict[str, click.Command] = {}
    for item in group.commands.values():
        if isinstance(item, click.Group):
            found.update({f"{item.name} {name}": c for name, c in item.commands.items()})
        elif item.name is not None:
            found[item.name] = item
    return found


class TestHelp:
    @pytest.mark.parametrize("name", sorted(all_commands()))
    def test_every_command_shows_an_example_and_a_help_for_each_option(self, name, invoke):
        result = invoke(*name.split(), "--help")
        assert result.code == 0, result.err
        body = result.out.partition("\n")[2]
        assert re.search(rf"^\s+aeplug {name}\b", body, re.MULTILINE)
        for parameter in all_commands()[name].params:
            if isinstance(parameter, click.Option):
                assert parameter.help, parameter.name

    @pytest.mark.parametrize("name", sorted(all_commands()))
    def test_options_in_the_examples_exist(self, name):
        command = all_commands()[name]
        # Also those that codecs, tasks and data sets bring.
        known = {option for p in command.get_params(click.Context(command)) for option in p.opts}
        text = command.help or ""
        for line in re.findall(rf"aeplug {name} (.*)", text):
            for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", line):
                assert option in known, line

    def test_no_arguments_show_the_help_not_an_error(self, invoke):
        for arguments in ([], ["data"]):
            result = invoke(*arguments)
            assert result.code == 2
            assert "Usage: aeplug" in result.err and "error:" not in result.err

    @pytest.mark.parametrize(
        "arguments", [["--help"], ["tasks"], ["plugins"], ["train", "--help"], ["sample", "--help"]]
    )
    def test_forty_columns_are_enough(self, arguments):
        done = aeplug(*arguments, env=environment(COLUMNS="40"))
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
        if arguments == ["tasks"]:
            words = " ".join(done.stdout.split())
            assert "deterministic" in words, "cut off instead of wrapped"

    @pytest.mark.parametrize("command", ["reconstruct", "sample", "vary", "embed"])
    def test_options_are_options_alone(self, invoke, command):
        listed = invoke(command, "--help").out.partition("Options:\n")[2].splitlines()
        heads = [line.split()[0] for line in listed if line[:3].strip() and line[:2] == "  "]
        assert heads and all(head.startswith("-") for head in heads), heads

    def test_options_of_codecs_are_options_of_the_verbs(self, invoke):
        out = " ".join(invoke("sample", "--help").out.split())
        assert "--shout" in out and "--level INTEGER means nothing, in decibels" in out
        assert "[default: 3]" in out and "(tiny, tiny-vae)" in out


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "parts"),
        [
            (["trian", "x"], ["no command is called 'trian'. Did you mean 'train'?"]),
            (["train", "tiny-vea"], ["no task is called 'tiny-vea'. Did you mean 'tiny-vae'?"]),
            (["train", "zzz"], ["no task is called 'zzz'. Expected one of ", "mnist-vae"]),
            (["train"], ["Missing argument 'TASK'", "see 'aeplug train --help'"]),
            (["train", "tiny", "--spes", "3"], ["--spes", "--steps"]),
            (["train", "tiny", "--steps", "many"], ["'many' is not a valid integer"]),
            (["train", "tiny", "--steps", "-3"], ["-3 is not in the range x>=1"]),
            (["train", "tiny", "--epochs", "nan"], ["train.epochs"]),
            (["train", "tiny", "--epochs", "0"], ["not in the range x>0"]),
            (["train", "tiny", "--steps", "3", "--epochs", "3"], ["exclude each other"]),
            (["train", "tiny", "--set", "latent.sise=3"], ["Did you mean 'latent.size'?"]),
            (["train", "tiny", "--set", "latent.size=x"], ["latent.size=x: expected an integer"]),
            (["train", "tiny", "--set", "encoder=convv"], ["no encoder is called 'convv'"]),
            (["train", "tiny", "--set", "novalue"], ["expected KEY=VALUE"]),
            (["train", "tiny", "--device", "tpu"], ["no device is called 'tpu'"]),
            (["train", "tiny", "--precision", "fp8"], ["'fp8' is not one of 'fp32', 'bf16'"]),
            (["train", "tiny", "--config", "no.json"], ["no.json: cannot be read"]),
            (["train", "tiny", "--data", "nowhere"], ["nowhere"]),
            (["evaluate", "nowhere"], ["no run directory and no task is called 'nowhere'"]),
            (["evaluate", "tiny"], ["ships no weights; train it (aeplug train tiny)"]),
            (["sample", "RUN"], ["Missing option '--out'"]),
            (["sample", "RUN", "--out", "o", "-n", "0"], ["0 is not in the range x>=1"]),
            (["sample", "RUN", "--out", "o", "--temperature", "0"], ["range x>0"]),
            (["sample", "RUN", "--out", "o", "--temperature", "nan"], ["nan is not a finite"]),
            (["sample", "RUN", "--out", "o", "--seed", str(2**70)], ["is not in the range"]),
            (["sample", "RUN", "--out", "o", "--level", "10"], ["--level 10: expected at most 9"]),
            (["sample", "RUN", "--out", "o", "--level", "0"], ["--level 0: expected at least 1"]),
            (["sample", "RUN", "--out", "o", "--cond", "x"], ["'tiny-vae' takes no condition"]),
            (["sample", "PLAIN", "--out", "o"], ["'tiny' cannot sample", "has no prior"]),
            (["sample", "RUN", "--out", "o", "--top-k", "3"], ["no option --top-k: it decodes no"]),
            (
                ["sample", "RUN", "--out", "o", "--top-p", ".5"],
                ["takes no option --top-p"],
            ),
            (
                ["vary", "RUN", "a.tiny", "--out", "o", "--temperature", "0.5"],
                ["--temperature has no effect where the likeliest is taken: add --draw"],
            ),
            (["train", "mnist-vae", "--set", "data.size=3"], ["data.size is a setting", "--data"]),
            (["train", "tiny", "--set", "latent=999999999999"], ["not enough memory for "]),
            (["train", "tiny", "--set", "latent=true"], ["latent.size=true: expected an integer"]),
            (["sample", "RUN", "--out", "FILE"], ["FILE"]),
            (["evaluate", "RUN", "--split", "tset"], ["no split is called 'tset'", "'test'"]),
            (["evaluate", "RUN", "--checkpoint", "x"], ["'x' is not one of 'best', 'last'"]),
            (["evaluate", "FOLDER"], ["neither a run directory nor a checkpoint"]),
            (["interpolate", "RUN", "a.tiny", "b.tiny", "--out", "o"], ["a.tiny: not a .tiny"]),
            (["vary", "RUN", "a.tiny", "--out", "o", "--similarity", "2"], ["2", "range 0<=x<=1"]),
            (["reconstruct", "RUN", "FOLDER", "--out", "o"], ["holds none of .tiny"]),
            (["fit-prior", "denoise"], ["'denoise' has no embedding"]),
            (["demo", "--only", "tiny-vea"], ["no demo of 'tiny-vea'", "tiny-vae"]),
            (["data", "build", "x", "--out", "o", "--dataset", "tyni"], ["no data set 'tyni'"]),
        ],
        ids=lambda value: " ".join(value)[:60],
    )
    def test_is_one_line_that_says_what_was_expected(
        self, invoke, arguments, parts, trained, trained_plain, tmp_path, monkeypatch
    ):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "FILE").touch()
        (tmp_path / "FOLDER").mkdir()
        named = {"RUN": trained, "PLAIN": trained_plain}
        result = invoke(*(named.get(argument, argument) for argument in arguments))
        assert result.code in (1, 2)
        assert result.out == ""
        assert_one_line_error(result.err, *parts)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["FILE", "FOLDER"]

    def test_typo_is_told_before_torch_is_imported(self):
        code = (
            "import atexit, sys\n"
            "atexit.register(lambda: print('torch' in sys.modules))\n"
            "from aeplug.cli import main; main(['train', 'mnits'])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment(), capture_output=True, text=True
        )
        assert "Did you mean 'mnist'?" in done.stderr
        assert done.stdout == "False\n"

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_debug_anywhere_shows_the_traceback(self, place):
        arguments = ["train", "nothing"]
        arguments.insert(place, "--debug")
        done = aeplug(*arguments)
        assert done.returncode != 0
        assert "Traceback" in done.stderr and "no task is called 'nothing'" in done.stderr

    def test_unforeseen_error_is_one_line_too_and_says_it_is_a_bug(self, invoke, monkeypatch):
        monkeypatch.setattr("aeplug.cli.tasks.print_table", lambda *rest: 1 / 0)
        result = invoke("tasks")
        assert result.code == 1
        assert result.err.splitlines()[-1] == (
            "aeplug: error: ZeroDivisionError: division by zero "
            "(--debug shows where; this is a bug)"
        )

    def test_reader_that_leaves_is_no_error(self):
        program = " ".join(command("tasks"))
        done = subprocess.run(
            ["bash", "-c", f"for i in 1 2 3; do {program} | head -1; done; {program} | true"],
            env=environment(),
            capture_output=True,
            text=True,
        )
        assert done.stdout.count("TASK") == 3
        assert "Broken" not in done.stderr and "Exception" not in done.stderr


class TestJson:
    @pytest.mark.parametrize(
        "arguments",
        [["evaluate", "nowhere"], ["evaluate", "RUN", "--spilt", "val"], ["tasks", "--x"]],
    )
    def test_an_error_is_an_object_too(self, invoke, trained, arguments):
        named = [trained if argument == "RUN" else argument for argument in arguments]
        result = invoke(*named, "--json")
        assert result.code in (1, 2)
        assert_one_line_error(result.err)
        text = one_object(result.out)["error"]
        assert result.err.splitlines()[-1] == f"aeplug: error: {text}"
        assert invoke(*named).out == ""

    def test_one_object_on_stdout_alone(self, invoke, trained):
        for arguments in (
            ["tasks", "--json"],
            ["plugins", "--json"],
            ["evaluate", trained, "--json"],
            ["evaluate", trained, "--json", "--baselines"],
        ):
            result = invoke(*arguments)
            assert result.code == 0, result.err
            one_object(result.out)

    def test_tasks_name_parts_and_plug_in(self, invoke):
        found = {task["name"]: task for task in one_object(invoke("tasks", "--json").out)["tasks"]}
        assert found["tiny-vae"]["plugin"] == "tiny"
        assert found["tiny-vae"]["parts"]["latent"] == "gaussian"
        assert found["tiny-vae"]["weights"] is False

    def test_figures_of_the_model_stand_apart_from_baselines(self, invoke, trained):
        plain = one_object(invoke("evaluate", trained, "--json").out)
        assert "baselines" not in plain
        assert {"loss", "recon", "kl", "items", "worst", "task", "model"} <= set(plain)
        assert plain["items"] == 16
        compared = one_object(invoke("evaluate", trained, "--json", "--baselines").out)
        assert compared.pop("baselines")["half"]["mse"] > 0
        assert compared == plain

    def test_items_and_split(self, invoke, trained):
        figures = one_object(
            invoke("evaluate", trained, "--json", "--split", "val", "--items", 5).out
        )
        assert figures["items"] == 5

    def test_what_is_not_finite_is_null(self, capsys):
        from aeplug.cli.output import print_json

        print_json({"a": float("nan"), "b": {"c": [float("inf"), 1.5]}})
        assert one_object(capsys.readouterr().out) == {"a": None, "b": {"c": [None, 1.5]}}

    def test_doctor_says_what_is_missing(self, invoke, tmp_path):
        (tmp_path / "sick.py").write_text("1 / 0")
        result = invoke("--plugins-dir", tmp_path, "doctor", "--json")
        report = one_object(result.out)
        assert result.code == 1 and report["ok"] is False
        assert report["plugins"]["sick"] == "broken: ZeroDivisionError: division by zero"
        assert report["versions"]["torch"] and report["device"]["used"]
        assert report["data"]["tiny"] == "64 training items"


class TestVerbs:
    def test_sample_writes_files_and_a_sheet_and_prints_their_paths(
        self, invoke, trained, tmp_path
    ):
        out = tmp_path / "o"
        arguments = ("sample", trained, "-n", 3, "--seed", 5, "--out", out)
        result = invoke(*arguments)
        assert result.code == 0, result.err
        expected = [f"sample-00{i}.tiny" for i in (1, 2, 3)] + ["samples.png"]
        assert result.out.split() == [str(out / "samples.png")]
        assert f"wrote 3 files, {out / expected[0]} to {expected[2]}" in result.err
        assert all((out / name).stat().st_size for name in expected)
        first = [(out / name).read_bytes() for name in expected[:3]]
        assert invoke(*arguments, "--overwrite").code == 0
        assert [(out / name).read_bytes() for name in expected[:3]] == first
        assert len(set(first)) > 1

    def test_results_are_replaced_only_when_told(self, invoke, trained, tmp_path, tiny_file):
        a, b, out = tiny_file("a"), tiny_file("b"), tmp_path / "o"
        for arguments, name in (
            (("sample", trained, "-n", 2), "sample-001.tiny"),
            (("vary", trained, a, "-n", 2), "a-variation-01.tiny"),
            (("interpolate", trained, a, b, "--steps", 2), "step-01.tiny"),
        ):
            command = (*arguments, "--out", out)
            assert invoke(*command).code == 0  # beside what others made
            (page,) = out.glob("*.png")
            (out / name).write_bytes(b"mine")
            refused = invoke(*command)
            assert refused.code == 1
            assert_one_line_error(refused.err, f"{out}", "is there already", "--overwrite")
            page.unlink()
            refused = invoke(*command)
            assert_one_line_error(refused.err, f"{out / name} is there already")
            assert (out / name).read_bytes() == b"mine" and not page.exists()
            assert invoke(*command, "--overwrite").code == 0
            assert (out / name).read_bytes() != b"mine"
            page.unlink()

    def test_reconstruct_goes_on_after_a_bad_file(self, invoke, trained, tmp_path, tiny_file):
        (tmp_path / "in").mkdir()
        for name in ("a", "c"):
            tiny_file(f"in/{name}")
        (tmp_path / "in" / "b.tiny").write_text("no")
        out = tmp_path / "o"
        result = invoke("reconstruct", trained, tmp_path / "in", "--out", out)
        assert result.code == 1
        assert sorted(path.name for path in out.iterdir()) == [
            ".aeplug",
            "a.tiny",
            "c.tiny",
            "failed.jsonl",
        ]
        assert "b.tiny: not a .tiny file" in result.err
        assert_one_line_error(result.err, "1 of 3 files could not be done")

    def test_reconstruct_never_writes_over_its_input(self, invoke, trained, tmp_path, tiny_file):
        path = tiny_file("a")
        before = path.read_bytes()
        result = invoke("reconstruct", trained, path, "--out", tmp_path)
        assert result.code == 1
        assert_one_line_error(result.err, str(tmp_path), "would replace the input a")
        assert path.read_bytes() == before

    def test_files_of_one_name_do_not_overwrite_each_other(self, invoke, trained, tmp_path):
        paths = []
        for number, folder in enumerate(("x", "y")):
            (tmp_path / folder).mkdir()
            paths.append(tmp_path / folder / "a.tiny")
            paths[-1].write_text(json.dumps([[number * 200, 9, 9, 9]]))
        result = invoke("reconstruct", trained, *paths, "--out", tmp_path / "o")
        assert result.code == 0, result.err
        assert {"a.tiny", "a-2.tiny"} <= {path.name for path in (tmp_path / "o").iterdir()}

    def test_interpolate_and_vary(self, invoke, trained, tmp_path, tiny_file):
        a, b = tiny_file("a"), tiny_file("b", [[250, 1, 1, 1]])
        result = invoke("interpolate", trained, a, b, "--steps", 3, "--out", tmp_path / "i")
        assert result.code == 0, result.err
        assert sorted(path.name for path in (tmp_path / "i").iterdir()) == [
            "interpolation.png",
            "step-01.tiny",
            "step-02.tiny",
            "step-03.tiny",
        ]
        assert result.out.split() == [str(tmp_path / "i" / "interpolation.png")]
        result = invoke("vary", trained, a, "-n", 2, "--out", tmp_path / "v")
        assert result.code == 0, result.err
        assert (tmp_path / "v" / "a-variation-02.tiny").exists()

    def test_options_of_the_codec_reach_it(self, invoke, trained, tmp_path):
        for name, flag in (("quiet", []), ("loud", ["--shout"])):
            assert invoke("sample", trained, "-n", 1, "--out", tmp_path / name, *flag).code == 0
        quiet, loud = (
            (tmp_path / name / "sample-001.tiny").read_text() for name in ("quiet", "loud")
        )
        assert loud == quiet + "\n"

    def test_own_data_for_training_and_evaluating(self, invoke, tmp_path, tiny_file):
        (tmp_path / "mine").mkdir()
        tiny_file("mine/a", [[i, 255 - i, i, i] for i in range(40)])
        result = invoke(
            "train", "tiny", "--data", tmp_path / "mine", "--epochs", 1, "--run", tmp_path / "run"
        )
        assert result.code == 0, result.err
        assert "40 items" in result.err
        figures = one_object(
            invoke("evaluate", tmp_path / "run", "--data", tmp_path / "mine", "--json").out
        )
        assert figures["items"] == 40

    def test_data_build_names_what_it_left_out(self, invoke, tmp_path, tiny_file):
        (tmp_path / "mine").mkdir()
        tiny_file("mine/a")
        (tmp_path / "mine" / "b.tiny").write_text("no")
        build = ("data", "build", tmp_path / "mine", "--dataset", "tiny-folder", "--out")
        result = invoke(*build, tmp_path / "o", "--json")
        assert one_object(result.out) == {
            "files": 1,
            "skipped": 1,
            "reasons": {"not rows of four numbers": 1},
        }
        (line,) = (tmp_path / "o" / "skipped.jsonl").read_text().splitlines()
        assert json.loads(line)["source"].endswith("b.tiny")
        again = invoke(*build, tmp_path / "o")
        assert again.code == 1
        assert_one_line_error(again.err, "exists and is not empty; give --overwrite")
        assert invoke(*build, tmp_path / "o", "--overwrite").code == 0
        assert not (tmp_path / "o.building").exists()

    def test_demo_shows_commands_and_leaves_results(self, invoke, tmp_path):
        result = invoke("demo", "--only", "tiny-vae", "--out", tmp_path)
        assert result.code == 0, result.err
        folder = result.out.split()[-1]
        assert "$ aeplug train tiny-vae --set train.steps=8" in result.err
        assert os.path.exists(os.path.join(folder, "samples", "samples.png"))

    def test_commands_of_plug_ins_run(self, invoke):
        assert invoke("tiny-hello").out == "hello\n"


def test_settings_from_a_file_then_from_the_line(invoke, tmp_path):
    (tmp_path / "s.json").write_text(json.dumps({"train": {"lr": 0.5, "steps": 4}}))
    result = invoke(
        *("train", "tiny", "--config", tmp_path / "s.json", "--set", "lr=0.25"),
        *("--run", tmp_path / "run"),
    )
    assert result.code == 0, result.err
    train = json.loads((tmp_path / "run" / "config.json").read_text())["train"]
    assert (train["lr"], train["steps"]) == (0.25, 4)


def test_piped_training_speaks_plain_lines(tmp_path):
    done = aeplug("train", "tiny-vae", "--run", tmp_path / "run", env=tiny_environment())
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'run'}\n"
    assert "\x1b" not in done.stderr and "\r" not in done.stderr
    assert "held out: loss" in done.stderr
