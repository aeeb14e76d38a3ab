"""``aeplug adapt``."""

from __future__ import annotations

import click

from aeplug.cli import (
    checkpoint_option,
    device_option,
    failure_logger,
    inputs_of,
    manifest_option,
    print_figures,
    print_json,
)
from aeplug.errors import FileError
from aeplug.runtime import say


@click.command()
@click.argument("model")
@click.argument("inputs", metavar="FILE...", nargs=-1)
@manifest_option
@click.option(
    "--out", required=True, type=click.Path(file_okay=False), help="New folder for the model."
)
@click.option(
    "--size",
    type=click.IntRange(1, 256),
    default=8,
    show_default=True,
    help="Numbers that say where in the style a piece is; of more, more of each file is kept.",
)
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0, 2**63 - 1), help="Of all draws."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@device_option
@checkpoint_option
def adapt(
    model: str,
    inputs: tuple[str, ...],
    manifest: str,
    out: str,
    size: int,
    seed: int,
    as_json: bool,
    device: str,
    checkpoint: str | None,
) -> None:
    """Adapt MODEL to the style of a few files, in a minute.

    \b
    aeplug adapt melody-2bar my-tunes/ --out runs/mine
    aeplug sample runs/mine -n 16 --out samples
    aeplug vary runs/mine tune.mid --out variations

    FILE is a file, a folder or a pattern. A small autoencoder over MODEL's latents learns where
    they lie; the model itself stays as it is. What is written is a model like any other, weights
    included: it samples and varies in the style, in the classes (metres) that the files have;
    `--prior own` is the original. Files that cannot be read are named, the rest goes on.
    """
    from aeplug import load
    from aeplug.cli import empty_folder
    from aeplug_priors.style.adaptation import adapt as adapted

    target = empty_folder(out)
    loaded = load(model, device=device, checkpoint_name=checkpoint or "")
    named = inputs_of(loaded, inputs, manifest, target)
    paths = [item.path for item in named]
    if not paths:
        raise FileError("; ".join(named.remarks) or "no FILE is named: expected files or a folder")
    for remark in named.remarks:
        say(remark)
    bad: list[str] = []
    style = adapted(loaded, paths, failure_logger(bad), inner=size, seed=seed)
    loaded.save(target)
    report = {"model": model, "task": loaded.spec.name, "files_left_out": len(bad), **style.facts}
    if as_json:
        print_json({**report, "path": str(target)})
    else:
        print_figures(report)
    say(f"aeplug sample {target} --out samples")
    if not as_json:
        click.echo(str(target))
