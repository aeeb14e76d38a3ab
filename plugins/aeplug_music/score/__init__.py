"""The musical representation: metres, tokens, tunes, melodies, the grid; imports no torch."""
