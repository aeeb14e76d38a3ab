"""Options that several commands share, and those that plug-ins bring."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aeplug.errors import ConfigError
from aeplug.plugins import active

if TYPE_CHECKING:
    from aeplug.interfaces import Sampling
    from aeplug.jobs.inputs import Inputs
    from aeplug.model.model import Model

device_option = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, cuda, mps."
)
data_option = click.option(
    "--data", help="Files of your own as the data set, instead of the task's."
)
checkpoint_option = click.option(
    "--checkpoint", type=click.Choice(["best", "last"]), help="Of a run.  [default: best]"
)


split_option = click.option(
    "--split", help="train, val, test or all.  [default: test; of files of your own all]"
)


overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace results that are in OUT already."
)


manifest_option = click.option(
    "--from",
    "manifest",
    default="",
    metavar="LIST",
    help="File of names to do, one a line or separated by NUL; - for stdin.",
)


change_option = click.option(
    "--cond",
    multiple=True,
    metavar="CLASS|NAME=CLASS",
    help="Change the class, and keep the rest: 8, or metre=3/4 where there are several conditions.",
)


prior_option = click.option(
    "--prior",
    metavar="NAME",
    help="Where latents are drawn from: own, the model's; standard, N(0, 1); gaussian or gmm, "
    "fitted to its embeddings, or sequence, to its documents (see fit-prior); style, of a model "
    "that was adapted.  [default: own; style where there is one]",
)


class FiniteRange(click.FloatRange):
    """A range of numbers; click's own lets ``nan`` through, and ``inf`` where it has no end."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, checked."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--out``, ``--device`` and ``--checkpoint``."""
    for decorate in reversed(
        (
            click.option(
                "--out",
                type=click.Path(file_okay=False),
                required=True,
                help="Folder for the results.",
            ),
            click.option(
                "--device", default="auto", help="auto, cpu, cuda, mps.", show_default=True
            ),
            checkpoint_option,
        )
    ):
        command = decorate(command)
    return command


def drawing_options(greedy: bool) -> Callable[..., Any]:
    """Add ``--seed`` and how to draw; ``greedy`` is the command's own default."""

    def decorator(command: Callable[..., Any]) -> Callable[..., Any]:
        for decorate in reversed(
            (
                click.option(
                    "--seed",
                    default=0,
                    show_default=True,
                    type=click.IntRange(0, 2**63 - 1),
                    help="Seed of every draw.",
                ),
                click.option(
                    "--temperature",
                    type=FiniteRange(min=0, min_open=True),
                    help="Below 1 more typical, above 1 wilder.  [default: the task's own, or 1]",
                ),
                click.option(
                    "--top-k",
                    default=0,
                    type=click.IntRange(min=0),
                    help="Of tokens: draw from the k likeliest only.",
                ),
                click.option(
                    "--top-p",
                    default=1.0,
                    type=FiniteRange(min=0, min_open=True, max=1),
                    help="Of tokens: draw from the likeliest of this total probability.",
                ),
                click.option(
                    "--greedy/--draw",
                    default=greedy,
                    show_default=True,
                    help="Of tokens: take the likeliest, whatever the options above.",
                ),
            )
        ):
            command = decorate(command)
        return command

    return decorator


def sampling_of(model: Model, values: dict[str, Any]) -> Sampling:
    """Take the drawing options out of a command's values; the seed stays."""
    from aeplug.interfaces import Sampling

    temperature = values.pop("temperature")
    return Sampling(
        model.spec.temperature if temperature is None else temperature,
        values.pop("top_k"),
        values.pop("top_p"),
        values.pop("greedy"),
        model.generator(values.get("seed", 0)),
    )


def open_model(model: str, verb: str, values: dict[str, Any]) -> tuple[Model, Path]:
    """Load the model a command names, if it can do ``verb``; and the folder for results."""
    from aeplug.api import load_model

    loaded = load_model(
        model, device=values.pop("device"), checkpoint_name=values.pop("checkpoint") or ""
    )
    loaded.require(verb, values.get("prior") or "")
    return loaded, Path(values.pop("out")).expanduser()


def length_of(model: Model, pieces: int | None, options: Mapping[str, Any]) -> int:
    """Pieces of a document that are asked for, by number or in the codec's own units; 0: neither.

    Raises:
        ConfigError: by both, or not whole pieces.
    """
    from aeplug.interfaces import SequencedCodec

    codec = model.codec
    if not isinstance(codec, SequencedCodec):
        return pieces or 0
    asked = codec.pieces_of(options)
    if asked and pieces:
        own = [name for name, value in options.items() if codec.pieces_of({name: value})]
        raise ConfigError(f"--pieces and --{' --'.join(own)} exclude each other: both are lengths")
    return asked or pieces or 0


def conditions_of(cond: tuple[str, ...], model: Model) -> dict[str, Any]:
    """``metre=3/4``, or the class alone where there is one condition."""
    names = list(model.shape.conditions)
    if cond and not names:
        raise ConfigError(f"'{model.spec.name}' takes no condition")
    given: dict[str, str] = {}
    for text in cond:
        name, equals, value = text.partition("=")
        if not equals:
            if len(names) > 1:
                raise ConfigError(f"--cond {text}: expected NAME=CLASS, NAME of {', '.join(names)}")
            name, value = names[0], text
        if name in given:
            raise ConfigError(f"--cond {text}: {name} is given twice")
        given[name] = value
    return given


def numbers_of(option: str, text: str, minimum: float = -math.inf) -> list[float]:
    """``"0,0.5,1"`` as finite numbers, each once, in the order given.

    Those that are written alike by ``:g`` count as one: files are named so.

    Raises:
        ConfigError: something else, or a number below the minimum.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        try:
            number = float(part)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and number >= minimum):
            least = f" of at least {minimum:g}" if math.isfinite(minimum) else ""
            raise ConfigError(f"{option} {text}: expected numbers{least}, got '{part.strip()}'")
        number += 0.0  # -0 is 0
        found.setdefault(f"{number:g}", number)
    return list(found.values())


def inputs_of(model: Model, inputs: tuple[str, ...], manifest: str, out: Path) -> Inputs:
    """The files that are named and that the model's codec reads."""
    from aeplug.jobs.inputs import Inputs

    suffixes = active().find("codec", model.config.sections["codec"].name).suffixes
    return Inputs(inputs, manifest, suffixes, out)
