"""Masks for boxes: cut, answered, and pasted back."""

import pytest
import torch
from torchvision.models.detection.roi_heads import paste_masks_in_image

from cvlab.detection.mask_head import MaskHead, cut_levels, mask_targets, paste_masks, train_masks, with_masks
from cvlab.world.scenes import make_scenes


def levels(n):
    torch.manual_seed(0)
    return [torch.randn(n, c, s, s) for c, s in ((24, 48), (40, 24), (112, 12))]


def iou(a, b):
    return (a & b).sum((1, 2)) / (a | b).sum((1, 2))


def test_true_masks_survive_the_small_grid_and_torchvision_agrees():
    for scene in make_scenes(6, seed=3, size=192):
        masks, boxes = torch.from_numpy(scene.masks), torch.from_numpy(scene.boxes)
        small = mask_targets(masks, boxes)
        ours = paste_masks(small, boxes, 192, 192)
        theirs = paste_masks_in_image(small[:, None], boxes, (192, 192))[:, 0] > 0.5
        assert iou(ours, masks).min() > 0.8
        assert iou(ours, theirs).min() > 0.8


def test_whole_box_is_filled_exactly():
    boxes = torch.tensor([[3.0, 5, 20, 9], [-4, -4, 6, 6], [30, 30, 40, 40], [2, 2, 2, 8]])
    pasted = paste_masks(torch.ones(4, 28, 28), boxes, 24, 32)
    assert pasted.sum((1, 2)).tolist() == [17 * 4, 36, 0, 0], "cut at the edge, outside, without area"
    assert pasted[0, 5:9, 3:20].all()


def test_no_boxes():
    none = torch.zeros(0, 4)
    assert paste_masks(torch.zeros(0, 28, 28), none, 10, 12).shape == (0, 10, 12)
    assert mask_targets(torch.zeros(0, 9, 9, dtype=torch.bool), none).shape == (0, 28, 28)
    assert cut_levels(levels(1), [none]).shape == (0, 176, 14, 14)


@pytest.mark.parametrize(
    ("masks", "boxes", "message"),
    [
        (torch.ones(2, 4, 4), torch.tensor([[0.0, 0, 4, 4]]), "as many; got 2 and 1"),
        (torch.ones(1, 1, 4, 4), torch.tensor([[0.0, 0, 4, 4]]), r"masks\[:, 0\]"),
        (torch.ones(1, 4, 4), torch.tensor([[4.0, 0, 0, 4]]), "x0 <= x1"),
        (torch.ones(1, 4, 4), torch.tensor([[float("nan"), 0, 4, 4]]), "finite"),
    ],
)
def test_bad_input_is_named(masks, boxes, message):
    for f in (lambda: paste_masks(masks, boxes, 8, 8), lambda: mask_targets(masks, boxes)):
        with pytest.raises(ValueError, match=message):
            f()


@pytest.mark.parametrize("each_class", [False, True])
@pytest.mark.parametrize("pool", [False, True])
def test_trains_and_answers(pool, each_class):
    box = torch.tensor([[20.0, 20, 100, 90]])
    mask = torch.zeros(1, 192, 192, dtype=torch.bool)
    mask[0, 20:90, 20:60] = True  # the left half
    maps, nothing = levels(2), torch.zeros(0, 4)
    labels = [torch.tensor([2]), torch.zeros(0, dtype=torch.int64)] if each_class else None
    head, losses = train_masks(maps, [box, nothing], [mask, mask[:0]], labels=labels, pool=pool, steps=12)
    assert losses.isfinite().all()
    assert losses[-1] < losses[0]
    found = [
        {"boxes": box, "scores": torch.tensor([0.9]), "labels": torch.tensor([2])},
        {"boxes": nothing, "scores": torch.zeros(0), "labels": torch.zeros(0, dtype=torch.int64)},
    ]
    one, none = with_masks(head, maps, found, pool=pool)
    assert one["masks"].shape == (1, 192, 192)
    assert none["masks"].shape == (0, 192, 192)
    assert not one["masks"][0, :, 101:].any()
    assert one["scores"] is found[0]["scores"]


def test_a_mask_for_each_class():
    assert MaskHead(17)(torch.zeros(2, 176, 14, 14)).shape == (2, 17, 28, 28)
