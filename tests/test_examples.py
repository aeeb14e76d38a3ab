"""What a package exports has an example in its docstring, and every example runs.

An example may use ``torch``, ``nn``, ``np``, ``Path`` and the names that its package, or one around
it, exports; it imports the rest. It runs alone, seeded, in an empty folder, without a network.
"""

from __future__ import annotations

import doctest
import inspect
import re
import socket
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import ROOT
from torch import nn

#: Names that have no example yet, by package.
WITHOUT_EXAMPLE_YET: dict[str, set[str]] = {
    "aeplug": {
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
        "SamplingDefaults",
        "TaskSpec",
        "TrainingStopped",
    },
    "aeplug.cli": {
        "VerbCommand",
        "failure_logger",
        "list_input_names",
        "open_model",
        "open_request",
        "print_figures",
        "print_json",
        "print_path",
        "print_results",
        "print_table",
        "read_length",
        "report_job",
    },
    "aeplug.config": {
        "PartConfig",
        "Schedule",
        "TaskConfig",
        "TrainConfig",
        "config_of",
        "flatten",
        "learning_rate",
        "parse_assignments",
        "read_settings",
        "resolve",
        "setting",
    },
    "aeplug.data": {
        "ArrayCodec",
        "BuildReport",
        "PrepareArrays",
        "Result",
        "Skipped",
        "TensorSplit",
        "assemble",
        "build_dataset",
        "choose_split",
        "concat_raw",
        "count_pieces",
        "epoch_order",
        "find_bundled",
        "first_items",
        "iter_document_chunks",
        "iter_rows",
        "open_dataset",
    },
    "aeplug.errors": {
        "nearest",
        "shortened",
    },
    "aeplug.evaluation": {
        "Source",
        "compare_with_pca",
        "compute_mean_losses",
        "fit_pca",
    },
    "aeplug.inference": {
        "Results",
        "add_noise",
        "check_embedding_file",
        "concat_embeddings",
        "embed_data",
        "embed_files",
        "embed_split",
        "interpolate_documents",
        "interpolate_grid",
        "make_interpolation",
        "make_noisy_variations",
        "make_samples",
        "make_variations",
        "number_documents",
        "reconstruct_chunks",
        "reconstruct_document",
        "require_free",
        "sample_documents",
        "vary_document",
        "write_embedding",
        "write_results",
    },
    "aeplug.interfaces": {
        "Adversarial",
        "AfterStep",
        "AnySizeEncoder",
        "AuxiliaryLosses",
        "Batch",
        "Bindable",
        "ChainingCodec",
        "Codec",
        "ConditionBlindEncoder",
        "ConditionedPrior",
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
        "PicturedCodec",
        "PlayableCodec",
        "Posterior",
        "PosteriorDensity",
        "Prepare",
        "Prior",
        "PriorSource",
        "ReshapableDataset",
        "Sampling",
        "SequencedCodec",
        "SequencedDataset",
        "ShapedPrepare",
        "Split",
        "StoredPrior",
        "StreamingCodec",
        "TargetFacts",
        "WithOptions",
        "supports",
    },
    "aeplug.jobs": {
        "Conversion",
        "Inputs",
        "Job",
        "JobReport",
        "Reconstruction",
        "reconstruct_files",
        "run_job",
    },
    "aeplug.latents": {
        "CodesPosterior",
        "ImportanceSamples",
        "importance_bound",
        "interpolate_latents",
        "slerp",
    },
    "aeplug.model": {
        "ConditionEmbedding",
        "Run",
        "Task",
        "draw_conditions",
        "objective",
        "resolve_options",
    },
    "aeplug.plots": {
        "draw_curve",
        "draw_error_curve",
        "draw_map",
        "draw_reconstructions",
        "draw_samples",
    },
    "aeplug.plugins": {
        "OptionSpec",
        "Plugin",
        "Plugins",
        "PriorSpec",
        "RunEvent",
        "SamplingDefaults",
        "TaskSpec",
        "activate",
        "active",
        "load_attribute",
    },
    "aeplug.priors": {
        "GaussianMixture",
        "MixturePrior",
        "PriorRegistry",
        "fit_gaussian_mixture",
        "fit_prior",
        "number_classes",
    },
    "aeplug.runtime": {
        "Distributed",
        "Progress",
        "atomic_replace",
        "atomic_write",
        "check_picture",
        "import_library",
        "is_figure",
        "missing_libraries",
        "pick_device",
        "require_new_folder",
        "say",
        "track",
        "write_figure",
        "write_sheet",
    },
    "aeplug.steering": {
        "Directions",
        "SearchSettings",
        "SteeringResult",
        "Steering",
        "check_savable",
        "find_attribute",
        "learn_directions",
        "measure_attributes",
        "read_inputs",
        "steer",
    },
    "aeplug.testing": {
        "CheckFailed",
        "Outcome",
        "Report",
        "check_plugin",
        "check_task",
        "isolated_plugins",
        "tiny_batch",
    },
    "aeplug.training": {
        "ScheduledAdamW",
        "Trainer",
    },
}

MODULES = {
    ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
    for root in (ROOT, ROOT / "plugins")
    for path in sorted(root.glob("aeplug*/**/*.py"))
    if "scaffold" not in path.parts
}
#: Packages, and a few modules, that say what they export.
FACES = [
    name
    for name, path in MODULES.items()
    if re.search(r"^__all__\b", path.read_text(encoding="utf-8"), re.MULTILINE)
]


def needs_example(value: Any) -> bool:
    """Functions and classes of the project do, but for exceptions that are a name alone."""
    if not (inspect.isfunction(value) or inspect.isclass(value)):
        return False
    if value.__module__ not in MODULES:
        return False  # what click makes of an option
    return not (isinstance(value, type) and issubclass(value, Exception)) or (
        "__init__" in vars(value)
    )


@pytest.mark.parametrize("package", FACES)
def test_what_is_exported_has_an_example(package):
    face = import_module(package)
    missing = {
        name
        for name in face.__all__
        if needs_example(getattr(face, name)) and ">>> " not in getattr(face, name).__doc__
    }
    assert missing == WITHOUT_EXAMPLE_YET.get(package, set())


@pytest.mark.parametrize("package", FACES)
def test_dir_lists_what_is_exported(package):
    face = import_module(package)
    assert set(face.__all__) <= set(dir(face))


@cache
def names_around(module: str) -> dict[str, Any]:
    """What the packages around a module export, the nearest last."""
    names: dict[str, Any] = {"torch": torch, "nn": nn, "np": np, "Path": Path}
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        face = ".".join(parts[:depth])
        if face in FACES:
            exports = import_module(face)
            names |= {name: getattr(exports, name) for name in exports.__all__}
    return names


def examples() -> list[doctest.DocTest]:
    """All docstrings with examples, each once, where it stands."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    return [
        test
        for name, path in MODULES.items()
        if ">>> " in path.read_text(encoding="utf-8")
        for test in finder.find(import_module(name), name, globs=names_around(name))
        if test.examples
    ]


@pytest.mark.parametrize("test", examples(), ids=lambda test: test.name)
def test_the_example_runs(test, tmp_path, monkeypatch):
    def refuse(*arguments: object) -> None:
        raise AssertionError("an example reaches for the network")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr("sys.argv", ["aeplug"])
    monkeypatch.setenv("AEPLUG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "100")
    torch.manual_seed(0)
    runner = doctest.DocTestRunner(
        optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS, verbose=False
    )
    report: list[str] = []
    runner.run(test, out=report.append)
    assert runner.tries > 0
    assert runner.failures == 0, "".join(report)
