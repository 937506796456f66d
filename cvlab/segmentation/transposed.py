"""The transposed convolution: every input pixel stamps the kernel, its value times, onto a larger picture."""

from functools import partial

import numpy as np

from cvlab import _validate

__all__ = ["conv_transpose2d", "transposed_size"]

_whole = _validate.positive_int
_from_zero = partial(_validate.positive_int, least=0)


def _something_left(size, kernel, stride, padding, output_padding) -> None:
    if output_padding >= stride:
        raise ValueError(
            f"output_padding must be smaller than stride, {stride}: it says which of {stride} sizes is meant; "
            f"got {output_padding}"
        )
    if (size - 1) * stride + kernel + output_padding <= 2 * padding:
        raise ValueError(
            f"padding must leave something of the {(size - 1) * stride + kernel} cells, since it cuts off both ends; "
            f"got {padding}"
        )


@_validate.arguments(
    _something_left, size=_whole, kernel=_whole, stride=_whole, padding=_from_zero, output_padding=_from_zero
)
def transposed_size(
    size: int, kernel: int, stride: int = 1, padding: int = 0, output_padding: int = 0
) -> int:
    """Count the output cells of a transposed convolution along one axis.

    Args:
        size: cells of the input.
        kernel: numbers in the kernel.
        stride: cells from one stamp to the next.
        padding: cells cut off at *each* end.
        output_padding: cells cut off less at the far end, fewer than stride.

    Returns:
        The number of output cells, at least 1.

    Example:
        >>> transposed_size(4, 3, stride=2, padding=1), transposed_size(4, 3, 2, 1, output_padding=1)
        (7, 8)

    Source: the shape formula of `torch.nn.ConvTranspose2d`; Dumoulin and Visin, arXiv:1603.07285.
    """
    return (size - 1) * stride - 2 * padding + kernel + output_padding


def _maps(value, name: str) -> np.ndarray:
    array = _validate.as_array(value, name)
    if array.ndim != 3 or array.size == 0:
        slip = {2: f". One channel? Pass {name}[None]", 4: f". A batch? Take one: {name}[0]"}
        raise ValueError(
            f"{name} must have shape (C_in, H, W), none of them 0; got {array.shape}{slip.get(array.ndim, '')}"
        )
    return array


def _kernels(value, name: str) -> np.ndarray:
    array = _validate.as_array(value, name)
    if array.ndim != 4 or array.size == 0:
        raise ValueError(f"{name} must have shape (C_in, C_out, kh, kw), none of them 0; got {array.shape}")
    return array


def _layer_fits(x, weight, stride, padding) -> None:
    if len(x) != len(weight):
        slip = (
            ". A convolution's kernels, (C_out, C_in, kh, kw)? weight.transpose(1, 0, 2, 3)"
            if len(x) == weight.shape[1]
            else ""
        )
        raise ValueError(
            f"x and weight must have the same input channels; got {len(x)} and {len(weight)}{slip}"
        )
    for size, kernel in zip(x.shape[1:], weight.shape[2:], strict=True):
        _something_left(size, kernel, stride, padding, 0)


@_validate.arguments(_layer_fits, x=_maps, weight=_kernels, stride=_whole, padding=_from_zero)
def conv_transpose2d(x: np.ndarray, weight: np.ndarray, stride: int = 1, padding: int = 0) -> np.ndarray:
    """Grow a picture: each pixel adds its value times a kernel, the stamps `stride` cells apart.

    Args:
        x: (C_in, H, W) numbers.
        weight: (C_in, C_out, kh, kw) numbers, in torch's order: the input's channels first.
        stride: cells from one stamp to the next.
        padding: cells cut off on each side of the result.

    Returns:
        (C_out, out_h, out_w) floats; each side as `transposed_size` counts it.

    Raises:
        ValueError: the channels differ, or padding leaves nothing.

    Example:
        >>> conv_transpose2d(np.array([[[1, 10]]]), np.array([[[[1, 2, 3]]]]), stride=2)
        array([[[ 1.,  2., 13., 20., 30.]]])

    Source: `torch.nn.functional.conv_transpose2d`; Dumoulin and Visin, arXiv:1603.07285.
    """
    (_, H, W), (_, C_out, kh, kw) = x.shape, weight.shape
    canvas = np.zeros((C_out, (H - 1) * stride + kh, (W - 1) * stride + kw))
    for row in range(H):
        for col in range(W):
            # all input channels of one pixel: (C_out, kh, kw)
            stamp = np.tensordot(x[:, row, col], weight, axes=1)
            top, left = row * stride, col * stride
            canvas[:, top : top + kh, left : left + kw] += stamp
    bottom, right = (side - padding for side in canvas.shape[1:])
    return canvas[:, padding:bottom, padding:right]
