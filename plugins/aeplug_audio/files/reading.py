"""Recordings -> mono samples at one rate, block by block: WAV, FLAC, OGG, MP3 of any length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from aeplug.errors import FileError

#: Samples a second that everything behind works at, and the rates that are read.
RATE = 22_050
SLOWEST, FASTEST = 8_000, 192_000
#: Frames read at once.
BLOCK = 1 << 16
#: Seconds: longest and shortest recording.
LONGEST, SHORTEST = 3600, 0.2
#: The loudest sample of what counts as silence.
SILENT = 1e-4
#: Share of samples at full scale from which a recording counts as clipped.
CLIPPED_SHARE = 1e-3

Samples = npt.NDArray[np.float32]


@dataclass
class RecordingInfo:
    """Length, format and level of a recording; complete once the last block has been read.

    Attributes:
        seconds: length.
        rate: samples a second of the file.
        channels: of the file.
        peak: loudest sample, 1 is full scale.
        clipped: share of samples at full scale.
    """

    seconds: float = 0.0
    rate: int = 0
    channels: int = 0
    peak: float = 0.0
    clipped: float = 0.0

    @property
    def is_clipped(self) -> bool:
        """Whether the recording was too loud for its file."""
        return self.clipped > CLIPPED_SHARE


class Recording:
    """A file of sound, to be read once from beginning to end.

    Args:
        path: the file; its content decides on the format.

    Attributes:
        info: of what has been read so far.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.info = RecordingInfo()

    def __iter__(self) -> Iterator[Samples]:
        """Blocks of mono samples, float32 ``(n,)``, at ``RATE``; the mean of the channels.

        Raises:
            FileError: it cannot be read, or is damaged, empty, silent, shorter than 0.2 s or
                longer than an hour, or holds what is no number.
        """
        import soundfile
        import soxr

        info, frames, flat_tops = self.info, 0, 0
        try:
            # Opened here: libsndfile says of a missing file only "System error."
            with self.path.open("rb") as opened, _open_sequential(opened) as file:
                info.rate, info.channels = file.samplerate, file.channels
                if not SLOWEST <= file.samplerate <= FASTEST:
                    raise FileError(
                        f"{file.samplerate} samples a second, expected {SLOWEST} to {FASTEST}"
                    )
                resampler = soxr.ResampleStream(file.samplerate, RATE, 1, "float32", "HQ")
                while len(block := _read_block(file)):
                    frames += len(block)
                    if frames > LONGEST * file.samplerate:
                        raise FileError(f"longer than {LONGEST // 60} minutes")
                    largest = np.abs(block).max()
                    if not np.isfinite(largest):
                        raise FileError(
                            f"samples that are no numbers, at {_format_second(frames, file)}"
                        )
                    info.peak = max(info.peak, float(largest))
                    flat_tops += _count_flat_tops(block)
                    yield _resample(resampler, block.mean(1, dtype=np.float32), last=False)
                yield _resample(resampler, np.zeros(0, np.float32), last=True)
        except OSError as error:
            raise FileError(f"cannot be read: {error.strerror or error}") from error
        except soundfile.LibsndfileError as error:
            detail = str(error).rpartition(": ")[2].strip().rstrip(".")
            raise FileError(f"no readable recording ({detail})") from error
        info.seconds = frames / info.rate
        info.clipped = flat_tops / max(frames * info.channels, 1)
        if not frames:
            raise FileError("holds no sound (0 samples)")
        if info.seconds < SHORTEST:
            raise FileError(f"too short ({info.seconds:.2f} s), expected at least {SHORTEST} s")
        if info.peak < SILENT:
            raise FileError(f"silent: no sample is louder than {SILENT:g} of full scale")


def _open_sequential(file: BinaryIO) -> Any:
    import soundfile

    class Sequential(soundfile.SoundFile):
        """One that is read in order, and says that it cannot do otherwise.

        After each block soundfile seeks the place where it is anyhow; an MP3's decoder begins
        anew there, and some hundredths of a second are silent.
        """

        def seekable(self) -> bool:
            return False

    return Sequential(file)


def _read_block(file: Any) -> Samples:
    return file.read(BLOCK, dtype="float32", always_2d=True)


def _resample(resampler: Any, block: Samples, last: bool) -> Samples:
    return resampler.resample_chunk(block, last=last)


def _format_second(frames: int, file: Any) -> str:
    return f"{max(frames - BLOCK, 0) / file.samplerate:.0f} s"


def _count_flat_tops(block: Samples) -> int:
    """Samples at full scale whose neighbour is as loud: a single one is an honest peak."""
    at_top = np.abs(block) >= 0.999
    return int((at_top[1:] & at_top[:-1]).sum())
