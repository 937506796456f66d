"""The recorded trainings of lesson 06's one-stage detector; `data/make_pyramid.py` and `data/make_detector.py` wrote them."""

import functools

import numpy as np

from cvlab import settings
from cvlab.detection.one_stage import Detector
from cvlab.store.checkpoint import load_weights
from cvlab.store.records import training_record

__all__ = ["GOALS", "LEVELS", "detector", "level_runs", "minute_runs", "pyramid", "recipe"]

LEVELS = {  # way, and how a table names it
    "coarse alone": "stride 32 alone",
    "fine alone": "stride 8 alone",
    "each for its size": "each for its size (SSD)",
    "each, top-down": "each, top-down (FPN)",
    "finest, top-down": "stride 8 of the FPN alone",
}
GOALS = {  # mAP@[.5:.95] and mAP@.5
    "a minute": {"seen": (0.45, 0.78), "unseen": (0.30, 0.55)},
    "recipe": {"seen": (0.60, 0.88), "unseen": (0.40, 0.65)},
}


@functools.cache
def pyramid() -> dict:
    """Return the record: "levels" and "minute" (lists of runs), "pyramid" and "live" (how they were trained), "machine"."""
    return training_record("pyramid.json")


@functools.cache
def recipe() -> dict:
    """Return the long training: "steps", "seconds" of one core, "losses", "curve" (100 scenes a style), "final".

    Example:
        >>> sorted(recipe()["final"])
        ['seen', 'unseen', 'val']
    """
    return training_record("detector.json")


def detector() -> Detector:
    """Return the network of the long training, with its weights, in evaluation mode.

    Example:
        >>> import torch
        >>> boxes, scores = detector()(torch.zeros(1, 3, 192, 192))
        >>> tuple(boxes.shape), tuple(scores.shape)
        ((1, 576, 4), (1, 576, 17))
    """
    net = Detector()
    load_weights(settings.data_dir() / "weights" / "detector_scenes.safetensors", net)
    return net.eval()


def level_runs(way: str, number: str, style: str = "seen") -> np.ndarray:
    """Return one of COCO's numbers of every seed of a head that has some levels.

    Args:
        way: a key of `LEVELS`.
        number: "AP", "AP50", "APs", "APm" or "APl".
        style: "seen" or "unseen".

    Returns:
        (S,) floats in [0, 1].
    """
    return np.array([run[style][number] for run in pyramid()["levels"] if run["way"] == way])


def minute_runs(number: str, style: str = "seen") -> np.ndarray:
    """Return one of COCO's numbers of every seed of a minute's training: (S,) in [0, 1]; arguments as `level_runs`."""
    return np.array([run[style][number] for run in pyramid()["minute"]])
