"""Trees over bars: levels, what a conductor hands on, the hierarchical melody parts."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from aeplug.config import resolve
from aeplug.interfaces import Context, Sampling
from aeplug.model.task import Task
from aeplug.plugins import active
from aeplug_music.melodies.dataset import melody_shape
from aeplug_music.melodies.hierarchical import (
    HierarchicalDecoder,
    HierarchicalEncoder,
    split_into_bars,
)
from aeplug_music.melodies.prepare import PrepareMelodies
from aeplug_music.melodies.sample_structure import compare_structure, shuffle_pieces
from aeplug_music.melodies.stepwise import START, Past, history, lags_in_steps
from aeplug_music.nets.hierarchy import Conductor, Gatherer, tree_levels, tree_widths
from aeplug_music.nets.history import AGREEMENTS, agreement, corrupt_history
from aeplug_music.nets.reference_pitch import estimate_reference, to_relative
from aeplug_music.score.tokens import FIRST_ONSET, HOLD

METRES = ("4/4", "6/8", "2/4")
BARS = (16, 12, 8)


def windows(count: int, bars: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Tokens ``(count, 16 * bars)`` with a third of the steps onsets, and metres."""
    generator = torch.Generator().manual_seed(seed)
    metre = torch.arange(count) % 3
    tokens = torch.randint(40, 60, (count, 16 * bars), generator=generator)
    tokens *= torch.rand(tokens.shape, generator=generator) < 0.33
    inside = torch.arange(16 * bars) < bars * torch.tensor(BARS)[metre].unsqueeze(1)
    return tokens * inside, metre


@given(st.integers(1, 256))
def test_levels_chosen_give_so_many_bars(bars: int) -> None:
    levels = tree_levels(bars)
    product = 1
    for fan in levels:
        product *= fan
    assert product == bars
    assert all(fan == 4 for fan in levels[1:])


def test_levels_that_do_not_fit_say_so() -> None:
    assert tree_levels(16, (2, 2, 4)) == (2, 2, 4)
    assert tree_levels(64) == (4, 4, 4)
    with pytest.raises(ValueError, match=r"\(4, 5\) give 20 bars, a window has 16"):
        tree_levels(16, (4, 5))


def test_a_tree_narrows_evenly_towards_its_bars() -> None:
    assert tree_widths((4, 4), 288) == (288, 288, 288)
    assert tree_widths((4, 4), 576, 256) == (576, 384, 256)
    assert tree_widths((8,), 512, 256) == (512, 256)
    assert tree_widths((4, 4), 8, 8) == (8, 8, 8)
    assert tree_widths((4, 4), 32, 64) == (32, 32, 32)


@pytest.mark.parametrize("bar_width", [0, 5])
@pytest.mark.parametrize("levels", [(1,), (2,), (4, 4), (2, 3, 2)])
def test_up_and_down_the_tree(levels: tuple[int, ...], bar_width: int) -> None:
    torch.manual_seed(0)
    bars = tree_levels(int(torch.tensor(levels).prod()), levels)
    count = int(torch.tensor(bars).prod())
    widths = tree_widths(levels, 8, bar_width)
    down, up = Conductor(bars, widths, 16, 1), Gatherer(bars, widths, 16, 1)
    x = torch.randn(3, 8)
    below = down(x)
    assert below.shape == (3, count, bar_width or 8)
    assert up(below).shape == (3, 8)
    # Every bar reaches the top, and bars under one parent are told apart.
    for bar in range(count):
        changed = below.clone()
        changed[:, bar] += torch.randn(widths[-1])
        assert not torch.allclose(up(changed), up(below))
    if count > 1:
        assert not torch.allclose(below[:, 0], below[:, 1])


@given(st.integers(0, 300))
@settings(deadline=None, max_examples=20)
def test_the_past_kept_step_by_step_is_the_history(seed: int) -> None:
    tokens, metre = windows(6, 16, seed)
    tokens[:, 3] = 1
    bar, back = torch.tensor(BARS)[metre], (1, 2, 4, 8)
    before = torch.nn.functional.pad(tokens[:, :-1], (1, 0), value=START)
    whole, agreements = history(before, bar, back), agreement(before, lags_in_steps(bar, back))
    past = Past(6, bar, back)
    for step in range(150):
        assert torch.equal(past.views()[:, 0], whole[:, step])
        assert torch.equal(past.agreements()[:, 0], agreements[:, step])
        past.add(tokens[:, step])


def test_a_step_knows_how_long_it_has_repeated() -> None:
    tokens, metre = windows(3, 16)
    tokens[0, 8 * 16 :] = tokens[0, : 8 * 16]
    before = torch.nn.functional.pad(tokens[:, :-1], (1, 0), value=START)
    found = agreement(before, lags_in_steps(torch.tensor(BARS)[metre], (1, 8)))
    assert (found[0, : 8 * 16 + 1, 1] == AGREEMENTS - 1).all()  # nothing stood there
    assert found[0, 8 * 16 + 1, 1] == 1
    assert found[0, 8 * 16 + 8, 1] == 3
    assert (found[0, 8 * 16 + 40 :, 1] == AGREEMENTS - 2).all()
    assert found[1, 8 * 12 + 40 :, 1].max() < AGREEMENTS - 2


def test_bars_of_every_metre_stand_at_their_place() -> None:
    tokens, metre = windows(6, 4)
    bar = torch.tensor(BARS)[metre]
    cut = split_into_bars(tokens, bar, 4, 16)
    assert cut.shape == (6, 4, 16)
    for row, length in enumerate(bar.tolist()):
        joined = torch.cat([cut[row, number, :length] for number in range(4)])
        assert torch.equal(joined, tokens[row, : 4 * length])
        assert (cut[row, :, length:] == HOLD).all()


def test_greedy_generation_agrees_with_teacher_forcing() -> None:
    torch.manual_seed(0)
    shape = melody_shape(8, METRES)
    decoder = HierarchicalDecoder(HierarchicalDecoder.Config(width=32), shape, (16,)).eval()
    z, metre = torch.randn(9, 16) * 3, torch.arange(9) % 3
    tokens = decoder.generate(z, Context(cond={"metre": metre}), Sampling(greedy=True))
    lengths = 8 * torch.tensor(BARS)[metre]
    beyond = torch.arange(128) >= lengths.unsqueeze(1)
    assert (tokens[beyond] == HOLD).all()
    # Forced along its own tokens, relative to its own reference, it says the same again.
    output = decoder(z, Context(cond={"metre": metre}, target=tokens), {})
    assert output.reference is not None
    own = output.reference.argmax(1)
    agrees = own == estimate_reference(tokens)
    forced = output.logits.argmax(-1)
    wanted = to_relative(tokens, own)
    inside = ~beyond & agrees.unsqueeze(1)
    assert torch.equal(forced[inside], wanted[inside])


def test_the_encoder_ignores_what_lies_beyond_the_metre() -> None:
    torch.manual_seed(0)
    shape = melody_shape(4, METRES)
    encoder = HierarchicalEncoder(HierarchicalEncoder.Config(width=32), shape).eval()
    tokens, metre = windows(6, 4)
    features = encoder(tokens, Context(cond={"metre": metre}))
    bar = torch.tensor(BARS)[metre]
    for row in range(6):
        for number in range(4):
            changed = tokens.clone()
            place = number * int(bar[row])
            changed[row, place] = 50 if changed[row, place] != 50 else 51
            again = encoder(changed, Context(cond={"metre": metre}))
            assert not torch.allclose(again[row], features[row])
            others = torch.arange(6) != row
            assert torch.allclose(again[others], features[others], atol=1e-5)


def test_sixteen_bars_can_be_learnt_and_come_back() -> None:
    plugins = active()
    config = resolve(
        plugins.task("melody-16bar"),
        plugins,
        {"latent.size": 32, "loss.beta": 0.01, "encoder.width": 128, "decoder.width": 128},
        {"data.metres": METRES},
    )
    torch.manual_seed(0)
    shape = melody_shape(16, METRES)
    task = Task(config, shape)
    tokens, metre = windows(3, 16)
    prepare = PrepareMelodies(PrepareMelodies.Config(), shape)
    batch = prepare({"tokens": tokens, "metre": metre}, torch.Generator(), training=False)
    optimizer = torch.optim.Adam(task.parameters(), 5e-3)
    schedule_values = task.new_schedule_values(torch.device("cpu"))
    task.update_schedules(schedule_values, 1, 1)
    for _ in range(80):
        loss = task(batch, schedule_values)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert [name for name, p in task.named_parameters() if p.grad is None] == []
    task.eval()
    posterior, context = task.encode(batch.input, batch.context(with_target=False))
    again = task.decoder.generate(posterior.mode(), context, Sampling(greedy=True))
    assert (again == batch.target).float().mean() > 0.97


def test_levels_are_a_setting() -> None:
    plugins = active()
    task = plugins.task("melody-16bar")
    config = resolve(task, plugins, {"decoder.levels": [2, 2, 2, 2]})
    built = Task(config, melody_shape(16, METRES))
    assert built.decoder.conductor.levels == (2, 2, 2, 2)


class TestStructure:
    def repeating(self) -> tuple[Tensor, Tensor]:
        """Tunes whose bars 9 to 16 are bars 1 to 8."""
        tokens, metre = windows(60, 16, seed=3)
        for row, length in enumerate(torch.tensor(BARS)[metre].tolist()):
            tokens[row, 8 * length : 16 * length] = tokens[row, : 8 * length]
        return tokens, metre

    def test_windows_end_to_end_are_told_from_tunes(self) -> None:
        tokens, metre = self.repeating()
        other = tokens.roll(3, 0)  # the metres stay
        found = compare_structure(other, tokens, other, metre, melody_shape(16, METRES))
        assert found["equal"]["samples"] < 0.01
        assert found["equal"]["floor"] > 0.03

    def test_end_to_end_keeps_metre_and_pieces(self) -> None:
        tokens, metre = self.repeating()
        bar = torch.tensor(BARS)[metre]
        laid = shuffle_pieces(tokens, metre, bar, 16)
        pieces = {
            tuple((row[start : start + 2 * length] >= FIRST_ONSET).tolist())
            for row, length in zip(tokens, bar.tolist(), strict=True)
            for start in range(0, 16 * length, 2 * length)
        }
        for row, length in zip(laid, bar.tolist(), strict=True):
            for start in range(0, 16 * length, 2 * length):
                piece = tuple((row[start : start + 2 * length] >= FIRST_ONSET).tolist())
                assert piece in pieces
            assert (row[16 * length :] == HOLD).all()


def test_noise_is_what_stood_at_the_same_step_of_another_window() -> None:
    torch.manual_seed(0)
    past = torch.arange(40).unsqueeze(1) * 1000 + torch.arange(64)
    heard = corrupt_history(past, 0.2)
    assert torch.equal(heard % 1000, past % 1000)
    wrong = (heard != past).float().mean(1)
    assert 0.1 < wrong.mean() < 0.3
    assert wrong.min() < 0.1  # some windows are heard nearly as they are
    assert wrong.max() > 0.25
    assert torch.equal(corrupt_history(past, 0.0), past)


def test_the_parts_of_a_drum_are_corrupted_together() -> None:
    torch.manual_seed(0)
    past = torch.arange(20).view(20, 1, 1, 1).expand(20, 32, 9, 3)
    heard = corrupt_history(past, 0.3)
    assert (heard == heard[..., :1]).all()
    assert not (heard == heard[:, :, :1]).all()


def test_a_past_is_corrupted_in_training_alone() -> None:
    torch.manual_seed(0)
    shape = melody_shape(4, METRES)
    config = HierarchicalDecoder.Config(width=32, token_noise=0.3)
    decoder = HierarchicalDecoder(config, shape, (16,))
    tokens, metre = windows(6, 4)
    z, context = torch.randn(6, 16), Context(cond={"metre": metre}, target=tokens)

    def logits() -> Tensor:
        return decoder(z, context, {}).logits

    assert not torch.equal(logits(), logits())
    decoder.eval()
    assert torch.equal(logits(), logits())
