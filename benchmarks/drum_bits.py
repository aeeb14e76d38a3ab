"""Accuracy against bits: `drums-2bar` at several betas, short trainings of equal length.

A model a beta, all on the same windows in the same order. Measured on held-out performances as
`aeplug evaluate` does: per-step accuracy, a step right where all nine drums are, from the mean of
the posterior and from a draw of it (whose bits the KL counts), and the negative log-likelihood
with teacher forcing from a draw, so that KL and it add up to the bound on a window's bits.

    python benchmarks/drum_bits.py --data GROOVE [--betas 0.1 0.3 1 2 4] [--steps 500]

GROOVE is the folder of the Groove MIDI Dataset; without it, the bundled patterns.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch

from aeplug.config import resolve
from aeplug.data import INFERENCE_BATCH, open_dataset
from aeplug.evaluation import compute_mean_losses
from aeplug.model import Model
from aeplug.plugins import active
from aeplug.runtime import Distributed
from aeplug.training import Trainer
from aeplug_music.drums.evaluation import evaluate_hits
from aeplug_music.nets.losses import LN2

COLUMNS = {
    "greedy": "accuracy_greedy",
    "T=1": "accuracy_free_running",
    "forced": "accuracy_teacher_forced",
    "T=1, draw": "accuracy_from_draws",
    "forced, draw": "accuracy_teacher_forced_from_draws",
}


def measured(beta: float, steps: int, batch: int, mean_share: float, data: str) -> dict[str, Any]:
    """Figures of one training."""
    plugins, cpu = active(), torch.device("cpu")
    settings = {
        "data.path": data,
        "loss.beta": beta,
        "latent.mean_share": mean_share,
        "train.steps": steps,
        "train.batch_size": batch,
        "train.warmup": steps // 10,
        # The average follows within a tenth of so short a training.
        "train.ema": 1 - 10 / steps,
        "train.eval_every": steps,
        "train.log_every": 50,
    }
    config = resolve(plugins.task("drums-2bar"), plugins, settings)
    dataset, distributed = open_dataset(config), Distributed(0, 1, cpu)
    began = time.perf_counter()
    training = Trainer(config, dataset, plugins, None, distributed)
    training.run()
    took = time.perf_counter() - began
    model = Model(config, training.ema_model or training.task, cpu)
    split = dataset.split("test")
    losses = compute_mean_losses(
        model.task, model.prepare, split, len(split), INFERENCE_BATCH, distributed, steps
    )
    nll = losses["nll_nats"] / LN2
    return {"seconds": took, "nll_bits": nll, **evaluate_hits(model, split, {})}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="")
    parser.add_argument("--betas", type=float, nargs="+", default=[0.1, 0.3, 1.0, 2.0, 4.0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--mean-share", type=float, default=0.2)
    options = parser.parse_args()
    print("| beta | KL bits | NLL bits |", " | ".join(COLUMNS), "|")
    print("|---" * (3 + len(COLUMNS)) + "|")
    for beta in options.betas:
        found = measured(beta, options.steps, options.batch, options.mean_share, options.data)
        cells = [f"{beta:g}", f"{found['kl_bits']:.1f}", f"{found['nll_bits']:.1f}"]
        cells += [f"{found[name]:.3f}" for name in COLUMNS.values()]
        print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
