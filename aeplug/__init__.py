"""aeplug: an engine in which autoencoders of any modality are plug-ins.

This module holds public names only and imports neither torch nor numpy, so that
``aeplug --help`` and a shell's completion stay instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aeplug._version import __version__
from aeplug.errors import AeplugError
from aeplug.plugins.hookspecs import HOOK_VERSION, hookimpl
from aeplug.plugins.specs import (
    AttributeSpec,
    CodecSpec,
    DatasetSpec,
    DecoderSpec,
    DemoSpec,
    EncoderSpec,
    LatentSpec,
    LossSpec,
    OptionSpec,
    PriorSpec,
    RunEvent,
    TaskSpec,
)

if TYPE_CHECKING:
    from aeplug.model.model import Model


__all__ = [
    "HOOK_VERSION",
    "AeplugError",
    "AttributeSpec",
    "CodecSpec",
    "DatasetSpec",
    "DecoderSpec",
    "DemoSpec",
    "EncoderSpec",
    "LatentSpec",
    "LossSpec",
    "OptionSpec",
    "PriorSpec",
    "RunEvent",
    "TaskSpec",
    "__version__",
    "hookimpl",
    "load",
]


def load(model: str, **options: Any) -> Model:
    """Load a trained model: a task's name (its shipped weights) or a run directory.

    Args:
        model: ``"mnist-vae"``, ``"runs/mnist-vae-..."`` or a checkpoint folder.
        **options: passed to :func:`aeplug.api.load_model` (``device``, ``checkpoint_name``).

    Raises:
        AeplugError: there is no such model; the message names the nearest one.
    """
    from aeplug.api import load_model  # imported late: it brings torch

    return load_model(model, **options)
