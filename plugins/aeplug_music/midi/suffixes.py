"""Endings of files of music, by kind; imports nothing, so that specs may read it at start-up."""

#: Standard MIDI Files: karaoke is MIDI with lyrics, RMID is MIDI in a RIFF container. The first is
#: written.
MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
#: Notation, which music21 reads.
NOTATION_SUFFIXES = (".abc", ".musicxml", ".xml", ".mxl")
#: Drum patterns written as text.
PATTERN_SUFFIX = ".drums"
