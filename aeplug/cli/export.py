"""``aeplug export``."""

from __future__ import annotations

import click

from aeplug.cli.options import checkpoint_option, json_option, model_argument, open_model
from aeplug.cli.output import print_path
from aeplug.cli.progress import show_stage


@click.command()
@model_argument
@click.option(
    "--out", required=True, type=click.Path(file_okay=False), help="New folder for the weights."
)
@click.option("--half", is_flag=True, help="Store in half precision: half the size.")
@json_option
@checkpoint_option
def export(model: str, out: str, half: bool, as_json: bool, checkpoint: str | None) -> None:
    """Write MODEL's weights without what only training needs: to share, or to ship in a plug-in.

    \b
    aeplug export runs/mnist-20260101-120000 --half --out weights/mnist

    The folder can be named wherever a model is expected, and by a task's `weights`. Priors fitted
    to the model go with it. Paths of this machine are left out: to evaluate a model that was
    trained on data of your own, give --data.
    """
    from aeplug.model.checkpoint import WEIGHTS
    from aeplug.runtime.files import require_new_folder

    target = require_new_folder(out)
    loaded, _ = open_model(model, "export", "cpu", checkpoint)
    with show_stage("writing", "folder"):
        loaded.save(target, half=half)
    megabytes = (target / WEIGHTS).stat().st_size / 1e6
    print_path(target, f"{megabytes:.2f} MB of weights", as_json, model=model, megabytes=megabytes)
