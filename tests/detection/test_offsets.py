"""Offsets between anchors and boxes: torchvision's numbers, and back again."""

import math

import pytest
import torch
from torchvision.models.detection._utils import BoxCoder

from cvlab.detection.offsets import decode_boxes, encode_boxes

CODER = BoxCoder((1.0, 1.0, 1.0, 1.0))
BOTH = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def dice_boxes(dice, n, dtype):
    """Boxes of a thousandth of a pixel to a thousand pixels, some far outside the picture."""
    corner = torch.rand(n, 2, generator=dice, dtype=dtype) * 400 - 100
    size = 10 ** (torch.rand(n, 2, generator=dice, dtype=dtype) * 6 - 3)
    return torch.cat([corner, corner + size], 1)


@BOTH
def test_encoding_is_torchvisions_bit_for_bit(dtype):
    dice = torch.Generator().manual_seed(1)
    for case in range(300):
        boxes, anchors = (dice_boxes(dice, case % 40, dtype) for _ in range(2))
        ours = encode_boxes(boxes, anchors)
        assert ours.dtype == dtype
        assert ours.shape == (case % 40, 4)
        assert torch.equal(ours, CODER.encode_single(boxes, anchors))


@BOTH
def test_decoding_is_torchvisions(dtype):
    dice, clamped = torch.Generator().manual_seed(2), 0
    for case in range(300):
        n = case % 40
        anchors = dice_boxes(dice, n, dtype)
        anchors[::9, 2:] = anchors[::9, :2]  # some empty
        offsets = torch.randn(n, 4, generator=dice, dtype=dtype) * 3
        ours, theirs = decode_boxes(offsets, anchors), CODER.decode_single(offsets, anchors)
        clamped += int((offsets[:, 2:] > math.log(1000 / 16)).sum())
        assert ours.dtype == dtype
        assert ours.shape == (n, 4)
        tolerance = 1e-5 if dtype == torch.float32 else 1e-13
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)
        assert (ours[:, 2:] >= ours[:, :2]).all()
    assert clamped >= 500


@BOTH
def test_decoding_undoes_encoding(dtype):
    dice = torch.Generator().manual_seed(3)
    for case in range(200):
        corner = torch.rand(2, 20, 2, generator=dice, dtype=dtype) * 192
        anchors, boxes = torch.cat([corner, corner + 4 + 180 * torch.rand(2, 20, 2, generator=dice)], 2)
        anchors, boxes = anchors.to(dtype), boxes.to(dtype)
        back = decode_boxes(encode_boxes(boxes, anchors), anchors)
        assert (back - boxes).abs().max() < (1e-3 if dtype == torch.float32 else 1e-10), case


@BOTH
def test_no_rows_give_no_rows(dtype):
    nothing = torch.zeros(0, 4, dtype=dtype)
    assert encode_boxes(nothing, nothing).shape == decode_boxes(nothing, nothing).shape == (0, 4)


def test_other_weights_are_a_factor():
    dice = torch.Generator().manual_seed(4)
    boxes, anchors = (dice_boxes(dice, 30, torch.float64) for _ in range(2))
    weights = torch.tensor([10.0, 10, 5, 5], dtype=torch.float64)
    coder = BoxCoder((10.0, 10.0, 5.0, 5.0))
    offsets = encode_boxes(boxes, anchors) * weights
    torch.testing.assert_close(offsets, coder.encode_single(boxes, anchors))
    torch.testing.assert_close(
        decode_boxes(offsets / weights, anchors), coder.decode_single(offsets, anchors)
    )


def test_no_offset_is_the_anchor_and_no_size_overflows():
    anchor = torch.tensor([[8.0, 8, 24, 24]])
    assert torch.equal(decode_boxes(torch.zeros(1, 4), anchor), anchor)
    huge = decode_boxes(torch.tensor([[0.0, 0, 1000, 1000]]), anchor)
    assert torch.allclose(huge[:, 2:] - huge[:, :2], torch.tensor(1000.0))
    tiny = decode_boxes(torch.tensor([[0.0, 0, -1000, -1000]]), anchor)
    assert tiny.tolist() == [[16, 16, 16, 16]]


def test_gradients_flow_to_the_offsets():
    offsets = torch.tensor([[0.1, -0.2, 0.3, -0.4]], dtype=torch.float64, requires_grad=True)
    anchor = torch.tensor([[8.0, 8, 24, 40]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda o: decode_boxes(o, anchor), offsets)


BOX = torch.tensor([[0.0, 0, 8, 8]])


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"boxes": BOX[:, [0, 1, 2, 1]]}, ValueError, r"boxes must have a width and a height above 0; got boxes\[0\]"),
        ({"anchors": BOX[:, [0, 1, 0, 3]]}, ValueError, r"anchors must have a width and a height above 0"),
        ({"anchors": BOX[:, [2, 1, 0, 3]]}, ValueError, "anchors must be xyxy with x0 <= x1"),
        ({"boxes": BOX * math.inf}, ValueError, r"boxes must be finite; got boxes\[0\]"),
        ({"boxes": BOX.repeat(2, 1)}, ValueError, r"one row for each other; got 2 and 1. boxes\[match\]"),
        ({"anchors": [[0, 0, 8, 8]]}, TypeError, "anchors must be a torch tensor; got list"),
    ],
)  # fmt: skip
def test_bad_pairs_are_refused(given, error, words):
    with pytest.raises(error, match=words):
        encode_boxes(**{"boxes": BOX, "anchors": BOX} | given)


@pytest.mark.parametrize(
    ("offsets", "error", "words"),
    [
        (torch.zeros(4), ValueError, r"offsets must have shape \(N, 4\).*One box\? offsets\[None\]"),
        (torch.zeros(1, 8), ValueError, r"offsets must have shape \(N, 4\) .* got \(1, 8\)"),
        (torch.zeros(2, 4), ValueError, "offsets and anchors must have one row for each other; got 2 and 1"),
        (torch.full((1, 4), math.nan), ValueError, r"offsets must be finite; got offsets\[0\].*ran away"),
        (torch.zeros(1, 4).long(), TypeError, "offsets must be floats; got torch.int64"),
        ([[0.0] * 4], TypeError, "offsets must be a torch tensor; got list"),
    ],
)
def test_bad_offsets_are_refused(offsets, error, words):
    with pytest.raises(error, match=words):
        decode_boxes(offsets, BOX)
