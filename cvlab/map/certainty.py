"""How sure can you be? Of one detection: calibration. Of one detector being better: the bootstrap."""

from dataclasses import dataclass

import numpy as np

from cvlab import _validate
from cvlab.coco.read import read_results, read_truth
from cvlab.map.coco_eval import AREAS, judge, pair_up
from cvlab.map.diagnose import label_errors
from cvlab.map.metrics import THRESHOLDS

__all__ = ["Calibration", "Difference", "bootstrap_difference", "calibration"]


@dataclass(frozen=True)
class Calibration:
    """What scores say, and what came of them, bin by bin.

    Attributes:
        scores: (B,) mean score of the detections in each bin; NaN where the bin is empty.
        right: (B,) share of them that is right.
        counts: (B,) how many they are.
        error: mean of |scores - right|, each bin weighted by its count.
    """

    scores: np.ndarray
    right: np.ndarray
    counts: np.ndarray
    error: float


def calibration(truth, results, *, threshold: float = 0.5, bins: int = 10) -> Calibration:
    """Compare scores with the share of right detections: of those with score 0.8, are 80 % right?

    Args:
        truth: COCO annotations: a path, their content, or a `Truth`.
        results: COCO results: a path or their content.
        threshold: least overlap of a right detection.
        bins: equal parts of [0, 1].

    Returns:
        `Calibration`; its `error` is the expected calibration error.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    _validate.positive_int(bins, "bins")
    truth = read_truth(truth)
    results = read_results(results, truth)
    scores = results.scores
    if len(scores) and (scores.min() < 0 or scores.max() > 1):
        raise ValueError(f"scores must be in [0, 1]; got {scores.min():.3g} to {scores.max():.3g}. Logits?")
    kinds = label_errors(truth, results, threshold=threshold).kinds
    counted = kinds != "ignored"
    which = np.minimum((scores[counted] * bins).astype(int), bins - 1)
    counts = np.bincount(which, minlength=bins)
    with np.errstate(invalid="ignore"):
        said = np.bincount(which, scores[counted], bins) / counts
        right = np.bincount(which, kinds[counted] == "right", bins) / counts
    error = float(np.nansum(np.abs(said - right) * counts) / max(counts.sum(), 1))
    return Calibration(said, right, counts, error)


@dataclass(frozen=True)
class Difference:
    """Which of two detectors is better, and how sure that is.

    Attributes:
        value: AP of the first minus AP of the second, on all images.
        low: 95 % of the resampled differences lie above `low` and below `high`.
        high: see `low`.
        samples: (R,) the resampled differences.
    """

    value: float
    low: float
    high: float
    samples: np.ndarray

    def __repr__(self) -> str:
        return f"difference {self.value:+.3f}, 95 % interval {self.low:+.3f} to {self.high:+.3f}"


def bootstrap_difference(
    truth, first, second, *, rounds: int = 1000, seed: int = 0, thresholds=THRESHOLDS
) -> Difference:
    """Compare two detectors on images drawn again and again with replacement, both on the same ones.

    Args:
        truth: COCO annotations: a path or their content.
        first: COCO results of one detector.
        second: of the other.
        rounds: how often a set of as many images is drawn.
        seed: of the drawing.
        thresholds: overlaps over which the AP is averaged; [0.5] for AP50.

    Returns:
        `Difference`; when its interval leaves out 0, other images would hardly have turned the result round.

    Source: Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics, 1979.
    """
    _validate.positive_int(rounds, "rounds")
    truth = read_truth(truth)
    n_images = len(truth.image_ids)
    if n_images == 0:
        raise ValueError("truth must have at least one image to draw from; got none")
    drawn = np.random.default_rng(seed).multinomial(n_images, np.full(n_images, 1 / n_images), size=rounds)
    weights = np.concatenate([np.ones((1, n_images), int), drawn])  # row 0 is the real set
    aps = [_weighted_map(truth, results, weights, np.atleast_1d(thresholds)) for results in (first, second)]
    gaps = aps[0] - aps[1]  # (1 + R,)
    low, high = np.percentile(gaps[1:], [2.5, 97.5])
    return Difference(float(gaps[0]), float(low), float(high), gaps[1:])


def _weighted_map(truth, results, weights: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Return the mAP of every row of `weights`, (R, I): how often each image counts."""
    classes = pair_up(truth, read_results(results, truth))
    total, present = np.zeros(len(weights)), np.zeros(len(weights))
    for matchups in filter(None, classes):
        images = np.array([m.image for m in matchups])
        for threshold in thresholds:
            judged = [judge(m, threshold, AREAS["all"]) for m in matchups]
            n_truths = weights[:, images] @ np.array([n for _, _, n in judged])  # (R,)
            of_det = np.repeat(images, [len(m.scores) for m in matchups])
            order = np.argsort(-np.concatenate([m.scores for m in matchups]), kind="stable")
            right, counted = (np.concatenate([j[part] for j in judged])[order] for part in (0, 1))
            times = weights[:, of_det[order]] * counted  # (R, N): an image drawn twice counts twice
            total += np.where(n_truths > 0, _weighted_ap(times * right, times, n_truths), 0)
            present += n_truths > 0
    return np.divide(total, present, out=np.zeros(len(weights)), where=present > 0)


def _weighted_ap(right: np.ndarray, seen: np.ndarray, n_truths: np.ndarray) -> np.ndarray:
    """COCO's AP for every row of (R, N) counts."""
    tp, seen = np.cumsum(right, axis=1), np.cumsum(seen, axis=1)
    precision = tp / np.maximum(seen, 1)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = tp / np.maximum(n_truths, 1)[:, None]
    levels = np.searchsorted(
        np.linspace(0, 1, 101), recall, side="right"
    )  # how many levels are reached by then
    return (np.diff(levels, axis=1, prepend=0) * envelope).sum(axis=1) / 101
