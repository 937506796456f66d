"""Crops of scenes: what is cut out, what is learnt from, and windows at every place."""

import numpy as np
import pytest
import torch

from cvlab.map.judge import judge
from cvlab.regions.crops import crop_and_warp, crop_features, sample_crops, train_classifier, training_crops
from cvlab.regions.geometry import box_iou
from cvlab.regions.windows import all_windows, detect_windows, windows
from cvlab.transfer_learning.backbone import prepare
from cvlab.world.scenes import make_scene, make_scenes

IMAGE = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)


def test_a_box_of_whole_pixels_is_a_slice():
    crop = crop_and_warp(IMAGE, torch.tensor([[5.0, 3, 13, 11]]), 8)
    assert torch.allclose(crop[0], prepare(IMAGE[None])[0, :, 3:11, 5:13], atol=1e-5)


def test_x_is_across_and_y_is_down():
    image = np.zeros((8, 16, 3), np.uint8)
    image[:4, 8:] = 255
    crop = crop_and_warp(image, torch.tensor([[8.0, 0, 16, 4], [0, 4, 8, 8]]), 4)
    assert crop[0].min() > 0.9 - 1
    assert crop[0, :, :2, 1:].min() == 1
    assert crop[1].max() == -1


def test_outside_is_grey_and_an_empty_box_is_one_colour():
    outside, empty = crop_and_warp(IMAGE, torch.tensor([[-40.0, -40, -10, -10], [7.5, 6.5, 7.5, 6.5]]), 5)
    assert (outside == 0).all()
    assert torch.allclose(empty, prepare(IMAGE[None])[0, :, 6, 7][:, None, None].expand(3, 5, 5), atol=1e-5)


def test_no_boxes_give_no_crops():
    assert crop_and_warp(IMAGE, torch.zeros(0, 4), 7).shape == (0, 3, 7, 7)
    assert crop_features(IMAGE, torch.zeros(0, 4)).shape == (0, 1008)


def test_features_do_not_depend_on_the_batch():
    boxes = torch.tensor([[0.0, 0, 20, 20], [3, 2, 28, 18], [10, 5, 20, 15]])
    one, all_ = crop_features(IMAGE, boxes, batch=1), crop_features(IMAGE, boxes, batch=32)
    assert torch.allclose(one, all_, atol=1e-3)


def test_sampled_crops_are_labelled_by_their_overlap():
    for index in range(5):
        scene = make_scene(index, size=192)
        boxes, labels = sample_crops(scene, seed=index)
        overlap = box_iou(boxes, torch.tensor(scene.boxes))
        best, which = overlap.max(dim=1)
        assert ((best >= 0.5) == (labels > 0)).all()
        assert ((best < 0.3) == (labels == 0)).all()
        thing = labels > 0
        assert (labels[thing] - 1).equal(torch.from_numpy(scene.labels)[which[thing]])
        assert boxes[: len(scene.boxes)].equal(torch.tensor(scene.boxes))


def test_a_scene_without_objects_is_all_background():
    empty = make_scene(0, size=64)
    empty = type(empty)(
        **(vars(empty) | {"boxes": np.zeros((0, 4), np.float32), "labels": np.zeros(0, np.int64)})
    )
    boxes, labels = sample_crops(empty, far=4)
    assert boxes.shape == (4, 4)
    assert labels.tolist() == [0, 0, 0, 0]


def test_windows_are_as_many_as_the_formula_says_and_stay_inside():
    for size, side, step in [(192, 48, 12), (10, 4, 3), (10, 10, 1), (7, 3, 9)]:
        boxes = windows(size, side, step)
        assert len(boxes) == ((size - side) // step + 1) ** 2
        assert boxes.min() == 0
        assert boxes.max() <= size
        assert (boxes[:, 2:] - boxes[:, :2] == side).all()
    assert len(all_windows()) == 234
    with pytest.raises(ValueError, match="side must be at most size, 10"):
        windows(10, 11, 1)


def test_bad_pictures_and_boxes_are_told():
    with pytest.raises(TypeError, match="image must be uint8"):
        crop_and_warp(IMAGE / 255, torch.zeros(1, 4))
    with pytest.raises(ValueError, match="x0 <= x1"):
        crop_and_warp(IMAGE, torch.tensor([[5.0, 0, 2, 2]]))
    with pytest.raises(ValueError, match="near must be at least 0"):
        sample_crops(make_scene(0, size=64), near=-1)


@pytest.mark.slow
def test_windows_learnt_from_few_scenes_find_something():
    classifier = train_classifier(*training_crops(make_scenes(40, size=192)))
    scenes = make_scenes(6, size=192)
    found, all_ = (detect_windows(scenes, classifier, threshold) for threshold in (0.5, None))
    assert judge(scenes, found).numbers["AP50"] > 0.2
    assert all(len(f["boxes"]) < len(a["boxes"]) == 234 for f, a in zip(found, all_, strict=True))
