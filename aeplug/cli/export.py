"""``aeplug export``."""

from __future__ import annotations

from pathlib import Path

import click

from aeplug.cli.options import checkpoint_option


@click.command()
@click.argument("model")
@click.option(
    "--out", required=True, type=click.Path(file_okay=False), help="Folder for the weights."
)
@click.option("--half", is_flag=True, help="Store in half precision: half the size.")
@checkpoint_option
def export(model: str, out: str, half: bool, checkpoint: str | None) -> None:
    """Write MODEL's weights without what only training needs: to share, or to ship in a plug-in.

    \b
    aeplug export runs/mnist-20260101-120000 --half --out weights/mnist

    The folder can be named wherever a model is wanted, and by a task's `weights`. Paths of this
    machine are left out: to evaluate a model that was trained on data of yours, give --data.
    """
    from aeplug import checkpoint as checkpoints
    from aeplug.console import say
    from aeplug.errors import FileError
    from aeplug.loading import load_model

    target = Path(out)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileError(f"--out {out} exists and is not empty; name a new folder")
    loaded = load_model(model, device="cpu", checkpoint_name=checkpoint or "")
    header = {key: value for key, value in loaded.header.items() if key != "weights_sha256"}
    section = dict(header["config"]["data"])
    header["data_left_out"] = bool(section.pop("path", ""))
    header["config"] = {**header["config"], "data": section}
    checkpoints.save(target, header, loaded.task, half=half)
    size = (target / checkpoints.WEIGHTS).stat().st_size
    say(f"{size / 1e6:.2f} MB of weights")
    click.echo(out)


COMMANDS = (export,)
