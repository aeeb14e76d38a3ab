"""A codec that is not for the data is refused before anything is trained."""

from __future__ import annotations

import pytest

from aeplug.errors import ConfigError
from aeplug.training.codec_fit import check_codec_fits


@pytest.mark.parametrize("codec", ["image", "photo"])
def test_a_codec_of_other_items(make_training, codec):
    trainer = make_training({"codec": codec})
    with pytest.raises(ConfigError, match=f"codec '{codec}' does not fit the items of the data"):
        check_codec_fits(trainer.config, trainer.task, trainer.prepare, trainer.val_split)


def test_the_tasks_own_codec_fits_and_leaves_no_trace_in_the_training(make_training):
    import torch

    trainer = make_training()
    before = torch.get_rng_state()
    check_codec_fits(trainer.config, trainer.task, trainer.prepare, trainer.val_split)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_item_that_no_file_holds_is_no_reason(make_training, monkeypatch):
    from aeplug.errors import FileError

    trainer = make_training()

    def refuse(codec, path):
        raise FileError("silence alone")

    monkeypatch.setattr(trainer.config.sections["codec"].factory, "read", refuse)
    check_codec_fits(trainer.config, trainer.task, trainer.prepare, trainer.val_split)


def test_the_command_says_so_and_makes_no_folder(invoke, tmp_path):
    run = tmp_path / "run"
    result = invoke("train", "tiny-vae", "--steps", 1, "--set", "codec=image", "--run", run)
    assert result.code == 1 and "codec 'image' does not fit" in result.err.splitlines()[-1]
    assert not run.exists()
