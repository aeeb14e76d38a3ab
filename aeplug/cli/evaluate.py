"""``aeplug evaluate``."""

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
    split_option,
)
from aeplug.cli.output import print_figures, print_json
from aeplug.cli.plugin_options import VerbCommand


@click.command(cls=VerbCommand)
@model_argument
@data_option
@split_option
@click.option("--items", type=click.IntRange(min=1), help="Only the first so many items.")
@click.option("--baselines", is_flag=True, help="Also score simple baselines.")
@click.option("--likelihood", is_flag=True, help="Also the ELBO and log-likelihood, in nats.")
@click.option(
    "--importance",
    type=click.IntRange(min=1),
    help="Importance samples an item for --likelihood; papers use 5000.  [default: 500]",
)
@click.option(
    "--prior",
    metavar="NAME",
    shell_complete=complete_specs("prior"),
    help="Prior for --likelihood: own, standard, or fitted: gaussian, gmm.  [default: own]",
)
@click.option(
    "--outliers",
    metavar="FOLDER|DATASET",
    type=click.Path(),
    help="Out-of-distribution data to detect by the error of reconstruction.",
)
@json_option
@device_option
@checkpoint_option
def evaluate(
    model: str,
    data: str | None,
    split: str | None,
    items: int | None,
    baselines: bool,
    likelihood: bool,
    importance: int | None,
    prior: str | None,
    outliers: str | None,
    as_json: bool,
    device: str,
    checkpoint: str | None,
    **options: Any,
) -> None:
    """Measure MODEL on data it was not trained on.

    \b
    aeplug evaluate mnist
    aeplug evaluate runs/mnist-vae-20260101-120000 --baselines
    aeplug evaluate mnist --data my-digits/ --json
    aeplug evaluate runs/binary-vae --likelihood --importance 5000 --items 1000
    aeplug evaluate mnist --outliers printed-letters

    Names of figures end in their unit. With --data every file counts unless --split names a split.
    --likelihood is of the task's own targets; the output names their distribution and
    binarisation. The more importance samples, the tighter the bound. --outliers gives the AUROC:
    the probability that an outlier has the larger error.
    """
    if not likelihood and (importance is not None or prior is not None):
        raise click.UsageError("--importance and --prior need --likelihood")
    from aeplug import api

    report = api.evaluate(
        model,
        data=data,
        split=split,
        items=items,
        baselines=baselines,
        likelihood=likelihood,
        importance=importance or api.IMPORTANCE_DRAWS,
        prior=prior or "",
        outliers=outliers,
        options=options,
        device=device,
        checkpoint=checkpoint or "",
    )
    show = print_json if as_json else print_figures
    show({"model": model, **report})
