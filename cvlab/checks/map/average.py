"""Lesson 07: `average_precision`."""

import numpy as np

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.map import metrics

__all__ = ["AVERAGE_PRECISION"]


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
        Case(np.array([1.0]), np.array([0.345])),
        Case(np.array([0.5, 1.0, 2 / 3]), np.array([0.25, 0.5, 0.5])),
        Case(np.array([1.0, 0.5, 2 / 3]), np.array([0.5, 0.5, 1.0])),
        Case(zigzag, np.array([0.2, 0.4, 0.4, 0.4, 0.4, 0.6, 0.8, 0.8, 0.8, 1.0])),
        Case(np.array([0.0, 0.5, 1 / 3]), np.array([0.0, 0.1, 0.1])),
    ]


def _ap_with(*, levels=101, envelope="right", side="left", first=0.0):
    """Return an AP whose slips can be chosen."""

    def average_precision(precision, recall):
        if envelope == "right":
            precision = np.maximum.accumulate(precision[::-1])[::-1]
        elif envelope == "left":
            precision = np.maximum.accumulate(precision)
        found = np.searchsorted(recall, np.linspace(first, 1, levels), side)
        return float(np.append(precision, 0)[found].mean())

    return average_precision


def _trapezoids(precision, recall):
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(((envelope[1:] + envelope[:-1]) / 2 * np.diff(recall)).sum())


def _only_reached(precision, recall):
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    found = np.searchsorted(recall, np.linspace(0, 1, 101))
    values = envelope[found[found < len(envelope)]]
    return float(values.mean()) if len(values) else 0.0


def _interpolated(precision, recall):
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.interp(np.linspace(0, 1, 101), recall, envelope, right=0).mean()) if len(recall) else 0.0


def _ap_without_last(precision, recall):
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0)
    return float(envelope[np.searchsorted(recall, np.arange(0, 1, 0.01))].mean())


def _overall_best(precision, recall):
    found = np.searchsorted(recall, np.linspace(0, 1, 101))
    best = precision.max() if len(precision) else 0.0
    return float(np.where(found < len(precision), best, 0.0).mean())


AVERAGE_PRECISION = Exercise(
    name="average_precision",
    lesson="07",
    minutes=10,
    difficulty="hard",
    reference=metrics.average_precision,
    other=_ap_other,
    cases=_ap_cases,
    mistakes=[
        Mistake(
            "eleven points",
            _ap_with(levels=11),
            "You read the envelope at 11 levels, as VOC did until 2009. COCO reads 101: np.linspace(0, 1, 101).",
        ),
        Mistake(
            "a hundred points",
            _ap_with(levels=100),
            "From 0 to 1 in steps of 0.01 there are 101 levels, because both ends count.",
        ),
        Mistake(
            "level 0 left out",
            _ap_with(levels=100, first=0.01),
            "You left out level 0. All 101 levels from 0 to 1 count, both ends included.",
        ),
        Mistake(
            "level 1 left out",
            _ap_without_last,
            "np.arange(0, 1, 0.01) stops before 1, so the last level is missing: np.linspace(0, 1, 101).",
        ),
        Mistake(
            "unreached levels crash",
            lambda precision, recall: float(
                np.mean([precision[recall >= level].max() for level in np.linspace(0, 1, 101)])
            ),
            "Where no point reaches a level there is nothing to take the maximum of, and it crashes. Count 0 there.",
        ),
        Mistake(
            "trapezoids of the zigzag",
            lambda precision, recall: float(((precision[1:] + precision[:-1]) / 2 * np.diff(recall)).sum()),
            "Trapezoids of the zigzag: no envelope, slopes for steps, and the piece before the first recall is lost.",
        ),
        Mistake(
            "no envelope",
            _ap_with(envelope=None),
            "You read the zigzag itself. Take the envelope first: at each place the best precision still to come.",
        ),
        Mistake(
            "envelope from the left",
            _ap_with(envelope="left"),
            "Your envelope looks back, so it can only rise. It looks forward: the maximum from each place to the end.",
        ),
        Mistake(
            "the overall best",
            _overall_best,
            "You use one maximum for all levels. At each level only points with at least that recall count.",
        ),
        Mistake(
            "trapezoids",
            _trapezoids,
            "Trapezoids (sklearn's auc) join points by slopes and start at the first recall, so a piece is lost. "
            "Read the steps at 101 levels.",
        ),
        Mistake(
            "area under the steps",
            lambda precision, recall: metrics.ap(precision, recall, "voc10"),
            "This is the exact area, as VOC computes it since 2010. COCO takes the mean at 101 levels.",
        ),
        Mistake(
            "mean of the points",
            lambda precision, recall: float(precision.mean()) if len(precision) else 0.0,
            "You averaged the precision over the detections. Average over levels of recall, 0, 0.01, ... 1.",
        ),
        Mistake(
            "unreached levels left out",
            _only_reached,
            "Levels that no point reaches count as 0. You left them out, so finding little looks good.",
        ),
        Mistake(
            "straight lines between points",
            _interpolated,
            "np.interp draws straight lines between the points. Take the first point with at least that recall.",
        ),
        Mistake(
            "strictly above the level",
            _ap_with(side="right"),
            "A point with exactly the level's recall reaches it. searchsorted's default, side='left', does that.",
        ),
    ],
    hints=[
        "First the envelope: replace each precision by the largest one from there to the end of the array.",
        "np.maximum.accumulate runs from the left; turn the array round, run it, turn it back. "
        "np.searchsorted(recall, levels) finds the first place that reaches each level.",
        "Where no place reaches a level, searchsorted returns len(recall): append a 0 to the envelope before indexing.",
    ],
    note="No detections at all gives 0, and so does never being right.",
)
