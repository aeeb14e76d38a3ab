"""Checkpoints: whole or not at all, readable by anyone, damage is seen."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from support import environment
from torch import nn

from aeplug.api import load
from aeplug.errors import CheckpointError
from aeplug.model import checkpoint

HEADER = {
    "task": "tiny-vae",
    "config": {},
    "shape": {"input": [4], "target": [4], "classes": 0, "conditions": {}},
}


def network(value: float, size: int = 4) -> nn.Module:
    module = nn.Linear(size, size)
    nn.init.constant_(module.weight, value)
    return module


def value_of(folder: Path) -> float:
    """Which network the checkpoint at ``folder`` holds, verified."""
    module = network(0)
    checkpoint.read(folder).load_into(module)
    return float(module.weight[0, 0].detach())


def test_folder_is_readable_without_aeplug(trained):
    last = trained / "checkpoints" / "last"
    assert sorted(path.name for path in last.iterdir()) == [
        "config.json",
        "model.safetensors",
        "trainer.pt",
    ]
    header = json.loads((last / "config.json").read_text(encoding="utf-8"))
    assert (header["format"], header["task"]) == (1, "tiny-vae")
    latent = header["config"]["latent"]
    assert (latent["name"], latent["size"]) == ("gaussian", 2)
    assert set(header["plugins"]) == {"core", "tiny"}
    with safe_open(last / "model.safetensors", framework="pt") as weights:
        names = set(weights.keys())
    assert "encoder.hidden.weight" in names
    state = torch.load(last / "trainer.pt", weights_only=True)
    assert state["state"]["step"] == header["step"] == header["total_steps"]


@pytest.mark.filterwarnings("ignore")  # torch's own, of its compiler
def test_compiled_models_are_saved_under_their_plain_names(make_training, tmp_path):
    training = make_training({"train.compile": True}, tmp_path / "run")
    training._save("last")
    with safe_open(tmp_path / "run/checkpoints/last/model.safetensors", framework="pt") as weights:
        assert not [name for name in weights.keys() if "_orig_mod" in name]  # noqa: SIM118
    fresh = make_training({})
    checkpoint.read(tmp_path / "run/checkpoints/last").load_into(fresh.task)


def test_shared_weights_are_saved(tmp_path):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 4)
            self.b = nn.Linear(4, 4)
            self.b.weight = self.a.weight

    model = Tied()
    checkpoint.save(tmp_path / "tied", HEADER, model)
    other = Tied()
    checkpoint.read(tmp_path / "tied").load_into(other)
    assert torch.equal(other.b.weight, model.a.weight)


def test_half_precision_for_shipping_is_read_into_full(tmp_path):
    checkpoint.save(tmp_path / "half", HEADER, network(0.1), half=True)
    with safe_open(tmp_path / "half" / "model.safetensors", framework="pt") as weights:
        assert weights.get_tensor("weight").dtype == torch.float16
    model = network(0)
    checkpoint.read(tmp_path / "half").load_into(model)
    assert model.weight.dtype == torch.float32
    assert model.weight[0, 0].item() == pytest.approx(0.1, rel=1e-3)


class TestAtomic:
    def test_replaces_the_one_before_and_leaves_nothing_beside(self, tmp_path):
        for value in (1, 2, 3):
            checkpoint.save(tmp_path / "last", HEADER, network(value))
        assert value_of(tmp_path / "last") == 3
        assert [path.name for path in tmp_path.iterdir()] == ["last"]

    @pytest.mark.parametrize("nth", range(1, 12))
    def test_killed_anywhere_leaves_the_old_or_the_new_one(self, tmp_path, monkeypatch, nth):
        """Die at the nth call of whatever changes the disk; read; then save again."""
        folder = tmp_path / "last"
        checkpoint.save(folder, HEADER, network(1), {"x": 1})

        class Killed(BaseException):
            pass

        calls = 0
        remove = shutil.rmtree

        def dies(function):
            def wrapper(*args, **kwargs):
                nonlocal calls
                calls += 1
                if calls == nth:
                    if function is remove and Path(args[0]).is_dir():
                        max(Path(args[0]).iterdir()).unlink()  # in the midst of it
                    raise Killed
                return function(*args, **kwargs)

            return wrapper

        with monkeypatch.context() as patch:
            patch.setattr(checkpoint, "save_model", dies(checkpoint.save_model))
            patch.setattr(checkpoint.torch, "save", dies(torch.save))
            patch.setattr(checkpoint, "fsync_path", dies(checkpoint.fsync_path))
            patch.setattr(Path, "rename", dies(Path.rename))
            patch.setattr(Path, "write_text", dies(Path.write_text))
            patch.setattr(checkpoint.shutil, "rmtree", dies(remove))
            with pytest.raises(Killed):
                checkpoint.save(folder, HEADER, network(2), {"x": 2})
        value = value_of(folder)
        assert value in (1, 2)
        assert checkpoint.read(folder).trainer()["x"] == value, "parts of two checkpoints"
        checkpoint.save(folder, HEADER, network(3), {"x": 3})
        assert value_of(folder) == 3
        assert [path.name for path in tmp_path.iterdir()] == ["last"]

    def test_killed_between_the_renames_and_then_a_full_disk(self, tmp_path, monkeypatch):
        checkpoint.save(tmp_path / "last", HEADER, network(1))
        checkpoint.save(tmp_path / "other", HEADER, network(2))
        (tmp_path / "last").rename(tmp_path / "last.old")
        (tmp_path / "other").rename(tmp_path / "last.new")
        assert value_of(tmp_path / "last") == 2

        def full(*arguments):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(checkpoint, "save_model", full)
        with pytest.raises(CheckpointError):
            checkpoint.save(tmp_path / "last", HEADER, network(3))
        assert value_of(tmp_path / "last") == 2

    def test_recovered_run_is_resumed_by_the_command(self, make_training, tmp_path, invoke):
        make_training({"train.epochs": 1}, tmp_path / "run").run()
        last = tmp_path / "run" / "checkpoints" / "last"
        last.rename(last.with_name("last.old"))
        result = invoke("train", "tiny-vae", "--run", tmp_path / "run", "--resume", "--epochs", 2)
        assert result.code == 0, result.err
        assert not last.with_name("last.old").exists()
        assert invoke("evaluate", tmp_path / "run").code == 0


class TestFullDisk:
    @pytest.mark.parametrize("where", ["save_model", "fsync_path"])
    def test_leaves_the_one_before_untouched(self, tmp_path, monkeypatch, where):
        folder = tmp_path / "last"
        checkpoint.save(folder, HEADER, network(1))

        def full(*arguments):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(checkpoint, where, full)
        with pytest.raises(CheckpointError, match=r"No space left.*the one before is untouched"):
            checkpoint.save(folder, HEADER, network(2))
        monkeypatch.undo()
        assert value_of(folder) == 1
        assert [path.name for path in tmp_path.iterdir()] == ["last"]

    @pytest.mark.parametrize("kib", [1, 100, 300])
    def test_file_that_cannot_grow(self, tmp_path, kib):
        """A real failure of the system's: weights, or the trainer's state, beyond a limit."""
        folder = tmp_path / "last"
        big = network(1, 256)  # 257 KiB
        checkpoint.save(folder, HEADER, big)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (kib * 1024, limits[1]))
        try:
            with pytest.raises(CheckpointError, match=r"cannot be written: .*untouched") as caught:
                checkpoint.save(folder, HEADER, network(2, 256), {"x": torch.zeros(256, 512)})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert "\n" not in str(caught.value)
        other = network(0, 256)
        checkpoint.read(folder).load_into(other)
        assert torch.equal(other.weight, big.weight)
        assert [path.name for path in tmp_path.iterdir()] == ["last"]

    def test_disk_that_is_really_full(self, tmp_path):
        mounted = tmp_path / "small"
        mounted.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(mounted)], capture_output=True
        )
        if done.returncode:
            pytest.skip("mounting is not permitted")
        try:
            folder = mounted / "last"
            checkpoint.save(folder, HEADER, network(1, 256))
            with pytest.raises(CheckpointError, match=r"cannot be written: .*untouched"):
                checkpoint.save(folder, HEADER, network(2, 256))
            other = network(0, 256)
            checkpoint.read(folder).load_into(other)
            assert other.weight[0, 0] == 1
        finally:
            subprocess.run(["umount", str(mounted)], check=True)

    def test_training_ends_with_one_line(self, tmp_path, invoke, monkeypatch):
        def full(*arguments):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(checkpoint, "save_model", full)
        result = invoke("train", "tiny-vae", "--run", tmp_path / "run")
        assert result.code == 1
        assert result.err.splitlines()[-1].startswith("aeplug: error: checkpoint ")
        assert "No space left on device" in result.err and "Traceback" not in result.err


class TestDamage:
    @pytest.fixture
    def copy(self, trained, tmp_path) -> Path:
        shutil.copytree(trained / "checkpoints" / "last", tmp_path / "copy")
        return tmp_path / "copy"

    def refused(self, folder, plugins, *parts):
        with pytest.raises(CheckpointError) as caught:
            load(folder, device="cpu", plugins=plugins)
        text = str(caught.value)
        assert "\n" not in text
        for part in (*parts, str(folder)):
            assert part in text, text

    def test_one_bit(self, copy, plugins):
        path = copy / "model.safetensors"
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        self.refused(copy, plugins, "damaged or was altered", "sha256")

    def test_cut_off(self, copy, plugins):
        path = copy / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-10])
        self.refused(copy, plugins, "damaged or was altered")

    def test_weights_gone(self, copy, plugins):
        (copy / "model.safetensors").unlink()
        self.refused(copy, plugins, "model.safetensors is missing")

    def test_weights_of_another_model(self, copy, plugins):
        checkpoint.save(copy, json.loads((copy / "config.json").read_text()), network(1))
        self.refused(copy, plugins, "does not fit the model")

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1}'])
    def test_header(self, copy, plugins, text):
        (copy / "config.json").write_text(text)
        self.refused(copy, plugins, "config.json")

    def test_newer_format_says_to_update(self, copy, plugins):
        header = json.loads((copy / "config.json").read_text())
        header.update(format=99, aeplug="7.0")
        (copy / "config.json").write_text(json.dumps(header))
        self.refused(copy, plugins, "format 99", "up to 1", "written by aeplug 7.0: update")

    def test_unknown_setting_of_another_version(self, copy, plugins):
        header = json.loads((copy / "config.json").read_text())
        header["config"]["train"]["magic"] = 1
        (copy / "config.json").write_text(json.dumps(header))
        self.refused(copy, plugins, "train.magic")


def test_missing_plug_in_says_what_to_install(trained, tmp_path):
    from aeplug.plugins import Plugins

    shutil.copytree(trained / "checkpoints" / "last", tmp_path / "copy")
    path = tmp_path / "copy" / "config.json"
    header = json.loads(path.read_text())
    header["plugins"] = {"core": "aeplug 0.1.0", "tiny": "their-package 1.2"}
    path.write_text(json.dumps(header))
    with pytest.raises(CheckpointError, match=r"needs the plug-in 'tiny' \(their-package 1.2\)"):
        load(tmp_path / "copy", device="cpu", plugins=Plugins())


def test_nothing_is_pickled(trained):
    """Neither classes nor functions are named in the state: only tensors and plain values."""
    import pickletools
    import zipfile

    with zipfile.ZipFile(trained / "checkpoints" / "last" / "trainer.pt") as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("data.pkl")]
        named = {
            argument
            for opcode, argument, _ in pickletools.genops(archive.read(name))
            if opcode.name == "GLOBAL"
        }
    assert named <= {
        "torch._utils _rebuild_tensor_v2",
        "torch FloatStorage",
        "collections OrderedDict",
    }


def test_environment_helper_drops_the_persons_settings(monkeypatch):
    monkeypatch.setenv("AEPLUG_BLOCK", "image")
    assert "AEPLUG_BLOCK" not in environment()
