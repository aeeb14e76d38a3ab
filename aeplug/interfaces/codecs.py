"""Protocols of codecs: files, documents and the pieces that a model takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from aeplug.interfaces.batch import RawBatch


@dataclass(frozen=True)
class PassedThrough:
    """How many pieces of a document a verb left as they were, and why.

    Example:
        >>> PassedThrough(pieces=40, blank=3, unlike=4).describe("windows")
        '7 of 40 windows passed through: 3 empty, 4 outside what the model was trained on'

    Attributes:
        pieces: of the document, in all.
        blank: those with nothing in them.
        unlike: those that the model does not reconstruct.
    """

    pieces: int = 0
    blank: int = 0
    unlike: int = 0

    @property
    def count(self) -> int:
        """Pieces that were passed through."""
        return self.blank + self.unlike

    def __add__(self, other: PassedThrough) -> PassedThrough:
        """The counts of both together."""
        return PassedThrough(
            self.pieces + other.pieces, self.blank + other.blank, self.unlike + other.unlike
        )

    def describe(self, pieces: str) -> str:
        """A clause for people; ``pieces`` is what they are called, in the plural."""
        unlike = "outside what the model was trained on"
        reasons = [f"{self.blank} empty"] * bool(self.blank)
        reasons += [f"{self.unlike} {unlike}"] * bool(self.unlike)
        if len(reasons) == 1:
            reasons = ["empty" if self.blank else unlike]
        return f"{self.count} of {self.pieces} {pieces} passed through: {', '.join(reasons)}"

    def as_dict(self) -> dict[str, int]:
        """JSON-ready."""
        return asdict(self)


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
        reading: how the file was read where there was a choice, such as which of its tracks was
            taken, one line; empty: there was none.
        passed: of what a verb made, the pieces that are the input's own; None: none were compared.

    Example:
        >>> document = model.codec.join(model.sample(1), {}, None)
        >>> document.name, type(document.content).__name__
        ('sample', 'Picture')
    """

    content: Any
    name: str
    source: Path | None = None
    suffix: str = ""
    size: int = 0
    reading: str = ""
    passed: PassedThrough | None = None


@runtime_checkable
class Codec(Protocol):
    """``factory(config, shape)``: files <-> documents <-> the pieces a model takes.

    A piece is one item of the model (an image, a window of bars, a tile). All but ``sheet`` may be
    called from several threads at once.

    Example:
        >>> class TextCodec:
        ...     def read(self, path):
        ...         return Document(np.loadtxt(path, dtype="float32", ndmin=2), path.stem, path)
        ...     def split(self, document):
        ...         return {"array": torch.from_numpy(document.content)}
        ...     def join(self, pieces, cond, like):
        ...         return Document(pieces.numpy(), like.name if like else "sample")
        ...     def write(self, document, stem, options):
        ...         np.savetxt(stem.with_suffix(".txt"), document.content)
        ...         return [stem.with_suffix(".txt")]
        ...     def sheet(self, rows, path, title):
        ...         path.write_text(title)
        >>> codec = TextCodec()
        >>> (path,) = codec.write(codec.join(torch.zeros(3, 4), {}, None), Path("zeros"), {})
        >>> codec.split(codec.read(path))["array"].shape
        torch.Size([3, 4])
    """

    def read(self, path: Path) -> Document:
        """Read a whole file; raises :class:`aeplug.errors.FileError` with the reason."""
        ...

    def split(self, document: Document) -> RawBatch:
        """Cut into pieces: columns with P rows, as a data set's ``take`` gives."""
        ...

    def join(self, pieces: Tensor, cond: Mapping[str, Tensor], like: Document | None) -> Document:
        """Pieces ``(P, *shape.target)`` that a model made -> one document.

        ``like`` is the document the pieces were cut from; None when they were sampled. Where it
        has a ``source``, all else of that file may stay around the pieces; what lies between
        several documents, as in an interpolation, has none.
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

    Example:
        >>> from aeplug.data import ArrayCodec
        >>> class RowsCodec(ArrayCodec):
        ...     def chunks(self, document):
        ...         for start in range(0, len(document.content), 256):
        ...             yield {"array": torch.from_numpy(document.content[start : start + 256])}
        ...     def assemble(self, results, like):
        ...         rows = np.concatenate([pieces.numpy() for pieces in results])
        ...         return Document(rows, like.name)
        >>> codec = RowsCodec(None, DataShape((16,), (16,)))
        >>> [raw["array"].shape for raw in codec.chunks(Document(np.zeros((300, 16)), "rows"))]
        [torch.Size([256, 16]), torch.Size([44, 16])]
    """

    def chunks(self, document: Document) -> Iterator[RawBatch]:
        """The pieces in order, some at a time, those of one chunk of one shape."""
        ...

    def assemble(self, results: Iterator[Tensor], like: Document) -> Document:
        """What the model made of each chunk, in order -> one document.

        A chunk is asked for once the result before it has been taken: at any time one is held.
        """
        ...


@runtime_checkable
class FormatCodec(Codec, Protocol):
    """A codec that writes several formats, a document's in ``Document.suffix``.

    Example:
        >>> from aeplug.data import ArrayCodec
        >>> class TextOrBinaryCodec(ArrayCodec):
        ...     def suffix_for(self, source):
        ...         return source.suffix if source.suffix in (".csv", ".npy") else ".npy"
        >>> codec = TextOrBinaryCodec(None, DataShape((16,), (16,)))
        >>> codec.suffix_for(Path("a.csv")), codec.suffix_for(Path("a.wav"))
        ('.csv', '.npy')
    """

    def suffix_for(self, source: Path) -> str:
        """Suffix of the file that becomes of ``source``: its own where the codec writes it."""
        ...


@runtime_checkable
class SequencedCodec(Codec, Protocol):
    """A codec of documents that can go on, for ``aeplug continue``.

    Example:
        >>> from aeplug.data import ArrayCodec
        >>> class SeriesCodec(ArrayCodec):
        ...     def context_pieces(self, document):
        ...         return self.split(document)
        ...     def append_pieces(self, document, pieces, cond):
        ...         rows = np.concatenate([document.content, pieces.cpu().numpy()])
        ...         return Document(rows, document.name)
        ...     def num_pieces(self, options):
        ...         return int(options.get("rows") or 0)
        >>> codec = SeriesCodec(None, DataShape((16,), (16,)))
        >>> document = codec.append_pieces(Document(np.zeros((3, 16)), "a"), torch.zeros(2, 16), {})
        >>> document.content.shape
        (5, 16)
    """

    def context_pieces(self, document: Document) -> RawBatch:
        """The pieces that what follows the document is to fit: whole ones, up to its end.

        Raises:
            FileError: it holds none.
        """
        ...

    def append_pieces(
        self, document: Document, pieces: Tensor, cond: Mapping[str, Tensor]
    ) -> Document:
        """The document as read, and behind it pieces ``(P, *shape.target)`` with conditions."""
        ...

    def num_pieces(self, options: Mapping[str, Any]) -> int:
        """How many pieces the codec's own options ask for; 0: they do not say.

        Raises:
            ConfigError: what they ask for is not a number of whole pieces.
        """
        ...


@runtime_checkable
class ChainingCodec(Codec, Protocol):
    """A codec that can play documents one after the other, for ``aeplug interpolate``.

    Example:
        >>> from aeplug.data import ArrayCodec
        >>> class ClipCodec(ArrayCodec):
        ...     def chain(self, documents, name):
        ...         return Document(np.concatenate([d.content for d in documents]), name)
        >>> codec = ClipCodec(None, DataShape((16,), (16,)))
        >>> codec.chain([Document(np.zeros((2, 16)), name) for name in "ab"], "both").content.shape
        (4, 16)
    """

    def chain(self, documents: Sequence[Document], name: str) -> Document:
        """One document, called ``name``, that plays the others in order."""
        ...


@runtime_checkable
class ComparableCodec(Codec, Protocol):
    """A codec that can tell how far two pieces are apart, as its users hear or see it.

    With it verbs that start from a file compare what a model made with what the file has: pieces
    that the model does not reconstruct are passed through, ``vary`` reaches the similarity that it
    is asked for, and the steps of ``interpolate`` are even.

    Pieces are those of one document or of several, ``(P, *shape.target)``; ``cond`` has their
    classes, each int64 ``(P,)``. No piece influences another's result.

    Example:
        >>> from aeplug.data import ArrayCodec
        >>> class LevelsCodec(ArrayCodec):
        ...     def as_pieces(self, raw):
        ...         return raw["array"].float()
        ...     def distance(self, pieces, others, cond):
        ...         return (pieces - others).abs().flatten(1).mean(1).clamp(0, 1)
        ...     def is_blank(self, pieces, cond):
        ...         return (pieces == 0).flatten(1).all(1)
        >>> codec = LevelsCodec(None, DataShape((16,), (16,)))
        >>> codec.distance(torch.zeros(4, 16), torch.ones(4, 16), {})
        tensor([1., 1., 1., 1.])
    """

    def as_pieces(self, raw: RawBatch) -> Tensor:
        """What ``split`` or a chunk gives, in the form that decoders give: ``(P, *shape.target)``.

        Joined unchanged they are the document again.
        """
        ...

    def distance(self, pieces: Tensor, others: Tensor, cond: Mapping[str, Tensor]) -> Tensor:
        """How far each piece is from its other, float32 ``(P,)``: 0 equal, 1 nothing in common.

        The same both ways.
        """
        ...

    def is_blank(self, pieces: Tensor, cond: Mapping[str, Tensor]) -> Tensor:
        """Which pieces have nothing in them, such as silence: bool ``(P,)``; no verb fills them."""
        ...


@runtime_checkable
class LossyCodec(Codec, Protocol):
    """A codec whose files cannot hold an item: sound, of which a spectrogram has no phases.

    Without it checks expect that at most 0.02 of the values' range is lost.

    Attributes:
        file_loss: share of the values' range that is lost on average, 0..1.

    Example:
        >>> from aeplug.data import ArrayCodec
        >>> class RoundedCodec(ArrayCodec):
        ...     file_loss = 0.05
        >>> supports(RoundedCodec(None, DataShape((16,), (16,))), LossyCodec)
        True
    """

    file_loss: float


@runtime_checkable
class PicturedCodec(Codec, Protocol):
    """A codec whose documents can be shown small.

    Example:
        >>> from aeplug.data import ArrayCodec
        >>> class GreyCodec(ArrayCodec):
        ...     def thumbnail(self, document):
        ...         grey = (255 * document.content[0]).clip(0, 255).astype(np.uint8)
        ...         return np.repeat(grey[..., None], 3, axis=-1)
        >>> codec = GreyCodec(None, DataShape((8, 8), (8, 8)))
        >>> codec.thumbnail(Document(np.zeros((1, 8, 8)), "a")).shape
        (8, 8, 3)
    """

    def thumbnail(self, document: Document) -> NDArray[np.uint8]:
        """A picture ``(h, w, 3)`` of the document, of one size for all of a model's items."""
        ...


@runtime_checkable
class PlayableCodec(Codec, Protocol):
    """A codec whose documents can be heard.

    Example:
        >>> from aeplug.data import ArrayCodec
        >>> class StepsCodec(ArrayCodec):
        ...     def playable(self, document):
        ...         return [(0.25 * n, 0.25, int(p)) for n, p in enumerate(document.content[0])]
        >>> codec = StepsCodec(None, DataShape((2,), (2,)))
        >>> codec.playable(Document(np.array([[60, 64]]), "a"))
        [(0.0, 0.25, 60), (0.25, 0.25, 64)]
    """

    def playable(self, document: Document) -> Sequence[tuple[float, float, int]]:
        """Notes in order: begin and duration in seconds, and MIDI pitch."""
        ...
