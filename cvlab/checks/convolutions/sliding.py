"""The exercises of lesson 02; the two that slide a kernel are written here, the others next door."""

import numpy as np

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.convolutions import filters

__all__ = ["CORRELATE2D", "MOVING_AVERAGE"]


def _floats(*shape: int, seed: int = 0) -> np.ndarray:
    """Return random floats of both signs."""
    return np.random.default_rng(seed).normal(size=shape).round(2)


def _pixels(*shape: int, seed: int = 0) -> np.ndarray:
    """Return random uint8 pixels."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _average_other(signal: np.ndarray, width: int) -> np.ndarray:
    """Let NumPy convolve."""
    return np.convolve(signal.astype(float), np.ones(width) / width, mode="full")[
        width // 2 : width // 2 + len(signal)
    ]


def _average_cases() -> list[Case]:
    return [
        Case(np.array([3.0, 6, 9, 6, 3]), 3),
        Case(np.array([1.0, 0, 0, 0, 2]), 5),
        Case(_floats(12), 5),
        Case(_floats(9, seed=1), 1),
        Case(np.full(6, 200, np.uint8), 3),
    ]


def _around(before: int, after: int, mode: str = "constant"):
    """Return a moving average whose window reaches `width // 2 + before` back and `+ after` forward."""

    def average(signal: np.ndarray, width: int) -> np.ndarray:
        half = width // 2
        padded = np.pad(signal.astype(float), (half + before, half + after), mode=mode)
        return np.array([padded[i : i + width].mean() for i in range(len(signal))])

    return average


def _windows(signal: np.ndarray, width: int) -> list[np.ndarray]:
    half = width // 2
    return [signal[max(0, i - half) : i + half + 1] for i in range(len(signal))]


def _one_side(signal: np.ndarray, width: int) -> np.ndarray:
    padded = np.pad(signal.astype(float), (width - 1, 0))
    return np.array([padded[i : i + width].mean() for i in range(len(signal))])


def _short_window(signal: np.ndarray, width: int) -> np.ndarray:
    padded = np.pad(signal.astype(float), width // 2)
    return np.array([padded[i : i + width - 1].sum() / width for i in range(len(signal))])


def _sum_in_uint8(signal: np.ndarray, width: int) -> np.ndarray:
    padded = np.pad(signal, width // 2)
    return np.array(
        [padded[i : i + width].sum(dtype=signal.dtype) / width for i in range(len(signal))], float
    )


MOVING_AVERAGE = Exercise(
    name="moving_average",
    lesson="02",
    minutes=6,
    difficulty="easy",
    reference=filters.moving_average,
    other=_average_other,
    cases=_average_cases,
    to_image=lambda line: line[None],
    mistakes=[
        Mistake(
            "no padding",
            lambda signal, width: np.convolve(signal.astype(float), np.ones(width) / width, "valid"),
            "The result is shorter than the signal by width - 1. Put width // 2 zeros at each end first.",
        ),
        Mistake(
            "padding on one side",
            _one_side,
            "Your window looks only backwards: all zeros went to the front, so the result lags behind. "
            "Put width // 2 zeros at each end.",
        ),
        Mistake(
            "looks only forwards",
            lambda signal, width: _one_side(signal[::-1], width)[::-1],
            "Your window looks only forwards: all zeros went to the back. Put width // 2 zeros at each end.",
        ),
        Mistake(
            "window one too short",
            _short_window,
            "The window holds width - 1 values: a slice stops before its end. Use padded[i : i + width].",
        ),
        Mistake(
            "window one too far",
            _around(-1, 1),
            "The window is one step too far to the right. Window i starts at i in the padded signal.",
        ),
        Mistake(
            "divides by what is there",
            lambda signal, width: np.array([w.mean() for w in _windows(signal, width)], float),
            "Near the ends you divide by the number of values that exist. Here zeros count too: divide by width.",
        ),
        Mistake(
            "repeats the last value",
            _around(0, 0, "edge"),
            "Outside the signal you repeat its last value. A fine choice, but this exercise wants zeros there.",
        ),
        Mistake(
            "sum, not mean",
            lambda signal, width: np.convolve(signal.astype(float), np.ones(width))[width // 2 :][
                : len(signal)
            ],
            "You added, but did not divide by width.",
        ),
        Mistake(
            "uint8 overflow",
            _sum_in_uint8,
            "Three times 200 does not fit into uint8 and wraps around. Make the signal floats before you add.",
        ),
        Mistake(
            "whole numbers",
            lambda signal, width: filters.moving_average(signal, width).astype(int),
            "The means were cut to whole numbers. A mean is a float.",
        ),
        Mistake(
            "ends left as they were",
            lambda signal, width: np.where(
                (np.arange(len(signal)) < width // 2) | (np.arange(len(signal)) >= len(signal) - width // 2),
                signal.astype(float),
                filters.moving_average(signal, width),
            ),
            "You left the values near the ends as they were. They are averaged too, with zeros outside.",
        ),
    ],
    hints=[
        "The first value has no neighbours on its left. What did the text put there?",
        "Pad width // 2 zeros at both ends; then window i is padded[i : i + width].",
        "padded = np.pad(signal.astype(float), width // 2), then the mean of each of the len(signal) windows.",
    ],
    note="The sagging ends are the zeros that were averaged in.",
)


def _correlate_other(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Ask NumPy for all windows at once."""
    windows = np.lib.stride_tricks.sliding_window_view(image.astype(float), kernel.shape)
    return np.tensordot(windows, kernel.astype(float), axes=2)


def _correlate_cases() -> list[Case]:
    return [
        Case(np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), np.array([[1, 0], [3, 2]])),
        Case(
            np.array([[1.0, 2, 0, 1], [0, 1, 3, 1], [2, 1, 0, 0], [1, 0, 1, 2]]), np.array([[-1, 0, 1]] * 3)
        ),
        Case(_floats(3, 6), _floats(2, 3, seed=1)),
        Case(_floats(5, 4, seed=2), _floats(3, 1, seed=3)),
        Case(np.full((3, 4), 200, np.uint8), np.array([[2, 1], [1, 3]], np.uint8)),
        Case(_pixels(6, 7), np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])),
    ]


def _slid(step, *, less: int = 0):
    """Return a correlation that does `step(patch, kernel)` at every place; `less` rows and columns are missed."""

    def correlate(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        kernel_height, kernel_width = kernel.shape
        height, width = image.shape[0] - kernel_height + 1 - less, image.shape[1] - kernel_width + 1 - less
        result = np.zeros((height, width))
        for row, col in np.ndindex(height, width):
            patch = image[row : row + kernel_height, col : col + kernel_width].astype(float)
            result[row, col] = step(patch, kernel)
        return result

    return correlate


def _in_pixels_type(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    patches = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    with np.errstate(over="ignore"):
        return (patches * kernel.astype(image.dtype)).sum(axis=(2, 3), dtype=image.dtype).astype(float)


def _zero_padded(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    pads = [(side // 2, (side - 1) // 2) for side in kernel.shape]
    return filters.correlate2d(np.pad(image.astype(float), pads), kernel)


def _square_kernel(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    size = kernel.shape[0]
    height, width = image.shape[0] - size + 1, image.shape[1] - size + 1
    result = np.zeros((height, width))
    for row, col in np.ndindex(height, width):
        result[row, col] = (image[row : row + size, col : col + size].astype(float) * kernel).sum()
    return result


def _steps_by_kernel(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return filters.correlate2d(image, kernel)[:: kernel.shape[0], :: kernel.shape[1]]


CORRELATE2D = Exercise(
    name="correlate2d",
    lesson="02",
    minutes=10,
    difficulty="medium",
    reference=filters.correlate2d,
    other=_correlate_other,
    cases=_correlate_cases,
    mistakes=[
        Mistake(
            "kernel flipped",
            filters.convolve2d,
            "Your kernel is turned by 180 degrees: that is convolution. Correlation takes it as it is.",
        ),
        Mistake(
            "window off by one",
            _slid(lambda patch, kernel: (patch * kernel).sum(), less=1),
            "The last row and column are missing. A kernel of k fits H - k + 1 times: mind the + 1.",
        ),
        Mistake(
            "kernel transposed",
            _slid(lambda patch, kernel: (patch.ravel() * kernel.ravel(order="F")).sum()),
            "The kernel lies on its side: rows and columns changed places.",
        ),
        Mistake(
            "flipped left to right",
            _slid(lambda patch, kernel: (patch * kernel[:, ::-1]).sum()),
            "The kernel is mirrored left to right. Take it as it is.",
        ),
        Mistake(
            "integer overflow",
            _in_pixels_type,
            "The sums wrapped around: uint8 holds 0 to 255 only. Make the patch floats before you multiply.",
        ),
        Mistake(
            "result in the picture's type",
            lambda image, kernel: filters.correlate2d(image, kernel).astype(np.int64).astype(image.dtype),
            "The result has the picture's dtype, so fractions, minus signs or large sums were lost. "
            "np.zeros((height, width)) makes floats.",
        ),
        Mistake(
            "zeros around",
            _zero_padded,
            "You put zeros around the picture and kept its size. Here the result shrinks by k - 1.",
        ),
        Mistake(
            "mean, not sum",
            _slid(lambda patch, kernel: (patch * kernel).mean()),
            "You took the mean of the products. A filter adds them up; a blur kernel brings its own 1/9.",
        ),
        Mistake(
            "kernel ignored",
            _slid(lambda patch, kernel: patch.sum()),
            "You add up the patch without the kernel. Multiply number by number first.",
        ),
        Mistake(
            "signs lost",
            _slid(lambda patch, kernel: abs((patch * kernel).sum())),
            "You took the absolute value. The sign says on which side the edge is bright: keep it.",
        ),
        Mistake(
            "kernel taken as square",
            _square_kernel,
            "You use the kernel's height as its width too. Take both from kernel.shape.",
        ),
        Mistake(
            "jumps by a whole kernel",
            _steps_by_kernel,
            "Your window jumps by its own size. It moves by one row or column at a time.",
        ),
        Mistake(
            "matrix product",
            _slid(lambda patch, kernel: (patch.T @ kernel).sum()),
            "@ multiplies rows by columns. A filter multiplies each pixel by the number that lies on it: *.",
        ),
    ],
    hints=[
        "How many places are there for a kernel of 2 rows in a picture of 3 rows? That is the height of the result.",
        "At (row, col) the patch is image[row : row + kh, col : col + kw]. Multiply it by the kernel, then add up.",
        "Make result = np.zeros((H - kh + 1, W - kw + 1)) and fill it in two loops; "
        "patch.astype(float) * kernel cannot overflow.",
    ],
    note="Two loops and one sum: this is what every convolutional layer does, only faster.",
)
