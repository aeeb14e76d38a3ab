"""Notes to sound: a soundfont's samples, or tones of a few partials."""
