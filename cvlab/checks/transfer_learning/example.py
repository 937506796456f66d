"""An exercise that shows the form: the reference, a second answer, cases, and the wrong answers it must catch."""

import numpy as np

from cvlab.checks._engine.exercise import Case, Exercise, Mistake

__all__ = ["EXAMPLE"]


def transfer_learning_example(gray: np.ndarray) -> int:
    """Return the index of the brightest row.

    Args:
        gray: (H, W) uint8, 0 to 255.

    Returns:
        The row with the highest mean; the first of equal ones.

    Example:
        >>> transfer_learning_example(np.array([[1, 2], [3, 4]], np.uint8))
        1
    """
    return int(gray.mean(axis=1).argmax())


def _other(gray: np.ndarray) -> int:
    """Add each row's numbers in plain Python."""
    sums = [sum(row) for row in gray.tolist()]
    return sums.index(max(sums))


def _cases() -> list[Case]:
    rng = np.random.default_rng(0)
    return [
        Case(np.array([[9, 0], [5, 6]], np.uint8)),  # the brightest pixel lies in the other row
        Case(np.array([[1, 9], [2, 0], [3, 7]], np.uint8)),  # two rows are equally bright
        Case(np.array([[200, 200, 200], [90, 90, 60]], np.uint8)),  # the sums need more than eight bits
        Case(rng.integers(0, 256, (5, 4), dtype=np.uint8)),
        Case(rng.integers(0, 256, (4, 7), dtype=np.uint8)),
    ]


EXAMPLE = Exercise(
    name="transfer_learning_example",
    lesson="04",
    minutes=3,
    difficulty="easy",
    reference=transfer_learning_example,
    other=_other,
    cases=_cases,
    mistakes=[
        Mistake(
            "columns",
            lambda gray: int(gray.mean(axis=0).argmax()),
            "You averaged down the columns. A mean over `axis=1` gives one number a row.",
        ),
        Mistake(
            "brightest pixel",
            lambda gray: int(gray.argmax() // gray.shape[1]),
            "That is the row of the brightest pixel. Average each row first.",
        ),
        Mistake(
            "darkest row",
            lambda gray: int(gray.mean(axis=1).argmin()),
            "That is the darkest row: `argmin` finds the smallest.",
        ),
        Mistake(
            "counts from one",
            lambda gray: int(gray.mean(axis=1).argmax()) + 1,
            "One too many: the first row has index 0.",
        ),
        Mistake(
            "last of equal rows",
            lambda gray: len(gray) - 1 - int(gray.mean(axis=1)[::-1].argmax()),
            "Of two rows that are equally bright you took the last; the first is asked for.",
        ),
        Mistake(
            "sums in eight bits",
            lambda gray: int(gray.sum(axis=1, dtype=np.uint8).argmax()),
            "A sum of uint8 numbers does not fit into uint8 and starts at 0 again.",
        ),
    ],
    hints=[
        "First one number a row, then the place of the largest.",
        "`gray.mean(axis=1)` has one mean a row.",
        "`argmax` gives the index of the largest, the first of equal ones:\n    return int(means.argmax())",
    ],
    note="With `axis=1` the columns go, and one number a row stays.",
    shorter="int(gray.mean(axis=1).argmax())",
    equivalent={
        "return gray.mean(axis=1).argmax()": "an integer of NumPy is accepted as well",
        "return int(gray.sum(axis=1).argmax())": "rows are equally long: the largest sum has the largest mean",
    },
)
