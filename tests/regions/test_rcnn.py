"""R-CNN: edges there and back, targets of regions, ridge regression, and answers that a judge takes."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from cvlab.regions.crops import CropClassifier
from cvlab.regions.geometry import box_iou
from cvlab.regions.rcnn import (
    RCNN,
    edge_shares,
    move_edges,
    region_targets,
    ridge,
    sample_regions,
    train_rcnn,
    training_regions,
    widen,
)
from cvlab.world.scenes import make_scene, make_scenes

SIZE = (192, 192)


def some_boxes(dice, count, dtype=torch.float64):
    corners = torch.tensor(dice.uniform(0, 150, (count, 2)), dtype=dtype)
    return torch.cat([corners, corners + torch.tensor(dice.uniform(1, 60, (count, 2)), dtype=dtype)], dim=1)


@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 1e-3), (torch.float64, 1e-9)])
def test_edges_go_there_and_back(dtype, near):
    dice = np.random.default_rng(0)
    for count in (0, 1, 50):
        boxes, truth = some_boxes(dice, count, dtype), some_boxes(dice, count, dtype)
        shares = edge_shares(boxes, truth)
        assert shares.dtype == dtype
        assert torch.allclose(move_edges(boxes, shares), truth, atol=near)


def test_shares_do_not_depend_on_size_or_place():
    dice = np.random.default_rng(1)
    boxes, truth = some_boxes(dice, 20), some_boxes(dice, 20)
    assert torch.allclose(edge_shares(boxes, truth), edge_shares(boxes * 3 + 7, truth * 3 + 7))


def test_crossed_edges_make_an_empty_box():
    moved = move_edges(torch.tensor([[10.0, 10, 20, 20]]), torch.tensor([[0.9, 0, -0.9, 0]]))
    assert (moved[:, 2:] >= moved[:, :2]).all()


def test_widened_boxes_hold_the_old_ones():
    assert widen(torch.tensor([[10.0, 20, 30, 60]]), 0.25).tolist() == [[5, 10, 35, 70]]
    assert torch.equal(widen(torch.tensor([[10.0, 20, 30, 60]]), 0.0), torch.tensor([[10.0, 20, 30, 60]]))


def test_an_empty_box_has_no_shares():
    flat = torch.tensor([[5.0, 5, 5, 9]])
    with pytest.raises(ValueError, match=r"boxes must not be empty; got boxes\[0\] = \[5.0, 5.0, 5.0, 9.0\]"):
        edge_shares(flat, flat)
    with pytest.raises(ValueError, match="truth must have one box for each of boxes"):
        edge_shares(torch.ones(2, 4).cumsum(1), torch.ones(1, 4).cumsum(1))


def test_targets_say_class_background_or_between():
    scene = make_scene(1, size=192, objects=(1, 1))
    true = torch.from_numpy(scene.boxes)
    height = true[0, 3] - true[0, 1]
    cut = true.repeat(4, 1)
    cut[:, 3] -= height * torch.tensor([0.0, 0.45, 0.6, 0.8])  # overlaps of 1, 0.55, 0.4, 0.2
    labels, shares = region_targets(cut, scene)
    name = int(scene.labels[0]) + 1
    assert labels.tolist() == [name, name, -1, 0]
    assert torch.allclose(move_edges(cut, shares), true.repeat(4, 1), atol=1e-3)


def test_a_scene_without_objects_is_all_background():
    scene = make_scene(0, size=192, objects=(1, 1))
    bare = dataclasses.replace(scene, boxes=np.zeros((0, 4), np.float32), labels=np.zeros(0, np.int64))
    labels, shares = region_targets(torch.tensor([[0.0, 0, 9, 9]]), bare)
    assert labels.tolist() == [0]
    assert shares.tolist() == [[0, 0, 0, 0]]
    assert (region_targets(sample_regions(bare), bare)[0] == 0).all()


def test_ridge_is_least_squares_held_back():
    dice = torch.Generator().manual_seed(0)
    x, true = torch.randn(200, 6, generator=dice), torch.randn(6, 4, generator=dice)
    assert torch.allclose(ridge(x, x @ true, 1e-4), true, atol=1e-3)
    norms = [ridge(x, x @ true, penalty).norm() for penalty in (0.1, 100, 10_000)]
    assert norms == sorted(norms, reverse=True)


def shaped(moves):
    """A detector that sees class 2 of three where its one feature is high, and moves edges by `moves`."""
    layer = nn.Linear(1, 4)
    layer.weight.data = torch.tensor([[0.0], [0.0], [10.0], [0.0]])
    layer.bias.data = torch.tensor([5.0, -5.0, 0.0, -5.0])
    classifier = CropClassifier(layer.requires_grad_(False), torch.zeros(1), torch.ones(1))
    return RCNN(classifier, torch.zeros(1, 4), torch.tensor(moves))


def test_an_answer_is_named_moved_and_kept_once():
    boxes = torch.tensor([[100.0, 100, 180, 180], [102, 100, 182, 180], [10, 10, 50, 50]])
    features = torch.tensor([[1.0], [2.0], [-1.0]])
    rcnn = shaped([0.0, 0.0, 0.5, 0.0])
    answer = rcnn.answer(features, boxes, SIZE)
    assert answer["labels"].tolist() == [1]
    assert answer["boxes"].tolist() == [[102, 100, 192, 180]]  # the better of two, and it ends at the picture
    assert rcnn.answer(features, boxes, SIZE, refine=False)["boxes"].tolist() == [[102, 100, 182, 180]]


def test_no_proposals_give_no_detections():
    answer = shaped([0.0] * 4).answer(torch.zeros(0, 1), torch.zeros(0, 4), SIZE)
    assert {key: tuple(value.shape) for key, value in answer.items()} == {
        "boxes": (0, 4),
        "scores": (0,),
        "labels": (0,),
    }


def test_it_learns_what_it_was_shown():
    scenes = make_scenes(4, size=192, objects=(2, 3))
    features, labels, shares = training_regions(scenes)
    assert (labels >= 0).all()
    rcnn = train_rcnn(features, labels, shares)
    named = rcnn.classifier(features).argmax(dim=1)
    assert (named == labels).float().mean() > 0.9
    answer = rcnn.detect(scenes[0].image)
    overlap, found = box_iou(torch.from_numpy(scenes[0].boxes), answer["boxes"]).max(dim=1)
    assert (overlap > 0.5).all()
    assert (answer["scores"] <= 1).all()
    assert answer["boxes"].min() >= 0
    assert answer["boxes"].max() <= 192
    assert found.shape == (len(scenes[0].labels),)


def test_what_does_not_belong_together_is_refused():
    with pytest.raises(ValueError, match=r"labels must be \(N,\) and shares \(N, 4\)"):
        train_rcnn(torch.zeros(3, 5), torch.zeros(2, dtype=torch.int64), torch.zeros(3, 4))
    with pytest.raises(ValueError, match="got only background"):
        train_rcnn(torch.zeros(3, 5), torch.zeros(3, dtype=torch.int64), torch.zeros(3, 4))
