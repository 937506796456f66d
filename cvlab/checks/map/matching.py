"""Lesson 07: `match_detections`."""

import numpy as np

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.map import metrics

__all__ = ["MATCH_DETECTIONS"]


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
        Case(np.array([0.9, 0.4]), np.array([[0.72, 0.1], [0.1, 0.64]]), 0.7),
        Case(np.array([0.3, 0.9, 0.5]), np.zeros((3, 0))),  # no truths
        Case(rng.permutation(8) / 8, rng.permutation(32).reshape(8, 4) / 32, 0.4),
        Case(rng.permutation(9) / 9, rng.permutation(27).reshape(9, 3) / 27, 0.55),
    ]


def _matcher(
    *, order="best", once=True, beats=np.greater_equal, pick="best", fall_back=True, unsort=True, at=None
):
    """Return a matching whose slips can be chosen."""

    def match(scores, ious, threshold=0.5):
        threshold = threshold if at is None else at
        correct, free = np.zeros(len(scores), bool), np.ones(ious.shape[1], bool)
        by_score = {"best": np.argsort(-scores, kind="stable"), "given": np.arange(len(scores))}
        by_score["worst"] = by_score["best"][::-1]
        for place, d in enumerate(by_score[order]):
            fits = beats(ious[d], threshold) & (free if fall_back else True)
            candidates = np.flatnonzero(fits)
            if len(candidates):
                chosen = candidates[0 if pick == "first" else ious[d, candidates].argmax()]
                correct[d if unsort else place] = free[chosen]
                free[chosen] = not once
        return correct

    return match


def _truths_choose(scores, ious, threshold=0.5):
    correct = np.zeros(len(scores), bool)
    for t in range(ious.shape[1]):
        if len(scores) and ious[:, t].max() >= threshold:
            correct[ious[:, t].argmax()] = True
    return correct


MATCH_DETECTIONS = Exercise(
    name="match_detections",
    lesson="07",
    minutes=12,
    difficulty="hard",
    reference=metrics.match_detections,
    other=_match_other,
    cases=_match_cases,
    mistakes=[
        Mistake(
            "one truth twice",
            _matcher(once=False),
            "One truth was matched twice. The first detection on it is right, every further one is a duplicate: "
            "remember which truths are taken.",
        ),
        Mistake(
            "matching before sorting",
            _matcher(order="given"),
            "You match in the order of the list. The highest score chooses first: go through np.argsort(-scores).",
        ),
        Mistake(
            "lowest score first",
            _matcher(order="worst"),
            "The lowest score chose first: argsort sorts upwards. Use np.argsort(-scores).",
        ),
        Mistake(
            "strictly above",
            _matcher(beats=np.greater),
            "An overlap of exactly the threshold is a match. Use >=.",
        ),
        Mistake(
            "first truth that fits",
            _matcher(pick="first"),
            "You take the first truth that fits. Take the one with the largest overlap.",
        ),
        Mistake(
            "no second choice",
            _matcher(fall_back=False),
            "When the best truth is taken you give up, as VOC did. Here the detection takes its best free truth.",
        ),
        Mistake(
            "answers in sorted order",
            _matcher(unsort=False),
            "The answers are in the order of the scores. Put each back where its detection stood: correct[d].",
        ),
        Mistake(
            "truths choose",
            _truths_choose,
            "Each truth took its best overlap. It is the other way round: detections choose, highest score first.",
        ),
        Mistake(
            "threshold fixed",
            _matcher(at=0.5),
            "You always compare with 0.5. Use the argument threshold.",
        ),
        Mistake(
            "no truths crash",
            lambda scores, ious, threshold=0.5: (
                ious.max(axis=1) >= threshold
                if not ious.shape[1]
                else metrics.match_detections(scores, ious, threshold)
            ),
            "Without truths it crashes: the maximum of nothing. Then every detection is false.",
        ),
        Mistake(
            "numbers for flags",
            lambda scores, ious, threshold=0.5: metrics.match_detections(scores, ious, threshold).astype(int),
            "The answers are right, but they are numbers. Return bool: np.zeros(len(scores), dtype=bool).",
        ),
    ],
    hints=[
        "Go through the detections from the highest score down. Keep an array that says which truths are still free.",
        "For detection d the candidates are np.flatnonzero(free & (ious[d] >= threshold)).",
        "If there are candidates: best = candidates[ious[d, candidates].argmax()]; then correct[d], free[best] = True, False.",
    ],
    note="That is the heart of every detection metric; the rest is counting.",
)
