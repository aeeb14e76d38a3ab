"""Files of sound: reading, writing at a set loudness."""

from __future__ import annotations

__all__ = ["RECORDING_SUFFIXES"]

#: Recordings that are read, by their endings.
RECORDING_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
