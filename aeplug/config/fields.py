"""Settings of parts and of training, as pydantic models."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

#: Parts chosen by name, in the order in which they are built.
NAMED_ROLES = ("encoder", "latent", "decoder", "loss")


#: The section called ``data`` chooses a data set by name.
SECTIONS = ("data", "prepare", *NAMED_ROLES, "codec", "train")


class PartConfig(BaseModel):
    """Base of a part's ``Config``: unknown keys are errors, values are fixed once made.

    ``main`` names the field that ``--set ROLE=NUMBER`` stands for.

    Example:
        >>> class Config(PartConfig):
        ...     main = "width"
        ...     width: int = setting(64, "channels of the first layer", ge=1)
        >>> Config(width=8).width
        8
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        arbitrary_types_allowed=True,
        allow_inf_nan=False,
        validate_default=True,  # a Schedule's default may be written as its text
    )

    main: ClassVar[str | None] = None


def setting(default: Any, help: str, *, unit: str = "", **limits: Any) -> Any:
    """A field of a part's config with its one-line help, its unit and its limits.

    ``limits`` are pydantic's: ``ge``, ``gt``, ``le``, ``lt``, ``min_length`` ...

    Example:
        >>> class Config(PartConfig):
        ...     decay: float = setting(0.1, "time in which a note fades", unit="s", gt=0)
        >>> Config.model_fields["decay"].description
        'time in which a note fades'
    """
    extra: Any = {"unit": unit}
    return Field(default, description=help, json_schema_extra=extra, **limits)


class TrainConfig(PartConfig):
    """How a task is trained; the same for every modality.

    Example:
        >>> TrainConfig(epochs=2, precision="bf16").batch_size
        256
    """

    epochs: float = setting(10.0, "passes over the training split", unit="epochs", gt=0)
    steps: int = setting(0, "optimizer steps; above 0 they replace epochs", unit="steps", ge=0)
    batch_size: int = setting(256, "items per step, over all devices", unit="items", ge=1)
    optimizer: Literal["adamw", "muon"] = setting(
        "adamw", "muon: orthogonalised momentum for matrices and convolutions, AdamW for the rest"
    )
    lr: float = setting(1e-3, "peak learning rate", gt=0)
    adversary_lr: float = setting(
        1e-3,
        "peak learning rate of the adversary's optimizer; same schedule as lr",
        gt=0,
    )
    lr_floor: float = setting(0.01, "final learning rate as a share of the peak", ge=0, le=1)
    warmup: float = setting(
        0.05, "linear warm-up: steps, or (up to 1) a fraction of the training", ge=0
    )
    weight_decay: float = setting(0.01, "decoupled weight decay", ge=0)
    beta2: float = setting(0.999, "AdamW's second-moment decay", gt=0, lt=1)
    clip: float = setting(1.0, "maximum gradient norm; 0: no clipping", ge=0)
    ema: float = setting(0.0, "decay per step of the weights' moving average; 0: off", ge=0, lt=1)
    precision: Literal["fp32", "bf16"] = setting("fp32", "bf16: autocast of forward passes")
    compile: bool = setting(False, "torch.compile encoder, latent, decoder and loss")
    seed: int = setting(0, "seed of initial weights, order of items and noise", ge=0, lt=2**63)
    log_every: int = setting(100, "steps between lines of metrics.jsonl", unit="steps", ge=1)
    eval_every: int = setting(
        0,
        "steps between evaluations; 0: every epoch, or several where epochs are short",
        unit="steps",
        ge=0,
    )
    eval_items: int = setting(
        10000, "items of the held-out split per evaluation", unit="items", ge=1
    )
    save_every: int = setting(0, "steps between checkpoints; 0: at evaluations", unit="steps", ge=0)


@runtime_checkable
class Configurable(Protocol):
    """A part's factory with settings of its own: a class in which they are nested.

    Example:
        >>> class WaveEncoder(nn.Module):
        ...     class Config(PartConfig):
        ...         width: int = setting(64, "channels of the first layer", ge=1)
        >>> WaveEncoder.Config().width
        64
    """

    Config: type[PartConfig]


def config_of(factory: Any) -> type[PartConfig]:
    """The ``Config`` of a part's factory; a part without one has no settings.

    Example:
        >>> class Encoder(nn.Module):
        ...     class Config(PartConfig):
        ...         width: int = setting(64, "channels of the first layer", ge=1)
        >>> config_of(Encoder)(width=8)
        Config(width=8)
    """
    return factory.Config if isinstance(factory, Configurable) else PartConfig
