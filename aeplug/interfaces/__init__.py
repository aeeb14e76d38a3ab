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
from aeplug.interfaces.capabilities import CAPABILITIES, supports
from aeplug.interfaces.codecs import (
    ChainingCodec,
    Codec,
    ComparableCodec,
    Document,
    FormatCodec,
    LossyCodec,
    PassedThrough,
    PicturedCodec,
    PlayableCodec,
    SequencedCodec,
    StreamingCodec,
)
from aeplug.interfaces.datasets import (
    Dataset,
    ItemSplit,
    LabelledDataset,
    ReshapableDataset,
    SequencedDataset,
    Split,
)
from aeplug.interfaces.generation import CandidateCodec, ConstrainableCodec
from aeplug.interfaces.latents import (
    AuxiliaryLosses,
    Encoded,
    InputGradientLatent,
    LatentDensity,
    LatentPart,
    Posterior,
    PosteriorDensity,
)
from aeplug.interfaces.losses import DistributionLoss, Loss, MultiDrawLoss
from aeplug.interfaces.modules import Adversarial, AfterStep, Bindable
from aeplug.interfaces.networks import AnySizeEncoder, ConditionBlindEncoder, Decoder, Encoder
from aeplug.interfaces.prepare import (
    FilePrepare,
    Prepare,
    ShapedPrepare,
    TargetFacts,
    WithOptions,
)
from aeplug.interfaces.priors import (
    OWN,
    ConditionedPrior,
    DensityPrior,
    DocumentPrior,
    PackedPriors,
    Prior,
    PriorSource,
    StoredPrior,
)

__all__ = [
    "CAPABILITIES",
    "OWN",
    "Adversarial",
    "AfterStep",
    "AnySizeEncoder",
    "AuxiliaryLosses",
    "Batch",
    "Bindable",
    "CandidateCodec",
    "ChainingCodec",
    "Codec",
    "ComparableCodec",
    "ConditionBlindEncoder",
    "ConditionedPrior",
    "ConstrainableCodec",
    "Context",
    "DataShape",
    "Dataset",
    "Decoder",
    "DensityPrior",
    "DistributionLoss",
    "Document",
    "DocumentPrior",
    "Encoded",
    "Encoder",
    "Features",
    "FilePrepare",
    "FormatCodec",
    "InputGradientLatent",
    "ItemSplit",
    "LabelledDataset",
    "LatentDensity",
    "LatentPart",
    "Loss",
    "LossyCodec",
    "MultiDrawLoss",
    "PackedPriors",
    "PassedThrough",
    "PicturedCodec",
    "PlayableCodec",
    "Posterior",
    "PosteriorDensity",
    "Prepare",
    "Prior",
    "PriorSource",
    "RawBatch",
    "ReshapableDataset",
    "Sampling",
    "ScheduleValues",
    "SequencedCodec",
    "SequencedDataset",
    "ShapedPrepare",
    "Split",
    "StoredPrior",
    "StreamingCodec",
    "TargetFacts",
    "WithOptions",
    "supports",
]
