"""Fitted shapes lie where the boxes are."""

import torch
from torchvision.ops import box_iou

from cvlab.detection.shapes import fit_shapes, shape_iou


def test_the_overlap_of_sizes_is_that_of_boxes_on_one_corner():
    dice = torch.Generator().manual_seed(0)
    a, b = (1 + 99 * torch.rand(n, 2, generator=dice) for n in (40, 7))
    whole = [torch.cat([torch.zeros_like(v), v], 1) for v in (a, b)]
    torch.testing.assert_close(shape_iou(a, b), box_iou(*whole))


def test_clusters_are_found_by_either_distance_and_the_boxes_stay_as_they_are():
    dice = torch.Generator().manual_seed(1)
    middles = torch.tensor([[20.0, 20], [40, 90], [100, 60]])
    sizes = middles.repeat(50, 1) + torch.randn(150, 2, generator=dice)
    before = sizes.clone()
    for distance in (torch.cdist, lambda a, b: 1 - shape_iou(a, b)):
        best = min(
            (fit_shapes(sizes, 3, distance, seed) for seed in range(5)),
            key=lambda shapes: distance(sizes, shapes).amin(1).sum(),
        )
        assert torch.cdist(middles, best).amin(1).max() < 1
    assert torch.equal(sizes, before)


def test_one_shape_is_the_mean():
    sizes = torch.tensor([[10.0, 30], [20, 10]])
    assert fit_shapes(sizes, 1, torch.cdist).tolist() == [[15, 20]]
