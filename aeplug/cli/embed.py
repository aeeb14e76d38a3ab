"""``aeplug embed``: latents of files or of a data set, in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aeplug.cli.failures import LeftOut
from aeplug.cli.options import (
    checkpoint_option,
    data_option,
    device_option,
    inputs_argument,
    json_option,
    list_inputs,
    manifest_option,
    model_argument,
    open_model,
    overwrite_option,
    split_option,
)
from aeplug.cli.output import print_path
from aeplug.cli.plugin_options import VerbCommand
from aeplug.errors import AeplugError, format_count


@click.command(cls=VerbCommand)
@model_argument
@inputs_argument
@manifest_option
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False),
    help="File for the latents, .npz or .parquet.",
)
@overwrite_option
@data_option
@split_option
@click.option("--items", type=click.IntRange(min=1), help="Only the first so many of the split.")
@json_option
@device_option
@checkpoint_option
def embed(
    model: str,
    inputs: tuple[str, ...],
    manifest: str,
    out: str,
    overwrite: bool,
    data: str | None,
    split: str | None,
    items: int | None,
    as_json: bool,
    device: str,
    checkpoint: str | None,
    **options: Any,
) -> None:
    """Write the latents of files, or of MODEL's data set, into one file.

    \b
    aeplug embed mnist --out test.npz
    aeplug embed mnist --split train --out train.parquet
    aeplug embed melody-2bar tunes/ --out tunes.npz

    A row is an item: `mean` and, where the posterior has one, `logvar`, (rows, latents) float32;
    `name`; conditions and labels. IN is a file, a folder, a pattern, or - for a list of names on
    stdin; a file of several pieces has several rows, counted by `piece`. Without IN it is a split
    of the data the model was trained with. A million items fit: they are written as they come.
    Files that cannot be read are listed with their reasons beside OUT, in NAME.failed.jsonl.
    """
    if (inputs or manifest) and data:
        raise click.UsageError("IN and --data exclude each other")
    from aeplug.inference import check_embedding_file, embed_data, embed_files, write_embedding

    path = Path(out).expanduser()
    check_embedding_file(path, overwrite=overwrite)
    loaded, _ = open_model(model, "embed", device, checkpoint, options)
    size = loaded.latent_size
    with LeftOut(path.with_suffix(".failed.jsonl")) as left_out:
        if inputs or manifest:
            named = list_inputs(loaded, inputs, manifest, path)
            rows = embed_files(loaded, (file.path for file in named), left_out)
        else:
            rows = embed_data(loaded, data, split, items)
        count = write_embedding(path, rows)
    facts: dict[str, Any] = {"rows": count, "latents": size, **left_out.as_dict()}
    summary = f"{format_count(count, 'row')} of {size} latents"
    print_path(path, summary, as_json, model=model, task=loaded.spec.name, **facts)
    if left_out.count:
        files = format_count(left_out.count, "file")
        raise AeplugError(f"{files} could not be embedded; the others are in {path}")
