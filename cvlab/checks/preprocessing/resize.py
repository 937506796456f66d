"""Lesson 01's exercise on resizing: resize_nearest."""

import math

import numpy as np

from cvlab.checks._engine.accept import array_of
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.preprocessing import preprocess

__all__ = ["RESIZE_NEAREST"]


def _pixels(*shape: int, seed: int = 0) -> np.ndarray:
    """Return random uint8 pixels."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _resize_other(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Visit every output pixel."""
    result = np.zeros((height, width, *image.shape[2:]), image.dtype)
    for row, col in np.ndindex(height, width):
        y = math.floor((row + 0.5) * image.shape[0] / height)
        x = math.floor((col + 0.5) * image.shape[1] / width)
        result[row, col] = image[y, x]
    return result


def _resize_cases() -> list[Case]:
    return [
        Case(np.array([[1, 2, 3, 4]], np.uint8), 1, 2),
        Case(np.array([[1, 2], [3, 4]], np.uint8), 4, 4),
        Case(np.arange(12, dtype=np.uint8).reshape(3, 4), 2, 6),
        Case(_pixels(7, 5), 3, 4),
        Case(_pixels(5, 8, 3), 7, 3),
        Case(_pixels(4, 6).astype(float), 9, 5),
    ]


def _picked(rows_of, cols_of=None):
    """Return a resize that takes input row `rows_of(i, H, height)`, and columns likewise."""

    def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
        (old_height, old_width), cols = image.shape[:2], cols_of or rows_of
        y = np.asarray(rows_of(np.arange(height), old_height, height)).astype(int)
        x = np.asarray(cols(np.arange(width), old_width, width)).astype(int)
        return image[y[:, None], x]

    return resize


def _half_pixel(i: np.ndarray, old: int, new: int) -> np.ndarray:
    return (2 * i + 1) * old // (2 * new)


def _wrong_side(image: np.ndarray, height: int, width: int) -> np.ndarray:
    old_height, old_width = image.shape[:2]
    y = np.minimum(_half_pixel(np.arange(height), old_width, height), old_height - 1)
    x = np.minimum(_half_pixel(np.arange(width), old_height, width), old_width - 1)
    return image[y[:, None], x]


def _paired(image: np.ndarray, height: int, width: int) -> np.ndarray:
    rows = _half_pixel(np.arange(height), image.shape[0], height)
    return image[rows, _half_pixel(np.arange(width), image.shape[1], width)]


def _forwards(image: np.ndarray, height: int, width: int) -> np.ndarray:
    result = np.zeros((height, width, *image.shape[2:]), image.dtype)
    for row, col in np.ndindex(image.shape[:2]):
        result[row * height // image.shape[0], col * width // image.shape[1]] = image[row, col]
    return result


def _bilinear(image: np.ndarray, height: int, width: int) -> np.ndarray:
    import cv2

    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)


RESIZE_NEAREST = Exercise(
    name="resize_nearest",
    lesson="01",
    minutes=8,
    difficulty="medium",
    reference=preprocess.resize_nearest,
    other=_resize_other,
    cases=_resize_cases,
    apply=array_of,
    mistakes=[
        Mistake(
            "no half pixel",
            _picked(lambda i, old, new: i * old // new),
            "You start from pixel corners, so the picture moves up and left. Use pixel centres: `floor((i + "
            "0.5) * H / height)`.",
        ),
        Mistake(
            "corners aligned",
            _picked(lambda i, old, new: np.floor(i * (old - 1) / max(new - 1, 1) + 0.5)),
            "You tied the first and last pixels together (align corners). Here pixel centres count: `floor((i "
            "+ 0.5) * H / height)`.",
        ),
        Mistake(
            "corners aligned, ties to even",
            _picked(lambda i, old, new: np.round(np.linspace(0, old - 1, new))),
            "`np.linspace(0, H - 1, height)` ties the first and last pixels together. Here pixel centres "
            "count: `floor((i + 0.5) * H / height)`.",
        ),
        Mistake(
            "corners aligned, rounded down",
            _picked(lambda i, old, new: np.linspace(0, old - 1, new)),
            "`np.linspace(0, H - 1, height)`, cut to whole numbers, reaches the last pixel only at the very "
            "end. Take `floor((i + 0.5) * H / height)`.",
        ),
        Mistake(
            "half a pixel taken off again",
            _picked(lambda i, old, new: (i + 0.5) * old / new - 0.5),
            "The `- 0.5` is one too many: old pixel j covers j to `j + 1`, so the floor of `(i + 0.5) * H / "
            "height` is it.",
        ),
        Mistake(
            "half a pixel after scaling",
            _picked(lambda i, old, new: np.minimum(i * old / new + 0.5, old - 1)),
            "You added `0.5` after scaling. It is half a new pixel: add it to i first, then multiply by `H / "
            "height`.",
        ),
        Mistake(
            "rounds instead of floor",
            _picked(lambda i, old, new: np.minimum(np.round((i + 0.5) * old / new), old - 1)),
            "You rounded, which moves half of the pixels one too far. The pixel that holds the point is its floor.",
        ),
        Mistake(
            "rounds ties to even",
            _picked(lambda i, old, new: np.clip(np.round((i + 0.5) * old / new - 0.5), 0, old - 1)),
            "Halfway between two pixels `np.round` takes the even one. Take `floor((i + 0.5) * H / height)` "
            "instead.",
        ),
        Mistake(
            "ceil",
            _picked(lambda i, old, new: np.minimum(np.ceil((i + 0.5) * old / new), old - 1)),
            "You rounded up, one pixel too far. The pixel that holds the point is its floor.",
        ),
        Mistake(
            "height and width swapped",
            lambda image, height, width: preprocess.resize_nearest(image, width, height),
            "Height and width changed places. Rows come first: the result has shape (height, width).",
        ),
        Mistake(
            "rows scaled by the width",
            _wrong_side,
            "Rows are scaled by W and columns by H. Use `H / height` for rows, `W / width` for columns.",
        ),
        Mistake(
            "ratio upside down",
            _picked(lambda i, old, new: (i + 0.5) * new / old),
            "The ratio is upside down. Going from output to input you multiply by `H / height`.",
        ),
        Mistake(
            "pairs rows with columns",
            _paired,
            "`image[rows, cols]` pairs row i with column i, so a line comes out. Every row meets every "
            "column: `image[rows[:, None], cols]`.",
        ),
        Mistake(
            "from input to output",
            _forwards,
            "You sent each input pixel to a place in the result. Enlarged, some places get none and stay 0. "
            "Go from each output pixel back to the input.",
        ),
        Mistake(
            "whole steps only",
            lambda image, height, width: image[:: image.shape[0] // height, :: image.shape[1] // width][
                :height, :width
            ],
            "`image[::step]` keeps the corner of each block, and works for whole ratios only. Compute the row "
            "for each i: `floor((i + 0.5) * H / height)`.",
        ),
        Mistake(
            "repeats instead of stretching",
            lambda image, height, width: np.resize(image, (height, width, *image.shape[2:])),
            "`np.resize` refills the shape with the numbers in reading order. Pick rows and columns by index.",
        ),
        Mistake(
            "crops or tiles",
            _picked(lambda i, old, new: i % old),
            "You took the first pixels one after the other. Stretch: output i comes from `(i + 0.5) * H / "
            "height`.",
        ),
        Mistake(
            "only the rows",
            lambda image, height, width: preprocess.resize_nearest(image, height, image.shape[1]),
            "Only the rows were resized. Do the same with the columns: width and W.",
        ),
        Mistake(
            "bilinear",
            _bilinear,
            "Neighbours were mixed (bilinear), which makes values that the input never had. "
            "Nearest copies one input pixel each.",
        ),
        Mistake(
            "result in floats",
            lambda image, height, width: preprocess.resize_nearest(image, height, width).astype(float),
            "The pixels are right, but the dtype changed. Make the result with `image.dtype`, or by indexing.",
        ),
    ],
    hints=[
        "Go from output to input: for each output row, which input row lies under its centre?",
        "The centre of output row i is at `i + 0.5`. Times `H / height` it is a place in the input; its "
        "floor is the row.",
        "The columns likewise; then pick the grid:\n"
        "    rows = ((np.arange(height) + 0.5) * H / height).astype(int)\n"
        "    return image[rows[:, None], cols]",
    ],
    note="Every value is one of the input's, so masks and labels survive it.",
)
