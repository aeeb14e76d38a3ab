"""``aeplug vary``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aeplug.cli.options import (
    FiniteRange,
    change_option,
    common_options,
    conditions_of,
    drawing_options,
    numbers_of,
    open_model,
    overwrite_option,
    prior_option,
    sampling_of,
)
from aeplug.cli.plugin_options import VerbCommand, resolve_options
from aeplug.inference.results import write_documents

if TYPE_CHECKING:
    from aeplug.interfaces import Document


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
    if sigma is not None and similarity is not None:
        raise click.UsageError("--sigma and --similarity exclude each other")
    sigmas = numbers_of("--sigma", sigma, minimum=0) if sigma is not None else []
    if sigmas and values["prior"]:
        raise click.UsageError("--sigma needs no --prior")
    loaded, out = open_model(model, "reconstruct" if sigmas else "vary", values)
    sampling, seed = sampling_of(loaded, values), values.pop("seed")
    prior = values.pop("prior") or ""
    options = resolve_options(loaded, "vary", values)
    loaded = loaded.with_options(options)
    to = conditions_of(cond, loaded)
    original = loaded.read(Path(input))
    stem = Path(input).stem
    digits = max(2, len(str(count)))
    rows: list[tuple[str, list[Document]]] = []
    if sigmas:
        from aeplug.inference.vary import add_noise

        noisy = add_noise(loaded, original, sigmas, count, seed, sampling, to)
        for one, documents in zip(sigmas, noisy, strict=True):
            for number, document in enumerate(documents, 1):
                document.name = f"{stem}-sigma-{one:g}-{number:0{digits}}"
            rows.append((f"sigma {one:g}", documents))
    else:
        chosen = 0.8 if similarity is None else similarity
        from aeplug.inference.vary import vary_document

        documents = vary_document(loaded, original, count, chosen, seed, sampling, to, prior)
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
