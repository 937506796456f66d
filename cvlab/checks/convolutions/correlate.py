"""Exercise of lesson 02: sliding a kernel over a picture, correlate2d."""

import numpy as np

from cvlab.checks._engine.accept import array_of
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.convolutions import filters

__all__ = ["CORRELATE2D"]


def _floats(*shape: int, seed: int = 0) -> np.ndarray:
    """Return random floats of both signs."""
    return np.random.default_rng(seed).normal(size=shape).round(2)


def _pixels(*shape: int, seed: int = 0) -> np.ndarray:
    """Return random uint8 pixels."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


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
    pads = [((side - 1) // 2, side // 2) for side in kernel.shape]
    return filters.correlate2d(np.pad(image.astype(float), pads), kernel)


def _in_pixels_products(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    patches = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    with np.errstate(over="ignore"):
        return (patches * kernel).sum(axis=(2, 3)).astype(float)


def _in_pixels_result(image: np.ndarray, kernel: np.ndarray, shape: tuple | None = None) -> np.ndarray:
    right = filters.correlate2d(image, kernel)
    result = np.zeros(shape or right.shape, image.dtype)
    with np.errstate(invalid="ignore"):
        for place in np.ndindex(right.shape):
            result[place] = right[place]
    return result


def _by_opencv(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.filter2D(image.astype(float), -1, kernel.astype(float))


def _last_ones_missing(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    result = filters.correlate2d(image, kernel)
    result[-1], result[:, -1] = 0, 0
    return result


def _first_row_only(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    result = filters.correlate2d(image, kernel)
    result[1:] = 0
    return result


def _places_swapped(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    (kernel_height, kernel_width), result = kernel.shape, np.zeros_like(filters.correlate2d(image, kernel))
    for row, col in np.ndindex(result.shape):
        patch = image[col : col + kernel_height, row : row + kernel_width].astype(float)
        result[row, col] = (patch * kernel).sum()
    return result


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
    apply=array_of,
    tolerance=1e-5,
    any_float=True,
    equivalent={"result = np.ones((height, width))": "every place is overwritten"},
    mistakes=[
        Mistake(
            "kernel flipped",
            filters.convolve2d,
            "Your kernel is turned by 180 degrees: that is convolution. Correlation takes it as it is.",
        ),
        Mistake(
            "window off by one",
            _slid(lambda patch, kernel: (patch * kernel).sum(), less=1),
            "The last row and column are missing. A kernel of k fits `H - k + 1` times: mind the `+ 1`.",
        ),
        Mistake(
            "kernel transposed",
            lambda image, kernel: filters.correlate2d(image, kernel.T),
            "The kernel lies on its side: rows and columns changed places.",
        ),
        Mistake(
            "flipped left to right",
            _slid(lambda patch, kernel: (patch * kernel[:, ::-1]).sum()),
            "The kernel is mirrored left to right. Take it as it is.",
        ),
        Mistake(
            "flipped upside down",
            lambda image, kernel: filters.correlate2d(image, kernel[::-1]),
            "The kernel stands upside down. Take it as it is.",
        ),
        Mistake(
            "integer overflow",
            _in_pixels_type,
            "The sums wrapped around: uint8 holds 0 to 255 only. Make the patch floats before you multiply.",
        ),
        Mistake(
            "products overflow",
            _in_pixels_products,
            "The products wrapped around: uint8 ends at 255. Make the patch floats before you multiply.",
        ),
        Mistake(
            "whole numbers",
            lambda image, kernel: filters.correlate2d(image, kernel).astype(np.int64),
            "The result holds whole numbers. Return floats: the kernel may hold fractions.",
        ),
        Mistake(
            "result in the picture's type",
            _in_pixels_result,
            "The result has the picture's dtype, so fractions, minus signs or large sums were lost. "
            "`np.zeros((height, width))` makes floats.",
        ),
        Mistake(
            "zeros around",
            _zero_padded,
            "You put zeros around the picture and kept its size. Here the result shrinks by `k - 1`.",
        ),
        Mistake(
            "zeros around, half a kernel",
            lambda image, kernel: filters.correlate2d(
                np.pad(image.astype(float), [(side // 2, side // 2) for side in kernel.shape]), kernel
            ),
            "You padded the picture by half a kernel. Here the kernel stays inside: the result is smaller by "
            "`k - 1`.",
        ),
        Mistake(
            "zeros around, a whole kernel",
            lambda image, kernel: filters.correlate2d(
                np.pad(image.astype(float), [(side - 1, side - 1) for side in kernel.shape]), kernel
            ),
            "You kept every place that the kernel touches (`mode='full'`). Keep those where it lies inside: "
            "`H - k + 1`.",
        ),
        Mistake(
            "OpenCV's border",
            _by_opencv,
            "`cv2.filter2D` mirrors the picture at its border and keeps its size. Here the kernel stays inside.",
        ),
        Mistake(
            "result as large as the picture",
            lambda image, kernel: _in_pixels_result(image, kernel, image.shape),
            "Your result is as large as the picture, with zeros at the right and bottom. A kernel of k fits "
            "`H - k + 1` times.",
        ),
        Mistake(
            "last places not visited",
            _last_ones_missing,
            "The last row and column of the result stayed 0: your loops stop one too early. Loop over all `H "
            "- k + 1`.",
        ),
        Mistake(
            "returns in the loop",
            _first_row_only,
            "Only the first row is filled: return stands inside the loop. Move it out, to the left.",
        ),
        Mistake(
            "rows and columns swapped in the picture",
            _places_swapped,
            "The patch for `result[row, col]` starts at `image[col, row]`. Rows come first in the picture too.",
        ),
        Mistake(
            "result transposed",
            lambda image, kernel: filters.correlate2d(image, kernel).T,
            "The result lies on its side: its rows and columns changed places. Fill `result[row, col]`.",
        ),
        Mistake(
            "clipped",
            lambda image, kernel: filters.correlate2d(image, kernel).clip(0, 255),
            "You cut the result to 0 to 255. A filter's answer may be negative, and large: keep it.",
        ),
        Mistake(
            "kernel scaled to sum 1",
            lambda image, kernel: filters.correlate2d(image, kernel / np.abs(kernel).sum()),
            "You divided the kernel by its sum. Take it as it is; a blur kernel brings its own 1/9.",
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
            "You use the kernel's height as its width too. Take both from `kernel.shape`.",
        ),
        Mistake(
            "jumps by a whole kernel",
            _steps_by_kernel,
            "Your window jumps by its own size. It moves by one row or column at a time.",
        ),
        Mistake(
            "matrix product",
            _slid(lambda patch, kernel: (patch @ kernel).sum()),
            "`@` multiplies rows by columns. A filter multiplies each pixel by the number that lies on it: `*`.",
        ),
    ],
    hints=[
        "How many places are there for a kernel of 2 rows in a picture of 3 rows? That is the height of "
        "the result.",
        "The patch at (row, col); multiply it by the kernel, then add up:\n"
        "    patch = image[row : row + kernel_height, col : col + kernel_width]",
        "Fill it in two loops; `patch.astype(float) * kernel` cannot overflow:\n"
        "    result = np.zeros((H - kernel_height + 1, W - kernel_width + 1))",
    ],
    note="Multiply, add up, move on: every convolutional layer does this, only faster.",
    shorter='scipy.signal.correlate2d(image.astype(float), kernel, "valid")',
)
