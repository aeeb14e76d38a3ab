"""Schedules: step -> value."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aeplug.config.schedules import Schedule, learning_rate

shares = st.floats(0, 1, allow_subnormal=False)
numbers = st.floats(-1e6, 1e6, allow_nan=False, allow_subnormal=False)
spans = st.one_of(st.floats(1e-3, 1.0, allow_subnormal=False), st.integers(2, 10**7).map(float))
schedules = st.one_of(
    numbers.map(lambda a: Schedule("constant", (a,))),
    st.builds(
        lambda form, a, b, n: Schedule(form, (a, b, n)),
        st.sampled_from(["linear", "cosine"]),
        numbers,
        numbers,
        spans,
    ),
    st.builds(lambda a, r: Schedule("saturating", (a, r)), numbers, shares),
    st.builds(
        lambda k: Schedule("inverse-sigmoid", (k,)), st.floats(1e-3, 1e6, allow_subnormal=False)
    ),
)
steps = st.integers(0, 10**7)
totals = st.integers(1, 10**7)


@given(schedules)
def test_text_of_a_schedule_gives_the_same_schedule(schedule):
    # It goes through config.json: a digit lost there would make a resumed run another run.
    assert Schedule.parse(str(schedule)) == schedule


@given(st.sampled_from(["linear", "cosine"]), numbers, numbers, spans, steps, totals)
def test_ramps_stay_between_their_ends_and_arrive(form, start, end, over, step, total):
    schedule = Schedule(form, (start, end, over))
    low, high = min(start, end), max(start, end)
    slack = 1e-9 * max(1.0, abs(start), abs(end))
    assert low - slack <= schedule(step, total) <= high + slack
    assert schedule(0, total) == pytest.approx(start, abs=slack)
    reached = math.ceil(over * total if over <= 1 else over)
    assert schedule(reached, total) == pytest.approx(end, abs=slack)
    assert schedule(reached + 1000, total) == pytest.approx(end, abs=slack)


@given(st.floats(0, 1e6, allow_subnormal=False), shares, steps, totals)
def test_saturating_stays_below_its_top_and_never_falls(top, rate, step, total):
    schedule = Schedule("saturating", (top, rate))
    assert schedule(0, total) in (0.0, top * (1 - rate**0))
    assert 0 <= schedule(step, total) <= schedule(step + 1, total) <= top


@given(st.floats(1e-3, 1e6, allow_subnormal=False), steps, totals)
def test_inverse_sigmoid_stays_in_0_to_1_and_never_falls(k, step, total):
    schedule = Schedule("inverse-sigmoid", (k,))
    assert 0 <= schedule(step, total) <= schedule(step + 1, total) <= 1


def test_known_values():
    # Bengio et al.: k / (k + exp(i / k)) is the chance of the truth; ours is of the model's own.
    assert Schedule.parse("inverse-sigmoid(10)")(0, 1) == pytest.approx(1 - 10 / 11)
    assert Schedule.parse("inverse-sigmoid(10)")(100, 1) == pytest.approx(
        1 - 10 / (10 + math.exp(10))
    )
    assert Schedule.parse("saturating(0.2, 0.9)")(2, 1) == pytest.approx(0.2 * (1 - 0.81))
    assert Schedule.parse("linear(0, 1, 0.2)")(10, 100) == pytest.approx(0.5)
    assert Schedule.parse("linear(0, 1, 200)")(50, 100) == pytest.approx(0.25)
    assert Schedule.parse("cosine(2, 0, 100)")(25, 1) == pytest.approx(1 + math.cos(math.pi / 4))
    assert Schedule.parse(" linear( 1 , 2 , 3 ) ") == Schedule("linear", (1, 2, 3))
    assert Schedule.parse("0.5") == Schedule.parse(0.5) == Schedule("constant", (0.5,))


@pytest.mark.parametrize(
    "text",
    [
        "linear(0, 1)",
        "linear(0, 1, 0)",
        "linear(0, 1, -5)",
        "linear(0, nan, 5)",
        "cosine(a, b, c)",
        "inverse-sigmoid(0)",
        "inverse-sigmoid(1, 2)",
        "saturating(1, 1.5)",
        "saturating(1, -0.1)",
        "saturating(inf, 0.5)",
        "sinus(1)",
        "linear 0 1 5",
        "",
        "nan",
        "inf",
        float("nan"),
        float("-inf"),
        10**400,
        True,
        None,
        [1],
    ],
)
def test_what_is_no_schedule_is_refused_with_the_forms_there_are(text):
    with pytest.raises(ValueError, match=r"finite|expected a number or one of linear"):
        Schedule.parse(text)


@given(
    st.integers(1, 10**6),
    st.floats(1e-6, 10.0, allow_subnormal=False),
    shares,
    st.floats(1e-3, 1, allow_subnormal=False),
    st.data(),
)
def test_learning_rate_is_above_0_and_at_most_its_peak(total, peak, share, floor, data):
    warmup = round(share * total)
    step = data.draw(st.integers(0, total - 1))
    value = learning_rate(step, total, peak, warmup, floor)
    assert 0 < value <= peak * (1 + 1e-9)
    if warmup:
        assert learning_rate(warmup - 1, total, peak, warmup, floor) == pytest.approx(peak)
    else:
        assert learning_rate(0, total, peak, 0, floor) == pytest.approx(peak)


def test_learning_rate_without_a_floor_is_above_0_at_the_last_step():
    assert learning_rate(99, 100, 1e-3, 5, 0.0) > 0
    assert learning_rate(1, 2, 1e-3, 0, 0.0) > 0
