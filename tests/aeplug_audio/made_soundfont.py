"""A soundfont of two samples, written byte by byte."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

RATE = 22_050
#: Samples: a sine of 441 Hz of 50 samples a period, looped over two periods; noise, played once.
SINE = np.round(20_000 * np.sin(2 * np.pi * np.arange(1000) / 50)).astype("<i2")
NOISE = np.random.default_rng(0).integers(-20_000, 20_000, 5000).astype("<i2")
#: Generators: key range, envelope's release, pan, exclusive class, looping, root key, sample ...
KEYS, VELOCITIES, INSTRUMENT, SAMPLE = 43, 44, 41, 53
RELEASE, PAN, ATTENUATION, CLASS, LOOPED, ROOT, SUSTAIN, FINE = 38, 17, 48, 57, 54, 58, 37, 52

Zone = list[tuple[int, int]]
#: Instruments: a low and a high half, 12 cents apart, soft and loud; and a drum.
ZONES: list[list[Zone]] = [
    [
        [(RELEASE, -1200), (LOOPED, 1), (ROOT, 69)],
        [(KEYS, 0 | 63 << 8), (PAN, -500), (SAMPLE, 0)],
        [(KEYS, 64 | 127 << 8), (SAMPLE, 0)],
    ],
    [[(CLASS, 1), (KEYS, 42 | 46 << 8), (ROOT, 60), (SAMPLE, 1)]],
]
#: Presets: name, program, bank, zones.
PRESETS: list[tuple[str, int, int, list[Zone]]] = [
    ("Sine", 0, 0, [[(INSTRUMENT, 0)]]),
    ("Sharp", 5, 0, [[(FINE, 100), (INSTRUMENT, 0)]]),
    ("Kit", 0, 128, [[(INSTRUMENT, 1)]]),
]


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _list(form: bytes, *chunks: bytes) -> bytes:
    return _chunk(b"LIST", form + b"".join(chunks))


def _zones(groups: list[list[Zone]]) -> tuple[list[int], bytes, bytes]:
    """First bag of each group (and one behind the last), bags, generators."""
    bags, generators, first = [], [], []
    for zones in groups:
        first.append(len(bags))
        for zone in zones:
            bags.append(len(generators))
            generators += zone
    first.append(len(bags))
    bags.append(len(generators))
    generators.append((0, 0))
    return (
        first,
        b"".join(struct.pack("<HH", one, 0) for one in bags),
        b"".join(struct.pack("<HH", kind, value & 0xFFFF) for kind, value in generators),
    )


def write_soundfont(path: Path, sample_type: int = 1) -> Path:
    """The soundfont, as a file."""
    gap = np.zeros(46, "<i2")
    wave = np.concatenate([SINE, gap, NOISE, gap]).tobytes()
    starts = [0, len(SINE) + 46]
    first, pbag, pgen = _zones([zones for *_, zones in PRESETS])
    phdr = b"".join(
        struct.pack("<20sHHHIII", name.encode(), program, bank, bag, 0, 0, 0)
        for (name, program, bank, _), bag in zip([*PRESETS, ("EOP", 0, 0, [])], first, strict=True)
    )
    first, ibag, igen = _zones(ZONES)
    inst = b"".join(
        struct.pack("<20sH", name, bag)
        for name, bag in zip((b"sine", b"drum", b"EOI"), first, strict=True)
    )
    shdr = struct.pack(
        "<20sIIIIIBbHH", b"sine", 0, 1000, 100, 200, RATE, 60, 0, 0, sample_type
    ) + struct.pack(
        "<20sIIIIIBbHH", b"noise", starts[1], starts[1] + 5000, 0, 0, RATE, 60, 0, 0, sample_type
    )
    shdr += struct.pack("<20sIIIIIBbHH", b"EOS", *[0] * 9)
    content = (
        _list(b"INFO", _chunk(b"INAM", b"made"))
        + _list(b"sdta", _chunk(b"smpl", wave))
        + _list(
            b"pdta",
            *(
                _chunk(name, table)
                for name, table in (
                    *((b"phdr", phdr), (b"pbag", pbag), (b"pmod", bytes(10)), (b"pgen", pgen)),
                    *((b"inst", inst), (b"ibag", ibag), (b"imod", bytes(10)), (b"igen", igen)),
                    (b"shdr", shdr),
                )
            ),
        )
    )
    path.write_bytes(_chunk(b"RIFF", b"sfbk" + content))
    return path
