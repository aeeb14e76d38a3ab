"""Sound to notes: pitch, onsets and a voice, frame by frame."""
