"""``aeplug map``: the latent space as a picture."""

from __future__ import annotations

from pathlib import Path

import click

from aeplug.cli.options import checkpoint_option, data_option, device_option, split_option
from aeplug.plugins import active
from aeplug.runtime.console import say


@click.command("map")
@click.argument("model")
@click.option(
    "--out", required=True, type=click.Path(file_okay=False), help="Folder for the results."
)
@click.option("--html", is_flag=True, help="One page to look around in, instead of pictures.")
@click.option("--colour", "--color", default="", help="Label to colour by.  [default: the first]")
@click.option(
    "--projection",
    type=click.Choice(["pca", "umap"]),
    default="pca",
    show_default=True,
    help="Of more than 2 latents to the plane.",
)
@click.option(
    "--grid",
    type=click.IntRange(1, 60),
    help="Decoded points along each axis.  [default: 20; of what can be played, 6]",
)
@click.option("--cond", multiple=True, help="NAME=CLASS to decode under.")
@data_option
@split_option
@click.option(
    "--items",
    default=10_000,
    show_default=True,
    type=click.IntRange(min=3),
    help="At most so many, evenly spread over the split.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**63 - 1),
    help="Of UMAP, and of the draws that give quantiles.",
)
@device_option
@checkpoint_option
def map_(
    model: str,
    out: str,
    html: bool,
    colour: str,
    projection: str,
    grid: int | None,
    cond: tuple[str, ...],
    data: str | None,
    split: str | None,
    items: int,
    seed: int,
    device: str,
    checkpoint: str | None,
) -> None:
    """Draw the latent space of MODEL: where items lie in it, and what it decodes to.

    \b
    aeplug map mnist-vae --out maps/digits
    aeplug map melody-2bar --colour key --out maps/tunes
    aeplug map melody-2bar --html --out maps/tunes

    OUT gets scatter.png, the items of the test split coloured by a label, and manifold.png, a
    grid of points decoded at quantiles of the prior (without one: of the items). More than 2
    latents are brought to a plane by PCA or UMAP, and decoding leaves the other dimensions as the
    nearest item has them. With --html it is map.html: pointing at an item shows it, and plays
    what can be played.
    """
    from aeplug.api import load_model
    from aeplug.cli.options import conditions_of
    from aeplug.data.opening import choose_split
    from aeplug.interfaces import PlayableCodec
    from aeplug.model.dataset import evaluation_dataset
    from aeplug.plots.latent_map import colour_label, decode_manifold, place_items

    folder = Path(out).expanduser()
    loaded = load_model(model, device=device, checkpoint_name=checkpoint or "")
    _ = loaded.latent_size  # before data that it might be of no use to name
    given = conditions_of(cond, loaded)
    dataset = evaluation_dataset(loaded, data, active())
    name = split or ("all" if data else "test")
    chosen = choose_split(dataset, name)
    found, plane, latents = place_items(loaded, dataset, chosen, name, items, projection, seed)
    label = colour_label(found, colour)
    size = grid or (6 if isinstance(loaded.codec, PlayableCodec) else 20)
    manifold = decode_manifold(loaded, plane, found, latents, size, given, seed)
    say(f"{len(found.points)} items: {found.caption}; decoded: {manifold.caption}")
    title = f"{loaded.spec.name}: {len(found.points)} items of '{name}'"
    folder.mkdir(parents=True, exist_ok=True)
    if html:
        from aeplug.plots.map_page import write_page

        write_page(folder / "map.html", loaded, chosen, found, manifold, label, title)
        click.echo(str(folder / "map.html"))
        return
    from aeplug.plots.scatter import draw_scatter

    draw_scatter(found, label, folder / "scatter.png", title)
    click.echo(str(folder / "scatter.png"))
    for document in manifold.documents:
        document.name = ""
    rows = [("", row) for row in manifold.rows]
    loaded.codec.sheet(
        rows, folder / "manifold.png", f"{loaded.spec.name}, decoded: {manifold.caption}"
    )
    click.echo(str(folder / "manifold.png"))
