"""Super-resolution: a factor set in one place, inputs as the field makes them, files at twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support import aeplug, assert_one_line_error, one_object

from aeplug.interfaces import DataShape
from aeplug_image.restoration.evaluation import measure_quality
from aeplug_superres.prepare import PrepareReduced, PrepareReducedConfig

SMALL = [
    *("--set", "encoder.widths=[4,4]", "--set", "encoder.blocks=[1,1]"),
    *("--set", "decoder.widths=[4,4]", "--set", "decoder.blocks=[1,1]"),
    *("--set", "data.crop=24", "--set", "data.heldout=1", "--steps", "4"),
    *("--set", "train.batch_size=4", "--set", "train.precision=fp32"),
]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five pictures, coloured and grey, of odd sizes."""
    folder = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(0)
    for number in range(5):
        coarse = random.integers(0, 256, (7, 9, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((61, 47), Image.Resampling.BICUBIC)
        image = image.convert("L") if number == 4 else image
        image.save(folder / f"photo-{number}.png")
    return folder


@pytest.fixture(scope="module")
def trained(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four steps at three times the size."""
    run = tmp_path_factory.mktemp("runs") / "x3"
    done = aeplug(
        *("train", "superres", "--data", photographs, "--run", run, "--set", "prepare.scale=3"),
        *SMALL,
    )
    assert done.returncode == 0, done.stderr
    return run


def test_the_input_is_the_target_reduced_at_eight_bit() -> None:
    prepare = PrepareReduced(PrepareReducedConfig(scale=3), DataShape((1, 24, 24), (1, 24, 24)))
    assert prepare.shape == DataShape((1, 8, 8), (1, 24, 24))
    raw = {"photo": torch.randint(0, 256, (5, 1, 36, 36), dtype=torch.uint8)}
    batch = prepare(raw, torch.Generator().manual_seed(0), training=True)
    assert batch.input.shape == (5, 1, 8, 8)
    assert batch.target.shape == (5, 1, 24, 24)
    levels = batch.input * 255
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
    torch.testing.assert_close(batch.input.mean(), batch.target.mean(), atol=0.01, rtol=0)
    image = torch.rand(1, 1, 10, 12)
    assert torch.equal(prepare.prepare_file({"image": image}).input, image)


def test_a_crop_that_is_no_multiple_of_the_scale_is_a_clear_error(
    photographs: Path, tmp_path: Path
) -> None:
    done = aeplug(
        *("train", "superres", "--data", photographs, "--run", tmp_path / "run"),
        *("--set", "prepare.scale=5", *SMALL),
    )
    assert done.returncode != 0
    assert_one_line_error(done.stderr, "24x24", "reduced 5 times", "data.crop")


def test_files_come_out_three_times_as_large_in_their_own_kind(
    trained: Path, tmp_path: Path
) -> None:
    random = np.random.default_rng(1)
    pixels = random.integers(0, 256, (20, 31, 4), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "alpha.png")
    Image.fromarray(pixels[..., 0]).save(tmp_path / "grey.png")
    out = tmp_path / "out"
    done = aeplug(
        "reconstruct", trained, tmp_path / "alpha.png", tmp_path / "grey.png", "--out", out
    )
    assert done.returncode == 0, done.stderr
    for name, mode in (("alpha.png", "RGBA"), ("grey.png", "L")):
        with Image.open(out / name) as image:
            assert (image.size, image.mode) == ((93, 60), mode)


def test_evaluation_beside_bicubic_and_lanczos_with_a_sheet(
    trained: Path, photographs: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "sheet.png"
    done = aeplug(
        *("evaluate", trained, "--data", photographs, "--scale", 3, "--json"),
        *("--baselines", "--sheet", sheet),
    )
    assert done.returncode == 0, done.stderr
    report = one_object(done.stdout)
    assert report["photographs"] == 5
    assert report["scale"] == 3
    # Four steps from the start, the net still gives back the bicubic enlargement of its input.
    bicubic = report["baselines"]["bicubic"]["psnr_db"]
    assert report["psnr_db"] == pytest.approx(bicubic, abs=1.5)
    assert report["baselines"]["lanczos"]["psnr_db"] > bicubic - 1
    with Image.open(sheet) as image:
        assert min(image.size) > 600


def test_another_scale_than_the_models_is_a_clear_error(trained: Path, photographs: Path) -> None:
    done = aeplug("evaluate", trained, "--data", photographs, "--scale", 2)
    assert done.returncode != 0
    assert_one_line_error(done.stderr, "enlarges 3 times, not 2", "prepare.scale=2")


def test_quality_follows_the_conventions_of_the_field() -> None:
    random = np.random.default_rng(2)
    truth = random.integers(20, 230, (40, 40, 3), dtype=np.uint8)
    other = np.clip(truth.astype(int) + random.integers(-9, 10, truth.shape), 0, 255)
    other = other.astype(np.uint8)

    def luma(pixels: np.ndarray) -> np.ndarray:
        red, green, blue = (pixels[..., channel] / 255.0 for channel in range(3))
        return 16 + 65.481 * red + 128.553 * green + 24.966 * blue

    inner = (slice(2, -2), slice(2, -2))
    error = np.mean((luma(other)[inner] - luma(truth)[inner]) ** 2)
    found = measure_quality(other, truth, 2, luma=True)
    assert found["psnr_db"] == pytest.approx(10 * np.log10(255**2 / error), abs=1e-3)
    grey = measure_quality(other[..., :1], truth[..., :1], 0, luma=True)
    error = np.mean((other[..., 0].astype(float) - truth[..., 0]) ** 2)
    assert grey["psnr_db"] == pytest.approx(10 * np.log10(255**2 / error), abs=1e-3)
