"""``aeplug embed``, ``map`` and ``compare-pca``: the latent space written out, seen, measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aeplug.cli.options import (
    VerbCommand,
    checkpoint_option,
    data_option,
    device_option,
    manifest_option,
    resolve_options,
)
from aeplug.cli.output import print_json, print_table
from aeplug.errors import AeplugError, ConfigError
from aeplug.plugins import active
from aeplug.runtime.console import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aeplug.data.labels import EmbeddingRows
    from aeplug.evaluation.pca_comparison import Source
    from aeplug.inference.generation import Model
    from aeplug.jobs.inputs import Inputs

#: Reasons shown as they come up.
REASONS_SHOWN = 5

split_option = click.option(
    "--split", help="train, val, test or all.  [default: test; of files of your own all]"
)


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
    from aeplug.inference.embed import embed_files, require_vector
    from aeplug.inference.embedding_file import check_suffix, write_blocks

    path = Path(out).expanduser()
    check_suffix(path)
    if path.exists() and not overwrite:
        raise ConfigError(f"--out {path} is there; give --overwrite to replace it")
    loaded = load_model(model, device=device, checkpoint_name=checkpoint or "")
    size = require_vector(loaded)
    loaded = loaded.asked(resolve_options(loaded, "embed", values))
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


def inputs_of(model: Model, inputs: tuple[str, ...], manifest: str, out: Path) -> Inputs:
    """The files that are named and that the model's codec reads."""
    from aeplug.jobs.inputs import Inputs

    suffixes = active().find("codec", model.config.sections["codec"].name).suffixes
    return Inputs(inputs, manifest, suffixes, out)


def failure_logger(bad: list[str]) -> Callable[[str, str], None]:
    """Says why a file is left out, of the first few, and notes all in ``bad``."""

    def failed(path: str, reason: str) -> None:
        bad.append(path)
        if len(bad) <= REASONS_SHOWN:
            say(f"left out: {reason if path in reason else f'{path}: {reason}'}")

    return failed


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


@click.command("compare-pca")
@click.argument("model")
@click.option(
    "--dims", type=click.IntRange(min=1), help="Components.  [default: as many as latents]"
)
@click.option("--label", default="", help="What probes are to tell.  [default: the data's first]")
@click.option("--probes/--no-probes", default=True, show_default=True, help="k-NN and linear.")
@data_option
@split_option
@click.option("--items", type=click.IntRange(min=1), help="Only the first so many items.")
@click.option("--out", type=click.Path(dir_okay=False), help="Also draw the curve, into this PNG.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@device_option
@checkpoint_option
def compare_pca(
    model: str,
    dims: int | None,
    label: str,
    probes: bool,
    data: str | None,
    split: str | None,
    items: int | None,
    out: str | None,
    as_json: bool,
    device: str,
    checkpoint: str | None,
) -> None:
    """Measure MODEL beside PCA with the same number of dimensions.

    \b
    aeplug compare-pca mnist
    aeplug compare-pca mnist --dims 30 --json
    aeplug compare-pca melody-2bar --label collection --out curve.png

    The squared error is the sum over an item's values (pixels in 0..1; of tokens the one-hot
    form), the mean over items. Probes name a label from the latents' means, from the components
    and from the values themselves, fitted on the training split. PCA is fitted there too, and
    needs no weights: a task that ships none is measured without its model.
    """
    page = Path(out).expanduser() if out else None
    if page is not None and page.suffix.lower() != ".png":
        raise ConfigError(f"--out {page}: expected a name that ends in .png")
    from aeplug.data.opening import choose_split
    from aeplug.data.splits import first_items
    from aeplug.evaluation.pca_comparison import compare, probe
    from aeplug.plots.error_curve import draw_error_curve

    source, name, size = _source(model, data, device, checkpoint or "")
    chosen = choose_split(source.dataset, split or "test")
    if items is not None:
        chosen = first_items(chosen, items)
    dims = dims or size
    if dims is None:
        raise ConfigError(f"'{name}' has no vector as its latent; give --dims")
    pca, figures = compare(source, chosen, dims)
    report = {"model": str(model), "task": name, **figures}
    if probes:
        found = probe(source, chosen, pca, dims, label)
        report |= {"probes": found} if found else {}
    if page is not None:
        draw_error_curve(report, page, f"{name}: PCA and the model, {report['items']} items")
    if as_json:
        print_json(report)
    else:
        _print_comparison(report)
        if page is not None:
            click.echo(f"\n{page}")


@click.command("map")
@click.argument("model")
@click.option(
    "--out", required=True, type=click.Path(file_okay=False), help="Folder for the results."
)
@click.option("--html", is_flag=True, help="One page to look around in, instead of pictures.")
@click.option("--colour", "--color", default="", help="Label to colour by.  [default: the first]")
@click.option(
    "--projection",
    type=click.Choice(["pca", "umap"]),
    default="pca",
    show_default=True,
    help="Of more than 2 latents to the plane.",
)
@click.option(
    "--grid",
    type=click.IntRange(1, 60),
    help="Decoded points along each axis.  [default: 20; of what can be played, 6]",
)
@click.option("--cond", multiple=True, help="NAME=CLASS to decode under.")
@data_option
@split_option
@click.option(
    "--items",
    default=10_000,
    show_default=True,
    type=click.IntRange(min=3),
    help="At most so many, evenly spread over the split.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**63 - 1),
    help="Of UMAP, and of the draws that give quantiles.",
)
@device_option
@checkpoint_option
def map_(
    model: str,
    out: str,
    html: bool,
    colour: str,
    projection: str,
    grid: int | None,
    cond: tuple[str, ...],
    data: str | None,
    split: str | None,
    items: int,
    seed: int,
    device: str,
    checkpoint: str | None,
) -> None:
    """Draw the latent space of MODEL: where items lie in it, and what it decodes to.

    \b
    aeplug map mnist-vae --out maps/digits
    aeplug map melody-2bar --colour key --out maps/tunes
    aeplug map melody-2bar --html --out maps/tunes

    OUT gets scatter.png, the items of the test split coloured by a label, and manifold.png, a
    grid of points decoded at quantiles of the prior (without one: of the items). More than 2
    latents are brought to a plane by PCA or UMAP, and decoding leaves the other dimensions as the
    nearest item has them. With --html it is map.html: pointing at an item shows it, and plays
    what can be played.
    """
    from aeplug.api import load_model
    from aeplug.cli.options import conditions_of
    from aeplug.data.opening import choose_split
    from aeplug.inference.embed import require_vector
    from aeplug.interfaces import PlayableCodec
    from aeplug.model.dataset import evaluation_dataset
    from aeplug.plots.latent_map import colour_label, decode_manifold, place_items

    folder = Path(out).expanduser()
    loaded = load_model(model, device=device, checkpoint_name=checkpoint or "")
    require_vector(loaded)  # before data that it might be of no use to name
    given = conditions_of(cond, loaded)
    dataset = evaluation_dataset(loaded, data, active())
    name = split or ("all" if data else "test")
    chosen = choose_split(dataset, name)
    found, plane, latents = place_items(loaded, dataset, chosen, name, items, projection, seed)
    label = colour_label(found, colour)
    size = grid or (6 if isinstance(loaded.codec, PlayableCodec) else 20)
    manifold = decode_manifold(loaded, plane, found, latents, size, given, seed)
    say(f"{len(found.points)} items: {found.caption}; decoded: {manifold.caption}")
    title = f"{loaded.spec.name}: {len(found.points)} items of '{name}'"
    folder.mkdir(parents=True, exist_ok=True)
    if html:
        from aeplug.plots.map_page import write_page

        write_page(folder / "map.html", loaded, chosen, found, manifold, label, title)
        click.echo(str(folder / "map.html"))
        return
    from aeplug.plots.scatter import draw_scatter

    draw_scatter(found, label, folder / "scatter.png", title)
    click.echo(str(folder / "scatter.png"))
    for document in manifold.documents:
        document.name = ""
    rows = [("", row) for row in manifold.rows]
    loaded.codec.sheet(
        rows, folder / "manifold.png", f"{loaded.spec.name}, decoded: {manifold.caption}"
    )
    click.echo(str(folder / "manifold.png"))


def _source(
    model: str, data: str | None, device: str, checkpoint: str
) -> tuple[Source, str, int | None]:
    """The data with the model, or without where a task ships no weights; and its latents."""
    from aeplug.api import load_model
    from aeplug.config import resolve
    from aeplug.data.opening import build_prepare, folder_settings, open_dataset
    from aeplug.evaluation.pca_comparison import Source
    from aeplug.inference.embed import require_vector
    from aeplug.model.checkpoint import shipped_weights
    from aeplug.model.dataset import evaluation_dataset
    from aeplug.runtime.distributed import pick_device

    plugins = active()
    is_task = model in {spec.name for spec in plugins.specs("task")}
    if Path(model).is_dir() or not is_task or shipped_weights(plugins.task(model)) is not None:
        loaded = load_model(model, device=device, checkpoint_name=checkpoint)
        size = require_vector(loaded)
        dataset = evaluation_dataset(loaded, data, plugins)
        found = Source(dataset, loaded.prepare, loaded.shape, loaded.device, loaded)
        return found, loaded.spec.name, size
    say(f"task '{model}' ships no weights: PCA alone")
    task = plugins.task(model)
    config = resolve(task, plugins, folder_settings(task, data) if data else {})
    dataset = open_dataset(config)
    prepare = build_prepare(config, dataset.shape)
    shape = getattr(prepare, "shape", dataset.shape)
    latents = getattr(config.sections["latent"].config, "size", None)
    return Source(dataset, prepare, shape, pick_device(device)), task.name, latents


def _print_comparison(report: dict[str, Any]) -> None:
    low, high = report["value_range"]
    click.echo(
        f"{report['task']}, {report['items']} items of {report['values']} values "
        f"in {low:g}..{high:g}; squared error: the sum over an item\n"
    )
    curve = report["curve"]
    rows = [
        ["PCA", str(dims), f"{error:.4g}", f"{error / report['values']:.4g}"]
        for dims, error in zip(curve["dims"], curve["pca_squared_error"], strict=True)
    ]
    if "model_dims" in report:
        errors = (report["model_squared_error"], report["model_mse"])
        place = 1 + curve["dims"].index(max(d for d in curve["dims"] if d <= report["model_dims"]))
        row = ["the model", str(report["model_dims"]), *(f"{error:.4g}" for error in errors)]
        rows.insert(place, row)
    print_table(rows, ["", "DIMS", "SQUARED ERROR", "MSE"])
    accuracy = [("PCA", "pca_accuracy", "dims"), ("the model", "model_accuracy", "model_dims")]
    for name, key, dims in accuracy:
        if key in report:
            click.echo(f"tokens right, {name} with {report[dims]}: {report[key]:.2%}")
    if "probes" not in report:
        return
    probes = report["probes"]
    size = {"model": "model_dims", "pca": "dims", "values": "values"}
    click.echo(f"\n'{probes['label']}' ({probes['classes']} classes) told from\n")
    print_table(
        [
            [f"{name}, {report[size[name]]}", *(f"{share:.2%}" for share in figures.values())]
            for name, figures in probes["accuracy"].items()
        ],
        ["", "K-NN", "LINEAR"],
    )
