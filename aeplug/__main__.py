"""``python -m aeplug`` is the command ``aeplug``."""

from aeplug.cli import main

main()
