"""What the widgets of section 6 compute is what the lesson's scores say of the same masks."""

import numpy as np
import pytest

from cvlab.segmentation.metrics import boundary_iou, erode, mask_dice, mask_iou
from cvlab.widgets import MaskThreshold, PaintMask
from cvlab.widgets.segmentation import mask_threshold, paint_mask


@pytest.fixture(scope="module")
def cut():
    return MaskThreshold()


@pytest.fixture(scope="module")
def paint():
    return PaintMask()


@pytest.mark.parametrize("percent", [1, 30, 50, 99])
def test_scores_of_a_cut(cut, percent):
    for picture in range(len(mask_threshold.CHOSEN)):
        values = cut.compute(picture=picture, cut=percent)
        called, truth = values["percent"] >= percent, values["truth"]
        assert values["iou"] == pytest.approx(mask_iou(called, truth))
        assert values["dice"] == pytest.approx(mask_dice(called, truth))
        assert values["recall"] == pytest.approx((called & truth).sum() / truth.sum())
        assert values["hits"] + values["missed"] == truth.sum()
        assert values["hits"] + values["alarms"] == called.sum()


def test_the_best_cut_is_not_a_half_and_differs(cut):
    best = []
    for picture in range(len(mask_threshold.CHOSEN)):
        done = [at for at in range(1, 100) if cut.goal(cut.compute(picture=picture, cut=at))]
        assert done
        assert 50 not in done
        best.append(set(done))
    assert not set.intersection(*best), "no cut is best for all"


def test_a_cut_trades_misses_for_false_alarms(cut):
    rows = [cut.compute(picture=0, cut=at) for at in (5, 30, 60, 95)]
    assert [r["missed"] for r in rows] == sorted(r["missed"] for r in rows)
    assert [r["alarms"] for r in rows] == sorted((r["alarms"] for r in rows), reverse=True)


def test_a_painting_is_read_back(paint):
    mask = np.random.default_rng(0).random((32, 32)) > 0.5
    paint.set(**paint_mask.painting(mask))
    assert np.array_equal(paint.values["painted"], mask)
    assert paint.values["iou"] == mask_iou(mask, paint.values["truth"])
    assert paint.values["boundary"] == boundary_iou(mask, paint.values["truth"], width=1)
    paint.reset()


def test_a_new_picture_starts_without_the_old_painting(paint):
    paint.set(row_05=7, brush=3)
    paint._controls["picture"].value = 1
    assert paint.state["row_05"] == 0
    assert paint.state["brush"] == 3
    paint.reset()


def test_one_row_of_squares_along_the_edge_is_dear(paint):
    for picture in range(len(paint_mask.CHOSEN)):
        truth = paint.compute(**{**paint.state, "picture": picture})["truth"]
        thin = erode(truth)
        assert mask_iou(thin, truth) < 0.85
        assert boundary_iou(thin, truth, width=1) < 0.1


def test_the_truth_travels_only_when_it_is_asked_for(paint):
    assert paint.data(paint.values)["truth"] == []
    paint.set(errors=True)
    assert len(paint.data(paint.values)["truth"]) == 32
    paint.reset()
