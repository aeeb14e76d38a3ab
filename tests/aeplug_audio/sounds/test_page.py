"""Pages of spectrograms: the scale of their axes, sounds of any length, what is cut."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from PIL import Image

from aeplug_audio.files.reading import RATE
from aeplug_audio.sounds.page import draw_page, draw_thumbnail, mel_place
from aeplug_audio.sounds.spectrogram import MELS, WINDOW_FRAMES


def test_a_frequency_stands_at_the_band_that_holds_it():
    middles = librosa.mel_frequencies(MELS + 2, fmin=0, fmax=RATE / 2)[1:-1]
    assert mel_place(middles) == pytest.approx(np.arange(MELS))


@pytest.mark.parametrize("lengths", [[[1]], [[80, 100], [80]], [[80 * 9, 3]], [[], [80]]])
def test_sounds_of_any_length_are_drawn(tmp_path, lengths):
    rows = [
        ("a row", [("a sound of a $long name", np.full((MELS, n), 0.5)) for n in row])
        for row in lengths
    ]
    draw_page(rows, tmp_path / "page.png", "a title")
    with Image.open(tmp_path / "page.png") as page:
        width, height = page.size
    assert width >= 300 and height >= 200 * len(rows)


def test_a_thumbnail_has_one_size_and_high_tones_above():
    frames = np.zeros((MELS, 10))
    frames[-1] = 1
    picture = draw_thumbnail(frames)
    assert picture.shape == (MELS, WINDOW_FRAMES, 3)
    assert picture[0, 0].sum() > picture[-1, 0].sum()
