"""The recorded trainings of lesson 06b's one-stage heads; `data/make_yolo.py` and `data/make_focal.py` wrote the records."""

import functools

import numpy as np
import torch

from cvlab.store.records import training_record

__all__ = ["batch_logits", "focal_record", "scores_of", "yolo_record"]


@functools.cache
def yolo_record() -> dict:
    """Return the trainings of YOLO's pieces: "steps", "batch", "scenes" and "runs", one a way and seed.

    Example:
        >>> yolo_record()["runs"][0]["way"]
        'base'
    """
    return training_record("yolo.json")


@functools.cache
def focal_record() -> dict:
    """Return the trainings of a dense head by seven losses: "anchors" a scene, "classes", "steps" and "runs".

    Example:
        >>> focal_record()["anchors"]
        1296
    """
    return training_record("focal.json")


def scores_of(record: dict, way: str, style: str, number: str = "AP") -> np.ndarray:
    """Return a number of every seed of one way.

    Args:
        record: `yolo_record()` or `focal_record()`.
        way: the row's name.
        style: "seen" or "unseen" drawing styles.
        number: "AP" or "AP50".

    Returns:
        (seeds,) floats in [0, 1].

    Raises:
        ValueError: the record has no such way.

    Example:
        >>> bool((scores_of(yolo_record(), "base", "seen") > 0.1).all())
        True
    """
    found = [run[style][number] for run in record["runs"] if run["way"] == way]
    if not found:
        known = ", ".join(dict.fromkeys(repr(run["way"]) for run in record["runs"]))
        raise ValueError(f"way must be one of {known}; got {way!r}")
    return np.array(found)


@functools.cache
def batch_logits(way: str, step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return a real batch of a net in training: how often each logit was a negative's and a positive's answer.

    Sixteen scenes, 1,296 anchors each, 17 answers an anchor; logits are rounded to tenths, what is beyond 15 counts as 15.

    Args:
        way: the loss that the net is trained with, seed 0.
        step: 0, a tenth of all steps, or all.

    Returns:
        logits (301,) from -15 to 15, counts of negatives (301,), counts of positives (301,), all float32.

    Raises:
        ValueError: no such batch was kept; says which were.

    Example:
        >>> logits, negatives, positives = batch_logits("weighted cross-entropy, alpha 0.75", 250)
        >>> bool(negatives.sum() > 400 * positives.sum())
        True
    """
    kept = {
        (run["way"], int(at)): counts
        for run in focal_record()["runs"]
        for at, counts in run["batches"].items()
    }
    if (way, step) not in kept:
        raise ValueError(f"way and step must be one of {', '.join(map(str, kept))}; got {way!r} and {step!r}")
    counts = kept[way, step]
    logits = torch.arange(-150, 151) / 10
    return logits, *(torch.tensor(counts[name], dtype=torch.float32) for name in ("negatives", "positives"))
