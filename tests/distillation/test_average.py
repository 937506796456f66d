"""A teacher on two weights: the average it keeps, and what the widget makes of it."""

import numpy as np
import pytest

from cvlab.distillation.average import descend, follow
from cvlab.widgets import MovingAverage, SharpenCenter


def test_the_average_weighs_the_past_by_powers_of_the_momentum():
    path = descend(20)
    weights = 0.8 ** np.arange(20, -1, -1) * np.r_[1, np.full(20, 0.2)]
    assert weights.sum() == pytest.approx(1)
    assert follow(path, 0.8)[-1] == pytest.approx(weights @ path)


def test_ends_of_the_momentum():
    path = descend(20)
    assert np.array_equal(follow(path, 0), path)
    assert np.array_equal(follow(path, 1), np.repeat(path[:1], 21, axis=0))


def test_without_noise_the_student_arrives():
    assert np.abs(descend(200, noise=0)[-1]).max() < 1e-6


@pytest.mark.parametrize("seed", range(10))
def test_a_teacher_is_nearer_than_the_student_it_follows(seed):
    path = descend(seed=seed)
    late = [np.hypot(*follow(path, m)[-50:].T).mean() for m in (0, 0.9)]
    assert late[1] < 0.6 * late[0]


def test_a_momentum_outside_is_told():
    with pytest.raises(ValueError, match="momentum must lie in 0 to 1; got 1.1"):
        follow(descend(3), 1.1)


def test_the_widgets_best_is_the_best_of_all():
    widget = MovingAverage()
    late = [widget.compute(memory, 20)["teacher_far"][-50:].mean() for memory in range(1, 151)]
    assert widget.values["best"] == pytest.approx(min(late))
    done = [memory for memory, far in enumerate(late, 1) if far < 1.15 * min(late)]
    assert done == list(range(done[0], done[-1] + 1))
    assert 20 < done[0] < done[-1] < 50


def test_more_noise_asks_for_a_longer_memory():
    widget = MovingAverage()
    best = [
        min(range(1, 151), key=lambda m, n=noise: widget.compute(m, n)["teacher_far"][-50:].mean())
        for noise in (5, 40)
    ]
    assert best[0] < best[1]  # fmt: skip


@pytest.mark.parametrize(
    ("temperature", "centre", "low", "high", "told"),
    [
        (1, 0, 0, 0.3, False),  # sharp alone: sure, and much the same for all
        (100, 100, 1.7, 1.8, False),  # centred alone: even
        (100, 0, 1.6, 1.8, False),
        (4, 100, 0, 0.3, True),
    ],
)
def test_what_sharpening_and_centring_make_of_answers(temperature, centre, low, high, told):
    values = SharpenCenter().compute(temperature, centre)
    assert low <= values["entropy"] <= high
    assert (values["told"] > 1.5) == told
    assert values["said"].sum(axis=1) == pytest.approx(np.ones(12))
