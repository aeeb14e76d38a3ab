"""What can be measured of windows of drums; how, says :mod:`aeplug_music.drums.attributes`."""

from __future__ import annotations

from aeplug import AttributeSpec

_MODULE = "aeplug_music.drums.attributes"

HIT_ATTRIBUTES = (
    AttributeSpec("hits-per-bar", f"{_MODULE}:hits_per_bar", "hits a bar", "how much is played"),
    AttributeSpec(
        "off-beat", f"{_MODULE}:off_beat", "share of hits", "hits on no quarter and no eighth"
    ),
    AttributeSpec(
        "drums-used", f"{_MODULE}:drums_used", "drums", "how many of the nine are hit at all"
    ),
    AttributeSpec(
        "change", f"{_MODULE}:change", "share of places", "what differs from a bar to the next"
    ),
    AttributeSpec("kick", f"{_MODULE}:kick", "share of hits", "hits that are the kick's"),
    AttributeSpec("snare", f"{_MODULE}:snare", "share of hits", "hits that are the snare's"),
    AttributeSpec("toms", f"{_MODULE}:toms", "share of hits", "hits that are of toms"),
    AttributeSpec(
        "ride", f"{_MODULE}:ride", "share of hits", "of hi-hats and ride, what the ride plays"
    ),
)
GROOVE_ATTRIBUTES = (
    *HIT_ATTRIBUTES,
    AttributeSpec("loudness", f"{_MODULE}:loudness", "MIDI velocity", "mean velocity of the hits"),
    AttributeSpec(
        "dynamics", f"{_MODULE}:dynamics", "MIDI velocity", "standard deviation of velocities"
    ),
    AttributeSpec(
        "lateness", f"{_MODULE}:lateness", "steps", "mean offset; below 0 ahead of the beat"
    ),
    AttributeSpec(
        "looseness", f"{_MODULE}:looseness", "steps", "standard deviation of the offsets"
    ),
)
