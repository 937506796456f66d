"""GIoU, DIoU and CIoU of pairs are torchvision's, and stay finite where torchvision's are not."""

import pytest
import torch
from torchvision import ops

from cvlab.detection import overlaps

LOSSES = {
    "giou": (overlaps.giou, overlaps.giou_loss, ops.generalized_box_iou_loss, ops.generalized_box_iou),
    "diou": (overlaps.diou, overlaps.diou_loss, ops.distance_box_iou_loss, ops.distance_box_iou),
    "ciou": (overlaps.ciou, overlaps.ciou_loss, ops.complete_box_iou_loss, ops.complete_box_iou),
}
KINDS = (
    "random",
    "the same",
    "touching",
    "inside",
    "apart",
    "whole pixels",
    "outside the picture",
    "one pixel",
)


def pairs(kind: str, seed: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    corner = 192 * torch.rand(8, 2, generator=rng, dtype=dtype)
    size = 1 + 90 * torch.rand(8, 2, generator=rng, dtype=dtype)
    a = torch.cat([corner, corner + size], 1)
    b = a.roll(1, 0)
    if kind == "the same":
        b = a.clone()
    elif kind == "touching":
        b = a + torch.stack([size[:, 0], 0 * size[:, 0]] * 2, 1)
    elif kind == "inside":
        b = torch.cat([corner + size / 4, corner + size / 2], 1)
    elif kind == "apart":
        b = a + 500
    elif kind == "whole pixels":
        a, b = a.floor(), b.floor()
    elif kind == "outside the picture":
        a, b = a - 150, b + 20
    elif kind == "one pixel":
        a = torch.cat([corner.floor(), corner.floor() + 1], 1)
        b = a + torch.randint(-1, 2, (8, 1), generator=rng).to(dtype)
    return a, b


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_equal_to_torchvision_in_value_and_slope(name, dtype, kind):
    """20 batches of 8 pairs for each: 3 x 2 x 8 x 20 x 8 = 7,680 pairs."""
    ours, summed, theirs, _ = LOSSES[name]
    for seed in range(20):
        a, b = pairs(kind, seed, dtype)
        a.requires_grad_()
        expected = theirs(a, b)
        assert torch.allclose(1 - ours(a, b), expected, atol=1e-6)
        assert torch.allclose(summed(a, b), expected.sum(), atol=1e-5)
        slopes = [torch.autograd.grad(loss, a)[0] for loss in (summed(a, b), expected.sum())]
        assert torch.allclose(*slopes, atol=1e-4 if kind == "one pixel" else 1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_equal_to_the_diagonal_of_every_box_with_every_other(name):
    ours, _, _, table = LOSSES[name]
    for kind in KINDS:
        a, b = pairs(kind, 7, torch.float64)
        assert torch.allclose(ours(a, b), table(a, b).diagonal(), atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_no_boxes_cost_nothing(name):
    ours, summed, _, _ = LOSSES[name]
    none = torch.zeros(0, 4, requires_grad=True)
    assert ours(none, none).shape == (0,)
    summed(none, torch.zeros(0, 4)).backward()
    assert none.grad.shape == (0, 4)


FLAT = torch.tensor([[5.0, 5, 5, 5], [2, 1, 2, 9], [0, 3, 8, 3], [0, 0, 4, 4]])


@pytest.mark.parametrize("name", LOSSES)
def test_boxes_of_no_area_have_finite_values_and_slopes(name):
    ours, _, theirs, _ = LOSSES[name]
    for other in range(4):
        a, b = FLAT.clone().requires_grad_(), FLAT.roll(other, 0)
        ours(a, b).sum().backward()
        assert torch.isfinite(ours(a, b)).all()
        assert torch.isfinite(a.grad).all()
    if name == "ciou":  # torchvision divides 0 by 0
        assert theirs(FLAT, FLAT.roll(1, 0)).isnan().any()


def test_what_each_sees_that_iou_does_not():
    truth = torch.tensor([[0.0, 0, 10, 10]])
    near, far = truth + 12, truth + 40
    assert ops.box_iou(truth, near) == ops.box_iou(truth, far) == 0
    assert overlaps.giou(truth, near) > overlaps.giou(truth, far)
    middle, edge = torch.tensor([[3.0, 3, 7, 7]]), torch.tensor([[0.0, 0, 4, 4]])
    assert overlaps.giou(truth, middle) == overlaps.giou(truth, edge)
    assert overlaps.diou(truth, middle) > overlaps.diou(truth, edge)
    square, flat = torch.tensor([[3.0, 3, 7, 7]]), torch.tensor([[1.0, 4, 9, 6]])
    assert torch.isclose(overlaps.diou(truth, square), overlaps.diou(truth, flat))
    assert overlaps.ciou(truth, square) > overlaps.ciou(truth, flat)


GOOD = torch.tensor([[0.0, 0, 2, 2]])


@pytest.mark.parametrize("overlap", [overlaps.giou, overlaps.diou, overlaps.ciou])
@pytest.mark.parametrize(
    ("a", "b", "error", "words"),
    [
        ([[0.0, 0, 2, 2]], GOOD, TypeError, "a must be a torch tensor of floats; got list"),
        (GOOD, GOOD.int(), TypeError, "b must be a torch tensor of floats; got torch.int32"),
        (GOOD[0], GOOD, ValueError, r"a must have shape \(N, 4\).*One box"),
        (GOOD, GOOD * torch.nan, ValueError, "b must be finite; got 1 of 1 boxes"),
        (
            GOOD,
            GOOD[:, [2, 1, 0, 3]],
            ValueError,
            r"b must have x0 <= x1.*got b\[0\] = \[2.0, 0.0, 0.0, 2.0\]",
        ),
        (GOOD, GOOD.repeat(2, 1), ValueError, "a and b must be pairs.*box_iou"),
    ],
)
def test_bad_boxes_are_told(overlap, a, b, error, words):
    with pytest.raises(error, match=words):
        overlap(a, b)
