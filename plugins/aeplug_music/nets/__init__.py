"""Modules that melodies and drums share."""
