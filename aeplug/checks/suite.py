"""All checks of a task, in order, each reported as soon as it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aeplug.checks.capabilities import check_capabilities
from aeplug.checks.codec import check_codec
from aeplug.checks.compiling import check_compiling
from aeplug.checks.distributed import Together, check_processes
from aeplug.checks.learning import check_gradients, check_learning, check_loss
from aeplug.checks.outcome import (
    CHECKS,
    CheckMismatch,
    CheckWarning,
    Outcome,
    Report,
    Skipped,
    Told,
    describe_failure,
)
from aeplug.checks.saving import check_saving
from aeplug.checks.seeding import check_seeds
from aeplug.checks.settings import check_settings
from aeplug.checks.shapes import check_shapes
from aeplug.checks.subject import Subject, quietly
from aeplug.errors import AeplugError, ConfigError, nearest
from aeplug.interfaces import Batch
from aeplug.plugins import Plugins, active
from aeplug.plugins.specs import TaskSpec

_CHECKS: Mapping[str, Callable[[Subject], str]] = {
    "shapes": check_shapes,
    "loss": check_loss,
    "gradients": check_gradients,
    "learning": check_learning,
    "saving": check_saving,
    "seeds": check_seeds,
    "compiling": check_compiling,
    "codec": check_codec,
    "capabilities": check_capabilities,
    "settings": check_settings,
}

#: Checks that say nothing where another has failed: they need a step of training, or a task.
_AFTER_LOSS = ("gradients", "learning", "saving", "seeds", "compiling", "processes")


def examine_task(
    task: str | TaskSpec,
    *,
    plugins: Plugins | None = None,
    settings: Mapping[str, Any] | None = None,
    data: str | Path | None = None,
    only: Iterable[str] = (),
    skip: Iterable[str] = (),
    seed: int = 0,
    tell: Told | None = None,
) -> Report:
    """Make all checks of a task and report them, whatever they find.

    Args:
        task: its name or description.
        plugins: where it and its parts are looked up; by default those of this process.
        settings: dotted keys over the task's own: ``{"loss": "my-loss", "latent.size": 2}``.
        data: a folder of the user's own data, as ``--data``.
        only: names of the checks to make, of :data:`CHECKS`; none: all.
        skip: names of checks to leave out.
        seed: of weights and draws.
        tell: called with each outcome as soon as it is known.

    Raises:
        AeplugError: there is no such task or check.
    """
    plugins = plugins or active()
    spec = plugins.task(task) if isinstance(task, str) else task
    wanted = select_checks(only, skip)
    folder = Path(data) if data is not None else None
    subject = Subject(spec, plugins, dict(settings or {}), folder, seed)
    return examine_subject(subject, f"task {spec.name}", wanted, tell)


def check_task(task: str | TaskSpec, **options: Any) -> Report:
    """Make all checks of a task; see :func:`examine_task` for the options.

    Example:
        >>> from aeplug.testing import check_task
        >>> report = check_task("mnist", only=["shapes"])
        >>> print(report)
        ok       task mnist: shapes: (1, 28, 28) -> (3136) -> (32) -> (1, 28, 28)

    Raises:
        CheckFailed: an AssertionError that says of each failure what was expected, what was
            found, and where the guide explains it.
    """
    report = examine_task(task, **options)
    report.require_ok()
    return report


def tiny_batch(
    task: str | TaskSpec,
    *,
    plugins: Plugins | None = None,
    settings: Mapping[str, Any] | None = None,
    data: str | Path | None = None,
    count: int | None = None,
    training: bool = False,
) -> Batch:
    """The first items of a task's training data, prepared; the same at every call.

    Args:
        task: its name or description.
        plugins: as for :func:`examine_task`, like ``settings`` and ``data``.
        settings: see there.
        data: see there.
        count: how many items; by default 8.
        training: with augmentation and corruption.

    Returns:
        A batch on the CPU.

    Example:
        >>> from aeplug.testing import tiny_batch
        >>> tiny_batch("mnist", count=2).input.shape
        torch.Size([2, 1, 28, 28])
    """
    plugins = plugins or active()
    spec = plugins.task(task) if isinstance(task, str) else task
    folder = Path(data) if data is not None else None
    subject = Subject(spec, plugins, dict(settings or {}), folder)
    try:
        return subject.batch(training=training, count=count)
    finally:
        subject.close()


def select_checks(
    only: Iterable[str], skip: Iterable[str], names: Sequence[str] = CHECKS
) -> list[str]:
    """The checks to make.

    Raises:
        ConfigError: there is no check of this name.
    """
    only, skip = list(only), list(skip)
    for name in (*only, *skip):
        if name not in names:
            raise ConfigError(f"no check is called '{name}'. {nearest(name, names)}")
    return [name for name in names if (not only or name in only) and name not in skip]


def examine_subject(
    subject: Subject, label: str, wanted: Iterable[str], tell: Told | None = None
) -> Report:
    """The wanted checks of a subject, which is closed at the end."""
    wanted = list(wanted)
    report = Report()
    failed: set[str] = set()

    def make(name: str, check: Callable[[], str]) -> None:
        outcome = outcome_of(label, name, check)
        if outcome.status == "failed":
            failed.add(name)
        # What only prepares for the checks that are wanted is no news while it is good.
        if name in wanted or outcome.status == "failed":
            report.outcomes.append(outcome)
            if tell:
                tell(outcome)

    together: Together | Skipped | None = None
    try:
        make("building", lambda: _check_building(subject))
        if "processes" in wanted and not failed:
            together = _start_processes(subject)
        needs_loss = any(name in _AFTER_LOSS for name in wanted)
        for name in CHECKS[1:]:
            if name not in wanted and not (name == "loss" and needs_loss):
                continue
            if "building" in failed:
                make(name, _make_skip("the task cannot be built"))
            elif "loss" in failed and name in _AFTER_LOSS:
                make(name, _make_skip("there is no loss to begin with"))
            elif name == "processes":
                make(name, lambda: _check_together(together))
            else:
                make(name, lambda name=name: _CHECKS[name](subject))  # type: ignore[misc]
    finally:
        if isinstance(together, Together):
            together.close()
        subject.close()
    return report


def outcome_of(label: str, name: str, check: Callable[[], str]) -> Outcome:
    """Make one check."""
    began = time.perf_counter()

    def outcome(status: Any, **texts: str) -> Outcome:
        return Outcome(label, name, status, seconds=time.perf_counter() - began, **texts)

    try:
        with quietly():
            return outcome("ok", text=check())
    except Skipped as reason:
        return outcome("skipped", text=str(reason))
    except CheckWarning as doubt:
        return outcome("warning", expected=doubt.expected, found=doubt.found)
    except CheckMismatch as mismatch:
        return outcome("failed", expected=mismatch.expected, found=mismatch.found)
    except AeplugError as error:
        return outcome("failed", expected=_WORKS[name], found=str(error))
    except (Exception, SystemExit) as error:
        return outcome("failed", expected=_WORKS[name], found=describe_failure(error))


#: What is expected where a plug-in's own code raises something in the midst of a check.
_WORKS = {
    "loading": "a plug-in that loads",
    "imports": "a plug-in that can be imported in an empty process",
    "parts": "a part that works in a task",
    "priors": "a prior that can be fitted and kept",
    "observer": "an observer that bears every event",
    "commands": "commands that can be added",
    "building": "a task that can be built from its settings and its data",
    "shapes": "data that passes through the task",
    "loss": "a loss of the tiny batch",
    "gradients": "gradients of the tiny batch",
    "learning": "a few steps of training",
    "saving": "a checkpoint",
    "seeds": "draws",
    "compiling": "parts that can be compiled",
    "processes": "two processes that train together",
    "codec": "files that can be written and read",
    "capabilities": "parts that can do what they claim",
    "settings": "settings that can be checked",
}


def _check_building(subject: Subject) -> str:
    task = subject.task()
    parts = [f"{role} {section.name}" for role, section in subject.config.sections.items()]
    numbers = sum(parameter.numel() for parameter in task.parameters())
    return f"{numbers:,} parameters: {', '.join(p for p in parts if not p.endswith(' '))}"


def _start_processes(subject: Subject) -> Together | Skipped:
    try:
        return Together(subject)
    except Skipped as reason:
        return reason


def _check_together(together: Together | Skipped | None) -> str:
    if isinstance(together, Skipped):
        raise together
    assert together is not None
    return check_processes(together)


def _make_skip(why: str) -> Callable[[], str]:
    def skip() -> str:
        raise Skipped(why)

    return skip
