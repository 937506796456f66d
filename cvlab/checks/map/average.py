"""Lesson 07: `average_precision`."""

import math

import numpy as np

from cvlab.checks._engine.accept import as_float
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.map import metrics

__all__ = ["AVERAGE_PRECISION"]


def _apply(function, precision, recall):
    return as_float(function(precision, recall))


def _ap_other(precision: np.ndarray, recall: np.ndarray) -> float:
    """For each level, the best precision among all points that reach it."""
    total = 0.0
    for level in np.linspace(0, 1, 101):
        reached = [p for p, r in zip(precision, recall, strict=True) if r >= level]
        total += max(reached, default=0.0)
    return float(total / 101)


def _ap_cases() -> list[Case]:
    zigzag = np.array([1, 1, 2 / 3, 0.5, 0.4, 0.5, 4 / 7, 0.5, 4 / 9, 0.5])
    return [
        Case(np.zeros(0), np.zeros(0)),  # no detections
        Case(np.array([1.0]), np.array([0.345])),
        Case(np.array([1.0]), np.array([0.29])),  # 100 * 0.29 is a little less than 29
        Case(np.array([1.0, 1.0, 2 / 3]), np.array([1, 2, 2]) / 3),  # recall between two levels
        Case(np.array([0.5, 1.0, 2 / 3]), np.array([0.25, 0.5, 0.5])),
        Case(np.array([1.0, 0.5, 2 / 3]), np.array([0.5, 0.5, 1.0])),
        Case(zigzag, np.array([0.2, 0.4, 0.4, 0.4, 0.4, 0.6, 0.8, 0.8, 0.8, 1.0])),
        Case(np.array([0.0, 0.5, 1 / 3]), np.array([0.0, 0.1, 0.1])),
        Case(np.array([0.0, 0.0, 1 / 3, 0.5, 0.6]), np.array([0.0, 0.0, 0.2, 0.4, 0.6])),  # it only rises
    ]


_LEVELS = np.linspace(0, 1, 101)
_ENVELOPES = {
    "right": lambda precision: np.maximum.accumulate(precision[::-1])[::-1],
    "left": np.maximum.accumulate,
    "reversed": lambda precision: np.maximum.accumulate(precision[::-1]),
    "one step": lambda precision: np.maximum(precision, np.append(precision[1:], 0)),
    "best": lambda precision: np.full(len(precision), precision.max(initial=0.0)),
    "none": lambda precision: precision,
}
_BEYOND = {  # what is read where no place reaches the level
    "zero": lambda envelope, found: np.append(envelope, 0)[found],
    "last": lambda envelope, found: np.append(envelope, envelope[-1:] if len(envelope) else 0)[found],
    "left out": lambda envelope, found: (
        envelope[found[found < len(envelope)]] if len(envelope) else np.zeros(1)
    ),
    "crash": lambda envelope, found: envelope[found],
}


def _ap_with(*, levels=_LEVELS, envelope="right", side="left", beyond="zero"):
    """Return an AP whose slips can be chosen."""

    def average_precision(precision, recall):
        found = np.searchsorted(recall, levels, side)
        return float(_BEYOND[beyond](_ENVELOPES[envelope](precision), found).mean())

    return average_precision


def _trapezoids(precision, recall):
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(((envelope[1:] + envelope[:-1]) / 2 * np.diff(recall)).sum())


def _interpolated(precision, recall):
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.interp(_LEVELS, recall, envelope, right=0).mean()) if len(recall) else 0.0


def _rounded_levels(to_level):
    """Return an AP that writes each place at the level `to_level(100 * recall)`."""

    def average_precision(precision, recall):
        levels = [to_level(100 * r) for r in recall]
        best = [
            max((p for p, at in zip(precision, levels, strict=True) if at >= n), default=0.0)
            for n in range(101)
        ]
        return float(np.mean(best))

    return average_precision


def _at_levels(join):
    """Return an AP that is `join` of the best precision at each level."""

    def average_precision(precision, recall):
        return float(join([precision[recall >= r].max(initial=0.0) for r in _LEVELS]))

    return average_precision


def _without_detections(value):
    return lambda precision, recall: metrics.average_precision(precision, recall) if len(recall) else value


def _crash_without_detections(precision, recall):
    best = precision[-1]
    return metrics.average_precision(precision, recall) if best >= 0 else 0.0


def _in_place(precision, recall):
    precision[:] = np.maximum.accumulate(precision[::-1])[::-1]
    return metrics.average_precision(precision, recall)


def _mean_of_steps(precision, recall):
    grows = np.diff(recall, prepend=0) > 0
    return float(_ENVELOPES["right"](precision)[grows].mean()) if grows.any() else 0.0


def _place_before(precision, recall):
    found = np.searchsorted(recall, _LEVELS, "right") - 1
    return float(_ENVELOPES["right"](precision)[found].mean()) if len(recall) else 0.0


AVERAGE_PRECISION = Exercise(
    name="average_precision",
    lesson="07",
    minutes=10,
    difficulty="hard",
    reference=metrics.average_precision,
    other=_ap_other,
    cases=_ap_cases,
    apply=_apply,
    equivalent={"return np.append(envelope, 0)[found].mean()": "a float of NumPy's is a float"},
    mistakes=[
        Mistake("eleven points", _ap_with(levels=np.linspace(0, 1, 11)), "You read the envelope at 11 levels, as VOC did until 2009. COCO reads 101: `np.linspace(0, 1, 101)`."),
        Mistake("a hundred points", _ap_with(levels=np.linspace(0, 1, 100)), "From 0 to 1 in steps of 0.01 there are 101 levels, because both ends count."),
        Mistake("divided by a hundred", _at_levels(lambda values: sum(values) / 100), "From 0 to 1 there are 101 levels, and you divide by 100. Take the mean."),
        Mistake("sum of the levels", _at_levels(sum), "You added up the levels. Take their mean: AP lies between 0 and 1."),
        Mistake("levels in percent", lambda precision, recall: float(np.mean([precision[recall >= level].max(initial=0.0) for level in range(101)])), "Your levels run from 0 to 100, recall from 0 to 1: `np.linspace(0, 1, 101)`."),
        Mistake("levels rounded", _rounded_levels(round), "You round `100 * recall` to a level, so a recall just below a level counts as reaching it. Compare `recall >= level`."),
        Mistake("levels cut off", _rounded_levels(int), "`int(100 * recall)` cuts off: `100 * 0.29` is `28.999...`, so level 0.29 is lost. Compare `recall >= level` instead."),
        Mistake("level 0 left out", _ap_with(levels=_LEVELS[1:]), "You left out level 0. All 101 levels from 0 to 1 count, both ends included."),
        Mistake("level 1 left out", _ap_with(levels=np.arange(0, 1, 0.01)), "`np.arange(0, 1, 0.01)` stops before 1, so the last level is missing: `np.linspace(0, 1, 101)`."),
        Mistake("unreached levels crash", lambda precision, recall: float(np.mean([precision[recall >= level].max() for level in _LEVELS])), "Where no point reaches a level there is nothing to take the maximum of, and it crashes. Count 0 there."),
        Mistake("no zero behind the envelope", _ap_with(beyond="crash"), "A level that no place reaches gets the index `len(recall)`, one too far, and it crashes. Append a 0 to the envelope."),
        Mistake("last precision for unreached levels", _ap_with(beyond="last"), "Levels that no place reaches get your last precision. They count 0."),
        Mistake("points before the level", lambda precision, recall: float(np.mean([precision[recall <= level].max(initial=0.0) for level in _LEVELS])), "You look at places up to the level. Those from there on count, whose recall is at least the level: `recall >= level`."),
        Mistake("-1 without detections", _without_detections(-1.0), "Without detections you return -1. COCO keeps that mark for classes without truths; who finds nothing gets 0."),
        Mistake("nan without detections", _without_detections(math.nan), "Without detections you return nan, and the mean over all classes becomes nan with it. Who finds nothing gets 0."),
        Mistake("None without detections", _without_detections(None), "Without detections you return None, which no mean can take. Who finds nothing gets 0.0."),
        Mistake("one without detections", _without_detections(1.0), "Without detections you return 1. Nothing wrong was said, but nothing was found: 0."),
        Mistake("crash without detections", _crash_without_detections, "Without detections there is no last place, and it crashes. Return 0.0 there."),
        Mistake("caller's precision changed", _in_place, "You wrote the envelope into the caller's precision. Make a new array."),
        Mistake("trapezoids of the zigzag", lambda precision, recall: float(((precision[1:] + precision[:-1]) / 2 * np.diff(recall)).sum()), "Trapezoids of the zigzag: no envelope, slopes for steps, and the piece before the first recall is lost."),
        Mistake("no envelope", _ap_with(envelope="none"), "You read the zigzag itself. Take the envelope first: at each place the best precision still to come."),
        Mistake("envelope of one step", _ap_with(envelope="one step"), "You compare each place with its next one only. The best may come much later: the maximum from there to the end."),
        Mistake("envelope from the left", _ap_with(envelope="left"), "Your envelope looks back, so it can only rise. It looks forward: the maximum from each place to the end."),
        Mistake("the overall best", _ap_with(envelope="best"), "You use one maximum for all levels. At each level only points with at least that recall count."),
        Mistake("trapezoids", _trapezoids, "Trapezoids (sklearn's auc) join points by slopes and start at the first recall, so a piece is lost. Read the steps at 101 levels."),
        Mistake("area under the steps", lambda precision, recall: metrics.ap(precision, recall, "voc10"), "This is the exact area, as VOC computes it since 2010. COCO takes the mean at 101 levels."),
        Mistake("mean of the points", lambda precision, recall: float(precision.mean()) if len(precision) else 0.0, "You averaged the precision over the detections. Average over levels of recall, 0, 0.01, ... 1."),
        Mistake("unreached levels left out", _ap_with(beyond="left out"), "Levels that no point reaches count as 0. You left them out, so finding little looks good."),
        Mistake("straight lines between points", _interpolated, "`np.interp` draws straight lines between the points. Take the first point with at least that recall."),
        Mistake("strictly above the level", _ap_with(side="right"), "A point with exactly the level's recall reaches it. `searchsorted`'s default, `side='left'`, does that."),
        Mistake("envelope left turned round", _ap_with(envelope="reversed"), "You turned the array round, took the running maximum, and did not turn it back: `[::-1]` once more."),
        Mistake("mean of the steps", _mean_of_steps, "You averaged over the places where recall grows. Average over 101 levels of recall, 0, 0.01, ..., 1."),
        Mistake("place before the level", _place_before, "You read the last place up to the level. Read the first whose recall is at least the level: `searchsorted`, as it is."),
    ],
    hints=[
        "First the envelope: replace each precision by the largest one from there to the end of the array.",
        "`np.maximum.accumulate` runs from the left: turn the array round, run it, turn it back. This "
        "finds the first place that reaches each level:\n"
        "    np.searchsorted(recall, levels)",
        "Where no place reaches a level, it gives `len(recall)`, one too far: append a 0 before indexing.\n"
        "    np.append(envelope, 0)[found]",
    ],
    note="No detections at all gives 0, and so does never being right.",
)  # fmt: skip
