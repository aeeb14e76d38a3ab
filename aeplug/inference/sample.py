"""New documents from a model's priors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from aeplug.errors import ConfigError
from aeplug.interfaces import Document, DocumentPrior, Sampling, supports
from aeplug.model.model import Model
from aeplug.model.sampling import constrain, draw_conditions


def sample_documents(
    model: Model,
    count: int,
    seed: int,
    sampling: Sampling,
    cond: Mapping[str, Any] | None = None,
    prior: str = "",
    pieces: int = 1,
    prior_scale: float | None = None,
) -> list[Document]:
    """Draw documents of so many pieces each; see :meth:`aeplug.Model.sample`.

    Those of several pieces come from the prior over whole documents, unless another is named:
    then pieces that know nothing of each other stand in a row.

    Raises:
        ConfigError: the model has no prior, or none of this name.

    Example:
        >>> documents = sample_documents(model, 3, seed=1, sampling=Sampling())
        >>> model.codec.split(documents[0])["image"].shape
        torch.Size([1, 1, 28, 28])
    """
    if pieces > 1 and not prior:
        prior = model.priors.document_prior()
    prior = prior or model.default_prior
    model.priors.check(prior)
    if model.priors.makes_documents(prior):
        source = model.priors.get(prior)
        if not supports(source, DocumentPrior):
            raise ConfigError(f"prior '{prior}' has no method generate_documents")
        sampling = constrain(model, sampling)
        return source.generate_documents(model, count, pieces, seed, sampling, cond)
    chosen = {
        name: value.repeat_interleave(pieces)
        for name, value in draw_conditions(model, cond, count, seed, prior).items()
    }
    data = model.sample(
        count * pieces,
        seed,
        sampling.temperature,
        chosen,
        sampling.top_k,
        sampling.top_p,
        sampling.greedy,
        prior,
        prior_scale,
    )
    return join_documents(model, data, chosen, pieces)


def join_documents(
    model: Model, data: Tensor, cond: Mapping[str, Tensor], pieces: int = 1
) -> list[Document]:
    """Every ``pieces`` rows of data ``(B, *shape.target)`` as a document of its own."""
    return [
        model.codec.join(
            data[row : row + pieces],
            {name: value[row : row + pieces] for name, value in cond.items()},
            None,
        )
        for row in range(0, len(data), pieces)
    ]
