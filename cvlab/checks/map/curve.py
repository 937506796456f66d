"""Lesson 07: `pr_curve`."""

from typing import NamedTuple

import numpy as np

from cvlab.checks._engine.accept import as_array, as_parts
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.map import metrics

__all__ = ["PR_CURVE"]


class _Curve(NamedTuple):
    precision: np.ndarray
    recall: np.ndarray


def _apply(function, scores, correct, n_truths):
    return as_parts(function(scores, correct, n_truths), _Curve, as_array)


def _curve_other(scores: np.ndarray, correct: np.ndarray, n_truths: int) -> tuple[np.ndarray, np.ndarray]:
    """Count one detection after the other."""
    tp, precision, recall = 0, [], []
    for seen, d in enumerate(sorted(range(len(scores)), key=lambda i: -scores[i]), start=1):
        tp += bool(correct[d])
        precision.append(tp / seen)
        recall.append(tp / n_truths if n_truths else 0.0)
    return np.array(precision, dtype=float), np.array(recall, dtype=float)


def _curve_cases() -> list[Case]:
    rng = np.random.default_rng(3)
    return [
        Case(np.array([0.9]), np.array([True]), 1),
        Case(np.array([0.9, 0.8]), np.array([True, False]), 2),
        Case(np.array([0.6, 0.9, 0.7]), np.array([False, True, True]), 4),
        Case(np.array([0.5, 0.4]), np.array([False, False]), 0),  # no truths at all
        Case(np.array([0.5, 0.9, 0.9, 0.5]), np.array([False, True, True, False]), 3),  # equal scores
        Case(rng.permutation(10) / 10, rng.random(10) < 0.6, 9),
    ]


def _curve(
    *, order=1, top=np.cumsum, over=lambda n: np.arange(1, n + 1), of=lambda truths, tp: max(truths, 1)
):
    """Return a curve whose slips can be chosen."""

    def curve(scores, correct, n_truths):
        tp = top(correct[np.argsort(-order * scores, kind="stable")] if order else correct)
        return tp / over(len(tp)), tp / of(n_truths, tp)

    return curve


def _cumulated_first(scores, correct, n_truths):
    tp = np.cumsum(correct)[np.argsort(-scores, kind="stable")]
    return tp / np.arange(1, len(tp) + 1), tp / max(n_truths, 1)


def _with_start(scores, correct, n_truths):
    precision, recall = metrics.pr_curve(scores, correct, n_truths)
    return np.concatenate([[1.0], precision]), np.concatenate([[0.0], recall])


def _ties_merged(scores, correct, n_truths):
    """One point for each different score."""
    kept = [correct[scores >= score] for score in np.unique(scores)[::-1]]
    tp, seen = np.array([k.sum() for k in kept]), np.array([len(k) for k in kept])
    return tp / seen, tp / max(n_truths, 1)


def _ties_share(scores, correct, n_truths):
    """Equal scores get one and the same point, once for each."""
    kept = [correct[scores >= score] for score in np.sort(scores)[::-1]]
    tp, seen = np.array([k.sum() for k in kept]), np.array([len(k) for k in kept])
    return tp / seen, tp / max(n_truths, 1)


def _envelope(scores, correct, n_truths):
    precision, recall = metrics.pr_curve(scores, correct, n_truths)
    return np.maximum.accumulate(precision[::-1])[::-1], recall


def _put_back(scores, correct, n_truths):
    place = np.argsort(np.argsort(-scores, kind="stable"))
    return tuple(column[place] for column in metrics.pr_curve(scores, correct, n_truths))


def _nothing(scores, correct, n_truths):
    return metrics.pr_curve(scores, correct, n_truths) if n_truths else (np.zeros(0), np.zeros(0))


def _crash_without_truths(scores, correct, n_truths):
    return metrics.pr_curve(scores, correct, n_truths) if n_truths else 0 / n_truths


PR_CURVE = Exercise(
    name="pr_curve",
    lesson="07",
    minutes=8,
    difficulty="medium",
    reference=metrics.pr_curve,
    other=_curve_other,
    cases=_curve_cases,
    apply=_apply,
    any_float=True,
    equivalent={"order = np.argsort(-scores)": "the text leaves the order of equal scores open"},
    mistakes=[
        Mistake("not sorted", _curve(order=0), "You count in the order of the list. Sort by score first, best at the top: `np.argsort(-scores)`."),
        Mistake("sorted upwards", _curve(order=-1), "You start with the lowest score. The curve begins with the best: `np.argsort(-scores)`."),
        Mistake("counted before sorting", _cumulated_first, "You count first and sort afterwards. Sort correct first, then take its cumulative sum."),
        Mistake("flags sorted by themselves", lambda scores, correct, n_truths: metrics.pr_curve(-np.sort(-scores), -np.sort(-correct.astype(int)) > 0, n_truths), "You sorted the flags themselves, so all right ones come first. Put them in the order of the scores: `correct[np.argsort(-scores)]`."),
        Mistake("equal scores merged", _ties_merged, "Equal scores became one point. Return one point a detection, equal scores or not."),
        Mistake("equal scores share a point", _ties_share, "At `scores >= s` you count all detections with an equal score at once. Go down the list one by one: `np.cumsum`."),
        Mistake("envelope taken", _envelope, "You took the envelope already. Here the zigzag itself is wanted; the envelope comes with the AP."),
        Mistake("put back in the given order", _put_back, "The numbers are right, but in the order of the input. Return them best score first: as a curve runs."),
        Mistake("two totals", lambda scores, correct, n_truths: (correct.sum() / len(correct), correct.sum() / max(n_truths, 1),), "You return the two numbers at the end of the list. Return one pair for each place: `np.cumsum`."),
        Mistake("false alarms in the recall", _curve(of=lambda truths, tp: tp + len(tp) - tp[-1]), "You divided the recall by right ones plus false alarms. Recall is a share of the truths: `n_truths`."),
        Mistake("recall over detections", _curve(of=lambda truths, tp: max(len(tp), 1)), "You divided the recall by the number of detections. Recall is a share of the truths: `n_truths`."),
        Mistake("recall over the found ones", _curve(of=lambda truths, tp: max(tp[-1] if len(tp) else 1, 1)), "Your recall always ends at 1, because you divide by what was found. Truths that were missed count: `n_truths`."),
        Mistake("precision over all", _curve(over=lambda n: max(n, 1)), "You divided the precision by all detections. At place i only i detections have been seen so far."),
        Mistake("counting from zero", _curve(over=lambda n: np.maximum(np.arange(n), 1)), "At the first place one detection has been seen, not none. Count from 1: `np.arange(1, n + 1)`."),
        Mistake("first place divided by zero", _curve(over=lambda n: np.arange(n)), "`np.arange(n)` starts at 0, and you divide by it. Count from 1: `np.arange(1, n + 1)`."),
        Mistake("not cumulated", _curve(top=lambda correct: correct.astype(float)), "Each place looks at its own detection only. Count all down to it: `np.cumsum`."),
        Mistake("swapped", lambda *args: metrics.pr_curve(*args)[::-1], "Precision and recall changed places. Return precision first."),
        Mistake("starting point added", _with_start, "You added a point at recall 0. Return one point a detection; the plot may add what it likes."),
        Mistake("one table", lambda *args: np.stack(metrics.pr_curve(*args), axis=1), "You return one table of two columns. Return two arrays: precision, recall."),
        Mistake("no truths: nothing", _nothing, "Without truths you return nothing. There are still N places: precision 0 and recall 0 at each."),
        Mistake("no truths: divides by zero", _curve(of=lambda truths, tp: truths), "Without truths you divide by zero. Divide by `max(n_truths, 1)`."),
        Mistake("no truths: crashes", _crash_without_truths, "Without truths `n_truths` is 0, and dividing by it crashes. Divide by `max(n_truths, 1)`."),
        Mistake("first place left at 0", _curve(over=lambda n: np.append(np.inf, np.arange(1, n))), "At the first place one detection has been seen, not none: count from 1, `enumerate(..., start=1)`."),
        Mistake("two lists", lambda *args: tuple(column.tolist() for column in metrics.pr_curve(*args)), "The numbers are right, but they come as lists. Return two arrays: `np.array(precision)`, `np.array(recall)`."),
        Mistake("scores besides", lambda scores, correct, n_truths: (*metrics.pr_curve(scores, correct, n_truths), -np.sort(-scores)), "You return three columns. Two are asked for: precision, recall."),
        Mistake("first place crashes", lambda scores, correct, n_truths: (np.array([1 / place for place, _ in enumerate(scores)]), scores), "The first place is number 0 in your count, and dividing by it crashes. Count from 1: `enumerate(..., start=1)`."),
    ],
    hints=[
        "Put the flags in the order of the scores, best first. How many are right down to each place?",
        "The number of detections down to each place is 1, 2, 3, ... The right ones among them:\n"
        "    tp = np.cumsum(correct[order])",
        "Divide by the detections so far, and by the truths:\n"
        "    precision = tp / np.arange(1, len(tp) + 1)\n"
        "    recall = tp / max(n_truths, 1)",
    ],
    note="The threshold on the score is nothing but the place where you stop on this curve.",
)  # fmt: skip
