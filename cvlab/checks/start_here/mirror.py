"""Lesson 00's exercise on slices: mirror."""

import numpy as np

from cvlab.checks._engine.accept import array_of
from cvlab.checks._engine.exercise import Case, Exercise, Mistake

__all__ = ["MIRROR"]


def mirror(image: np.ndarray) -> np.ndarray:
    """Swap left and right, as a mirror does.

    Args:
        image: (H, W) or (H, W, 3), any dtype; it stays as it is.

    Returns:
        Array of the same shape and dtype, the columns in reverse order.

    Example:
        >>> mirror(np.array([[1, 2, 3]]))
        array([[3, 2, 1]])
    """
    return image[:, ::-1]


def _other(image: np.ndarray) -> np.ndarray:
    """Move the columns one at a time."""
    result = np.empty_like(image)
    width = image.shape[1]
    for col in range(width):
        result[:, width - 1 - col] = image[:, col]
    return result


def _cases() -> list[Case]:
    rng = np.random.default_rng(0)
    return [
        Case(np.array([[1, 2, 3], [4, 5, 6]], np.uint8)),
        Case(np.array([[1, 2], [3, 4], [5, 6]], np.uint8)),
        Case(np.arange(18, dtype=np.uint8).reshape(2, 3, 3)),
        Case(rng.random((5, 4))),
        Case(rng.integers(0, 256, (6, 7, 3), dtype=np.uint8)),
        Case(rng.integers(0, 256, (4, 4), dtype=np.uint8)),
    ]


def _in_place(image: np.ndarray) -> np.ndarray:
    image[:] = image[:, ::-1].copy()
    return image


def _loop_overwrites(image: np.ndarray) -> np.ndarray:
    result = image.copy()
    for col in range(image.shape[1]):
        result[:, col] = result[:, image.shape[1] - 1 - col]
    return result


MIRROR = Exercise(
    name="mirror",
    lesson="00",
    minutes=3,
    difficulty="easy",
    reference=mirror,
    other=_other,
    cases=_cases,
    apply=array_of,
    mistakes=[
        Mistake(
            "reverses rows",
            lambda image: image[::-1],
            "You turned top and bottom: the first index counts rows. Reverse the second index, the columns.",
        ),
        Mistake(
            "reverses rows and columns",
            lambda image: image[::-1, ::-1],
            "You reversed rows and columns, which turns the picture by 180 degrees. Reverse the columns only.",
        ),
        Mistake(
            "reverses the last axis",
            lambda image: image[..., ::-1],
            "In a colour picture the last axis is the colour, so red and blue changed places. "
            "The columns are the second axis: index it by its place.",
        ),
        Mistake(
            "reverses every axis",
            np.flip,
            "`np.flip` without an axis turns every axis round, the colours too. Reverse the columns only: "
            "`axis=1`.",
        ),
        Mistake(
            "reverses columns and colours",
            lambda image: np.flip(image, tuple(range(1, image.ndim))),
            "The columns are right, but in a colour picture red and blue changed places. Leave the last axis alone.",
        ),
        Mistake(
            "transposes",
            lambda image: image.swapaxes(0, 1),
            "You swapped rows and columns. Keep the shape, and reverse the order of the columns.",
        ),
        Mistake(
            "loses column 0",
            lambda image: image[:, -1:0:-1],
            "One column is lost: a slice stops before its end. Leave the end out to reach column 0.",
        ),
        Mistake(
            "empty slice",
            lambda image: image[:, -1:0],
            "No column is left. A slice runs backwards with step -1 only, and -1 as its end means the last column: "
            "leave start and end out.",
        ),
        Mistake(
            "minus the index",
            lambda image: image[:, -np.arange(image.shape[1])],
            "Column 0 stayed in its place, because -0 is 0. Counted from the end, column c becomes `-1 - c`.",
        ),
        Mistake(
            "changes its input",
            _in_place,
            "You changed the caller's picture. Return a new array, and leave the input as it was.",
        ),
        Mistake(
            "overwrites while copying",
            _loop_overwrites,
            "Your loop reads columns it has already overwritten, so one half is copied onto the other. "
            "Read from the input, write to the result.",
        ),
        Mistake(
            "returns a copy unchanged",
            lambda image: image.copy(),
            "The picture comes back unchanged. Put its columns in reverse order.",
        ),
    ],
    hints=[
        "A picture is indexed as `image[row, column]`. Which of the two changes in a mirror?",
        "A slice has a third part, the step: `numbers[::-1]` reads a list backwards.",
        "Keep all rows with a colon, and read the columns with step -1:\n    return image[:, ...]",
    ],
    note="A slice such as `image[:, ::-1]` is a view: no pixel is copied, however large the picture.",
    shorter="image[:, ::-1]",
)
