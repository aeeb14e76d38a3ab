"""What a check found, and what a check raises to say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

#: The text that explains what each check asks for; the anchor is the check's name.
GUIDE = "docs/plugins/checking.md"

#: The checks of a task by name, in the order in which they are made.
CHECKS: tuple[str, ...] = (
    "building",
    "shapes",
    "loss",
    "gradients",
    "learning",
    "saving",
    "seeds",
    "compiling",
    "processes",
    "codec",
    "capabilities",
    "settings",
)

#: Those of a plug-in itself.
PLUGIN_CHECKS = ("loading", "imports", "parts", "priors", "observer", "commands")

Status = Literal["ok", "warning", "skipped", "failed"]


class CheckMismatch(Exception):
    """Something is not as it should be; what a check raises.

    Attributes:
        expected: what a right plug-in does.
        found: what this one does.
    """

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}; found {found}")
        self.expected, self.found = expected, found


class CheckWarning(CheckMismatch):
    """A mismatch that does no harm to everyone: reported, but the check does not fail."""


class Skipped(Exception):
    """The check does not apply, or cannot be done here; the message says why."""


def expect(condition: object, expected: str, found: str) -> None:
    """Raise :class:`Mismatch` unless the condition holds."""
    if not condition:
        raise CheckMismatch(expected, found)


@contextmanager
def expect_no_error(what: str) -> Iterator[None]:
    """Report what the plug-in's own code raises inside as a mismatch: ``what`` was to work."""
    try:
        yield
    except (CheckMismatch, Skipped):
        raise
    except (Exception, SystemExit) as error:
        raise CheckMismatch(f"{what} to work", describe_failure(error)) from error


def brief(value: object) -> str:
    """What a plug-in gave, on one line of 80 characters at most."""
    return f"{' '.join(repr(value).split()):.80}"


def describe_failure(error: BaseException) -> str:
    """An exception in one line, with the line of the code that it came through last.

    That is the plug-in's own where it is among the callers, and not torch's or the engine's.
    """
    text = " ".join(str(error).split())
    if len(text) > 300:
        text = text[:300].rstrip() + " ..."
    return f"{type(error).__name__}: {text}{_place(error)}"


def _place(error: BaseException) -> str:
    place, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] not in ("aeplug", "torch", "pydantic", "") and "<" not in file:
            name = file.replace("\\", "/").rpartition("/")[2]
            place = f" ({name}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return place


@dataclass(frozen=True)
class Outcome:
    """The result of one check.

    Attributes:
        subject: what was checked: ``task waves``, ``plug-in waves``.
        check: the check's name, and the anchor of its section in the guide.
        status: ``ok``, ``warning``, ``skipped`` or ``failed``; only the last is an error.
        text: figures of a good one, or why it was skipped.
        expected: what a right plug-in does; of a failure or warning.
        found: what this one does; of a failure or warning.
        seconds: how long it took.

    Example:
        >>> Outcome("task waves", "shapes", "failed", expected="(8, 16)", found="(8, 15)").message
        'expected (8, 16); found (8, 15) (see docs/plugins/checking.md#shapes)'
    """

    subject: str
    check: str
    status: Status
    text: str = ""
    expected: str = ""
    found: str = ""
    seconds: float = 0.0

    @property
    def section(self) -> str:
        """Where the guide explains what the check asks for."""
        return f"{GUIDE}#{self.check}"

    @property
    def message(self) -> str:
        """All that there is to say, in one line."""
        if self.status in ("failed", "warning"):
            return f"expected {self.expected}; found {self.found} (see {self.section})"
        return self.text

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {**vars(self), "section": self.section, "seconds": round(self.seconds, 3)}


@dataclass
class Report:
    """The outcomes of several checks, in order.

    Example:
        >>> report = Report([Outcome("task waves", "shapes", "ok", "(8, 16)")])
        >>> report.ok, report.of("shapes").text
        (True, '(8, 16)')
    """

    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not self.failures

    def require_ok(self) -> None:
        """Raise :class:`CheckFailed`, with a line for each failure, where there is one."""
        if not self.ok:
            raise CheckFailed(self)

    @property
    def failures(self) -> list[Outcome]:
        """The outcomes of checks that failed."""
        return [outcome for outcome in self.outcomes if outcome.status == "failed"]

    def of(self, check: str) -> Outcome:
        """The outcome of a check by name, the first where there are several.

        Raises:
            KeyError: the check was not made.
        """
        for outcome in self.outcomes:
            if outcome.check == check:
                return outcome
        raise KeyError(check)

    def __str__(self) -> str:
        lines = (f"{o.status:8} {o.subject}: {o.check}: {o.message}" for o in self.outcomes)
        return "\n".join(lines)


class CheckFailed(AssertionError):
    """At least one check failed; the message holds a line for each that did.

    Attributes:
        report: all outcomes.

    Example:
        >>> outcome = Outcome("task waves", "shapes", "failed", expected="(8, 16)", found="(8, 15)")
        >>> print(CheckFailed(Report([outcome])))
        task waves: shapes: expected (8, 16); found (8, 15) (see docs/plugins/checking.md#shapes)
    """

    def __init__(self, report: Report) -> None:
        lines = [f"{o.subject}: {o.check}: {o.message}" for o in report.failures]
        super().__init__("\n".join(lines))
        self.report = report


Told = Callable[[Outcome], None]
