"""``aeplug evaluate``."""

from __future__ import annotations

from typing import Any

import click

from aeplug.cli.options import checkpoint_option, device_option
from aeplug.cli.output import print_figures, print_json
from aeplug.cli.plugin_options import VerbCommand
from aeplug.model.locate import check_model_name
from aeplug.plugins import active


@click.command(cls=VerbCommand)
@click.argument("model")
@click.option("--data", help="Files of your own, instead of the task's test split.")
@click.option("--split", help="train, val, test or all.  [default: test; with --data all]")
@click.option("--items", type=click.IntRange(min=1), help="Only the first so many items.")
@click.option("--baselines", is_flag=True, help="Simple methods on the same items, beside.")
@click.option("--likelihood", is_flag=True, help="ELBO and log-likelihood of the items, in nats.")
@click.option(
    "--importance",
    type=click.IntRange(min=1),
    help="Draws an item for the log-likelihood; papers take 5000.  [default: 500]",
)
@click.option(
    "--prior",
    metavar="NAME",
    help="Of the likelihood: own, standard, or fitted: gaussian, gmm.  [default: own]",
)
@click.option(
    "--outliers",
    metavar="FOLDER|DATASET",
    help="Other things, to be told from the model's own by the error of reconstruction.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
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

    Names of figures end in their unit. With --data every file counts, whatever its split, unless
    --split names one.
    --likelihood takes the task's own targets, and names what distribution and binarisation they
    are under; the more draws (--importance), the tighter the bound. --outliers gives the AUROC:
    how often of two items, one of each kind, the other one is rebuilt worse.
    """
    if not likelihood and (importance is not None or prior is not None):
        raise click.UsageError("--importance and --prior need --likelihood")
    check_model_name(model, active())
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
