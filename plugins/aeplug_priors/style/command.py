"""``aeplug adapt``."""

from __future__ import annotations

import click

from aeplug.cli import (
    LeftOut,
    checkpoint_option,
    device_option,
    json_option,
    list_input_names,
    manifest_option,
    model_argument,
    open_model,
    print_figures,
    print_json,
    say_next,
    seed_option,
)


@click.command()
@model_argument
@click.argument("inputs", metavar="FILE...", nargs=-1, type=click.Path())
@manifest_option
@click.option(
    "--out", required=True, type=click.Path(file_okay=False), help="New folder for the model."
)
@click.option(
    "--size",
    type=click.IntRange(1, 256),
    default=8,
    show_default=True,
    help="Size of the style latent; larger stays closer to your files.",
)
@seed_option
@json_option
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
    those of the files lie; the model itself stays as it is. The result is a model like any other,
    weights included: it samples and varies in the style, in the classes (metres) that the files
    have; `--prior own` is the original. Files that cannot be read are left out, and listed with
    their reasons in OUT.failed.jsonl.
    """
    from aeplug.runtime import require_new_folder
    from aeplug_priors.style.adaptation import adapt as adapt_model

    target = require_new_folder(out)
    loaded, _ = open_model(model, "adapt", device, checkpoint)
    paths = list_input_names(loaded, inputs, manifest, target)
    with LeftOut(target.with_name(f"{target.name}.failed.jsonl")) as left_out:
        style = adapt_model(loaded, paths, left_out, inner=size, seed=seed)
    loaded.save(target)
    report = {"model": model, "task": loaded.spec.name, **left_out.as_dict()}
    report |= {**style.facts, "path": str(target)}
    show = print_json if as_json else print_figures
    show(report)
    say_next("sample", target, "--out", "samples")
