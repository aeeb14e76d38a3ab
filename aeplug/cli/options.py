"""Options that several commands share, each declared once, and what is read from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aeplug.cli.completion import ModelName, TaskName, complete_specs
from aeplug.cli.progress import show_stage
from aeplug.errors import ConfigError, FileError
from aeplug.plugins import active
from aeplug.runtime.console import say

if TYPE_CHECKING:
    from aeplug.interfaces import Sampling
    from aeplug.jobs.inputs import Inputs
    from aeplug.model.model import Model

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class FiniteRange(click.FloatRange):
    """A range of numbers; click's own lets ``nan`` through, and ``inf`` where it has no end.

    Example:
        >>> FiniteRange(min=0)("0.5")
        0.5
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, checked."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


class SeedNumber(click.ParamType):
    """A seed: from 0 to 2^63 - 1, a range that no help text needs to spell out."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number, checked."""
        return int(click.IntRange(0, 2**63 - 1).convert(value, param, ctx))


SEED = SeedNumber()

model_argument = click.argument("model", type=ModelName())
task_argument = click.argument("task", type=TaskName(), required=False, metavar="TASK")
inputs_argument = click.argument("inputs", metavar="[IN]...", nargs=-1, type=click.Path())
device_option = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 or mps."
)
checkpoint_option = click.option(
    "--checkpoint",
    type=click.Choice(["best", "last"]),
    help="Which checkpoint of a run to load.  [default: best]",
)
data_option = click.option(
    "--data", type=click.Path(), help="Your own files as the data set, instead of the task's."
)
split_option = click.option(
    "--split", help="train, val, test or all.  [default: test; with --data all]"
)
seed_option = click.option("--seed", default=0, show_default=True, type=SEED, help="Random seed.")
overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Overwrite results that exist; inputs are never overwritten."
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help='Print one JSON object; of an error, {"error": ...}.'
)
out_option = click.option(
    "--out", required=True, type=click.Path(file_okay=False), help="Folder for the results."
)
manifest_option = click.option(
    "--from",
    "manifest",
    default="",
    metavar="LIST",
    type=click.Path(allow_dash=True),
    help="File with the names of inputs, one a line or separated by NUL; - for stdin.",
)
change_option = click.option(
    "--cond",
    multiple=True,
    metavar="CLASS|NAME=CLASS",
    help="Change the class and keep the rest: 8, or metre=3/4 where there are several conditions.",
)
guard_option = click.option(
    "--no-guard",
    is_flag=True,
    help="Show what the model makes of every piece, also of those that it does not know and of "
    "empty ones, which are passed through else.",
)
prior_option = click.option(
    "--prior",
    metavar="NAME",
    shell_complete=complete_specs("prior"),
    help="Prior to draw latents from: own (the model's), or a fitted one such as gaussian or gmm "
    "(`aeplug parts prior` lists them).  [default: the task's]",
)
fit_option = click.option(
    "--fit", is_flag=True, help="Fit a prior that is not there yet, also where that takes minutes."
)


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--out``, ``--overwrite``, ``--json``, ``--device`` and ``--checkpoint``.

    Example:
        >>> import click
        >>> command = click.command("twice")(common_options(lambda **options: None))
        >>> [parameter.name for parameter in command.params]
        ['out', 'overwrite', 'as_json', 'device', 'checkpoint']
    """
    options = (out_option, overwrite_option, json_option, device_option, checkpoint_option)
    for decorate in reversed(options):
        command = decorate(command)
    return command


def drawing_options(greedy: bool) -> Decorator:
    """Add ``--seed`` and how to draw; ``greedy`` is the command's own default.

    Example:
        >>> import click
        >>> command = click.command("twice")(drawing_options(greedy=True)(lambda **options: None))
        >>> [parameter.name for parameter in command.params]
        ['seed', 'temperature', 'top_k', 'top_p', 'greedy']
    """
    options = (
        seed_option,
        click.option(
            "--temperature",
            type=FiniteRange(min=0, min_open=True),
            help="Below 1 more typical, above 1 more varied.  [default: the task's own, or 1]",
        ),
        click.option(
            "--top-k",
            default=0,
            type=click.IntRange(min=0),
            help="Token models: sample from the k most likely.",
        ),
        click.option(
            "--top-p",
            default=1.0,
            type=FiniteRange(min=0, min_open=True, max=1),
            help="Token models: sample from the most likely of this total probability.",
        ),
        click.option(
            "--greedy/--draw",
            default=greedy,
            show_default=True,
            help="Token models: take the most likely; overrides temperature, top-k and top-p.",
        ),
    )

    def decorate_all(command: Callable[..., Any]) -> Callable[..., Any]:
        for decorate in reversed(options):
            command = decorate(command)
        return command

    return decorate_all


@dataclass
class Request:
    """What a command is asked to make with a model: its options, read and checked.

    Attributes:
        model: loaded, taking files for what the options say.
        out: folder for the results.
        options: of the model's task and codec, by name with hyphens.
        sampling: how to decode.
        seed: of every draw.
        cond: classes, condition's name -> class.
        prior: name of a prior; empty: the model's default.
    """

    model: Model
    out: Path
    options: dict[str, Any]
    sampling: Sampling
    seed: int
    cond: dict[str, Any]
    prior: str


def open_model(
    model: str,
    verb: str,
    device: str = "auto",
    checkpoint: str | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    no_guard: bool = False,
) -> tuple[Model, dict[str, Any]]:
    """Load the model that a command names, and read the plug-ins' options of a verb.

    With ``no_guard`` the model passes no piece of a file through.

    Returns:
        The model, which takes files for what the options say; and the options, by name with
        hyphens, over their defaults.

    Raises:
        AeplugError: the model cannot be loaded, or an option does not fit it.

    Example:
        >>> model, options = open_model("melody-2bar", "sample", options={"tempo": 96.0})
        >>> model.spec.name, options["tempo"]
        ('melody-2bar', 96.0)
    """
    with show_stage("loading", "model"):
        from aeplug.api import load
        from aeplug.model.capabilities import resolve_options

        loaded = load(model, device=device, checkpoint=checkpoint or "")
    if no_guard:
        loaded = loaded.without_guard()
    own = resolve_options(loaded, verb, options or {})
    return loaded.with_options(own), own


def open_request(
    model: str,
    verb: str,
    *,
    out: str,
    device: str,
    checkpoint: str | None,
    seed: int,
    temperature: float | None,
    top_k: int,
    top_p: float,
    greedy: bool,
    cond: Sequence[str] = (),
    prior: str | None = None,
    needs: str = "",
    no_guard: bool = False,
    fit: bool = False,
    **options: Any,
) -> Request:
    """Load the model that a command names, if it can do ``verb``, and read the options.

    The arguments are those of :func:`common_options` and :func:`drawing_options`, as click hands
    them over; ``options`` are the plug-ins'. ``needs`` is the verb that the model must be capable
    of, where that is another one; ``no_guard`` passes no piece of a file through; ``fit`` lets a
    prior be fitted that takes minutes.

    Raises:
        AeplugError: the model cannot be loaded or cannot do it, or an option does not fit.

    Example:
        >>> request = open_request(
        ...     "mnist-vae", "sample", out="out", device="cpu", checkpoint=None, seed=1,
        ...     temperature=None, top_k=0, top_p=1.0, greedy=False,
        ... )
        >>> request.model.sample(2, request.seed).shape
        torch.Size([2, 1, 28, 28])
    """
    from aeplug.interfaces import Sampling
    from aeplug.model.capabilities import check_sampling

    if not out:  # else it would mean the current folder
        raise ConfigError("--out is empty")
    loaded, own = open_model(model, verb, device, checkpoint, options, no_guard=no_guard)
    loaded.require(needs or verb, prior or "")
    check_sampling(loaded, verb, temperature, top_k, top_p, greedy)
    if fit:
        loaded.priors.allow_fitting()
    temperature = loaded.spec.sampling.temperature if temperature is None else temperature
    sampling = Sampling(temperature, top_k, top_p, greedy, loaded.generator(seed))
    classes = read_conditions(cond, loaded)
    return Request(loaded, Path(out).expanduser(), own, sampling, seed, classes, prior or "")


def read_length(model: Model, pieces: int | None, options: Mapping[str, Any]) -> int:
    """Pieces of a document, by ``--pieces`` or in the codec's own units; 0: neither is named.

    Raises:
        ConfigError: both are, or the length is not of whole pieces.

    Example:
        >>> read_length(model, 4, {})
        4
    """
    from aeplug.interfaces import SequencedCodec, supports

    codec = model.codec
    if not supports(codec, SequencedCodec):
        return pieces or 0
    named = codec.num_pieces(options)
    if named and pieces:
        own = [name for name, value in options.items() if codec.num_pieces({name: value})]
        raise ConfigError(f"--pieces and --{' --'.join(own)} exclude each other: both are lengths")
    return named or pieces or 0


def read_conditions(cond: Sequence[str], model: Model) -> dict[str, Any]:
    """``metre=3/4``, or the class alone where there is one condition, by condition.

    Raises:
        ConfigError: the model has no condition or none of this name, or no such class.
    """
    names = list(model.shape.conditions)
    if cond and not names:
        raise ConfigError(f"'{model.spec.name}' takes no condition")
    classes: dict[str, str] = {}
    for text in cond:
        name, equals, value = text.partition("=")
        if not equals:
            if len(names) > 1:
                raise ConfigError(f"--cond {text}: expected NAME=CLASS, NAME of {', '.join(names)}")
            name, value = names[0], text
        if name in classes:
            raise ConfigError(f"--cond {text}: {name} is given twice")
        classes[name] = value
    model.encode_conditions(classes, 1)  # an unknown class is refused before any file is read
    return classes


def read_numbers(option: str, text: str, minimum: float = -math.inf) -> list[float]:
    """``"0,0.5,1"`` as finite numbers, each once, in the order they stand.

    Those that are written alike by ``:g`` count as one: files are named so.

    Raises:
        ConfigError: something else, or a number below the minimum.

    Example:
        >>> read_numbers("--sigma", "0,0.5,0.50")
        [0.0, 0.5]
    """
    numbers: dict[str, float] = {}
    for part in text.split(","):
        try:
            number = float(part)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and number >= minimum):
            least = f" of at least {minimum:g}" if math.isfinite(minimum) else ""
            raise ConfigError(f"{option} {text}: expected numbers{least}, got '{part.strip()}'")
        number += 0.0  # -0 is 0
        numbers.setdefault(f"{number:g}", number)
    return list(numbers.values())


def list_inputs(
    model: Model,
    inputs: Sequence[str],
    manifest: str = "",
    out: str | Path = "",
    *,
    skip_unlisted: bool = False,
) -> Inputs:
    """The files that arguments and ``--from`` name, of the kinds that the model's codec reads.

    Args:
        model: whose codec.
        inputs: files, folders, patterns, or ``-``.
        manifest: a list of names.
        out: where results will lie, which is no input.
        skip_unlisted: note folders that cannot be listed, and go on.
    """
    from aeplug.jobs.inputs import Inputs

    suffixes = active().find("codec", model.config.sections["codec"].name).suffixes
    return Inputs(inputs, manifest, suffixes, Path(out), skip_unlisted=skip_unlisted)


def list_input_names(
    model: Model, inputs: Sequence[str], manifest: str = "", out: str | Path = ""
) -> list[str]:
    """The paths of :func:`list_inputs`, all of them; the reason where a folder has none.

    Raises:
        FileError: nothing is named.

    Example:
        >>> Path("digits").mkdir()
        >>> Path("digits/a.png").touch()
        >>> list_input_names(model, ["digits", "b.png"])
        ['digits/a.png', 'b.png']
    """
    named = list_inputs(model, inputs, manifest, out)
    paths = [file.path for file in named]
    if not paths:
        raise FileError("; ".join(named.remarks) or "no file is named: expected files or a folder")
    for remark in named.remarks:
        say(remark)
    return paths
