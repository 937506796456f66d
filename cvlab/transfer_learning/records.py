"""The recorded trainings of lesson 04's one plot; `data/make_transfer.py` wrote them."""

import functools

import numpy as np

from cvlab._validate import one_of
from cvlab.store.records import training_record

__all__ = ["WAYS", "record", "scores"]

WAYS = ("frozen", "frozen, three stages", "last block", "all", "from scratch")


@functools.cache
def record() -> dict:
    """Return how the trainings were made, "runs" with one dict each, and "chosen", the search for their learning rates.

    Example:
        >>> record()["counts"]["ten"]
        [1, 2, 4, 8, 32, 128]
    """
    return training_record("transfer.json")


def scores(style: str = "unseen", task: str = "ten") -> dict[str, np.ndarray]:
    """Return the accuracy of every way, by pictures a class and by seed.

    Args:
        style: "seen" (the training's four drawing styles) or "unseen" (a fifth, never trained on).
        task: "ten" classes, or "two": cat and dog.

    Returns:
        Way -> (K, S) accuracy in [0, 1], for the K numbers in `record()["counts"][task]` and S seeds.

    Example:
        >>> scores()["frozen"].shape
        (6, 3)
    """
    one_of(style, "style", ("seen", "unseen"))
    counts = record()["counts"][one_of(task, "task", ("ten", "two"))]
    found = {way: np.zeros((len(counts), 3)) for way in WAYS}
    for run in record()["runs"]:
        if run["task"] == task:
            found[run["way"]][counts.index(run["k"]), run["seed"]] = run[style]
    return found
