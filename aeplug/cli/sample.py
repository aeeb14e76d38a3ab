"""``aeplug sample``."""

from __future__ import annotations

from typing import Any

import click

from aeplug.cli.options import (
    FiniteRange,
    common_options,
    conditions_of,
    drawing_options,
    length_of,
    open_model,
    overwrite_option,
    prior_option,
    sampling_of,
)
from aeplug.cli.plugin_options import VerbCommand, resolve_options
from aeplug.inference.results import require_free, write_documents

#: Items that are drawn unless the user says how many, and whole documents.
ITEMS, WHOLE = 64, 4


@click.command(cls=VerbCommand)
@click.argument("model")
@click.option(
    "-n",
    "--count",
    type=click.IntRange(min=1),
    help=f"How many.  [default: {ITEMS}; of several pieces each {WHOLE}]",
)
@click.option(
    "--cond",
    multiple=True,
    metavar="CLASS|NAME=CLASS",
    help="Of which class: 6/8, or metre=6/8 where there are several conditions.",
)
@click.option(
    "--pieces",
    type=click.IntRange(min=1),
    help="Pieces of each item, by a prior over sequences: a whole document.  [default: 1]",
)
@prior_option
@click.option(
    "--spread",
    type=FiniteRange(min=0),
    help="Factor of the latents' distance from the middle of the prior: below 1 more typical.  "
    "[default: the task's own, or the root of the temperature]",
)
@drawing_options(greedy=False)
@overwrite_option
@common_options
def sample(
    model: str,
    count: int | None,
    cond: tuple[str, ...],
    pieces: int | None,
    spread: float | None,
    overwrite: bool,
    **values: Any,
) -> None:
    """Draw new items from MODEL: a run directory, or a task that ships weights.

    \b
    aeplug sample runs/mnist-vae-20260101-120000 -n 64 --seed 1 --out samples
    aeplug sample mnist-vae -n 16 --temperature 0.8 --out samples
    aeplug sample mnist --prior gmm --out samples
    aeplug sample melody-2bar --pieces 32 -n 4 --cond 6/8 --out tunes

    Writes one file an item and a sheet of all. The same seed gives the same items. A prior that
    is fitted and was not yet is fitted first, and kept. Items of several pieces come from the
    prior `sequence`, by which sections return; with another the pieces stand in a row as drawn.
    """
    from aeplug.inference.sample import sample_documents
    from aeplug.plots.gallery import draw_rows

    loaded, out = open_model(model, "sample", values)
    require_free(out, "samples.png", overwrite)
    sampling, seed = sampling_of(loaded, values), values.pop("seed")
    prior = values.pop("prior") or ""
    options = resolve_options(loaded, "sample", values)
    given = conditions_of(cond, loaded)
    length = length_of(loaded, pieces, options) or 1
    count = count or (WHOLE if length > 1 else ITEMS)
    documents = sample_documents(loaded, count, seed, sampling, given, prior, length, spread)
    digits = max(3, len(str(count)))
    for number, document in enumerate(documents, 1):
        document.name = f"sample-{number:0{digits}}"
    write_documents(loaded, documents, out, options, page="samples.png", overwrite=overwrite)
    title = f"{loaded.spec.name}: samples, seed {seed}"
    draw_rows(loaded, documents, out / "samples.png", title, length)
    click.echo(str(out / "samples.png"))
