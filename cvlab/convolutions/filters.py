"""Sliding a few numbers over a signal or a picture: the filters that lesson 02 writes by hand."""

from functools import partial

import numpy as np

from cvlab import _validate

__all__ = [
    "BORDERS",
    "KERNELS",
    "convolve2d",
    "correlate1d",
    "correlate2d",
    "filter2d",
    "moving_average",
    "separate",
]

BORDERS = ("constant", "edge", "reflect", "wrap")  # what stands outside the picture; names as in `np.pad`

KERNELS = {
    "identity": np.array([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]]),
    "box blur": np.full((3, 3), 1 / 9),
    "Gaussian blur": np.array([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16,
    "sharpen": np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
    "vertical edges": np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
    "horizontal edges": np.array([[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]]),
    "all edges": np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]),
    "emboss": np.array([[-2.0, -1, 0], [-1, 1, 1], [0, 1, 2]]),
}


def _numbers(value, name: str, *, ndim: int) -> np.ndarray:
    """Return `value` as an array of finite numbers with `ndim` axes and at least one element."""
    array = _validate.as_array(value, name)
    shape = ("(N,)", "(H, W)")[ndim - 1]
    if array.ndim != ndim:
        slip = ". A colour picture? Filter one channel: image[..., 0]" if (array.ndim, ndim) == (3, 2) else ""
        raise ValueError(f"{name} must have shape {shape}; got {array.shape}{slip}")
    if array.size == 0:
        raise ValueError(f"{name} must hold at least one number; got shape {array.shape}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(
            f"{name} must be finite; got {np.count_nonzero(~np.isfinite(array))} NaN or infinite"
        )
    return array


_line, _grid = partial(_numbers, ndim=1), partial(_numbers, ndim=2)


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _fits(name: str, array: np.ndarray, kernel: np.ndarray) -> None:
    if any(k > n for k, n in zip(kernel.shape, array.shape, strict=True)):
        raise ValueError(
            f"kernel must fit into {name}, {_times(array.shape)}; got {_times(kernel.shape)}. Pad {name} first?"
        )


def _kernel_fits_signal(signal, kernel) -> None:
    _fits("signal", signal, kernel)


def _kernel_fits_image(image, kernel) -> None:
    _fits("image", image, kernel)


def _odd_width(signal, width) -> None:
    if width % 2 == 0:
        raise ValueError(
            f"width must be odd, so that a window has a middle; got {width}. Try {width - 1} or {width + 1}"
        )
    if width > len(signal):
        raise ValueError(f"width must be at most {len(signal)}, the length of signal; got {width}")


def _same_size(image, kernel, border) -> None:
    if any(k % 2 == 0 for k in kernel.shape):
        even = next(k for k in kernel.shape if k % 2 == 0)
        raise ValueError(
            f"kernel must have odd sides to keep the picture's size; got {_times(kernel.shape)}: "
            f"{even - 1} extra cells cannot be shared equally by two sides"
        )
    _fits("image", image, kernel)


@_validate.arguments(_odd_width, signal=_line, width=_validate.positive_int)
def moving_average(signal: np.ndarray, width: int) -> np.ndarray:
    """Smooth a signal: each value becomes the mean of the `width` values around it, zeros beyond the ends.

    Args:
        signal: (N,) numbers.
        width: odd number of values in a window, at most N.

    Returns:
        (N,) floats on the scale of the signal; near the ends zeros are averaged in, so it sags.

    Example:
        >>> moving_average(np.array([3, 6, 9, 6, 3]), 3)
        array([3., 6., 7., 6., 3.])

    Source: `np.convolve(signal, np.full(width, 1 / width), mode="same")`.
    """
    padded = np.pad(signal.astype(float), width // 2)  # (N + width - 1,) zeros at both ends
    return np.array([padded[i : i + width].mean() for i in range(len(signal))])


@_validate.arguments(_kernel_fits_signal, signal=_line, kernel=_line)
def correlate1d(signal: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Slide a kernel along a signal; at each place multiply number by number and add.

    Args:
        signal: (N,) numbers.
        kernel: (K,) numbers, K at most N.

    Returns:
        (N - K + 1,) floats: y[i] = sum over k of signal[i + k] * kernel[k]. Nothing is padded or flipped.

    Example:
        >>> correlate1d(np.array([1, 2, 4, 8]), np.array([-1, 1]))
        array([1., 2., 4.])

    Source: `np.correlate(signal, kernel, mode="valid")`; `torch.nn.functional.conv1d`.
    """
    steps = len(signal) - len(kernel) + 1
    signal = signal.astype(float)
    return np.array([signal[i : i + len(kernel)] @ kernel for i in range(steps)])


@_validate.arguments(_kernel_fits_image, image=_grid, kernel=_grid)
def correlate2d(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Slide a kernel over a picture; at each place multiply number by number and add.

    Args:
        image: (H, W) numbers.
        kernel: (kh, kw) numbers, no larger than the picture.

    Returns:
        (H - kh + 1, W - kw + 1) floats. Nothing is padded or flipped.

    Example:
        >>> correlate2d(np.arange(9).reshape(3, 3), np.array([[1, 0], [0, -1]]))
        array([[-4., -4.],
               [-4., -4.]])

    Source: `scipy.signal.correlate2d(image, kernel, mode="valid")`; `cv2.filter2D`.
    """
    kernel_height, kernel_width = kernel.shape
    height, width = image.shape[0] - kernel_height + 1, image.shape[1] - kernel_width + 1
    result = np.zeros((height, width))
    for row in range(height):
        for col in range(width):
            patch = image[row : row + kernel_height, col : col + kernel_width].astype(float)
            result[row, col] = (patch * kernel).sum()
    return result


@_validate.arguments(_kernel_fits_image, image=_grid, kernel=_grid)
def convolve2d(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolution as mathematics defines it: turn the kernel by 180 degrees, then correlate.

    Args:
        image: (H, W) numbers.
        kernel: (kh, kw) numbers, no larger than the picture.

    Returns:
        (H - kh + 1, W - kw + 1) floats.

    Example:
        >>> convolve2d(np.array([[1, 2, 3]]), np.array([[1, 0]]))
        array([[2., 3.]])

    Source: `scipy.signal.convolve2d(image, kernel, mode="valid")`.
    """
    return correlate2d(image, kernel[::-1, ::-1])


@_validate.arguments(_same_size, image=_grid, kernel=_grid, border=partial(_validate.one_of, allowed=BORDERS))
def filter2d(image: np.ndarray, kernel: np.ndarray, border: str = "constant") -> np.ndarray:
    """Correlate and keep the picture's size: continue the picture beyond its border first.

    Args:
        image: (H, W) numbers.
        kernel: (kh, kw) numbers with odd sides, no larger than the picture.
        border: what stands outside: "constant" zeros, "edge" the last pixel, "reflect" or "wrap".

    Returns:
        (H, W) floats.

    Example:
        >>> filter2d(np.ones((3, 3)), np.ones((3, 3)))
        array([[4., 6., 4.],
               [6., 9., 6.],
               [4., 6., 4.]])

    Source: `cv2.filter2D(image, cv2.CV_64F, kernel, borderType=cv2.BORDER_REFLECT_101)` for "reflect".
    """
    around = [(side // 2, side // 2) for side in kernel.shape]  # half the kernel on either side
    return correlate2d(np.pad(image, around, mode=border), kernel)


@_validate.arguments(kernel=_grid)
def separate(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split a kernel into a column and a row whose product it is.

    Args:
        kernel: (kh, kw) numbers of rank 1: every row a multiple of one row.

    Returns:
        column (kh,) and row (kw,) floats with `np.outer(column, row)` equal to the kernel.

    Raises:
        ValueError: when the kernel is no such product.

    Example:
        >>> column, row = separate(np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]))
        >>> np.outer(column, row).round(6)[0]
        array([1., 2., 1.])
    """
    left, sizes, right = np.linalg.svd(kernel.astype(float))
    if (sizes[1:] > 1e-10 * max(sizes[0], 1e-300)).any():
        rank = int(np.linalg.matrix_rank(kernel))
        raise ValueError(f"kernel must be one column times one row, rank 1; got rank {rank}")
    return left[:, 0] * sizes[0], right[0]
