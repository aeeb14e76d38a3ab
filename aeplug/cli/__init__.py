"""The ``aeplug`` command: thin commands over the engine."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends the process with its exit code."""
    try:
        # Here, so that Ctrl-C in the time these imports take is met like any other.
        from aeplug.cli.program import main as run

        run(arguments)
    except KeyboardInterrupt:
        sys.exit(130)
