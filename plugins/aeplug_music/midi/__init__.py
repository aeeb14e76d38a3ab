"""Files of music: what is named, what is in them, MIDI read and written, notation."""
