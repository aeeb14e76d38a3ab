"""The metre of a tune: as its file says, as it is told to be, or the likeliest.

Some programs write 1/4 where they know no metre. Bars of a single beat are none: where a file has
them for longer than an upbeat, its metre is estimated from when its notes begin and how long they
are. A metre that is told holds for the whole tune, from its first tick.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from aeplug_music.score.metres import parse_metre
from aeplug_music.score.tune import NOTE, Tune

#: Eighths of two bars of 4/4, the fewest that say something.
_FEWEST = 16
#: How much better bars of three quarters must fit than those of four: they are rarer.
_MARGIN = 1.1
#: Eighths of a tune that are looked at, at most.
_LONGEST = 4096


def settle_metre(tune: Tune, metre: str = "") -> tuple[Tune, str]:
    """The tune in the metre that it is to be read in, and what was changed, a clause, or nothing.

    Args:
        tune: as read.
        metre: for all of it; empty: the file's own, or the likeliest where that is none.

    Example:
        >>> from aeplug_music.score.tune import Tune
        >>> tune = Tune(4, [], [(0, 1, 4)], end=64)
        >>> settle_metre(tune, "3/4")[0].time_signatures
        [(0, 3, 4)]
    """
    if metre:
        return replace(tune, time_signatures=[(0, *parse_metre(metre))]), ""
    signatures = tune.time_signatures
    nominal = [index for index in range(len(signatures)) if _is_none(tune, index)]
    if not nominal:
        return tune, ""
    likely = estimate_metre(tune)
    changed = [
        (tick, *(parse_metre(likely) if index in nominal else (numerator, denominator)))
        for index, (tick, numerator, denominator) in enumerate(signatures)
    ]
    _, numerator, denominator = signatures[nominal[0]]
    remark = f"{numerator}/{denominator} read in {likely}, the likeliest metre; --metre sets it"
    return replace(tune, time_signatures=changed), remark


def _is_none(tune: Tune, index: int) -> bool:
    """Whether a time signature has one beat, for longer than an upbeat."""
    tick, numerator, denominator = tune.time_signatures[index]
    ends = [change[0] for change in tune.time_signatures[index + 1 :]]
    bar = 4 * tune.ticks_per_quarter / denominator
    return numerator == 1 and (ends[0] if ends else tune.end) - tick > bar


def estimate_metre(tune: Tune) -> str:
    """The likeliest of 4/4, 3/4 and 6/8; 4/4 where nothing speaks for another.

    Bars are as long as the time after which strong beats return: long notes, and many at once. One
    of three quarters is 6/8 where they return after its half rather than after a quarter.
    """
    strength = _beat_strengths(tune)
    if len(strength) < _FEWEST:
        return "4/4"
    four, three = (_returns_after(strength, 8, 16), _returns_after(strength, 6, 12))
    if three <= _MARGIN * four or three <= 0:
        return "4/4"
    halves, quarters = _returns_after(strength, 3), _returns_after(strength, 2, 4)
    return "6/8" if halves > quarters else "3/4"


def _beat_strengths(tune: Tune) -> npt.NDArray[np.float64]:
    """How strong each eighth is: the lengths of the notes that begin there, quarters."""
    notes = np.frombuffer(b"".join(track.notes for track in tune.tracks), NOTE)
    quarter = tune.ticks_per_quarter
    place = np.rint(notes["onset"] * 2 / quarter).astype(np.int64)
    length = np.minimum(notes["length"] / quarter, 2.0)
    inside = place < _LONGEST
    return np.asarray(np.bincount(place[inside], length[inside]), np.float64)


def _returns_after(strength: npt.NDArray[np.float64], *lags: int) -> float:
    """Correlation of the strengths with those some eighths later, averaged over ``lags``."""
    centred = strength - strength.mean()
    power = float((centred**2).sum()) or 1.0
    return float(np.mean([(centred[lag:] * centred[:-lag]).sum() / power for lag in lags]))
