"""What a part may be able to do beyond its own protocol, and how the engine asks.

A part claims a capability by having its members; it need not inherit from the protocol. There is
one way to look: ``supports(part, Capability)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from inspect import get_annotations
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from aeplug.interfaces.codecs import (
    ChainingCodec,
    ComparableCodec,
    FormatCodec,
    LossyCodec,
    PicturedCodec,
    PlayableCodec,
    SequencedCodec,
    StreamingCodec,
)
from aeplug.interfaces.datasets import (
    ItemSplit,
    LabelledDataset,
    ReshapableDataset,
    SequencedDataset,
)
from aeplug.interfaces.generation import CandidateCodec, ConstrainableCodec
from aeplug.interfaces.latents import (
    AuxiliaryLosses,
    InputGradientLatent,
    LatentDensity,
    PosteriorDensity,
)
from aeplug.interfaces.losses import DistributionLoss, MultiDrawLoss
from aeplug.interfaces.modules import Adversarial, AfterStep, Bindable
from aeplug.interfaces.networks import AnySizeEncoder, ConditionBlindEncoder
from aeplug.interfaces.prepare import FilePrepare, ShapedPrepare, TargetFacts, WithOptions
from aeplug.interfaces.priors import ConditionedPrior, DensityPrior

if TYPE_CHECKING:
    from typing_extensions import TypeIs

T = TypeVar("T")

_MODULE = (Adversarial, AfterStep, Bindable)

#: Kind of part -> the capabilities that the engine looks for in it. ``ReshapableDataset`` is one of
#: the data set's factory, which is asked before the data set is opened.
CAPABILITIES: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {
        "dataset": (LabelledDataset, SequencedDataset, ReshapableDataset),
        "split": (ItemSplit,),
        "prepare": (FilePrepare, ShapedPrepare, TargetFacts, WithOptions),
        "encoder": (AnySizeEncoder, ConditionBlindEncoder, *_MODULE),
        "latent": (LatentDensity, AuxiliaryLosses, InputGradientLatent, *_MODULE),
        "posterior": (PosteriorDensity,),
        "decoder": _MODULE,
        "loss": (MultiDrawLoss, DistributionLoss, *_MODULE),
        "codec": (
            StreamingCodec,
            FormatCodec,
            SequencedCodec,
            PicturedCodec,
            PlayableCodec,
            ChainingCodec,
            ComparableCodec,
            ConstrainableCodec,
            CandidateCodec,
            LossyCodec,
            WithOptions,
        ),
        "prior": (DensityPrior, ConditionedPrior),
    }
)


def supports(part: object, capability: type[T]) -> TypeIs[T]:
    """Whether a part has a capability: all members of the protocol, its own flags True.

    Not ``isinstance``: from Python 3.12 on that overlooks what an ``nn.Module`` registers (a
    critic among its submodules), and it does not read a flag that is False.

    Args:
        part: an encoder, a codec, a data set's class ...
        capability: a protocol of :mod:`aeplug.interfaces`.

    Example:
        >>> supports(model.codec, PicturedCodec), supports(model.codec, StreamingCodec)
        (True, False)
    """
    protocol: type = capability
    return all(hasattr(part, name) for name in members(protocol)) and all(
        getattr(part, name) for name in flags(protocol)
    )


def own_members(capability: type) -> tuple[str, ...]:
    """Names of what a protocol adds to those it extends, in order."""
    names = (*get_annotations(capability), *vars(capability))
    return tuple(dict.fromkeys(name for name in names if not name.startswith("_")))


@cache
def flags(capability: type) -> tuple[str, ...]:
    """Those of its own members that are True or False."""
    kinds = get_annotations(capability).items()
    return tuple(name for name, kind in kinds if kind in (bool, "bool"))


@cache
def members(capability: type) -> tuple[str, ...]:
    """Names of all that a part with the capability has, its own members first."""
    protocols = [base for base in capability.__mro__ if vars(base).get("_is_protocol")]
    return tuple(dict.fromkeys(name for base in protocols for name in own_members(base)))
