"""One thing: its points, the head of mean places, and what bad input is told."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cvlab.regions.geometry import box_iou
from cvlab.regions.keypoints import cover, extreme_points, pck, point_errors
from cvlab.regions.single_object import (
    CELL,
    BoxAndClass,
    PlaceHead,
    cells_of,
    fit,
    mean_iou,
    one_thing,
    to_box,
    upright,
)
from cvlab.world.scenes import make_scenes


def test_extreme_points_span_the_scenes_own_boxes():
    scenes = make_scenes(30, size=96, objects=(1, 1))
    points = extreme_points(np.concatenate([scene.masks for scene in scenes]))
    boxes = np.concatenate([scene.boxes for scene in scenes])
    assert torch.equal(to_box(points), torch.from_numpy(boxes))
    x, y = points.unbind(2)
    assert (x >= to_box(points)[:, :1]).all()
    assert (y <= to_box(points)[:, 3:]).all()


def test_a_mask_of_one_pixel_has_four_points_round_it():
    mask = np.zeros((1, 5, 5), bool)
    mask[0, 2, 3] = True
    assert extreme_points(mask).tolist() == [[[3, 2.5], [3.5, 2], [4, 2.5], [3.5, 3]]]


def test_a_place_head_finds_the_one_cell_that_stands_out():
    dice = torch.Generator().manual_seed(0)
    at = torch.randint(0, 6, (64, 2), generator=dice)
    cells = torch.zeros(64, 6, 6, 3)
    cells[torch.arange(64), at[:, 1], at[:, 0]] = 1.0
    head = PlaceHead(3, points=1)
    fit(head, lambda i: F.l1_loss(head(cells[i])[:, 0], at[i] + 0.5), 64, steps=200, lr=0.2)
    with torch.no_grad():
        assert (head(cells)[:, 0] - at - 0.5).abs().mean() < 0.2


def test_places_move_with_the_map():
    torch.manual_seed(0)
    head = PlaceHead(4, points=2)
    torch.nn.init.normal_(head.score.weight, std=5)
    cells = torch.full((1, 8, 8, 4), -1.0)
    cells[:, 2:4, 2:4] = torch.randn(1, 2, 2, 4) + 3
    with torch.no_grad():
        share = head.score(cells).flatten(1, 2).softmax(1)
        assert torch.allclose(share.sum(1), torch.ones(1, 2))
        turned = head(cells.transpose(1, 2))  # x and y change places
        assert torch.allclose(turned, head(cells).flip(2), atol=1e-5)


def test_a_head_that_answers_inside_out_is_judged_all_the_same():
    assert upright(torch.tensor([[9.0, 8, 1, 2]])).tolist() == [[1, 2, 9, 8]]
    truth = torch.tensor([[1.0, 2, 9, 8], [0, 0, 4, 4]])
    found = torch.tensor([[9.0, 8, 1, 2], [0, 0, 2, 4]])
    assert mean_iou(found, truth) == pytest.approx(0.75)
    assert mean_iou(truth, truth) == box_iou(truth, truth).diagonal().mean() == 1


def test_box_and_class_train_together():
    torch.manual_seed(0)
    cells, labels = torch.randn(40, 4, 4, 6), torch.arange(40) % 3
    cells[torch.arange(40), 1, 2, labels] += 8
    net = BoxAndClass(6, classes=3)
    fit(net, lambda i: F.cross_entropy(net(cells[i])[0], labels[i]), 40, steps=60, lr=0.02)
    logits, boxes = net(cells)
    assert (logits.argmax(1) == labels).float().mean() > 0.9
    assert boxes.shape == (40, 4)


@pytest.mark.slow
def test_the_pictures_are_those_of_the_scenes_and_places_beat_the_mean_box():
    data = one_thing()
    assert {name: len(things) for name, things in data.items()} == {"train": 200, "seen": 80, "unseen": 80}
    train = data["train"]
    assert train.cells.flatten(0, 2).mean(0).abs().max() < 1e-3
    scene = make_scenes(1, size=192, objects=(1, 1), split="test", seed=1)[0]
    assert torch.allclose(cells_of(scene.image[None]), data["unseen"].cells[:1], atol=1e-3)
    head = PlaceHead(112)
    target = train.boxes / CELL
    fit(head, lambda i: F.l1_loss(to_box(head(train.cells[i])), target[i]), 200)
    for name in ("seen", "unseen"):
        with torch.no_grad():
            found = to_box(head(data[name].cells)) * CELL
        always = train.boxes.mean(0).expand(80, 4)
        assert mean_iou(found, data[name].boxes) > 0.55 > 0.3 > mean_iou(always, data[name].boxes)


def test_errors_and_their_share():
    truth = torch.zeros(2, 2, 2)
    found = torch.tensor([[[3.0, 4], [0, 1]], [[0, 10], [0, 0]]])
    assert point_errors(found, truth).tolist() == [[5, 1], [10, 0]]
    assert pck(found, truth, torch.tensor([50.0, 50.0])) == 0.75
    assert pck(found, truth, torch.tensor([50.0, 50.0]), share=0.2) == 1


def test_a_card_over_the_edge_is_cut_and_the_pictures_stay():
    images = np.zeros((2, 10, 10, 3), np.uint8)
    points = torch.tensor([[[0.0, 0.0]], [[5.0, 5.0]]])
    answer = cover(images, points, torch.tensor([0, 0]), side=4)
    assert (answer[:, :, :, 0] > 0).sum(axis=(1, 2)).tolist() == [4, 16]
    assert not images.any()


BAD = [
    (lambda: extreme_points(np.zeros((1, 3, 3), bool)), r"masks must each hold a pixel; got masks\[0\]"),
    (lambda: extreme_points(np.zeros((3, 3), bool)), r"\(N, H, W\) bool; got \(3, 3\) bool. One mask\?"),
    (lambda: point_errors(torch.zeros(1, 4), torch.zeros(1, 4)), r"must both be \(N, K, 2\)"),
    (lambda: pck(torch.zeros(2, 1, 2), torch.zeros(2, 1, 2), torch.ones(1)), r"one number a thing, shape \(2,\)"),
    (lambda: cover(np.zeros((1, 4, 4, 3), np.uint8), torch.zeros(1, 2, 2), torch.tensor([2])), r"which must be 0 to 1"),
    (lambda: cover(np.zeros((1, 4, 4, 3), np.uint8), torch.zeros(1, 2, 2), torch.zeros(2, dtype=int)), r"one point a picture"),
    (lambda: cells_of(np.zeros((1, 96, 96, 3), np.uint8)), r"images must be \(N, 192, 192, 3\) uint8; got \(1, 96, 96, 3\)"),
    (lambda: PlaceHead(0), r"channels must be at least 1"),
    (lambda: mean_iou(torch.zeros(1, 4), torch.tensor([[1.0, 0, 0, 1]])), r"truth must be xyxy with x0 <= x1"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "text"), BAD)
def test_bad_input_is_named(call, text):
    with pytest.raises(ValueError, match=text):
        call()


def test_a_loss_that_is_not_finite_stops_the_training():
    head = PlaceHead(2)
    with pytest.raises(ValueError, match="loss must be finite; got nan"):
        fit(head, lambda i: head(torch.zeros(1, 2, 2, 2)).sum() * torch.nan, 40)
