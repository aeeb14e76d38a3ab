"""SoundFont 2 files: the samples of every note of an instrument, and how they are played.

Read by the SoundFont Technical Specification 2.04 (E-mu Systems, 2006). Modulators
are not read; :mod:`aeplug_audio.synthesis.sampler` applies the default one, velocity to loudness.
"""

from __future__ import annotations

import importlib.util
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aeplug.errors import FileError
from aeplug.runtime import require_regular

#: Bank of drum kits in General MIDI.
DRUM_BANK = 128
#: Bank and program of the piano, in place of programs that a soundfont lacks.
_PIANO = (0, 0)

# Generators, by their numbers in the specification (8.1.2).
KEY_RANGE, VELOCITY_RANGE, INSTRUMENT, SAMPLE = 43, 44, 41, 53
#: Generators that only instruments have; a preset's value is not added to them.
_NOT_ADDED = frozenset({0, 1, 2, 3, 4, 12, 45, 46, 47, 50, 54, 57, 58, SAMPLE, INSTRUMENT})
#: Default values other than 0.
_DEFAULTS = {
    8: 13_500,  # cut-off of the filter, absolute cents
    **dict.fromkeys((21, 23, 25, 26, 27, 28, 30, 33, 34, 35, 36, 38), -12_000),  # times, timecents
    46: -1,
    47: -1,
    56: 100,  # cents a key
    58: -1,  # root key; -1: the sample's own
}

_HEADER = np.dtype([("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2")])
_PRESET = np.dtype([("at", _HEADER), ("rest", "V12")])
_INSTRUMENT = np.dtype([("name", "S20"), ("bag", "<u2")])
_BAG = np.dtype([("generator", "<u2"), ("modulator", "<u2")])
_GENERATOR = np.dtype([("kind", "<u2"), ("value", "<i2")])
_SAMPLE = np.dtype(
    [
        *(("name", "S20"), ("start", "<u4"), ("end", "<u4"), ("loop", "<u4"), ("loop_end", "<u4")),
        *(("rate", "<u4"), ("key", "u1"), ("cents", "i1"), ("link", "<u2"), ("type", "<u2")),
    ]
)
#: Record type of each table.
_TABLES = {
    "phdr": _PRESET,
    "pbag": _BAG,
    "pgen": _GENERATOR,
    "inst": _INSTRUMENT,
    "ibag": _BAG,
    "igen": _GENERATOR,
    "shdr": _SAMPLE,
}
#: Bit of a sample's type that marks it as compressed, as in .sf3.
_COMPRESSED = 0x10

Generators = dict[int, int]


@dataclass(frozen=True)
class Region:
    """A sample of a preset and the keys and velocities it is for.

    Attributes:
        keys: lowest and highest MIDI number, inclusive.
        velocities: lowest and highest, inclusive.
        values: value by number of the generator; preset and instrument summed.
        sample: number of the sample.
    """

    keys: tuple[int, int]
    velocities: tuple[int, int]
    values: Generators
    sample: int

    def __getitem__(self, generator: int) -> int:
        return self.values.get(generator, _DEFAULTS.get(generator, 0))


class Soundfont:
    """An .sf2 file; its samples are memory-mapped, not loaded.

    Raises:
        FileError: it cannot be read, is not a soundfont, or is compressed (.sf3).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        require_regular(path)
        try:
            self._tables, at, count = _read_tables(path)
        except OSError as error:
            raise FileError(f"{path} cannot be read: {error.strerror or error}") from error
        except (struct.error, ValueError, KeyError) as error:
            raise FileError(f"{path} is not a soundfont (.sf2): {error}") from error
        self.samples = self._tables["shdr"][:-1]
        if (self.samples["type"] & _COMPRESSED).any():
            raise FileError(f"{path} is a compressed soundfont; expected an .sf2")
        self.wave: npt.NDArray[np.int16] = np.memmap(path, "<i2", "r", at, (count,))
        self._presets: dict[tuple[int, int], int] = {}
        for number, header in enumerate(self._tables["phdr"]["at"][:-1]):
            self._presets.setdefault((int(header["bank"]), int(header["program"])), number)
        if not self._presets:
            raise FileError(f"{path} has no instrument")
        self._cached_regions = lru_cache(256)(self._collect_regions)

    @property
    def programs(self) -> list[int]:
        """General MIDI programs in the file, ascending."""
        return sorted(program for bank, program in self._presets if bank == 0)

    def name(self, program: int) -> str:
        """The soundfont's name of a program; empty if it has no such program."""
        number = self._presets.get((0, program))
        raw: bytes = self._tables["phdr"]["at"]["name"][number] if number is not None else b""
        return raw.split(b"\0")[0].decode("latin-1").strip()

    def find_regions(self, program: int, *, drum: bool, key: int, velocity: int) -> list[Region]:
        """Find the samples of a note.

        Args:
            program: of an instrument or of a kit, 0..127.
            drum: whether it is a kit; a soundfont without this kit plays its first one.
            key: MIDI number; in a kit it selects the drum.
            velocity: 1..127.
        """
        candidates = [(DRUM_BANK, program), (DRUM_BANK, 0)] if drum else [(0, program), _PIANO]
        preset = next((bank for bank in candidates if bank in self._presets), None)
        if preset is None:
            if drum:
                return []
            preset = min(self._presets)
        return [
            region
            for region in self._cached_regions(self._presets[preset])
            if region.keys[0] <= key <= region.keys[1]
            and region.velocities[0] <= velocity <= region.velocities[1]
        ]

    def _collect_regions(self, preset: int) -> list[Region]:
        regions = []
        bags = self._tables["phdr"]["at"]["bag"]
        for outer in self._collect_zones("pbag", "pgen", bags, preset, INSTRUMENT):
            inner_bags = self._tables["inst"]["bag"]
            for inner in self._collect_zones("ibag", "igen", inner_bags, outer[INSTRUMENT], SAMPLE):
                keys = _intersect(outer.get(KEY_RANGE), inner.get(KEY_RANGE))
                velocities = _intersect(outer.get(VELOCITY_RANGE), inner.get(VELOCITY_RANGE))
                number = inner[SAMPLE] & 0xFFFF
                if keys[0] > keys[1] or velocities[0] > velocities[1]:
                    continue
                if number >= len(self.samples):
                    continue
                values = dict(inner)
                for kind, value in outer.items():
                    if kind not in _NOT_ADDED and kind not in (KEY_RANGE, VELOCITY_RANGE):
                        values[kind] = values.get(kind, _DEFAULTS.get(kind, 0)) + value
                regions.append(Region(keys, velocities, values, number))
        return regions

    def _collect_zones(
        self, bag: str, generator: str, bags: npt.NDArray[Any], number: int, last: int
    ) -> list[Generators]:
        """Zones of a preset or instrument, each with the values of the global zone."""
        if number + 1 >= len(bags):
            return []
        common: Generators = {}
        zones = []
        for place in range(int(bags[number]), int(bags[number + 1])):
            first, end = self._tables[bag]["generator"][place : place + 2].tolist()
            rows = self._tables[generator][first:end]
            zone = dict(zip(rows["kind"].tolist(), rows["value"].tolist(), strict=True))
            if last in zone:
                zones.append({**common, **zone})
            elif not zones:
                common = zone
        return zones


def _intersect(outer: int | None, inner: int | None) -> tuple[int, int]:
    """Intersection of two ranges as files store them: low byte to high byte."""
    ranges = [(both & 0xFF, both >> 8 & 0xFF) for both in (outer, inner) if both is not None]
    return max((low for low, _ in ranges), default=0), min(
        (high for _, high in ranges), default=127
    )


def _read_tables(path: Path) -> tuple[dict[str, npt.NDArray[Any]], int, int]:
    """Read the tables; also the first byte of the samples in the file, and their number."""
    tables: dict[str, npt.NDArray[Any]] = {}
    at = count = 0
    with path.open("rb") as file:
        if file.read(4) != b"RIFF":
            raise ValueError("it does not begin with RIFF")
        for kind, place, size in _list_chunks(file, 12, path.stat().st_size):
            if kind != b"LIST":
                continue
            file.seek(place)
            form = file.read(4)
            for name, begin, length in _list_chunks(file, place + 4, place + size):
                if form == b"sdta" and name == b"smpl":
                    at, count = begin, length // 2
                elif form == b"pdta" and (record := _TABLES.get(name.decode("latin-1"))):
                    file.seek(begin)
                    raw = file.read(length)
                    whole = len(raw) // record.itemsize * record.itemsize
                    tables[name.decode("latin-1")] = np.frombuffer(raw[:whole], record)
    missing = sorted(set(_TABLES) - {name for name, table in tables.items() if len(table)})
    if missing or not count:
        raise ValueError(f"it lacks {', '.join(missing) or 'samples'}")
    if at + 2 * count > path.stat().st_size:
        raise ValueError("it is cut short")
    return tables, at, count


def _list_chunks(file: Any, place: int, end: int) -> list[tuple[bytes, int, int]]:
    """List chunks of a RIFF file: name, first byte and length of the content, bytes."""
    chunks = []
    while place + 8 <= end:
        file.seek(place)
        name, size = struct.unpack("<4sI", file.read(8))
        chunks.append((name, place + 8, size))
        place += 8 + size + size % 2
    return chunks


def find_soundfont() -> Path | None:
    """Find the General MIDI soundfont of pretty_midi, or one of the system; None: neither."""
    spec = importlib.util.find_spec("pretty_midi")  # located, not imported
    places = [Path(spec.origin).parent / "TimGM6mb.sf2"] if spec and spec.origin else []
    # Linux distributions that strip it from pretty_midi put it, or a better one, here.
    system = Path("/usr/share/sounds/sf2")
    places += [system / "TimGM6mb.sf2", system / "default-GM.sf2", system / "FluidR3_GM.sf2"]
    return next((path for path in places if path.is_file()), None)


@lru_cache(4)
def open_soundfont(path: Path) -> Soundfont:
    """Open a soundfont; the same file is read only once.

    Raises:
        FileError: see :class:`Soundfont`.
    """
    return Soundfont(path)


def check_soundfont(name: str) -> None:
    """Check that a soundfont can be read, before what it shall play is made.

    Raises:
        FileError: see :class:`Soundfont`.
    """
    open_soundfont(Path(name).expanduser())
