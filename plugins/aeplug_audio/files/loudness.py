"""Integrated loudness and true peak by ITU-R BS.1770-5 (2023), measured block by block."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

#: Gates: absolute, LUFS, and relative to the mean loudness of what passes it, LU.
_ABSOLUTE, _RELATIVE = -70.0, -10.0
#: Steps of 100 ms per window of 400 ms.
_STEPS = 4
#: Factor of oversampling for the true peak.
_OVERSAMPLING = 4
#: Samples kept from block to block, so that peaks at the edges are measured.
_EDGE = 32


class LoudnessMeter:
    """Measures blocks as they come.

    Args:
        rate: samples per second.
        channels: 1 or 2, each of weight 1.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._filters = [
            (coefficients, np.zeros((2, channels))) for coefficients in _design_k_weighting(rate)
        ]
        self._step = rate // 10
        self._rest = np.zeros((0, channels))
        self._powers: list[float] = []
        self._edge = np.zeros((_EDGE, channels), np.float32)
        self.peak = 0.0

    def add(self, block: Samples) -> None:
        """Add the next block, float32 ``(n, channels)``, full scale is 1."""
        from scipy.signal import lfilter, resample_poly

        if not len(block):
            return
        overlapped = np.concatenate([self._edge, block])
        self.peak = max(
            self.peak, float(np.abs(resample_poly(overlapped, _OVERSAMPLING, 1, axis=0)).max())
        )
        self._edge = overlapped[-_EDGE:]
        weighted: Any = block
        for number, ((over, under), state) in enumerate(self._filters):
            weighted, state = lfilter(over, under, weighted, axis=0, zi=state)
            self._filters[number] = ((over, under), state)
        pending = np.concatenate([self._rest, weighted])
        steps = len(pending) // self._step
        whole = pending[: steps * self._step].reshape(steps, self._step, pending.shape[1])
        self._powers += np.square(whole).mean(1).sum(1).tolist()
        self._rest = pending[steps * self._step :]

    @property
    def integrated(self) -> float:
        """Gated loudness in LUFS; minus infinity for silence.

        A sound shorter than 0.4 s counts as one window, padded with silence.
        """
        powers = list(self._powers)
        if len(powers) < _STEPS:
            powers.append(float(np.square(self._rest).sum()) / self._step)
            powers += [0.0] * (_STEPS - len(powers))
        windows = np.convolve(powers, np.full(_STEPS, 1 / _STEPS), "valid")
        loud = windows[_to_lufs(windows) > _ABSOLUTE]
        if not len(loud):
            return -math.inf
        gate = float(_to_lufs(loud.mean())) + _RELATIVE
        return float(_to_lufs(loud[_to_lufs(loud) > gate].mean()))


def _to_lufs(power: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return -0.691 + 10 * np.log10(np.maximum(power, 1e-12))


def _design_k_weighting(rate: int) -> list[tuple[list[float], list[float]]]:
    """K-weighting at any rate: a shelf that models the head, and a high-pass.

    The recommendation gives coefficients at 48 kHz; these are the analogue filters they come from.
    """
    warped = math.tan(math.pi * 1681.974450955533 / rate)
    quality, high = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    scale = 1 + warped / quality + warped**2
    shelf = (
        [
            (high + middle * warped / quality + warped**2) / scale,
            2 * (warped**2 - high) / scale,
            (high - middle * warped / quality + warped**2) / scale,
        ],
        [1.0, 2 * (warped**2 - 1) / scale, (1 - warped / quality + warped**2) / scale],
    )
    warped, quality = math.tan(math.pi * 38.13547087602444 / rate), 0.5003270373238773
    scale = 1 + warped / quality + warped**2
    high_pass = (
        [1.0, -2.0, 1.0],
        [1.0, 2 * (warped**2 - 1) / scale, (1 - warped / quality + warped**2) / scale],
    )
    return [shelf, high_pass]


def compute_gain(loudness: LoudnessMeter, target: float, highest_peak: float) -> float:
    """Gain that brings a sound to a loudness, or as near as its peaks allow; 1 for silence.

    Args:
        loudness: meter of the whole sound.
        target: LUFS.
        highest_peak: dBTP, below 0.
    """
    if not math.isfinite(loudness.integrated) or not loudness.peak:
        return 1.0
    gain = 10 ** ((target - loudness.integrated) / 20)
    return min(gain, 10 ** (highest_peak / 20) / loudness.peak)
