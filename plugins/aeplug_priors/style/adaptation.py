"""Adapting a trained model to the style of a few files, in a minute.

Nothing of the model changes. A small variational autoencoder learns where in its latent space the
files lie (:mod:`aeplug_priors.style.prior`), from draws of their pieces' posteriors; where there
are enough files some are held out, and tell when to stop.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from aeplug.data import MEAN, NAME
from aeplug.errors import ConfigError, FileError, format_count
from aeplug.inference import concat_embeddings, embed_files
from aeplug.interfaces import LatentDensity, supports
from aeplug.model import Model
from aeplug.runtime import Progress
from aeplug.training import ScheduledAdamW
from aeplug_priors.sequence.documents import CODE_NOISE
from aeplug_priors.style.prior import StyleNet, StylePrior

#: Size of the style's latent by default.
INNER = 8
#: Minimum number of pieces for adaptation.
FEWEST = 16
#: Files from which on some are held out, and their share.
FILES_TO_HOLD_OUT, HELD_OUT = 8, 0.125
#: Steps at most, between two looks at what is held out, and where nothing is.
STEPS, EVERY, STEPS_BLIND = 3000, 50, 600
#: Looks without a gain after which it ends.
PATIENCE = 8
#: Share of the posteriors' noise in what is learnt from.
NOISE = 0.5
BATCH, LR, DECAY = 128, 1e-3, 0.01
#: Draws of each held-out piece's posterior.
DRAWS = 8


@dataclass
class _Pieces:
    """Pieces of files: mean and noise ``(N, D)``, classes ``(N,)`` by condition, files ``(N,)``."""

    mean: Tensor
    noise: Tensor
    cond: dict[str, Tensor]
    file: Tensor

    def part(self, chosen: Tensor) -> _Pieces:
        cond = {name: classes[chosen] for name, classes in self.cond.items()}
        return _Pieces(self.mean[chosen], self.noise[chosen], cond, self.file[chosen])

    def draw(self, generator: torch.Generator) -> Tensor:
        noise = torch.empty_like(self.mean).normal_(generator=generator)
        return self.mean + NOISE * self.noise * noise


def adapt(
    model: Model,
    paths: Sequence[str],
    failed: Callable[[str, str], None],
    *,
    inner: int = INNER,
    seed: int = 0,
) -> StylePrior:
    """Give a model the prior of a style, from which it then samples and varies by default.

    Args:
        model: with a vector as its latent; ``priors`` and ``header`` of it get the style.
        paths: files that its codec reads, whole documents of any length.
        failed: called with path and reason for each that cannot be read.
        inner: numbers that a latent passes through.
        seed: of every draw; the same seed and files give the same style.

    Raises:
        ConfigError: the latent is no vector, or the files hold too few pieces.
        FileError: no file can be read.
    """
    size = model.latent_size
    pieces = _embed_pieces(model, paths, failed)
    if len(pieces.mean) < FEWEST:
        files, held = int(pieces.file.max()) + 1, len(pieces.mean)
        raise ConfigError(
            f"{files} file{'s hold' if files > 1 else ' holds'} {held} piece{'s'[: held > 1]}, too "
            f"few for a style: expected at least {FEWEST} (a piece is what the model takes at a "
            f"time, as an image or some bars of a tune)"
        )
    conditions = {name: len(model.shape.conditions[name]) for name in pieces.cond}
    train, held_out = _hold_out(pieces, seed)
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        net = StyleNet(size, inner, conditions).to(model.device)
        steps, density = _fit(net, train, held_out, model.generator(seed))
    net.eval().requires_grad_(False)
    facts: dict[str, Any] = {
        "files": int(pieces.file.max()) + 1,
        "pieces": len(pieces.mean),
        "seed": seed,
        "steps": steps,
    }
    if held_out is not None:
        facts["heldout_files"] = len(held_out.file.unique())
        facts["log_density_bound_nats"] = density
        if model.has_prior and supports(model.task.latent, LatentDensity):
            draws = held_out.draw(model.generator(seed))
            facts["own_log_density_nats"] = float(model.task.latent.log_prior(draws).mean())
    combinations, counts = _count_classes(pieces, list(conditions))
    style = StylePrior(net, combinations, counts, facts)
    model.priors.add(style, default=True)
    return style


def _embed_pieces(
    model: Model, paths: Sequence[str], failed: Callable[[str, str], None]
) -> _Pieces:
    try:
        block = concat_embeddings(embed_files(model, paths, failed))
    except FileError:
        raise FileError(f"of {format_count(len(paths), 'file')} none can be read") from None
    mean = torch.from_numpy(block[MEAN]).float().to(model.device)
    if not torch.isfinite(mean).all():
        raise ConfigError(f"latents of '{model.spec.name}' are not finite: no density fits them")
    if "logvar" in block:
        noise = torch.from_numpy(block["logvar"]).float().mul(0.5).exp().to(model.device)
    else:
        noise = (CODE_NOISE * mean.std(0, correction=0) + 1e-6).expand_as(mean)
    cond = {
        name: torch.tensor(
            [classes.index(str(value)) for value in block[name]], device=model.device
        )
        for name, classes in model.shape.conditions.items()
        if name in block
    }
    names = {name: number for number, name in enumerate(dict.fromkeys(block[NAME].tolist()))}
    file = torch.tensor([names[name] for name in block[NAME].tolist()], device=model.device)
    return _Pieces(mean, noise, cond, file)


def _count_classes(pieces: _Pieces, names: Sequence[str]) -> tuple[Tensor, Tensor]:
    """The classes that pieces have together, int64 ``(n, conditions)``, and how many have them."""
    if not names:
        alone = torch.zeros(1, 0, dtype=torch.int64, device=pieces.mean.device)
        return alone, alone.new_full((1,), len(pieces.mean))
    table = torch.stack([pieces.cond[name] for name in names], 1)
    combinations, counts = table.unique(dim=0, return_counts=True)
    return combinations, counts


def _hold_out(pieces: _Pieces, seed: int) -> tuple[_Pieces, _Pieces | None]:
    """What is learnt from, and the pieces of files held out; None where they are few."""
    count = int(pieces.file.max()) + 1
    if count < FILES_TO_HOLD_OUT:
        return pieces, None
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    out = torch.isin(pieces.file, order[: max(1, round(HELD_OUT * count))].to(pieces.file.device))
    return pieces.part(~out), pieces.part(out)


def _fit(
    net: StyleNet, train: _Pieces, held_out: _Pieces | None, generator: torch.Generator
) -> tuple[int, float]:
    """Steps taken to the best, and the bound on held-out pieces there, nats."""
    best, best_step, state = -float("inf"), 0, copy.deepcopy(net.state_dict())
    steps = STEPS_BLIND if held_out is None else STEPS
    optimizer = ScheduledAdamW(net, steps, LR, floor=1.0, weight_decay=DECAY, decay_vectors=True)
    with Progress(steps, "steps") as progress:
        for step in range(1, steps + 1):
            net.train()
            rows = torch.randint(
                len(train.mean), (BATCH,), device=train.mean.device, generator=generator
            )
            part = train.part(rows)
            likelihood, kl = net.bound(part.draw(generator), part.cond, generator)
            optimizer.step((kl - likelihood).mean())
            if held_out is not None and step % EVERY == 0:
                bound = _bound(net, held_out)
                if bound > best:
                    best, best_step, state = bound, step, copy.deepcopy(net.state_dict())
                elif step - best_step >= PATIENCE * EVERY:
                    break
            progress.update(step)
    if held_out is None:
        return steps, best
    net.load_state_dict(state)
    return best_step, best


@torch.no_grad()
def _bound(net: StyleNet, pieces: _Pieces) -> float:
    net.eval()
    # The same draws each time, so that only the net differs.
    generator = torch.Generator(pieces.mean.device).manual_seed(0)
    total = 0.0
    for _ in range(DRAWS):
        likelihood, kl = net.bound(pieces.draw(generator), pieces.cond, generator)
        total += float((likelihood - kl).mean())
    return total / DRAWS
