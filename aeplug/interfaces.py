"""What runs per batch: plain objects and the protocols of the parts.

The objects grow by fields, never by keyword arguments, so that a plug-in written today accepts
tomorrow's. Shapes are written as ``(B, C, H, W)``: B is the number of items in the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

if TYPE_CHECKING:
    from aeplug.training.distributed import World

#: What a data set or a codec hands to ``prepare``: named columns, first dimension B.
Raw = dict[str, Tensor]

#: Values of schedules at the present step, as 0-d float32 tensors on the device; tensors, since
#: a compiled module would be compiled anew for every new Python float.
Knobs = Mapping[str, Tensor]


@dataclass(frozen=True)
class DataShape:
    """What one item looks like; every part is built from it.

    Attributes:
        input: shape of one input item without the batch, ``(C, H, W)`` or ``(T,)``.
        target: shape of one target item.
        classes: size of the vocabulary where items are tokens; 0 for real values.
        conditions: condition's name -> names of its classes, in the order of their numbers.
    """

    input: tuple[int, ...]
    target: tuple[int, ...]
    classes: int = 0
    conditions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass
class Context:
    """What a part may look at beside the tensor it is given.

    Attributes:
        cond: condition's name -> int64 ``(B,)``.
        lengths: valid steps of each item, int64 ``(B,)``; None where items have one size.
        size: shape of one target item.
        input: the model's input; None when sampling.
        target: the target, for teacher forcing; None except in training and evaluation.
        skips: feature maps the encoder hands to the decoder, coarsest last.
    """

    cond: Mapping[str, Tensor] = field(default_factory=dict)
    lengths: Tensor | None = None
    size: tuple[int, ...] = ()
    input: Tensor | None = None
    target: Tensor | None = None
    skips: Sequence[Tensor] = ()

    def repeated(self, count: int) -> Context:
        """The context of a batch whose every item stands ``count`` times in a row."""
        return replace(
            self,
            cond=_repeated(self.cond, count),
            lengths=_each(self.lengths, count),
            input=_each(self.input, count),
            target=_each(self.target, count),
            skips=[skip.repeat_interleave(count, 0) for skip in self.skips],
        )


@dataclass
class Batch:
    """Items to learn from.

    Attributes:
        input: ``(B, ...)``, what the encoder sees.
        target: ``(B, ...)``, what is to be reconstructed; an autoencoder's is its input.
        cond: condition's name -> int64 ``(B,)``.
        lengths: valid steps of each item, int64 ``(B,)``, or None.
    """

    input: Tensor
    target: Tensor
    cond: Mapping[str, Tensor] = field(default_factory=dict)
    lengths: Tensor | None = None

    def context(self, *, with_target: bool) -> Context:
        """The context for encoder and decoder; ``with_target`` for teacher forcing."""
        return Context(
            cond=self.cond,
            lengths=self.lengths,
            size=tuple(self.target.shape[1:]),
            input=self.input,
            target=self.target if with_target else None,
        )

    def repeated(self, count: int) -> Batch:
        """Every item ``count`` times in a row: ``(B x count, ...)``."""
        return replace(
            self,
            input=self.input.repeat_interleave(count, 0),
            target=self.target.repeat_interleave(count, 0),
            cond=_repeated(self.cond, count),
            lengths=_each(self.lengths, count),
        )


def _repeated(cond: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
    return {name: value.repeat_interleave(count, 0) for name, value in cond.items()}


def _each(column: Tensor | None, count: int) -> Tensor | None:
    return None if column is None else column.repeat_interleave(count, 0)


@dataclass
class Sampling:
    """How to draw from a decoder's output distribution.

    Attributes:
        temperature: divides logits of discrete outputs; above 0. 1 is the model's own.
        top_k: keep the k likeliest classes; 0 keeps all.
        top_p: keep the likeliest classes that together have this probability; 1 keeps all.
        greedy: take the likeliest class.
        generator: source of randomness on the device; None: torch's own.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    greedy: bool = False
    generator: torch.Generator | None = None


@dataclass
class Features:
    """An encoder's result where it has more than one tensor to give.

    Attributes:
        values: ``(B, *features_shape)``, for the latent part.
        skips: see :class:`Context`.
    """

    values: Tensor
    skips: Sequence[Tensor] = ()


class Posterior(Protocol):
    """The distribution of the latent given an input."""

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One draw with gradient, ``(B, *latent_shape)``."""
        ...

    def mode(self) -> Tensor:
        """The likeliest latent (a Gaussian's mean), ``(B, *latent_shape)``."""
        ...

    def kl(self) -> Tensor:
        """KL divergence to the prior in nats, ``(B, *latent_shape)``, one value a dimension."""
        ...

    def statistics(self) -> dict[str, Tensor]:
        """What ``encode`` returns by name, each ``(B, ...)``: ``mean``, ``logvar`` ..."""
        ...


@runtime_checkable
class PosteriorDensity(Posterior, Protocol):
    """A posterior with a density, for importance weights."""

    def log_prob(self, z: Tensor) -> Tensor:
        """Logarithm of the density at ``(B, *latent_shape)``, nats, ``(B,)``."""
        ...

    def repeated(self, count: int) -> PosteriorDensity:
        """The posterior of each item ``count`` times in a row, ``(B x count, ...)``."""
        ...


class Encoder(Protocol):
    """``factory(config, shape)``; a plain module, also of use alone as a feature extractor.

    A fully convolutional one says ``any_size = True``: items need not have the size of ``shape``.
    One that looks at no condition says ``sees_conditions = False``: the classes of a user's file,
    which tells none, can then be found (:mod:`aeplug.conditions`).
    """

    features_shape: tuple[int, ...]

    def __call__(self, input: Tensor, context: Context | None = None) -> Tensor | Features:
        """``(B, *shape.input)`` -> ``(B, *features_shape)``."""
        ...


class LatentPart(Protocol):
    """``factory(config, features_shape)``."""

    latent_shape: tuple[int, ...]
    has_prior: bool

    def __call__(self, features: Tensor) -> Posterior:
        """``(B, *features_shape)`` -> posterior over ``(B, *latent_shape)``."""
        ...

    def prior(self, count: int, spread: float, generator: torch.Generator | None) -> Tensor:
        """``count`` draws from the prior, ``(count, *latent_shape)``; only with ``has_prior``.

        ``spread`` scales the distance from the prior's middle; 1 is the prior itself.
        """
        ...


@runtime_checkable
class LatentDensity(LatentPart, Protocol):
    """A latent part whose prior has a density, for likelihoods."""

    def log_prior(self, z: Tensor) -> Tensor:
        """Logarithm of the prior's density at ``(B, *latent_shape)``, nats, ``(B,)``."""
        ...


@dataclass
class Encoded:
    """A batch's latents in one step, for the terms that a latent part adds to the loss.

    Attributes:
        posterior: of each item.
        z: what was decoded, ``(B, *latent_shape)``, with gradient; where the loss asks for several
            draws an item, ``(B x draws, *latent_shape)``.
        input: what the encoder saw, ``(B, ...)``; with gradient where the part says so.
        knobs: see :data:`Knobs`.
        training: whether in training, else in evaluation.
        generator: source of randomness on the device; None: torch's own.
    """

    posterior: Posterior
    z: Tensor
    input: Tensor
    knobs: Knobs
    training: bool
    generator: torch.Generator | None = None


@runtime_checkable
class LatentTerms(Protocol):
    """A latent part with terms of its own: commitment, sparsity, a critic.

    One with an attribute ``input_gradient = True`` finds a graph from ``Encoded.input`` to ``z``,
    in evaluation too; it cannot be compiled, since it is differentiated twice.
    """

    def terms(self, encoded: Encoded) -> dict[str, Tensor]:
        """Figures of the batch, 0-d, by name.

        ``penalty`` is added to the loss. ``adversary`` is what the part's adversary minimises (see
        :class:`Adversarial`). The others are shown.
        """
        ...


class Decoder(Protocol):
    """``factory(config, shape, latent_shape)``."""

    def __call__(self, z: Tensor, context: Context, knobs: Knobs) -> Any:
        """Latents -> parameters of the output distribution; teacher forcing lives here."""
        ...

    def generate(self, z: Tensor, context: Context, sampling: Sampling) -> Tensor:
        """Latents -> data, ``(B, *shape.target)``; works from ``z`` and ``cond`` alone."""
        ...


class Loss(Protocol):
    """``factory(config, shape)``.

    One with an attribute ``draws`` (int, at least 1) gets so many draws of each item's latent:
    output and batch of ``B x draws`` rows, an item's in a row, and a posterior
    :class:`aeplug.latents.draws.Draws` that holds z and its densities.
    """

    def __call__(
        self, output: Any, batch: Batch, posterior: Posterior, knobs: Knobs
    ) -> dict[str, Tensor]:
        """Means over the batch, 0-d: ``loss`` (minimised) and the terms it is made of."""
        ...

    def nll(self, output: Any, batch: Batch) -> Tensor:
        """Negative log-likelihood of each target given the output, nats, ``(B,)``."""
        ...


@runtime_checkable
class DistributionLoss(Loss, Protocol):
    """A loss whose ``nll`` is that of a distribution over targets, so that likelihoods compare."""

    def distribution(self, batch: Batch) -> str:
        """The distribution in words: ``Bernoulli pixels``.

        Raises:
            ConfigError: it is not one over targets as the batch has them (grey values are none
                of a Bernoulli's); the message says what to set.
        """
        ...


@runtime_checkable
class Adversarial(Protocol):
    """A latent part or loss that plays against a module of its own, a critic or discriminator.

    The weights of ``adversary`` are updated in the same step by an optimizer of their own
    (``train.adversary_lr``), clipped and skipped apart from the others. They minimise the term
    ``adversary``, the others minimise ``loss``; one backward pass serves both, so neither term may
    reach the other side's weights: compute ``adversary`` of what is detached, and what stands
    against it, which goes into the loss, with the critic's weights detached
    (``torch.func.functional_call``).
    """

    adversary: nn.Module


@runtime_checkable
class Connected(Protocol):
    """A part that needs another one."""

    def connect(self, task: nn.Module) -> None:
        """Called once, when the task has all its parts: ``encoder``, ``latent``, ``decoder``,
        ``loss`` and ``shape``. Keep a part in a tuple, or its weights are registered twice.

        Raises:
            ValueError: the part does not fit the others.
        """
        ...


@runtime_checkable
class Stepped(Protocol):
    """A part that moves by itself what the optimizers do not: running means, codebooks."""

    def stepped(self, skipped: Tensor, world: World) -> None:
        """Called after each step of the optimizers, in every process.

        Args:
            skipped: 0-d float, 1 where the step was left out: then nothing may change.
            world: to sum over processes, which must stay alike.
        """
        ...


class Prepare(Protocol):
    """``factory(config, shape)``: the task's own step from raw rows to a batch.

    One that corrupts or reduces also has a method ``given(raw) -> Batch`` for rows of a user's
    file, which go in as they are. One that can take files for different things also has
    ``asked(options) -> Prepare``: itself, for files that are what the task's options say, by name
    with hyphens (``{"given": "score"}``). Where the batch's items differ in shape from the data
    set's, an attribute ``shape`` (:class:`DataShape`) says what the parts are built for. What was
    made of targets, where figures depend on it, an attribute ``facts`` names:
    ``{"binarisation": ...}``.
    """

    def __call__(self, raw: Raw, generator: torch.Generator, training: bool) -> Batch:
        """Normalise; in training also augment or corrupt, with randomness from ``generator``."""
        ...


class Split(Protocol):
    """One part of a data set, addressed by row."""

    def __len__(self) -> int: ...

    def take(self, index: Tensor) -> Raw:
        """Rows by number (int64 ``(B,)``), on the split's device."""
        ...

    def to(self, device: torch.device) -> Split:
        """The split whose rows come out on ``device``."""
        ...


class Dataset(Protocol):
    """``factory(config)``."""

    shape: DataShape

    def split(self, name: str) -> Split:
        """``train``, ``val`` or ``test``.

        Raises:
            DataError: the data set has no such split, or its files are missing or damaged.
        """
        ...


@runtime_checkable
class LabelledDataset(Dataset, Protocol):
    """A data set that says what its rows are, for maps, probes and files of embeddings.

    Without it a data set's labels are its columns of one integer a row.
    """

    def labels(self, rows: Raw) -> Mapping[str, Any]:
        """What is known of rows ``(B, ...)`` that a split's ``take`` gave.

        Returns:
            Arrays ``(B,)`` by name: classes as text or integers, quantities as floats. The first
            is what a map is coloured by and a probe reads; ``name``, where there is one, is what
            each item is called.
        """
        ...


@runtime_checkable
class SequencedDataset(Dataset, Protocol):
    """A data set whose items are pieces of documents that are longer: bars of tunes.

    From it a model of whole documents can be fitted (:mod:`aeplug.priors.sequence_prior`).
    """

    def sequences(self, name: str, generator: torch.Generator | None) -> tuple[Raw, Tensor]:
        """The documents of a split, each cut anew into consecutive pieces.

        Nothing is left out because it was there before, as items may be: how documents repeat
        themselves is what is learnt.

        Args:
            name: of the split.
            generator: where given, documents are altered as a whole by its draws, as far as that
                makes others of the same kind (tunes in other keys).

        Returns:
            Rows ``(N, ...)`` as a split's ``take`` gives, document after document in order; and how
            many each has, int64 ``(M,)``, at least 1, in sum N.

        Raises:
            DataError: there is no such split, or the documents are no longer to be found.
        """
        ...


@dataclass
class Document:
    """A file's content as its modality understands it.

    Attributes:
        content: the codec's own object (an array of pixels, a tune).
        name: for output files and captions; no suffix.
        source: the file it was read from, if any.
        suffix: of the file to write, for codecs that write several formats; empty: the codec's.
        size: bytes that the content takes in memory, where it may be large; a job holds fewer
            of the large ones at once.
        left_out: what of the file is not in the content, one clause; empty: nothing worth a word.
    """

    content: Any
    name: str
    source: Path | None = None
    suffix: str = ""
    size: int = 0
    left_out: str = ""


@runtime_checkable
class Codec(Protocol):
    """``factory(config, shape)``: files <-> documents <-> the pieces a model takes.

    A piece is one item of the model (an image, a window of bars, a tile). All but ``sheet`` may be
    called from several threads at once. One that can take files for different things also has
    ``asked(options) -> Codec``: itself, for files that are what its options say, by name with
    hyphens (``{"bpm": 96.0}``). One whose files cannot hold an item (sound, of which a spectrogram
    has no phases) says in ``file_loss`` how much of the values' range is lost in the mean; else
    checks expect 0.02 at most.
    """

    def read(self, path: Path) -> Document:
        """Read a whole file; raises :class:`aeplug.errors.FileError` with the reason."""
        ...

    def split(self, document: Document) -> Raw:
        """Cut into pieces: columns with P rows, as a data set's ``take`` gives."""
        ...

    def join(self, pieces: Tensor, cond: Mapping[str, Tensor], like: Document | None) -> Document:
        """Pieces ``(P, *shape.target)`` that a model made -> one document.

        ``like`` is the document the pieces were cut from; None when they were sampled.
        """
        ...

    def write(self, document: Document, stem: Path, options: Mapping[str, Any]) -> list[Path]:
        """Write one document to ``stem`` plus suffix; returns the files written.

        They lie beside each other and are named ``stem`` plus a suffix each.
        """
        ...

    def sheet(self, rows: Sequence[tuple[str, Sequence[Document]]], path: Path, title: str) -> None:
        """Draw labelled rows of documents side by side into one PNG."""
        ...


@runtime_checkable
class StreamingCodec(Codec, Protocol):
    """A codec of documents too large to lie in memory as all their pieces at once.

    Where a codec has these two, ``reconstruct`` uses them in place of ``split`` and ``join``.
    """

    def chunks(self, document: Document) -> Iterator[Raw]:
        """The pieces in order, some at a time, those of one chunk of one shape."""
        ...

    def assemble(self, results: Iterator[Tensor], like: Document) -> Document:
        """What the model made of each chunk, in order -> one document.

        A chunk is asked for once the result before it has been taken: at any time one is held.
        """
        ...


@runtime_checkable
class FormatCodec(Codec, Protocol):
    """A codec that writes several formats, a document's in ``Document.suffix``."""

    def suffix_for(self, source: Path) -> str:
        """Suffix of the file that becomes of ``source``: its own where the codec writes it."""
        ...


@runtime_checkable
class SequencedCodec(Codec, Protocol):
    """A codec of documents that can go on, for ``aeplug continue``."""

    def passage(self, document: Document) -> Raw:
        """The pieces that what follows the document is to fit: whole ones, up to its end.

        Raises:
            FileError: it holds none.
        """
        ...

    def followed(self, document: Document, pieces: Tensor, cond: Mapping[str, Tensor]) -> Document:
        """The document as read, and behind it pieces ``(P, *shape.target)`` with conditions."""
        ...

    def pieces_of(self, options: Mapping[str, Any]) -> int:
        """How many pieces the codec's own options ask for; 0: they do not say.

        Raises:
            ConfigError: what they ask for is not a number of whole pieces.
        """
        ...


@runtime_checkable
class PicturedCodec(Codec, Protocol):
    """A codec whose documents can be shown small."""

    def thumbnail(self, document: Document) -> NDArray[np.uint8]:
        """A picture ``(h, w, 3)`` of the document, of one size for all of a model's items."""
        ...


@runtime_checkable
class PlayableCodec(Codec, Protocol):
    """A codec whose documents can be heard."""

    def playable(self, document: Document) -> Sequence[tuple[float, float, int]]:
        """Notes in order: begin and duration in seconds, and MIDI pitch."""
        ...
