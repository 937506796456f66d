"""The torch datasets: sequences like any other, the same in every worker, with torchvision's targets."""

import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from cvlab.world import paint
from cvlab.world.datasets import Stickers10, StickerScenes
from cvlab.world.scenes import SPLITS, make_scene


def test_stickers10_item():
    data = Stickers10("train", 30)
    image, label = data[3]
    assert image.shape == (3, 32, 32)
    assert image.dtype == torch.float32
    assert 0 <= image.min() < image.max() <= 1
    assert Stickers10.classes[label] == "cat"
    assert " ".join(Stickers10.classes) == "airplane automobile bird cat deer dog frog horse ship truck"
    assert len(data) == 30


def test_all_pictures_at_once_leave_no_photos_and_drawings_behind():
    data = Stickers10("test", 10)
    single = data[3][0]
    assert paint._photo.cache_info().currsize
    images, _ = data.arrays()
    assert (paint._photo.cache_info().currsize, paint._levels.cache_info().currsize) == (0, 0)
    np.testing.assert_array_equal(images[3].transpose(2, 0, 1) / np.float32(255), single)


def test_stickers10_arrays_equal_items():
    data = Stickers10("val", 25, seed=2)
    images, labels = data.arrays()
    assert images.shape == (25, 32, 32, 3)
    assert images.dtype == np.uint8
    assert np.bincount(labels).tolist() == [3] * 5 + [2] * 5
    for k in (0, 7, 24):
        assert np.array_equal((data[k][0].permute(1, 2, 0) * 255).round().byte().numpy(), images[k])
        assert data[k][1] == labels[k]


def test_more_pictures_begin_with_the_same():
    assert np.array_equal(Stickers10("test", 40).arrays()[0][:10], Stickers10("test", 10).arrays()[0])


def test_pictures_differ_by_index_seed_and_split():
    images = np.concatenate([Stickers10(split, 40, seed).arrays()[0] for split in SPLITS for seed in (0, 1)])
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images)


def test_transform_gets_the_array():
    shapes = []
    image, label = Stickers10("train", 5, transform=lambda x: shapes.append((x.shape, x.dtype)) or "done")[1]
    assert (image, label) == ("done", 1)
    assert shapes == [((32, 32, 3), np.uint8)]


@pytest.mark.parametrize("make", [Stickers10, StickerScenes])
def test_sequence_manners(make):
    data = make("train", 4)
    assert len(list(data)) == 4  # iteration ends by IndexError
    assert torch.equal(data[-1][0], data[3][0])
    assert torch.equal(data[np.int64(2)][0], data[2][0])
    for wrong in (4, -5):
        with pytest.raises(IndexError, match="index must be -4 to 3"):
            data[wrong]
    for wrong in (1.0, "1", True, slice(2)):
        with pytest.raises(TypeError, match="index must be a whole number"):
            data[wrong]
    again = pickle.loads(pickle.dumps(data))
    assert torch.equal(again[2][0], data[2][0])
    assert repr(data) == f"{make.__name__}('train', n=4, seed=0)"


@pytest.mark.parametrize("make", [Stickers10, StickerScenes])
@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ({"split": "training"}, ValueError, r"split must be one of .*Did you mean 'train'"),
        ({"n": 0}, ValueError, "n must be at least 1; got 0"),
        ({"n": 2.0}, TypeError, "n must be a whole number"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"transform": 3}, TypeError, "transform must be a function or None; got int"),
    ],
)
def test_errors(make, arguments, kind, text):
    with pytest.raises(kind, match=text):
        make(**arguments)


def test_scene_options_are_checked_at_once():
    with pytest.raises(ValueError, match="size must be at least 32"):
        StickerScenes("train", 3, size=5)


def test_sticker_scenes_targets():
    data = StickerScenes("val", 12, seed=3, size=80, classes=("cat", "dog"))
    for index, (image, target) in enumerate(data):
        scene = make_scene(index, split="val", seed=3, size=80, classes=("cat", "dog"))
        n = len(scene.labels)
        assert image.shape == (3, 80, 80)
        assert torch.equal(target["boxes"], torch.from_numpy(scene.boxes))
        assert (target["labels"] == torch.from_numpy(scene.labels) + 1).all()
        assert target["masks"].dtype == torch.uint8
        assert target["masks"].shape == (n, 80, 80)
        assert (target["area"] == target["masks"].sum(dim=(1, 2))).all()
        assert target["image_id"] == index
        assert target["iscrowd"].tolist() == [0] * n
    assert data.classes == ["cat", "dog"]


def test_sticker_scenes_transform_sees_both():
    data = StickerScenes(
        "train", 2, transform=lambda image, target: (image.flip(-1), {**target, "seen": True})
    )
    plain = StickerScenes("train", 2)
    assert torch.equal(data[0][0].flip(-1), plain[0][0])
    assert data[0][1]["seen"]


def test_an_empty_scene_has_empty_targets():
    _, target = StickerScenes("train", 1, objects=(0, 0))[0]
    assert target["boxes"].shape == (0, 4)
    assert target["masks"].shape == (0, 96, 96)
    assert target["labels"].dtype == torch.int64


def test_workers_give_the_same_batches():
    data = Stickers10("train", 24)
    alone = [images for images, _ in DataLoader(data, batch_size=8)]
    shared = [images for images, _ in DataLoader(data, batch_size=8, num_workers=2)]
    assert all(torch.equal(a, b) for a, b in zip(alone, shared, strict=True))


def test_torchvision_detectors_take_the_targets():
    from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn as detector

    torch.manual_seed(0)
    data = StickerScenes("train", 2, size=64)
    model = detector(weights=None, weights_backbone=None, num_classes=18, min_size=64, max_size=64).train()
    losses = model([data[0][0], data[1][0]], [data[0][1], data[1][1]])
    assert all(torch.isfinite(loss) for loss in losses.values())
