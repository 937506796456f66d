"""Convolutional layers by hand: many channels, many kernels, bias, stride, padding, dilation."""

from functools import partial

import numpy as np

from cvlab import _validate
from cvlab.convolutions import arithmetic, filters

__all__ = ["conv2d", "conv2d_matrix", "conv_layer", "im2col"]


def pair(value, name: str, *, least: int = 1) -> tuple[int, int]:
    """Return one whole number, or two for rows and columns, as (rows, columns)."""
    if not isinstance(value, (tuple, list, np.ndarray)):
        whole = _validate.positive_int(value, name, least=least)
        return whole, whole
    if len(value) != 2:
        raise ValueError(f"{name} must be one number or (rows, columns); got {len(value)} numbers")
    return tuple(_validate.positive_int(v, name, least=least) for v in value)


def batch(value, name: str) -> np.ndarray:
    """Return `value` as a (B, C, H, W) array of numbers."""
    if type(value).__module__.startswith("torch"):
        raise TypeError(f"{name} must be a NumPy array; got a torch tensor. Write {name}.numpy()")
    array = _validate.as_array(value, name)
    if array.ndim != 4 or array.size == 0:
        slip = f". One picture? Pass {name}[None]" if array.ndim == 3 else ""
        raise ValueError(f"{name} must have shape (B, C, H, W), none of them 0; got {array.shape}{slip}")
    return array


def kernels(value, name: str) -> np.ndarray:
    """Return `value` as (K, C, kh, kw) numbers."""
    array = _validate.as_array(value, name)
    if array.ndim != 4 or array.size == 0:
        slip = f". One kernel? Pass {name}[None]" if array.ndim == 3 else ""
        raise ValueError(f"{name} must have shape (K, C, kh, kw), none of them 0; got {array.shape}{slip}")
    return array


def biases(value, name: str):
    """Return one number a kernel, or None."""
    return None if value is None else _validate.floats(value, name)


def layer_agrees(images, weight, bias=None, **_) -> None:
    """Raise unless pictures, kernels and biases belong together."""
    if images.shape[1] != weight.shape[1]:
        slip = ". Channels last? images.transpose(0, 3, 1, 2)" if images.shape[3] == weight.shape[1] else ""
        raise ValueError(
            f"images and weight must have the same channels; got {images.shape[1]} and {weight.shape[1]}{slip}"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"bias must hold one number for each of {len(weight)} kernels; got {bias.shape}")


def _picture(value, name: str) -> np.ndarray:
    array = _validate.as_array(value, name)
    if array.ndim != 3 or array.size == 0:
        slip = f". A batch? Take one: {name}[0]" if array.ndim == 4 else ""
        raise ValueError(f"{name} must have shape (C, H, W), none of them 0; got {array.shape}{slip}")
    return array


def _one_picture_agrees(picture, weight, bias) -> None:
    if len(picture) != weight.shape[1]:
        raise ValueError(
            f"picture and weight must have the same channels; got {len(picture)} and {weight.shape[1]}"
        )
    if bias.shape != weight.shape[:1]:
        raise ValueError(f"bias must hold one number for each of {len(weight)} kernels; got {bias.shape}")


@_validate.arguments(_one_picture_agrees, picture=_picture, weight=kernels, bias=_validate.floats)
def conv_layer(picture: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Apply a layer to one picture, without padding and with step 1: each kernel adds its channels up.

    Args:
        picture: (C, H, W) numbers.
        weight: (K, C, kh, kw) kernels, each as deep as the picture.
        bias: (K,) one number a kernel.

    Returns:
        (K, H - kh + 1, W - kw + 1) floats.

    Example:
        >>> conv_layer(np.array([[[3.0]], [[5.0]]]), np.array([2.0, -1]).reshape(1, 2, 1, 1), [4]).tolist()
        [[[5.0]]]
    """
    maps = []
    for kernel, start in zip(weight, bias, strict=True):
        answers = [
            filters.correlate2d(channel, plane) for channel, plane in zip(picture, kernel, strict=True)
        ]
        maps.append(sum(answers) + start)  # one map a kernel: its channels added up
    return np.stack(maps)


_layer = {
    "stride": pair,
    "padding": partial(pair, least=0),
    "dilation": pair,
}


@_validate.arguments(layer_agrees, images=batch, weight=kernels, bias=biases, **_layer)
def conv2d(images: np.ndarray, weight: np.ndarray, bias=None, stride=1, padding=0, dilation=1) -> np.ndarray:
    """Apply a convolutional layer: every kernel looks at all channels of a patch and gives one number.

    Args:
        images: (B, C, H, W) numbers.
        weight: (K, C, kh, kw) numbers, K kernels.
        bias: (K,) numbers, or None.
        stride: cells from one place to the next; one number or (rows, columns).
        padding: zeros added on each side; one number or (rows, columns).
        dilation: cells from one number of the kernel to the next; one number or (rows, columns).

    Returns:
        (B, K, out_h, out_w) floats.

    Example:
        >>> conv2d(np.ones((1, 3, 5, 5)), np.ones((2, 3, 3, 3)), bias=[0, 1], stride=2)[0, :, 0, 0]
        array([27., 28.])

    Source: `torch.nn.functional.conv2d`.
    """
    (sh, sw), (ph, pw), (dh, dw) = (np.broadcast_to(value, 2) for value in (stride, padding, dilation))
    B, _, H, W = images.shape
    K, _, kh, kw = weight.shape
    out_h, out_w = arithmetic.output_size(H, kh, sh, ph, dh), arithmetic.output_size(W, kw, sw, pw, dw)
    padded = np.pad(images, ((0, 0), (0, 0), (ph, ph), (pw, pw)))  # (B, C, H + 2 ph, W + 2 pw)
    result = np.zeros((B, K, out_h, out_w))
    for row in range(out_h):
        for col in range(out_w):
            rows, cols = row * sh + dh * np.arange(kh), col * sw + dw * np.arange(kw)
            patch = padded[:, :, rows[:, None], cols]  # (B, C, kh, kw)
            result[:, :, row, col] = np.einsum("bcij,kcij->bk", patch, weight)
    return result if bias is None else result + np.reshape(bias, (K, 1, 1))


@_validate.arguments(images=batch, size=pair, **_layer)
def im2col(images: np.ndarray, size, stride=1, padding=0, dilation=1) -> np.ndarray:
    """Write the patches under a sliding window as the columns of a table.

    Args:
        images: (B, C, H, W) numbers.
        size: rows and columns of the window; one number or a pair.
        stride: as in `conv2d`.
        padding: as in `conv2d`.
        dilation: as in `conv2d`.

    Returns:
        (B, C * kh * kw, out_h * out_w): column j is the j-th patch, channel by channel, row by row.

    Example:
        >>> im2col(np.arange(9).reshape(1, 1, 3, 3), 2)[0, :, 0]
        array([0, 1, 3, 4])

    Source: `torch.nn.functional.unfold`.
    """
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = (
        np.broadcast_to(v, 2) for v in (size, stride, padding, dilation)
    )
    B, C, H, W = images.shape
    out_h, out_w = arithmetic.output_size(H, kh, sh, ph, dh), arithmetic.output_size(W, kw, sw, pw, dw)
    padded = np.pad(images, ((0, 0), (0, 0), (ph, ph), (pw, pw)))  # (B, C, H + 2 ph, W + 2 pw)
    rows = dh * np.arange(kh)[:, None] + sh * np.arange(out_h)  # (kh, out_h)
    cols = dw * np.arange(kw)[:, None] + sw * np.arange(out_w)  # (kw, out_w)
    patches = padded[:, :, rows[:, None, :, None], cols[None, :, None, :]]  # (B, C, kh, kw, out_h, out_w)
    return patches.reshape(B, C * kh * kw, out_h * out_w)


@_validate.arguments(layer_agrees, images=batch, weight=kernels, bias=biases, **_layer)
def conv2d_matrix(
    images: np.ndarray, weight: np.ndarray, bias=None, stride=1, padding=0, dilation=1
) -> np.ndarray:
    """Apply a convolutional layer as one matrix product: kernels as rows, patches as columns.

    Args:
        images: (B, C, H, W) numbers.
        weight: (K, C, kh, kw) numbers.
        bias: as in `conv2d`.
        stride: as in `conv2d`.
        padding: as in `conv2d`.
        dilation: as in `conv2d`.

    Returns:
        (B, K, out_h, out_w) floats, the same numbers as `conv2d`.

    Example:
        >>> conv2d_matrix(np.ones((1, 3, 4, 4)), np.ones((5, 3, 3, 3))).shape
        (1, 5, 2, 2)
    """
    (sh, sw), (ph, pw), (dh, dw) = (np.broadcast_to(value, 2) for value in (stride, padding, dilation))
    B, _, H, W = images.shape
    K, _, kh, kw = weight.shape
    out_h, out_w = arithmetic.output_size(H, kh, sh, ph, dh), arithmetic.output_size(W, kw, sw, pw, dw)
    columns = im2col(images, (kh, kw), stride, padding, dilation)  # (B, C * kh * kw, out_h * out_w)
    result = (weight.reshape(K, -1) @ columns).reshape(B, K, out_h, out_w)
    return result if bias is None else result + np.reshape(bias, (K, 1, 1))
