"""Figures say of themselves that they are none of the data."""

import pytest
from matplotlib.figure import Figure
from PIL import Image

from aeplug.errors import FileError
from aeplug.runtime import is_figure, write_figure, write_sheet


def test_what_aeplug_draws_is_told_from_other_pictures(tmp_path):
    write_figure(Figure(figsize=(1, 1)), tmp_path / "new" / "curve.png")
    write_sheet(Image.new("RGB", (3, 2)), tmp_path / "new" / "sheet.PNG")
    Image.new("RGB", (3, 2)).save(tmp_path / "photo.png")
    (tmp_path / "short.png").write_bytes(b"\x89PNG")
    assert is_figure(tmp_path / "new" / "curve.png")
    assert is_figure(str(tmp_path / "new" / "sheet.PNG"))
    for name in ("photo.png", "short.png", "gone.png", "new", "a\0b.png"):
        assert not is_figure(f"{tmp_path}/{name}")
    with Image.open(tmp_path / "new" / "sheet.PNG") as image:
        assert image.size == (3, 2) and image.format == "PNG"


@pytest.mark.parametrize(
    ("write", "content"),
    [(write_figure, Figure(figsize=(1, 1))), (write_sheet, Image.new("L", (1, 1)))],
)
def test_one_that_cannot_be_written_leaves_the_old(tmp_path, monkeypatch, write, content):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("aeplug.runtime.files.Path.replace", full)
    with pytest.raises(FileError, match=r"a\.png cannot be written: No space left"):
        write(content, path)
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["a.png"]
