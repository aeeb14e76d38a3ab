"""``aeplug evaluate``."""

from __future__ import annotations

from typing import Any

import click

from aeplug.cli.options import VerbCommand, checkpoint_option, given_options
from aeplug.cli.output import print_figures, print_json
from aeplug.plugins import active


@click.command(cls=VerbCommand)
@click.argument("model")
@click.option("--data", help="Files of your own, instead of the task's test split.")
@click.option("--split", default="test", show_default=True, help="train, val or test.")
@click.option("--items", type=click.IntRange(min=1), help="Only the first so many items.")
@click.option("--baselines", is_flag=True, help="Simple methods on the same items, beside.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, mps.")
@checkpoint_option
def evaluate(
    model: str,
    data: str | None,
    split: str,
    items: int | None,
    baselines: bool,
    as_json: bool,
    device: str,
    checkpoint: str | None,
    **values: Any,
) -> None:
    """Measure MODEL on data it was not trained on.

    \b
    aeplug evaluate mnist
    aeplug evaluate runs/mnist-vae-20260101-120000 --baselines
    aeplug evaluate mnist --data my-digits/ --json

    Names of figures end in their unit. With --data every file counts, whatever its split.
    """
    from aeplug.datasets import first_items
    from aeplug.evaluation import choose_split, evaluation_dataset
    from aeplug.evaluation import evaluate as measure
    from aeplug.loading import load_model

    loaded = load_model(model, device=device, checkpoint_name=checkpoint or "")
    options = given_options(loaded, "evaluate", values)
    dataset = evaluation_dataset(loaded, data, active())
    chosen = choose_split(dataset, "all" if data and split == "test" else split)
    if items is not None:
        chosen = first_items(chosen, items)
    report = measure(loaded, chosen, options, with_baselines=baselines)
    report = {"model": str(model), "task": loaded.spec.name, **report}
    if as_json:
        print_json(report)
    else:
        print_figures(report)


COMMANDS = (evaluate,)
