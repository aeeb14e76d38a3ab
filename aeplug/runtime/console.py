"""What a person sees of long work: a live bar on a terminal, plain lines when piped.

Everything goes to stderr; stdout is for results. It is best effort: where stderr is gone (a closed
terminal, a reader that left) or full, work goes on in silence.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import TextIO

#: Seconds between redraws of the bar, and between plain lines.
REDRAW_SECONDS, LINE_SECONDS = 0.2, 10.0


def say(text: str) -> None:
    """One line for the person, on stderr.

    Example:
        >>> say("3 of 10 files are left out")
    """
    if sys.stderr is not None:  # else it was closed before the start, and print takes stdout
        with _best_effort():
            print(text, file=sys.stderr, flush=True)


def flush_streams() -> None:
    """Write out what stdout and stderr still hold; to be called as the last thing.

    Else Python tries at its end, and where they are broken it complains and changes the exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with _best_effort(stream):
                stream.flush()


@contextlib.contextmanager
def _best_effort(stream: TextIO | None = None) -> Iterator[None]:
    """Whatever cannot be said here is not, nor anything after it."""
    try:
        yield
    except OSError:
        # What the stream still holds, and what others write to it, has to go somewhere.
        with contextlib.suppress(OSError, ValueError):  # no file, as where it is captured
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, (stream or sys.stderr).fileno())
            os.close(null)


def figures(metrics: Mapping[str, float]) -> str:
    """Figures in one line, four significant digits each: ``loss 153.2  kl 6.41``."""
    return "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())


def duration(seconds: float) -> str:
    """``0:42``, ``12:07`` or ``3:05:00``."""
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Progress:
    """Progress of work of known length.

    Args:
        total: units of work.
        unit: their name, in the plural.
        start: units done before (a resumed run).
        shown: False prints nothing (processes other than rank 0).

    Example:
        >>> with Progress(3, "files", shown=False) as progress:
        ...     for done in range(1, 4):
        ...         progress.update(done)
        >>> progress.total
        3
    """

    _is_open = False  # whether a bar is shown now

    def __init__(self, total: int, unit: str, start: int = 0, shown: bool = True) -> None:
        self.total, self.unit = total, unit
        self._start, self._began = start, time.perf_counter()
        self._shown = shown
        # A terminal has room for one bar: work within other work has none.
        self._counts = shown and not Progress._is_open
        self._live = self._counts and sys.stderr is not None and sys.stderr.isatty()
        self._next = time.perf_counter() + (0.0 if self._live else LINE_SECONDS)
        self._text = ""
        if self._live:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.fields[count]}/{task.total} {task.fields[unit]}"),
                BarColumn(bar_width=None),
                TextColumn("{task.fields[pace]}"),
                TextColumn("{task.fields[text]}"),
                console=Console(stderr=True),
                auto_refresh=False,
                transient=True,
            )
            self._line = self._bar.add_task(
                "", total=total, unit=unit, count=start, pace="", text=""
            )

    def __enter__(self) -> Progress:
        Progress._is_open = Progress._is_open or self._counts
        if self._live:
            with _best_effort():
                self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        Progress._is_open = Progress._is_open and not self._counts
        if self._live:
            with _best_effort():
                self._bar.stop()

    def update(self, done: float) -> None:
        """Tell how many units are done, parts of one included; cheap enough for every step."""
        now = time.perf_counter()
        if not self._counts or now < self._next:
            return
        pace = ""  # not known before something is done
        if done > self._start:
            rate = (done - self._start) / max(now - self._began, 1e-9)
            pace = f"{rate:.3g}/s, {duration((self.total - done) / rate)} left"
        if self._live:
            self._next = now + REDRAW_SECONDS
            self._bar.update(
                self._line, completed=done, count=int(done), pace=pace, text=self._text
            )
            with _best_effort():
                self._bar.refresh()
        else:
            self._next = now + LINE_SECONDS
            said = ", ".join(filter(None, (f"{int(done)}/{self.total} {self.unit}", pace)))
            say(f"{said}  {self._text}".rstrip())

    def describe(self, text: str) -> None:
        """Figures shown beside the bar from now on."""
        self._text = text

    def say(self, text: str) -> None:
        """A line that stays, above the bar."""
        if self._live:
            with _best_effort():
                self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)
        elif self._shown:
            say(text)
