"""Lesson 07: `precision_recall`."""

import math
from typing import NamedTuple

from cvlab.checks._engine.accept import as_float, as_parts
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.map import metrics

__all__ = ["PRECISION_RECALL"]


class _Both(NamedTuple):
    precision: float
    recall: float


def _apply(function, tp, fp, fn):
    return as_parts(function(tp, fp, fn), _Both, as_float)


def _precision_recall_other(tp: int, fp: int, fn: int) -> tuple[float, float]:
    """Divide by at least one: nothing found of nothing is 0."""
    return tp / max(tp + fp, 1), tp / max(tp + fn, 1)


def _precision_recall_cases() -> list[Case]:
    counts = [
        (7, 4, 3),
        (1, 0, 3),
        (3, 1, 3),
        (2, 6, 0),
        (0, 5, 2),
        (0, 0, 4),
        (0, 3, 0),
        (0, 0, 0),
        (12, 12, 36),
    ]
    return [Case(*count) for count in counts]


def _ratio(part: float, whole: float, otherwise: float = 0.0) -> float:
    return part / whole if whole else otherwise


def _f1(tp, fp, fn):
    score = _ratio(2 * tp, 2 * tp + fp + fn)
    return score, score


PRECISION_RECALL = Exercise(
    name="precision_recall",
    lesson="07",
    minutes=3,
    difficulty="easy",
    reference=metrics.precision_recall,
    other=_precision_recall_other,
    cases=_precision_recall_cases,
    apply=_apply,
    equivalent={
        "precision = tp / (tp + fp) if tp else 0.0": "where tp is 0 the fraction is 0 as well",
        "precision = tp / (tp + fp) if tp + tp else 0.0": "where tp is 0 the fraction is 0 as well",
        "recall = tp / (tp + fn) if tp else 0.0": "where tp is 0 the fraction is 0 as well",
        "recall = tp / (tp + fn) if tp + tp else 0.0": "where tp is 0 the fraction is 0 as well",
    },
    mistakes=[
        Mistake("swapped", lambda tp, fp, fn: (_ratio(tp, tp + fn), _ratio(tp, tp + fp)), "The two changed places. Precision comes first: of what was detected, how much is right?"),
        Mistake("recall over detections", lambda tp, fp, fn: (_ratio(tp, tp + fp), _ratio(tp, tp + fp)), "You divided both by the detections. Recall asks about the truths: divide by `tp + fn`."),
        Mistake("precision over truths", lambda tp, fp, fn: (_ratio(tp, tp + fn), _ratio(tp, tp + fn)), "You divided both by the truths. Precision asks about the detections: divide by `tp + fp`."),
        Mistake("over everything", lambda tp, fp, fn: (_ratio(tp, tp + fp + fn), _ratio(tp, tp + fp + fn)), "You divided by `tp + fp + fn`. Precision leaves out the misses, recall leaves out the false alarms."),
        Mistake("right over wrong", lambda tp, fp, fn: (_ratio(tp, fp), _ratio(tp, fn)), "You divided right by wrong. Divide by all: the right ones are part of the whole."),
        Mistake("the share that is wrong", lambda tp, fp, fn: (_ratio(fp, tp + fp), _ratio(fn, tp + fn)), "These are the shares that went wrong. Put tp on top of both fractions."),
        Mistake("F1", _f1, "This is F1, one number made of both. Here the two are wanted apart."),
        Mistake("percent", lambda tp, fp, fn: (100 * _ratio(tp, tp + fp), 100 * _ratio(tp, tp + fn)), "These are percents. In this course both lie between 0 and 1."),
        Mistake("rounded", lambda tp, fp, fn: (round(_ratio(tp, tp + fp), 2), round(_ratio(tp, tp + fn), 2)), "You rounded. Return the numbers as they are; round when you print."),
        Mistake("divides by zero", lambda tp, fp, fn: (tp / (tp + fp), tp / (tp + fn)), "With no detection, or no truth, you divide by zero. Return 0.0 then."),
        Mistake("one for nothing", lambda tp, fp, fn: (_ratio(tp, tp + fp, 1.0), _ratio(tp, tp + fn, 1.0)), "Without detections you return a precision of 1. Some do; here an empty answer earns 0.0."),
        Mistake("zero only where all three are zero", lambda tp, fp, fn: (0.0, 0.0) if tp + fp + fn == 0 else (tp / (tp + fp), tp / (tp + fn)), "You ask whether all three are zero. Each fraction has its own whole: `tp + fp`, and `tp + fn`."),
        Mistake("recall is one without truths", lambda tp, fp, fn: (_ratio(tp, tp + fp), _ratio(tp, tp + fn, 1.0)), "Without truths you return a recall of 1. Some do; here a share of nothing is 0.0."),
        Mistake("None for nothing", lambda tp, fp, fn: (_ratio(tp, tp + fp, None), _ratio(tp, tp + fn, None)), "With nothing to divide by you return None. Return 0.0, so that one can go on calculating."),
        Mistake("nan for nothing", lambda tp, fp, fn: (_ratio(tp, tp + fp, math.nan), _ratio(tp, tp + fn, math.nan)), "`0 / 0` is nan in NumPy, and every mean with it becomes nan. Return 0.0 then."),
        Mistake("brackets forgotten", lambda tp, fp, fn: (tp / tp + fp, tp / tp + fn) if tp else (0.0, 0.0), "`tp / tp + fp` is `1 + fp`, because `/` comes before `+`. Put brackets round the sum: `tp / (tp + fp)`."),
        Mistake("a little in the denominator", lambda tp, fp, fn: (tp / (tp + fp + 1e-3), tp / (tp + fn + 1e-3)), "The small number in the denominator changes every result. Ask for zero instead: ... if `tp + fp` else 0.0."),
        Mistake("misses among the found", lambda tp, fp, fn: (_ratio(tp, tp + fp), _ratio(tp + fn, tp + fp + fn)), "You count the misses as found. Recall is tp over all truths: `tp / (tp + fn)`."),
        Mistake("only the precision", lambda tp, fp, fn: _ratio(tp, tp + fp), "Only the precision comes back. Return both: precision, recall."),
        Mistake("a dict", lambda tp, fp, fn: {"precision": _ratio(tp, tp + fp), "recall": _ratio(tp, tp + fn)}, "You return a dict. Return the two numbers: return precision, recall."),
        Mistake("whole division", lambda tp, fp, fn: (float(tp // max(tp + fp, 1)), float(tp // max(tp + fn, 1))), "`//` throws the fraction away. Divide with `/`."),
        Mistake("asks for the wrong answers", lambda tp, fp, fn: (tp / (tp + fp) if fp else 0.0, tp / (tp + fn) if fn else 0.0), "You ask whether there are wrong answers. Without any the share is 1, not 0: ask for the whole, if `tp + fp`."),
        Mistake("turned round", lambda tp, fp, fn: (_ratio(tp + fp, tp), _ratio(tp + fn, tp)), "The fractions stand on their heads: the part on top, the whole below."),
    ],
    hints=[
        "Precision looks at the detections, recall at the truths. How many are there of each?",
        "There are `tp + fp` detections and `tp + fn` truths; `tp` of both are good.",
        "Recall likewise, with `fn`:\n"
        "    precision = tp / (tp + fp) if tp + fp else 0.0",
    ],
    note="Neither needs the true negatives: nobody can count the boxes that were rightly not drawn.",
    shorter="(tp / max(tp + fp, 1), tp / max(tp + fn, 1))",
)  # fmt: skip
