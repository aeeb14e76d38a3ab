"""A map as one page for a browser, offline: pointing at an item shows and plays it."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aeplug.errors import FileError
from aeplug.interfaces import Codec, Document, PicturedCodec, PlayableCodec, Split, supports
from aeplug.model.model import Model
from aeplug.plots.latent_map import LatentMap, Manifold, is_quantity, iter_item_documents
from aeplug.plots.scatter import number_classes, pick_class_colours, pick_scale_colours
from aeplug.runtime.files import atomic_write

TEMPLATE = "map_page.html"

#: Small pictures of a sheet, and side by side on it.
SHEET, COLUMNS = 500, 25
#: Colours of a scale.
SHADES = 24


def write_page(
    path: Path,
    model: Model,
    split: Split,
    items: LatentMap,
    manifold: Manifold,
    label: str,
    title: str,
) -> None:
    """Write the page: items of ``split`` in their plane, and the grid that was decoded.

    Pictures come of :class:`aeplug.interfaces.PicturedCodec`, sound of
    :class:`aeplug.interfaces.PlayableCodec`; without either it shows names and labels.

    Raises:
        FileError: it cannot be written.
    """
    low, high = items.points.min(0), items.points.max(0)
    scale = 1 / max(float((high - low).max()), 1e-9)
    item_view = {
        "heading": "Items",
        "caption": items.caption,
        # A hundred-thousandth of the map's width is finer than any screen.
        "x": np.round((items.points[:, 0] - low[0]) * scale, 5).tolist(),
        "y": np.round((items.points[:, 1] - low[1]) * scale, 5).tolist(),
        "names": items.names,
        "labels": {name: _describe_label(values) for name, values in items.labels.items()},
        "colour": label,
        **_render_documents(model.codec, iter_item_documents(model, split, items.rows)),
    }
    grid_view = {
        "heading": "Decoded",
        "caption": manifold.caption,
        "columns": manifold.columns,
        "names": [document.name for document in manifold.documents],
        "labels": {},
        **_render_documents(model.codec, manifold.documents),
    }
    data = json.dumps({"views": [item_view, grid_view]}, ensure_ascii=False, separators=(",", ":"))
    template = resources.files("aeplug.plots").joinpath(TEMPLATE).read_text(encoding="utf-8")
    # In one pass, and without a "<" that could end the element: names are anyone's.
    before, _, rest = template.partition("{{data}}")
    page = before.replace("{{title}}", html.escape(title))
    page += data.replace("<", "\\u003c") + rest
    try:
        # Names of files need not be text; such an escape is read by the page's own JSON.
        atomic_write(path, page.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}") from error


def _describe_label(values: npt.NDArray[np.generic]) -> dict[str, Any]:
    if is_quantity(values):
        numbers = np.asarray(values, np.float64)
        return {"values": np.round(numbers, 4).tolist(), "colours": pick_scale_colours(SHADES)}
    classes, numbers_of = number_classes(values)
    return {
        "values": numbers_of.tolist(),
        "classes": classes,
        "colours": pick_class_colours(len(classes)),
    }


def _render_documents(codec: Codec, documents: Iterable[Document]) -> dict[str, Any]:
    """Small pictures and notes, as far as the codec has them; one document at a time."""
    pictured = codec if supports(codec, PicturedCodec) else None
    playable = codec if supports(codec, PlayableCodec) else None
    pictures: list[npt.NDArray[np.uint8]] = []
    sheets: list[str] = []
    notes: list[list[int]] = []
    rendered: dict[str, Any] = {}
    for document in documents:
        if pictured is not None:
            pictures.append(pictured.thumbnail(document))
            height, width = pictures[0].shape[:2]
            rendered["pictures"] = {"width": width, "height": height, "sheets": sheets}
            rendered["pictures"] |= {"count": SHEET, "columns": COLUMNS}
            if len(pictures) == SHEET:
                sheets.append(_join_thumbnails(pictures))
                pictures = []
        if playable is not None:
            # Milliseconds, three numbers a note.
            played = playable.playable(document)
            notes.append([round(v) for b, d, p in played for v in (1000 * b, 1000 * d, p)])
            rendered["notes"] = notes
    if pictures:
        sheets.append(_join_thumbnails(pictures))
    return rendered


def _join_thumbnails(pictures: list[npt.NDArray[np.uint8]]) -> str:
    """Pictures ``(h, w, 3)`` in reading order on one PNG, as an address that holds it."""
    from PIL import Image

    height, width = pictures[0].shape[:2]
    lines = -(-len(pictures) // COLUMNS)
    page = np.zeros((lines * height, COLUMNS * width, 3), np.uint8)
    for number, picture in enumerate(pictures):
        top, left = number // COLUMNS * height, number % COLUMNS * width
        page[top : top + height, left : left + width] = picture
    is_grey = bool((page == page[..., :1]).all())
    image = Image.fromarray(np.ascontiguousarray(page[..., 0]) if is_grey else page)
    few = image.getcolors(256)
    if few is not None and not is_grey:
        image = image.quantize(len(few), dither=Image.Dither.NONE)
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
