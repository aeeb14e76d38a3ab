"""The weights that come along, on pictures they were not trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import aeplug, one_object


def test_photographs_come_out_better_than_by_bicubic_or_lanczos(tmp_path: Path) -> None:
    data = pytest.importorskip("skimage.data")
    for name, pixels in (("colour", data.astronaut()), ("grey", data.camera())):
        Image.fromarray(pixels[64:320, 100:420]).save(tmp_path / f"{name}.png")
    report = one_object(
        aeplug("evaluate", "superres", "--data", tmp_path, "--baselines", "--json").stdout
    )
    best = max(figures["psnr_db"] for figures in report["baselines"].values())
    assert report["psnr_db"] > best + 1.2
    assert report["ssim"] > report["baselines"]["bicubic"]["ssim"]


def test_digits_come_out_at_twice_the_size() -> None:
    done = aeplug("evaluate", "superres-mnist", "--items", 500, "--baselines", "--json")
    report = one_object(done.stdout)
    assert report["psnr_db"] > 32
    assert report["baselines"]["bicubic"]["psnr_db"] == pytest.approx(19.7, abs=0.4)


def test_a_digit_file_becomes_twice_as_large(tmp_path: Path) -> None:
    small = np.zeros((14, 14), np.uint8)
    small[3:11, 6:8] = 230
    Image.fromarray(small).save(tmp_path / "one.png")
    done = aeplug("reconstruct", "superres-mnist", tmp_path / "one.png", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "out" / "one.png") as image:
        assert image.size == (28, 28)
        assert np.asarray(image).max() > 150
