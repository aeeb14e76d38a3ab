"""Sound: recordings in, by transcription, and music out through a soundfont."""

from __future__ import annotations
