"""Ctrl-C, SIGTERM and a closed terminal as requests, obeyed where nothing is half done."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupted(Exception):
    """Training was asked to stop and saved; ``signal_number`` says by what."""

    def __init__(self, signal_number: int, step: int) -> None:
        super().__init__(signal_number, step)
        self.signal_number, self.step = signal_number, step


@contextmanager
def stop_requests() -> Iterator[list[int]]:
    """Collects SIGINT, SIGTERM and SIGHUP instead of dying; a second one ends the process at once.

    A second SIGHUP does not: of a terminal that closes, both the shell and the system send one.
    It is left alone where it is ignored, as ``nohup`` has it.
    """
    requests: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield requests
        return

    def remember(number: int, frame: FrameType | None) -> None:
        if requests and number != hangup:
            _end(number, numbers)
        requests.append(number)

    hangup = getattr(signal, "SIGHUP", None)  # not on Windows
    numbers = [int(signal.SIGINT), int(signal.SIGTERM)]
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        numbers.append(int(hangup))
    before: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}
    for number in numbers:
        before[number] = signal.signal(number, remember)
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, numbers: list[int]) -> None:
    """End the process whatever its threads wait for: a read from a network that has gone."""
    for other in numbers:  # should the line below block, one more signal ends it
        signal.signal(other, signal.SIG_DFL)
    with contextlib.suppress(OSError):
        # Past the stream of Python, which the interrupted code may hold; the cursor that a bar has
        # hidden comes back.
        os.write(2, b"\x1b[?25h\nended at once\n" if os.isatty(2) else b"ended at once\n")
    os._exit(128 + number)
