"""``aeplug evaluate audio-vae``: errors in decibels, neighbours in the latent, and PCA."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from aeplug.data import iter_rows, open_dataset
from aeplug.evaluation import fit_pca
from aeplug.interfaces import Split
from aeplug.model import Model
from aeplug_audio.sounds.spectrogram import RANGE_DB


@torch.no_grad()
def evaluate(model: Model, split: Split, options: Mapping[str, Any]) -> dict[str, float]:
    """Evaluate reconstructions from the posterior's mode over all values of all windows.

    Figures: ``rmse_db`` and ``mae_db``; for rendered notes also ``family_neighbour`` and
    ``instrument_neighbour``: the share of notes whose nearest neighbour in the latent, among those
    of other pitches, is of the same family (of sixteen) or the same instrument.
    """
    squares, absolute, count = 0.0, 0.0, 0
    codes, programs, pitches = [], [], []
    for _, raw in iter_rows(split, model.device):
        batch = model.prepare_batch(raw)
        error = (model.reconstruct_batch(batch).float() - batch.target).double() * RANGE_DB
        squares += float(error.square().sum())
        absolute += float(error.abs().sum())
        count += error.numel()
        if "program" in raw:
            posterior, _ = model.posterior(batch)
            codes.append(posterior.mode().float().flatten(1).cpu())
            programs.append(raw["program"].cpu())
            pitches.append(raw["pitch"].cpu())
    figures = {"rmse_db": (squares / count) ** 0.5, "mae_db": absolute / count}
    if codes:
        program, pitch = torch.cat(programs), torch.cat(pitches)
        nearest = find_neighbours(torch.cat(codes), pitch)
        same = program[nearest] == program
        family = program[nearest] // 8 == program // 8
        figures["family_neighbour"] = float(family.float().mean())
        figures["instrument_neighbour"] = float(same.float().mean())
    return figures


def find_neighbours(codes: Tensor, pitch: Tensor) -> Tensor:
    """Find the nearest code of another pitch for each code ``(N, D)``, int64 ``(N,)``."""
    nearest = []
    for place in torch.arange(len(codes)).split(1024):
        distance = torch.cdist(codes[place], codes)
        distance[pitch[place, None] == pitch] = torch.inf
        nearest.append(distance.argmin(1))
    return torch.cat(nearest)


def pca_baseline(model: Model, split: Split, options: Mapping[str, Any]) -> dict[str, Any]:
    """PCA with as many components as the model has latents, fitted on the training split."""
    train = open_dataset(model.config).split("train")
    device = torch.device("cpu")
    components = fit_pca(
        raw["frames"].float().div(255).flatten(1) for _, raw in iter_rows(train, device)
    )
    size = min(model.task.latent.latent_shape[0], len(components.mean))
    squares, absolute, count = 0.0, 0.0, 0
    for _, raw in iter_rows(split, device):
        inputs = raw["frames"].float().div(255).flatten(1)
        error = (components.restore(components.project(inputs, size)) - inputs).double() * RANGE_DB
        squares += float(error.square().sum())
        absolute += float(error.abs().sum())
        count += error.numel()
    return {f"pca_{size}": {"rmse_db": (squares / count) ** 0.5, "mae_db": absolute / count}}
