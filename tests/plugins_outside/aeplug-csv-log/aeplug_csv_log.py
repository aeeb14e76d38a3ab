"""A run's events as ``events.csv`` in its folder, a line for each figure of each event."""

import csv
import time
from pathlib import Path

from aeplug import RunEvent, hookimpl

COLUMNS = ("time", "task", "event", "step", "figure", "value")


@hookimpl
def aeplug_run_event(event: RunEvent) -> None:
    path = Path(event.run) / "events.csv"
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        if fresh:
            lines.writerow(COLUMNS)
        now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        for figure, value in event.metrics.items() or [("", "")]:
            lines.writerow((now, event.task, event.kind, event.step, figure, value))
