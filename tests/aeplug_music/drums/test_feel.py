"""New hits are played as those around them: as loud, as late, and in triplets where those are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from music_files import Q, metre, read_notes, read_tracks, smf, strokes, tempo, track

from aeplug.config import PartConfig
from aeplug.errors import FileError
from aeplug_music.drums.codec import DrumCodec
from aeplug_music.drums.feel import Grid
from aeplug_music.drums.kit import BAR, KICK, RIDE, SNARE
from aeplug_music.drums.window_shape import groove_shape, hits_shape
from aeplug_music.midi.reading import parse_midi

HITS = DrumCodec(PartConfig(), hits_shape(2))
GROOVE = DrumCodec(PartConfig(), groove_shape(2))
THIRD = Q // 3


def kit(struck, signature=(4, 4)):
    return smf(track([(0, tempo(110)), (0, metre(*signature)), *strokes(*struck)]))


def shuffle(bars=4, beat=Q, third=2 / 3):
    """The ride on the first and third of three, backbeats on the snare; the last bar is full."""
    struck = []
    for number in range(4 * bars):
        struck += [(51, number * beat, 90), (51, round((number + third) * beat), 60)]
        struck.append((36 if number % 2 == 0 else 38, number * beat, 100))
    return struck


def read(data, folder, codec=HITS):
    path = folder / "tune.mid"
    path.write_bytes(data)
    return codec.read(path)


def everything(document, folder, codec=HITS):
    """Onsets of the file with every drum on every step."""
    pieces = codec.as_pieces(codec.split(document))
    if codec is HITS:
        pieces = torch.full_like(pieces, 511)
    else:  # what was there stays as it was, what is new is on the step
        hit, velocity, offset = pieces.split(9, -1)
        velocity = torch.where(hit > 0, velocity, 0.5)
        pieces = torch.cat([torch.ones_like(hit), velocity, offset], -1)
    (path,) = codec.write(codec.join(pieces, {}, document), folder / "result", {})
    return sorted({note[0] for note in read_notes(read_tracks(path)[0])})


@pytest.mark.parametrize("codec", [HITS, GROOVE], ids=["hits", "groove"])
def test_in_a_shuffle_new_hits_lie_on_triplets(tmp_path, codec):
    document = read(kit(shuffle()), tmp_path, codec)
    assert Grid.of(document.content).in_triplets.all()
    onsets = everything(document, tmp_path, codec)
    assert {tick % Q for tick in onsets} == {0, THIRD, 2 * THIRD}
    assert len(onsets) == 4 * 4 * 3


def test_swung_notes_are_followed_as_far_as_they_are_swung(tmp_path):
    onsets = everything(read(kit(shuffle(third=0.62)), tmp_path), tmp_path)
    assert {tick % Q for tick in onsets} == {0, THIRD, round(0.62 * Q)}


def test_a_fill_in_triplets_is_one_in_a_straight_tune(tmp_path):
    straight = [(42, number * Q // 2, 80) for number in range(24)]
    fill = [(45, 12 * Q + number * THIRD, 90) for number in range(12)]
    document = read(kit([*straight, *fill]), tmp_path)
    assert Grid.of(document.content).in_triplets.reshape(4, BAR).all(1).tolist() == [
        *(False, False, False, True)
    ]
    onsets = everything(document, tmp_path)
    assert {tick % Q for tick in onsets if tick < 12 * Q} == {0, Q // 4, Q // 2, 3 * Q // 4}
    assert {tick % Q for tick in onsets if tick >= 12 * Q} == {0, THIRD, 2 * THIRD}


def test_a_player_who_is_always_ahead_plays_no_triplets(tmp_path):
    ahead = [(42, max(number * Q // 4 - 36, 0), 80) for number in range(64)]
    grid = Grid.of(read(kit(ahead), tmp_path).content)
    assert not grid.in_triplets.any()


@pytest.mark.parametrize(("signature", "bars"), [((12, 8), 4), ((6, 8), 8)])
def test_a_blues_in_dotted_beats_goes_through_models_of_4_4(tmp_path, signature, bars):
    data = kit(shuffle(beat=3 * Q // 2), signature)
    document = read(data, tmp_path)
    assert HITS.split(document)["velocity"].shape[0] == 2
    pieces = HITS.as_pieces(HITS.split(document))
    (path,) = HITS.write(HITS.join(pieces, {}, document), tmp_path / "same", {})
    assert read_tracks(path) == read_tracks(data)
    onsets = everything(document, tmp_path)
    assert {tick % (Q // 2) for tick in onsets} == {0}
    assert max(onsets) < bars * 4 * Q * signature[0] / signature[1]
    # Alone, without its file, it lasts as long and lies on the same beats.
    alone = HITS.chain([document], "alone")
    (path,) = HITS.write(alone, tmp_path / "alone", {})
    tune = parse_midi(path.read_bytes())
    assert tune.time_signatures == [(0, *signature)]
    scale = tune.ticks_per_quarter / Q
    assert np.allclose(
        tune.tracks[0].onset,
        sorted(tick * scale for _, tick, _ in shuffle(beat=3 * Q // 2)),
        atol=2,
    )


def test_what_follows_a_shuffle_is_one(tmp_path):
    document = read(kit(shuffle()), tmp_path)
    pieces = torch.full((2, 2 * BAR), 1 << RIDE | 1 << KICK)
    result = HITS.append_pieces(document, pieces, {})
    (path,) = HITS.write(result, tmp_path / "more", {})
    found = read_notes(read_tracks(path)[0])
    assert [note for note in found if note[0] < 16 * Q] == read_notes(
        read_tracks(tmp_path / "tune.mid")[0]
    )
    new = [note for note in found if note[0] >= 16 * Q]
    assert {tick % Q for tick, *_ in new} == {0, THIRD, 2 * THIRD}
    assert max(tick for tick, *_ in new) == 32 * Q - THIRD
    # Rides on the third are as soft as they were.
    assert {loud for tick, _, pitch, loud in new if pitch == 36} == {100}


def test_ghost_notes_and_accents_stay_what_they_are(tmp_path):
    snare = [(38, 4 * Q * bar + Q * beat, 110) for bar in range(2) for beat in (1, 3)]
    ghosts = [(38, 4 * Q * bar + 7 * Q // 4, 25) for bar in range(2)]
    document = read(kit([*snare, *ghosts]), tmp_path)
    pieces = torch.zeros(1, 2 * BAR, dtype=torch.int64)
    pieces[0, [4, 7, 12, 15]] = 1 << SNARE
    added = HITS.append_pieces(document, pieces, {}).content.velocity[2 * BAR :, SNARE]
    # The last is where no snare was, but at the place in the beat of ghost notes.
    assert added[[4, 7, 12, 15]].tolist() == [110, 25, 110, 25]


def test_a_page_of_a_long_continuation_shows_where_it_goes_on(tmp_path):
    document = read(kit(shuffle(24)), tmp_path)
    pieces = torch.full((2, 2 * BAR), 1 << RIDE)
    result = HITS.append_pieces(document, pieces, {})
    assert result.content.continued_at == 24 * BAR
    pages = []
    for name, one in (("whole", result), ("cut", HITS.append_pieces(document, pieces[:1], {}))):
        HITS.sheet([("input", [document]), ("", [one])], tmp_path / f"{name}.png", "")
        pages.append((tmp_path / f"{name}.png").read_bytes())
    # The two differ in their last bars alone.
    assert pages[0] != pages[1]


def test_context_is_whole_windows_to_the_end(tmp_path):
    struck = [(38, number * 4 * Q, 10 * (number + 1)) for number in range(5)]
    raw = HITS.context_pieces(read(kit(struck), tmp_path))
    assert raw["velocity"][:, ::BAR, SNARE].tolist() == [[20, 30], [40, 50]]
    # A single bar stands at the end of the window, next to what follows.
    raw = HITS.context_pieces(read(kit(struck[:1]), tmp_path))
    assert raw["velocity"][:, ::BAR, SNARE].tolist() == [[0, 10]]
    with pytest.raises(FileError, match="is in 3/4; drums are learnt in 4/4"):
        HITS.context_pieces(read(kit(struck[:1], (3, 4)), tmp_path))
