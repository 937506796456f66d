"""RoI pool and RoI align against torchvision's, on seeded random maps and boxes; bad input gets a clear error."""

import pytest
import torch
from torchvision import ops

from cvlab.regions.roi import bilinear_weights, roi_align, roi_pool

CASES = 60
DTYPES = (torch.float32, torch.float64)


def cases(dtype):
    """Give maps, boxes, sizes and scales: boxes outside, flat ones, one pixel, none at all, edges on halves of cells."""
    dice = torch.Generator().manual_seed(0)
    for i in range(CASES):
        C, H, W = torch.randint(1, 12, (3,), generator=dice).tolist()
        stride, size = (1, 4, 8, 16, 32, 3)[i % 6], (1, 2, 3, 5, 7)[i % 5]
        feature = torch.randn(C, H, W, generator=dice).to(dtype)
        corners = (torch.rand(i % 4, 2, 2, generator=dice) * 2 - 0.5) * torch.tensor([W, H]) * stride
        if i % 3 == 0:
            corners = (corners / stride * 2).round() * stride / 2
        boxes = corners.sort(dim=1).values.flatten(1).to(dtype)
        if i % 7 == 0:
            boxes[:, 2:] = boxes[:, :2]
        if i % 11 == 0:
            boxes[:, 2:] = boxes[:, :2] + 1
        yield feature, boxes, size, 1 / stride


def near_the_jump(feature, boxes, size, scale, sampling, aligned):
    """Whether a sample stands where a number jumps to 0, one cell outside the map: there the last bit decides."""
    sides = ((boxes[:, 2:] - boxes[:, :2]) * scale).repeat(1, 1)
    starts = boxes[:, :2] * scale - (0.5 if aligned else 0)
    for start, side in zip(starts.flatten().tolist(), sides.flatten().tolist(), strict=True):
        part = (side if aligned else max(side, 1)) / size
        n = sampling if sampling > 0 else int(-(-part // 1))
        places = start + part * (torch.arange(size * n, dtype=torch.float64) + 0.5) / max(n, 1)
        for edge in (-1, *feature.shape[1:]):
            if ((places - edge).abs() < 1e-4).any():
                return True
    return False


@pytest.mark.parametrize("dtype", DTYPES)
def test_roi_pool_is_torchvisions(dtype):
    for feature, boxes, size, scale in cases(dtype):
        theirs = ops.roi_pool(feature[None], [boxes], size, scale)
        assert torch.equal(roi_pool(feature, boxes, size, scale), theirs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sampling", [1, 2, 3, 0, -1])
@pytest.mark.parametrize("aligned", [True, False])
def test_roi_align_is_torchvisions(dtype, sampling, aligned):
    compared = 0
    for feature, boxes, size, scale in cases(dtype):
        if near_the_jump(feature, boxes, size, scale, sampling, aligned):
            continue
        theirs = ops.roi_align(feature[None], [boxes], size, scale, sampling, aligned)
        ours = roi_align(feature, boxes, size, scale, sampling, aligned)
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
        compared += 1
    assert compared >= 0.75 * CASES


def test_torchvision_reads_a_cell_beyond_the_box_where_a_quotient_is_rounded_up():
    feature = torch.zeros(1, 58, 1)
    feature[0, 57] = 1  # the box ends before it
    box = torch.tensor([[0.0, 0, 0, 56]])  # 57 cells in 7 parts: 7 * (57 / 7) is more than 57 in float32
    assert ops.roi_pool(feature[None], [box], 7, 1.0)[0, 0, 6, 0] == 1
    assert roi_pool(feature, box, 7, 1.0)[0, 0, 6, 0] == 0


def test_a_flat_box_has_no_samples_where_their_number_follows_from_its_size():
    feature, box = torch.ones(1, 4, 4), torch.tensor([[2.0, 2, 2, 2]])
    for sampling, answer in ((0, 0.0), (2, 1.0)):
        ours = roi_align(feature, box, 1, 1.0, sampling)
        assert ours.item() == answer == ops.roi_align(feature[None], [box], 1, 1.0, sampling, True).item()


def test_a_box_moved_within_a_cell_changes_nothing_in_roi_pool_and_something_in_roi_align():
    feature = torch.randn(3, 12, 12, generator=torch.Generator().manual_seed(0))
    box, moved = torch.tensor([[57.0, 57, 121, 130]]), torch.tensor([[64.0, 57, 128, 130]])
    assert torch.equal(roi_pool(feature, box, 2, 1 / 16), roi_pool(feature, moved, 2, 1 / 16))
    assert not torch.allclose(roi_align(feature, box, 2, 1 / 16), roi_align(feature, moved, 2, 1 / 16))


def test_gradients_flow_to_the_map():
    for cut in (roi_pool, roi_align):
        feature = torch.rand(1, 4, 4, requires_grad=True)
        cut(feature, torch.tensor([[0.0, 0, 3, 3]]), 2, 1.0).sum().backward()
        assert feature.grad.sum() == pytest.approx(4)


def test_weights_sum_to_one_up_to_a_cell_outside():
    weights = bilinear_weights(torch.linspace(-1, 5, 50), 5)
    torch.testing.assert_close(weights.sum(1), torch.ones(50))
    assert bilinear_weights(torch.tensor([-1.01, 5.01]), 5).sum() == 0


BOX = torch.tensor([[0.0, 0, 2, 2]])
MAP = torch.zeros(1, 4, 4)


@pytest.mark.parametrize("cut", [roi_pool, roi_align])
@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"boxes": torch.tensor([[5.0, 0, 2, 2]])}, ValueError, "boxes must be xyxy with x0 <= x1"),
        ({"boxes": torch.tensor([[torch.nan, 0, 2, 2]])}, ValueError, "boxes must be finite"),
        ({"boxes": BOX[0]}, ValueError, "One box\\? boxes\\[None\\]"),
        ({"boxes": BOX.double()}, TypeError, "feature and boxes must have one dtype"),
        ({"scale": 0}, ValueError, "scale must be greater than 0 .* 1 / stride"),
        ({"scale": float("nan")}, ValueError, "scale must be greater than 0"),
        ({"scale": "1"}, TypeError, "scale must be a number"),
        ({"size": 0}, ValueError, "size must be at least 1"),
        ({"feature": MAP[:, :0]}, ValueError, "picture smaller than the stride"),
        ({"feature": MAP[None]}, ValueError, "A batch\\? Pass one picture's map: feature\\[0\\]"),
        ({"feature": MAP[0]}, ValueError, "One channel\\? feature\\[None\\]"),
        ({"feature": MAP.half()}, TypeError, "float32 or float64"),
        ({"feature": MAP.numpy()}, TypeError, "must be a torch tensor"),
    ],
)
def test_bad_input_gets_a_clear_error(cut, changes, error, words):
    given = {"feature": MAP, "boxes": BOX, "size": 2, "scale": 1.0} | changes
    with pytest.raises(error, match=words):
        cut(**given)


@pytest.mark.parametrize("cut", [roi_pool, roi_align])
def test_no_boxes_give_no_grids(cut):
    assert cut(MAP, torch.zeros(0, 4), 3, 0.5).shape == (0, 1, 3, 3)
