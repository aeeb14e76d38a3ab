"""A map as one page that needs nothing but a browser: pointing at an item shows and plays it."""

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
from aeplug.plots.latent_map import Manifold, Map, documents_of, is_quantity
from aeplug.plots.scatter import class_colours, classes_of, scale_colours

TEMPLATE = "map_page.html"

#: Small pictures of a sheet, and side by side on it.
SHEET, COLUMNS = 500, 25
#: Colours of a scale.
SHADES = 24


def write_page(
    path: Path,
    model: Model,
    split: Split,
    found: Map,
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
    low, high = found.points.min(0), found.points.max(0)
    scale = 1 / max(float((high - low).max()), 1e-9)
    items = {
        "heading": "Items",
        "caption": found.caption,
        # A hundred-thousandth of the map's width is finer than any screen.
        "x": np.round((found.points[:, 0] - low[0]) * scale, 5).tolist(),
        "y": np.round((found.points[:, 1] - low[1]) * scale, 5).tolist(),
        "names": found.names,
        "labels": {name: _label(values) for name, values in found.labels.items()},
        "colour": label,
        **_shown(model.codec, documents_of(model, split, found.rows)),
    }
    grid = {
        "heading": "Decoded",
        "caption": manifold.caption,
        "columns": manifold.columns,
        "names": [document.name for document in manifold.documents],
        "labels": {},
        **_shown(model.codec, manifold.documents),
    }
    data = json.dumps({"views": [items, grid]}, ensure_ascii=False, separators=(",", ":"))
    template = resources.files("aeplug.plots").joinpath(TEMPLATE).read_text(encoding="utf-8")
    # In one pass, and without a "<" that could end the element: names are anyone's.
    before, _, rest = template.partition("{{data}}")
    page = before.replace("{{title}}", html.escape(title))
    page += data.replace("<", "\\u003c") + rest
    try:
        path.write_text(page, encoding="utf-8", errors="replace")
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}") from error


def _label(values: npt.NDArray[np.generic]) -> dict[str, Any]:
    if is_quantity(values):
        numbers = np.asarray(values, np.float64)
        return {"values": np.round(numbers, 4).tolist(), "colours": scale_colours(SHADES)}
    classes, numbers_of = classes_of(values)
    return {
        "values": numbers_of.tolist(),
        "classes": classes,
        "colours": class_colours(len(classes)),
    }


def _shown(codec: Codec, documents: Iterable[Document]) -> dict[str, Any]:
    """Small pictures and notes, as far as the codec has them; one document at a time."""
    pictured = codec if supports(codec, PicturedCodec) else None
    playable = codec if supports(codec, PlayableCodec) else None
    pictures: list[npt.NDArray[np.uint8]] = []
    sheets: list[str] = []
    notes: list[list[int]] = []
    found: dict[str, Any] = {}
    for document in documents:
        if pictured is not None:
            pictures.append(pictured.thumbnail(document))
            height, width = pictures[0].shape[:2]
            found["pictures"] = {"width": width, "height": height, "sheets": sheets}
            found["pictures"] |= {"count": SHEET, "columns": COLUMNS}
            if len(pictures) == SHEET:
                sheets.append(_sheet(pictures))
                pictures = []
        if playable is not None:
            # Milliseconds, three numbers a note.
            played = playable.playable(document)
            notes.append([round(v) for b, d, p in played for v in (1000 * b, 1000 * d, p)])
            found["notes"] = notes
    if pictures:
        sheets.append(_sheet(pictures))
    return found


def _sheet(pictures: list[npt.NDArray[np.uint8]]) -> str:
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
