"""CIFAR-10 itself: fetched once where a network is allowed, verified, and read."""

import numpy as np

from cvlab import settings
from cvlab.store.archive import extract
from cvlab.store.download import PATIENT, Limits
from cvlab.store.registry import fetch

__all__ = ["load"]


def load(*, limits: Limits = PATIENT) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return the training and the test pictures with their labels.

    Args:
        limits: timeouts and tries of the download, where there is one.

    Returns:
        (images (50000, 32, 32, 3) uint8 RGB, labels (50000,) int64), and the same with 10000 for testing.

    Raises:
        DataUnavailable: it is not in the cache, and the course is offline or the download failed; says the way out.

    Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
    """
    from torchvision.datasets import CIFAR10

    folder = settings.cache_dir() / "datasets" / "cifar10"
    try:
        sets = [CIFAR10(folder, train=train) for train in (True, False)]
    except RuntimeError:  # not unpacked yet, or not whole any more
        _unpack(folder, limits)
        sets = [CIFAR10(folder, train=train) for train in (True, False)]
    train, test = ((data.data, np.asarray(data.targets, np.int64)) for data in sets)
    return train, test


def _unpack(folder, limits: Limits) -> None:
    """Put the archive's files in `folder`, in place of what may be there."""
    import shutil

    archive = fetch("cifar10", limits=limits)
    shutil.rmtree(folder, ignore_errors=True)
    extract(archive, folder)
