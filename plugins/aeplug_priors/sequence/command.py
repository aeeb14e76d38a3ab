"""``aeplug continue``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aeplug.cli import (
    VerbCommand,
    change_option,
    common_options,
    conditions_of,
    drawing_options,
    length_of,
    open_model,
    overwrite_option,
    resolve_options,
    sampling_of,
)
from aeplug.inference import require_free, write_documents
from aeplug.runtime import say

#: Pieces that are added unless the user says how many.
PIECES = 8
#: The sheet of them.
PAGE = "continuations.png"


@click.command("continue", cls=VerbCommand)
@click.argument("model")
@click.argument("input", type=click.Path())
@click.option(
    "-n", "--count", default=4, show_default=True, type=click.IntRange(min=1), help="How many."
)
@click.option(
    "--pieces",
    type=click.IntRange(min=1),
    help=f"Pieces to add, after which the document ends.  [default: {PIECES}]",
)
@change_option
@drawing_options(greedy=False)
@overwrite_option
@common_options
def continue_(
    model: str,
    input: str,
    count: int,
    pieces: int | None,
    cond: tuple[str, ...],
    overwrite: bool,
    **values: Any,
) -> None:
    """Let a file go on by MODEL: what MODEL reads of it, and behind it what is new.

    \b
    aeplug continue melody-2bar tune.mid -n 4 --out more
    aeplug continue melody-2bar tune.mid --pieces 16 --seed 3 --out more

    Of music that is the melody, in one loudness; what else the file has is named and left out.
    What follows may take up what was there, and comes to an end where it is told to. It is drawn
    from the prior `sequence` (see fit-prior). Writes one file a continuation and a sheet with the
    input first.
    """
    loaded, out = open_model(model, "continue", values)
    sampling, seed = sampling_of(loaded, values), values.pop("seed")
    options = resolve_options(loaded, "continue", values)
    loaded = loaded.with_options(options)
    require_free(out, PAGE, overwrite)
    length = length_of(loaded, pieces, options) or PIECES
    original = loaded.read(Path(input))
    if original.left_out:
        say(f"{input}: {original.left_out} left out; results have what '{loaded.spec.name}' reads")
    to = conditions_of(cond, loaded)
    from aeplug_priors.sequence.continuation import continue_documents

    documents = continue_documents(loaded, original, count, length, seed, sampling, to)
    digits = max(2, len(str(count)))
    for number, document in enumerate(documents, 1):
        document.name = f"{Path(input).stem}-continued-{number:0{digits}}"
    inputs = [Path(input)]
    write_documents(loaded, documents, out, options, inputs, PAGE, overwrite)
    title = f"{loaded.spec.name}: {Path(input).name}, continued"
    rows = [("input", [original]), *(("", [document]) for document in documents)]
    loaded.codec.sheet(rows, out / PAGE, title)
    click.echo(str(out / PAGE))
