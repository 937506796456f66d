"""The exercise of lesson 02 on pooling."""

import numpy as np

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
        Case(_floats(5, 7), (2, 3), (2, 1)),
        Case(_floats(7, 6, seed=1), (3, 2), (2, 3)),
        Case(np.arange(54, dtype=np.uint8)[::-1].reshape(6, 9).copy(), (3, 3), (3, 3)),
    ]


def _pooled(reduce=np.max, *, swap_stride=False, swap_size=False, extra: int = 0):
    """Return a pooling with one thing changed."""

    def pooled(image: np.ndarray, size, stride) -> np.ndarray:
        stride, size = (stride[::-1] if swap_stride else stride), (size[::-1] if swap_size else size)
        height = (image.shape[0] - size[0]) // stride[0] + 1 + extra
        width = (image.shape[1] - size[1]) // stride[1] + 1 + extra
        result = np.zeros((height, width), image.dtype)
        for row, col in np.ndindex(height, width):
            top, left = row * stride[0], col * stride[1]
            result[row, col] = reduce(image[top : top + size[0], left : left + size[1]])
        return result

    return pooled


def _pool_ceil(image: np.ndarray, size, stride) -> np.ndarray:
    height, width = (-(-(n - k) // s) + 1 for n, k, s in zip(image.shape, size, stride, strict=True))
    result = np.zeros((height, width), image.dtype)
    for row, col in np.ndindex(height, width):
        top, left = row * stride[0], col * stride[1]
        result[row, col] = image[top : top + size[0], left : left + size[1]].max()
    return result


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
    mistakes=[
        Mistake(
            "stride axes swapped",
            _pooled(swap_stride=True),
            "The stride's two numbers changed places: stride[0] moves down the rows, stride[1] along the columns.",
        ),
        Mistake(
            "size axes swapped",
            _pooled(swap_size=True),
            "The window lies on its side: size[0] is its rows, size[1] its columns.",
        ),
        Mistake(
            "starts from zero",
            _pooled(lambda window: max(0, window.max())),
            "You compare with 0, which beats every negative number. Start from the window's own numbers.",
        ),
        Mistake(
            "mean",
            _pooled(np.mean),
            "You took the mean of each window: that is average pooling. Take the largest.",
        ),
        Mistake(
            "smallest", _pooled(np.min), "You kept the smallest number of each window. Keep the largest."
        ),
        Mistake(
            "stride forgotten",
            lambda image, size, stride: pooling.max_pool2d(image, size, (1, 1)),
            "Your window moves by one. It moves by stride: its top is row * stride[0].",
        ),
        Mistake(
            "stride taken as size",
            lambda image, size, stride: pooling.max_pool2d(image, size, size),
            "Your windows never overlap: you moved by size. Move by stride.",
        ),
        Mistake(
            "partial windows kept",
            _pool_ceil,
            "You also kept windows that hang over the edge. Count with a floor: (H - size) // stride + 1.",
        ),
        Mistake(
            "windows start anywhere",
            _pool_any_start,
            "You start a window at every stride-th cell, even where it hangs over the edge. "
            "Count whole windows: (H - size) // stride + 1.",
        ),
        Mistake(
            "one window missing",
            _pooled(extra=-1),
            "The last window of each row and column is missing: mind the + 1 in (H - size) // stride + 1.",
        ),
        Mistake(
            "sum",
            _pooled(lambda window: window.astype(float).sum().astype(window.dtype)),
            "You added the numbers of each window. Keep only the largest.",
        ),
        Mistake(
            "result in floats",
            lambda image, size, stride: pooling.max_pool2d(image, size, stride).astype(np.float32),
            "The numbers are right, but the dtype changed. Make the result with image.dtype.",
        ),
        Mistake(
            "largest of the whole picture",
            lambda image, size, stride: np.full_like(pooling.max_pool2d(image, size, stride), image.max()),
            "Every window got the largest number of the whole picture. Cut out the window first.",
        ),
    ],
    hints=[
        "It is correlate2d with two changes: the window moves by stride, and max takes the place of the sum.",
        "The window for result[row, col] starts at top = row * stride[0], left = col * stride[1].",
        "height = (H - size[0]) // stride[0] + 1, width likewise; np.zeros((height, width), image.dtype) to fill.",
    ],
    note="Half the rows and half the columns: a quarter of the memory.",
)
