"""The recorded detectors of lesson 07, judged once, for the widgets that look at them."""

import functools
from dataclasses import dataclass

import numpy as np

from cvlab.coco.read import read_results, read_truth
from cvlab.map.detectors import recorded
from cvlab.map.diagnose import label_errors
from cvlab.map.metrics import THRESHOLDS, pr_curve
from cvlab.world.scenes import make_scene

__all__ = ["Judged", "judged", "scene_names", "scene_of"]

SHOWN = 12  # scenes that can be looked at: those with the most objects


@dataclass(frozen=True)
class Judged:
    """A recorded detector at every threshold.

    Attributes:
        truth: a `Truth`.
        results: `Results`.
        right: (T, D) bool at every threshold of COCO, in the order of the results.
        found: (T, G) int, the detection that got each truth, -1 for none.
    """

    truth: object
    results: object
    right: np.ndarray
    found: np.ndarray

    def curve(self, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Precision and recall of all classes in one curve."""
        return pr_curve(self.results.scores, self.right[t], len(self.truth.ids))


@functools.cache
def judged(name: str) -> Judged:
    """Return detector "A" or "B", judged once."""
    truth = read_truth(recorded("truth"))
    results = read_results(recorded(name), truth)
    right, found = [], []
    for threshold in THRESHOLDS:
        labels = label_errors(truth, results, threshold=threshold)
        right.append(labels.kinds == "right")
        found.append(np.full(len(truth.ids), -1))
        found[-1][labels.truths[right[-1]]] = np.flatnonzero(right[-1])
    return Judged(truth, results, np.array(right), np.array(found))


@functools.cache
def _shown() -> tuple[int, ...]:
    truth = judged("A").truth
    counts = np.bincount(truth.image, minlength=len(truth.image_ids))
    large = np.flatnonzero(truth.sizes[:, 0] > 100)  # the smallest scenes would be blurred
    return tuple(large[np.argsort(-counts[large], kind="stable")][:SHOWN].tolist())


def scene_names() -> list[int]:
    """The numbers of the scenes that can be looked at."""
    return list(range(1, SHOWN + 1))


@functools.cache
def scene_of(number: int) -> tuple[int, np.ndarray]:
    """Return the index of image `number` (from 1) in the truth, and its picture (H, W, 3) uint8."""
    image = _shown()[number - 1]
    recipe = recorded("truth")["images"][image]["scene"]
    return image, make_scene(recipe["index"], split=recipe["split"], size=recipe["size"]).image
