"""``aeplug compare-pca``: a model beside PCA with equally many dimensions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aeplug.cli.options import checkpoint_option, data_option, device_option, split_option
from aeplug.cli.output import print_json, print_table
from aeplug.errors import ConfigError
from aeplug.plugins import active
from aeplug.runtime.console import say

if TYPE_CHECKING:
    from aeplug.evaluation.pca_comparison import Source


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


def _source(
    model: str, data: str | None, device: str, checkpoint: str
) -> tuple[Source, str, int | None]:
    """The data with the model, or without where a task ships no weights; and its latents."""
    from aeplug.api import load_model
    from aeplug.config import resolve
    from aeplug.data.opening import build_prepare, folder_settings, open_dataset
    from aeplug.evaluation.pca_comparison import Source
    from aeplug.model.checkpoint import shipped_weights
    from aeplug.model.dataset import evaluation_dataset
    from aeplug.runtime.distributed import pick_device

    plugins = active()
    is_task = model in {spec.name for spec in plugins.specs("task")}
    if Path(model).is_dir() or not is_task or shipped_weights(plugins.task(model)) is not None:
        loaded = load_model(model, device=device, checkpoint_name=checkpoint)
        size = loaded.latent_size
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
