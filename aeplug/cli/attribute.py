"""``aeplug attribute``: files moved along an attribute of what they decode to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aeplug.cli.options import (
    checkpoint_option,
    data_option,
    device_option,
    guard_option,
    json_option,
    list_input_names,
    model_argument,
    open_model,
    overwrite_option,
    read_numbers,
    seed_option,
)
from aeplug.cli.output import print_results
from aeplug.cli.plugin_options import VerbCommand
from aeplug.cli.progress import show_bars
from aeplug.cli.reports import print_attributes, print_steering
from aeplug.model.locate import task_of_model
from aeplug.plugins import active


class AttributeCommand(VerbCommand):
    """Takes what codecs and tasks bring for writing variations."""

    verb = "vary"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Also refuse options that do not go together."""
        rest = super().parse_args(ctx, args)
        params = ctx.params
        inputs = params["words"][1:] if params["start"] is None else params["words"]
        if params["as_list"] or ctx.resilient_parsing:
            return rest
        if (params["start"] is None) != (params["end"] is None):
            raise click.UsageError("--from and --to go together")
        if params["start"] is None and not params["words"]:
            raise click.UsageError("expected NAME, or --from and --to; --list shows what there is")
        if inputs and not params["out"]:
            raise click.UsageError("Missing option '--out'")
        if not (inputs or params["check"] or params["save"]):
            raise click.UsageError("expected files to steer, --check or --save")
        return rest


@click.command(cls=AttributeCommand)
@model_argument
@click.argument("words", metavar="[NAME] [IN]...", nargs=-1, type=click.Path())
@click.option(
    "--by", help="Standard deviations, several by commas.  [default: 1; with --check -1,1]"
)
@click.option(
    "--from", "start", metavar="A", type=click.Path(), help="Instead of NAME: examples to go from."
)
@click.option("--to", "end", metavar="B", type=click.Path(), help="Examples to go to, a folder.")
@click.option(
    "--keep",
    help="Other attributes to hold: all, none, or names by commas.  [default: all; between "
    "examples none]",
)
@click.option("--list", "as_list", is_flag=True, help="List the attributes, and do nothing else.")
@click.option("--check", is_flag=True, help="Measure the effect on held-out items.")
@json_option
@click.option("--save", type=click.Path(dir_okay=False), help="Keep the directions in this file.")
@data_option
@click.option(
    "--items",
    default=3000,
    show_default=True,
    type=click.IntRange(min=8),
    help="Training items to learn from.",
)
@click.option(
    "--check-items",
    default=200,
    show_default=True,
    type=click.IntRange(min=1),
    help="Test items to check on.",
)
@guard_option
@seed_option
@click.option("--out", type=click.Path(file_okay=False), help="Folder for the results.")
@overwrite_option
@device_option
@checkpoint_option
def attribute(
    model: str,
    words: tuple[str, ...],
    by: str | None,
    start: str | None,
    end: str | None,
    keep: str | None,
    as_list: bool,
    check: bool,
    as_json: bool,
    save: str | None,
    data: str | None,
    items: int,
    check_items: int,
    no_guard: bool,
    seed: int,
    out: str | None,
    overwrite: bool,
    device: str,
    checkpoint: str | None,
    **options: Any,
) -> None:
    """Move files along an attribute in MODEL's latent space and hold the other attributes.

    \b
    aeplug attribute mnist --list
    aeplug attribute mnist slant seven.png --by 1 --out slanted
    aeplug attribute mnist 3:8 three.png --by 2,4 --out eights
    aeplug attribute melody-2bar note-density tune.mid --out denser
    aeplug attribute melody-2bar --from calm/ --to wild/ tune.mid --out wilder
    aeplug attribute mnist slant --check

    NAME is a measured attribute (see --list), two classes of a label (3:8, or collection=A:B), or
    a file that --save wrote; or give two folders of examples by --from and --to. Directions are
    learnt from the training split in seconds. --by is in standard deviations over the data. Each
    result is decoded, measured and corrected; changes are measured against the model's own
    reconstruction of the input.

    Writes one file an input and amount, and a strip from -2 to 2. With --check: the share of
    held-out items moved the right way, how far, and how far other attributes went with it.
    """
    if as_list:
        print_attributes(task_of_model(model, active()), as_json)
        return
    inputs = words[1:] if start is None else words
    amounts = read_numbers("--by", by or ("-1,1" if check and not inputs else "1"))
    from aeplug import steering
    from aeplug.inference import write_results

    if save:
        steering.check_savable(Path(save).expanduser())
    loaded, own_options = open_model(model, "vary", device, checkpoint, options, no_guard=no_guard)
    documents = steering.read_inputs(loaded, inputs)
    with show_bars("learning directions"):
        chosen = steering.find_steering(
            loaded,
            "" if start else words[0],
            examples=[
                (folder, list_input_names(loaded, [folder])) for folder in (start, end) if folder
            ],
            keep=keep,
            data=data,
            items=items,
            seed=seed,
        )
    if save:
        chosen.save(Path(save).expanduser())
    report = {"model": model, "task": loaded.spec.name}
    if check:
        with show_bars("measuring the effect"):
            report |= chosen.check(amounts, check_items)
    if documents:
        with show_bars("moving"):
            results = chosen.move_documents(documents, amounts)
        with show_bars("writing"):
            written = write_results(loaded, results, str(out), own_options, overwrite=overwrite)
        print_results(written, as_json, **report)
    if check and not (as_json and documents):
        print_steering(report, as_json)
