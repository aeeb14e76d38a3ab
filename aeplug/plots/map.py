"""The latent space of a model drawn into a folder, as two pictures or as one page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from aeplug.data.opening import choose_split
from aeplug.interfaces import PlayableCodec, supports
from aeplug.model.dataset import evaluation_dataset
from aeplug.model.model import Model
from aeplug.plots.latent_map import PCA, choose_label, decode_manifold, place_items
from aeplug.plots.map_page import write_page
from aeplug.plots.scatter import draw_scatter
from aeplug.plugins import active
from aeplug.runtime.console import say
from aeplug.runtime.files import require_absent
from aeplug.runtime.tracking import show_progress

#: Decoded points along each axis, and of documents that can be played.
GRID, PLAYABLE_GRID = 20, 6


def draw_map(
    model: Model,
    out: str | Path,
    *,
    html: bool = False,
    colour: str = "",
    projection: str = PCA,
    grid: int | None = None,
    cond: Mapping[str, Any] | None = None,
    data: str | Path | None = None,
    split: str | None = None,
    items: int = 10_000,
    seed: int = 0,
    overwrite: bool = False,
) -> list[Path]:
    """Draw where items lie in the latent space, and what it decodes to.

    Args:
        model: with a vector as its latent.
        out: folder for ``scatter.png`` and ``manifold.png``, or for ``map.html``.
        html: one page to look around in, instead of the pictures.
        colour: label to colour by; by default the first.
        projection: ``pca`` or ``umap``, of more than two dimensions.
        grid: decoded points along each axis; by default 20, of what can be played 6.
        cond: classes to decode under, condition's name -> class.
        data: your own files as the data set, instead of what the model was trained with.
        split: of the data set; by default ``test``, of your own data ``all``.
        items: at most so many, evenly spread over the split.
        seed: of UMAP, and of the draws that give quantiles.
        overwrite: replace pictures that are there already.

    Returns:
        What was drawn.

    Raises:
        ConfigError: the latent is no vector, there is no such label or split, or a picture is
            there already.
        AeplugError: UMAP is asked for and not installed.

    Example:
        >>> [path.name for path in draw_map(model, "map", items=100, grid=4)]
        ['scatter.png', 'manifold.png']
    """
    folder = Path(out).expanduser()
    names = ("map.html",) if html else ("scatter.png", "manifold.png")
    pictures = [folder / name for name in names]
    for picture in pictures:
        require_absent(picture, overwrite=overwrite)
    _ = model.latent_size  # before data that it might be of no use to name
    dataset = evaluation_dataset(model, None if data is None else str(data), active())
    name = split or ("test" if data is None else "all")
    chosen = choose_split(dataset, name)
    with show_progress("embedding"):
        placed, plane, latents = place_items(model, dataset, chosen, name, items, projection, seed)
    label = choose_label(placed, colour)
    size = grid or (PLAYABLE_GRID if supports(model.codec, PlayableCodec) else GRID)
    manifold = decode_manifold(model, plane, placed, latents, size, cond or {}, seed)
    say(f"{len(placed.points)} items: {placed.caption}; decoded: {manifold.caption}")
    title = f"{model.spec.name}: {len(placed.points)} items of '{name}'"
    folder.mkdir(parents=True, exist_ok=True)
    if html:
        write_page(pictures[0], model, chosen, placed, manifold, label, title)
        return pictures
    draw_scatter(placed, label, pictures[0], title)
    rows = [("", [replace(document, name="") for document in row]) for row in manifold.rows]
    title = f"{model.spec.name}, decoded grid: {manifold.caption}"
    model.codec.sheet(rows, pictures[1], title)
    return pictures
