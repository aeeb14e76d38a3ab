"""Drum patterns written as text: what is read, how it is played, and what is refused where."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ROOT

from aeplug.config import PartConfig
from aeplug.data.bundled import find_bundled
from aeplug.errors import FileError
from aeplug_music.drums.codec import DrumCodec
from aeplug_music.drums.collection import parse_performance
from aeplug_music.drums.kit import BAR, CLASSES, DRUMS, KICK, OFFSETS, RIDE, SNARE
from aeplug_music.drums.patterns.header import COLUMNS, Header
from aeplug_music.drums.patterns.pattern import VELOCITY_OF, InvalidPattern, Pattern, parse_pattern
from aeplug_music.drums.patterns.timing import pattern_to_tune
from aeplug_music.drums.performance import Performance, extract_performance
from aeplug_music.drums.window_shape import groove_shape

TOP = "metre: 4/4\ntempo: 120\n"
WIDTH = 16
CELLS = {velocity: cell for cell, velocity in VELOCITY_OF.items()}


def play(text: str) -> Performance:
    return extract_performance(pattern_to_tune(parse_pattern(text)))


def row(drum: str, cells: str) -> str:
    return f"{drum} | {cells} |\n"


def write(pattern: Pattern, spacing: str) -> str:
    """The text of a pattern, with ``spacing`` between its cells."""
    header = pattern.header
    lines = [f"metre: {header.metre}", f"tempo: {header.bpm:g}", f"columns: {header.columns}"]
    if header.swing != 50:
        lines.append(f"swing: {header.swing:g} {header.pair}")
    if header.late:
        late = ", ".join(f"{CLASSES[drum]} {ms:+g}" for drum, ms in header.late.items())
        lines.append(f"feel: {late}")
    texts = {key: getattr(header, key) for key in ("name", "style", "split")}
    lines += [f"{key}: {text}" for key, text in texts.items() if text]
    lines.append(f"play: {' '.join(pattern.play)}")
    for name, velocity in pattern.sections.items():
        lines += ["", "# a remark", f"[{name}]"]
        for drum in range(DRUMS):
            bars = velocity[:, drum].reshape(-1, header.bar_columns)
            cells = "|".join(spacing.join(CELLS[int(one)] for one in bar) for bar in bars)
            lines.append(f"{CLASSES[drum]} |{cells}|")
    return "\n".join(lines) + "\n"


@st.composite
def patterns(draw: st.DrawFn) -> Pattern:
    metre, pairs = draw(
        st.sampled_from([("4/4", True), ("3/4", True), ("6/8", False), ("5/4", True)])
    )
    columns = draw(st.sampled_from([n for n in COLUMNS if metre != "6/8" or n % 2 == 0]))
    whole = st.integers(-100, 100).map(float)
    header = Header(
        metre=metre,
        bpm=float(draw(st.integers(20, 400))),
        columns=columns,
        swing=float(draw(st.integers(50, 80))) if pairs else 50.0,
        late=draw(st.dictionaries(st.integers(0, DRUMS - 1), whole, max_size=4)),
        name=draw(st.sampled_from(["", "Ode: part 2", "Ääh #1"])),
        style=draw(st.sampled_from(["", "latin/son"])),
        split=draw(st.sampled_from(["", "train", "val", "test"])),
    )
    names = draw(st.lists(st.from_regex(r"[A-Za-z0-9+-]{1,6}", fullmatch=True), min_size=1,
                          max_size=3, unique=True))  # fmt: skip
    sections = {}
    for name in names:
        size = header.bar_columns * draw(st.integers(1, 2)) * DRUMS
        levels = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=size, max_size=size))
        sections[name] = np.array(levels, np.uint8).reshape(-1, DRUMS)
    order = draw(st.lists(st.sampled_from(names), min_size=1, max_size=5))
    return Pattern(header, sections, tuple(order))


@given(patterns(), st.sampled_from(["", " ", "  "]))
def test_what_is_written_is_what_is_read(pattern, spacing):
    found = parse_pattern(write(pattern, spacing))
    assert found.header == pattern.header
    assert found.play == pattern.play
    assert list(found.sections) == list(pattern.sections)
    for name, velocity in pattern.sections.items():
        np.testing.assert_array_equal(found.sections[name], velocity)


@given(patterns())
def test_every_cell_is_a_note_within_its_time(pattern):
    tune, header = pattern_to_tune(pattern), pattern.header
    written = pattern.velocity
    count = int((written > 0).sum())
    if not count:
        assert not tune.tracks
        return
    (track,) = tune.tracks
    assert len(track) == count
    assert sorted(track.velocity.tolist()) == sorted(written[written > 0].tolist())
    quarters = len(written) / header.columns
    assert track.onset.min() >= 0 and (np.diff(track.onset) >= 0).all()
    # No later than its pair and its feel can shift it.
    assert track.onset.max() / tune.ticks_per_quarter < quarters + 1 + 0.1 * header.bpm / 60
    numerator, denominator = (int(one) for one in header.metre.split("/"))
    assert tune.time_signatures == [(0, numerator, denominator)]
    assert tune.bpm == pytest.approx(header.bpm, rel=1e-5)


@given(st.text(alphabet="metrpoA[]|xX.g19:/ 48\n#", max_size=80), st.booleans())
def test_any_text_is_a_pattern_or_one_line_that_says_why_not(text, headed):
    message = refusal(TOP + "[A]\n" + row("kick", "." * WIDTH) + text if headed else text)
    assert message is None or (message and "\n" not in message)


def refusal(text: str) -> str | None:
    try:
        parse_pattern(text)
    except InvalidPattern as error:
        return str(error)
    return None


def test_cells_are_velocities():
    levels = ".gxX123456789..."
    kick = parse_pattern(TOP + "[A]\n" + row("kick", levels)).velocity[:, KICK].tolist()
    assert kick == [0, 30, 80, 110, 14, 28, 42, 56, 70, 84, 98, 112, 126, 0, 0, 0]


def test_sections_are_played_in_the_order_that_play_gives_or_once_each():
    bars = "[A]\n" + row("kick", "x" + "." * 15) + "[B]\n" + row("snare", "x" + "." * 15)
    once, several = play(TOP + bars), play(TOP + "play: B A B B\n" + bars)
    assert once.steps == 2 * BAR
    assert several.steps == 4 * BAR
    assert np.flatnonzero(several.velocity[:, SNARE]).tolist() == [0, 32, 48]
    assert np.flatnonzero(several.velocity[:, KICK]).tolist() == [16]
    assert once.bpm == pytest.approx(120)


def test_triplets_and_swung_eighths_lie_beside_the_grid_alike():
    triplets = play(TOP + "columns: 3\n[A]\n" + row("ride", "x.x ..x x.. x.x"))
    swung = play(TOP + "swing: 66.666667 eighths\n[A]\n" + row("ride", "x.x. ..x. x... x.x."))
    np.testing.assert_array_equal(triplets.velocity, swung.velocity)
    np.testing.assert_array_equal(triplets.offset, swung.offset)
    # Two thirds of a quarter are a third of a step before its fourth step.
    assert np.flatnonzero(triplets.velocity[:, RIDE]).tolist() == [0, 3, 7, 8, 12, 15]
    assert triplets.offset[3, RIDE] == round(-OFFSETS / 3)


def test_swung_sixteenths_keep_the_eighths():
    played = play(TOP + "swing: 60 sixteenths\n[A]\n" + row("ride", "xxxx .... ..xx ...."))
    np.testing.assert_array_equal(played.offset[:4, RIDE], [0, 51, 0, 51])  # a fifth of a step
    assert played.offset[11, RIDE] == 51


def test_feel_is_milliseconds_at_the_patterns_tempo():
    text = "metre: 4/4\ntempo: {}\nfeel: snare +10, kick -5\n[A]\n"
    rows = row("kick", "....x...........") + row("snare", "....x...........")
    for bpm in (60, 120, 180):
        played = play(text.format(bpm) + rows)
        step = 60_000 / bpm / 4
        assert played.offset[4, SNARE] == pytest.approx(10 / step * OFFSETS, abs=1)
        assert played.offset[4, KICK] == pytest.approx(-5 / step * OFFSETS, abs=1)


def test_what_would_begin_before_the_file_begins_with_it():
    early = TOP + "feel: kick -20\n[A]\n" + row("kick", "x...x..........." + "|" + "x" + "." * 15)
    played = play(early)
    assert played.velocity[0, KICK] and played.offset[0, KICK] == 0
    assert played.offset[4, KICK] == played.offset[16, KICK] < 0


@pytest.mark.parametrize(
    ("metre", "cells", "steps"),
    [("3/4", 12, 12), ("6/8", 12, 8), ("5/4", 20, 20), ("12/8", 24, 16)],
)
def test_other_metres_are_read_in_their_own_bars_of_four_steps_a_beat(metre, cells, steps):
    text = f"metre: {metre}\ntempo: 100\n[A]\n" + row("kick", "x" + "." * (cells - 1))
    (passage,) = play(text).passages
    assert (passage.metre, passage.steps) == (metre, steps)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "metre: missing; expected a line such as 'metre: 4/4'"),
        ("metre: 4/4\n[A]\n", "tempo: missing"),
        ("metre: 4/5\ntempo: 9\n", "line 1: metre: expected a time signature .* got '4/5'"),
        ("metre: 4/4\ntempo: 9\n", "line 2: tempo: expected 20 to 400 quarters a minute, got '9'"),
        (TOP + "columns: 5\n", "line 3: columns: expected one of 1, 2, .* got '5'"),
        ("metre: 3/8\ntempo: 90\ncolumns: 1\n", "line 3: columns: .* do not fill a 3/8 bar"),
        ("metre: 3/8\ntempo: 90\nswing: 60 eighths\n", "line 3: swing: a 3/8 bar does not hold"),
        (TOP + "swing: 60\n", "line 3: swing: expected a percentage and eighths or sixteenths"),
        (TOP + "swing: 90 eighths\n", "line 3: swing: expected 50 to 80 percent of the pair"),
        (TOP + "feel: snare\n", "line 3: feel: expected a drum and milliseconds, got 'snare'"),
        (TOP + "feel: snare +500\n", "line 3: feel: expected -100 to 100 milliseconds"),
        (TOP + "split: training\n", "line 3: split: expected one of train, val, test"),
        (TOP + "temp: 3\n", "line 3: temp: no such key. Did you mean 'tempo'"),
        (TOP + "tempo: 3\n", "line 3: tempo is given twice"),
        (TOP + "kick\n", r"line 3: expected 'key: value' or '\[section\]', got 'kick'"),
        (TOP, "no section; expected"),
        (TOP + "[A]\n", "line 3: section 'A' has no row"),
        (TOP + "[A B]\n", "line 3: expected '\\[name\\]' of one word"),
        (TOP + "[A]\nkick x...\n", "line 4: expected 'drum \\| cells \\|', got"),
        (TOP + "[A]\ncowbell | x |\n", "line 4: no drum 'cowbell'. Expected one of closed hi-hat"),
        (TOP + "[A]\n" + row("kick", "x..."), "line 4: kick, bar 1: 4 cells, expected 16"),
        (TOP + "[A]\n" + row("kick", "." * 15 + "o"), "line 4: kick, bar 1: no cell .* 'o'"),
        (TOP + "[A]\n" + 2 * row("kick", "." * 16), "line 5: kick has two rows"),
        (
            TOP + "[A]\n" + row("kick", "." * 16) + row("ride", "." * 16 + "|" + "." * 16),
            "line 5: ride has 2 bars, the rows above have 1",
        ),
        (TOP + 2 * ("[A]\n" + row("kick", "." * 16)), "line 5: section 'A' is given twice"),
        (TOP + "play: A C\n[A]\n" + row("kick", "." * 16), "line 3: play: no section 'C'"),
        (
            TOP + "play:" + 6000 * " A" + "\n[A]\n" + row("kick", "." * 16),
            "line 3: plays 24000 quarters, at most 20000",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text, message):
    with pytest.raises(InvalidPattern, match=f"^{message}") as refused:
        parse_pattern(text)
    assert "\n" not in str(refused.value)


def test_bytes_that_are_no_text_and_patterns_without_a_hit_are_refused(tmp_path):
    with pytest.raises(InvalidPattern, match="not text in UTF-8"):
        parse_performance(b"\xff\xfe\x00", ".drums")
    with pytest.raises(InvalidPattern, match="over"):
        parse_performance(b"#" * 2**23, ".drums")
    silent = (TOP + "[A]\n" + row("kick", "." * 16)).encode()
    with pytest.raises(FileError, match="no notes"):
        parse_performance(silent, ".DRUMS")
    path = tmp_path / "mine.drums"
    path.write_text(TOP + "[A]\nkick | x |\n")
    codec = DrumCodec(PartConfig(), groove_shape(2))
    with pytest.raises(FileError, match=r"mine\.drums: line 4: kick, bar 1") as refused:
        codec.read(path)
    assert "\n" not in str(refused.value)


def test_files_with_a_byte_order_mark_and_carriage_returns_are_read():
    text = ("\ufeff" + TOP + "[A]\n" + row("kick", "x" + "." * 15)).replace("\n", "\r\n")
    performance, header = parse_performance(text.encode(), ".drums")
    assert performance.steps == BAR
    assert header is not None and header.metre == "4/4"


@pytest.mark.parametrize(
    "path", sorted(find_bundled("patterns").glob("*.drums")), ids=lambda p: p.stem
)
def test_every_bundled_pattern_is_played_as_it_is_written(path: Path):
    pattern = parse_pattern(path.read_text(encoding="utf-8"))
    assert pattern.header.name and pattern.header.style
    assert set(pattern.play) == set(pattern.sections)
    performance = extract_performance(pattern_to_tune(pattern))
    assert (performance.origin.cell >= 0).sum() == (pattern.velocity > 0).sum()
    if pattern.header.metre != "6/8":
        # No hit is lost to another of its drum at the same step. In dotted beats some are one with
        # that before them: sixteenths beside triplets.
        assert (performance.velocity > 0).sum() == (pattern.velocity > 0).sum()
    assert performance.left_out == 0
    bars = len(pattern.velocity) // pattern.header.bar_columns
    assert performance.quarters == bars * pattern.header.bar


def test_the_example_of_the_format_is_one_and_is_played_as_bossa_nova():
    text = (ROOT / "data/patterns/README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```\n(.*?)```", text, re.DOTALL)
    performance = play(example)
    clave = np.flatnonzero(performance.velocity[: 2 * BAR, SNARE]).tolist()
    assert clave == [0, 6, 12, 20, 26]
    assert performance.steps == 8 * BAR
