"""The one training loop, for every modality.

Plain torch, in the open: take rows, prepare, forward, backward, clip, step. Nothing in a step
reads a value back from the device; losses are summed there and read every ``log_every`` steps.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from aeplug.config import TaskConfig
from aeplug.config.schedules import learning_rate
from aeplug.data.opening import build_prepare, data_shape
from aeplug.data.splits import epoch_order
from aeplug.errors import CheckpointError, TrainingError, format_count
from aeplug.evaluation.collapse import PosteriorCollapseMonitor
from aeplug.evaluation.heldout import compute_mean_losses
from aeplug.evaluation.overfitting import OverfittingMonitor
from aeplug.interfaces import Dataset, Prepare, Split
from aeplug.model import checkpoint
from aeplug.model.checkpoint import Checkpoint
from aeplug.model.header import describe, round_figure
from aeplug.model.run_folder import BEST, LAST, RunFolder
from aeplug.model.task import Task, objective
from aeplug.plugins import Plugins
from aeplug.plugins.specs import RunEvent
from aeplug.runtime.console import Progress, duration, figures, say
from aeplug.runtime.distributed import Distributed
from aeplug.runtime.signals import Interrupted, stop_requests
from aeplug.training.ema import ema_copy, update_ema
from aeplug.training.optimizers import build_optimizer_groups
from aeplug.training.plan import plan_training

#: Where ``save_every`` is not set, checkpoints lie at least so many seconds apart.
SAVE_SECONDS = 10.0


@dataclass
class TrainingState:
    """Training state; saved in every resumable checkpoint.

    Attributes:
        step: optimizer steps done.
        best: lowest held-out loss so far.
        skipped: steps left out since their gradient was not finite.
        seconds: time spent, over all sittings.
    """

    step: int = 0
    best: float = math.inf
    skipped: int = 0
    seconds: float = 0.0


@dataclass
class Trainer:
    """A task, its data and its optimizer; :meth:`run` trains.

    Args:
        config: resolved settings.
        dataset: with splits ``train`` and ``val``.
        plugins: called on the run's events.
        run_folder: where to write to; None writes nothing (benchmarks, tests).
        distributed: this process among those of the run.

    Example:
        >>> from aeplug.data import open_dataset
        >>> from aeplug.plugins import active
        >>> from aeplug.runtime import Distributed
        >>> config = training_config("mnist-vae", steps=1, settings={"train.eval_items": 10})
        >>> alone = Distributed(0, 1, torch.device("cpu"))
        >>> Trainer(config, open_dataset(config), active(), None, alone).run().step
        1
    """

    config: TaskConfig
    dataset: Dataset
    plugins: Plugins
    run_folder: RunFolder | None
    distributed: Distributed
    state: TrainingState = field(default_factory=TrainingState)

    def __post_init__(self) -> None:
        settings, device = self.config.train, self.distributed.device
        torch.manual_seed(settings.seed)
        if device.type == "cuda":
            torch.set_float32_matmul_precision("high")
        elif device.type == "cpu":
            # Moments of the optimizer decay into denormals, which are many times slower.
            torch.set_flush_denormal(True)
        self.prepare: Prepare = build_prepare(self.config, self.dataset.shape)
        # What `prepare` makes of the data is what the parts are built for.
        self.shape = data_shape(self.prepare, self.dataset)
        self.task = Task(self.config, self.shape).to(device)
        self.ema_model: Task | None = ema_copy(self.task) if settings.ema else None
        if settings.compile:
            self.task.compile_parts()
        self.model: torch.nn.Module = self.task
        if self.distributed.size > 1:
            self.model = DistributedDataParallel(
                self.task, device_ids=[device] if device.type == "cuda" else None
            )
        self.parameters = [p for p in self.task.parameters() if p.requires_grad]
        self.optimizer_groups = build_optimizer_groups(self.task, settings)
        self.train_split: Split = self.dataset.split("train").to(device)
        self.val_split: Split = self.dataset.split("val").to(device)
        self.plan = plan_training(settings, len(self.train_split), self.distributed.size)
        self.autocast = settings.precision == "bf16"
        self.collapse_monitor = PosteriorCollapseMonitor(
            self.prepare, self.val_split, self.plan.batch_size, self.autocast
        )
        self.overfitting_monitor = OverfittingMonitor()
        self._train_loss = self._held_out_loss = math.inf  # the latest
        self._nonfinite_streak = 0  # steps skipped in a row, up to the last line of metrics

    # The loop

    def run(self) -> TrainingState:
        """Train from ``state`` to the end.

        Raises:
            Interrupted: Ctrl-C or SIGTERM; what was done is saved.
            TrainingError: no step gives a finite gradient.
            CheckpointError: a checkpoint cannot be written.
        """
        settings, plan, state = self.config.train, self.plan, self.state
        distributed, device = self.distributed, self.distributed.device
        schedule_values = self.task.new_schedule_values(device)
        generator = torch.Generator(device)
        totals: dict[str, Tensor] = {}
        skipped = torch.zeros((), device=device)
        summed = 0
        began = saved = time.perf_counter()
        seconds_before = state.seconds
        self._announce("started", {})
        self.task.train()
        with (
            Progress(plan.total, "steps", state.step, distributed.is_main) as progress,
            stop_requests() as requests,
        ):
            for index in self._batches():
                step = state.step
                self._seed(generator, step)
                self.task.update_schedules(schedule_values, step, plan.total)
                for group in self.optimizer_groups:
                    group.set_lr(
                        learning_rate(step, plan.total, group.lr, plan.warmup, settings.lr_floor)
                    )
                batch = self.prepare(self.train_split.take(index), generator, training=True)
                with torch.autocast(device.type, torch.bfloat16, enabled=self.autocast):
                    losses = self.model(batch, schedule_values)
                objective(losses).backward()
                skipped += self._step()
                if self.ema_model is not None:
                    update_ema(self.ema_model, self.task, settings.ema, step)
                for name, value in losses.items():
                    value = value.detach()
                    totals[name] = totals[name] + value if name in totals else value
                summed += 1
                state.step = step = step + 1
                progress.update(step)

                last = step == plan.total
                # Reading the flag of other processes costs an all-reduce: not at every step.
                ask_others = distributed.size == 1 or step % 10 == 0
                stop = ask_others and distributed.any(bool(requests))
                save = last or stop or step % plan.save_every == 0
                log = save or step % settings.log_every == 0
                evaluate = last or step % plan.eval_every == 0
                if log or evaluate:
                    state.seconds = seconds_before + time.perf_counter() - began
                # Before each checkpoint too: sums not yet read would be lost to a resumed run.
                if log:
                    self._log(progress, totals, skipped, summed)
                    totals, summed = {}, 0
                    skipped.zero_()
                if evaluate:
                    self._evaluate_and_keep_best(progress)
                if save and not (last or stop or settings.save_every):
                    # Evaluations may be quick: what a kill could cost is then not worth a write.
                    save = distributed.any(time.perf_counter() - saved > SAVE_SECONDS)
                if save:
                    state.seconds = seconds_before + time.perf_counter() - began
                    self._save(LAST)
                    saved = time.perf_counter()
                if stop and not last:
                    raise Interrupted(requests[0] if requests else signal.SIGTERM, step)
        if requests and distributed.is_main:
            name = signal.Signals(requests[0]).name
            say(f"{name} came in the last step: the training is finished, at step {state.step}")
        if not math.isfinite(self._held_out_loss):
            raise TrainingError(
                f"the held-out loss ended at {self._held_out_loss}; lower train.lr "
                f"({state.skipped} steps were skipped)"
            )
        self._announce("finished", {"seconds": state.seconds})
        return state

    def _batches(self) -> Iterator[Tensor]:
        """Row numbers of each step to come, this process's share of each, on the device."""
        step = self.state.step
        share = slice(self.distributed.rank, None, self.distributed.size)
        while step < self.plan.total:
            epoch, offset = divmod(step, self.plan.steps_per_epoch)
            order = epoch_order(len(self.train_split), self.config.train.seed, epoch)
            order = order.to(self.distributed.device)
            for position in range(offset, self.plan.steps_per_epoch):
                start = position * self.plan.batch_size
                yield order[start : start + self.plan.batch_size][share]
                step += 1
                if step == self.plan.total:
                    return

    def _seed(self, generator: torch.Generator, step: int) -> None:
        """Make the step's randomness a function of seed, step and process alone.

        So a resumed run draws what the uninterrupted one would, with no state to save.
        """
        number = (self.config.train.seed * 1_000_003 + step) * 1_009 + self.distributed.rank
        torch.manual_seed(number % 2**63)
        generator.manual_seed((number + 2**40) % 2**63)

    def _step(self) -> Tensor:
        """Step every optimizer; 1.0 if any group skipped it, else 0.0, on the device."""
        skipped = [group.step(self.config.train.clip) for group in self.optimizer_groups]
        self.task.after_step(skipped[0], self.distributed)
        return torch.stack(skipped).amax()

    # Rare events

    def _log(
        self,
        progress: Progress,
        totals: Mapping[str, Tensor],
        skipped: Tensor,
        summed: int,
    ) -> None:
        names = list(totals)
        values = torch.stack([*(totals[name].float() for name in names), skipped])
        # Every process skips the same steps: only losses are summed.
        numbers = self.distributed.sum(values / self.distributed.size).tolist()
        bad = round(numbers.pop())
        self.state.skipped += bad
        self._nonfinite_streak = self._nonfinite_streak + bad if bad == summed else 0
        if self._nonfinite_streak >= min(self.config.train.log_every, 10, self.plan.total):
            raise TrainingError(
                f"no gradient was finite in the last {self._nonfinite_streak} steps (up to step "
                f"{self.state.step}); lower train.lr, or look for invalid values in the data"
            )
        metrics = dict(zip(names, (number / summed for number in numbers), strict=True))
        self._train_loss = metrics["loss"]
        progress.describe(figures(metrics) + self._skipped_text())
        if self.distributed.is_main and self.run_folder:
            lr = self.optimizer_groups[0].optimizers[0].param_groups[0]["lr"]
            self.run_folder.log(self._record("train", {**metrics, "lr": lr}))
        self._announce("logged", metrics)

    def _evaluate_and_keep_best(self, progress: Progress) -> None:
        metrics = self.evaluate(self.val_split, self.config.train.eval_items)
        self._held_out_loss = metrics["loss"]
        state = self.state
        epoch = state.step / self.plan.steps_per_epoch
        progress.say(
            f"step {state.step}  epoch {epoch:.3g}  held out: {figures(metrics)}"
            f"{self._skipped_text()}  after {duration(state.seconds)}"
        )
        if self.distributed.is_main:
            last = state.step == self.plan.total
            task = self.ema_model or self.task
            self.collapse_monitor.check(task, state.step, progress.say, last=last)
            self.overfitting_monitor.check(
                state.step, self._train_loss, metrics["loss"], progress.say
            )
        if self.distributed.is_main and self.run_folder:
            self.run_folder.log(self._record("val", metrics))
        self._announce("evaluated", metrics)
        if metrics["loss"] < state.best:
            state.best = metrics["loss"]
            self._save(BEST, metrics)

    def _skipped_text(self) -> str:
        skipped = format_count(self.state.skipped, "step")
        return f"  ({skipped} skipped: gradient not finite)" if self.state.skipped else ""

    def _record(self, split: str, metrics: Mapping[str, float]) -> dict[str, Any]:
        state = self.state
        return {
            "step": state.step,
            "epoch": round(state.step / self.plan.steps_per_epoch, 4),
            "split": split,
            **{name: round_figure(value) for name, value in metrics.items()},
            "skipped": state.skipped,
            "seconds": round(state.seconds, 3),
        }

    @torch.no_grad()
    def evaluate(self, split: Split, items: int) -> dict[str, float]:
        """Mean losses over the first ``items`` of a split, with the schedules' final values."""
        task = self.ema_model if self.ema_model is not None else self.task
        return compute_mean_losses(
            task,
            self.prepare,
            split,
            items,
            self.plan.batch_size,
            self.distributed,
            self.plan.total,
            autocast=self.autocast,
        )

    # Checkpoints

    def header(self, metrics: Mapping[str, float] | None = None) -> dict[str, Any]:
        """What a checkpoint says of itself."""
        return {
            **describe(self.config, self.plugins, self.shape),
            "step": self.state.step,
            "total_steps": self.plan.total,
            "metrics": {name: round_figure(value) for name, value in (metrics or {}).items()},
        }

    def _save(
        self, which: Literal["last", "best"], metrics: Mapping[str, float] | None = None
    ) -> None:
        if self.distributed.is_main and self.run_folder:
            trainer = None
            if which == LAST:
                trainer = {
                    "optimizers": {
                        group.name: [o.state_dict() for o in group.optimizers]
                        for group in self.optimizer_groups
                    },
                    "state": vars(self.state).copy(),
                    "raw": self.task.state_dict() if self.ema_model is not None else None,
                }
            checkpoint.save(
                self.run_folder.checkpoint(which),
                self.header(metrics),
                self.ema_model if self.ema_model is not None else self.task,
                trainer,
            )
        self._announce("saved", {})
        self.distributed.barrier()

    def resume(self, source: Checkpoint) -> None:
        """Go on from a checkpoint.

        Raises:
            CheckpointError: it is damaged, cannot be resumed, or is of another model.
        """
        saved = source.trainer()
        try:
            source.load_into(self.ema_model if self.ema_model is not None else self.task)
            if self.ema_model is not None:
                self.task.load_state_dict(saved["raw"])
            for group in self.optimizer_groups:
                states = saved["optimizers"][group.name]
                for optimizer, optimizer_state in zip(group.optimizers, states, strict=True):
                    optimizer.load_state_dict(optimizer_state)
            self.state = TrainingState(**saved["state"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{source.folder} cannot be resumed: {error}") from error
        if self.state.step >= self.plan.total:
            raise CheckpointError(
                f"{source.folder} is finished ({self.state.step} of {self.plan.total} steps); "
                f"give a larger --epochs or --steps to go on"
            )
        if self.distributed.is_main and self.run_folder:
            self.run_folder.rewind(self.state.step)

    def _announce(
        self,
        kind: Literal["started", "logged", "evaluated", "saved", "finished"],
        metrics: Mapping[str, float],
    ) -> None:
        if self.distributed.is_main and self.run_folder:
            self.plugins.announce(
                RunEvent(
                    kind,
                    str(self.run_folder.folder),
                    self.config.task.name,
                    self.state.step,
                    dict(metrics),
                )
            )
