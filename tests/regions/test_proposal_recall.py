"""What the widget of lesson 06a says of the drawn boxes is what their overlaps say."""

import numpy as np
import pytest

from cvlab import boxes
from cvlab.widgets import ProposalRecall
from cvlab.widgets.regions import proposal_recall
from cvlab.widgets.regions.proposal_recall import CHOSEN, MOST, drawn


@pytest.fixture
def widget():
    return ProposalRecall()


@pytest.mark.parametrize("picture", range(len(CHOSEN)))
def test_the_true_boxes_cover_everything(widget, picture):
    _, objects = proposal_recall._scenes()[picture]
    assert 3 <= len(objects) < MOST, "there is a box for each object, and one to spare"
    widget.set(picture=picture, **drawn(objects))
    assert widget.values["best"] == [1.0] * len(objects)
    assert "recall at IoU 0.50: 1.00" in widget.readout
    assert widget.goal(widget.values)


def test_one_box_covers_what_it_overlaps_enough(widget):
    _, objects = proposal_recall._scenes()[0]
    x0, y0, x1, y1 = objects[0]
    loose = [x0, y0, x1, y0 + round(0.7 * (y1 - y0))]
    widget.set(**drawn([loose]))
    assert widget.values["best"] == [boxes.iou(loose, one) for one in objects]
    assert widget.values["covered"] == [True] + [False] * (len(objects) - 1)
    assert f"recall at IoU 0.50: {1 / len(objects):.2f}" in widget.readout
    widget.set(threshold=0.9)
    assert not any(widget.values["covered"])


def test_a_threshold_below_a_half_is_not_the_task(widget):
    widget.set(threshold=0.45, **widget.answer)
    assert all(widget.values["covered"])
    assert not widget.goal(widget.values)


def test_boxes_end_at_the_scene_and_flat_ones_are_not_drawn(widget):
    widget.set(x_1=150, w_1=192, y_1=10, h_1=20, w_2=30)
    assert widget.values["count"] == 1
    same = widget.compute(**{**widget.state, "w_1": 42})
    assert widget.values["best"] == same["best"]


def test_another_scene_starts_without_the_old_boxes(widget):
    widget.set(active=3, threshold=0.7, **widget.answer)
    widget._controls["picture"].value = 2
    assert widget.values["count"] == 0
    assert widget.state["active"] == 1
    assert widget.state["threshold"] == 0.7


def test_the_page_is_told_the_truth_only_of_covered_objects(widget):
    assert widget.data(widget.values)["told"] == [None] * len(widget.values["objects"])
    widget.set(**drawn(widget.values["objects"][1:2]))
    assert widget.data(widget.values)["told"].count(None) == len(widget.values["objects"]) - 1
    widget.set(truth=True)
    assert widget.data(widget.values)["told"] == widget.values["objects"]


def test_every_line_of_the_readout_fits(widget):
    for picture in range(len(CHOSEN)):
        widget.set(picture=picture, **dict.fromkeys(drawn([]), 192))
        for line in widget.readout.splitlines()[:5]:
            assert len(line.split(": ")[1]) <= 28
    assert np.asarray(widget.picture).shape[1] == 2 * 2 * proposal_recall.SIZE
