"""The parts of the drum models: augmentation, exact combinations, grids, what is kept, figures."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from aeplug.config import resolve
from aeplug.data.opening import build_prepare
from aeplug.data.splits import TensorSplit
from aeplug.errors import ConfigError, DataError
from aeplug.interfaces import Batch, Context, DataShape, Sampling
from aeplug.model.model import Model
from aeplug.model.task import Task
from aeplug.plugins import active
from aeplug_music.drums import attributes
from aeplug_music.drums.augmentation import Chances, augment
from aeplug_music.drums.dataset import DrumSplit
from aeplug_music.drums.evaluation import evaluate_groove, evaluate_hits
from aeplug_music.drums.groove import OFFSET_GRID, VELOCITIES, GrooveDecoder, ValueGrid
from aeplug_music.drums.hits import DrumDecoder, HitOutput, combination_logits
from aeplug_music.drums.kit import BAR, CLOSED_HAT, COMBINATIONS, DRUMS, KICK, RIDE, SNARE
from aeplug_music.drums.prepare import (
    PrepareDrums,
    PrepareGroove,
    build_encoder_input,
    reduce_to_rhythm,
)
from aeplug_music.drums.steps import Past
from aeplug_music.drums.window_shape import (
    FORMS,
    bits_to_combination,
    combination_to_bits,
    groove_shape,
    hits_shape,
)
from aeplug_music.nets.history import AGREEMENTS

NONE = dict.fromkeys(Chances.__dataclass_fields__, 0.0)
GREEDY = Sampling(greedy=True)


def rows(count: int, bars: int = 2, seed: int = 0) -> dict[str, Tensor]:
    """Windows as a data set gives them."""
    generator = torch.Generator().manual_seed(seed)
    size = (count, bars * BAR, DRUMS)
    hits = torch.rand(size, generator=generator) < 0.2
    velocity = torch.randint(1, 128, size, generator=generator) * hits
    offset = torch.randint(-128, 128, size, generator=generator) * hits
    bpm = 60 + 120 * torch.rand(count, generator=generator)
    return {"velocity": velocity.to(torch.uint8), "offset": offset.to(torch.int8), "bpm": bpm}


def built(task: str, bars: int = 2, **settings: Any) -> Model:
    """A small model with weights as they begin."""
    small = {"encoder.width": 32, "decoder.width": 32, "latent.size": 8, "data.bars": bars}
    small |= {"encoder.hidden": 32, "decoder.hidden": 32, "decoder.step_width": 24}
    config = resolve(active().task(task), active(), {**small, **settings})
    shape = groove_shape(bars) if task == "groove" else hits_shape(bars)
    torch.manual_seed(0)
    return Model(config, Task(config, shape), torch.device("cpu"))


def values_of(raw: dict[str, Tensor]) -> Tensor:
    velocity, offset = raw["velocity"].float(), raw["offset"].float()
    return torch.stack([(velocity > 0).float(), velocity, offset], -1)


@given(st.integers(0, COMBINATIONS - 1))
def test_bits_and_combinations_are_one_another(number):
    assert bits_to_combination(combination_to_bits(torch.tensor(number))).item() == number


class TestAugmentation:
    def test_values_of_a_drum_stay_together(self):
        raw = rows(64)
        values = values_of(raw)
        known = {tuple(one) for one in values.reshape(-1, 3).tolist()}
        all_of_it = Chances(**dict.fromkeys(NONE, 1.0))
        found = augment(values, all_of_it, torch.Generator().manual_seed(1))
        assert found.shape == values.shape
        assert {tuple(one) for one in found.reshape(-1, 3).tolist()} <= known
        assert not torch.equal(found, values)

    @pytest.mark.parametrize("name", NONE)
    def test_each_does_what_it_says(self, name):
        values = values_of(rows(64, bars=16 if name == "rearranged" else 2))[..., :1]
        chances = Chances(**(NONE | {name: 1.0}))
        found = augment(values, chances, torch.Generator().manual_seed(2))
        changed = (found != values).flatten(1).any(1).float().mean()
        assert changed > 0.5
        if name == "rotated":
            rolls = torch.stack([values.roll(-4 * by, 1) for by in range(8)])
            assert (rolls == found).flatten(2).all(2).any(0).all()
        if name == "recombined":
            assert torch.equal(found[:, :BAR], values[:, :BAR])
        if name == "rearranged":
            bars = values.unflatten(1, (-1, BAR))
            known = {tuple(one) for one in bars.flatten(0, 1).flatten(1).tolist()}
            made = found.unflatten(1, (-1, BAR)).flatten(2)
            assert {tuple(one) for one in made.flatten(0, 1).tolist()} <= known
            # In whole phrases, of its own and of other windows.
            moved = (made != bars.flatten(2)).any(2)
            assert 0.25 < moved.float().mean() < 0.5
            within = (made.unsqueeze(2) == bars.flatten(2).unsqueeze(1)).all(3).any(2)
            assert 0.7 < within.float().mean() < 0.95
        if name == "mixed":
            assert torch.equal(found[:, :, [KICK, SNARE]], values[:, :, [KICK, SNARE]])
        if name == "dropped":
            assert (values - found).min() >= 0
            assert ((values != found).any(1).sum((1, 2)) <= 1).all()
        if name == "swapped":
            assert torch.equal(found.sum((1, 2, 3)), values.sum((1, 2, 3)))
        if name == "edited":
            assert 0.01 < (found != values).float().mean() < 0.05

    def test_nothing_is_done_with_no_chance_and_the_same_with_the_same_seed(self):
        values = values_of(rows(16))
        assert torch.equal(augment(values, Chances(**NONE), torch.Generator()), values)
        prepare = PrepareDrums(PrepareDrums.Config(), groove_shape(2))
        raw = rows(64)
        first, again, other = (
            prepare(raw, torch.Generator().manual_seed(seed), True).input for seed in (1, 1, 2)
        )
        assert torch.equal(first, again)
        assert not torch.equal(first, other)


class TestCombinations:
    @given(st.integers(0, 1000))
    @settings(max_examples=20, deadline=None)
    def test_they_are_a_distribution_and_each_has_its_own_likelihood(self, seed):
        generator = torch.Generator().manual_seed(seed)
        alone = 3 * torch.randn(1, 4, DRUMS, generator=generator)
        weights = 2 * torch.randn(DRUMS, DRUMS, generator=generator).tril(-1)
        logits = combination_logits(alone[0], weights)
        torch.testing.assert_close(logits.logsumexp(-1), torch.zeros(4), atol=1e-4, rtol=0)
        output = HitOutput(alone, weights)
        tokens = torch.randint(COMBINATIONS, (1, 4), generator=generator)
        expected = -logits.gather(1, tokens[0].unsqueeze(1)).sum()
        nll = output.nll(tokens, torch.tensor([4]))
        torch.testing.assert_close(nll[0], expected, atol=1e-3, rtol=1e-4)
        assert output.nll(tokens, torch.tensor([2]))[0] < nll[0]
        best = output.most_likely()
        assert (output.nll(best, torch.tensor([4])) <= nll + 1e-4).all()
        torch.testing.assert_close(best[0], logits.argmax(-1))

    @pytest.mark.parametrize("agreement", [False, True])
    @pytest.mark.parametrize("bars", [1, 2, 16])
    def test_step_by_step_is_as_with_teacher_forcing(self, bars, agreement):
        model = built("drums-2bar", bars, **{"decoder.agreement": agreement})
        decoder = model.task.decoder
        torch.nn.init.normal_(decoder.hits.chain, std=0.5)
        z = torch.randn(3, 8)
        made = decoder.generate(z, Context(), GREEDY)
        assert made.shape == (3, bars * BAR)
        forced = decoder(z, Context(target=made), {}).most_likely()
        assert torch.equal(made, forced)

    def test_a_step_sees_nothing_of_itself_or_later(self):
        steps = built("drums-2bar").task.decoder.steps
        values = combination_to_bits(torch.randint(COMBINATIONS, (2, 2 * BAR)))
        other = values.clone()
        other[:, 20:] = 1 - other[:, 20:]
        before, after = steps.history(values), steps.history(other)
        assert torch.equal(before[:, :21], after[:, :21])
        assert not torch.equal(before[:, 21:], after[:, 21:])
        past = Past(steps, 2, torch.device("cpu"))
        for step in range(2 * BAR):
            torch.testing.assert_close(past.views()[:, 0], before[:, step])
            past.add(values[:, step])

    @pytest.mark.parametrize("task", ["drums-16bar", "groove"])
    def test_a_step_sees_how_long_the_hits_have_been_the_same(self, task):
        steps = built(task, 4, **{"decoder.agreement": True}).task.decoder
        steps = steps.steps
        values = torch.rand(2, 4 * BAR, steps.values)
        values[..., :DRUMS] = combination_to_bits(torch.randint(COMBINATIONS, (2, 4 * BAR)))
        values[0, 2 * BAR :, :DRUMS] = values[0, : 2 * BAR, :DRUMS]
        whole = steps.history(values)
        lags = whole[..., -len(steps.lags) * AGREEMENTS :].unflatten(2, (-1, AGREEMENTS))
        assert steps.lags == (BAR, 2 * BAR)
        assert (lags.sum(3) == 1).all()
        two_bars = lags[:, :, 1].argmax(2)
        assert (two_bars[:, : 2 * BAR + 1] == AGREEMENTS - 1).all()  # nothing stood there
        assert two_bars[0, 2 * BAR + 1] == 1
        assert two_bars[0, -1] == AGREEMENTS - 2
        assert two_bars[1, 2 * BAR + 1 :].max() < 3
        past = Past(steps, 2, torch.device("cpu"))
        for step in range(4 * BAR):
            torch.testing.assert_close(past.views()[:, 0], whole[:, step])
            past.add(values[:, step])

    def test_temperature_sharpens(self):
        model = built("drums-2bar")
        z = torch.randn(64, 8)

        def hits(temperature: float) -> float:
            sampling = Sampling(temperature, generator=torch.Generator().manual_seed(0))
            made = model.task.decoder.generate(z, Context(), sampling)
            return float(combination_to_bits(made).std(0).mean())

        assert hits(0.05) < hits(1.0)

    def test_parts_of_the_other_kind_say_so(self):
        with pytest.raises(ValueError, match="combinations"):
            DrumDecoder(DrumDecoder.Config(), groove_shape(2), (4,))
        with pytest.raises(ValueError, match="velocity and timing"):
            GrooveDecoder(GrooveDecoder.Config(), hits_shape(2), (4,))
        with pytest.raises(ConfigError, match="drum parts take bars of 16 steps"):
            Task(resolve(active().task("drums-2bar"), active(), {}), DataShape((20,), (20,), 512))


class TestGrids:
    @given(st.floats(-0.2, 1.2), st.floats(-5.5, 1.0))
    @settings(deadline=None)
    def test_probabilities_sum_to_one(self, location, scale):
        for grid in (VELOCITIES, OFFSET_GRID):
            count = round((grid.high - grid.low) / grid.step) + 1
            values = grid.low + torch.arange(count) * grid.step
            played = torch.tensor([location, scale]).expand(count, 2)
            total = grid.log_prob(values, played).exp().sum()
            assert float(total) == pytest.approx(1, abs=2e-3)

    def test_the_likeliest_is_nearest_to_the_location_and_draws_spread_with_temperature(self):
        grid = ValueGrid(0.0, 1.0, 0.25)
        played = torch.tensor([[0.3, -3.0], [0.4, -3.0], [-2.0, -3.0], [9.0, -3.0]])
        assert grid.sample_values(played, GREEDY).tolist() == [0.25, 0.5, 0.0, 1.0]
        many = torch.tensor([0.5, -3.0]).expand(2000, 2)
        samplings = [
            Sampling(temperature, generator=torch.Generator().manual_seed(0))
            for temperature in (0.3, 1.0)
        ]
        spread = [float(VELOCITIES.sample_values(many, one).std()) for one in samplings]
        # A logistic's standard deviation is its scale times pi over the square root of 3.
        assert spread[1] == pytest.approx(math.exp(-3) * math.pi / 3**0.5, rel=0.1)
        assert spread[0] == pytest.approx(0.3 * spread[1], rel=0.1)


class TestGroove:
    def test_forms_show_what_they_say_and_no_more(self):
        raw = rows(32)
        prepare = PrepareGroove(PrepareGroove.Config(), groove_shape(2))
        batches = {
            f: prepare.with_options({"given": f})(raw, torch.Generator(), False) for f in FORMS
        }
        target = batches["all"].target
        for batch in batches.values():
            assert torch.equal(batch.target, target)
        played, taps, kept = batches["all"].input.split((27, 3, 1), -1)
        assert torch.equal(played, target)
        assert not (taps.any() or kept.any())
        played, taps, kept = batches["score"].input.split((27, 3, 1), -1)
        assert torch.equal(played[..., :DRUMS], target[..., :DRUMS])
        assert not (played[..., DRUMS:].any() or taps.any())
        assert (kept == 1).all()
        played, taps, kept = batches["rhythm"].input.split((27, 3, 1), -1)
        assert not (played.any() or kept.any())
        assert torch.equal(taps[..., 0], target[..., :DRUMS].any(-1).float())
        loudest = target[..., DRUMS : 2 * DRUMS].amax(-1)
        torch.testing.assert_close(taps[..., 1], loudest)

    def test_training_gives_every_form_in_its_share(self):
        prepare = PrepareGroove(PrepareGroove.Config(score=0.5, rhythm=0.2), groove_shape(2))
        batch = prepare(rows(2000), torch.Generator().manual_seed(0), True)
        score = batch.input[:, 0, -1].mean()
        rhythm = batch.input[:, :, 27].any(1).float().mean()
        assert float(score) == pytest.approx(0.5, abs=0.04)
        assert float(rhythm) == pytest.approx(0.2, abs=0.04)
        # On the grids, or velocities and offsets would have no likelihood.
        velocity, offset = batch.target[..., DRUMS : 2 * DRUMS], batch.target[..., 2 * DRUMS :]
        torch.testing.assert_close(velocity * 127, (velocity * 127).round())
        torch.testing.assert_close(offset * 256, (offset * 256).round())
        assert velocity.max() <= 1
        assert offset.abs().max() <= 0.5
        config = resolve(active().task("groove"), active(), {"prepare.score": 0.9})
        with pytest.raises(ConfigError, match="shares"):
            build_prepare(config, groove_shape(2))

    def test_an_unknown_form_is_told(self):
        prepare = PrepareGroove(PrepareGroove.Config(), groove_shape(2))
        with pytest.raises(ConfigError, match=r"no such form.*score"):
            prepare.with_options({"given": "scores"})

    @pytest.mark.parametrize("greedy", [True, False])
    def test_given_hits_are_kept_and_what_is_made_is_on_the_grids(self, greedy):
        model = built("groove")
        raw = rows(8)
        raw["velocity"][0] = 0  # silence is kept too
        score = model.with_options({"given": "score"}).prepare(raw, torch.Generator(), False)
        sampling = Sampling(greedy=greedy, generator=torch.Generator().manual_seed(0))
        made = model.reconstruct_batch(score, sampling)
        hits, velocity, offset = made.split(DRUMS, -1)
        assert torch.equal(hits, score.target[..., :DRUMS])
        assert (velocity[hits > 0] > 0).all()
        assert not (velocity[hits == 0].any() or offset[hits == 0].any())
        torch.testing.assert_close(velocity * 127, (velocity * 127).round())
        assert (offset >= -0.5).all()
        assert (offset < 0.5).all()
        # Also under another's latent; and where nothing is given nothing is forced.
        other = model.reconstruct_batch(score, sampling, z=torch.randn(8, 8))
        assert torch.equal(other[..., :DRUMS], hits)
        free = model.prepare(raw, torch.Generator(), False)
        assert not torch.equal(model.reconstruct_batch(free, sampling)[..., :DRUMS], hits)

    def test_given_and_other_windows_may_stand_in_one_batch(self):
        model = built("groove")
        target = PrepareGroove(PrepareGroove.Config(), groove_shape(2))(
            rows(2), torch.Generator(), False
        ).target
        inputs = build_encoder_input(target, torch.zeros(2, 2 * BAR, 2), torch.tensor([1, 0]))
        made = model.task.decoder.generate(torch.zeros(2, 8), Context(input=inputs), GREEDY)
        assert torch.equal(made[0, :, :DRUMS], target[0, :, :DRUMS])
        assert not torch.equal(made[1, :, :DRUMS], target[1, :, :DRUMS])

    def test_the_likelihood_is_of_hits_and_of_how_they_are_played(self):
        model = built("groove")
        batch = model.prepare(rows(4), torch.Generator(), False)
        output = model.task.decoder(torch.zeros(4, 8), Context(target=batch.target), {})
        whole = output.nll(batch.target, batch.lengths)
        hits = output.hits.hit_nll(batch.target[..., :DRUMS]).sum(1)
        count = batch.target[..., :DRUMS].sum((1, 2))
        # Velocity and offset each have more than 100 values: a few nats a hit.
        assert ((whole - hits) / count > 2).all()
        assert ((whole - hits) / count < 30).all()
        assert "velocities" in model.task.loss.distribution(batch)

    def test_the_rhythm_is_the_loudest(self):
        raw = rows(8)
        voice = reduce_to_rhythm(values_of(raw))
        assert torch.equal(voice[..., 0], raw["velocity"].float().amax(-1))


def batch_of(pattern: dict[tuple[int, int], tuple[float, float]], bars: int = 2) -> Batch:
    target = torch.zeros(1, bars * BAR, 27)
    for (step, drum), (velocity, offset) in pattern.items():
        target[0, step, [drum, DRUMS + drum, 2 * DRUMS + drum]] = torch.tensor(
            [1, velocity, offset]
        )
    return Batch(target, target)


def test_attributes_measure_what_they_say():
    played = {(0, KICK): (1.0, 0.1), (4, SNARE): (0.5, -0.1), (5, CLOSED_HAT): (0.5, 0.0)}
    played |= {(16, KICK): (1.0, 0.2), (20, RIDE): (0.5, 0.2)}
    groove = batch_of(played)
    hits = Batch(*[bits_to_combination(groove.target[..., :DRUMS])] * 2)
    expected = {
        "hits_per_bar": 2.5,
        "off_beat": 0.2,
        "drums_used": 4.0,
        "change": 3 / 4,
        "kick": 0.4,
        "snare": 0.2,
        "toms": 0.0,
        "ride": 0.5,
    }
    for name, value in expected.items():
        measure = getattr(attributes, name)
        assert float(measure(groove, groove_shape(2))) == pytest.approx(value)
        assert float(measure(hits, hits_shape(2))) == pytest.approx(value)
    shape = groove_shape(2)
    assert float(attributes.loudness(groove, shape)) == pytest.approx(0.7 * 127)
    assert float(attributes.dynamics(groove, shape)) == pytest.approx(0.06**0.5 * 127, rel=1e-4)
    assert float(attributes.lateness(groove, shape)) == pytest.approx(0.08)
    assert float(attributes.looseness(groove, shape)) == pytest.approx(0.0136**0.5, rel=1e-4)


@pytest.mark.parametrize("task", ["drums-2bar", "groove"])
def test_attributes_of_silence_are_none_or_nothing(task):
    silence = batch_of({}) if task == "groove" else Batch(*[torch.zeros(1, 32, dtype=int)] * 2)
    shape = groove_shape(2) if task == "groove" else hits_shape(2)
    for spec in active().task(task).attributes:
        value = getattr(attributes, spec.measure.rpartition(":")[2])(silence, shape)
        assert value.shape == (1,)
        assert value.item() == 0 if spec.name in ("hits-per-bar", "drums-used") else value.isnan()


def test_figures_of_hits_are_shares_of_steps():
    model = built("drums-2bar")
    figures = evaluate_hits(model, TensorSplit(rows(20)), {})
    assert all(0 <= figures[name] <= 1 for name in figures if name != "kl_bits")
    assert figures["accuracy_teacher_forced"] < 0.5  # it has learnt nothing
    assert figures["kl_bits"] > 0


class Data:
    """A data set whose training split has loud hits without a groove, or none."""

    def __init__(self, trains: bool = True) -> None:
        self.trains = trains

    def split(self, name: str) -> TensorSplit:
        assert name == "train"
        if not self.trains:
            raise DataError("no performance is trained on")
        raw = rows(5, seed=1)
        loud = (raw["velocity"] > 0).to(torch.uint8) * 127
        return TensorSplit({**raw, "velocity": loud, "offset": raw["offset"] * 0})


def test_without_a_training_split_there_is_no_constant():
    figures = evaluate_groove(built("groove"), DrumSplit(rows(4), Data(trains=False)), {})
    assert "constant" not in figures and figures["constant_in_hindsight"]


def test_figures_of_groove_are_in_midi_units_and_ms():
    raw = rows(20)
    raw["bpm"][:] = 60
    figures = evaluate_groove(built("groove"), DrumSplit(raw, Data()), {})
    assert figures["hits"] == int((raw["velocity"] > 0).sum())
    # Uniform velocities are a quarter of their range off their mean; so are offsets, in steps
    # of 250 ms.
    hindsight = figures["constant_in_hindsight"]
    assert hindsight["velocity_error"] == pytest.approx(127 / 4, rel=0.1)
    assert hindsight["timing_error_ms"] == pytest.approx(250 / 4, rel=0.1)
    # Every hit of the data's own training split is as loud as can be, and on its step.
    assert figures["constant"]["velocity_error"] == pytest.approx(127 / 2, rel=0.1)
    assert figures["constant"]["timing_error_ms"] == pytest.approx(250 / 4, rel=0.1)
    for form in FORMS:
        assert figures[form]["velocity_error"] > 20
        assert 0 <= figures[form]["hit_f1"] <= 1
