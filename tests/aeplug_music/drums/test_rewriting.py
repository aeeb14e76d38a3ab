"""Files of drums come back as they were, but for the hits that a model changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from music_files import (
    HEAD,
    TUNE,
    Q,
    is_note,
    meta,
    metre,
    name,
    notes,
    program,
    read_notes,
    read_tracks,
    smf,
    strokes,
    tempo,
    track,
    without_notes,
)

from aeplug.config import PartConfig
from aeplug.interfaces import Document
from aeplug_music.drums.codec import DrumCodec
from aeplug_music.drums.kit import BAR, KICK, PITCHES, SNARE
from aeplug_music.drums.performance import extract_performance
from aeplug_music.drums.rewriting import plan_changes, rewrite_file
from aeplug_music.drums.window_shape import groove_shape, hits_shape
from aeplug_music.midi.reading import parse_midi

HITS = DrumCodec(PartConfig(), hits_shape(2))
GROOVE = DrumCodec(PartConfig(), groove_shape(2))
STEP = Q // 4
COWBELL, RIM, OTHER_KICK = 56, 37, 35


def bar(first=0):
    """Kick and snare, played a little late, over hats, and a cowbell."""
    beats = range(first, first + 4 * Q, Q)
    return [
        *(
            (OTHER_KICK, tick + 3, 100 + number)
            for number, tick in enumerate(beats)
            if not number % 2
        ),
        *((38, tick + 9, 90 + number) for number, tick in enumerate(beats) if number % 2),
        *((42, tick, 60) for tick in range(first, first + 4 * Q, Q // 2)),
        (COWBELL, first + Q + 17, 77),
    ]


def band():
    return smf(
        track([*HEAD, (8 * Q, tempo(80))]),
        track([(0, name("Tune")), (0, program(73)), (Q, meta(5, b"la")), *notes(TUNE)]),
        track([(0, name("Kit")), (5, bytes([0xB9, 7, 99])), *strokes(*bar(), *bar(4 * Q))]),
    )


def read(data, folder, codec=HITS):
    path = folder / "tune.mid"
    path.write_bytes(data)
    return codec.read(path)


def joined(document, codec=HITS, change=None):
    """What a model made of a document: its own pieces, after ``change``."""
    pieces = codec.as_pieces(codec.split(document))
    return codec.join(pieces if change is None else change(pieces), {}, document)


def write(document, folder, codec=HITS, **options):
    return codec.write(document, folder / "result", options)[0]


def toggled(step, drum):
    def change(pieces):
        flat = pieces.clone().reshape(-1)
        flat[step] ^= 1 << drum
        return flat.view_as(pieces)

    return change


@st.composite
def any_drum_track(draw, channel=9):
    struck = draw(
        st.lists(
            st.tuples(
                st.sampled_from([35, 36, 37, 38, 40, 42, 46, 49, 51, 56, 60, 75]),
                st.integers(0, 20 * Q),
                st.integers(1, 127),
            ),
            max_size=30,
            # Two strokes of one drum at one time are one event to the parser.
            unique_by=lambda hit: (hit[0], hit[1]),
        )
    )
    controllers = draw(st.lists(st.tuples(st.integers(0, 20 * Q), st.integers(0, 127)), max_size=4))
    return [
        (0, name("Kit")),
        *strokes((38, 0, 80), *(hit for hit in struck if hit[:2] != (38, 0)), channel=channel),
        *((tick, bytes([0xB0 | channel, 7, value])) for tick, value in controllers),
    ]


@st.composite
def any_file(draw):
    signature = draw(st.sampled_from([(4, 4), (4, 4), (3, 4), (12, 8), (6, 8)]))
    head = [(0, metre(*signature))]
    tick = st.integers(0, 20 * Q)
    changes = st.lists(st.tuples(tick, st.sampled_from([50.0, 97.0, 200.0])), max_size=3)
    head += [(since, tempo(bpm)) for since, bpm in draw(changes)]
    if draw(st.booleans()):
        head.append((8 * Q, metre(*draw(st.sampled_from([(4, 4), (3, 4), (12, 8)])))))
    kits = [draw(any_drum_track()) for _ in range(draw(st.integers(1, 2)))]
    tune = [(0, name("Tune")), *notes(TUNE, velocity=draw(st.integers(1, 127)))]
    if draw(st.booleans()):
        return smf(track([*head, *tune, *kits[0]]), kind=0)
    return smf(track(head), track(tune), *map(track, kits))


def made_of(performance, seed, share):
    """The performance with some hits gone, some new and some played otherwise."""
    random = np.random.default_rng(seed)
    passages = []
    for passage in performance.passages:
        velocity, offset = passage.velocity.copy(), passage.offset.copy()
        chosen = random.random(velocity.shape) < share
        velocity[chosen] = random.choice([0, 0, 1, 64, 127], int(chosen.sum()))
        moved = chosen & (random.random(velocity.shape) < 0.5)
        offset[moved] = random.integers(-100, 101, int(moved.sum()))
        passages.append(replace(passage, velocity=velocity, offset=offset * (velocity > 0)))
    return replace(performance, passages=tuple(passages))


@given(any_file())
def test_a_file_whose_hits_no_model_changed_comes_back_event_for_event(data):
    performance = extract_performance(parse_midi(data))
    assert read_tracks(rewrite_file(performance, {})) == read_tracks(data)


@given(any_file())
def test_pieces_that_come_back_unchanged_change_nothing(data):
    performance = extract_performance(parse_midi(data))
    document = Document(performance, "tune")
    for codec in (HITS, GROOVE):
        if not any(passage.metre in ("4/4", "12/8", "6/8") for passage in performance.passages):
            continue
        pieces = codec.as_pieces(codec.split(document))
        result = replace(codec.join(pieces, {}, document).content, origin=performance.origin)
        assert read_tracks(rewrite_file(result, {})) == read_tracks(data)


@given(any_file(), st.integers(0, 2**32 - 1), st.sampled_from([0.02, 0.3]))
def test_whatever_a_model_makes_all_else_comes_back_event_for_event(data, seed, share):
    tune = parse_midi(data)
    performance = extract_performance(tune)
    origin = performance.origin
    result = made_of(performance, seed, share)
    found, before = read_tracks(rewrite_file(result, {})), read_tracks(data)
    assert len(found) == len(before)
    known = {pitch for pitches in PITCHES for pitch in pitches}

    def others(events):
        """All but the hits of the nine drums, in order."""
        return [
            event
            for event in events
            if not (is_note(event[1]) and event[1][0] & 15 == 9 and event[1][1] in known)
        ]

    for events, expected in zip(found, before, strict=True):
        left, right = others(events), others(expected)
        # The end of the track may come later.
        assert left[:-1] == right[:-1]
    # Hits that the result plays as the file does keep tick, pitch and velocity.
    changes = plan_changes(origin, result)
    there = {
        (tick, message[1], message[2])
        for events in found
        for tick, message in events
        if message[0] == 0x99
    }
    stay = (result.velocity == origin.velocity) & (result.offset == origin.offset)
    stay &= origin.velocity > 0
    kept = 0
    for note, cell in enumerate(origin.cell.tolist()):
        if cell < 0 or stay.reshape(-1)[cell]:
            one = (origin.notes.tick[note], origin.notes.pitch[note], origin.notes.velocity[note])
            assert tuple(map(int, one)) in there
            kept += 1
    assert kept + sum(len(change.removed) for change in changes.values()) == len(origin.cell)
    if len(tune.time_signatures) == 1 and not (result.offset[0] < 0).any():
        # Read again, it is what was made.
        again = extract_performance(parse_midi(rewrite_file(result, {})))
        end = min(result.steps, again.steps)
        np.testing.assert_array_equal(again.velocity[:end] > 0, result.velocity[:end] > 0)


def test_kept_hits_keep_their_playing_and_other_percussion_stays(tmp_path):
    document = read(band(), tmp_path)
    assert read_tracks(write(joined(document), tmp_path)) == read_tracks(band())
    found = read_tracks(write(joined(document, change=toggled(6, SNARE)), tmp_path))
    before = read_tracks(band())
    assert found[:2] == before[:2]
    added = [note for note in read_notes(found[2]) if note not in read_notes(before[2])]
    # As late and about as loud as the other snares.
    ((onset, length, pitch, velocity),) = added
    assert (onset, length, pitch) == (6 * STEP, 30, 38)
    assert 90 < velocity < 94
    assert without_notes(found[2]) == without_notes(before[2])
    assert len(read_notes(found[2])) == len(read_notes(before[2])) + 1


def test_a_new_hit_has_the_pitch_that_the_file_has_for_its_drum(tmp_path):
    result = joined(read(band(), tmp_path), change=toggled(3, KICK))
    found = read_notes(read_tracks(write(result, tmp_path))[2])
    assert [note[2] for note in found if note[0] == 3 * STEP] == [OTHER_KICK]


def test_what_is_gone_takes_its_softer_stroke_along(tmp_path):
    flam = (38, 3 * STEP + 50, 30), (RIM, 4 * STEP + 2, 40), (38, 4 * STEP, 100)
    data = smf(
        track([*HEAD, *strokes(*flam, (36, 0, 90), (36, 15 * STEP, 90), (36, 31 * STEP, 90))])
    )
    document = read(data, tmp_path)
    assert read_tracks(write(joined(document), tmp_path)) == read_tracks(data)
    found = read_notes(read_tracks(write(joined(document, change=toggled(4, SNARE)), tmp_path))[0])
    # The grace is nearer to the step before, and the side stick is part of the snare's stroke.
    assert [note[2] for note in found] == [36, 38, 36, 36]


def test_a_kit_over_several_tracks_stays_there_and_one_line_names_them(tmp_path, capsys):
    parts = [
        track([(0, name("Kick")), *strokes(*(hit for hit in bar() if hit[0] == OTHER_KICK))]),
        track([(0, name("Rest")), *strokes(*(hit for hit in bar() if hit[0] != OTHER_KICK))]),
    ]
    data = smf(track(HEAD), track([(0, name("Tune")), *notes(TUNE)]), *parts)
    document = read(data, tmp_path)
    said = capsys.readouterr().err
    assert "drums: tracks 2 'Kick', 3 'Rest'" in said
    assert "others: 1 note of percussion, 1 track\n" in said
    found = read_tracks(write(joined(document, change=toggled(3, KICK)), tmp_path))
    before = read_tracks(data)
    assert [one == other for one, other in zip(found, before, strict=True)] == [
        *(True, True, False, True)
    ]
    alone = read_tracks(write(joined(document), tmp_path, only=True))
    assert alone == [before[0], *before[2:]]


def test_another_playing_moves_the_stroke_and_nothing_else(tmp_path):
    document = read(band(), tmp_path, GROOVE)

    def louder_and_later(pieces):
        values = pieces.clone()
        values[0, 4, 9 + SNARE], values[0, 4, 18 + SNARE] = 1.0, 0.25
        return values

    result = joined(document, GROOVE, louder_and_later)
    found, before = read_tracks(write(result, tmp_path)), read_tracks(band())
    gone = [note for note in read_notes(before[2]) if note not in read_notes(found[2])]
    come = [note for note in read_notes(found[2]) if note not in read_notes(before[2])]
    assert gone == [(Q + 9, 30, 38, 91)]
    assert come == [(Q + STEP // 4, 30, 38, 127)]
    assert found[:2] == before[:2]


def test_taps_become_drums_alone(tmp_path):
    data = smf(track([*HEAD, *notes(TUNE)]))
    codec = GROOVE.with_options({"given": "rhythm"})
    path = tmp_path / "taps.mid"
    path.write_bytes(data)
    document = codec.read(path)
    result = codec.join(codec.as_pieces(codec.split(document)), {}, document)
    tune = parse_midi(write(result, tmp_path, codec).read_bytes())
    assert [one.is_drum for one in tune.tracks] == [True]


def test_a_tempo_scales_the_map(tmp_path):
    tune = parse_midi(write(joined(read(band(), tmp_path)), tmp_path, tempo=50).read_bytes())
    assert [(tick, round(60e6 / value)) for tick, value in tune.tempos] == [(0, 50), (8 * Q, 40)]


def test_what_lies_between_files_belongs_to_none(tmp_path):
    document = replace(read(band(), tmp_path), source=None)
    tune = parse_midi(write(joined(document), tmp_path).read_bytes())
    assert [one.is_drum for one in tune.tracks] == [True]


def test_bars_that_are_added_follow_the_drums_and_all_else_stays(tmp_path):
    document = read(band(), tmp_path)
    piece = torch.zeros(1, 2 * BAR, dtype=torch.int64)
    piece[0, 4] = 1 << SNARE
    found = read_tracks(write(HITS.append_pieces(document, piece, {}), tmp_path))
    before = read_tracks(band())
    assert found[:2] == before[:2]
    assert without_notes(found[2]) == without_notes(before[2])
    *old, new = read_notes(found[2])
    assert old == read_notes(before[2])
    onset, _, pitch, velocity = new
    assert (onset, pitch) == (8 * Q + 4 * STEP + 9, 38)
    assert 90 < velocity < 94


def test_silent_windows_and_other_metres_stay(tmp_path, capsys):
    struck = [*bar(), *bar(4 * 4 * Q)]
    data = smf(track([*HEAD, (20 * Q, metre(3, 4)), *strokes(*struck, (38, 21 * Q, 70))]))
    document = read(data, tmp_path)
    assert "others: 2 notes of percussion, bars in 3/4\n" in capsys.readouterr().err
    pieces = HITS.as_pieces(HITS.split(document))
    assert HITS.is_blank(pieces, {}).tolist() == [False, True, False]
    filled = torch.where(HITS.is_blank(pieces, {})[:, None], pieces, pieces | 1 << SNARE)
    found = read_notes(read_tracks(write(HITS.join(filled, {}, document), tmp_path))[0])
    assert not [note for note in found if 8 * Q <= note[0] < 16 * Q - STEP]
    assert [note for note in found if note[0] >= 20 * Q] == [(21 * Q, 30, 38, 70)]


@pytest.mark.parametrize(
    "verb",
    [
        ("reconstruct", "drums-2bar"),
        ("vary", "drums-2bar", "--similarity", "0.5", "-n", "2"),
        ("reconstruct", "groove", "--given", "score"),
        ("continue", "drums-2bar", "--bars", "4", "-n", "1"),
    ],
    ids=lambda verb: "-".join(verb[:2]),
)
def test_with_the_models_that_ship_all_else_of_a_file_stays(verb, invoke, tmp_path):
    source = tmp_path / "band.mid"
    source.write_bytes(band())
    out = tmp_path / "out"
    command, model, *rest = verb
    result = invoke(command, model, source, *rest, "--out", out, "--device", "cpu", "--json")
    assert result.code == 0, result.err
    written = sorted(out.glob("*.mid"))
    assert written
    before = read_tracks(band())
    cowbells = [note for note in read_notes(before[2]) if note[2] == COWBELL]
    for path in written:
        found = read_tracks(path)
        assert found[:2] == before[:2]
        assert without_notes(found[2]) == without_notes(before[2])
        assert [note for note in read_notes(found[2]) if note[2] == COWBELL] == cowbells
        if command == "reconstruct" and model == "drums-2bar":
            assert read_notes(found[2]) == read_notes(before[2])
        if command == "continue":
            there = [note for note in read_notes(found[2]) if note[0] < 8 * Q]
            assert there == read_notes(before[2])
            assert parse_midi(path.read_bytes()).end > 12 * Q
