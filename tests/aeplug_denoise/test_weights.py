"""The weights that come along, on pictures they were not trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support import aeplug, one_object

from aeplug import load
from aeplug.inference.reconstruct import reconstruct_document
from aeplug.interfaces import Batch, Document, Sampling
from aeplug_denoise.baselines import non_local_means
from aeplug_denoise.evaluation import denoise_photograph, round_to_uint8
from aeplug_image.files.fitting import compute_luma
from aeplug_image.files.reading import Picture
from aeplug_image.restoration.evaluation import measure_quality


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """A portrait of 512x512, uint8 RGB."""
    data = pytest.importorskip("skimage.data")
    pixels: np.ndarray = data.astronaut()
    return pixels


def noisy(truth: np.ndarray, sigma: float) -> np.ndarray:
    normal = np.random.default_rng(0).standard_normal(truth.shape, np.float32)
    return truth.astype(np.float32) / 255 + np.float32(sigma / 255) * normal


@pytest.mark.parametrize("sigma", [15, 25, 50])
@pytest.mark.parametrize("grey", [True, False])
def test_photographs_come_out_better_than_by_non_local_means(
    photograph: np.ndarray, sigma: float, grey: bool
) -> None:
    truth = photograph[100:292, 100:292]
    truth = compute_luma(truth) if grey else truth
    given = noisy(truth, sigma)
    result = measure_quality(denoise_photograph(load("denoise"), given), truth)["psnr_db"]
    classical = measure_quality(round_to_uint8(non_local_means(given, sigma / 255)), truth)[
        "psnr_db"
    ]
    assert result > classical + 1


def test_a_clean_photograph_is_left_nearly_as_it_is(photograph: np.ndarray) -> None:
    truth = photograph[:128, :128]
    assert (
        measure_quality(denoise_photograph(load("denoise"), noisy(truth, 0)), truth)["psnr_db"] > 36
    )


def test_tiles_leave_no_seams(photograph: np.ndarray) -> None:
    model = load("denoise")
    document = Document(Picture(round_to_uint8(noisy(photograph[:300, :420], 25))), "")
    tiled_codec = type(model.codec)(
        model.config.sections["codec"].config.model_copy(update={"tile": 96}), model.shape
    )
    whole = reconstruct_document(model, document, Sampling(greedy=True)).content.pixels
    assert len(list(tiled_codec.chunks(document))) == 20
    model.codec = tiled_codec
    tiled = reconstruct_document(model, document, Sampling(greedy=True)).content.pixels
    assert np.abs(whole.astype(int) - tiled.astype(int)).max() <= 1


def test_digits_come_out_of_each_kind_of_noise() -> None:
    report = one_object(aeplug("evaluate", "denoise-mnist", "--items", 500, "--json").stdout)
    found = {kind: figures["psnr_db"] for kind, figures in report["by_noise"].items()}
    assert found["gaussian(0.5, 0.3)"] > 24.2
    assert found["gaussian(0, 0.5)"] > 21.4
    assert found["salt-and-pepper(0.3)"] > 20


def test_a_noisy_digit_file_is_denoised(tmp_path: Path) -> None:
    digit = np.zeros((28, 28), np.uint8)
    digit[5:23, 13:16] = 255  # a one
    given = round_to_uint8(noisy(digit[..., None], 60))[..., 0]
    Image.fromarray(given).save(tmp_path / "noisy.png")
    done = aeplug("reconstruct", "denoise-mnist", tmp_path / "noisy.png", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "out" / "noisy.png") as image:
        result = np.asarray(image)[..., None]
    truth = digit[..., None]
    assert (
        measure_quality(result, truth)["psnr_db"]
        > measure_quality(given[..., None], truth)["psnr_db"] + 4
    )


def test_batches_and_single_pictures_agree(photograph: np.ndarray) -> None:
    model = load("denoise")
    pictures = torch.from_numpy(photograph[:64, :128].copy()).permute(2, 0, 1).float() / 255
    both = torch.stack([pictures[..., :64], pictures[..., 64:]])
    together = model.reconstruct_batch(Batch(both, both))
    alone = torch.cat([model.reconstruct_batch(Batch(one[None], one[None])) for one in both])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=0)
