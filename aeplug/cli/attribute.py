"""``aeplug attribute``: directions in the latent space, learnt, applied to files, and checked."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aeplug.cli.options import (
    checkpoint_option,
    data_option,
    device_option,
    numbers_of,
    overwrite_option,
)
from aeplug.cli.output import print_json, print_table
from aeplug.cli.plugin_options import VerbCommand, resolve_options
from aeplug.errors import ConfigError, FileError, nearest
from aeplug.inference.results import write_documents
from aeplug.plugins import active
from aeplug.runtime.console import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from aeplug.interfaces import Dataset, Document, Split
    from aeplug.model.model import Model
    from aeplug.plugins.specs import TaskSpec
    from aeplug.steering.directions import Directions

#: What a strip shows, in standard deviations, beside the amounts asked for.
STRIP = (-2.0, -1.0, 0.0, 1.0, 2.0)
CHECKED = (-1.0, 1.0)
ENDS = ("--from", "--to")
CHECK_ITEMS = 200


class _LikeVary(VerbCommand):
    """Takes what codecs and tasks bring for writing variations."""

    verb = "vary"


@click.command(cls=_LikeVary)
@click.argument("model")
@click.argument("words", metavar="[NAME] [IN]...", nargs=-1)
@click.option("--by", help="Standard deviations, several by commas.  [default: 1; of --check -1,1]")
@click.option(
    "--from", "from_", metavar="A", help="Examples to go from, a folder; instead of NAME."
)
@click.option("--to", metavar="B", help="Examples to go to, a folder.")
@click.option(
    "--keep",
    help="Other attributes to hold: all, none, or names by commas.  [default: all; between "
    "examples none]",
)
@click.option("--list", "as_list", is_flag=True, help="What can be measured, and nothing else.")
@click.option("--check", is_flag=True, help="Measure the effect on held-out items.")
@click.option("--json", "as_json", is_flag=True, help="Of --check and --list: one JSON object.")
@click.option("--save", type=click.Path(dir_okay=False), help="Keep what was learnt in this file.")
@data_option
@click.option(
    "--items",
    default=3000,
    show_default=True,
    type=click.IntRange(min=8),
    help="Of the training split, to learn from.",
)
@click.option(
    "--check-items",
    default=CHECK_ITEMS,
    show_default=True,
    type=click.IntRange(min=1),
    help="Of the test split, to check on.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**63 - 1),
    help="Of the items learnt from, and of what is tried.",
)
@click.option("--out", type=click.Path(file_okay=False), help="Folder for the results.")
@overwrite_option
@device_option
@checkpoint_option
def attribute(model: str, words: tuple[str, ...], **values: Any) -> None:
    """Move files along an attribute in MODEL's latent space, and hold its other attributes.

    \b
    aeplug attribute mnist --list
    aeplug attribute mnist slant seven.png --by 1 --out slanted
    aeplug attribute mnist 3:8 three.png --by 2,4 --out eights
    aeplug attribute melody-2bar note-density tune.mid --out denser
    aeplug attribute melody-2bar --from calm/ --to wild/ tune.mid --out wilder
    aeplug attribute mnist slant --check

    NAME is a measured attribute (see --list), two classes of a label (3:8, or collection=A:B), or
    a file that --save wrote; or give two folders of examples by --from and --to. Directions are
    learnt from the training split in seconds. --by is in standard deviations over the data; what
    a shift does is decoded and measured, and corrected for each input, which is compared with the
    model's own reconstruction: what that loses is no effect of the shift.

    Writes one file an input and amount, and a strip from -2 to 2. With --check: the share of
    held-out items moved the right way, how far, and how far other attributes went with it.
    """
    from aeplug.api import load_model
    from aeplug.data.opening import choose_split
    from aeplug.model.dataset import evaluation_dataset

    out, overwrite = values.pop("out"), values.pop("overwrite")
    as_list, is_check, as_json = (values.pop(name) for name in ("as_list", "check", "as_json"))
    ends = (values.pop("from_"), values.pop("to"))
    by, keep, save = values.pop("by"), values.pop("keep"), values.pop("save")
    if as_list:
        is_task = model in {spec.name for spec in active().specs("task")}
        known = active().task(model) if is_task and not Path(model).is_dir() else None
        _list(known or load_model(model).spec, as_json)
        return
    if (ends[0] is None) != (ends[1] is None):
        raise click.UsageError("--from and --to go together")
    inputs = words if ends[0] else words[1:]
    if not ends[0] and not words:
        raise click.UsageError("expected NAME, or --from and --to; --list shows what there is")
    if inputs and not out:
        raise click.UsageError("Missing option '--out'")
    if not (inputs or is_check or save):
        raise click.UsageError("expected files to steer, --check or --save")
    amounts = numbers_of("--by", by) if by else list(CHECKED if is_check and not inputs else (1.0,))
    if save:
        from aeplug.steering.directions import check_place

        check_place(Path(save).expanduser())
    loaded = load_model(
        model, device=values.pop("device"), checkpoint_name=values.pop("checkpoint") or ""
    )
    if not ends[0] and not _is_learnt_from_data(words[0]):
        from aeplug.steering.attributes import find_attribute

        find_attribute(loaded.spec, words[0])
    items, checked, seed, data = (values.pop(k) for k in ("items", "check_items", "seed", "data"))
    options = resolve_options(loaded, "vary", values)
    loaded = loaded.with_options(options)
    _ = loaded.latent_size
    _require_own_names(inputs)
    read = [loaded.read(Path(one)) for one in inputs]
    dataset = evaluation_dataset(loaded, data, active())
    found, wanted = _directions(loaded, dataset, "" if ends[0] else words[0], ends, items, seed)
    kept = _kept(found, wanted, keep)
    if save:
        from aeplug.steering.directions import save as save_directions

        save_directions(found, wanted, Path(save).expanduser())
        say(f"wrote {save}")
    if read:
        place = Path(out).expanduser()
        _steer_files(loaded, found, wanted, kept, read, amounts, place, options, overwrite)
    if is_check:
        held_out = choose_split(dataset, "test")
        report = _checked(loaded, dataset, held_out, found, wanted, kept, amounts, checked)
        report = {"model": str(model), "task": loaded.spec.name, **report}
        if as_json:
            print_json(report)
        else:
            _print_check(report)


def _require_own_names(inputs: Sequence[str]) -> None:
    """Raises ConfigError where results of two inputs would get one name."""
    known: dict[str, str] = {}
    for one in inputs:
        before = known.setdefault(Path(one).stem, one)
        if before is not one:
            raise ConfigError(
                f"results of {before} and {one} would have the same name; steer them into two "
                f"folders"
            )


def _list(task: TaskSpec, as_json: bool) -> None:
    if as_json:
        rows = [asdict(one) for one in task.attributes]
        print_json({"task": task.name, "attributes": rows})
        return
    if not task.attributes:
        raise ConfigError(f"'{task.name}' has no attributes; give classes or folders of examples")
    rows_ = [[one.name, one.unit, one.summary] for one in task.attributes]
    print_table(rows_, ["NAME", "UNIT", "WHAT"])


def _is_learnt_from_data(name: str) -> bool:
    """Whether a name is no attribute's: a file of directions, or classes of a label."""
    return ":" in name or name.endswith(".safetensors")


def _directions(
    model: Model,
    dataset: Dataset,
    name: str,
    folders: tuple[str | None, str | None],
    items: int,
    seed: int,
) -> tuple[Directions, str]:
    """What was asked for, loaded or learnt, and the name of the wanted attribute."""
    from aeplug.data.opening import choose_split
    from aeplug.steering import examples
    from aeplug.steering.directions import SUFFIX, learn, load

    if name.endswith(SUFFIX):
        return load(Path(name).expanduser(), model)
    classes = examples.parse_classes(name) if name else None
    split = choose_split(dataset, "train")
    if classes:
        label = examples.label_of(dataset, split, classes[0])
        numbers = examples.rows_of_class(dataset, split, label, classes[1:], examples.EACH, seed)
        a, b = (examples.latents_of_rows(model, split, one) for one in numbers)
        name = f"{label}={classes[1]}:{classes[2]}"
    elif not name:
        a, b = (_folder(model, option, str(one)) for option, one in zip(ENDS, folders, strict=True))
        name = f"{Path(str(folders[0])).name}:{Path(str(folders[1])).name}"
    found = learn(model, split, items, seed)
    if name in found.names:
        return found, name
    found = found.with_examples(name, a, b)
    assert found.ends is not None
    apart = found.ends[1] - found.ends[0]
    say(f"{name}: {len(a)} and {len(b)} examples, {apart:.2f} standard deviations apart")
    return found, name


def _folder(model: Model, option: str, folder: str) -> Tensor:
    from aeplug.jobs.inputs import Inputs
    from aeplug.steering import examples

    suffixes = active().find("codec", model.config.sections["codec"].name).suffixes
    paths = [one.path for one in Inputs([folder], "", suffixes, Path())]
    return examples.latents_of_files(
        model, paths, lambda path, why: say(f"left out: {why}"), f"{option} {folder}"
    )


def _kept(found: Directions, wanted: str, keep: str | None) -> list[str]:
    others = [name for name in found.names if name != wanted]
    if keep is None:
        # What tells two sets of examples apart may well be one of the others.
        keep = "none" if found.ends is not None and wanted == found.names[-1] else "all"
    if keep in ("all", "none"):
        return others if keep == "all" else []
    chosen = [name.strip() for name in keep.split(",")]
    for name in chosen:
        if name not in others:
            raise ConfigError(
                f"--keep {keep}: no other attribute '{name}'. {nearest(name, others)}"
            )
    return chosen


def _steer_files(
    model: Model,
    found: Directions,
    wanted: str,
    kept: Sequence[str],
    read: Sequence[Document],
    amounts: Sequence[float],
    out: Path,
    options: dict[str, Any],
    overwrite: bool,
) -> None:
    from aeplug.steering.search import steer

    written: list[Document] = []
    rows: list[tuple[str, list[Document]]] = []
    strip = sorted({*STRIP, *amounts})
    index = found.index(wanted)
    for document in read:
        batch = model.pieces(document)
        latents = model.posterior(batch)[0].mode()
        row = [replace(document, name="input")]
        for amount in strip:
            done = steer(model, found, latents, batch.cond, wanted, amount, kept, input=batch.input)
            moved = done.moved[:, index]
            if bool(moved.isnan().all()):
                raise FileError(
                    f"{document.source or document.name}: '{wanted}' is undefined for it"
                )
            result = model.codec.join(done.data, batch.cond, document)
            reached = float(moved.nanmean())
            row.append(replace(result, name=f"{reached:+.2f}" if amount else "rebuilt"))
            if amount in amounts:
                name = f"{document.name}-{_as_name(wanted)}{amount:+g}"
                written.append(replace(result, name=name))
                say(f"{name}: moved by {reached:+.2f} standard deviations")
        rows.append((document.name, row))
    sources = [one.source for one in read if one.source is not None]
    write_documents(model, written, out, options, sources, "attribute.png", overwrite)
    title = f"{model.spec.name}: {wanted}, {strip[0]:+g} to {strip[-1]:+g} standard deviations"
    model.codec.sheet(rows, out / "attribute.png", title)
    click.echo(str(out / "attribute.png"))


def _as_name(wanted: str) -> str:
    """An attribute's name as part of a file's."""
    return "".join(one if one.isalnum() else "-" for one in wanted)


def _checked(
    model: Model,
    dataset: Dataset,
    split: Split,
    found: Directions,
    wanted: str,
    kept: Sequence[str],
    amounts: Sequence[float],
    items: int,
) -> dict[str, Any]:
    import torch

    from aeplug.steering.check import check

    if 0 in amounts:
        raise ConfigError("--by 0 moves nothing that could be checked")
    count = min(items, len(split))
    # Neighbours are often alike.
    rows = torch.linspace(0, len(split) - 1, count).round().long()
    report = check(model, found, split, rows, wanted, amounts, kept)
    index = found.index(wanted)
    return {
        "attribute": wanted,
        "unit": found.units[index],
        "standard_deviation": float(found.deviations[index]),
        "kept": list(kept),
        **report,
    }


def _print_check(report: dict[str, Any]) -> None:
    click.echo(
        f"{report['attribute']} of {report['items']} held-out items; in standard deviations "
        f"(1 is {report['standard_deviation']:.3g} {report['unit']})"
    )
    if report["undefined"]:
        click.echo(f"{report['undefined']} of them have no {report['attribute']}")
    for amount, figures in report["amounts"].items():
        click.echo(
            f"\nasked for {float(amount):+g}: {figures['right_way']:.1%} moved the right way, "
            f"{figures['within_third']:.1%} with every other held within a third of that"
        )
        if figures["at_limit"]:
            side = "most" if float(amount) > 0 else "least"
            click.echo(
                f"{figures['at_limit']} have the {side} there is from the start; of the others "
                f"{figures['right_way_within']:.1%} moved the right way"
            )
        click.echo()
        rows = [
            [name, f"{one['mean']:+.3f}", f"{one['mean_absolute']:.3f}", f"{one['share']:.2f}"]
            for name, one in figures["moved"].items()
        ]
        print_table(rows, ["", "MEAN CHANGE", "MEAN ABSOLUTE", "SHARE"])
