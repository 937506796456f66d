"""From boxes to average precision: the pieces that lesson 07 writes by hand, one class at a time."""

import numpy as np

from cvlab import _validate

__all__ = [
    "CONVENTIONS",
    "THRESHOLDS",
    "ap",
    "average_precision",
    "match_detections",
    "match_image",
    "pr_curve",
    "precision_recall",
]

THRESHOLDS = np.linspace(0.5, 0.95, 10)
CONVENTIONS = ("voc07", "voc10", "coco")


def _count(value, name: str):
    return _validate.positive_int(value, name, least=0)


def _scores(value, name: str) -> np.ndarray:
    array = _validate.floats(value, name)
    if array.ndim != 1:
        raise ValueError(f"{name} must have shape (N,); got {array.shape}")
    return array


def _correct(value, name: str) -> np.ndarray:
    array = _validate.as_array(value, name)
    array = array.astype(bool) if array.size == 0 else array
    if array.ndim != 1 or array.dtype != bool:
        raise ValueError(f"{name} must be bool of shape (N,); got {array.dtype} {array.shape}")
    return array


def _table(value, name: str) -> np.ndarray:
    array = _validate.floats(value, name)
    if array.ndim != 2:
        raise ValueError(
            f"{name} must have shape (N, M), a row a detection, a column a truth; got {array.shape}"
        )
    return array


def _threshold(value, name: str) -> float:
    if not 0 < value <= 1:
        raise ValueError(f"{name} must be above 0 and at most 1; got {value}")
    return value


def _share(value, name: str) -> np.ndarray:
    array = _scores(value, name)
    if array.size and (array.min() < 0 or array.max() > 1):
        raise ValueError(f"{name} must be in [0, 1]; got {array.min():.3g} to {array.max():.3g}. In percent?")
    return array


def _one_row_a_score(scores, ious, threshold) -> None:
    if len(scores) != len(ious):
        raise ValueError(f"scores and ious must have a row a detection; got {len(scores)} and {len(ious)}")


def _enough_truths(scores, correct, n_truths) -> None:
    _validate.same_shape(scores, correct, ("scores", "correct"))
    if correct.sum() > n_truths:
        raise ValueError(
            f"correct must hold at most n_truths = {n_truths} True; got {correct.sum()}. One truth counts once"
        )


def _curve(precision, recall, convention="coco") -> None:
    _validate.same_shape(precision, recall, ("precision", "recall"))
    _validate.one_of(convention, "convention", CONVENTIONS)
    if (np.diff(recall) < 0).any():
        raise ValueError("recall must never fall; sort by score first: pr_curve does. Arguments swapped?")


def _flags_fit(ious, threshold, crowd, ignore) -> None:
    for name, flags in (("crowd", crowd), ("ignore", ignore)):
        if len(flags) != ious.shape[1]:
            raise ValueError(f"{name} must have a flag for each of {ious.shape[1]} truths; got {len(flags)}")


@_validate.arguments(tp=_count, fp=_count, fn=_count)
def precision_recall(tp: int, fp: int, fn: int) -> tuple[float, float]:
    """Share of the detections that are right, and share of the truths that are found.

    Args:
        tp: detections that are right.
        fp: detections that are wrong.
        fn: truths that nothing found.

    Returns:
        precision and recall in [0, 1]; without detections the precision is 0, without truths the recall.

    Example:
        >>> precision_recall(7, 4, 3)
        (0.6363636363636364, 0.7)
    """
    precision = tp / (tp + fp) if tp + fp else 0.0
    recall = tp / (tp + fn) if tp + fn else 0.0
    return precision, recall


@_validate.arguments(_one_row_a_score, scores=_scores, ious=_table, threshold=_threshold)
def match_detections(scores: np.ndarray, ious: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Judge the detections of one image and class: the best score chooses first, one truth counts once.

    Args:
        scores: (N,) confidence of each detection.
        ious: (N, M) overlap of each detection with each truth.
        threshold: least overlap of a match.

    Returns:
        (N,) bool, True for a right detection, in the order of `scores`.

    Example:
        >>> match_detections([0.6, 0.9], [[0.8], [0.7]]).tolist()
        [False, True]

    Source: Everingham et al., "The Pascal Visual Object Classes Challenge", IJCV 2010, section 4.2.
    """
    correct = np.zeros(len(scores), dtype=bool)
    free = np.ones(ious.shape[1], dtype=bool)
    for d in np.argsort(-scores, kind="stable"):
        candidates = np.flatnonzero(free & (ious[d] >= threshold))
        if len(candidates):
            best = candidates[ious[d, candidates].argmax()]
            correct[d], free[best] = True, False
    return correct


@_validate.arguments(_enough_truths, scores=_scores, correct=_correct, n_truths=_count)
def pr_curve(scores: np.ndarray, correct: np.ndarray, n_truths: int) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall after the best detection, the best two, the best three, ...

    Args:
        scores: (N,) confidence of each detection, of all images together.
        correct: (N,) bool, whether it matched a truth.
        n_truths: truths in all images, found or not.

    Returns:
        precision (N,) and recall (N,) in [0, 1], best score first.

    Example:
        >>> precision, recall = pr_curve([0.9, 0.7, 0.8], np.array([True, True, False]), 4)
        >>> precision.round(2).tolist(), recall.tolist()
        ([1.0, 0.5, 0.67], [0.25, 0.25, 0.5])
    """
    order = np.argsort(-scores, kind="stable")
    tp = np.cumsum(correct[order])
    return tp / np.arange(1, len(tp) + 1), tp / max(n_truths, 1)


@_validate.arguments(_curve, precision=_share, recall=_share)
def average_precision(precision: np.ndarray, recall: np.ndarray) -> float:
    """COCO's average precision: the mean of the envelope at 101 levels of recall.

    Args:
        precision: (N,) in [0, 1] as `pr_curve` returns it.
        recall: (N,) in [0, 1], never falling.

    Returns:
        a float in [0, 1]; 0 without detections.

    Example:
        >>> round(average_precision([1.0, 0.5, 2 / 3], [0.5, 0.5, 1.0]), 3)
        0.835

    Source: `COCOeval.accumulate` in pycocotools.
    """
    envelope = np.maximum.accumulate(precision[::-1])[::-1]  # (N,) the best that is still to come
    found = np.searchsorted(recall, np.linspace(0, 1, 101))  # (101,) first place with at least this recall
    return float(np.append(envelope, 0)[found].mean())


@_validate.arguments(_curve, precision=_share, recall=_share)
def ap(precision: np.ndarray, recall: np.ndarray, convention: str = "coco") -> float:
    """Average precision in one of the three conventions that papers use.

    Args:
        precision: (N,) in [0, 1] as `pr_curve` returns it.
        recall: (N,) in [0, 1], never falling.
        convention: "voc07" reads the envelope at 11 levels of recall, "coco" at 101, "voc10" takes its area.

    Returns:
        a float in [0, 1].

    Example:
        >>> curve = [1.0, 0.5, 2 / 3], [0.5, 0.5, 1.0]
        >>> [round(ap(*curve, convention), 3) for convention in CONVENTIONS]
        [0.848, 0.833, 0.835]
    """
    if convention == "coco":
        return average_precision(precision, recall)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]  # (N,)
    if convention == "voc10":
        return float((np.diff(recall, prepend=0) * envelope).sum())
    found = np.searchsorted(recall, np.linspace(0, 1, 11))  # (11,)
    return float(np.append(envelope, 0)[found].mean())


@_validate.arguments(_flags_fit, ious=_table, threshold=_threshold)
def match_image(ious: np.ndarray, threshold: float, crowd: np.ndarray, ignore: np.ndarray) -> np.ndarray:
    """Match the detections of one image and class with its truths, exactly as COCO does.

    Args:
        ious: (N, M) overlaps; the rows are sorted, best score first.
        threshold: least overlap of a match.
        crowd: (M,) bool, regions that may be matched again and again.
        ignore: (M,) bool, truths that count neither as found nor as missed (crowds among them).

    Returns:
        (N,) int, the truth that each detection got, -1 for none.

    Example:
        >>> match_image(np.array([[0.9, 0.6], [0.8, 0.7]]), 0.5, np.zeros(2, bool), np.zeros(2, bool))
        array([0, 1])

    Source: `COCOeval.evaluateImg` in pycocotools.
    """
    matched, taken = np.full(len(ious), -1), np.zeros(len(ignore), dtype=bool)
    for d in range(len(ious)):
        best = min(threshold, 1 - 1e-10)
        for t in np.argsort(ignore, kind="stable"):  # those that count first
            if taken[t] and not crowd[t]:
                continue  # one truth once; a crowd takes any number
            if matched[d] >= 0 and ignore[t] and not ignore[matched[d]]:
                break  # a truth that counts is better than any ignored one
            if ious[d, t] >= best:
                best, matched[d] = ious[d, t], t
        if matched[d] >= 0:
            taken[matched[d]] = True
    return matched
