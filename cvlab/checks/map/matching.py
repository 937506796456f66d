"""Lesson 07: `match_detections`."""

import numpy as np

from cvlab.checks._engine.accept import as_array
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.map import metrics

__all__ = ["MATCH_DETECTIONS"]


def _apply(function, scores, ious, threshold=0.5):
    return as_array(function(scores, ious, threshold))


def _match_other(scores: np.ndarray, ious: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Cross truths off a copy of the table."""
    table, correct = np.array(ious, dtype=float), [False] * len(scores)
    for d in sorted(range(len(scores)), key=lambda i: -scores[i]):
        if table.shape[1] and table[d].max() >= threshold:
            correct[d] = True
            table[:, table[d].argmax()] = -1
    return np.array(correct, dtype=bool)


def _match_cases() -> list[Case]:
    rng = np.random.default_rng(7)
    return [
        Case(np.array([0.9]), np.array([[0.5]]), 0.5),  # exactly at the threshold
        Case(np.array([0.9, 0.8]), np.array([[0.7], [0.6]])),  # a duplicate
        Case(np.array([0.6, 0.9]), np.array([[0.8], [0.7]])),  # the better score comes second
        Case(np.array([0.9, 0.8]), np.array([[0.9, 0.6], [0.8, 0.7]])),  # second best is free
        Case(np.array([0.9, 0.8]), np.array([[0.6, 0.9], [0.7, 0.2]])),  # take the best, not the first
        Case(np.array([0.9, 0.8]), np.array([[0.9, 0.6], [0.8, 0.2]])),  # the best, not the last
        Case(np.array([0.9, 0.8]), np.array([[0.3, 0.4], [0.1, 0.7]])),  # what fits nothing takes nothing
        Case(np.array([0.9, 0.8, 0.7]), np.array([[0.9, 0.6], [0.8, 0.3], [0.2, 0.7]])),
        Case(np.array([0.9, 0.4]), np.array([[0.72, 0.1], [0.1, 0.64]]), 0.7),
        Case(np.array([0.2, 0.3]), np.array([[0.3, 0.2], [0.6, 0.1]]), 0.25),  # low scores, low threshold
        Case(np.array([0.3, 0.9, 0.5]), np.zeros((3, 0))),  # no truths
        Case(rng.permutation(8) / 8, rng.permutation(32).reshape(8, 4) / 32, 0.4),
        Case(rng.permutation(9) / 9, rng.permutation(27).reshape(9, 3) / 27, 0.55),
    ]


_PICKS = {
    "best": lambda fits, row: fits[row[fits].argmax()],
    "first": lambda fits, row: fits[0],
    "last": lambda fits, row: fits[-1],
    "worst": lambda fits, row: fits[row[fits].argmin()],
    "place among the fitting": lambda fits, row: row[fits].argmax(),
    "all": lambda fits, row: fits,
}
_ORDERS = {
    "best": lambda scores, ious: np.argsort(-scores, kind="stable"),
    "given": lambda scores, ious: np.arange(len(scores)),
    "worst": lambda scores, ious: np.argsort(-scores, kind="stable")[::-1],
    "best IoU": lambda scores, ious: np.argsort(-ious.max(axis=1, initial=0), kind="stable"),
}


def _matcher(
    *, order="best", once=True, beats=np.greater_equal, pick="best", fall_back=True, unsort=True, at=None
):
    """Return a matching whose slips can be chosen."""

    def match(scores, ious, threshold=0.5):
        threshold = threshold if at is None else at
        correct, free = np.zeros(len(scores), bool), np.ones(ious.shape[1], bool)
        for place, d in enumerate(_ORDERS[order](scores, ious)):
            fits = np.flatnonzero(beats(ious[d], threshold) & (free if fall_back else True))
            if len(fits):
                chosen = _PICKS[pick](fits, ious[d])
                correct[d if unsort else place] = fall_back or free[chosen]
                free[chosen] = not once
        return correct

    return match


def _takes_before_it_fits(scores, ious, threshold=0.5):
    """The best free truth is taken, whether it fits or not."""
    correct, free = np.zeros(len(scores), bool), np.ones(ious.shape[1], bool)
    for d in np.argsort(-scores, kind="stable"):
        if free.any():
            best = np.where(free, ious[d], -1).argmax()
            correct[d], free[best] = ious[d, best] >= threshold, False
    return correct


def _in_place(scores, ious, threshold=0.5):
    correct = metrics.match_detections(scores, ious, threshold)
    for d in np.argsort(-scores, kind="stable"):
        if ious.shape[1] and ious[d].max() >= threshold:
            ious[:, ious[d].argmax()] = 0
    return correct


def _places(scores, ious, threshold=0.5):
    order = np.argsort(-scores, kind="stable")
    return order[metrics.match_detections(scores, ious, threshold)[order]]


def _score_too(scores, ious, threshold=0.5):
    return metrics.match_detections(scores, ious, 0.5) & (scores >= threshold)


def _crash_without_truths(scores, ious, threshold=0.5):
    return (
        ious.max(axis=1) >= threshold
        if not ious.shape[1]
        else metrics.match_detections(scores, ious, threshold)
    )


def _truths_choose(scores, ious, threshold=0.5):
    correct = np.zeros(len(scores), bool)
    for t in range(ious.shape[1]):
        if len(scores) and ious[:, t].max() >= threshold:
            correct[ious[:, t].argmax()] = True
    return correct


def _argmax_without_truths(scores, ious, threshold=0.5):
    return metrics.match_detections(scores, ious, threshold) if ious.shape[1] else ious[0].argmax()


MATCH_DETECTIONS = Exercise(
    name="match_detections",
    lesson="07",
    minutes=12,
    difficulty="hard",
    reference=metrics.match_detections,
    other=_match_other,
    cases=_match_cases,
    apply=_apply,
    equivalent={
        "correct = np.zeros(len(ious), dtype=bool)": "there is a row for each score",
        "for d in np.argsort(-scores):": "the text leaves the order of equal scores open",
    },
    mistakes=[
        Mistake("one truth twice", _matcher(once=False), "One truth was matched twice. The first detection on it is right, every further one is a duplicate: remember which truths are taken."),
        Mistake("matching before sorting", _matcher(order="given"), "You match in the order of the list. The highest score chooses first: go through `np.argsort(-scores)`."),
        Mistake("lowest score first", _matcher(order="worst"), "The lowest score chose first: argsort sorts upwards. Use `np.argsort(-scores)`."),
        Mistake("strictly above", _matcher(beats=np.greater), "An overlap of exactly the threshold is a match. Use >=."),
        Mistake("first truth that fits", _matcher(pick="first"), "You take the first truth that fits. Take the one with the largest overlap."),
        Mistake("last truth that fits", _matcher(pick="last"), "You take the last truth that fits. Take the one with the largest overlap."),
        Mistake("truth that fits worst", _matcher(pick="worst"), "You take the smallest overlap that fits. Take the largest: argmax."),
        Mistake("first truth that fits, no second choice", _matcher(pick="first", fall_back=False), "Two slips: take the truth with the largest overlap, not the first that fits, and only among those still free."),
        Mistake("all truths that fit", _matcher(pick="all"), "A detection takes every truth that fits. It gets one, the best; the others stay free."),
        Mistake("place among the candidates", _matcher(pick="place among the fitting"), "argmax counts among the candidates, not among all truths. Look the truth up: `candidates[...argmax()]`."),
        Mistake("taken without fitting", _takes_before_it_fits, "A detection that fits nothing still takes its best truth away. Mark a truth as taken only when it was matched."),
        Mistake("best overlap chooses first", _matcher(order="best IoU"), "The largest overlap chose first. The highest score does: go through `np.argsort(-scores)`."),
        Mistake("score against the threshold", _score_too, "You compare the score with threshold. It is the least overlap: `ious[d] >= threshold`."),
        Mistake("caller's table changed", _in_place, "You wrote into the caller's ious. Keep an array free beside it, or copy it first: `ious.copy()`."),
        Mistake("no second choice", _matcher(fall_back=False), "When the best truth is taken you give up, as VOC did. Here the detection takes its best free truth."),
        Mistake("answers in sorted order", _matcher(unsort=False), "The answers are in the order of the scores. Put each back where its detection stood: `correct[d]`."),
        Mistake("truths choose", _truths_choose, "Each truth took its best overlap. It is the other way round: detections choose, highest score first."),
        Mistake("threshold fixed", _matcher(at=0.5), "You always compare with 0.5. Use the argument threshold."),
        Mistake("no truths crash", _crash_without_truths, "Without truths it crashes: the maximum of nothing. Then every detection is false."),
        Mistake("places for flags", _places, "You return the places of the right ones. Return N flags, True or False for each detection."),
        Mistake("a list", lambda scores, ious, threshold=0.5: metrics.match_detections(scores, ious, threshold).tolist(), "The answers are right, but they come as a list. Return an array: `np.array(correct, dtype=bool)`."),
        Mistake("numbers for flags", lambda scores, ious, threshold=0.5: metrics.match_detections(scores, ious, threshold).astype(int), "The answers are right, but they are numbers. Return bool: `np.zeros(len(scores), dtype=bool)`."),
        Mistake("rows and columns exchanged", lambda scores, ious, threshold=0.5: np.array([ious[:, d].max() >= threshold for d in np.argsort(-scores)]), "ious has a row for each detection, a column for each truth: detection d is `ious[d]`, not `ious[:, d]`."),
        Mistake("no truths: argmax crashes", _argmax_without_truths, "Without truths there is nothing to take the argmax of, and it crashes. Then every detection is false."),
    ],
    hints=[
        "Go through the detections from the highest score down. Keep an array that says which truths are "
        "still free.",
        "For detection d:\n"
        "    candidates = np.flatnonzero(free & (ious[d] >= threshold))",
        "If there are candidates:\n"
        "    best = candidates[ious[d, candidates].argmax()]\n"
        "    correct[d], free[best] = True, False",
    ],
    note="That is the heart of every detection metric; the rest is counting.",
)  # fmt: skip
