"""Parts that each claim one thing that they cannot do; a plug-in for the tests of the checks.

Every class differs from the fake it is made of in the one claim its docstring names.
"""

from __future__ import annotations

import numpy as np
import torch

from aeplug import (
    CodecSpec,
    DatasetSpec,
    EncoderSpec,
    LatentSpec,
    LossSpec,
    OptionSpec,
    PriorSpec,
    hookimpl,
)
from aeplug.checks.fakes import FakeEncoder, FakeLoss, FakePrepare, FakeVectors
from aeplug.data.arrays import ArrayCodec
from aeplug.data.splits import TensorSplit
from aeplug.interfaces import DataShape
from aeplug.latents.gaussian import GaussianLatent, GaussianPosterior


class OneSize(FakeEncoder):
    """Any size, with a linear layer."""

    any_size = True


class WordySize(FakeEncoder):
    """A word for a flag."""

    any_size = "yes"


class Peeking(FakeEncoder):
    """No conditions, but it looks at them."""

    ignores_conditions = True

    def forward(self, input, context=None):
        features = super().forward(input)
        return features + sum(value[:, None] for value in context.cond.values())


class Greedy(FakeEncoder):
    """Takes the decoder for a part of its own."""

    def bind(self, task):
        self.decoder = task.decoder


class Restless(FakeEncoder):
    """Moves after a step that was skipped."""

    def __init__(self, config, shape):
        super().__init__(config, shape)
        self.register_buffer("steps", torch.zeros(()))

    def after_step(self, skipped, distributed):
        self.steps += 1


class Stepless(FakeEncoder):
    """Takes nothing after a step."""

    def after_step(self):
        pass


class OneDensity(GaussianLatent):
    """One density for the whole batch."""

    def log_prior(self, z):
        return super().log_prior(z).sum()


class ShuffledPosterior(GaussianPosterior):
    """Repeats the batch, not each item."""

    def repeat_items(self, count):
        return GaussianPosterior(self.mean.repeat(count, 1), self.logvar.repeat(count, 1))


class Shuffled(GaussianLatent):
    """Its posterior repeats in another order."""

    def forward(self, features):
        posterior = super().forward(features)
        return ShuffledPosterior(posterior.mean, posterior.logvar)


class VectorTerms(GaussianLatent):
    """A term for each item."""

    def auxiliary_losses(self, encoded):
        return {"size": encoded.z.abs().mean(1)}


class Unreached(GaussianLatent):
    """Differentiates by an input that does not reach it."""

    input_gradient = True

    def forward(self, features):
        return super().forward(features.detach())

    def auxiliary_losses(self, encoded):
        return {}


class Lossless(GaussianLatent):
    """An input's gradient, and no losses made of it."""

    input_gradient = True


class NoCritic(GaussianLatent):
    """A word for a critic."""

    adversary = "a critic"


class NoDraws(FakeLoss):
    """No draws at all."""

    draws = 0


class Nameless(FakeLoss):
    """A distribution without a name."""

    def distribution(self, batch):
        return ""


class ShortLabels(FakeVectors):
    """A label for the first row alone."""

    def labels(self, rows):
        return {"kind": np.zeros(1)}


class LostRows(FakeVectors):
    """More pieces than the documents have."""

    def sequences(self, name, generator):
        return self.split(name).take(torch.arange(5)), torch.tensor([2, 2])


class Stubborn(FakeVectors):
    """Keeps its own shape."""

    @classmethod
    def with_shape(cls, config, shape):
        found = cls(config)
        found.shape = DataShape((5,), (5,))
        return found


class GrowingSplit(TensorSplit):
    """Its first item has more rows than there are."""

    def to(self, device):
        return self

    def first_items(self, count):
        return TensorSplit({name: torch.cat([rows, rows]) for name, rows in self.columns.items()})


class Growing(FakeVectors):
    """Splits of that kind."""

    def split(self, name):
        return GrowingSplit(super().split(name).columns)


class NoisyFiles(FakePrepare):
    """Corrupts a user's file."""

    def prepare_file(self, raw):
        batch = self(raw, torch.Generator(), False)
        batch.input = batch.input + torch.randn_like(batch.input)
        return batch


class UnwritableFacts(FakePrepare):
    """Facts that JSON cannot hold."""

    def __init__(self, config, shape):
        super().__init__(config, shape)
        self.facts = {"mean": torch.zeros(2)}


class Endless(ArrayCodec):
    """Chunks that nothing puts together."""

    def chunks(self, document):
        yield self.split(document)


class Emptied(ArrayCodec):
    """Puts nothing together."""

    def chunks(self, document):
        yield self.split(document)

    def assemble(self, results, like):
        return [*results]


class Dotless(ArrayCodec):
    """A suffix without its dot."""

    def suffix_for(self, source):
        return "npy"


class Standing(ArrayCodec):
    """A document that does not go on."""

    def context_pieces(self, document):
        return self.split(document)

    def append_pieces(self, document, pieces, cond):
        return document

    def num_pieces(self, options):
        return 0


class FirstOnly(ArrayCodec):
    """The first of a chain alone."""

    def chain(self, documents, name):
        documents[0].name = name
        return documents[0]


class OneWay(ArrayCodec):
    """Further there than back."""

    def as_pieces(self, raw):
        return raw["array"].float()

    def distance(self, pieces, others, cond):
        return (pieces - others).flatten(1).sum(1).clamp(0, 1)

    def is_blank(self, pieces, cond):
        return (pieces == 0).flatten(1).all(1)


class Forbidding(ArrayCodec):
    """Nothing is allowed."""

    def logit_bias(self, like):
        return torch.full((1, 1, 4), -torch.inf)


class Choosy(ArrayCodec):
    """No candidate is good enough."""

    item_candidates = 2

    def weigh_candidates(self, before, candidates, logits, cond, last):
        return torch.full_like(logits, -torch.inf)


class TotalLoss(ArrayCodec):
    """More is lost than there is."""

    file_loss = 1.5


class FloatPicture(ArrayCodec):
    """A picture of floats."""

    def thumbnail(self, document):
        return np.zeros((8, 8, 3))


class Piercing(ArrayCodec):
    """A pitch that MIDI does not have."""

    def playable(self, document):
        return [(0.0, 1.0, 200)]


class Credulous(ArrayCodec):
    """Takes any option."""

    gain = 1.0

    def with_options(self, options):
        found = type(self)(None, self.shape)
        found.gain = options.get("gain", 1.0)
        return found


class Upset(ArrayCodec):
    """Raises what it likes."""

    def with_options(self, options):
        assert options.get("gain", 1.0) > 0
        return self


@hookimpl
def aeplug_datasets():
    for part in (ShortLabels, LostRows, Stubborn, Growing):
        yield DatasetSpec(part.__name__, f"{__name__}:{part.__name__}")


@hookimpl
def aeplug_encoders():
    for part in (OneSize, WordySize, Peeking, Greedy, Restless, Stepless):
        yield EncoderSpec(part.__name__, f"{__name__}:{part.__name__}")


@hookimpl
def aeplug_latents():
    for part in (OneDensity, Shuffled, VectorTerms, Unreached, Lossless, NoCritic):
        yield LatentSpec(part.__name__, f"{__name__}:{part.__name__}")


@hookimpl
def aeplug_losses():
    for part in (NoDraws, Nameless):
        yield LossSpec(part.__name__, f"{__name__}:{part.__name__}")


@hookimpl
def aeplug_codecs():
    gain = OptionSpec("gain", "float", 1.0, "loudness", minimum=0)
    for part in (
        *(Endless, Emptied, Dotless, Standing, FirstOnly, TotalLoss, FloatPicture, Piercing),
        *(OneWay, Forbidding, Choosy, Credulous, Upset),
    ):
        place = f"{__name__}:{part.__name__}"
        yield CodecSpec(part.__name__, place, suffixes=(".npy",), options=(gain,))


class PointPrior:
    """A right one, of which the others are made: N(0, 1) about a point."""

    kind = "Point"

    def __init__(self, middle):
        self.middle, self.size = middle, len(middle)

    @property
    def facts(self):
        return {}

    @property
    def entry(self):
        return {}

    def tensors(self):
        return {"middle": self.middle}

    def sample(self, count, scale, generator, cond=None):
        noise = torch.randn(count, self.size, generator=generator)
        return self.middle + scale * noise


class StuckPrior(PointPrior):
    """The same draws whatever the seed."""

    kind = "Stuck"

    def sample(self, count, scale, generator, cond=None):
        return super().sample(count, scale, torch.Generator().manual_seed(3))


class NarrowPrior(PointPrior):
    """Draws of one dimension less."""

    kind = "Narrow"

    def sample(self, count, scale, generator, cond=None):
        return super().sample(count, scale, generator)[:, 1:]


class SummedPrior(PointPrior):
    """One density for all latents."""

    kind = "Summed"

    def log_prob(self, z, cond=None):
        return (z - self.middle).square().sum()


class ShuffledClassesPrior(PointPrior):
    """Other classes where more are asked for."""

    kind = "ShuffledClasses"

    def draw_classes(self, count, generator):
        return {"kind": torch.arange(count).flip(0)}


class ForgetfulPrior(PointPrior):
    """Keeps another point."""

    kind = "Forgetful"

    def tensors(self):
        return {"middle": self.middle + 1}


class WordlessPrior(PointPrior):
    """An entry that JSON cannot hold."""

    kind = "Wordless"

    @property
    def entry(self):
        return {"middle": self.middle}


class MutePrior(PointPrior):
    """Says that it makes documents."""

    kind = "Mute"


PRIORS = {
    prior.kind: prior
    for prior in (
        *(PointPrior, StuckPrior, NarrowPrior, SummedPrior, ShuffledClassesPrior),
        *(ForgetfulPrior, WordlessPrior, MutePrior),
    )
}


def __getattr__(name):
    """``fit_KIND``: a prior of this kind about the mean latent."""
    kind = name.removeprefix("fit_")
    if kind not in PRIORS:
        raise AttributeError(name)

    def fit(model, dataset, split, seed):
        batch = next(model.batches(dataset.split(split)))
        return PRIORS[kind](model.posterior(batch)[0].mode().mean(0))

    return fit


def restore(entry, tensors):
    return PRIORS[entry["kind"]](tensors["middle"])


@hookimpl
def aeplug_priors():
    for kind in PRIORS:
        unit = "document" if kind == "Mute" else "item"
        yield PriorSpec(kind, f"{__name__}:fit_{kind}", f"{__name__}:restore", "broken", unit)
    yield PriorSpec("Lost", f"{__name__}:fit_nothing", None)


#: Name of a prior, its capability if it claims one, what is expected of it, what it does.
PRIOR_CLAIMS = [
    ("Stuck", "", "other draws of the prior 'Stuck' for another seed", "the same"),
    ("Narrow", "", "draws (8, 4) from the prior 'Narrow'", "(8, 3)"),
    ("Summed", "DensityPrior", "log_prob(z) with a value for each latent, (8,)", "()"),
    ("ShuffledClasses", "ConditionedPrior", "the same first classes 'kind'", "others"),
    ("Forgetful", "", "the restored prior 'Forgetful' to draw the same", "other draws"),
    ("Wordless", "", "entry, tensors() and restore of the prior 'Wordless' to work", "JSON"),
    ("Mute", "", "whose unit is document, to be a DocumentPrior", "MutePrior"),
    ("Lost", "", "fit of the prior 'Lost'", "fit_nothing"),
]

#: Kind and name of a part (or the class of a preparation), its capability, what is expected of it,
#: what it does.
CLAIMS = [
    ("encoder", "OneSize", "AnySizeEncoder", "any_size to take items 32 high", "RuntimeError"),
    ("encoder", "WordySize", "AnySizeEncoder", "any_size of the encoder", "'yes'"),
    ("encoder", "Peeking", "ConditionBlindEncoder", "same features under other classes", "others"),
    ("encoder", "Greedy", "Bindable", "keep another part in a tuple", "registered twice"),
    ("encoder", "Restless", "AfterStep", "nothing where skipped is 1", "encoder.steps"),
    ("encoder", "Stepless", "AfterStep", "after_step(skipped, distributed)", "after_step()"),
    ("latent", "OneDensity", "LatentDensity", "a value for each item, (8,)", "()"),
    ("latent", "Shuffled", "PosteriorDensity", "each item 3 times in a row", "another order"),
    ("latent", "VectorTerms", "AuxiliaryLosses", "'size' of auxiliary_losses as one", "tensor("),
    ("latent", "Unreached", "InputGradientLatent", "a gradient from z to the input", "none"),
    (
        "latent",
        "Lossless",
        "InputGradientLatent",
        "all of input_gradient",
        "no auxiliary_loss",
    ),
    ("latent", "NoCritic", "Adversarial", "a module with weights", "'a critic'"),
    ("loss", "NoDraws", "MultiDrawLoss", "a whole number, at least 1", "0"),
    ("loss", "Nameless", "DistributionLoss", "to name it in a few words", "''"),
    ("data", "ShortLabels", "LabelledDataset", "8 labels 'kind' of 8 rows", "1"),
    ("data", "LostRows", "SequencedDataset", "documents' lengths say, 4", "5"),
    ("data", "Stubborn", "ReshapableDataset", "items of shape (12,)", "(5,)"),
    ("data", "Growing", "ItemSplit", "1 to 64 rows of the first item", "128"),
    ("prepare", "NoisyFiles", "FilePrepare", "a file goes in as it is", "another"),
    ("prepare", "UnwritableFacts", "TargetFacts", "as a TargetFacts to work", "JSON"),
    ("codec", "Endless", "StreamingCodec", "all of chunks, assemble", "no assemble"),
    ("codec", "Emptied", "StreamingCodec", "assemble(results, like) to give a Document", "list"),
    ("codec", "Dotless", "FormatCodec", "a suffix with its dot", "'npy'"),
    ("codec", "Standing", "SequencedCodec", "more than 4 pieces with two behind", "4"),
    ("codec", "FirstOnly", "ChainingCodec", "more than 1 pieces of two documents", "1"),
    ("codec", "OneWay", "ComparableCodec", "the same distance both ways", "tensor("),
    ("codec", "Forbidding", "ConstrainableCodec", "to allow a class at every step", "none"),
    ("codec", "Choosy", "CandidateCodec", "to leave a candidate", "-inf"),
    ("codec", "TotalLoss", "LossyCodec", "file_loss of the codec in 0..1", "1.5"),
    ("codec", "FloatPicture", "PicturedCodec", "as uint8 (h, w, 3)", "float64 (8, 8, 3)"),
    ("codec", "Piercing", "PlayableCodec", "MIDI pitches 0..127", "200"),
    ("codec", "Credulous", "WithOptions", "-1.0}) to raise ConfigError", "it was taken, as gain"),
    ("codec", "Upset", "WithOptions", "to raise aeplug.errors.ConfigError", "AssertionError"),
]
