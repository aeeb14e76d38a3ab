"""A training's steps, and how often it is evaluated."""

import pytest

from aeplug.config import TrainConfig
from aeplug.errors import TrainingError
from aeplug.training.plan import plan_training


def plan(items, processes=1, **settings):
    return plan_training(TrainConfig(**settings), items, processes)


def test_epochs_and_fractions_become_steps():
    made = plan(1000, batch_size=100, epochs=2.5, warmup=0.2)
    assert (made.batch_size, made.steps_per_epoch, made.total, made.warmup) == (100, 10, 25, 5)
    assert plan(1000, batch_size=100, steps=7, warmup=3).warmup == 3


@pytest.mark.parametrize(
    ("items", "steps", "expected"),
    [
        (60_000, 2350, 234),  # every epoch
        (40, 200, 20),  # forty pictures are an epoch of one step: a tenth of a short training
        (40, 2000, 100),
        (40, 100_000, 1000),  # and no more than a hundred times in all
        (40, 3, 1),
        (2560, 1000, 100),  # whole epochs, of ten steps each
        (2304, 1000, 108),
    ],
)
def test_evaluations_lie_apart_where_epochs_are_short(items, steps, expected):
    made = plan(items, batch_size=256, steps=steps)
    assert made.eval_every == made.save_every == expected
    assert made.eval_every % made.steps_per_epoch == 0


def test_what_is_set_holds():
    made = plan(40, steps=2000, eval_every=3, save_every=7)
    assert (made.eval_every, made.save_every) == (3, 7)


def test_batches_are_shared_evenly():
    assert plan(1000, processes=4, batch_size=100).batch_size == 100
    assert plan(10, processes=4, batch_size=100).batch_size == 8
    for settings in ({"items": 0}, {"items": 1000, "processes": 3, "batch_size": 100}):
        with pytest.raises(TrainingError):
            plan(**settings)
