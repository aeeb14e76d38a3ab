"""The ``aeplug`` command: thin commands over the engine."""

from aeplug.cli.program import main

__all__ = ["main"]
