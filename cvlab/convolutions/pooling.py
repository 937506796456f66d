"""Pooling: replace each window of a feature map by one number."""

from functools import partial

import numpy as np

from cvlab import _validate
from cvlab.convolutions import layers
from cvlab.convolutions.filters import _grid, _times

__all__ = ["average_pool2d", "global_average_pool", "max_pool2d"]

_size = partial(layers.pair, least=1)


def _window_fits(image, size, stride) -> None:
    height, width = image.shape[-2:]
    if size[0] > height or size[1] > width:
        raise ValueError(f"size must fit into image, {height} x {width}; got {_times(size)}")


@_validate.arguments(_window_fits, image=_grid, size=_size, stride=_size)
def max_pool2d(image: np.ndarray, size, stride) -> np.ndarray:
    """Keep the largest number of each window.

    Args:
        image: (H, W) numbers.
        size: (rows, columns) of a window.
        stride: (rows, columns) from one window to the next.

    Returns:
        (out_h, out_w) of the same dtype; cells that no whole window reaches are left out.

    Example:
        >>> max_pool2d(np.array([[1, 2, 5, 6], [3, 4, 7, 8]]), (2, 2), (2, 2))
        array([[4, 8]])

    Source: `torch.nn.functional.max_pool2d`.
    """
    height = (image.shape[0] - size[0]) // stride[0] + 1
    width = (image.shape[1] - size[1]) // stride[1] + 1
    result = np.zeros((height, width), image.dtype)
    for row in range(height):
        for col in range(width):
            top, left = row * stride[0], col * stride[1]
            result[row, col] = image[top : top + size[0], left : left + size[1]].max()
    return result


def _maps_fit(images, size, stride) -> None:
    _window_fits(images, size, stride)


@_validate.arguments(_maps_fit, images=layers.batch, size=_size, stride=_size)
def average_pool2d(images: np.ndarray, size, stride) -> np.ndarray:
    """Replace each window by its mean, in every channel.

    Args:
        images: (B, C, H, W) numbers.
        size: rows and columns of a window; one number or a pair.
        stride: from one window to the next; one number or a pair.

    Returns:
        (B, C, out_h, out_w) floats.

    Example:
        >>> average_pool2d(np.arange(4.0).reshape(1, 1, 2, 2), 2, 2)
        array([[[[1.5]]]])

    Source: `torch.nn.functional.avg_pool2d`.
    """
    (kh, kw), (sh, sw) = np.broadcast_to(size, 2), np.broadcast_to(stride, 2)
    windows = np.lib.stride_tricks.sliding_window_view(
        images, (kh, kw), axis=(2, 3)
    )  # (B, C, rows, cols, kh, kw)
    return windows[:, :, ::sh, ::sw].mean(axis=(4, 5))


@_validate.arguments(images=layers.batch)
def global_average_pool(images: np.ndarray) -> np.ndarray:
    """Replace each channel by its mean: where something was is forgotten, how much of it stays.

    Args:
        images: (B, C, H, W) numbers.

    Returns:
        (B, C) floats, for pictures of any size.

    Example:
        >>> global_average_pool(np.arange(8.0).reshape(1, 2, 2, 2))
        array([[1.5, 5.5]])

    Source: `torch.nn.AdaptiveAvgPool2d(1)`.
    """
    return images.mean(axis=(2, 3))
