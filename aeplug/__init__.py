"""aeplug: an engine in which autoencoders of any modality are plug-ins.

This module holds public names only and imports neither torch nor numpy, so that
``aeplug --help`` and a shell's completion stay instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aeplug._version import __version__
from aeplug.errors import AeplugError
from aeplug.plugins.guard import GuardSpec
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
    SamplingDefaults,
    TaskSpec,
)
from aeplug.runtime.lazy import lazy_exports

if TYPE_CHECKING:
    from aeplug.api import Run, TrainingStopped, compare_pca, evaluate, load, train
    from aeplug.model.model import Model
    from aeplug.plugins.catalogue import tasks


__all__ = [
    "HOOK_VERSION",
    "AeplugError",
    "AttributeSpec",
    "CodecSpec",
    "DatasetSpec",
    "DecoderSpec",
    "DemoSpec",
    "EncoderSpec",
    "GuardSpec",
    "LatentSpec",
    "LossSpec",
    "Model",
    "OptionSpec",
    "PriorSpec",
    "Run",
    "RunEvent",
    "SamplingDefaults",
    "TaskSpec",
    "TrainingStopped",
    "__version__",
    "compare_pca",
    "evaluate",
    "hookimpl",
    "load",
    "tasks",
    "train",
]

__getattr__, __dir__ = lazy_exports(__name__)
