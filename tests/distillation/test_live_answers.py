"""The curve of a student that learns: shares of ln K, and how it stands in words."""

import pytest

from cvlab.widgets.distillation.live_answers import LiveAnswers

STEPS = [{"entropy": 4.0, "told": 0.2}, {"entropy": 2.0, "told": 1.0}]


def test_it_shows_shares_of_the_most_that_can_be_told():
    curve = LiveAnswers(2, "both on", answers=64)
    assert repr(curve) == "both on: 2 steps to come"
    empty = curve._repr_mimebundle_()[0]["image/png"]
    curve(STEPS)
    (entropy, *_), (told, *_) = curve.lines()
    assert entropy == pytest.approx([0.9618, 0.4809], abs=1e-4)
    assert told == pytest.approx([0.0481, 0.2404], abs=1e-4)
    assert repr(curve) == "both on: step 2 of 2, entropy 2.00, told 1.00"
    assert curve._repr_mimebundle_()[0]["image/png"] != empty


def test_the_highest_entropy_fills_the_axis():
    curve = LiveAnswers(1, "even", answers=8)
    curve([{"entropy": 2.0794415, "told": 0.0}])
    assert curve.lines()[0][0] == pytest.approx([1])
