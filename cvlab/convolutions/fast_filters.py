"""The same sliding product as `cvlab.convolutions.filters.correlate2d`, without a Python loop over pixels."""

import numpy as np

from cvlab import _validate
from cvlab.convolutions.filters import _grid, _kernel_fits_image, _line

__all__ = ["correlate2d_fft", "correlate2d_matrix", "correlate2d_separable", "correlate2d_shifted"]


def _both_fit(image, column, row) -> None:
    _kernel_fits_image(image, np.empty((len(column), len(row))))


@_validate.arguments(_kernel_fits_image, image=_grid, kernel=_grid)
def correlate2d_shifted(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Loop over the kernel instead of the picture: add up shifted copies, each times one number.

    Args:
        image: (H, W) floats.
        kernel: (kh, kw) numbers, no larger than the picture.

    Returns:
        (H - kh + 1, W - kw + 1) floats.

    Example:
        >>> correlate2d_shifted(np.arange(9.0).reshape(3, 3), np.ones((2, 2)))
        array([[ 8., 12.],
               [20., 24.]])
    """
    height, width = image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1
    result = np.zeros((height, width), image.dtype)
    for (row, col), weight in np.ndenumerate(kernel):
        result += weight * image[row : row + height, col : col + width]
    return result


@_validate.arguments(_kernel_fits_image, image=_grid, kernel=_grid)
def correlate2d_matrix(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Write every patch as one row of a table; then the whole filter is one matrix product (im2col).

    Args:
        image: (H, W) floats.
        kernel: (kh, kw) numbers, no larger than the picture.

    Returns:
        (H - kh + 1, W - kw + 1) floats.

    Example:
        >>> correlate2d_matrix(np.arange(9.0).reshape(3, 3), np.ones((2, 2)))
        array([[ 8., 12.],
               [20., 24.]])

    Source: Chellapilla, Puri, Simard, High Performance Convolutional Neural Networks, 2006.
    """
    kernel_height, kernel_width = kernel.shape
    height, width = image.shape[0] - kernel_height + 1, image.shape[1] - kernel_width + 1
    rows = np.arange(height)[:, None] + np.arange(kernel_height)  # (height, kh)
    cols = np.arange(width)[:, None] + np.arange(kernel_width)  # (width, kw)
    patches = image[rows[:, None, :, None], cols[None, :, None, :]]  # (height, width, kh, kw)
    table = patches.reshape(height * width, kernel.size)  # a row a patch
    return (table @ kernel.ravel()).reshape(height, width)


@_validate.arguments(_kernel_fits_image, image=_grid, kernel=_grid)
def correlate2d_fft(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Multiply spectra: sliding and adding becomes one product for each frequency.

    Args:
        image: (H, W) floats.
        kernel: (kh, kw) numbers, no larger than the picture.

    Returns:
        (H - kh + 1, W - kw + 1) floats.

    Example:
        >>> correlate2d_fft(np.arange(9.0).reshape(3, 3), np.ones((2, 2))).round(6)
        array([[ 8., 12.],
               [20., 24.]])

    Source: the convolution theorem; the conjugate makes it a correlation. `scipy.signal.fftconvolve`.
    """
    height, width = image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1
    spectrum = np.fft.rfft2(image) * np.conj(np.fft.rfft2(kernel, s=image.shape))  # (H, W // 2 + 1)
    around = np.fft.irfft2(spectrum, s=image.shape)  # (H, W), wrapped at the border
    return around[:height, :width]


@_validate.arguments(_both_fit, image=_grid, column=_line, row=_line)
def correlate2d_separable(image: np.ndarray, column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Filter down the columns, then along the rows: kh + kw products a pixel instead of kh * kw.

    Args:
        image: (H, W) floats.
        column: (kh,) numbers.
        row: (kw,) numbers; the kernel is `np.outer(column, row)`.

    Returns:
        (H - kh + 1, W - kw + 1) floats.

    Example:
        >>> correlate2d_separable(np.arange(9.0).reshape(3, 3), np.ones(2), np.ones(2))
        array([[ 8., 12.],
               [20., 24.]])
    """
    height, width = image.shape[0] - len(column) + 1, image.shape[1] - len(row) + 1
    down = sum(weight * image[i : i + height] for i, weight in enumerate(column))  # (height, W)
    return sum(weight * down[:, i : i + width] for i, weight in enumerate(row))  # (height, width)
