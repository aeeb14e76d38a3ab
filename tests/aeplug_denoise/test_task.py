"""Denoising from the command line: trained, measured beside classical methods, put to use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support import aeplug, assert_one_line_error, one_object

from aeplug import load
from aeplug.errors import AeplugError
from aeplug_denoise.baselines import METHODS
from aeplug_image.metrics import psnr_db

SMALL = [
    *("--set", "encoder.widths=[4,4]", "--set", "encoder.blocks=[1,1]"),
    *("--set", "decoder.widths=[4,4]", "--set", "decoder.blocks=[1,1]"),
    *("--steps", "4", "--set", "train.batch_size=4", "--set", "train.precision=fp32"),
]


def scene(side: int = 96) -> np.ndarray:
    """Edges, a ramp and a texture, float32 ``(side, side, 1)`` in 0..1."""
    y, x = np.mgrid[0:side, 0:side] / side
    ramp = 0.2 + 0.5 * x
    disc = np.where((x - 0.6) ** 2 + (y - 0.4) ** 2 < 0.06, 0.9, ramp)
    stripes = np.where(y > 0.7, 0.5 + 0.2 * np.sign(np.sin(40 * x)), disc)
    return stripes.astype(np.float32)[..., None]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pictures, coloured and grey."""
    folder = tmp_path_factory.mktemp("photographs")
    grey = np.rint(scene() * 255).astype(np.uint8)
    for number in range(4):
        turned = np.rot90(grey, number)
        colours = np.concatenate([turned, turned // 2, 255 - turned], 2)
        Image.fromarray(colours if number else turned[..., 0]).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def trained(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "denoise"
    done = aeplug(
        *("train", "denoise", "--data", photographs, "--run", run),
        *("--set", "data.crop=32", "--set", "data.heldout=1", *SMALL),
    )
    assert done.returncode == 0, done.stderr
    return run


def test_a_run_shows_inputs_results_and_truth(trained: Path) -> None:
    with Image.open(trained / "reconstructions.png") as image:
        assert image.size[0] > 200


@pytest.mark.parametrize("grey", [True, False])
def test_evaluation_on_a_folder_beside_classical_methods(
    trained: Path, photographs: Path, tmp_path: Path, grey: bool
) -> None:
    sheet = tmp_path / "sheet.png"
    done = aeplug(
        *("evaluate", trained, "--data", photographs, "--sigma", 25, "--baselines", "--json"),
        *(["--grey", "--sheet", sheet] if grey else []),
    )
    assert done.returncode == 0, done.stderr
    report = one_object(done.stdout)
    assert report["photographs"] == 4
    # 20.17 dB is what sigma 25 of 255 leaves; clipping to what a file holds gives a little back.
    assert 20.1 < report["psnr_db_noisy"] < 21
    noisy = report["baselines"]["noisy"]["psnr_db"]
    assert noisy == pytest.approx(report["psnr_db_noisy"], abs=1e-6)
    assert all(
        report["baselines"][name]["psnr_db"] > noisy + 2 for name in ("median", "non_local_means")
    )
    assert sheet.exists() == grey


@pytest.mark.parametrize("channels", [1, 3])
def test_non_local_means_are_as_good_as_those_of_scikit_image(channels: int) -> None:
    from skimage.restoration import denoise_nl_means

    y, x = np.mgrid[0:70, 0:90] / 20
    truth = np.stack([0.5 + 0.4 * np.sin(c + x * y) for c in range(channels)], 2)
    for sigma in (15 / 255, 50 / 255):
        noisy = truth + sigma * np.random.default_rng(0).standard_normal(truth.shape)
        noisy = noisy.astype(np.float32)
        theirs = denoise_nl_means(
            noisy if channels > 1 else noisy[..., 0],
            patch_size=5,
            patch_distance=10,
            h=0.6 * sigma,
            sigma=sigma,
            channel_axis=2 if channels > 1 else None,
        ).reshape(noisy.shape)
        ours = METHODS["non_local_means"](noisy, sigma)
        assert ours.dtype == np.float32 and ours.shape == noisy.shape
        errors = [np.log10(((result - truth) ** 2).mean()) * 10 for result in (ours, theirs)]
        assert errors[0] < errors[1] + 0.05
    np.testing.assert_array_equal(METHODS["non_local_means"](noisy, 0.0), noisy)


def test_the_same_evaluation_twice_gives_the_same_figures(trained: Path, photographs: Path) -> None:
    arguments = ("evaluate", trained, "--data", photographs, "--items", 2, "--json")
    first, second = (one_object(aeplug(*arguments).stdout) for _ in range(2))
    assert first == second
    assert first["photographs"] == 2


@pytest.mark.parametrize("name", sorted(METHODS))
def test_each_classical_method_takes_noise_away(name: str) -> None:
    clean = scene()
    noise = np.random.default_rng(0).standard_normal(clean.shape).astype(np.float32)
    noisy = clean + 25 / 255 * noise

    def quality(pixels: np.ndarray) -> float:
        tensors = (
            torch.from_numpy(one.clip(0, 1)).permute(2, 0, 1)[None] for one in (pixels, clean)
        )
        return float(psnr_db(*tensors))

    assert quality(METHODS[name](noisy, 25 / 255)) > quality(noisy) + 4


def test_a_file_is_denoised_as_it_is_and_keeps_its_kind(
    trained: Path, photographs: Path, tmp_path: Path
) -> None:
    done = aeplug("reconstruct", trained, photographs, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    for path in photographs.iterdir():
        with Image.open(path) as before, Image.open(tmp_path / "out" / path.name) as after:
            assert (before.size, before.mode) == (after.size, after.mode)
            # Four steps from the start the net still gives back its input: no noise was added.
            assert np.abs(np.asarray(before, float) - np.asarray(after, float)).mean() < 8


def test_digits_by_kind_of_noise(tmp_path: Path) -> None:
    run = tmp_path / "digits"
    done = aeplug("train", "denoise-mnist", "--run", run, *SMALL, "--set", "train.eval_items=64")
    assert done.returncode == 0, done.stderr
    done = aeplug("evaluate", run, "--items", 64, "--json")
    assert done.returncode == 0, done.stderr
    report = one_object(done.stdout)
    kinds = ["gaussian(0.5, 0.3)", "gaussian(0, 0.5)", "salt-and-pepper(0.3)"]
    assert list(report["by_noise"]) == kinds
    assert report["psnr_db"] == report["by_noise"][kinds[0]]["psnr_db"]
    one = aeplug("evaluate", run, "--items", 64, "--noise", "gaussian(0, 0.5)", "--json")
    assert one_object(one.stdout)["by_noise"] == {kinds[1]: report["by_noise"][kinds[1]]}
    wrong = aeplug("evaluate", run, "--items", 64, "--noise", "gaussian(0)")
    assert_one_line_error(wrong.stderr, "--noise", "gaussian(MEAN, SIGMA)")


def test_from_python_pictures_of_any_size_go_through(trained: Path) -> None:
    model = load(trained)
    picture = torch.rand(1, 3, 50, 41)
    assert model.reconstruct(picture).shape == picture.shape
    with pytest.raises(AeplugError, match=r"shape \(3, 50, 41\), got \(1, 50, 41\)"):
        model.reconstruct(picture[:, :1])


def test_a_sheet_replaces_no_file(trained: Path, photographs: Path) -> None:
    before = (photographs / "1.png").read_bytes()
    for name, said in ((photographs / "1.png", "there already"), ("s.jpg", "ends in .png")):
        done = aeplug("evaluate", trained, "--data", photographs, "--sheet", name)
        assert_one_line_error(done.stderr, said)
    assert (photographs / "1.png").read_bytes() == before


def test_pictures_of_a_few_pixels_are_left_out(
    trained: Path, photographs: Path, tmp_path: Path
) -> None:
    for width, height in ((1, 50), (50, 1), (1, 1)):
        Image.new("RGB", (width, height)).save(tmp_path / f"{width}x{height}.png")
    alone = aeplug("evaluate", trained, "--data", tmp_path, "--baselines")
    assert_one_line_error(alone.stderr, "16 pixels")
    Image.open(photographs / "1.png").save(tmp_path / "scene.png")
    done = aeplug("evaluate", trained, "--data", tmp_path, "--baselines", "--json")
    assert one_object(done.stdout)["photographs"] == 1


def test_a_crop_larger_than_every_photograph_is_a_clear_error(
    photographs: Path, tmp_path: Path
) -> None:
    done = aeplug(
        *("train", "denoise", "--data", photographs, "--run", tmp_path / "run"),
        *("--set", "data.heldout=1", "--set", "data.crop=200"),
    )
    assert_one_line_error(done.stderr, "data.crop=96")
