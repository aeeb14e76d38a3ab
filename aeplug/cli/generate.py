"""``aeplug sample``, ``interpolate`` and ``vary``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aeplug.cli.options import (
    FiniteRange,
    VerbCommand,
    common_options,
    conditions_of,
    drawing_options,
    given_options,
    open_model,
    sampling_of,
)
from aeplug.console import say
from aeplug.errors import ConfigError, FileError

if TYPE_CHECKING:
    from aeplug.generation import Model
    from aeplug.interfaces import Document


def _write(
    model: Model,
    documents: Iterable[Document],
    out: Path,
    options: Mapping[str, Any],
    inputs: Sequence[Path] = (),
) -> None:
    """Write documents into ``out`` and say so in one line; never over one of ``inputs``."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"--out {out}: {error.strerror}") from error
    kept = {path.resolve().with_suffix("") for path in inputs}
    written: list[Path] = []
    for document in documents:
        stem = out / document.name
        if stem.resolve() in kept:
            raise ConfigError(f"--out {out} would replace the input {stem.name}; name another")
        written += model.codec.write(document, stem, options)
    if len(written) == 1:
        say(f"wrote {written[0]}")
    elif written:
        say(f"wrote {len(written)} files, {written[0]} to {written[-1].name}")


@click.command(cls=VerbCommand)
@click.argument("model")
@click.option(
    "-n", "--count", default=64, show_default=True, type=click.IntRange(min=1), help="How many."
)
@click.option(
    "--cond",
    multiple=True,
    metavar="CLASS|NAME=CLASS",
    help="Of which class: 6/8, or metre=6/8 where there are several conditions.",
)
@drawing_options(greedy=False)
@common_options
def sample(model: str, count: int, cond: tuple[str, ...], **values: Any) -> None:
    """Draw new items from MODEL: a run directory, or a task that ships weights.

    \b
    aeplug sample runs/mnist-vae-20260101-120000 -n 64 --seed 1 --out samples
    aeplug sample mnist-vae -n 16 --temperature 0.8 --out samples

    Writes one file an item and a sheet of all. The same seed gives the same items.
    """
    from aeplug.gallery import draw_rows

    loaded, out = open_model(model, "sample", values)
    sampling, seed = sampling_of(loaded, values), values.pop("seed")
    options = given_options(loaded, "sample", values)
    documents = loaded.sample_documents(count, seed, sampling, conditions_of(cond, loaded))
    digits = max(3, len(str(count)))
    for number, document in enumerate(documents, 1):
        document.name = f"sample-{number:0{digits}}"
    _write(loaded, documents, out, options)
    draw_rows(loaded, documents, out / "samples.png", f"{loaded.spec.name}: samples, seed {seed}")
    click.echo(str(out / "samples.png"))


@click.command(cls=VerbCommand)
@click.argument("model")
@click.argument("a", type=click.Path())
@click.argument("b", type=click.Path())
@click.option(
    "--steps",
    default=9,
    show_default=True,
    type=click.IntRange(min=2),
    help="Results, the two ends included.",
)
@drawing_options(greedy=True)
@common_options
def interpolate(model: str, a: str, b: str, steps: int, **values: Any) -> None:
    """Walk through MODEL's latent space from file A to file B.

    \b
    aeplug interpolate mnist-vae three.png eight.png --steps 9 --out morph
    aeplug interpolate melody-2bar one.mid two.mid --out morph

    Writes one file a step and a strip of all. Of two tunes the longer is cut to the shorter, and
    where their metres differ the metre changes half way.
    """
    loaded, out = open_model(model, "interpolate", values)
    sampling = sampling_of(loaded, values)
    values.pop("seed")
    options = given_options(loaded, "interpolate", values)
    documents = loaded.interpolate_documents(
        loaded.read(Path(a)), loaded.read(Path(b)), steps, sampling
    )
    digits = max(2, len(str(steps)))
    for number, document in enumerate(documents, 1):
        document.name = f"step-{number:0{digits}}"
    inputs = [Path(a), Path(b)]
    _write(loaded, [*documents, *_in_a_row(loaded, documents)], out, options, inputs)
    title = f"{loaded.spec.name}: {Path(a).stem} to {Path(b).stem}"
    loaded.codec.sheet([("", documents)], out / "interpolation.png", title)
    click.echo(str(out / "interpolation.png"))


@click.command(cls=VerbCommand)
@click.argument("model")
@click.argument("input", type=click.Path())
@click.option(
    "-n", "--count", default=6, show_default=True, type=click.IntRange(min=1), help="How many."
)
@click.option(
    "--similarity",
    default=0.8,
    show_default=True,
    type=FiniteRange(0, 1),
    help="1: as near as the model can; 0: drawn from the prior.",
)
@drawing_options(greedy=True)
@common_options
def vary(model: str, input: str, count: int, similarity: float, **values: Any) -> None:
    """Make variations of a file by MODEL.

    \b
    aeplug vary melody-2bar tune.mid --similarity 0.8 -n 6 --out variations
    aeplug vary mnist-vae seven.png -n 12 --out variations

    Writes one file a variation and a sheet with the input first.
    """
    loaded, out = open_model(model, "vary", values)
    sampling, seed = sampling_of(loaded, values), values.pop("seed")
    options = given_options(loaded, "vary", values)
    original = loaded.read(Path(input))
    documents = loaded.vary_document(original, count, similarity, seed, sampling)
    digits = max(2, len(str(count)))
    for number, document in enumerate(documents, 1):
        document.name = f"{Path(input).stem}-variation-{number:0{digits}}"
    _write(loaded, documents, out, options, [Path(input)])
    rows = [("input", [original])]
    rows += [
        ("variations" if start == 0 else "", documents[start : start + 6])
        for start in range(0, len(documents), 6)
    ]
    loaded.codec.sheet(rows, out / "variations.png", f"{loaded.spec.name}: {Path(input).name}")
    click.echo(str(out / "variations.png"))


def _in_a_row(model: Model, documents: list[Document]) -> list[Document]:
    """One document that plays the others in a row, where the codec knows how."""
    chain = getattr(model.codec, "chain", None)
    return [chain(documents, "all-steps")] if chain else []


COMMANDS = (sample, interpolate, vary)
