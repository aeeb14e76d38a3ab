"""The contract between engine and plug-ins: what runs per batch, and the protocols of parts.

The objects grow by fields, never by keyword arguments, so that a plug-in written today accepts
tomorrow's. Shapes are written as ``(B, C, H, W)``: B is the number of items in the batch.
"""

from aeplug.interfaces.batch import (
    Batch,
    Context,
    DataShape,
    Features,
    RawBatch,
    Sampling,
    ScheduleValues,
)
from aeplug.interfaces.codecs import (
    Codec,
    Document,
    FormatCodec,
    PicturedCodec,
    PlayableCodec,
    SequencedCodec,
    StreamingCodec,
)
from aeplug.interfaces.datasets import Dataset, LabelledDataset, SequencedDataset, Split
from aeplug.interfaces.parts import (
    Adversarial,
    AfterStep,
    AuxiliaryLosses,
    Bindable,
    Decoder,
    DistributionLoss,
    Encoded,
    Encoder,
    LatentDensity,
    LatentPart,
    Loss,
    Posterior,
    PosteriorDensity,
    Prepare,
)

__all__ = [
    "Adversarial",
    "AfterStep",
    "AuxiliaryLosses",
    "Batch",
    "Bindable",
    "Codec",
    "Context",
    "DataShape",
    "Dataset",
    "Decoder",
    "DistributionLoss",
    "Document",
    "Encoded",
    "Encoder",
    "Features",
    "FormatCodec",
    "LabelledDataset",
    "LatentDensity",
    "LatentPart",
    "Loss",
    "PicturedCodec",
    "PlayableCodec",
    "Posterior",
    "PosteriorDensity",
    "Prepare",
    "RawBatch",
    "Sampling",
    "ScheduleValues",
    "SequencedCodec",
    "SequencedDataset",
    "Split",
    "StreamingCodec",
]
