"""The widget of anchors: its counts are those of the matching."""

import numpy as np
import pytest

from cvlab.widgets import AnchorMatches


@pytest.fixture(scope="module")
def compute():
    widget = AnchorMatches()
    return lambda **state: widget.compute(**widget.state | state)


def test_every_anchor_is_counted_once(compute):
    for stride, sizes, ratios in [(32, 1, "1"), (16, 2, "1"), (8, 3, "1/2, 1, 2")]:
        values = compute(stride=stride, sizes=sizes, ratios=ratios)
        shapes = sizes * (1 if ratios == "1" else 3)
        assert values["places"] == 192 // stride
        assert values["shapes"].shape == (shapes, 4)
        assert sum(values["counts"]) == values["places"] ** 2 * shapes
        assert len(values["positive"]) == values["counts"][0]


def test_a_place_shows_the_best_that_any_of_its_anchors_is(compute):
    values = compute()  # one anchor at each place: every dot is one anchor
    assert [int(count) for count in np.bincount(values["state"], minlength=3)] == values["counts"]


def test_lower_thresholds_turn_negatives_into_positives(compute):
    strict, loose = compute(between=(30, 70)), compute(between=(10, 20))
    assert strict["counts"][0] < loose["counts"][0]
    assert strict["counts"][2] > loose["counts"][2]
    assert np.array_equal(strict["best"], loose["best"])
