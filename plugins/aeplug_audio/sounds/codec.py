"""The codec of ``audio-vae``: sound read as frames, modelled window by window, and heard again.

What a model made has no phases; they are found anew. What was only read is written as it was.
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

    #: Of the range: no sound has exactly the frames that are asked for; 4 dB of 80.
    file_loss = 0.05

    def __init__(self, config: PartConfig, shape: DataShape) -> None:
        self.shape = shape

    def read(self, path: Path) -> Document:
        """The frames of a file, channels mixed; raises :class:`aeplug.errors.FileError`."""
        frames = read_frames(path)
        return Document(Sound(frames, path), path.stem, path, size=frames.nbytes)

    def split(self, document: Document) -> RawBatch:
        """``frames``: float32 ``(P, 1, MELS, FRAMES)`` in 0..1, windows one after another."""
        windows = split_windows(document.content.frames)
        return {"frames": torch.from_numpy(np.ascontiguousarray(windows)).unsqueeze(1)}

    def join(self, pieces: Tensor, cond: Mapping[str, Tensor], like: Document | None) -> Document:
        """Windows ``(P, 1, MELS, FRAMES)`` in 0..1 in a row; as long as ``like``, where given."""
        frames = pieces.detach().float().clamp(0, 1).cpu().squeeze(1)
        whole = np.ascontiguousarray(frames.permute(1, 0, 2).flatten(1).numpy())
        if like is None:
            return Document(Sound(whole), "sample")
        return Document(Sound(whole[:, : like.content.frames.shape[1]]), like.name)

    def chain(self, documents: Sequence[Document], name: str) -> Document:
        """One sound that plays the documents in a row."""
        return Document(
            Sound(np.concatenate([document.content.frames for document in documents], axis=1)), name
        )

    def write(self, document: Document, stem: Path, options: Mapping[str, Any]) -> list[Path]:
        """Write ``stem.wav``, 16 bits, mono, 22,050 samples a second, at the level of its frames.

        Raises:
            FileError: it cannot be written, or its recording is no longer to be read.
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
        """Draw labelled rows of sounds as spectrograms, low tones below, into one PNG."""
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
