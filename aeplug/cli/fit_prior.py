"""``aeplug fit-prior``."""

from __future__ import annotations

from typing import Any

import click

from aeplug.cli.options import checkpoint_option, data_option, device_option
from aeplug.cli.output import print_figures, print_json
from aeplug.cli.plugin_options import VerbCommand, check_options
from aeplug.errors import FileError
from aeplug.plugins import OptionSpec, active


class FitPriorCommand(VerbCommand):
    """A command that also takes the options of priors."""

    def brought(self) -> list[tuple[OptionSpec, set[str]]]:
        """Options of priors, with the names of the priors that take them."""
        options: dict[str, tuple[OptionSpec, set[str]]] = {}
        for prior in active().specs("prior"):
            for option in prior.options:
                options.setdefault(option.name, (option, set()))[1].add(prior.name)
        return list(options.values())


@click.command("fit-prior", cls=FitPriorCommand)
@click.argument("model")
@click.option("--kind", default="gmm", show_default=True, help="Name of the prior; see parts.")
@data_option
@click.option("--split", default="train", show_default=True, help="train, val, test or all.")
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**63 - 1),
    help="Random seed.",
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
    data: str | None,
    split: str,
    seed: int,
    out: str | None,
    as_json: bool,
    device: str,
    checkpoint: str | None,
    **values: Any,
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
    from aeplug.cli.export import empty_folder
    from aeplug.model.dataset import evaluation_dataset

    target = empty_folder(out) if out is not None else None
    loaded = load_model(model, device=device, checkpoint_name=checkpoint or "")
    loaded.priors.check(kind)
    known = [
        option
        for prior in active().specs("prior")
        if prior.name == kind
        for option in prior.options
    ]
    given = {name: value for name, value in values.items() if value is not None}
    options = check_options(known, given, f"prior {kind}") if given else {}
    _ = loaded.latent_size
    prior = loaded.priors.fit(
        kind, evaluation_dataset(loaded, data, active()), split, seed, **options
    )
    if target is not None:
        loaded.save(target)
    place = target if target is not None else loaded.priors.keep(kind)
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
