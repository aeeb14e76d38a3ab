"""``aeplug embed``: latents of files or of a data set, in one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aeplug.cli.options import (
    checkpoint_option,
    data_option,
    device_option,
    inputs_of,
    manifest_option,
    split_option,
)
from aeplug.cli.output import failure_logger
from aeplug.cli.plugin_options import VerbCommand, resolve_options
from aeplug.errors import AeplugError, ConfigError
from aeplug.plugins import active
from aeplug.runtime.console import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aeplug.data.labels import EmbeddingRows
    from aeplug.model.model import Model


@click.command(cls=VerbCommand)
@click.argument("model")
@click.argument("inputs", metavar="[IN]...", nargs=-1)
@manifest_option
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False),
    help="File for the latents, .npz or .parquet.",
)
@click.option("--overwrite", is_flag=True, help="Replace OUT where it is there.")
@data_option
@split_option
@click.option("--items", type=click.IntRange(min=1), help="Only the first so many of the split.")
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
    device: str,
    checkpoint: str | None,
    **values: Any,
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
    """
    if (inputs or manifest) and data:
        raise click.UsageError("IN and --data exclude each other")
    from aeplug.api import load_model
    from aeplug.inference.embed import embed_files
    from aeplug.inference.embedding_file import check_suffix, write_blocks

    path = Path(out).expanduser()
    check_suffix(path)
    if path.exists() and not overwrite:
        raise ConfigError(f"--out {path} is there; give --overwrite to replace it")
    loaded = load_model(model, device=device, checkpoint_name=checkpoint or "")
    size = loaded.latent_size
    loaded = loaded.with_options(resolve_options(loaded, "embed", values))
    bad: list[str] = []
    if inputs or manifest:
        named = inputs_of(loaded, inputs, manifest, path)
        blocks = embed_files(loaded, (one.path for one in named), failure_logger(bad))
    else:
        blocks = _split_blocks(loaded, data, split, items)
    count = write_blocks(path, blocks)
    say(f"wrote {count} rows of {size} latents")
    click.echo(str(path))
    if bad:
        raise AeplugError(f"{len(bad)} files could not be embedded; the others are in {path}")


def _split_blocks(
    model: Model, data: str | None, split: str | None, items: int | None
) -> Iterator[EmbeddingRows]:
    import torch

    from aeplug.data.opening import choose_split
    from aeplug.inference.embed import embed_split
    from aeplug.model.dataset import evaluation_dataset

    dataset = evaluation_dataset(model, data, active())
    name = split or ("all" if data else "test")
    chosen = choose_split(dataset, name)
    count = len(chosen) if items is None else min(items, len(chosen))
    return embed_split(model, dataset, chosen, name, torch.arange(count))
