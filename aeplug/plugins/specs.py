"""What the hooks return: frozen descriptions that cost nothing to make.

A spec names its factory as a ``"module:attribute"`` string, so that listing every task and part
imports neither torch nor a codec's libraries.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from aeplug.plugins.guard import GuardSpec

#: What a model can be asked to do with files. ``sample`` also needs a latent part with a prior,
#: ``continue`` a codec of documents that can go on.
VERBS = ("reconstruct", "sample", "interpolate", "vary", "continue")


def load_attribute(path: str) -> Any:
    """Import a module and return an attribute of it.

    Raises:
        ImportError: there is no such module, or it does not import.
        AttributeError: the module has no such attribute.
        ValueError: the text is not of the form ``module:attribute``.

    Example:
        >>> load_attribute("torch.nn:Linear")(3, 2).weight.shape
        torch.Size([2, 3])
    """
    module, colon, attribute = path.partition(":")
    if not (module and colon and attribute):
        raise ValueError(f"'{path}' is not of the form 'module:attribute'")
    found: Any = importlib.import_module(module)
    for name in attribute.split("."):
        found = getattr(found, name)
    return found


@dataclass(frozen=True)
class _Part:
    """A part a task can name.

    Attributes:
        name: what ``--set encoder=NAME`` says; lower case with hyphens.
        factory: ``"module:attribute"`` of a class with a nested ``Config`` (see
            :class:`aeplug.config.PartConfig`); how it is called stands in
            :mod:`aeplug.interfaces`.
        summary: one line for lists.
    """

    name: str
    factory: str
    summary: str = ""

    kind: ClassVar[str] = "part"

    def load(self) -> Any:
        """The factory itself; imports its module."""
        # What a plug-in prints must not end up in the JSON of the program around it.
        with contextlib.redirect_stdout(sys.stderr):
            return load_attribute(self.factory)


@dataclass(frozen=True)
class EncoderSpec(_Part):
    """An encoder: input -> features.

    Example:
        >>> active().find("encoder", "mlp")
        EncoderSpec(name='mlp', factory='aeplug_image.nets.mlp:MLPEncoder', summary='fully connected
            layers; any shape')
    """

    kind: ClassVar[str] = "encoder"


@dataclass(frozen=True)
class LatentSpec(_Part):
    """A bottleneck: features -> posterior over the latent.

    Example:
        >>> factory = active().find("latent", "gaussian").load()
        >>> posterior = factory(factory.Config(size=2), features_shape=(8,))(torch.zeros(4, 8))
        >>> posterior.sample().shape
        torch.Size([4, 2])
    """

    kind: ClassVar[str] = "latent"


@dataclass(frozen=True)
class DecoderSpec(_Part):
    """A decoder: latent -> parameters of the output distribution, and data generated from it.

    Example:
        >>> active().find("decoder", "mlp").factory
        'aeplug_image.nets.mlp:MLPDecoder'
    """

    kind: ClassVar[str] = "decoder"


@dataclass(frozen=True)
class LossSpec(_Part):
    """A loss: output, batch and posterior -> a scalar and the terms it is made of.

    Example:
        >>> active().find("loss", "mse")
        LossSpec(name='mse', factory='aeplug_image.nets.losses:MSELoss', summary='mean squared error
            of a pixel')
    """

    kind: ClassVar[str] = "loss"


@dataclass(frozen=True)
class OptionSpec:
    """A setting of one command that a codec or task brings, shown as ``--name`` on the CLI.

    Attributes:
        name: with hyphens, as typed after ``--``.
        type: how the value is parsed; ``bool`` makes a flag.
        default: the value where the user gives none.
        help: one line; units belong in it.
        verbs: the commands that take it.
        minimum: smallest value admitted, for numbers.
        maximum: largest value admitted, for numbers.
        choices: the values admitted, for text; empty: any.
        needs: name of an option of the same owner, without which this one has no effect.
        check: ``module:function``, called with the value before any work; it raises an AeplugError.

    Example:
        >>> OptionSpec("bpm", "float", 120.0, "tempo, beats a minute", minimum=1).verbs
        ('reconstruct', 'sample', 'interpolate', 'vary', 'continue')
        >>> OptionSpec("bpm", "number", 120.0, "tempo, beats a minute")
        Traceback (most recent call last):
            ...
        ValueError: option 'bpm' has type 'number'
    """

    name: str
    type: Literal["str", "int", "float", "bool"]
    default: Any
    help: str
    verbs: tuple[str, ...] = VERBS
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    needs: str = ""
    check: str = ""

    def __post_init__(self) -> None:
        if self.type not in ("str", "int", "float", "bool"):
            raise ValueError(f"option '{self.name}' has type {self.type!r}")


@dataclass(frozen=True)
class CodecSpec(_Part):
    """Files <-> tensors (see :class:`aeplug.interfaces.Codec`).

    Attributes:
        suffixes: file endings it reads, lower case with the dot; the first is the one it writes.
        options: settings for writing, given on the command line.

    Example:
        >>> active().find("codec", "array")
        CodecSpec(name='array', factory='aeplug.data.arrays:ArrayCodec', summary='plain arrays',
            suffixes=('.npy',), options=())
    """

    suffixes: tuple[str, ...] = ()
    options: tuple[OptionSpec, ...] = ()

    kind: ClassVar[str] = "codec"


@dataclass(frozen=True)
class DatasetSpec(_Part):
    """A data set with ``train``, ``val`` and ``test`` splits.

    Attributes:
        builder: ``"module:function"`` behind ``aeplug data build``, where files are turned into
            arrays once, ahead of training; None where the data set reads its files itself.
        options: settings of the builder, given on the command line of ``data build``.
        needs_folder: it has no data of its own, and waits for ``--data``.
        sourceless: its builder makes data up where no SOURCES are named.

    Example:
        >>> active().find("dataset", "image-folder")
        DatasetSpec(name='image-folder', factory='aeplug_image.datasets.folder:ImageFolder',
            summary='images of your own', builder=None, options=(), needs_folder=True,
            sourceless=False)
    """

    builder: str | None = None
    options: tuple[OptionSpec, ...] = ()
    needs_folder: bool = False
    sourceless: bool = False

    kind: ClassVar[str] = "dataset"


@dataclass(frozen=True)
class PriorSpec:
    """A prior over latents, fitted after training: ``sample --prior NAME``.

    Attributes:
        name: what users type; lower case with hyphens.
        fit: ``"module:function"``: ``(model, dataset, split, seed, **options) -> prior``, an
            :class:`aeplug.interfaces.Prior` or ``DocumentPrior`` that is a ``StoredPrior`` too.
            None: it is made by a command of its own, which ``refit_hint`` names.
        restore: ``"module:function"``: ``(entry, tensors) -> prior``, of what ``entry`` and
            ``tensors()`` of a stored one gave, and its name as ``kind``. None: it is not kept.
        summary: one line for lists.
        unit: what one draw makes: an ``item``, or a whole ``document`` of many pieces.
        refit_hint: what to type when its file is missing or damaged.
        options: of ``fit``, shown as ``--name`` by ``aeplug fit-prior``.
        duration: of ``fit``, where it is minutes: verbs then fit with ``--fit`` alone; empty: less.

    Example:
        >>> active().find("prior", "gmm").hint
        'fit it again: aeplug fit-prior MODEL --kind gmm'
    """

    name: str
    fit: str | None
    restore: str | None
    summary: str = ""
    unit: Literal["item", "document"] = "item"
    refit_hint: str = ""
    options: tuple[OptionSpec, ...] = ()
    duration: str = ""

    kind: ClassVar[str] = "prior"

    @property
    def factory(self) -> str:
        """What makes it, for lists: ``fit``, or ``restore`` where a command makes it."""
        return self.fit or self.restore or ""

    @property
    def hint(self) -> str:
        """How to come by it again, for messages."""
        return self.refit_hint or f"fit it again: aeplug fit-prior MODEL --kind {self.name}"


@dataclass(frozen=True)
class DemoSpec:
    """What ``aeplug demo`` does with a task.

    Attributes:
        settings: settings for a short training from scratch; None: use the shipped weights.
        inputs: files for ``reconstruct``, ``interpolate`` and ``vary``, as paths inside the
            bundled data (``folk_tunes.zip!a/b.mid``); none: the held-out split is reconstructed.
        order: demos run in ascending order.

    Example:
        >>> active().task("mnist-vae").demo
        DemoSpec(settings={'train.epochs': 4}, inputs=(), order=10)
    """

    settings: Mapping[str, Any] | None = None
    inputs: tuple[str, ...] = ()
    order: int = 100


@dataclass(frozen=True)
class AttributeSpec:
    """A quantity that can be measured of a task's items, for ``aeplug attribute``.

    Attributes:
        name: what users type; lower case with hyphens.
        measure: ``"module:function"``: a :class:`aeplug.interfaces.Batch` with items as its
            ``target`` ``(B, *shape.target)`` and their ``cond``, and the
            :class:`aeplug.interfaces.DataShape` -> float ``(B,)``, NaN where an item has no such
            thing. Items of one batch must not influence one another.
        unit: of what is measured.
        summary: one line for lists.

    Example:
        >>> active().task("mnist-vae").attributes[0]
        AttributeSpec(name='slant', measure='aeplug_image.attributes:slant', unit='degrees',
            summary='lean of the strokes to the right')
    """

    name: str
    measure: str
    unit: str
    summary: str = ""


@dataclass(frozen=True)
class SamplingDefaults:
    """How a task's items are drawn where the user does not say.

    Attributes:
        temperature: of ``sample``, above 0; 1 is the model's own.
        prior: what ``sample`` and ``vary`` draw from (``gaussian``, fitted to the embeddings where
            none is stored); empty: the latent part's own prior.
        prior_scale: factor of the latents' distance from the prior's mean in ``sample``; None: the
            square root of the temperature, which then tempers the whole model.

    Example:
        >>> active().task("melody-2bar").sampling
        SamplingDefaults(temperature=0.5, prior='', prior_scale=None)
    """

    temperature: float = 1.0
    prior: str = ""
    prior_scale: float | None = None


@dataclass(frozen=True)
class TaskSpec:
    """A composition, by name, of parts: what ``aeplug train NAME`` trains.

    Attributes:
        name: what users type.
        summary: one line for ``aeplug tasks``.
        dataset, encoder, latent, decoder, loss, codec: names of parts, of any plug-in.
        prepare: ``"module:Class"``: raw rows of the data set -> :class:`aeplug.interfaces.Batch`;
            augmentation and corruption live there. By default the column ``array`` as it is.
        settings: defaults that differ from the parts' own, by dotted key.
        folder_dataset: the data set that ``--data DIR`` stands for; None: not offered.
        evaluate: ``"module:function"`` for figures beyond the loss (``aeplug evaluate``).
        baselines: ``"module:function"`` for ``aeplug evaluate --baselines``.
        options: settings of commands that belong to the task rather than to its codec: of
            ``evaluate``, or of what ``prepare`` takes a user's files for (see
            :class:`aeplug.interfaces.WithOptions`).
        verbs: what the task can be asked to do.
        weights: ``"package:folder"`` of the checkpoint that ships with it, if one does.
        sampling: how ``sample`` and ``vary`` draw where the user does not say.
        demo: how ``aeplug demo`` shows it, if it does.
        guard: how far from a file what a model makes of it may be, if its codec compares.
        attributes: what can be measured of items, and steered.

    Example:
        >>> from aeplug.config import resolve
        >>> task = TaskSpec(
        ...     "my-digits", "digits as 8 numbers", dataset="mnist", encoder="mlp",
        ...     latent="gaussian", decoder="mlp", loss="elbo", settings={"latent.size": 8},
        ... )
        >>> resolve(task, active()).sections["latent"].config.size
        8
    """

    name: str
    summary: str
    dataset: str
    encoder: str
    decoder: str
    loss: str
    latent: str = "deterministic"
    codec: str = "array"
    prepare: str = "aeplug.data.arrays:PrepareArrays"
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    folder_dataset: str | None = None
    evaluate: str | None = None
    baselines: str | None = None
    options: tuple[OptionSpec, ...] = ()
    verbs: tuple[str, ...] = VERBS
    weights: str | None = None
    sampling: SamplingDefaults = SamplingDefaults()
    demo: DemoSpec | None = None
    guard: GuardSpec | None = None
    attributes: tuple[AttributeSpec, ...] = ()

    kind: ClassVar[str] = "task"


@dataclass(frozen=True)
class RunEvent:
    """Something rare that happened to a run; passed to ``aeplug_run_event``.

    Attributes:
        kind: ``started``, ``logged``, ``evaluated``, ``saved`` or ``finished``.
        run: the run directory.
        task: the task's name.
        step: optimizer steps done, from 0.
        metrics: the figures at hand (floats), by name; empty where there are none.

    Example:
        >>> @hookimpl
        ... def aeplug_run_event(event):
        ...     print(event.kind, event.step, event.metrics["loss"])
        >>> aeplug_run_event(RunEvent("evaluated", "runs/vae", "mnist-vae", 100, {"loss": 0.5}))
        evaluated 100 0.5
    """

    kind: Literal["started", "logged", "evaluated", "saved", "finished"]
    run: str
    task: str
    step: int
    metrics: Mapping[str, float] = field(default_factory=dict)
