"""``aeplug map``: the latent space as a picture."""

from __future__ import annotations

from typing import Any

import click

from aeplug.cli.options import (
    common_options,
    data_option,
    model_argument,
    open_model,
    read_conditions,
    seed_option,
    split_option,
)
from aeplug.cli.output import print_pictures


@click.command("map")
@model_argument
@click.option("--html", is_flag=True, help="One offline page to look around in, not pictures.")
@click.option("--colour", "--color", default="", help="Label to colour by.  [default: the first]")
@click.option(
    "--projection",
    type=click.Choice(["pca", "umap"]),
    default="pca",
    show_default=True,
    help="How to project more than two dimensions.",
)
@click.option(
    "--grid",
    type=click.IntRange(1, 60),
    help="Decoded points along each axis.  [default: 20; of what can be played, 6]",
)
@click.option("--cond", multiple=True, metavar="CLASS|NAME=CLASS", help="Class to decode under.")
@data_option
@split_option
@click.option(
    "--items",
    default=10_000,
    show_default=True,
    type=click.IntRange(min=3),
    help="At most so many, evenly spread over the split.",
)
@seed_option
@common_options
def map_(
    model: str,
    cond: tuple[str, ...],
    out: str,
    as_json: bool,
    device: str,
    checkpoint: str | None,
    **options: Any,
) -> None:
    """Draw the latent space of MODEL: where items lie in it, and what it decodes to.

    \b
    aeplug map mnist-vae --out maps/digits
    aeplug map melody-2bar --colour key --out maps/tunes
    aeplug map melody-2bar --html --out maps/tunes

    OUT gets scatter.png, the items of the test split coloured by a label, and manifold.png, a
    grid of points decoded at quantiles of the prior (without one: of the items). More than 2
    latents are projected to a plane by PCA or UMAP; the other dimensions are those of the nearest
    item. With --html it is map.html instead: pointing at an item shows it, and plays what can be
    played.
    """
    loaded, _ = open_model(model, "map", device, checkpoint)
    from aeplug.plots import draw_map

    pictures = draw_map(loaded, out, cond=read_conditions(cond, loaded), **options)
    print_pictures(pictures, as_json, model=model, task=loaded.spec.name)
