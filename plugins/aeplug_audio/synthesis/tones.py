"""Simple sounds in place of a soundfont: tones of a few partials, and nine drums.

Enough to judge pitch, loudness and timing; for better sound play the .mid with any sampler.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from aeplug_audio.synthesis.voices import LONGEST_NOTE, Note

Samples = npt.NDArray[np.float32]

#: Amplitudes of a tone's partials from the fundamental on; decay, attack and release, seconds.
_PARTIALS = (1.0, 0.45, 0.2, 0.1)
_DECAY, _ATTACK, _RELEASE = 1.6, 0.008, 0.15

_KICK, _SNARE, _CLOSED_HAT, _OPEN_HAT, _LOW_TOM, _MID_TOM, _HIGH_TOM, _CRASH, _RIDE = (
    *(36, 38, 42, 46),
    *(43, 47, 50, 49, 51),
)
#: General MIDI percussion keys 35 to 59 by the drum that stands for them; others: closed hi-hat.
_LIKE = {
    35: _KICK,
    37: _SNARE,
    39: _SNARE,
    40: _SNARE,
    41: _LOW_TOM,
    44: _CLOSED_HAT,
    45: _MID_TOM,
    48: _HIGH_TOM,
    52: _CRASH,
    53: _RIDE,
    55: _CRASH,
    57: _CRASH,
    59: _RIDE,
}
#: Drums with skins: final and initial pitch, Hz; decay, seconds; amplitude.
_SKINS = {
    _KICK: (48.0, 160.0, 0.16, 1.0),
    _SNARE: (185.0, 260.0, 0.07, 0.45),
    _LOW_TOM: (85.0, 130.0, 0.22, 0.7),
    _MID_TOM: (120.0, 180.0, 0.2, 0.7),
    _HIGH_TOM: (165.0, 240.0, 0.17, 0.7),
}
#: Noise: lowest frequency, Hz; decay, seconds; amplitude.
_NOISES = {
    _KICK: (1000.0, 0.008, 0.15),
    _SNARE: (1500.0, 0.11, 0.6),
    _CLOSED_HAT: (7000.0, 0.03, 0.35),
    _OPEN_HAT: (6000.0, 0.28, 0.35),
    _CRASH: (3500.0, 0.8, 0.45),
    _RIDE: (5000.0, 0.35, 0.22),
}
#: Frequencies at which the ride rings, Hz.
_RINGS = (2950.0, 4310.0, 5530.0)


class ToneVoices:
    """Tones and drums of sines and noise; all programs sound alike. ``channels`` is 1."""

    channels = 1

    def voice(self, note: Note, rate: int, longest: int | None = None) -> Samples:
        """Sound of a note from its onset until it has died away, float32 ``(n, 1)``.

        Args:
            note: note to play.
            rate: samples per second.
            longest: most samples to return; None: all.
        """
        # Amplitude by the square of velocity, as in samplers.
        loudness = np.float32((note.velocity / 127) ** 2)
        if note.drum:
            return (
                _render_stroke(_LIKE.get(note.pitch, note.pitch), rate)[:longest, None] * loudness
            )
        seconds = min(max(note.end - note.begin, 0.0), LONGEST_NOTE)
        time = np.arange(round((seconds + _RELEASE) * rate))[:longest] / rate
        hertz = 440 * 2 ** ((note.pitch - 69) / 12)
        tone = np.zeros(len(time))
        for number, partial in enumerate(_PARTIALS, 1):
            if number * hertz < rate / 2:
                tone += partial * np.sin(2 * np.pi * number * hertz * time)
        sustain = np.minimum(time / _ATTACK, 1) * np.exp(-time / _DECAY)
        envelope = sustain * np.clip((seconds + _RELEASE - time) / _RELEASE, 0, 1)
        return (0.3 * tone * envelope).astype(np.float32)[:, None] * loudness

    def exclusive_class(self, note: Note) -> int:
        """Notes of one class, above 0, end one another (open and closed hi-hat); 0: no class."""
        hats = (_CLOSED_HAT, _OPEN_HAT)
        return int(note.drum and _LIKE.get(note.pitch, note.pitch) in hats)


@lru_cache(32)
def _render_stroke(pitch: int, rate: int) -> Samples:
    """A stroke of a drum at full velocity."""
    pitch = pitch if pitch in _SKINS or pitch in _NOISES else _CLOSED_HAT
    length = int(rate * (1.5 if pitch == _CRASH else 0.8))
    time = np.arange(length) / rate
    sound = np.zeros(length)
    if pitch in _SKINS:
        low, high, decay, loud = _SKINS[pitch]
        hertz = low + (high - low) * np.exp(-time / 0.03)
        phase = 2 * np.pi * np.cumsum(hertz) / rate
        sound += loud * np.sin(phase) * np.exp(-time / decay)
    if pitch in _NOISES:
        lowest, decay, loud = _NOISES[pitch]
        noise = np.random.default_rng(pitch).standard_normal(length)
        spectrum = np.fft.rfft(noise)
        spectrum[np.fft.rfftfreq(length, 1 / rate) < lowest] = 0
        sound += loud * 0.5 * np.fft.irfft(spectrum, length) * np.exp(-time / decay)
    if pitch == _RIDE:
        for ring in _RINGS:
            sound += 0.06 * np.sin(2 * np.pi * ring * time) * np.exp(-time / 0.3)
    # Fade the end to avoid a click.
    fade = rate // 40
    sound[-fade:] *= np.linspace(1, 0, fade)
    return (0.5 * sound).astype(np.float32)
