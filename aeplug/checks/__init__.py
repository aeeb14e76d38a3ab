"""Conformance of tasks and plug-ins, behind :mod:`aeplug.testing`."""
