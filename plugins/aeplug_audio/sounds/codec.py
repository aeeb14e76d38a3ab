"""The codec of ``audio-vae``: sound files as frames, windows for the model, and back.

Generated frames have no phases, which are estimated by Griffin-Lim; a file that was only read is
written with its own samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aeplug.config import PartConfig
from aeplug.interfaces import DataShape, Document, RawBatch
from aeplug_audio.files.reading import RATE
from aeplug_audio.files.writing import keep_level, limit_peak, write_wave
from aeplug_audio.sounds.sound import Sound, read_frames, read_samples
from aeplug_audio.sounds.spectrogram import griffin_lim, split_windows


class SoundCodec:
    """WAV, FLAC, OGG and MP3 for models of windows of about a second.

    A document's content is a :class:`aeplug_audio.sounds.sound.Sound`.
    """

    #: Share of the range, 4 dB of 80: no sound has exactly the frames that a model generates.
    file_loss = 0.05

    def __init__(self, config: PartConfig, shape: DataShape) -> None:
        self.shape = shape

    def read(self, path: Path) -> Document:
        """Read a file, channels mixed; raises :class:`aeplug.errors.FileError`."""
        frames = read_frames(path)
        return Document(Sound(frames, path), path.stem, path, size=frames.nbytes)

    def split(self, document: Document) -> RawBatch:
        """``frames``: consecutive windows, float32 ``(P, 1, MELS, WINDOW_FRAMES)`` in 0..1."""
        windows = split_windows(document.content.frames)
        return {"frames": torch.from_numpy(np.ascontiguousarray(windows)).unsqueeze(1)}

    def join(self, pieces: Tensor, cond: Mapping[str, Tensor], like: Document | None) -> Document:
        """Concatenate windows ``(P, 1, MELS, WINDOW_FRAMES)`` in 0..1, as long as ``like``."""
        frames = pieces.detach().float().clamp(0, 1).cpu().squeeze(1)
        whole = np.ascontiguousarray(frames.permute(1, 0, 2).flatten(1).numpy())
        if like is None:
            return Document(Sound(whole), "sample")
        return Document(Sound(whole[:, : like.content.frames.shape[1]]), like.name)

    def chain(self, documents: Sequence[Document], name: str) -> Document:
        """Concatenate the documents."""
        return Document(
            Sound(np.concatenate([document.content.frames for document in documents], axis=1)), name
        )

    def write(self, document: Document, stem: Path, options: Mapping[str, Any]) -> list[Path]:
        """Write ``stem.wav``, 16 bits, mono, 22,050 Hz, at the level of its frames.

        Raises:
            FileError: it cannot be written, or its recording can no longer be read.
        """
        path = stem.with_name(stem.name + ".wav")
        sound: Sound = document.content
        if sound.recording is not None:
            blocks, gain = read_samples(sound.recording), keep_level
        else:
            blocks, gain = griffin_lim(sound.frames), limit_peak
        write_wave((block[:, None] for block in blocks), path, RATE, 1, gain)
        return [path]

    def sheet(self, rows: Sequence[tuple[str, Sequence[Document]]], path: Path, title: str) -> None:
        """Draw labelled rows of sounds as spectrograms into one PNG."""
        from aeplug_audio.sounds.page import draw_page

        draw_page(
            [
                (label, [(document.name, document.content.frames) for document in documents])
                for label, documents in rows
            ],
            path,
            title,
        )

    def thumbnail(self, document: Document) -> npt.NDArray[np.uint8]:
        """The sound's first window, ``(MELS, WINDOW_FRAMES, 3)``."""
        from aeplug_audio.sounds.page import draw_thumbnail

        return draw_thumbnail(document.content.frames)
