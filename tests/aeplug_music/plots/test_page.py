"""Pages of piano rolls: what stands below what, where a continuation begins, what is cut."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from aeplug_music.plots.page import draw_vertical_lines, shorten, stack_rows
from aeplug_music.plots.pianoroll import draw_page
from aeplug_music.plots.systems import split_systems
from aeplug_music.score.melody import Melody, Passage


def melody(bars, continued_at=None):
    """A quarter on every beat, each bar on another pitch."""
    tokens = np.zeros(16 * bars, np.uint8)
    tokens[::4] = 40 + np.arange(bars).repeat(4) % 12
    return Melody((Passage("4/4", tokens),), continued_at=continued_at)


def stacked(*rows):
    """Labels and items of ``stack_rows``, whose captions are the items themselves."""
    pairs = [(label, [(str(item), item) for item in items]) for label, items in rows]
    return [(label, cells[0][1]) for label, cells in stack_rows(pairs)]


def test_a_result_stands_below_its_input():
    assert stacked(("input", [1, 2]), ("result", [10, 20]), ("input", [3]), ("result", [30])) == [
        *[("input", 1), ("result", 10), ("input", 2), ("result", 20)],
        *[("input", 3), ("result", 30)],
    ]
    three = stacked(("input", [1, 2]), ("result", [10, 20]), ("truth", [5, 6]))
    assert [item for _, item in three] == [1, 10, 5, 2, 20, 6]


@pytest.mark.parametrize(
    "rows",
    [
        [("", [1, 2]), ("", [3, 4])],  # samples, in reading order
        [("4/4", [1, 2]), ("3/4", [3, 4])],  # a row for each class
        [("input", [1]), ("", [2, 3]), ("", [4, 5])],  # variations of one
    ],
)
def test_other_rows_keep_their_order(rows):
    assert stacked(*rows) == [(label, item) for label, items in rows for item in items]


def test_vertical_lines_are_one_thing_and_leave_the_limits():
    panel = Figure().subplots()
    panel.set_xlim(0, 8)
    panel.set_ylim(50, 60)
    draw_vertical_lines(panel, [(1.0, "red"), (4.0, "blue")], 0.5, zorder=2)
    (lines,) = panel.collections
    assert [segment[:, 0].tolist() for segment in lines.get_segments()] == [[1, 1], [4, 4]]
    assert lines.get_colors().tolist() == [[1, 0, 0, 1], [0, 0, 1, 1]]
    assert (panel.get_xlim(), panel.get_ylim()) == ((0, 8), (50, 60))


def test_captions_are_cut_to_the_width_of_their_panel():
    assert shorten("tune", 1.0) == "tune"
    assert shorten("x" * 40, 2.0) == "x" * 27 + "…"


@pytest.mark.parametrize(
    ("seam", "expected"),
    [
        (None, [None, None, None]),
        (0, [0, -1, -1]),
        (20 * 16, [None, 4 * 16, -1]),
        (16 * 16, [None, 0, -1]),
    ],
)
def test_lines_know_where_a_continuation_begins(seam, expected):
    lines = split_systems(melody(40, seam), 16)
    assert [line.melody.continued_at for line in lines] == expected


@pytest.mark.parametrize("bars", [2, 12, 40])
def test_what_was_added_has_a_colour_of_its_own(tmp_path, bars):
    green = np.array([0x1F, 0x8A, 0x5F])
    for name, seam in (("whole", None), ("continued", 16 * (bars // 2))):
        path = tmp_path / f"{name}.png"
        draw_page([("", [("a $tune", melody(bars, seam))])], path, "a title")
        pixels = np.asarray(Image.open(path).convert("RGB"), int)
        assert (np.abs(pixels - green).max(2) < 3).any() == (seam is not None)
