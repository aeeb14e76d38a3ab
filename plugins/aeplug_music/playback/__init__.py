"""Play MIDI and recordings."""
