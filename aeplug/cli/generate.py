"""``aeplug reconstruct``, ``sample``, ``interpolate`` and ``vary``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aeplug.console import say
from aeplug.errors import AeplugError, ConfigError, FileError
from aeplug.plugins import active
from aeplug.specs import OptionSpec

if TYPE_CHECKING:
    from aeplug.generation import Model
    from aeplug.interfaces import Document, Sampling

#: Files on a sheet of inputs and results, and how many side by side.
SHOWN, COLUMNS = 60, 10

_TYPES: Mapping[str, Any] = {"str": str, "int": int, "float": float}


class VerbCommand(click.Command):
    """A command that also takes the options which codecs and tasks bring for it."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own parameters, then the plug-ins'."""
        own = super().get_params(ctx)
        taken = {option for parameter in own for option in parameter.opts}
        brought = [
            _click_option(spec, sorted(users))
            for spec, users in plugin_options(self.name or "")
            if f"--{spec.name}" not in taken
        ]
        return [*own, *brought]


def plugin_options(verb: str) -> list[tuple[OptionSpec, set[str]]]:
    """Options of a verb, over all plug-ins, with the names of the tasks that take them."""
    plugins = active()
    codecs = {codec.name: codec for codec in plugins.specs("codec")}
    found: dict[str, tuple[OptionSpec, set[str]]] = {}
    for task in plugins.specs("task"):
        codec = codecs.get(task.codec)
        for option in (*task.options, *(codec.options if codec else ())):
            if verb in option.verbs:
                found.setdefault(option.name, (option, set()))[1].add(task.name)
    return list(found.values())


def given_options(model: Model, verb: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The model's own options with the user's values over their defaults, checked.

    Raises:
        ConfigError: a value out of range, or an option that the model's task does not take.
    """
    codec = active().find("codec", model.config.sections["codec"].name)
    own = {
        option.name: option
        for option in (*model.spec.options, *codec.options)
        if verb in option.verbs
    }
    result = {name: option.default for name, option in own.items()}
    for key, value in values.items():
        name = key.replace("_", "-")
        if value is None:
            continue
        if name not in own:
            raise ConfigError(f"'{model.spec.name}' takes no option --{name}")
        option = own[name]
        if option.minimum is not None and value < option.minimum:
            raise ConfigError(f"--{name} {value}: expected at least {option.minimum:g}")
        if option.maximum is not None and value > option.maximum:
            raise ConfigError(f"--{name} {value}: expected at most {option.maximum:g}")
        result[name] = value
    return result


def _click_option(spec: OptionSpec, users: list[str]) -> click.Option:
    default = "" if spec.default in (None, False, "") else f"  [default: {spec.default}]"
    text = f"{spec.help}{default}  ({', '.join(users)})"
    if spec.type == "bool":
        return click.Option([f"--{spec.name}"], is_flag=True, default=None, help=text)
    return click.Option([f"--{spec.name}"], type=_TYPES[spec.type], default=None, help=text)


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
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
            click.option("--checkpoint", default="", help="best (default) or last, of a run."),
        )
    ):
        command = decorate(command)
    return command


def _drawing(temperature: float, greedy: bool) -> Callable[..., Any]:
    def decorator(command: Callable[..., Any]) -> Callable[..., Any]:
        for decorate in reversed(
            (
                click.option("--seed", default=0, show_default=True, help="Seed of every draw."),
                click.option(
                    "--temperature",
                    default=temperature,
                    show_default=True,
                    type=click.FloatRange(min=0, min_open=True),
                    help="Below 1 tamer, above 1 wilder.",
                ),
                click.option(
                    "--top-k",
                    default=0,
                    type=click.IntRange(min=0),
                    help="Draw from the k likeliest classes only.",
                ),
                click.option(
                    "--top-p",
                    default=1.0,
                    type=click.FloatRange(min=0, min_open=True, max=1),
                    help="Draw from the likeliest classes of this total probability.",
                ),
                click.option(
                    "--greedy/--draw",
                    default=greedy,
                    show_default=True,
                    help="Take the likeliest class instead of drawing.",
                ),
            )
        ):
            command = decorate(command)
        return command

    return decorator


def _sampling(model: Model, values: dict[str, Any]) -> Sampling:
    from aeplug.interfaces import Sampling

    return Sampling(
        values.pop("temperature"),
        values.pop("top_k"),
        values.pop("top_p"),
        values.pop("greedy"),
        model.generator(values.get("seed", 0)),
    )


def _open(model: str, verb: str, values: dict[str, Any]) -> tuple[Model, Path]:
    from aeplug.loading import load_model

    loaded = load_model(
        model, device=values.pop("device"), checkpoint_name=values.pop("checkpoint")
    )
    loaded.require(verb)
    return loaded, Path(values.pop("out"))


def _conditions(cond: tuple[str, ...], model: Model) -> dict[str, Any]:
    """``metre=3/4``, or the class alone where there is one condition."""
    names = list(model.shape.conditions)
    if cond and not names:
        raise ConfigError(f"'{model.spec.name}' takes no condition")
    given = {}
    for text in cond:
        name, equals, value = text.partition("=")
        if not equals:
            if len(names) > 1:
                raise ConfigError(f"--cond {text}: expected NAME=CLASS, NAME of {', '.join(names)}")
            name, value = names[0], text
        given[name] = value
    return given


def _write(
    model: Model, documents: Iterable[Document], out: Path, options: Mapping[str, Any]
) -> None:
    """Write documents into ``out`` and say so in one line."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"--out {out}: {error.strerror}") from error
    written: list[Path] = []
    for document in documents:
        written += model.codec.write(document, out / document.name, options)
    if len(written) == 1:
        say(f"wrote {written[0]}")
    elif written:
        say(f"wrote {len(written)} files, {written[0]} to {written[-1].name}")


@click.command(cls=VerbCommand)
@click.argument("model")
@click.option(
    "-n", "--count", default=64, show_default=True, type=click.IntRange(min=1), help="How many."
)
@click.option("--cond", multiple=True, metavar="CLASS|NAME=CLASS", help="Of which class.")
@_drawing(1.0, greedy=False)
@_common
def sample(model: str, count: int, cond: tuple[str, ...], **values: Any) -> None:
    """Draw new items from MODEL: a run directory, or a task that ships weights.

    \b
    aeplug sample runs/mnist-vae-20260101-120000 -n 64 --seed 1 --out samples
    aeplug sample mnist-vae -n 16 --temperature 0.8 --out samples

    Writes one file an item and a sheet of all. The same seed gives the same items.
    """
    from aeplug.gallery import draw_rows

    loaded, out = _open(model, "sample", values)
    sampling, seed = _sampling(loaded, values), values.pop("seed")
    options = given_options(loaded, "sample", values)
    documents = loaded.sample_documents(count, seed, sampling, _conditions(cond, loaded))
    digits = max(3, len(str(count)))
    for number, document in enumerate(documents, 1):
        document.name = f"sample-{number:0{digits}}"
    _write(loaded, documents, out, options)
    draw_rows(loaded, documents, out / "samples.png", f"{loaded.spec.name}: samples, seed {seed}")
    click.echo(str(out / "samples.png"))


@click.command(cls=VerbCommand)
@click.argument("model")
@click.argument("inputs", nargs=-1, required=True)
@_drawing(1.0, greedy=True)
@_common
def reconstruct(model: str, inputs: tuple[str, ...], **values: Any) -> None:
    """Put files, or folders of files, through MODEL and write what comes out.

    \b
    aeplug reconstruct mnist digits/ --out rebuilt
    aeplug reconstruct runs/my-run photo.png --out rebuilt

    Writes one file an input and a sheet of inputs over results. A file that cannot be read is
    named with its reason, the rest goes on, and the exit code is 1.
    """
    loaded, out = _open(model, "reconstruct", values)
    sampling = _sampling(loaded, values)
    values.pop("seed")
    options = given_options(loaded, "reconstruct", values)
    paths = _files(inputs, loaded)
    for path in paths:
        if path.parent.resolve() == out.resolve():
            raise ConfigError(f"--out {out} is the folder of the input {path}; name another")
    shown: list[tuple[Document, Document]] = []
    failed: list[Path] = []

    def results() -> Iterator[Document]:
        taken: set[str] = set()
        for path in paths:
            try:
                before = loaded.read(path)
                after = loaded.reconstruct_document(before, sampling)
            except FileError as error:
                failed.append(path)
                say(str(error))
                continue
            after.name = _free_name(path, taken)
            taken.add(after.name)
            if len(shown) < SHOWN:
                shown.append((before, after))
            yield after

    _write(loaded, results(), out, options)
    if shown:
        rows = []
        for start in range(0, len(shown), COLUMNS):
            part = shown[start : start + COLUMNS]
            rows.append(("input", [before for before, _ in part]))
            rows.append(("result", [after for _, after in part]))
        loaded.codec.sheet(rows, out / "reconstructions.png", f"{loaded.spec.name}: in and out")
        click.echo(str(out / "reconstructions.png"))
    if failed:
        raise AeplugError(f"{len(failed)} of {len(paths)} files could not be read (named above)")


@click.command(cls=VerbCommand)
@click.argument("model")
@click.argument("a", type=click.Path())
@click.argument("b", type=click.Path())
@click.option(
    "--steps",
    default=9,
    show_default=True,
    type=click.IntRange(min=2),
    help="Results, the two ends included.",
)
@_drawing(1.0, greedy=True)
@_common
def interpolate(model: str, a: str, b: str, steps: int, **values: Any) -> None:
    """Walk through MODEL's latent space from file A to file B.

    \b
    aeplug interpolate mnist-vae three.png eight.png --steps 9 --out morph
    aeplug interpolate melody-2bar one.mid two.mid --out morph

    Writes one file a step and a strip of all.
    """
    loaded, out = _open(model, "interpolate", values)
    sampling = _sampling(loaded, values)
    values.pop("seed")
    options = given_options(loaded, "interpolate", values)
    documents = loaded.interpolate_documents(
        loaded.read(Path(a)), loaded.read(Path(b)), steps, sampling
    )
    digits = max(2, len(str(steps)))
    for number, document in enumerate(documents, 1):
        document.name = f"step-{number:0{digits}}"
    _write(loaded, [*documents, *_in_a_row(loaded, documents)], out, options)
    title = f"{loaded.spec.name}: {Path(a).stem} to {Path(b).stem}"
    loaded.codec.sheet([("", documents)], out / "interpolation.png", title)
    click.echo(str(out / "interpolation.png"))


@click.command(cls=VerbCommand)
@click.argument("model")
@click.argument("input", type=click.Path())
@click.option(
    "-n", "--count", default=6, show_default=True, type=click.IntRange(min=1), help="How many."
)
@click.option(
    "--similarity",
    default=0.8,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="1: as near as the model can; 0: drawn from the prior.",
)
@_drawing(1.0, greedy=True)
@_common
def vary(model: str, input: str, count: int, similarity: float, **values: Any) -> None:
    """Make variations of a file by MODEL.

    \b
    aeplug vary melody-2bar tune.mid --similarity 0.8 -n 6 --out variations
    aeplug vary mnist-vae seven.png -n 12 --out variations

    Writes one file a variation and a sheet with the input first.
    """
    loaded, out = _open(model, "vary", values)
    sampling, seed = _sampling(loaded, values), values.pop("seed")
    options = given_options(loaded, "vary", values)
    original = loaded.read(Path(input))
    documents = loaded.vary_document(original, count, similarity, seed, sampling)
    digits = max(2, len(str(count)))
    for number, document in enumerate(documents, 1):
        document.name = f"{Path(input).stem}-variation-{number:0{digits}}"
    _write(loaded, documents, out, options)
    rows = [("input", [original])]
    rows += [
        ("variations" if start == 0 else "", documents[start : start + 6])
        for start in range(0, len(documents), 6)
    ]
    loaded.codec.sheet(rows, out / "variations.png", f"{loaded.spec.name}: {Path(input).name}")
    click.echo(str(out / "variations.png"))


def _in_a_row(model: Model, documents: list[Document]) -> list[Document]:
    """One document that plays the others in a row, where the codec knows how."""
    chain = getattr(model.codec, "chain", None)
    return [chain(documents, "all-steps")] if chain else []


def _files(inputs: tuple[str, ...], model: Model) -> list[Path]:
    """Files named, and those in folders that the codec reads, in order."""
    suffixes = active().find("codec", model.config.sections["codec"].name).suffixes
    found: list[Path] = []
    for text in inputs:
        path = Path(text)
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in suffixes)
            if not inside:
                raise FileError(f"{path} holds none of {', '.join(suffixes)}")
            found += inside
        else:
            found.append(path)
    return found


def _free_name(path: Path, taken: set[str]) -> str:
    name, number = path.stem, 2
    while name in taken:
        name, number = f"{path.stem}-{number}", number + 1
    return name


COMMANDS = (sample, reconstruct, interpolate, vary)
