"""A mask as COCO's run lengths and back: off, on, off ..., down one column after the other."""

import numpy as np

from cvlab._validate import arguments, as_array, positive_int

__all__ = ["rle_decode", "rle_encode"]


def _mask(value, name: str) -> np.ndarray:
    array = as_array(value, name)
    if array.ndim != 2 or array.dtype != bool:
        slip = f". One mask at a time: {name}[0]" if array.ndim == 3 else f". {name} > 0 makes it bool"
        raise ValueError(f"{name} must be bool of shape (H, W); got {array.dtype} {array.shape}{slip}")
    if array.size == 0:
        raise ValueError(f"{name} must have at least one pixel; got shape {array.shape}")
    return array


def _counts(value, name: str) -> np.ndarray:
    if isinstance(value, str | bytes):
        raise TypeError(
            f"{name} must be a list of run lengths; got text. Packed? cvlab.coco.rle.text_to_counts unpacks it"
        )
    array = as_array(value, name)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        slip = ". Pairs of value and length? Keep the lengths" if array.ndim == 2 else ""
        raise ValueError(f"{name} must be whole numbers, (R,); got {array.dtype} {array.shape}{slip}")
    if array.min() < 0:
        at = int((array < 0).argmax())
        raise ValueError(f"{name} must not be negative; got {name}[{at}] = {array[at]}")
    return array


def _fill(counts, height, width):
    if counts.sum() != height * width:
        raise ValueError(
            f"counts must add up to height x width, {height} x {width} = {height * width}; got {counts.sum()}. "
            "The last run left out, or another picture's size?"
        )


@arguments(mask=_mask)
def rle_encode(mask: np.ndarray) -> list[int]:
    """Write a mask as run lengths: how many pixels are off, then on, then off ..., down the columns.

    Args:
        mask: (H, W) bool.

    Returns:
        R whole numbers that add up to H * W; the first, of pixels that are off, is 0 when the first pixel is on.

    Raises:
        ValueError: the mask is not bool of shape (H, W), or has no pixel.

    Example:
        >>> rle_encode(np.array([[False, True], [True, True]]))
        [1, 3]

    Source: `rleEncode` in the COCO API, https://github.com/cocodataset/cocoapi.
    """
    pixels = mask.ravel(order="F")  # (H * W,) column after column
    starts = np.flatnonzero(np.diff(pixels, prepend=False))
    return np.diff(starts, prepend=0, append=pixels.size).tolist()


@arguments(_fill, counts=_counts, height=positive_int, width=positive_int)
def rle_decode(counts: list[int], height: int, width: int) -> np.ndarray:
    """Draw the mask that run lengths describe; undoes `rle_encode`.

    Args:
        counts: R whole numbers of pixels off, on, off, ..., down the columns, which add up to height * width.
        height: rows of the mask.
        width: columns of the mask.

    Returns:
        (height, width) bool.

    Raises:
        ValueError: counts are negative, or do not fill the mask.
        TypeError: counts are text, which `cvlab.coco.rle.text_to_counts` unpacks.

    Example:
        >>> rle_decode([1, 3], 2, 2).tolist()
        [[False, True], [True, True]]

    Source: `rleDecode` in the COCO API, https://github.com/cocodataset/cocoapi.
    """
    on = np.arange(len(counts)) % 2 == 1  # (R,) off, on, off, ...
    pixels = np.repeat(on, counts)  # (height * width,)
    return pixels.reshape(height, width, order="F")
