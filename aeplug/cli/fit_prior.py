"""``aeplug fit-prior``."""

from __future__ import annotations

from pathlib import Path

import click

from aeplug.cli.options import checkpoint_option, data_option, device_option
from aeplug.cli.output import print_figures, print_json
from aeplug.plugins import active


@click.command("fit-prior")
@click.argument("model")
@click.option(
    "--kind",
    default="gmm",
    show_default=True,
    help="gaussian; gmm, a mixture; or sequence: of whole documents, so that sections return.",
)
@click.option(
    "--components",
    type=click.IntRange(min=1),
    help="Of the mixture.  [default: 50, fewer where the data is small]",
)
@data_option
@click.option("--split", default="train", show_default=True, help="train, val, test or all.")
@click.option(
    "--items",
    type=click.IntRange(min=1),
    help="At most.  [default: 50000; of documents all]",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**63 - 1),
    help="Of the posteriors' draws and of the start.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    help="Write a copy of the weights with the prior into this new folder instead.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@device_option
@checkpoint_option
def fit_prior(
    model: str,
    kind: str,
    components: int | None,
    data: str | None,
    split: str,
    items: int | None,
    seed: int,
    out: str | None,
    as_json: bool,
    device: str,
    checkpoint: str | None,
) -> None:
    """Fit a prior to the latents of MODEL's training data, for `sample --prior KIND`.

    \b
    aeplug fit-prior mnist
    aeplug fit-prior runs/my-vae --kind gmm --components 20
    aeplug fit-prior mnist --out weights/mnist-with-prior
    aeplug fit-prior melody-2bar --kind sequence

    It is kept in MODEL's checkpoint; where that came with a plug-in or cannot be written, in your
    cache. Printed is how likely it makes latents of held-out items, in nats, beside the model's
    own prior where there is one: the higher, the closer to where latents lie.
    """
    from aeplug.api import load_model
    from aeplug.cli.export import empty_folder, write_export
    from aeplug.errors import FileError
    from aeplug.inference.embed import require_vector
    from aeplug.model.dataset import evaluation_dataset
    from aeplug.priors.store import save

    target = empty_folder(out) if out is not None else None
    loaded = load_model(model, device=device, checkpoint_name=checkpoint or "")
    require_vector(loaded)
    prior = loaded.fit_prior(
        kind,
        components or 0,
        dataset=evaluation_dataset(loaded, data, active()),
        split=split,
        seed=seed,
        **({"items": items} if items else {}),
    )
    place: Path | None = target
    if target is not None:
        write_export(loaded, target)
    else:
        place = save(loaded, prior)
    report = {"model": model, "task": loaded.spec.name, "prior": kind, **prior.facts}
    report["path"] = str(place)
    if as_json:
        print_json(report)
    else:
        print_figures(report)
    if place is None:
        raise FileError(
            "the prior can be kept neither beside the weights nor in the cache; name a folder "
            "by --out"
        )
