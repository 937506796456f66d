"""Boxes in torch against torchvision's, in seeded random cases and at the edges."""

import itertools

import pytest
import torch
from torchvision import ops

from cvlab.regions.geometry import FORMATS, box_convert, box_iou, checked_boxes

DTYPES = (torch.float32, torch.float64)


def corners(seed: int, count: int, dtype, *, kind: str) -> torch.Tensor:
    """Random boxes: real numbers, whole ones (many ties, touching edges), far outside, or one pixel large."""
    dice = torch.Generator().manual_seed(seed)
    first = torch.rand(count, 2, generator=dice, dtype=dtype) * 100
    size = torch.rand(count, 2, generator=dice, dtype=dtype) * 60
    if kind == "whole":
        first, size = first.div(20).floor(), size.div(20).floor()  # sizes 0 to 2: a third of the sides is 0
    elif kind == "outside":
        first = (first - 50) * 1e4
    elif kind == "pixel":
        first, size = first.floor(), torch.ones_like(size)
    return torch.cat([first, first + size], dim=1)


KINDS = ("real", "whole", "outside", "pixel")
RANDOM = list(itertools.product(range(25), DTYPES, KINDS))  # 200 cases


def test_conversion_is_torchvisions_bit_for_bit():
    seen = 0
    for (seed, dtype, kind), given, wanted in itertools.product(RANDOM, FORMATS, FORMATS):
        boxes = ops.box_convert(corners(seed, seed % 6, dtype, kind=kind), "xyxy", given)
        answer = box_convert(boxes, given, wanted)
        assert answer.dtype == dtype
        assert torch.equal(answer, ops.box_convert(boxes, given, wanted)), (seed, dtype, kind, given, wanted)
        seen += 1
    assert seen == 1800


def test_iou_is_torchvisions_but_for_two_empty_boxes():
    seen = empty = 0
    for seed, dtype, kind in RANDOM:
        a = corners(seed, seed % 6, dtype, kind=kind)
        b = torch.cat([corners(1000 + seed, seed % 4, dtype, kind=kind), a[:2]])
        answer, theirs = box_iou(a, b), ops.box_iou(a, b)
        assert answer.shape == (len(a), len(b))
        assert answer.dtype == dtype
        both_empty = ((a[:, 2:] - a[:, :2]).prod(1) == 0)[:, None] & ((b[:, 2:] - b[:, :2]).prod(1) == 0)
        assert torch.equal(theirs.isnan(), both_empty)
        assert torch.equal(answer, theirs.nan_to_num(0)), (seed, dtype, kind)
        empty += int(both_empty.sum())
        seen += 1
    assert seen == 200
    assert empty > 50


@pytest.mark.parametrize("dtype", DTYPES)
def test_iou_of_itself_is_one_and_the_matrix_turns(dtype):
    a, b = corners(1, 5, dtype, kind="real"), corners(2, 7, dtype, kind="real")
    assert torch.equal(box_iou(a, a).diagonal(), torch.ones(5, dtype=dtype))
    assert torch.equal(box_iou(a, b), box_iou(b, a).T)


def test_there_and_back_again():
    boxes = corners(3, 50, torch.float64, kind="real")
    for fmt in FORMATS:
        back = box_convert(box_convert(boxes, "xyxy", fmt), fmt, "xyxy")
        assert (back - boxes).abs().max() < 1e-12
        assert back.data_ptr() != boxes.data_ptr()


def test_gradients_are_finite_also_for_empty_boxes():
    a = torch.tensor([[0.0, 0, 2, 2], [5, 5, 5, 5]], requires_grad=True)
    box_iou(a, torch.tensor([[1.0, 0, 3, 2], [5, 5, 5, 5]])).sum().backward()
    assert a.grad.isfinite().all()
    assert a.grad[0].abs().sum() > 0


BAD = [
    ([[0.0, 0, 1, 1]], TypeError, r"boxes must be a torch tensor; got list\. torch\.as_tensor"),
    (torch.tensor([[0, 0, 1, 1]]), TypeError, r"float32 or float64; got torch\.int64\. boxes\.float\(\)"),
    (torch.zeros(2, 4).half(), TypeError, r"float32 or float64; got torch\.float16"),
    (torch.zeros(4), ValueError, r"shape \(N, 4\) as xyxy; got \(4,\)\. One box\? boxes\[None\]"),
    (torch.zeros(2, 5), ValueError, r"shape \(N, 4\) as xyxy; got \(2, 5\)$"),
    (torch.tensor([[0.0, 0, 1, 1], [0, torch.nan, 1, 1]]), ValueError, r"must be finite; got boxes\[1\] = "),
    (torch.tensor([[0.0, 0, torch.inf, 1]]), ValueError, r"must be finite; got boxes\[0\] = "),
    (torch.tensor([[0.0, 0, 1, 1], [5, 0, 2, 2]]), ValueError, r"x0 <= x1 and y0 <= y1; got boxes\[1\] = \[5\.0, 0\.0, 2\.0, 2\.0\]\. As xywh\?"),
]  # fmt: skip


@pytest.mark.parametrize(("boxes", "error", "text"), BAD)
def test_bad_boxes_are_named(boxes, error, text):
    with pytest.raises(error, match=text):
        checked_boxes(boxes, "boxes")
    with pytest.raises(error, match=text):
        box_convert(boxes, "xyxy", "xywh")
    with pytest.raises(error, match=text.replace("boxes", "b")):
        box_iou(torch.zeros(1, 4), boxes)


def test_a_size_below_zero_and_an_unknown_format_are_named():
    with pytest.raises(ValueError, match=r"boxes must be cxcywh with w and h of at least 0; got boxes\[0\]"):
        box_convert(torch.tensor([[5.0, 5, -1, 2]]), "cxcywh", "xyxy")
    with pytest.raises(ValueError, match=r"out_fmt must be one of .*got 'xyhw'. Did you mean 'xywh'"):
        box_convert(torch.zeros(1, 4), "xyxy", "xyhw")


def test_no_boxes_at_all():
    assert box_iou(torch.zeros(0, 4), torch.ones(3, 4)).shape == (0, 3)
    assert box_iou(torch.tensor([]), torch.tensor([])).shape == (0, 0)
    assert box_convert(torch.zeros(0, 4), "xywh", "cxcywh").shape == (0, 4)
