"""The pictures and the recorded trainings of lesson 03; `data/make_training.py` wrote the records."""

import functools
from collections.abc import Callable

import numpy as np

from cvlab import settings
from cvlab.store.records import training_record

__all__ = ["explorer", "load_net", "record", "speed_record", "ten_classes", "tensors"]


@functools.cache
def record() -> dict:
    """Return the trainings of three networks and three seeds, and what went with them.

    Example:
        >>> sorted(record()["nets"]), [run["seed"] for run in record()["nets"]["lenet"]]
        (['dense', 'lenet', 'resnet'], [0, 1, 2])
    """
    return training_record("record.json")


@functools.cache
def explorer() -> dict[str, np.ndarray]:
    """Return one LeNet epoch by epoch, from before the first to after the last.

    Returns:
        "kernels" (E, 6, 3, 5, 5) float16, "confusion" (E, 10, 10) counts with the true class by row, "loss" (E,), the
        first of them NaN, "accuracy" (E,) on 1000 pictures of the test style.

    Example:
        >>> explorer()["kernels"].shape
        (13, 6, 3, 5, 5)
    """
    with np.load(settings.data_dir() / "training" / "explorer.npz") as file:
        return dict(file)


@functools.cache
def speed_record() -> dict:
    """Return the fast recipe's trainings on photos of CIFAR-10, as `bench/cifar10.py --record` measured them.

    Returns:
        "machine", "pictures" (training, test), "plain" and "stages" (accuracy and seconds by seed), and "without": the same
        with one trick left out at a time, each of "epochs" epochs.

    Example:
        >>> len(speed_record()["without"]["nothing"])
        3
    """
    return training_record("speed.json")


@functools.cache
def load_net(name: str, *, augmented: bool = True):
    """Return a recorded network of seed 0 in evaluation mode: "lenet" (also without augmentation) or "resnet".

    Example:
        >>> load_net("lenet").training
        False
    """
    from cvlab._validate import one_of
    from cvlab.cnn_training import nets
    from cvlab.store import checkpoint

    kind = "" if augmented else "_plain"
    one_of(name, "name", ("lenet", "resnet") if augmented else ("lenet",))
    model = nets.make(name)
    checkpoint.load_weights(settings.data_dir() / "weights" / f"{name}_stickers10{kind}.safetensors", model)
    return model.eval().requires_grad_(False)


def ten_classes(*, real: bool = False) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return "train", "val" and "test" pictures of CIFAR-10's ten classes, with their labels.

    Args:
        real: CIFAR-10 itself (10000, 2000 and 2000 of its pictures), where it is in the cache or may be fetched; what is skipped
            is printed. Otherwise Stickers10: 4000, 1000 and 1000 pictures; train and test share neither style nor background.

    Returns:
        Split -> images (N, 32, 32, 3) uint8 RGB, labels (N,) int64.
    """
    return dict(_source(real)())


def _source(real: bool) -> Callable:
    """Return what gives the pictures: `_photos` where they can be had, or else `_stickers`; say what is skipped."""
    from cvlab.store.weights import DataUnavailable

    if real:
        try:
            _photos()
        except (DataUnavailable, OSError) as error:
            print(f"Real: skipped, Stickers10 takes the place of CIFAR-10. {error}")
        else:
            return _photos
    return _stickers


@functools.cache
def _stickers() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    from cvlab.world.datasets import Stickers10

    sizes = {"train": 4000, "val": 1000, "test": 1000}
    return {split: Stickers10(split, n).arrays() for split, n in sizes.items()}


def tensors(real: bool = False) -> tuple:
    """Return the "train" and "test" pictures of `ten_classes` once more, ready for a network; made once, then shared.

    Args:
        real: as for `ten_classes`.

    Returns:
        images (N, 32, 32, 3) uint8, labels (N,), x (N, 3, 32, 32) floats in [-2, 2], then the same three of the test.

    Example:
        >>> images, labels, x, *_ = tensors()
        >>> len(images), len(labels), x.shape
        (4000, 4000, torch.Size([4000, 3, 32, 32]))
    """
    return _tensors(_source(real))


@functools.cache
def _tensors(source: Callable) -> tuple:
    from cvlab.cnn_training.batches import to_tensor

    found = source()
    return tuple(part for split in ("train", "test") for part in (*found[split], to_tensor(found[split][0])))


@functools.cache
def _photos() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return a share of CIFAR-10, read once; an error is not remembered, so that another try may find it."""
    from cvlab.world import cifar10

    (images, labels), (test_images, test_labels) = cifar10.load()
    print(f"Real: CIFAR-10, {len(images)} and {len(test_images)} photos; a share of them is used.")
    return {
        "train": (images[:10000], labels[:10000]),
        "val": (images[-2000:], labels[-2000:]),
        "test": (test_images[:2000], test_labels[:2000]),
    }
