"""Anchors and their matching: equal to torchvision's, and clear about what cannot be."""

import math

import pytest
import torch
from torchvision.models.detection._utils import Matcher
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import box_iou

from cvlab.detection.anchors import make_anchors, match_anchors

GRIDS = [
    (height, width, stride, sizes, ratios)
    for height, width in [(1, 1), (1, 5), (4, 1), (3, 4), (12, 12)]
    for stride in (1, 8, 16, 32)
    for sizes, ratios in [
        ([32], [1]),
        ([8, 16], [1]),
        ([40], [0.5, 1, 2]),
        ([24, 48, 96], [0.5, 1.0, 2.0]),
        ([5, 7.5], [3, 0.3]),
    ]
]


def library(height, width, stride, sizes, ratios, rounded=True):
    """torchvision's anchors, with or without its rounding of the shapes."""
    made = AnchorGenerator(sizes=(tuple(sizes),), aspect_ratios=(tuple(ratios),))
    if not rounded:
        root = torch.tensor(ratios, dtype=torch.float32).sqrt()[:, None]
        h, w = (root * torch.tensor(sizes)).flatten(), (1 / root * torch.tensor(sizes)).flatten()
        made.cell_anchors = [torch.stack([-w, -h, w, h], 1) / 2]
    picture = torch.zeros(1, 3, height * stride, width * stride)
    return made(ImageList(picture, [picture.shape[-2:]]), [torch.zeros(1, 1, height, width)])[0]


@pytest.mark.parametrize("grid", GRIDS)
def test_anchors_are_torchvisions_but_for_its_rounding(grid):
    ours = make_anchors(*grid)
    assert ours.dtype == torch.float32
    assert ours.shape == (grid[0] * grid[1] * len(grid[3]) * len(grid[4]), 4)
    assert torch.equal(ours, library(*grid, rounded=False))
    assert (ours - library(*grid)).abs().max() <= 0.5


def test_the_first_anchor_is_centred_in_the_corner():
    assert make_anchors(1, 1, 16, [8], [1]).tolist() == [[-4, -4, 4, 4]]


def test_a_ratio_is_height_over_width_and_keeps_the_area():
    x0, y0, x1, y1 = make_anchors(1, 1, 16, [32], [4])[0].tolist()
    assert (x1 - x0, y1 - y0) == (16, 64)


def dice_boxes(dice, n, dtype, whole):
    """Boxes about a picture of 60 pixels, some beyond it, one in eight empty; whole numbers make ties."""
    corner = torch.rand(n, 2, generator=dice, dtype=dtype) * 60 - 10
    size = torch.rand(n, 2, generator=dice, dtype=dtype) * 30
    size[torch.rand(n, generator=dice) < 1 / 8] = 0
    boxes = torch.cat([corner, corner + size], 1)
    return boxes.round() if whole else boxes


def matched(anchors, boxes, low, high):
    """torchvision's matches, with 0 for its 0 / 0."""
    iou = box_iou(boxes, anchors).nan_to_num(0)
    return iou, Matcher(high, low, allow_low_quality_matches=True)(iou)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("low", "high"), [(0.3, 0.7), (0.5, 0.5), (0.0, 0.4), (0.2, 1.0)])
def test_matches_are_torchvisions_wherever_each_truth_touches_an_anchor(dtype, low, high):
    dice, cases, missed = torch.Generator().manual_seed(0), 0, 0
    for case in range(300):
        n, m = (int(torch.randint(1, most, (), generator=dice)) for most in (60, 7))
        anchors = make_anchors(3, 4, 16, [12, 24], [1, 2]).to(dtype)
        if case % 2:
            anchors = dice_boxes(dice, n, dtype, whole=case % 4 == 1)
        boxes = dice_boxes(dice, m, dtype, whole=case % 3 > 0)
        iou, theirs = matched(anchors, boxes, low, high)
        touched = iou.amax(1) > 0
        ours = match_anchors(anchors, boxes, low, high)
        assert ours.dtype == torch.int64
        assert ours.shape == (len(anchors),)
        if touched.all():
            cases += 1
            assert torch.equal(ours, theirs)
        elif touched.any():  # leave the others out, and it is torchvision's again
            missed += 1
            kept = touched.nonzero()[:, 0]
            _, theirs = matched(anchors, boxes[kept], low, high)
            renamed = torch.where(theirs >= 0, kept[theirs.clamp(min=0)], theirs)
            if low > 0:  # otherwise an anchor with no overlap is ignored, for whichever truth comes first
                assert torch.equal(ours, renamed)
    assert cases >= 130
    assert missed >= 100


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_truth_makes_every_anchor_negative(dtype):
    anchors = make_anchors(2, 3, 16, [32], [1]).to(dtype)
    assert match_anchors(anchors, torch.zeros(0, 4, dtype=dtype)).tolist() == [-1] * 6
    assert match_anchors(anchors, torch.zeros(0, dtype=dtype)).tolist() == [-1] * 6


def test_no_anchor_gives_no_match():
    nothing = torch.zeros(0, 4)
    assert match_anchors(nothing, nothing).shape == (0,)
    assert match_anchors(nothing, torch.tensor([[0.0, 0, 1, 1]])).shape == (0,)


def test_a_truth_that_touches_no_anchor_takes_none():
    """torchvision gives it all of them."""
    anchors, far = torch.tensor([[0.0, 0, 9, 9], [9, 9, 20, 20]]), torch.tensor([[50.0, 50, 60, 60]])
    assert matched(anchors, far, 0.3, 0.7)[1].tolist() == [0, 0]
    assert match_anchors(anchors, far).tolist() == [-1, -1]
    empty = torch.tensor([[5.0, 5, 5, 9]])
    assert match_anchors(anchors, empty).tolist() == [-1, -1]


def test_ties_are_all_kept_and_the_threshold_belongs_to_the_positive():
    anchors = torch.tensor([[0.0, 0, 4, 4], [4, 0, 8, 4], [0, 0, 8, 7], [20, 20, 28, 28]])
    assert match_anchors(anchors[:2], torch.tensor([[2.0, 0, 6, 4]])).tolist() == [0, 0]
    truth = torch.tensor([[0.0, 0, 8, 8], [20, 20, 28, 28]])  # IoU of anchor 2: exactly 7 / 8
    assert match_anchors(anchors, truth, 0.3, 0.875).tolist()[2] == 0
    assert match_anchors(anchors, truth, 0.875, 0.9).tolist()[2] == 0  # nobody is nearer


def test_the_nearest_truth_has_the_anchor_even_if_another_claims_it():
    anchors, boxes = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([[0.0, 0, 10, 9], [0, 0, 5, 5]])
    assert match_anchors(anchors, boxes).tolist() == [0]


GOOD = {"height": 2, "width": 2, "stride": 16, "sizes": [32], "ratios": [1]}


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"height": 0}, ValueError, "height must be at least 1; got 0"),
        ({"width": 2.5}, TypeError, "width must be a whole number; got 2.5"),
        ({"stride": 0}, ValueError, "stride must be positive and finite; got 0"),
        ({"stride": "16"}, TypeError, "stride must be a number; got '16'"),
        ({"sizes": 32}, TypeError, r"sizes must be a list of numbers; got 32. Only one\? \[32\]"),
        ({"sizes": []}, ValueError, "sizes must hold at least one number; got none"),
        ({"sizes": [32, -1]}, ValueError, r"sizes\[1\] must be positive and finite; got -1"),
        ({"ratios": [1, math.nan]}, ValueError, r"ratios\[1\] must be positive and finite; got nan"),
        ({"ratios": [True]}, TypeError, r"ratios\[0\] must be a number; got True"),
    ],
)
def test_bad_grids_are_refused(change, error, words):
    with pytest.raises(error, match=words):
        make_anchors(**GOOD | change)


def test_sizes_may_be_a_tensor():
    assert torch.equal(
        make_anchors(**GOOD | {"sizes": torch.tensor([32.0]), "ratios": (1,)}), make_anchors(**GOOD)
    )


BOX = torch.tensor([[0.0, 0, 8, 8]])


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"anchors": BOX.numpy()}, TypeError, "anchors must be a torch tensor; got ndarray"),
        ({"anchors": BOX.long()}, TypeError, "anchors must be float32 or float64"),
        ({"boxes": BOX * math.nan}, ValueError, r"boxes must be finite; got boxes\[0\]"),
        (
            {"boxes": BOX[:, [2, 1, 0, 3]]},
            ValueError,
            r"boxes must be xyxy .* got boxes\[0\] = \[8.0, 0.0, 0.0",
        ),
        ({"boxes": BOX[0]}, ValueError, r"boxes must have shape \(N, 4\).*One box\? boxes\[None\]"),
        ({"low": 0.8}, ValueError, "0 <= low <= high <= 1; got 0.8 and 0.7"),
        ({"high": 70}, ValueError, "0 <= low <= high <= 1; got 0.3 and 70"),
        ({"low": "0.3"}, TypeError, "low must be a number; got '0.3'"),
        ({"low": math.nan}, ValueError, "0 <= low <= high <= 1; got nan and 0.7"),
    ],
)
def test_bad_matches_are_refused(given, error, words):
    with pytest.raises(error, match=words):
        match_anchors(**{"anchors": BOX, "boxes": BOX} | given)
