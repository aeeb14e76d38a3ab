"""Recordings -> mono samples at one rate, block by block: WAV, FLAC, OGG, MP3 of up to an hour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from aeplug.errors import FileError

__all__ = ["Recording", "RecordingInfo"]

#: Samples per second of everything read, and the rates of files that are accepted.
RATE = 22_050
SLOWEST, FASTEST = 8_000, 192_000
#: Frames read at a time.
BLOCK = 1 << 16
#: Longest and shortest recording, seconds.
LONGEST, SHORTEST = 3600, 0.2
#: A recording whose loudest sample is below this is silent.
SILENT = 1e-4
#: Share of samples at full scale from which a recording counts as clipped.
CLIPPED_SHARE = 1e-3

Samples = npt.NDArray[np.float32]


@dataclass
class RecordingInfo:
    """Length, format and level of a recording; complete once the last block has been read.

    Example:
        >>> RecordingInfo(seconds=2.0, rate=44_100, channels=1, clipped=0.01).is_clipped
        True

    Attributes:
        seconds: length.
        rate: samples per second of the file.
        channels: of the file.
        peak: loudest sample, full scale is 1.
        clipped: share of samples at full scale.
    """

    seconds: float = 0.0
    rate: int = 0
    channels: int = 0
    peak: float = 0.0
    clipped: float = 0.0

    @property
    def is_clipped(self) -> bool:
        """Whether so many samples are at full scale that the recording was too loud."""
        return self.clipped > CLIPPED_SHARE


class Recording:
    """A sound file, read once from beginning to end.

    Example:
        >>> import soundfile
        >>> soundfile.write("a.wav", np.sin(np.arange(8000)), 8000)
        >>> recording = Recording(Path("a.wav"))
        >>> sum(len(block) for block in recording), recording.info.seconds
        (22050, 1.0)

    Args:
        path: the file; its format follows from its content.

    Attributes:
        info: of what has been read so far.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.info = RecordingInfo()

    def __iter__(self) -> Iterator[Samples]:
        """Yield mono samples in blocks, float32 ``(n,)`` at ``RATE``: the mean of the channels.

        Raises:
            FileError: it cannot be read, is damaged, empty, silent, shorter than 0.2 s or longer
                than an hour, or holds NaN or infinity.
        """
        import soundfile
        import soxr

        info, frames, flat_tops = self.info, 0, 0
        try:
            # Opened by us: libsndfile's message for a missing file is only "System error."
            with self.path.open("rb") as opened, _open_sequential(opened) as file:
                info.rate, info.channels = file.samplerate, file.channels
                if not SLOWEST <= file.samplerate <= FASTEST:
                    raise FileError(
                        f"{file.samplerate} samples per second, expected {SLOWEST} to {FASTEST}"
                    )
                resampler = soxr.ResampleStream(file.samplerate, RATE, 1, "float32", "HQ")
                while len(block := _read_block(file)):
                    frames += len(block)
                    if frames > LONGEST * file.samplerate:
                        raise FileError(f"longer than {LONGEST // 60} minutes")
                    largest = np.abs(block).max()
                    if not np.isfinite(largest):
                        raise FileError(
                            f"samples that are not numbers, at {_format_second(frames, file)}"
                        )
                    info.peak = max(info.peak, float(largest))
                    flat_tops += _count_flat_tops(block)
                    yield _resample(resampler, block.mean(1, dtype=np.float32), last=False)
                yield _resample(resampler, np.zeros(0, np.float32), last=True)
        except OSError as error:
            raise FileError(f"cannot be read: {error.strerror or error}") from error
        except soundfile.LibsndfileError as error:
            detail = str(error).rpartition(": ")[2].strip().rstrip(".")
            raise FileError(f"not a readable recording ({detail})") from error
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
        """A file that reports that it cannot seek.

        After each block soundfile seeks to where it already is; an MP3's decoder restarts there
        and returns some hundredths of a second of silence.
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
    """Count samples at full scale beside another: a single one is a genuine peak."""
    at_top = np.abs(block) >= 0.999
    return int((at_top[1:] & at_top[:-1]).sum())
