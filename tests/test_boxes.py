"""Boxes: overlap against torchvision and by counting pixels; four formats there and back; what is refused."""

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st

from cvlab import boxes as b

NUMBER = st.one_of(st.integers(0, 12), st.floats(0, 50, allow_subnormal=False))
BOX = st.tuples(NUMBER, NUMBER, NUMBER, NUMBER).map(
    lambda n: [min(n[0], n[2]), min(n[1], n[3]), max(n[0], n[2]), max(n[1], n[3])]
)
MANY = st.lists(BOX, max_size=6).map(lambda rows: np.array(rows, float).reshape(-1, 4))
WHOLE = st.lists(st.tuples(*[st.integers(0, 9)] * 2, *[st.integers(10, 20)] * 2), max_size=5).map(
    lambda rows: np.array(rows, float).reshape(-1, 4)
)


@given(MANY, MANY)
def test_iou_is_torchvisions(first, second):
    ours = b.box_iou(first, second)
    library = torchvision.ops.box_iou(torch.from_numpy(first), torch.from_numpy(second)).numpy()
    np.testing.assert_allclose(
        ours, np.nan_to_num(library), atol=1e-12
    )  # theirs is 0 / 0 for two empty boxes
    np.testing.assert_allclose(ours, b.box_iou(second, first).T, atol=1e-12)


@given(BOX, BOX)
def test_one_pair_is_the_table_of_one_pair(first, second):
    assert b.iou(first, second) == pytest.approx(b.box_iou([first], [second])[0, 0], abs=1e-9)


@given(WHOLE.filter(len))
def test_overlap_is_the_number_of_shared_pixels(rows):
    def pixels(box):
        grid = np.zeros((20, 20), bool)
        x0, y0, x1, y1 = box.astype(int)
        grid[y0:y1, x0:x1] = True
        return grid

    first, last = rows[0], rows[-1]
    assert b.box_overlap([first], [last])[0, 0] == (pixels(first) & pixels(last)).sum()
    assert b.box_area([first])[0] == pixels(first).sum()
    assert b.iou(first, first) == 1


@given(WHOLE)
def test_every_format_comes_back(rows):
    np.testing.assert_array_equal(b.xywh_to_xyxy(b.xyxy_to_xywh(rows)), rows)
    np.testing.assert_array_equal(b.voc_to_xyxy(b.xyxy_to_voc(rows)), rows)
    np.testing.assert_allclose(b.yolo_to_xyxy(b.xyxy_to_yolo(rows, 20, 30), 20, 30), rows, atol=1e-12)
    library = torchvision.ops.box_convert(torch.from_numpy(rows), "xyxy", "cxcywh").numpy()
    np.testing.assert_allclose(b.xyxy_to_yolo(rows, 20, 30) * [30, 20, 30, 20], library, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: b.box_iou([[0, 0, 1]], [[0, 0, 1, 1]]), ValueError, r"a must have shape \(N, 4\) as x0, y0, x1, y1; got \(1, 3\)"),
        (lambda: b.box_iou([[0, 0, 1, 1]], [0, 0, 1, 1]), ValueError, r"b must have shape .*; got \(4,\). One box\? Pass \[b\]"),
        (lambda: b.box_area([[5, 5, 3, 9]]), ValueError, r"boxes must be x0, y0, x1, y1 .*\[5.0, 5.0, 3.0, 9.0\]. As x, y, w, h\?"),
        (lambda: b.box_area([[0, 0, np.nan, 1]]), ValueError, r"boxes must be finite; got boxes\[0\]"),
        (lambda: b.box_area("all"), TypeError, "boxes must be an array"),
        (lambda: b.iou([0, 0, 1], [0, 0, 1, 1]), ValueError, r"a must have shape"),
        (lambda: b.xywh_to_xyxy([[0, 0, -1, 1]]), ValueError, r"boxes must be x, y, w, h with w and h of at least 0; got boxes\[0\]"),
        (lambda: b.xyxy_to_yolo([[0, 0, 9, 30]], 20, 30), ValueError, "must lie inside the picture, 20 rows by 30 columns; .*Clip"),
        (lambda: b.xyxy_to_yolo([[0, 0, 9, 9]], 0, 30), ValueError, "height must be at least 1; got 0"),
        (lambda: b.yolo_to_xyxy([[50, 50, 10, 10]], 20, 30), ValueError, r"shares of the picture in \[0, 1\].*In pixels\?"),
        (lambda: b.voc_to_xyxy([[0, 0, 5, 5]]), ValueError, "must count pixels from 1, as VOC does"),
        (lambda: b.xyxy_to_voc([[3, 3, 3, 5]]), ValueError, "boxes must have an area"),
    ],
)  # fmt: skip
def test_wrong_boxes_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_no_boxes_at_all():
    assert b.box_iou([], [[0, 0, 1, 1]]).shape == (0, 1)
    assert b.xywh_to_xyxy([]).shape == b.voc_to_xyxy(np.zeros((0, 4))).shape == (0, 4)


def test_inputs_stay():
    rows = np.array([[1.0, 2.0, 3.0, 4.0]])
    before = rows.copy()
    for change in (b.xywh_to_xyxy, b.xyxy_to_xywh, b.xyxy_to_voc, b.voc_to_xyxy):
        change(rows)[:] = 7
    assert np.array_equal(rows, before)
