"""The photo codec: pictures of any size through models of one or three channels, tile by tile."""

from __future__ import annotations

import io
import operator
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from image_support import noise, save, smooth
from PIL import Image, ImageCms
from torch import Tensor, nn

from aeplug.errors import FileError
from aeplug.interfaces import Codec, DataShape, Document, FormatCodec, StreamingCodec
from aeplug_image.files import photo_codec
from aeplug_image.files.photo_codec import PhotoCodec, PhotoConfig
from aeplug_image.files.reading import Picture, read_picture


def codec(channels: int = 3, scale: int = 1, **settings: int) -> PhotoCodec:
    shape = DataShape((channels, 64, 64), (channels, 64 * scale, 64 * scale))
    return PhotoCodec(PhotoConfig(**settings), shape)


def same(image: Tensor) -> Tensor:
    return image


def through(plugin: PhotoCodec, document: Document, net: Callable[[Tensor], Tensor]) -> Picture:
    with torch.no_grad():
        results = (net(raw["image"]) for raw in plugin.chunks(document))
        picture: Picture = plugin.assemble(results, document).content
    return picture


def net_of(channels: int, scale: int, strided: bool) -> nn.Module:
    """Random weights; looks at most 15 pixels far."""
    torch.manual_seed(0)
    if strided:
        return nn.Sequential(
            nn.Conv2d(channels, 8, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, channels, 4, 2, 1),
            nn.Sigmoid(),
        )
    return nn.Sequential(
        nn.Conv2d(channels, 8, 5, padding=2),
        nn.ReLU(),
        nn.Conv2d(8, channels * scale**2, 5, padding=2),
        nn.PixelShuffle(scale),
        nn.Sigmoid(),
    )


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("of_model", "scale", "strided"), [(1, 1, True), (3, 1, True), (1, 2, False), (3, 3, False)]
)
def test_tiled_is_the_whole(
    of_model: int, scale: int, strided: bool, channels: int, kind: type
) -> None:
    height, width = (200, 148) if strided else (131, 97)
    document = Document(Picture(noise(height, width, channels, kind)), "a")
    net = net_of(of_model, scale, strided)
    settings = {"overlap": 16, "multiple": 4}
    whole = through(codec(of_model, scale, tile=4096, **settings), document, net).pixels
    tiled = through(codec(of_model, scale, tile=48, **settings), document, net).pixels
    assert whole.shape == (height * scale, width * scale, channels)
    assert whole.dtype == tiled.dtype == kind
    steps = np.abs(whole.astype(int) - tiled.astype(int)).max()
    assert steps <= 1  # of 255 or of 65,535: what rounding makes of errors in the last float digit


def test_too_little_overlap_would_show() -> None:
    document = Document(Picture(noise(120, 120, 3)), "a")
    net = net_of(3, 1, strided=False)
    whole = through(codec(tile=4096), document, net).pixels
    seams = through(codec(tile=48, overlap=0, multiple=4), document, net).pixels
    assert np.abs(whole.astype(int) - seams.astype(int)).max() > 1


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("of_model", [1, 3])
def test_what_a_model_leaves_alone_stays_to_the_bit(
    of_model: int, channels: int, kind: type
) -> None:
    pixels = noise(70, 50, channels, kind)
    document = Document(Picture(pixels, b"profile", b"exif"), "a")
    plugin = codec(of_model, tile=32, overlap=8, multiple=8)
    found = through(plugin, document, same)
    # Through luma and chroma, 16 bit lose what float32 has no digits for.
    slack = 1 if of_model == 1 and channels >= 3 and kind is np.uint16 else 0
    assert np.abs(found.pixels.astype(int) - pixels.astype(int)).max() <= slack
    assert (found.icc, found.exif) == (b"profile", b"exif")
    joined = plugin.join(plugin.split(document)["image"], {}, document).content.pixels
    np.testing.assert_array_equal(joined, found.pixels)


def test_grey_goes_in_as_three_channels_and_comes_out_as_their_mean() -> None:
    document = Document(Picture(noise(20, 20, 1)), "a")
    plugin = codec(3)
    (raw,) = plugin.chunks(document)
    assert raw["image"].shape == (1, 3, 20, 20)
    assert raw["image"].dtype == torch.float32
    assert torch.equal(raw["image"][0, 0], raw["image"][0, 2])
    shifted = torch.tensor([0.0, 0.3, 0.6]).reshape(1, 3, 1, 1)
    found = through(plugin, document, lambda image: image * 0 + shifted)
    assert found.pixels.shape == (20, 20, 1)
    assert np.unique(found.pixels).tolist() == [76, 77] or np.unique(found.pixels).size == 1


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_of_colour_only_luma_goes_through_and_chroma_is_enlarged(scale: int) -> None:
    pixels = smooth(40, 30, 3) // 2 + 60
    document = Document(Picture(pixels), "a")

    def enlarged(luma: Tensor) -> Tensor:
        assert luma.shape[1] == 1
        size = [side * scale for side in luma.shape[2:]]
        return nn.functional.interpolate(luma, size, mode="bicubic", antialias=True)

    found = through(codec(1, scale=scale), document, enlarged).pixels
    image = Image.fromarray(pixels)
    # Pillow enlarges all three channels by the same kernel; colours are a linear map of them.
    expected = np.asarray(image.resize((30 * scale, 40 * scale), Image.Resampling.BICUBIC))
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 2


def test_alpha_is_enlarged_beside_the_colours() -> None:
    pixels = noise(20, 20, 4)
    pixels[..., 3] = 200
    found = through(codec(3, scale=2), Document(Picture(pixels), "a"), nn.Upsample(scale_factor=2))
    assert found.pixels.shape == (40, 40, 4)
    assert np.unique(found.pixels[..., 3]).tolist() == [200]


def test_how_many_tiles_there_are_is_known_ahead() -> None:
    chunks = codec(tile=64, overlap=16).chunks(Document(Picture(noise(200, 333, 3)), "a"))
    count = operator.length_hint(chunks)
    assert count == 4 * 6
    next(chunks)
    assert operator.length_hint(chunks) == len(list(chunks)) == count - 1


def test_only_a_few_tiles_are_made_at_once() -> None:
    document = Document(Picture(noise(600, 600, 3)), "a")
    plugin = codec(tile=64, overlap=16)
    made = taken = 0
    most = 0

    def results():
        nonlocal made, taken, most
        for raw in plugin.chunks(document):
            made += 1
            assert raw["image"].shape[-1] <= 96
            most = max(most, made - taken)
            yield raw["image"]
            taken += 1

    plugin.assemble(results(), document)
    assert made == taken == 100 and most == 1


def test_a_result_of_another_size_is_an_error() -> None:
    document = Document(Picture(noise(20, 20, 3)), "a")
    with pytest.raises(ValueError, match=r"made \(10, 10\) pixels of a tile, expected \(20, 20\)"):
        through(codec(), document, nn.AvgPool2d(2))


def test_a_result_beyond_the_limit_is_refused_when_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "a.png", noise(20, 20, 3))
    monkeypatch.setattr(photo_codec, "MAX_PIXELS", 1000)
    assert codec(3, scale=1).read(path).size == 2 * 1200
    with pytest.raises(FileError, match=r"would become 40 x 40 pixels, more than 1,000"):
        codec(3, scale=2).read(path)


@pytest.mark.parametrize(
    ("name", "kind", "channels"),
    [
        ("a.png", np.uint8, 4),
        ("a.PNG", np.uint16, 3),
        ("a.jpg", np.uint8, 3),
        ("b.jpeg", np.uint8, 1),
        ("b.JPE", np.uint8, 3),
        ("a.webp", np.uint8, 4),
        ("a.bmp", np.uint8, 3),
        ("a.tif", np.uint16, 4),
        ("v1.5.tiff", np.uint8, 3),
    ],
)
def test_formats_depth_profile_and_exif_come_back(
    tmp_path: Path, name: str, kind: type, channels: int
) -> None:
    from aeplug_image.files.writing import write_picture

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010F] = "maker"
    pixels = smooth(40, 50, channels).astype(kind)
    path = write_picture(Picture(pixels, profile, exif.tobytes()), tmp_path / name)
    plugin = codec(tile=32, overlap=8, multiple=8)
    assert isinstance(plugin, Codec)
    assert isinstance(plugin, StreamingCodec)
    assert isinstance(plugin, FormatCodec)
    document = plugin.read(path)
    after = Document(through(plugin, document, same), "x", suffix=plugin.suffix_for(path))
    (written,) = plugin.write(after, tmp_path / "out.v2", {})
    assert written.name == f"out.v2{path.suffix}"
    before, found = read_picture(path), read_picture(written)
    assert found.pixels.dtype == kind and found.pixels.shape == pixels.shape
    lossy = name.lower().endswith((".jpg", ".jpeg", ".jpe"))
    error = np.abs(found.pixels.astype(int) - before.pixels.astype(int))
    assert error.mean() < 0.5 if lossy else error.max() == 0
    if not name.endswith(".bmp"):
        assert found.icc == profile
        read = Image.Exif()
        read.load(found.exif or b"")
        assert read[0x010F] == "maker"


def test_what_is_not_written_becomes_png(tmp_path: Path) -> None:
    Image.fromarray(noise(9, 9, 1)[..., 0]).save(tmp_path / "a.gif")
    plugin = codec()
    assert plugin.suffix_for(tmp_path / "a.gif") == ".png"
    assert plugin.suffix_for(tmp_path / "a") == ".png"
    plugin.read(tmp_path / "a.gif")


def test_sheet_of_pictures_of_many_sizes(tmp_path: Path) -> None:
    documents = [
        Document(Picture(noise(30, 90, 1)), "a"),
        Document(Picture(noise(500, 400, 4, np.uint16)), "b"),
    ]
    codec().sheet([("input", documents), ("result", documents)], tmp_path / "a.png", "t")
    with Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())) as page:
        assert page.width > 512 and page.height > 512


def test_models_of_other_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="1 or 3 channels, not 2"):
        codec(2)
