"""``aeplug compare-pca``: a model beside PCA with equally many dimensions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aeplug.cli.options import (
    checkpoint_option,
    data_option,
    device_option,
    json_option,
    model_argument,
    overwrite_option,
    split_option,
)
from aeplug.cli.output import print_json
from aeplug.cli.reports import print_pca_comparison


@click.command("compare-pca")
@model_argument
@click.option(
    "--dims", type=click.IntRange(min=1), help="Components.  [default: as many as latents]"
)
@click.option("--label", default="", help="Label the probes predict.  [default: the data's first]")
@click.option(
    "--probes/--no-probes", default=True, show_default=True, help="Also fit k-NN and linear probes."
)
@data_option
@split_option
@click.option("--items", type=click.IntRange(min=1), help="Only the first so many items.")
@click.option("--out", type=click.Path(dir_okay=False), help="Also draw the curve, into this PNG.")
@overwrite_option
@json_option
@device_option
@checkpoint_option
def compare_pca(
    model: str,
    out: str | None,
    overwrite: bool,
    as_json: bool,
    checkpoint: str | None,
    **values: Any,
) -> None:
    """Compare MODEL with PCA of equally many dimensions.

    \b
    aeplug compare-pca mnist
    aeplug compare-pca mnist --dims 30 --json
    aeplug compare-pca melody-2bar --label collection --out curve.png

    The squared error is the sum over an item's values (pixels in 0..1; of tokens the one-hot
    form), averaged over items. Probes predict a label from the latents' means, from the components
    and from the values themselves, fitted on the training split. PCA is fitted there too, and
    needs no weights: a task that ships none is measured without its model.
    """
    picture = Path(out).expanduser() if out else None
    from aeplug import api
    from aeplug.plots import draw_error_curve
    from aeplug.runtime import check_picture

    if picture is not None:
        check_picture(picture, overwrite=overwrite)
    report = api.compare_pca(model, checkpoint=checkpoint or "", **values)
    if picture is not None:
        title = f"{report['task']}: PCA and the model, {report['items']} items"
        draw_error_curve(report, picture, title)
        report["picture"] = str(picture)
    show = print_json if as_json else print_pca_comparison
    show({"model": model, **report})
