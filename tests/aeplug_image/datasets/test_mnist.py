"""The bundled MNIST: whole, checked, split as it says; and PCA on it."""

from __future__ import annotations

import gzip
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from aeplug.config import resolve
from aeplug.data.bundled import find_bundled
from aeplug.errors import DataError
from aeplug.evaluation.report import evaluate
from aeplug.model.model import Model
from aeplug.model.task import Task
from aeplug.plugins import Plugins
from aeplug_image.datasets.mnist import CHECKSUMS, MNIST, MNISTConfig, read_idx

TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


@pytest.fixture(scope="module")
def mnist() -> MNIST:
    return MNIST(MNISTConfig())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the two small test files that a test may damage."""
    for name in (TEST_IMAGES, TEST_LABELS):
        shutil.copy(find_bundled("mnist") / f"{name}.gz", tmp_path)
    return tmp_path


def rows(mnist: MNIST, name: str) -> dict[str, torch.Tensor]:
    split = mnist.split(name)
    return split.take(torch.arange(len(split)))


def test_splits(mnist: MNIST) -> None:
    assert mnist.shape.input == mnist.shape.target == (1, 28, 28)
    found = {name: rows(mnist, name) for name in ("train", "val", "test", "all")}
    counts = {"train": 55_000, "val": 5_000, "test": 10_000, "all": 70_000}
    for name, count in counts.items():
        images, labels = found[name]["image"], found[name]["label"]
        assert images.shape == (count, 1, 28, 28) and images.dtype == torch.uint8
        assert labels.shape == (count,) and labels.dtype == torch.int64
    for column in ("image", "label"):
        parts = [found[name][column] for name in ("train", "val", "test")]
        assert torch.equal(torch.cat(parts), found["all"][column])
    # The published counts of each digit in the 60,000 and in the 10,000.
    both = torch.cat([found["train"]["label"], found["val"]["label"]])
    of_training = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert torch.bincount(both).tolist() == of_training
    of_test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert torch.bincount(found["test"]["label"]).tolist() == of_test
    assert found["train"]["label"][:5].tolist() == [5, 0, 4, 1, 9]
    mean = torch.cat([found["train"]["image"], found["val"]["image"]]).double().mean() / 255
    assert mean.item() == pytest.approx(0.1307, abs=5e-5)


def test_heldout_is_the_end_of_the_training_images(mnist: MNIST) -> None:
    other = MNIST(MNISTConfig(heldout=10))
    val = rows(other, "val")
    assert len(val["label"]) == 10
    assert torch.equal(val["image"], rows(mnist, "val")["image"][-10:])


def test_checksums_are_those_of_the_bundled_files() -> None:
    for name, expected in CHECKSUMS.items():
        content = gzip.decompress((find_bundled("mnist") / f"{name}.gz").read_bytes())
        assert hashlib.md5(content).hexdigest() == expected


def test_plain_files_are_read_too(folder: Path, mnist: MNIST) -> None:
    for name in (TEST_IMAGES, TEST_LABELS):
        packed = folder / f"{name}.gz"
        (folder / name).write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()
    plain = rows(MNIST(MNISTConfig(path=str(folder))), "test")
    assert torch.equal(plain["image"], rows(mnist, "test")["image"])
    assert torch.equal(plain["label"], rows(mnist, "test")["label"])


def refused(folder: Path, name: str, *words: str) -> None:
    with pytest.raises(DataError) as found:
        MNIST(MNISTConfig(path=str(folder))).split("test")
    message = str(found.value)
    assert "\n" not in message
    for word in (str(folder / name), CHECKSUMS[name.removesuffix(".gz")], *words):
        assert word in message


def test_missing(folder: Path) -> None:
    (folder / f"{TEST_LABELS}.gz").unlink()
    refused(folder, f"{TEST_LABELS}.gz", "is missing")
    refused(folder / "none", f"{TEST_IMAGES}.gz", "is missing")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.9999])
def test_truncated(folder: Path, share: float) -> None:
    path = folder / f"{TEST_IMAGES}.gz"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    refused(folder, path.name)


def test_altered(folder: Path) -> None:
    path = folder / f"{TEST_IMAGES}.gz"
    packed = bytearray(path.read_bytes())
    packed[len(packed) // 2] ^= 1
    whole = gzip.decompress(path.read_bytes())
    path.write_bytes(packed)
    refused(folder, path.name)
    changed = bytearray(whole)
    changed[-1000] ^= 1
    path.write_bytes(gzip.compress(bytes(changed), 1))
    found = hashlib.md5(changed).hexdigest()
    refused(folder, path.name, "truncated or altered", found)
    path.unlink()
    (folder / TEST_IMAGES).write_bytes(whole[:-1])
    refused(folder, TEST_IMAGES, "truncated or altered")
    (folder / TEST_IMAGES).write_bytes(b"")
    refused(folder, TEST_IMAGES, "truncated or altered")


def test_not_a_gzip_file(folder: Path) -> None:
    (folder / f"{TEST_IMAGES}.gz").write_text("<html>404</html>")
    refused(folder, f"{TEST_IMAGES}.gz", "damaged")


def test_arrays_are_the_readers_own(folder: Path) -> None:
    labels = read_idx(folder, TEST_LABELS)
    assert labels.flags.writeable and labels.dtype == np.uint8 and labels.shape == (10_000,)


@pytest.mark.parametrize(("task", "size"), [("mnist-vae", 30), ("mnist", 32)])
def test_evaluation_and_pca_beside_it(task: str, size: int) -> None:
    plugins = Plugins([], [], only_builtin=True)
    small = {"encoder": "mlp", "decoder": "mlp", "latent.size": size}
    small |= {"encoder.hidden": [8], "decoder.hidden": [8]}
    config = resolve(plugins.task(task), plugins, small)
    torch.manual_seed(0)
    dataset = MNIST(MNISTConfig())
    model = Model(config, Task(config, dataset.shape), torch.device("cpu"))
    report = evaluate(model, dataset.split("test"), {}, with_baselines=True)
    keys = {"items", "loss", "mse", "squared_error", "psnr_db", "ssim", "baselines"}
    assert keys <= set(report)
    assert report["items"] == 10_000
    assert {"nll_nats", "kl_nats"} <= set(report) or task == "mnist"
    figures = report["baselines"]
    assert list(figures) == [f"pca_{size}"]
    pca = figures[f"pca_{size}"]
    assert set(pca) == {"mse", "squared_error", "psnr_db", "ssim"}
    for found in (report, pca):
        assert found["squared_error"] == pytest.approx(784 * found["mse"], rel=1e-9)
    assert pca["mse"] < report["mse"]  # of an untrained model
    # scikit-learn's PCA (full SVD) of the same 55,000 images gives 13.86454 with 30 components.
    # No affine map of that rank does better on these test images than one fitted on them: 13.7475.
    expected = {30: 13.86454, 32: 13.19219}[size]
    assert pca["squared_error"] == pytest.approx(expected, abs=1e-3)
    assert 15 < pca["psnr_db"] < 25 and 0.5 < pca["ssim"] < 1
