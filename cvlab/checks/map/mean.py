"""Lesson 07: `coco_map`."""

import numpy as np

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.map import metrics
from cvlab.map.coco_eval import coco_map

__all__ = ["COCO_MAP"]


def _map_other(classes: dict) -> float:
    """Threshold by threshold, from the pieces."""
    present = [pair for pair in classes.values() if pair[1].shape[1] > 0]
    total = 0.0
    for percent in range(50, 100, 5):
        for scores, ious in present:
            correct = metrics.match_detections(scores, ious, percent / 100)
            total += metrics.ap(*metrics.pr_curve(scores, correct, ious.shape[1]))
    return total / (10 * len(present)) if present else -1.0


def _map_cases() -> list[Case]:
    rng = np.random.default_rng(5)
    one = {"cat": (np.array([0.9]), np.array([[0.72]]))}
    two = {**one, "dog": (np.array([0.8, 0.9]), np.array([[0.97, 0.1], [0.2, 0.55]]))}
    absent = {**one, "bird": (np.array([0.7, 0.3]), np.zeros((2, 0)))}
    silent = {**one, "frog": (np.zeros(0), np.zeros((0, 2)))}
    many = {name: (rng.permutation(9) / 9, rng.uniform(0.3, 1, (9, 4)).round(3)) for name in ("a", "b")}
    edge = {"cat": (np.array([0.9, 0.8]), np.array([[0.95, 0.0], [0.0, 0.951]]))}
    return [
        Case(c) for c in (one, two, absent, silent, many, edge, {"bird": (np.array([0.5]), np.zeros((1, 0)))})
    ]


def _map_with(
    *, thresholds=None, absent=None, join=np.mean, weigh=False, empty=-1.0, ap=metrics.average_precision
):
    """Return a mean AP whose slips can be chosen."""

    def coco_map(classes):
        values = []
        for scores, ious in classes.values():
            if ious.shape[1] == 0:
                values += [] if absent is None else [absent] * 10
                continue
            for threshold in metrics.THRESHOLDS if thresholds is None else thresholds:
                correct = metrics.match_detections(scores, ious, threshold)
                value = ap(*metrics.pr_curve(scores, correct, ious.shape[1]))
                values += [value] * (ious.shape[1] if weigh else 1)
        return float(join(values)) if values else empty

    return coco_map


def _shortcut(classes):
    """What the notes do: keep the points of threshold 0.5, and drop those whose overlap is too small."""
    values = []
    for scores, ious in classes.values():
        if not ious.shape[1]:
            continue
        order = np.argsort(-scores, kind="stable")
        best = ious[order].max(axis=1, initial=0)
        precision, recall = metrics.pr_curve(scores, metrics.match_detections(scores, ious), ious.shape[1])
        for threshold in metrics.THRESHOLDS:
            keep = best >= threshold
            values.append(metrics.average_precision(precision[keep], recall[keep]))
    return float(np.mean(values)) if values else -1.0


def _pooled(classes):
    """All classes in one curve: the scores of a frequent class drown the others."""
    present = [pair for pair in classes.values() if pair[1].shape[1]]
    if not present:
        return -1.0
    values = []
    for threshold in metrics.THRESHOLDS:
        correct = np.concatenate([metrics.match_detections(*pair, threshold) for pair in present])
        scores, truths = np.concatenate([s for s, _ in present]), sum(ious.shape[1] for _, ious in present)
        values.append(metrics.average_precision(*metrics.pr_curve(scores, correct, truths)))
    return float(np.mean(values))


COCO_MAP = Exercise(
    name="coco_map",
    lesson="07",
    minutes=12,
    difficulty="hard",
    reference=coco_map,
    other=_map_other,
    cases=_map_cases,
    mistakes=[
        Mistake(
            "precision and recall kept",
            _shortcut,
            "You filter the curve of threshold 0.5. A detection that fails a stricter threshold stays in the list as a "
            "false one: match again at every threshold.",
        ),
        Mistake(
            "absent classes count as 0",
            _map_with(absent=0.0),
            "A class without truths has no AP, and you average it in as 0. Leave it out.",
        ),
        Mistake(
            "absent classes count as -1",
            _map_with(absent=-1.0),
            "-1 is a mark for absent, not an AP: you averaged it in. Leave absent classes out.",
        ),
        Mistake(
            "only 0.5",
            _map_with(thresholds=[0.5]),
            "This is AP50. COCO's mAP averages ten thresholds, 0.5 to 0.95.",
        ),
        Mistake(
            "nine thresholds",
            _map_with(thresholds=np.linspace(0.5, 0.9, 9)),
            "You used nine thresholds. 0.95 belongs to them: np.linspace(0.5, 0.95, 10).",
        ),
        Mistake(
            "eleven thresholds",
            _map_with(thresholds=np.linspace(0.5, 1, 11)),
            "You used eleven thresholds, up to 1. The last is 0.95: np.linspace(0.5, 0.95, 10).",
        ),
        Mistake(
            "thresholds by np.arange",
            _map_with(thresholds=np.arange(0.5, 1, 0.05)),
            "np.arange(0.5, 1, 0.05) ends at 0.9500000000000004, just above an overlap of 0.95. "
            "np.linspace(0.5, 0.95, 10) hits it.",
        ),
        Mistake(
            "eleven points",
            _map_with(ap=lambda precision, recall: metrics.ap(precision, recall, "voc07")),
            "Your AP reads 11 levels of recall, as VOC07. COCO reads 101.",
        ),
        Mistake(
            "classes pooled",
            _pooled,
            "You put all classes into one curve. Make one AP a class, then the mean: rare classes count as much.",
        ),
        Mistake(
            "weighted by truths",
            _map_with(weigh=True),
            "Classes with more truths count more in your mean. In the mAP every class counts the same.",
        ),
        Mistake(
            "sum",
            _map_with(join=np.sum),
            "This is the sum. Divide by the number of classes with truths, times ten thresholds.",
        ),
        Mistake(
            "best threshold",
            _map_with(join=np.max),
            "You kept the largest AP. Take the mean over all thresholds and classes.",
        ),
        Mistake(
            "nothing to measure is 0",
            _map_with(empty=0.0),
            "Without any truth there is nothing to measure: return -1.0, as COCO does, not 0.",
        ),
    ],
    hints=[
        "Two loops: over the classes and over np.linspace(0.5, 0.95, 10). What must be computed anew at each threshold?",
        "Inside: match_detections, then pr_curve with ious.shape[1] truths, then average_precision.",
        "Skip a class when ious.shape[1] == 0. At the end np.mean of all values, or -1.0 when there are none.",
    ],
    note="One image only; the lesson goes on to many, where the detections of all images share one curve a class.",
)
