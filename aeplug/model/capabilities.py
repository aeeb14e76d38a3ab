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
    why, can = "", list(verbs)
    if verb == "continue" and verb in model.spec.verbs:
        why = ": that takes files of several pieces and a latent that is one vector"
    elif verb in model.spec.verbs:
        latent = model.config.sections["latent"].name
        why = f": its latent '{latent}' has no prior to draw from"
    fitted = [name for name in model.priors.names() if model.priors.can_fit(name)]
    missing = [v for v in ("sample", "vary") if v in model.spec.verbs and v not in verbs]
    if "vary" in missing:
        can.append("vary --sigma")
    if fitted:
        can += [f"{v} --prior {'|'.join(fitted)}" for v in missing]
    raise ConfigError(f"'{model.spec.name}' cannot {verb}{why}. It can: {', '.join(can)}")


def check_sampling(
    model: TrainedModel,
    verb: str,
    temperature: float | None,
    top_k: int,
    top_p: float,
    greedy: bool,
) -> None:
    """Refuse what a user says of sampling where it would change nothing.

    Args:
        model: what decodes.
        verb: what it is asked to do; the temperature of some is the prior's too.
        temperature: None: not named.
        top_k: 0: not named.
        top_p: 1: not named.
        greedy: whether the likeliest is taken.

    Raises:
        ConfigError: an option has no effect.

    Example:
        >>> check_sampling(model, "sample", 0.8, 0, 1.0, False)
        >>> check_sampling(model, "sample", None, 3, 1.0, False)
        Traceback (most recent call last):
            ...
        aeplug.errors.ConfigError: 'mnist-vae' takes no option --top-k: it decodes no tokens
    """
    named = {"top-k": top_k > 0, "top-p": top_p < 1}
    for option in (name for name, is_named in named.items() if is_named):
        if not model.shape.classes:
            raise ConfigError(
                f"'{model.spec.name}' takes no option --{option}: it decodes no tokens"
            )
        if greedy:
            raise ConfigError(f"--{option} has no effect where the likeliest is taken: add --draw")
    if greedy and temperature is not None and verb not in ("sample", "continue"):
        raise ConfigError("--temperature has no effect where the likeliest is taken: add --draw")


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
