"""Notes through a soundfont: samples played at the note's pitch, with envelope, filter and pan.

A SoundFont 2 synthesiser (Technical Specification 2.04, section 9) without reverberation and
chorus; the only modulators are those from velocity to loudness.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from aeplug_audio.synthesis.soundfont import Region, Soundfont
from aeplug_audio.synthesis.voices import LONGEST_NOTE, Note

Samples = npt.NDArray[np.float32]

#: A note has died away so many decibels below its loudest.
_SILENT_DB = 90.0
#: Shortest release, seconds; a shorter one clicks.
_SHORTEST_RELEASE = 0.01
#: Share of a file's attenuation that hardware applies, which files are made for.
_ATTENUATION_SHARE = 0.4
#: Cut-off of an open filter, absolute cents (20 kHz).
_OPEN = 13_500
#: Samples between updates of the filter.
_FILTER_BLOCK = 256


class SoundfontVoices:
    """The instruments of a soundfont. ``channels`` is 2."""

    channels = 2

    def __init__(self, font: Soundfont) -> None:
        self.font = font

    def voice(self, note: Note, rate: int, longest: int | None = None) -> Samples:
        """Sound of a note from its onset until it has died away, float32 ``(n, 2)``.

        Args:
            note: note to play.
            rate: samples per second.
            longest: most samples to return; None: all.
        """
        pitch, velocity = note.pitch, note.velocity
        regions = self.font.find_regions(note.program, drum=note.drum, key=pitch, velocity=velocity)
        seconds = min(max(note.end - note.begin, 0.0), LONGEST_NOTE)
        parts = [
            _render_region(self.font, region, pitch, velocity, seconds, rate, longest)
            for region in regions
        ]
        sound = np.zeros((max(map(len, parts), default=0), 2), np.float32)
        for part in parts:
            sound[: len(part)] += part
        return sound

    def exclusive_class(self, note: Note) -> int:
        """Notes of one class, above 0, end one another (open and closed hi-hat); 0: no class."""
        regions = self.font.find_regions(
            note.program, drum=note.drum, key=note.pitch, velocity=note.velocity
        )
        return next((region[57] for region in regions if region[57]), 0)


def _render_region(
    font: Soundfont,
    region: Region,
    key: int,
    velocity: int,
    seconds: float,
    rate: int,
    longest: int | None,
) -> Samples:
    sample = font.samples[region.sample]
    key = region[46] if region[46] >= 0 else key
    velocity = region[47] if region[47] > 0 else velocity
    start = int(sample["start"]) + region[0] + 32_768 * region[4]
    end = min(int(sample["end"]) + region[1] + 32_768 * region[12], len(font.wave))
    loop = int(sample["loop"]) + region[2] + 32_768 * region[45] - start
    loop_end = int(sample["loop_end"]) + region[3] + 32_768 * region[50] - start
    looped = region[54] in (1, 3) and 0 <= loop < loop_end <= end - start
    step = _compute_step(region, sample, key) / rate
    if end - start < 4 or not 0 < step < 1000:
        return np.zeros((0, 2), np.float32)
    envelope = _compute_envelope(region, key, seconds, rate, longest)
    if not looped:
        envelope = envelope[: math.ceil((end - start - 3) / step)]
    place = _compute_places(region, step, len(envelope), rate)
    if looped:
        past = place >= loop_end
        place[past] = loop + (place[past] - loop) % (loop_end - loop)
    else:
        np.minimum(place, end - start - 3, out=place)
    wave = font.wave[start : min(end + 4, len(font.wave))].astype(np.float32)
    sound = _interpolate(wave, place) * envelope
    sound = _filter(region, sound, key, seconds, rate)
    loudness = 2**-15 * (velocity / 127) ** 2 * 10 ** (-_ATTENUATION_SHARE * region[48] / 200)
    angle = (min(max(region[17], -500), 500) / 1000 + 0.5) * math.pi / 2
    gains = np.array([math.cos(angle), math.sin(angle)], np.float32) * np.float32(loudness)
    return sound[:, None] * gains


def _compute_step(region: Region, sample: np.void, key: int) -> float:
    """Samples of the file to play per second."""
    root = region[58] if 0 <= region[58] <= 127 else int(sample["key"])
    root = root if root <= 127 else 60  # 255: the sample has no pitch
    cents = (key - root) * region[56] + 100 * region[51] + region[52] + int(sample["cents"])
    return float(sample["rate"]) * 2 ** (cents / 1200)


def _compute_places(region: Region, step: float, length: int, rate: int) -> npt.NDArray[np.float64]:
    """Positions in the sample, ``(length,)``, with the vibrato of both oscillators."""
    if not (region[5] or region[6]):
        return np.arange(length, dtype=np.float64) * step
    time = np.arange(length) / rate
    cents = np.zeros(length)
    for depth, delay, frequency in ((5, 21, 22), (6, 23, 24)):
        if region[depth]:
            hertz = 8.176 * 2 ** (region[frequency] / 1200)
            cycles = np.maximum(time - _to_seconds(region[delay]), 0) * hertz
            # A triangle that begins at 0, upwards.
            cents += region[depth] * (1 - np.abs((cycles + 0.75) % 1 * 4 - 2))
    places: npt.NDArray[np.float64] = np.cumsum(step * 2 ** (cents / 1200))
    return places - places[0] if length else places


def _interpolate(wave: Samples, place: npt.NDArray[np.float64]) -> Samples:
    """Sample values at fractional positions, by Catmull-Rom splines through four neighbours."""
    whole = place.astype(np.int64)
    fraction = (place - whole).astype(np.float32)
    last = len(wave) - 1
    before, current = wave[np.maximum(whole - 1, 0)], wave[whole]
    after, second = wave[np.minimum(whole + 1, last)], wave[np.minimum(whole + 2, last)]
    slope, next_slope = 0.5 * (after - before), 0.5 * (second - current)
    bend = current - after
    cubic = 2 * bend + slope + next_slope
    value: Samples = (
        (cubic * fraction - (3 * bend + 2 * slope + next_slope)) * fraction + slope
    ) * fraction
    value += current
    return value


def _compute_envelope(
    region: Region, key: int, seconds: float, rate: int, longest: int | None
) -> Samples:
    """Amplitude, 0 to 1, until the note has died away, ``(n,)``."""
    delay, attack = _to_seconds(region[33]), _to_seconds(region[34])
    hold = _to_seconds(region[35] + region[39] * (60 - key))
    decay = max(_to_seconds(region[36] + region[40] * (60 - key)), 1e-3)
    sustain = min(max(region[37] / 10, 0.0), 100.0)
    release = max(_to_seconds(region[38]), _SHORTEST_RELEASE)
    # A note that decays to silence ends there, even if it is held.
    dies = delay + attack + hold + decay * _SILENT_DB / 100
    held_seconds = min(seconds, dies) if sustain >= _SILENT_DB else seconds
    length = round((held_seconds + release * _SILENT_DB / 100) * rate)
    time = np.arange(length if longest is None else min(length, longest)) / rate
    decayed = np.clip((time - delay - attack - hold) * (100 / decay), 0, sustain)
    rising = np.clip((time - delay) / max(attack, 1e-4), 0, 1)
    first = round(held_seconds * rate)
    if first < len(time):
        # From its present level, 100 dB in the time of the release.
        decayed[first:] = decayed[first] + (time[first:] - time[first]) * (100 / release)
        rising[first:] = rising[first]
    return (rising * 10 ** (-decayed / 20)).astype(np.float32)


def _filter(region: Region, sound: Samples, key: int, seconds: float, rate: int) -> Samples:
    """Apply the resonant second-order low-pass filter, unless it is open."""
    depth = region[11]
    if not len(sound) or (region[8] >= _OPEN and depth >= 0):
        return sound
    from scipy.signal import lfilter

    quality = 10 ** ((max(region[9], 0) / 10 - 3.01) / 20)
    # The cut-off follows the modulation envelope in blocks; the filter's state is carried over.
    width = _FILTER_BLOCK if depth else len(sound)
    level = _compute_modulation(
        region, key, seconds, np.arange(0, len(sound), max(width, 1)) / rate
    )
    hertz = 8.176 * 2 ** ((region[8] + depth * level) / 1200)
    angle = 2 * math.pi * np.clip(hertz, 20, 0.45 * rate) / rate
    cosine, alpha = np.cos(angle), np.sin(angle) / (2 * quality)
    state = np.zeros(2)
    filtered = np.empty_like(sound)
    for number, (c, a) in enumerate(zip(cosine.tolist(), alpha.tolist(), strict=True)):
        place = slice(number * width, (number + 1) * width)
        low = (1 - c) / 2
        filtered[place], state = lfilter(
            [low, 2 * low, low], [1 + a, -2 * c, 1 - a], sound[place], zi=state
        )
    return filtered


def _compute_modulation(
    region: Region, key: int, seconds: float, time: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The modulation envelope, 0..1, at times in seconds."""
    rise = _to_seconds(region[25])
    top = rise + _to_seconds(region[26])
    fall = top + _to_seconds(region[27] + region[31] * (60 - key))
    decay = max(_to_seconds(region[28] + region[32] * (60 - key)), 1e-3)
    sustain = 1 - min(max(region[29], 0), 1000) / 1000

    def follow_key(at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        rising = np.clip((at - rise) / max(top - rise, 1e-4), 0, 1)
        return np.minimum(rising, np.clip(1 - (at - fall) / decay, sustain, 1))

    release = max(_to_seconds(region[30]), 1e-3)
    released = np.maximum(follow_key(np.array([seconds]))[0] - (time - seconds) / release, 0)
    return np.where(time < seconds, follow_key(time), released)


def _to_seconds(timecents: float) -> float:
    return 0.0 if timecents <= -12_000 else 2 ** (min(timecents, 8_000) / 1200)
