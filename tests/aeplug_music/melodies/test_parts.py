"""The parts of the melody VAE: reference pitch, augmentation, decoders, loss, evaluation."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import aeplug
from aeplug.config import resolve
from aeplug.config.schedules import Schedule
from aeplug.data.bundled import extract_bundled
from aeplug.interfaces import Batch, Context, DataShape, Sampling
from aeplug.latents.gaussian import GaussianPosterior
from aeplug.model.task import Task
from aeplug.plugins import active
from aeplug_music.melodies.augmentation import Chances, augment, move_by_degrees, transpose
from aeplug_music.melodies.lstm import BiLSTMEncoder, LSTMDecoder
from aeplug_music.melodies.plan import PlanDecoder, WindowEncoder
from aeplug_music.melodies.prepare import PrepareMelodies
from aeplug_music.melodies.samples import compare_samples
from aeplug_music.melodies.stepwise import START, history
from aeplug_music.nets.losses import LN2, SequenceELBO
from aeplug_music.nets.reference_pitch import estimate_reference, to_absolute, to_relative
from aeplug_music.nets.token_output import TokenOutput, draw_class, draw_token
from aeplug_music.score.tokens import CLASSES, FIRST_ONSET, HOLD, PITCH_OFFSET

METRES = ("4/4", "3/4", "9/8")
LENGTHS = (32, 24, 36)
SHAPE = DataShape((36,), (36,), CLASSES, {"metre": METRES})


def random_windows(
    count: int, seed: int = 0, low: int = 40, high: int = 60
) -> tuple[Tensor, Tensor]:
    """Tokens with a third of the steps onsets, and metres."""
    generator = torch.Generator().manual_seed(seed)
    metre = torch.randint(3, (count,), generator=generator)
    tokens = torch.randint(low, high, (count, 36), generator=generator)
    tokens = tokens * (torch.rand(count, 36, generator=generator) < 0.33)
    tokens[:, 0] = torch.randint(low, high, (count,), generator=generator)
    inside = torch.arange(36) < torch.tensor(LENGTHS)[metre].unsqueeze(1)
    return tokens * inside, metre


def batch_of(count: int, seed: int = 0) -> Batch:
    tokens, metre = random_windows(count, seed)
    prepare = PrepareMelodies(PrepareMelodies.Config(), SHAPE)
    return prepare({"tokens": tokens, "metre": metre}, torch.Generator(), training=False)


@given(st.lists(st.integers(0, CLASSES - 1), min_size=36, max_size=36))
def test_a_window_is_given_by_its_reference_and_its_relative_tokens(row: list[int]) -> None:
    tokens = torch.tensor([row])
    reference = estimate_reference(tokens)
    moved = to_relative(tokens, reference)
    onsets = tokens >= FIRST_ONSET
    # Only windows wider than the vocabulary's half can touch its ends; real tunes never do.
    exact = moved[onsets] - moved[onsets].min() if onsets.any() else moved[onsets]
    span = tokens[onsets] - tokens[onsets].min() if onsets.any() else tokens[onsets]
    if torch.equal(exact, span):
        assert torch.equal(to_absolute(moved, reference), tokens)
    assert torch.equal(moved[~onsets], tokens[~onsets])


@given(st.integers(0, 1000), st.integers(-12, 12))
def test_transposed_windows_look_the_same(seed: int, semitones: int) -> None:
    tokens, _ = random_windows(8, seed)
    moved = transpose(tokens, torch.full((8,), semitones))
    before, after = estimate_reference(tokens), estimate_reference(moved)
    # Where two tonics fit equally well either may be taken.
    alike = after - before == semitones
    assert alike.sum() >= 6
    assert torch.equal(to_relative(moved, after)[alike], to_relative(tokens, before)[alike])


def test_a_scale_in_c_has_c_for_its_reference() -> None:
    scale = [60, 62, 64, 65, 67, 69, 71, 72]
    tokens = torch.zeros(1, 36, dtype=torch.long)
    tokens[0, : 8 * 2 : 2] = torch.tensor(scale) - PITCH_OFFSET
    assert estimate_reference(tokens).item() % 12 == 0


def test_degrees_stay_in_the_scale() -> None:
    tokens = torch.zeros(1, 36, dtype=torch.long)
    tokens[0, :16:2] = torch.tensor([60, 62, 64, 65, 67, 69, 71, 72]) - PITCH_OFFSET
    moved = move_by_degrees(tokens, torch.tensor([[2]]))
    pitches = (moved[moved >= FIRST_ONSET] + PITCH_OFFSET).tolist()
    assert pitches == [64, 65, 67, 69, 71, 72, 74, 76]


@given(st.integers(0, 500))
@settings(deadline=None, max_examples=25)
def test_augmentation_keeps_rhythm_or_swaps_whole_bars(seed: int) -> None:
    tokens, metre = random_windows(32, seed)
    bar = torch.tensor(LENGTHS)[metre] // 2
    generator = torch.Generator().manual_seed(seed)
    same_rhythm = augment(tokens, metre, bar, 2, Chances(1, 1, 1, 0), generator)
    assert torch.equal(same_rhythm >= FIRST_ONSET, tokens >= FIRST_ONSET)
    other = augment(tokens, metre, bar, 2, Chances(0, 0, 0, 1), generator)
    first = torch.arange(36) < bar.unsqueeze(1)
    assert torch.equal(other[first], tokens[first])
    beyond = torch.arange(36) >= torch.tensor(LENGTHS)[metre].unsqueeze(1)
    assert (other[beyond] == 0).all()
    assert other.max() < CLASSES


def test_augmentation_differs_between_steps_and_repeats_with_the_seed() -> None:
    tokens, metre = random_windows(64)
    prepare = PrepareMelodies(PrepareMelodies.Config(), SHAPE)
    raw = {"tokens": tokens, "metre": metre}
    first = prepare(raw, torch.Generator().manual_seed(1), training=True).input
    again = prepare(raw, torch.Generator().manual_seed(1), training=True).input
    other = prepare(raw, torch.Generator().manual_seed(2), training=True).input
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_history_shows_each_step_only_what_came_before() -> None:
    tokens, metre = random_windows(4)
    bar = torch.tensor(LENGTHS)[metre] // 2
    before = torch.nn.functional.pad(tokens[:, :-1], (1, 0), value=START)
    views = history(before, bar)
    assert views[:, 0, 0].eq(START).all()
    assert torch.equal(views[:, 5, 0], tokens[:, 4])
    assert torch.equal(views[:, 5, 2], tokens[:, 2])
    for row, length in enumerate(bar.tolist()):
        assert views[row, length + 3, 7] == tokens[row, 3]
        assert views[row, length - 1, 7] == START
    # Changing the future changes nothing.
    later = before.clone()
    later[:, 20:] = 5
    assert torch.equal(history(later, bar)[:, :20], views[:, :20])


@pytest.mark.parametrize("which", ["plan", "lstm"])
def test_greedy_generation_agrees_with_teacher_forcing(which: str) -> None:
    torch.manual_seed(0)
    factory = PlanDecoder if which == "plan" else LSTMDecoder
    decoder = factory(factory.Config(), SHAPE, (16,)).eval()
    z = torch.randn(12, 16) * 3
    metre = torch.arange(12) % 3
    lengths = torch.tensor(LENGTHS)[metre]
    tokens = decoder.generate(z, Context(cond={"metre": metre}), Sampling(greedy=True))
    assert tokens.shape == (12, 36)
    beyond = torch.arange(36) >= lengths.unsqueeze(1)
    assert (tokens[beyond] == 0).all()
    if which == "lstm":
        output = decoder(z, Context(cond={"metre": metre}, target=tokens), {})
        assert torch.equal(output.most_likely()[~beyond], tokens[~beyond])


@pytest.mark.parametrize("which", ["plan", "lstm"])
def test_a_window_can_be_learnt_and_comes_back(which: str) -> None:
    plugins = active()
    parts = {"encoder": "bilstm", "decoder": "lstm"} if which == "lstm" else {}
    small = {"encoder.hidden": 128, "decoder.hidden": 128, "latent.size": 32, "loss.beta": 0.01}
    config = resolve(plugins.task("melody-2bar"), plugins, parts, small)
    torch.manual_seed(0)
    task = Task(config, SHAPE)
    batch = batch_of(4)
    optimizer = torch.optim.Adam(task.parameters(), 5e-3)
    schedule_values = task.new_schedule_values(torch.device("cpu"))
    task.update_schedules(schedule_values, 1, 1)
    for _ in range(200 if which == "plan" else 400):
        loss = task(batch, schedule_values)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    missing = [name for name, p in task.named_parameters() if p.grad is None]
    assert missing == []
    task.eval()
    posterior, context = task.encode(batch.input, batch.context(with_target=False))
    tokens = task.decoder.generate(posterior.mode(), context, Sampling(greedy=True))
    assert (tokens == batch.target).float().mean() > 0.97


def test_scheduled_sampling_is_used_in_training_only() -> None:
    torch.manual_seed(0)
    config = LSTMDecoder.Config(own_prob=Schedule.parse("inverse-sigmoid(100)"), hidden=16)
    decoder = LSTMDecoder(config, SHAPE, (8,))
    batch = batch_of(4)
    context = batch.context(with_target=True)
    z = torch.randn(4, 8)
    never, always = {"own_prob": torch.tensor(0.0)}, {"own_prob": torch.tensor(1.0)}
    decoder.train()
    forced = decoder(z, context, never).logits
    assert not torch.allclose(decoder(z, context, always).logits, forced)
    decoder.eval()
    assert torch.allclose(decoder(z, context, always).logits, forced, atol=1e-5)


def test_the_encoders_ignore_padding() -> None:
    torch.manual_seed(0)
    for factory in (WindowEncoder, BiLSTMEncoder):
        encoder = factory(factory.Config(), SHAPE).eval()
        tokens, metre = random_windows(6)
        features = encoder(tokens, Context(cond={"metre": metre}))
        assert features.shape == (6, *encoder.features_shape)
    changed = tokens.clone()
    changed[:, 35] = 7
    short = torch.tensor(LENGTHS)[metre] < 36
    again = encoder(changed, Context(cond={"metre": metre}))
    assert torch.allclose(again[short], features[short], atol=1e-6)


@given(st.floats(0, 40), st.sampled_from(["window", "dimension"]))
@settings(deadline=None)
def test_free_bits_as_musicvae_has_them(free_bits: float, of: str) -> None:
    torch.manual_seed(0)
    config = SequenceELBO.Config(beta=0.5, free_bits=free_bits, free_bits_of=of)
    loss = SequenceELBO(config, SHAPE)
    batch = batch_of(5)
    posterior = GaussianPosterior(torch.randn(5, 8) * 2, torch.randn(5, 8))
    output = TokenOutput(torch.randn(5, 36, CLASSES))
    terms = loss(output, batch, posterior, {"beta": torch.tensor(0.5)})
    kl = posterior.kl()
    if of == "window":
        cost = (kl.sum(1) - free_bits * LN2).clamp(min=0).mean()
    else:
        cost = (kl - free_bits * LN2).clamp(min=0).sum(1).mean()
    expected = loss.nll(output, batch).mean() + 0.5 * cost
    assert torch.allclose(terms["loss"], expected, rtol=1e-4)
    assert torch.allclose(terms["kl_bits"], kl.sum(1).mean() / math.log(2), rtol=1e-4)


def test_nll_counts_the_steps_of_the_metre_alone() -> None:
    batch = batch_of(7)
    logits = torch.zeros(7, 36, CLASSES)
    assert batch.lengths is not None
    nll = TokenOutput(logits).nll(batch.target, batch.lengths)
    assert torch.allclose(nll, batch.lengths * math.log(CLASSES))
    with_reference = TokenOutput(logits, torch.zeros(7, 128)).nll(batch.target, batch.lengths)
    assert torch.allclose(with_reference, nll + math.log(128))


def test_drawing() -> None:
    logits = torch.tensor([[3.0, 2.0, 1.0, 0.0]]).repeat(4000, 1)
    generator = torch.Generator().manual_seed(0)
    shares = torch.bincount(draw_class(logits, Sampling(generator=generator)), minlength=4) / 4000
    assert torch.allclose(shares, logits[0].softmax(0), atol=0.03)
    assert set(draw_class(logits, Sampling(greedy=True)).tolist()) == {0}
    assert set(draw_class(logits, Sampling(top_k=2, generator=generator)).tolist()) == {0, 1}
    assert set(draw_class(logits, Sampling(top_p=0.7, generator=generator)).tolist()) == {0, 1}
    assert set(draw_class(logits, Sampling(top_p=0.1, generator=generator)).tolist()) == {0}
    cold = draw_class(logits, Sampling(temperature=0.05, generator=generator))
    assert (cold == 0).float().mean() > 0.99


def test_a_low_temperature_sharpens_pitches_more_than_rhythm() -> None:
    shares = torch.full((CLASSES,), 0.4 / (CLASSES - FIRST_ONSET))
    shares[HOLD], shares[FIRST_ONSET - 1], shares[40] = 0.5, 0.1, 0.1
    logits = shares.log().repeat(4000, 1)
    generator = torch.Generator().manual_seed(0)
    own = draw_token(logits, Sampling(generator=generator))
    cold = draw_token(logits, Sampling(temperature=0.1, generator=generator))
    plain = draw_class(logits, Sampling(temperature=0.1, generator=generator))

    def onsets(tokens: torch.Tensor) -> float:
        return float((tokens >= FIRST_ONSET).float().mean())

    kinds = torch.tensor([shares[HOLD], shares[1], shares[FIRST_ONSET:].sum()])
    kinds = kinds / kinds.sum()
    assert onsets(own) == pytest.approx(float(kinds[2]), abs=0.03)
    sharper = (kinds.log() / 0.55).softmax(0)
    assert onsets(cold) == pytest.approx(float(sharper[2]), abs=0.03)
    assert set(cold[cold >= FIRST_ONSET].tolist()) == {40}  # of pitches only the likeliest
    assert onsets(plain) < 0.01  # as one distribution, holds would have taken all
    assert set(draw_token(logits, Sampling(greedy=True)).tolist()) == {HOLD}


def test_samples_taken_from_the_training_set_are_found_out() -> None:
    tokens, metre = random_windows(200)
    other, other_metre = random_windows(200, seed=1)
    copied = compare_samples(
        transpose(tokens, torch.full((200,), 3)),
        other,
        metre,
        tokens,
        metre,
        other,
        other_metre,
        SHAPE,
    )
    assert copied["copies"] == 1
    assert copied["known_sequences"] == 1
    assert copied["copies_held_out"] < 0.05
    fresh = compare_samples(other, other, other_metre, tokens, metre, tokens, metre, SHAPE)
    assert fresh["copies"] < 0.05
    assert all(values["samples"] > 0.999 for values in fresh["overlap"].values())
    assert fresh["overlap"]["off_beat_share"]["ceiling"] > 0.5


def test_parts_refuse_what_is_not_a_melody() -> None:
    with pytest.raises(ValueError, match="windows of 90 classes"):
        WindowEncoder(WindowEncoder.Config(), DataShape((1, 28, 28), (1, 28, 28)))


def test_a_tune_with_a_name_in_another_script_is_varied_and_kept(tmp_path: Path) -> None:
    tune = extract_bundled("folk_tunes.zip!ryansMammoth/ShipsAreSailingReel_1.mid", tmp_path)
    named = tune.rename(tmp_path / "日本.mid")
    model = aeplug.load("melody-2bar")
    document = model.read(named)
    (written,) = model.codec.write(document, tmp_path / "out" / document.name, {})
    assert written.name == "日本.mid"
    again = model.pieces(model.read(written)).input
    assert torch.equal(again, model.pieces(document).input)


def test_the_first_samples_do_not_depend_on_how_many_follow() -> None:
    model = aeplug.load("melody-2bar")
    few, many = model.sample(3, seed=4), model.sample(300, seed=4)
    assert torch.equal(few, many[:3])
    assert not torch.equal(few, model.sample(3, seed=5))


def test_latents_of_a_file_decode_in_its_own_metre(tmp_path: Path) -> None:
    jig = extract_bundled("folk_tunes.zip!ryansMammoth/CatholicBillsJig_1.mid", tmp_path)
    model = aeplug.load("melody-2bar")
    latents = model.encode(jig)
    assert set(latents) == {"mean", "logvar", "metre"}
    decoded = model.decode(latents["mean"], {"metre": latents["metre"]})
    assert torch.equal(decoded, model.reconstruct(jig))


def test_every_sample_can_be_written_and_read_again(tmp_path: Path) -> None:
    model = aeplug.load("melody-2bar")
    for metre in model.shape.conditions["metre"]:
        tokens = model.sample(20, seed=2, cond={"metre": metre})
        number = model.shape.conditions["metre"].index(metre)
        cond = {"metre": torch.tensor([number])}
        for row in range(20):
            document = model.codec.join(tokens[row : row + 1], cond, None)
            (path,) = model.codec.write(document, tmp_path / f"{number}-{row}", {})
            raw = model.codec.split(model.read(path))
            first = model.codec.split(document)
            assert torch.equal(raw["tokens"], first["tokens"]), (metre, row)
            assert torch.equal(raw["metre"].long(), first["metre"].long())
