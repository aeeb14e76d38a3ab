"""Recordings to tunes."""
