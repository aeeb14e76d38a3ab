"""What a model can be asked to do, and how: verbs, and options of its task and codec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aeplug.errors import ConfigError
from aeplug.interfaces import OWN, SequencedCodec, supports
from aeplug.model.trained import TrainedModel
from aeplug.plugins import VERBS, active
from aeplug.plugins.options import check_options


def list_verbs(model: TrainedModel) -> tuple[str, ...]:
    """The verbs of its task that its parts are fit for."""
    impossible = set()
    if not model.has_prior and model.default_prior == OWN:
        impossible |= {"sample", "vary"}
    if not (supports(model.codec, SequencedCodec) and len(model.task.latent.latent_shape) == 1):
        impossible.add("continue")
    return tuple(v for v in VERBS if v in model.spec.verbs and v not in impossible)


def require_verb(model: TrainedModel, verb: str, prior: str = "") -> None:
    """Check that a model can do what it is asked to, with the prior of this name.

    Raises:
        ConfigError: it cannot; the message says why and what it can do.
    """
    prior = prior or model.default_prior
    model.priors.check(prior)
    verbs = list_verbs(model)
    if verb in verbs or (
        verb in model.spec.verbs and verb != "continue" and model.priors.is_fitted(prior)
    ):
        return
    why, advice = "", ""
    if verb in model.spec.verbs:
        latent = model.config.sections["latent"].name
        why = f": its latent '{latent}' has no prior to draw from"
        if verb == "sample":
            fitted = ", ".join(
                name for name in model.priors.names() if model.priors.is_fitted(name)
            )
            advice = f"; with a prior fitted to its embeddings also sample: {fitted}"
        if verb == "continue":
            why = ": its documents do not go on, or its latent is no vector"
        if verb == "vary":
            advice = "; of a chosen strength, noise needs no prior: vary --sigma"
    raise ConfigError(f"'{model.spec.name}' cannot {verb}{why}. It can: {', '.join(verbs)}{advice}")


def resolve_options(model: TrainedModel, verb: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The model's own options with the user's values over their defaults, checked.

    Raises:
        ConfigError: a value out of range, or an option that the model's task does not take.

    Example:
        >>> tunes = aeplug.load("melody-2bar", device="cpu")
        >>> resolve_options(tunes, "sample", {"tempo": 96.0})["tempo"]
        96.0
    """
    codec = active().find("codec", model.config.sections["codec"].name)
    options = (*model.spec.options, *codec.options)
    return check_options([one for one in options if verb in one.verbs], values, model.spec.name)
