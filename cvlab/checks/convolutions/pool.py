"""The exercise of lesson 02 on pooling."""

import numpy as np

from cvlab.checks._engine.accept import array_of
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.convolutions import pooling

__all__ = ["MAX_POOL2D"]


def _floats(*shape: int, seed: int = 0) -> np.ndarray:
    """Return random floats of both signs."""
    return np.random.default_rng(seed).normal(size=shape).round(2)


def _pool_other(image: np.ndarray, size, stride) -> np.ndarray:
    """Ask NumPy for all windows, keep every stride-th."""
    windows = np.lib.stride_tricks.sliding_window_view(image, size)
    return windows[:: stride[0], :: stride[1]].max(axis=(2, 3))


def _pool_cases() -> list[Case]:
    return [
        Case(np.array([[1, 2, 5, 6], [3, 4, 7, 8]], np.uint8), (2, 2), (2, 2)),
        Case(-np.arange(1.0, 13).reshape(3, 4), (2, 2), (1, 2)),
        Case(_floats(6, 5, seed=2), (4, 1), (1, 2)),
        Case(_floats(5, 7), (2, 3), (2, 1)),
        Case(_floats(7, 6, seed=1), (3, 2), (2, 3)),
        Case(np.arange(54, dtype=np.uint8)[::-1].reshape(6, 9).copy(), (3, 3), (3, 3)),
    ]


def _shape(image: np.ndarray, size, stride) -> tuple[int, int]:
    """Return how many whole windows fit down and across."""
    return tuple((n - k) // s + 1 for n, k, s in zip(image.shape, size, stride, strict=True))


def _filled(image: np.ndarray, shape, size, step, reduce=np.max) -> np.ndarray:
    """Return `reduce` of the windows of `size` that begin at every multiple of `step`."""
    result = np.zeros(shape, image.dtype)
    for row, col in np.ndindex(*shape):
        top, left = row * step[0], col * step[1]
        result[row, col] = reduce(image[top : top + size[0], left : left + size[1]])
    return result


def _reduced(reduce):
    """Return a pooling that keeps `reduce` of each window in place of its largest number."""
    return lambda image, size, stride: _filled(image, _shape(image, size, stride), size, stride, reduce)


def _pool_ceil(image: np.ndarray, size, stride) -> np.ndarray:
    shape = tuple(-(-(n - k) // s) + 1 for n, k, s in zip(image.shape, size, stride, strict=True))
    return _filled(image, shape, size, stride)


def _pool_any_start(image: np.ndarray, size, stride) -> np.ndarray:
    rows, cols = (range(0, n, s) for n, s in zip(image.shape, stride, strict=True))
    windows = [[image[r : r + size[0], c : c + size[1]] for c in cols] for r in rows]
    return np.array([[window.max() for window in line] for line in windows])


MAX_POOL2D = Exercise(
    name="max_pool2d",
    lesson="02",
    minutes=7,
    difficulty="medium",
    reference=pooling.max_pool2d,
    other=_pool_other,
    cases=_pool_cases,
    apply=array_of,
    equivalent={"result = np.ones((height, width), image.dtype)": "every place is overwritten"},
    mistakes=[
        Mistake(
            "stride axes swapped",
            lambda image, size, stride: pooling.max_pool2d(image, size, stride[::-1]),
            "The stride's two numbers changed places: `stride[0]` moves down the rows, `stride[1]` along the "
            "columns.",
        ),
        Mistake(
            "size axes swapped",
            lambda image, size, stride: pooling.max_pool2d(image, size[::-1], stride),
            "The window lies on its side: `size[0]` is its rows, `size[1]` its columns.",
        ),
        Mistake(
            "starts swapped",
            lambda image, size, stride: _filled(image, _shape(image, size, stride), size, stride[::-1]),
            "Your windows start at `row * stride[1]`, `col * stride[0]`. `stride[0]` belongs to rows, "
            "`stride[1]` to columns.",
        ),
        Mistake(
            "rows counted by the window's width",
            lambda image, size, stride: _filled(
                image, _shape(image, (size[1], size[1]), stride), size, stride
            ),
            "You count rows with `size[1]`, the window's width. Rows take `size[0]`: `(H - size[0]) // "
            "stride[0] + 1`.",
        ),
        Mistake(
            "columns counted by the window's height",
            lambda image, size, stride: _filled(
                image, _shape(image, (size[0], size[0]), stride), size, stride
            ),
            "You count columns with `size[0]`, the window's height. They take `size[1]`: `(W - size[1]) // "
            "stride[1] + 1`.",
        ),
        Mistake(
            "windows taken as square",
            lambda image, size, stride: pooling.max_pool2d(image, [size[0]] * 2, [stride[0]] * 2),
            "You use `size[0]` and `stride[0]` for columns too. They may differ: `size[1]` and `stride[1]` "
            "are theirs.",
        ),
        Mistake(
            "starts from zero",
            _reduced(lambda window: max(0, window.max())),
            "You compare with 0, which beats every negative number. Start from the window's own numbers.",
        ),
        Mistake(
            "mean",
            _reduced(np.mean),
            "You took the mean of each window: that is average pooling. Take the largest.",
        ),
        Mistake(
            "smallest", _reduced(np.min), "You kept the smallest number of each window. Keep the largest."
        ),
        Mistake(
            "stride forgotten",
            lambda image, size, stride: pooling.max_pool2d(image, size, (1, 1)),
            "Your window moves by one. It moves by stride: its top is `row * stride[0]`.",
        ),
        Mistake(
            "stride counted, not taken",
            lambda image, size, stride: _filled(image, _shape(image, size, stride), size, (1, 1)),
            "The result has the right shape, but its windows are one cell apart: they start at (row, col). "
            "Multiply by stride.",
        ),
        Mistake(
            "steps of a window",
            lambda image, size, stride: _filled(image, _shape(image, size, stride), size, size),
            "Your windows start at `row * size[0]`. They move by stride: `row * stride[0]`, `col * stride[1]`.",
        ),
        Mistake(
            "windows as large as the stride",
            lambda image, size, stride: _filled(image, _shape(image, size, stride), stride, stride),
            "Your windows end at the next start, so they are as large as stride. They are as large as size: "
            "`top + size[0]`.",
        ),
        Mistake(
            "windows one too large",
            lambda image, size, stride: _filled(
                image, _shape(image, size, stride), [k + 1 for k in size], stride
            ),
            "Your windows are a row and a column too large. A slice stops before its end: `top : top + size[0]`.",
        ),
        Mistake(
            "windows one too small",
            lambda image, size, stride: _filled(
                image, _shape(image, size, stride), [k - 1 for k in size], stride
            ),
            "Your windows lack their last row and column. A slice already stops before its end: no `- 1`.",
        ),
        Mistake(
            "size forgotten in the count",
            lambda image, size, stride: _filled(
                image, [n // s for n, s in zip(image.shape, stride, strict=True)], size, stride
            ),
            "You count `H // stride` windows, and some hang over the edge. Only whole ones: `(H - size) // "
            "stride + 1`.",
        ),
        Mistake(
            "place of the largest",
            _reduced(np.argmax),
            "You kept the place of the largest number (argmax). Keep the number: max.",
        ),
        Mistake(
            "stride taken as size",
            lambda image, size, stride: pooling.max_pool2d(image, size, size),
            "Your windows never overlap: you moved by size. Move by stride.",
        ),
        Mistake(
            "partial windows kept",
            _pool_ceil,
            "You also kept windows that hang over the edge. Count with a floor: `(H - size) // stride + 1`.",
        ),
        Mistake(
            "windows start anywhere",
            _pool_any_start,
            "You start a window at every stride-th cell, even where it hangs over the edge. Count whole "
            "windows: `(H - size) // stride + 1`.",
        ),
        Mistake(
            "one window missing",
            lambda image, size, stride: pooling.max_pool2d(image, size, stride)[:-1, :-1],
            "The last window of each row and column is missing: mind the `+ 1` in `(H - size) // stride + 1`.",
        ),
        Mistake(
            "sum",
            _reduced(lambda window: window.astype(float).sum().astype(window.dtype)),
            "You added the numbers of each window. Keep only the largest.",
        ),
        Mistake(
            "result in floats",
            lambda image, size, stride: pooling.max_pool2d(image, size, stride).astype(float),
            "The numbers are right, but the dtype changed. Make the result with `image.dtype`.",
        ),
        Mistake(
            "largest of the whole picture",
            lambda image, size, stride: np.full_like(pooling.max_pool2d(image, size, stride), image.max()),
            "Every window got the largest number of the whole picture. Cut out the window first.",
        ),
    ],
    hints=[
        "It is `correlate2d` with two changes: the window moves by `stride`, and `max` takes the place of "
        "the sum.",
        "Where the window for `result[row, col]` starts:\n    top, left = row * stride[0], col * stride[1]",
        "The width likewise; then fill it in two loops:\n"
        "    height = (H - size[0]) // stride[0] + 1\n"
        "    result = np.zeros((height, width), image.dtype)",
    ],
    note="With size and stride 2 a quarter of the numbers is left: half the rows, half the columns.",
    shorter="np.lib.stride_tricks.sliding_window_view(image, size)[:: stride[0], :: stride[1]].max((2, 3))",
)
