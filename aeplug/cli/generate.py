"""``aeplug sample``, ``interpolate`` and ``vary``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aeplug.cli.options import (
    FiniteRange,
    VerbCommand,
    change_option,
    common_options,
    conditions_of,
    drawing_options,
    length_of,
    numbers_of,
    open_model,
    overwrite_option,
    prior_option,
    resolve_options,
    sampling_of,
)
from aeplug.errors import ConfigError, FileError
from aeplug.runtime.console import say

if TYPE_CHECKING:
    from aeplug.inference.generation import Model
    from aeplug.interfaces import Document, Sampling

#: Items that are drawn unless the user says how many, and whole documents.
ITEMS, WHOLE = 64, 4


def write_documents(
    model: Model,
    documents: Iterable[Document],
    out: Path,
    options: Mapping[str, Any],
    inputs: Sequence[Path] = (),
    page: str = "",
    overwrite: bool = False,
) -> None:
    """Write documents into ``out`` and say so in one line; never over one of ``inputs``.

    ``page`` is the name of a sheet that the caller is going to draw there. Over what else is
    there only to ``overwrite``.
    """
    documents = list(documents)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"--out {out}: {error.strerror}") from error
    if page and (out / page).resolve() in {path.resolve() for path in inputs}:
        raise ConfigError(f"--out {out} would replace the input {page} by a sheet; name another")
    kept = {path.resolve().with_suffix("") for path in inputs}
    for document in documents:
        if (out / document.name).resolve() in kept:
            raise ConfigError(f"--out {out} would replace the input {document.name}; name another")
    require_free(out, page, overwrite, {document.name for document in documents})
    written: list[Path] = []
    for document in documents:
        written += model.codec.write(document, out / document.name, options)
    if len(written) == 1:
        say(f"wrote {written[0]}")
    elif written:
        say(f"wrote {len(written)} files, {written[0]} to {written[-1].name}")


def require_free(
    out: Path, page: str, overwrite: bool, names: Collection[str] = frozenset()
) -> None:
    """Refuse to replace results: the sheet ``page``, and files of these names without suffix.

    Raises:
        ConfigError: there is one, and it is not to be replaced.
        FileError: the folder cannot be listed.
    """
    try:
        there = [] if overwrite or not out.is_dir() else sorted(out.iterdir())
    except OSError as error:
        raise FileError(f"--out {out}: {error.strerror}") from error
    for path in there:
        if path.name == page or path.stem in names:
            raise ConfigError(
                f"{path} is there already; give --overwrite to replace it, or name another --out"
            )


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
    from aeplug.plots.gallery import draw_rows

    loaded, out = open_model(model, "sample", values)
    require_free(out, "samples.png", overwrite)
    sampling, seed = sampling_of(loaded, values), values.pop("seed")
    prior = values.pop("prior") or ""
    options = resolve_options(loaded, "sample", values)
    given = conditions_of(cond, loaded)
    length = length_of(loaded, pieces, options) or 1
    count = count or (WHOLE if length > 1 else ITEMS)
    documents = loaded.sample_documents(count, seed, sampling, given, prior, length, spread)
    digits = max(3, len(str(count)))
    for number, document in enumerate(documents, 1):
        document.name = f"sample-{number:0{digits}}"
    write_documents(loaded, documents, out, options, page="samples.png", overwrite=overwrite)
    title = f"{loaded.spec.name}: samples, seed {seed}"
    draw_rows(loaded, documents, out / "samples.png", title, length)
    click.echo(str(out / "samples.png"))


@click.command(cls=VerbCommand)
@click.argument("model")
@click.argument("inputs", metavar="A B [C D]", nargs=-1, required=True, type=click.Path())
@click.option(
    "--steps",
    type=click.IntRange(min=2),
    help="Results, the ends included; of a grid, along each side.  [default: 9; of a grid 6]",
)
@drawing_options(greedy=True)
@overwrite_option
@common_options
def interpolate(
    model: str, inputs: tuple[str, ...], steps: int | None, overwrite: bool, **values: Any
) -> None:
    """Walk through MODEL's latent space from file A to file B, or over the grid of four.

    \b
    aeplug interpolate mnist-vae three.png eight.png --steps 9 --out morph
    aeplug interpolate melody-2bar one.mid two.mid --out morph
    aeplug interpolate mnist 0.png 3.png 6.png 9.png --steps 8 --out grid

    Writes one file a step and a strip of all; with four files, which stand at the corners of a
    grid (A top left, B top right, C and D below), one a place, and the grid. Between Gaussian
    posteriors the way is spherical, between plain codes straight. Of two tunes the longer is cut
    to the shorter, and where their metres differ the metre changes half way.
    """
    if len(inputs) not in (2, 4):
        raise click.UsageError(
            f"2 files are the ends of a line, 4 the corners of a grid; got {len(inputs)}"
        )
    loaded, out = open_model(model, "interpolate", values)
    sampling = sampling_of(loaded, values)
    values.pop("seed")
    options = resolve_options(loaded, "interpolate", values)
    loaded = loaded.asked(options)
    paths = [Path(one) for one in inputs]
    read = [loaded.read(path) for path in paths]
    draw = _grid if len(read) == 4 else _line
    rows, also = draw(loaded, read, steps, sampling)
    made = [*(one for row in rows for one in row), *also]
    write_documents(loaded, made, out, options, paths, "interpolation.png", overwrite)
    title = f"{loaded.spec.name}: {' to '.join(path.stem for path in paths)}"
    if len(read) == 4:
        title = f"{loaded.spec.name}: between {', '.join(path.stem for path in paths)}"
        for document in (one for row in rows for one in row):
            document.name = ""  # the place in the grid says it
    loaded.codec.sheet([("", row) for row in rows], out / "interpolation.png", title)
    click.echo(str(out / "interpolation.png"))


def _line(
    model: Model, ends: list[Document], steps: int | None, sampling: Sampling
) -> tuple[list[list[Document]], list[Document]]:
    """One row from end to end, named by step, and what plays it."""
    steps = steps or 9
    documents = model.interpolate_documents(ends[0], ends[1], steps, sampling)
    digits = max(2, len(str(steps)))
    for number, document in enumerate(documents, 1):
        document.name = f"step-{number:0{digits}}"
    return [documents], _in_a_row(model, documents)


def _grid(
    model: Model, corners: list[Document], steps: int | None, sampling: Sampling
) -> tuple[list[list[Document]], list[Document]]:
    """The rows between four corners, named by row and column, from 1."""
    from aeplug.inference.interpolate import interpolate_grid

    steps = steps or 6
    rows = interpolate_grid(model, corners, steps, sampling)
    digits = max(2, len(str(steps)))
    for y, row in enumerate(rows, 1):
        for x, document in enumerate(row, 1):
            document.name = f"row-{y:0{digits}}-column-{x:0{digits}}"
    return rows, []


@click.command(cls=VerbCommand)
@click.argument("model")
@click.argument("input", type=click.Path())
@click.option(
    "-n", "--count", default=6, show_default=True, type=click.IntRange(min=1), help="How many."
)
@click.option(
    "--similarity",
    type=FiniteRange(0, 1),
    help="1: as near as the model can; 0: drawn from the prior.  [default: 0.8]",
)
@click.option(
    "--sigma",
    metavar="S[,S]...",
    help="Instead: add noise of this standard deviation to the latents, in their own units (a "
    "variational model's prior has 1); of several, COUNT each, in a row each. Needs no prior.",
)
@prior_option
@change_option
@drawing_options(greedy=True)
@overwrite_option
@common_options
def vary(
    model: str,
    input: str,
    count: int,
    similarity: float | None,
    sigma: str | None,
    cond: tuple[str, ...],
    overwrite: bool,
    **values: Any,
) -> None:
    """Make variations of a file by MODEL.

    \b
    aeplug vary melody-2bar tune.mid --similarity 0.8 -n 6 --out variations
    aeplug vary mnist-vae seven.png -n 12 --out variations
    aeplug vary mnist seven.png --sigma 0,0.5,1,2 --out noisy
    aeplug vary mnist-cvae seven.png --cond 8 --similarity 1 -n 1 --out as-eight

    Writes one file a variation and a sheet with the input first.
    """
    from aeplug.priors.mixture import SEQUENCE

    if sigma is not None and similarity is not None:
        raise click.UsageError("--sigma and --similarity exclude each other")
    sigmas = numbers_of("--sigma", sigma, minimum=0) if sigma is not None else []
    if sigmas and values["prior"]:
        raise click.UsageError("--sigma needs no --prior")
    if values["prior"] == SEQUENCE:
        raise ConfigError(
            "--prior sequence makes whole documents, of which a variation has no use: expected "
            "another prior; `aeplug continue` lets a file go on by this one"
        )
    loaded, out = open_model(model, "reconstruct" if sigmas else "vary", values)
    sampling, seed = sampling_of(loaded, values), values.pop("seed")
    prior = values.pop("prior") or ""
    options = resolve_options(loaded, "vary", values)
    loaded = loaded.asked(options)
    to = conditions_of(cond, loaded)
    original = loaded.read(Path(input))
    stem = Path(input).stem
    digits = max(2, len(str(count)))
    rows: list[tuple[str, list[Document]]] = []
    if sigmas:
        from aeplug.inference.vary import noisy_documents

        noisy = noisy_documents(loaded, original, sigmas, count, seed, sampling, to)
        for one, documents in zip(sigmas, noisy, strict=True):
            for number, document in enumerate(documents, 1):
                document.name = f"{stem}-sigma-{one:g}-{number:0{digits}}"
            rows.append((f"sigma {one:g}", documents))
    else:
        chosen = 0.8 if similarity is None else similarity
        documents = loaded.vary_document(original, count, chosen, seed, sampling, to, prior)
        for number, document in enumerate(documents, 1):
            document.name = f"{stem}-variation-{number:0{digits}}"
        rows = [
            ("variations" if start == 0 else "", documents[start : start + 6])
            for start in range(0, len(documents), 6)
        ]
    made = [one for _, row in rows for one in row]
    write_documents(loaded, made, out, options, [Path(input)], "variations.png", overwrite)
    title = f"{loaded.spec.name}: {Path(input).name}"
    loaded.codec.sheet([("input", [original]), *rows], out / "variations.png", title)
    click.echo(str(out / "variations.png"))


def _in_a_row(model: Model, documents: list[Document]) -> list[Document]:
    """One document that plays the others in a row, where the codec knows how."""
    chain = getattr(model.codec, "chain", None)
    return [chain(documents, "all-steps")] if chain else []
