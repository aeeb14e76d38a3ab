"""A warning where held-out loss rises while training loss falls, and none elsewhere."""

import itertools

import pytest

from aeplug.evaluation.overfitting import PATIENCE, OverfittingMonitor


def lines(pairs):
    said = []
    monitor = OverfittingMonitor()
    for number, (train, held_out) in enumerate(pairs):
        monitor.check(10 * (number + 1), train, held_out, said.append)
    return said


def test_overfitting_is_said_once():
    (line,) = lines([(100 - n, 90 + 5 * abs(n - 3)) for n in range(20)])
    assert (
        "warning: the model overfits: its held-out loss has risen from 90 (step 40) to 115" in line
    )
    assert "'best' is that of step 40" in line


@pytest.mark.parametrize(
    "pairs",
    [
        [(100 - n, 90 - n) for n in range(20)],
        [(100 - n, 90 + 0.1 * n) for n in range(20)],  # hardly rises
        [(100 + n, 90 + 5 * n) for n in range(20)],  # the weight of a penalty grows
        [(100 - n, 90 + 5 * n) for n in range(PATIENCE)],  # not for long yet
        [(-100 - n, -90 - n % 3) for n in range(20)],  # losses may be below zero
    ],
)
def test_nothing_is_said_of(pairs):
    assert lines(pairs) == []


def test_losses_below_zero():
    (line,) = lines([(-100 - n, -90 + 2 * n) for n in range(20)])
    assert "from -90 (step 10)" in line


def test_a_training_that_overfits_says_so(make_training, monkeypatch, capsys):
    training = make_training({"train.steps": 80, "train.eval_every": 8, "train.lr": 0.01})
    losses = itertools.count(1)
    monkeypatch.setattr(training, "evaluate", lambda split, items: {"loss": float(next(losses))})
    training.run()
    assert capsys.readouterr().err.count("warning: the model overfits") == 1
