"""Protocols of a task's preparation: raw rows to a batch, and users' files to a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch

from aeplug.interfaces.batch import Batch, DataShape, RawBatch

if TYPE_CHECKING:
    from typing_extensions import Self


class Prepare(Protocol):
    """``factory(config, shape)``: the task's own step from raw rows to a batch.

    Example:
        >>> class PrepareBytes:
        ...     def __init__(self, config, shape):
        ...         pass
        ...     def __call__(self, raw, generator, training):
        ...         items = raw["array"].float() / 255
        ...         return Batch(items, items)
        >>> raw = {"array": torch.full((4, 16), 255, dtype=torch.uint8)}
        >>> PrepareBytes(None, None)(raw, torch.Generator(), training=True).target.max()
        tensor(1.)
    """

    def __call__(self, raw: RawBatch, generator: torch.Generator, training: bool) -> Batch:
        """Normalise; in training also augment or corrupt, with randomness from ``generator``."""
        ...


@runtime_checkable
class FilePrepare(Prepare, Protocol):
    """A preparation that corrupts or reduces rows of data, and takes a user's file as it is.

    Example:
        >>> class PrepareNoisy:
        ...     def __init__(self, config, shape):
        ...         pass
        ...     def __call__(self, raw, generator, training):
        ...         clean = raw["array"].float()
        ...         noise = torch.empty_like(clean).normal_(generator=generator)
        ...         return Batch(clean + 0.1 * noise, clean)
        ...     def prepare_file(self, raw):
        ...         return Batch(raw["array"].float(), raw["array"].float())
        >>> batch = PrepareNoisy(None, None).prepare_file({"array": torch.zeros(4, 16)})
        >>> torch.equal(batch.input, batch.target)
        True
    """

    def prepare_file(self, raw: RawBatch) -> Batch:
        """Rows ``(P, ...)`` that the codec's ``split`` gave of a file -> a batch of P items."""
        ...


@runtime_checkable
class ShapedPrepare(Prepare, Protocol):
    """A preparation whose items differ in shape from the data set's.

    Attributes:
        shape: what the parts are built for.

    Example:
        >>> class PrepareHalves:
        ...     def __init__(self, config, shape):
        ...         self.size = shape.input[0] // 2
        ...         self.shape = DataShape((self.size,), (self.size,))
        ...     def __call__(self, raw, generator, training):
        ...         items = raw["array"][:, : self.size].float()
        ...         return Batch(items, items)
        >>> PrepareHalves(None, DataShape((16,), (16,))).shape
        DataShape(input=(8,), target=(8,), classes=0, conditions={})
    """

    @property
    def shape(self) -> DataShape:
        """What one item of its batches looks like."""
        ...


@runtime_checkable
class TargetFacts(Prepare, Protocol):
    """A preparation that says what it made of targets, where figures depend on it.

    ``evaluate --likelihood`` reports it beside the figures.

    Attributes:
        facts: JSON-ready values by name: ``{"binarisation": "static"}``.

    Example:
        >>> class PrepareBinary:
        ...     def __init__(self, config, shape):
        ...         self.facts = {"binarisation": "threshold 0.5"}
        ...     def __call__(self, raw, generator, training):
        ...         items = (raw["array"] > 0.5).float()
        ...         return Batch(items, items)
        >>> PrepareBinary(None, None)({"array": torch.rand(4, 16)}, None, False).target.unique()
        tensor([0., 1.])
    """

    @property
    def facts(self) -> Mapping[str, Any]:
        """What was made of targets, by name."""
        ...


@runtime_checkable
class WithOptions(Protocol):
    """A preparation or codec that can take a user's files for different things.

    ``aeplug reconstruct groove x.mid --given score`` takes the file for a score alone.

    Example:
        >>> from aeplug.errors import ConfigError
        >>> class ScaledCodec:
        ...     def __init__(self, config, shape, gain=1.0):
        ...         self.config, self.item_shape, self.gain = config, shape, gain
        ...     def with_options(self, options):
        ...         gain = options.get("gain", self.gain)
        ...         if not gain > 0:
        ...             raise ConfigError(f"--gain {gain}: expected above 0")
        ...         return ScaledCodec(self.config, self.item_shape, gain)
        >>> ScaledCodec(None, None).with_options({"gain": 2.0}).gain
        2.0
    """

    def with_options(self, options: Mapping[str, Any]) -> Self:
        """The same for files that are what the options say; it stays as it is itself.

        Args:
            options: values by name with hyphens, as they stand in an ``OptionSpec`` of the task or
                codec (``{"bpm": 96.0}``). Names of no concern to it are passed over, and a missing
                or None value is the default.

        Raises:
            ConfigError: a value that it does not admit.
        """
        ...
