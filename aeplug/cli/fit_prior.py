"""``aeplug fit-prior``; mixtures are fitted in :mod:`aeplug.priors.mixture`, others by plug-ins."""

from __future__ import annotations

from typing import Any

import click

from aeplug.cli.completion import complete_specs
from aeplug.cli.options import (
    checkpoint_option,
    data_option,
    device_option,
    json_option,
    model_argument,
    open_model,
    seed_option,
)
from aeplug.cli.output import print_figures, print_json, say_next
from aeplug.cli.plugin_options import FitPriorCommand
from aeplug.errors import FileError


@click.command("fit-prior", cls=FitPriorCommand)
@model_argument
@click.option(
    "--kind",
    default="gmm",
    show_default=True,
    shell_complete=complete_specs("prior"),
    help="Name of the prior; `aeplug parts prior` lists them.",
)
@data_option
@click.option("--split", default="train", show_default=True, help="train, val, test or all.")
@seed_option
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    help="Write a copy of the weights with the prior into this new folder instead.",
)
@json_option
@device_option
@checkpoint_option
def fit_prior(
    model: str,
    kind: str,
    data: str | None,
    split: str,
    seed: int,
    out: str | None,
    as_json: bool,
    device: str,
    checkpoint: str | None,
    **options: Any,
) -> None:
    """Fit a prior to the latents of MODEL's training data, for `sample --prior KIND`.

    \b
    aeplug fit-prior mnist
    aeplug fit-prior runs/my-vae --kind gmm --components 20
    aeplug fit-prior mnist --out weights/mnist-with-prior
    aeplug fit-prior melody-2bar --kind sequence

    It is kept in MODEL's checkpoint, or in your cache where that came with a plug-in or cannot be
    written. Prints the log-likelihood of held-out latents under it, in nats, and under the model's
    own prior where there is one; higher is better.
    """
    from aeplug.priors import fit_prior as fit
    from aeplug.runtime.files import require_new_folder

    target = require_new_folder(out) if out is not None else None
    loaded, _ = open_model(model, "fit-prior", device, checkpoint)
    prior = fit(loaded, kind, data=data, split=split, seed=seed, options=options)
    if target is not None:
        loaded.save(target)
    place = target or loaded.priors.keep(kind)
    report = {"model": model, "task": loaded.spec.name, "prior": kind, **prior.facts}
    show = print_json if as_json else print_figures
    show({**report, "path": str(place)})
    if place is None:
        raise FileError(
            "the prior can be kept neither beside the weights nor in the cache; name a folder "
            "by --out"
        )
    say_next("sample", target or model, "--prior", kind, "--out", "samples")
