"""Pictures to batches: every picture once, the same from the same seed, clear words where pictures do not fit."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlab.cnn_training import batches
from cvlab.cnn_training.augmentation import augment, spoil
from cvlab.cnn_training.batches import Batches, StickerDataset, loader, to_tensor

IMAGES = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 3), np.uint8)


def test_dataset_and_loader():
    data = StickerDataset(IMAGES, np.arange(10), transform=lambda image: image * 2)
    assert len(data) == 10
    image, label = data[4]
    assert (image.shape, image.dtype, label, type(label)) == ((3, 8, 8), torch.float32, 4, int)
    assert torch.allclose(image, torch.from_numpy(IMAGES[4]).permute(2, 0, 1) / 127.5)
    labels = torch.cat([labels for _, labels in loader(data, 4)])
    assert sorted(labels.tolist()) == list(range(10))
    assert labels.tolist() != list(range(10))
    assert labels.tolist() == torch.cat([labels for _, labels in loader(data, 4)]).tolist()


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 40), size=st.integers(1, 12), every=st.booleans())
def test_batches_show_each_picture_at_most_once(n, size, every):
    size = size if every else min(size, n)
    feed = Batches(
        torch.arange(n).float().reshape(n, 1, 1, 1).expand(n, 3, 2, 2), np.arange(n), size, every=every
    )
    got = list(feed)
    assert len(got) == len(feed)
    labels = torch.cat([labels for _, labels in got]).tolist()
    assert len(set(labels)) == len(labels) == (n if every else n // size * size)
    assert all(torch.equal(images[:, 0, 0, 0].long(), labels) for images, labels in got)


def test_epochs_differ_and_seeds_repeat():
    def two_epochs(seed):
        feed = Batches(
            to_tensor(IMAGES), np.arange(10), 5, seed=seed, change=lambda x, g: augment(x, g, shift=2)
        )
        return [torch.cat([images for images, _ in feed]) for _ in range(2)]

    first, second = two_epochs(1)
    assert not torch.equal(first, second)
    assert all(torch.equal(a, b) for a, b in zip(two_epochs(1), (first, second), strict=True))


def test_augment_keeps_shapes_and_can_do_nothing_but_mirror():
    images = to_tensor(IMAGES)
    changed = augment(images, torch.Generator().manual_seed(0), shift=0, colour=0)
    same = [torch.equal(a, b) for a, b in zip(changed, images, strict=True)]
    mirrored = [torch.equal(a, b.flip(2)) for a, b in zip(changed, images, strict=True)]
    assert all(a or b for a, b in zip(same, mirrored, strict=True))
    assert any(same)
    assert any(mirrored)


def test_spoiling():
    images = to_tensor(IMAGES)
    assert torch.equal(spoil(images, shift=0, rotate=0, scale=1, hue=0, shuffle=1), images)
    for nearly in ({"shift": 1e-6}, {"rotate": 1e-5}, {"scale": 1 + 1e-7}, {"hue": 1e-5}):
        assert torch.allclose(spoil(images, **nearly), images, atol=1e-4), nearly
    assert torch.allclose(spoil(images, rotate=180), images.flip(2, 3), atol=1e-4)
    assert torch.allclose(spoil(images, hue=120), images[:, [2, 0, 1]], atol=1e-5)
    assert torch.allclose(spoil(images, shift=3)[:, :, 3:, 3:], images[:, :, :-3, :-3], atol=1e-4)
    shuffled = spoil(images, shuffle=4)
    assert torch.equal(shuffled.flatten(2).sort().values, images.flatten(2).sort().values)
    assert not torch.equal(shuffled, images)
    several = spoil(images, shuffle=4, hue=120, rotate=180)
    assert torch.equal(several, spoil(spoil(spoil(images, rotate=180), hue=120), shuffle=4))


def test_spoiling_pictures_that_are_not_square():
    wide = to_tensor(IMAGES)[:, :, :4]  # (10, 3, 4, 8)
    assert torch.allclose(spoil(wide, shift=1)[:, :, 1:, 1:], wide[:, :, :-1, :-1], atol=1e-4)
    quarter = spoil(wide, rotate=90)[:, :, :, 2:6]  # of the middle 4 x 4 pixels
    assert torch.allclose(quarter, wide[:, :, :, 2:6].rot90(-1, (2, 3)), atol=1e-4)  # clockwise


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: to_tensor([]), "images must hold at least one picture; got none"),
        (
            lambda: to_tensor([IMAGES[0], IMAGES[1][:5]]),
            r"one size; got \(8, 8, 3\) at 0 and \(5, 8, 3\) at 1",
        ),
        (lambda: to_tensor(IMAGES / 255), r"must be \(N, H, W, 3\) uint8; got \(10, 8, 8, 3\) float64"),
        (lambda: Batches(torch.zeros(0, 3, 8, 8), []), "at least one picture; got none"),
        (lambda: Batches(to_tensor(IMAGES), [1, 2]), "same length; got 10 and 2"),
        (
            lambda: Batches(to_tensor(IMAGES), np.arange(10), 64),
            "size must be at most the number of pictures, 10; got 64",
        ),
        (lambda: loader(StickerDataset(IMAGES[:0], [])), "dataset must hold at least one picture; got none"),
        (
            lambda: spoil(to_tensor(IMAGES), shuffle=3),
            "shuffle must divide the picture's 8 x 8 pixels; got 3",
        ),
        (lambda: spoil(to_tensor(IMAGES), scale=0), "scale must be above 0, where 1 is unchanged .*; got 0"),
        (lambda: spoil(to_tensor(IMAGES), rotate=float("nan")), "rotate must be a finite number; got nan"),
    ],
)
def test_errors(call, text):
    with pytest.raises(ValueError, match=text):
        call()


@pytest.mark.parametrize(
    ("labels", "kind", "text"),
    [
        (
            [0.9, 1.2],
            TypeError,
            r"labels must be whole numbers; got float64, the first 0.9.*labels.astype\(int\)",
        ),
        ([True, False], TypeError, "labels must be whole numbers; got bool, the first True"),
        (["cat", "dog"], TypeError, "labels must be whole numbers; got <U3, the first cat"),
        (np.eye(2, dtype=int), ValueError, r"labels must have shape \(N,\); got \(2, 2\). One-hot rows"),
    ],
)
def test_labels_are_never_rounded(labels, kind, text):
    with pytest.raises(kind, match=text):
        Batches(to_tensor(IMAGES[:2]), labels, 2)
    with pytest.raises(kind, match=text):
        StickerDataset(IMAGES[:2], labels)


@pytest.mark.parametrize("labels", [[3, 1], np.array([3, 1], np.uint8), torch.tensor([3, 1])])
def test_whole_numbers_of_any_kind_are_labels(labels):
    ((_, batch),) = Batches(to_tensor(IMAGES[:2]), labels, 2, every=True)
    assert batch.tolist() == [3, 1]
    assert batch.dtype == torch.int64
    assert StickerDataset(IMAGES[:2], labels)[0][1] == 3


def test_parts_of_pictures_are_never_rounded():
    with pytest.raises(TypeError, match="shuffle must be a whole number; got 2.7"):
        spoil(to_tensor(IMAGES), shuffle=2.7)


def test_pictures_of_mixed_sizes_in_a_loader():
    data = StickerDataset([IMAGES[0], np.ascontiguousarray(IMAGES[1][:5])], [0, 1])
    with pytest.raises(ValueError, match=r"one size; got \[\(3, 5, 8\), \(3, 8, 8\)\]. Resize or crop"):
        list(loader(data, 2))


class _Deadly(StickerDataset):
    def __getitem__(self, index):
        if index == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


def lose_a_worker():
    """Print what the loader says when one of its workers is killed."""
    try:
        list(loader(_Deadly(IMAGES, np.arange(10)), 2, workers=1, shuffle=False))
    except RuntimeError as error:
        print(error)


@pytest.mark.slow
def test_a_worker_that_dies_is_named():
    # In a process of its own: torch raises from a signal handler, wherever Python happens to be just then.
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_batches as t; t.lose_a_worker()"
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert re.search("a worker process that prepares pictures died.*workers=0", said.stdout, re.DOTALL), said
    assert len(batches.loader(StickerDataset(IMAGES, np.arange(10)), 2)) == 5
