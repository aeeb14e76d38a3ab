"""Sheets of small pictures."""

from PIL import ImageFont

from aeplug_image.files.sheet import _shorten


def test_captions_that_are_cut_stay_different():
    font = ImageFont.load_default(12)
    names = [f"sample-001-variation-{number:02}" for number in range(12)]
    captions = [_shorten(name, font, 84) for name in names]
    assert len(set(captions)) == 12
    assert all(
        caption.startswith("...") and caption.endswith(name[-3:])
        for caption, name in zip(captions, names, strict=True)
    )
    assert max(map(font.getlength, captions)) <= 84
    assert _shorten("short", font, 84) == "short"
