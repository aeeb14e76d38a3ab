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

    The folder can be named wherever a model is wanted, and by a task's `weights`. Priors fitted
    to the model go with it. Paths of this machine are left out: to evaluate a model that was
    trained on data of yours, give --data.
    """
    from aeplug.api import load_model
    from aeplug.model.checkpoint import WEIGHTS
    from aeplug.runtime.console import say

    target = empty_folder(out)
    loaded = load_model(model, device="cpu", checkpoint_name=checkpoint or "")
    loaded.save(target, half=half)
    say(f"{(target / WEIGHTS).stat().st_size / 1e6:.2f} MB of weights")
    click.echo(out)


def empty_folder(out: str) -> Path:
    """The folder to write to.

    Raises:
        FileError: there is something in it.
    """
    from aeplug.errors import FileError

    target = Path(out).expanduser()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileError(f"--out {out} exists and is not empty; name a new folder")
    return target
