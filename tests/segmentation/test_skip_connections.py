"""What the opening widget of lesson 05 computes is what the recorded maps are worth."""

import numpy as np
import pytest

from cvlab.segmentation import records
from cvlab.segmentation.metrics import boundary_iou, mask_iou
from cvlab.widgets import SkipConnections


@pytest.fixture(scope="module")
def widget():
    return SkipConnections()


@pytest.mark.parametrize("style", ["seen", "unseen"])
def test_scores_are_those_of_the_recorded_map(widget, style):
    for skips in range(4):
        values = widget.compute(skips=skips, scene=3, style=style)
        said = records.shown_maps()[skips, list(records.STYLES).index(style), 3]
        truth = records.shown_scenes(style)[1][3]
        assert np.array_equal(values["said"], said)
        assert values["iou"] == mask_iou(said > 0, truth > 0)
        assert values["outline"] == boundary_iou(said > 0, truth > 0, width=1)
        assert values["wrong"].mean() == pytest.approx((said != truth).mean())


def test_another_net_for_every_number_of_skips():
    maps = records.shown_maps()
    assert not any((maps[a] == maps[b]).all() for a in range(4) for b in range(a))


def test_three_skips_are_better_than_none_in_both_styles():
    for style in records.STYLES:
        for task in ("classes", "groups", "things"):
            best, bare = (records.scores("frozen", skips, style, task) for skips in (3, 0))
            assert best.min() > bare.max() + 0.1


def test_a_way_that_was_not_recorded_has_no_scores():
    assert len(records.scores("frozen", 7, "seen", "classes")) == 0


def test_the_record_says_what_a_run_cost():
    made = records.record()
    for run in made["runs"]:
        paid = made["scenes"]["train"][2] * made["cost"]["levels"] if run["way"] == "frozen" else 0
        step = 16 * made["cost"]["decoder" if run["way"] == "frozen" else "from scratch"]
        assert 0 <= 1000 * made["seconds"] - paid - run["steps"] * step < step
