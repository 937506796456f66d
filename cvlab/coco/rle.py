"""Masks as COCO files write them: run lengths, column by column, packed into a short text."""

import numpy as np

from cvlab import _validate
from cvlab.coco.columns import INT64, MAX_PIXELS, MAX_SIDE, WHOLE, as_array, check_picture, shown, stranger
from cvlab.coco.polygons import check_polygons, polygons_to_mask

__all__ = [
    "check_segmentation",
    "counts_to_text",
    "mask_area",
    "mask_to_rle",
    "rle_to_mask",
    "run_lengths",
    "segmentation_to_mask",
    "text_to_counts",
]

_LONGEST = 7  # letters of one run length: 35 bits


def _mask(value, name: str) -> np.ndarray:
    array = _validate.as_array(value, name)
    if array.ndim != 2 or array.dtype != bool:
        slip = ". One mask at a time: mask[0]" if array.ndim == 3 else f". {name} > 0 makes it bool"
        raise ValueError(f"{name} must be bool of shape (H, W); got {array.dtype} {array.shape}{slip}")
    return array


@_validate.arguments(mask=_mask)
def mask_to_rle(mask: np.ndarray) -> dict:
    """Write a mask as COCO's run lengths: how many pixels are off, then on, then off ..., down the columns.

    Args:
        mask: (H, W) bool.

    Returns:
        {"size": [H, W], "counts": text}, ready for a results file.

    Example:
        >>> mask_to_rle(np.array([[False, True], [True, True]]))
        {'size': [2, 2], 'counts': '13'}

    Source: `rleEncode` and `rleToString` in the COCO API.
    """
    pixels = mask.ravel(order="F")  # (H * W,) column after column
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    counts = np.diff(np.concatenate([[0], changes, [pixels.size]]))
    if pixels.size and pixels[0]:
        counts = np.concatenate([[0], counts])  # the first run is always of pixels that are off
    return {"size": [int(side) for side in mask.shape], "counts": counts_to_text(counts.tolist())}


def counts_to_text(counts: list[int]) -> str:
    """Pack run lengths into text: from the fourth on only the change, five bits a letter.

    Example:
        >>> counts_to_text([1, 3])
        '13'
    """
    letters = []
    for i, count in enumerate(counts):
        rest, more = count - (counts[i - 2] if i > 2 else 0), True
        while more:
            bits, rest = rest & 31, rest >> 5
            more = rest != (-1 if bits & 16 else 0)
            letters.append(chr(48 + bits + 32 * more))
    return "".join(letters)


def text_to_counts(text: str | bytes) -> np.ndarray:
    """Unpack run lengths: undoes `counts_to_text`.

    Raises:
        ValueError: when the text is cut short, or holds a letter that COCO never writes.

    Example:
        >>> text_to_counts("13").tolist()
        [1, 3]
    """
    raw = text.encode("utf-8", "replace") if isinstance(text, str) else bytes(text)
    letters = np.frombuffer(raw, np.uint8).astype(np.int64) - 48
    if not len(letters):
        return letters
    ends = np.flatnonzero((letters & 32) == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1 if len(ends) else np.zeros(0, int)
    if letters.min() < 0 or letters.max() > 63 or letters[-1] & 32 or lengths.max() > _LONGEST:
        raise ValueError(f"counts must be text written by COCO's RLE; got {raw[:30]!r}. Cut short?")
    place = np.arange(len(letters)) - np.repeat(starts, lengths)
    counts = np.add.reduceat((letters & 31) << (5 * place), starts)
    counts -= np.where(letters[ends] & 16, 1 << (5 * lengths), 0)  # two's complement
    for first in (1, 2):  # each later run is written as the change from the one two before
        counts[first::2] = np.cumsum(counts[first::2])
    return counts


def rle_to_mask(rle: dict) -> np.ndarray:
    """Draw the mask that run lengths describe; undoes `mask_to_rle`.

    Args:
        rle: {"size": [H, W], "counts": text or a list of run lengths}.

    Returns:
        (H, W) bool.

    Raises:
        ValueError: when a field is missing, or the runs do not add up to H * W pixels.

    Example:
        >>> rle_to_mask({"size": [2, 2], "counts": "13"}).tolist()
        [[False, True], [True, True]]
    """
    return _drawn(run_lengths(rle), rle["size"])


def _drawn(runs: np.ndarray, size) -> np.ndarray:
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs)  # (H * W,)
    return pixels.reshape(size, order="F")


def run_lengths(rle: dict) -> np.ndarray:
    """Read and check run lengths without drawing them.

    Args:
        rle: {"size": [H, W], "counts": text or a list of run lengths}.

    Returns:
        (R,) int64 numbers of pixels off, on, off, ..., which add up to H * W.

    Raises:
        ValueError: names the field.

    Example:
        >>> run_lengths({"size": [2, 2], "counts": "13"}).tolist()
        [1, 3]
    """
    if not isinstance(rle, dict) or not {"size", "counts"} <= rle.keys():
        raise ValueError(f"rle must be a dict with size and counts; got {shown(rle)}")
    size = rle["size"]
    if not isinstance(size, list | tuple) or len(size) != 2 or stranger(size, WHOLE) is not None:
        raise ValueError(f"size must be two whole numbers, height and width; got {shown(size)}")
    if not all(0 <= side <= MAX_SIDE for side in size) or size[0] * size[1] > MAX_PIXELS:
        raise ValueError(f"size must be at most {MAX_PIXELS} pixels, none negative; got {shown(size)}")
    pixels = int(size[0]) * int(size[1])
    counts = _counts(rle["counts"])
    bad = (counts < 0) | (counts > pixels)
    if bad.any():
        i, wanted = int(bad.argmax()), f"from 0 to {size[0]} x {size[1]} = {pixels} pixels"
        raise ValueError(f"counts must be {wanted}; got counts[{i}] = {counts[i]}")
    if counts.sum() != pixels:
        raise ValueError(f"counts must add up to {size[0]} x {size[1]} = {pixels}; got {counts.sum()}")
    return counts


def _counts(counts) -> np.ndarray:
    """Return the run lengths of either way to write them, (R,) int64; they may still be negative or too long."""
    if isinstance(counts, str | bytes):
        return text_to_counts(counts)
    counts = counts.tolist() if isinstance(counts, np.ndarray) else counts
    if not isinstance(counts, list | tuple):
        raise ValueError(f"counts must be text or a list of run lengths; got {shown(counts)}")
    bad = stranger(counts, WHOLE)
    if bad is None:
        array = as_array(counts, np.int64)
        if array is not None:
            return array
        bad = next(i for i, count in enumerate(counts) if not INT64[0] <= count <= INT64[1])
    raise ValueError(f"counts must be whole numbers of 64 bits; got counts[{bad}] = {shown(counts[bad])}")


def check_segmentation(segmentation, height: int, width: int) -> np.ndarray | None:
    """Refuse a `segmentation` that cannot be drawn, before anything is; as for `segmentation_to_mask`.

    Returns:
        its run lengths, None for polygons.
    """
    if not isinstance(segmentation, dict):
        return check_polygons(segmentation, height, width)
    check_picture(height, width)
    size = segmentation.get("size", [height, width])
    if (
        not isinstance(size, list | tuple)
        or list(size) != [height, width]
        or stranger(size, WHOLE) is not None
    ):
        raise ValueError(f"size must be that of the picture, {[int(height), int(width)]}; got {shown(size)}")
    return run_lengths(segmentation)


def mask_area(segmentation, height: int, width: int) -> int:
    """Count the pixels of a `segmentation`; run lengths need not be drawn for it.

    Example:
        >>> mask_area({"size": [2, 2], "counts": "13"}, 2, 2)
        3
    """
    if isinstance(segmentation, dict):
        return int(check_segmentation(segmentation, height, width)[1::2].sum())
    return int(polygons_to_mask(segmentation, height, width).sum())


def segmentation_to_mask(segmentation, height: int, width: int) -> np.ndarray:
    """Draw any `segmentation` of a COCO file: run lengths, or polygons (drawn by pycocotools).

    Args:
        segmentation: a dict with size and counts, or a list of polygons x0, y0, x1, y1, ...
        height: rows of the picture.
        width: columns of the picture.

    Returns:
        (H, W) bool.

    Raises:
        ValueError: names the field, or the polygon and its number.
    """
    if isinstance(segmentation, dict):
        return _drawn(check_segmentation(segmentation, height, width), (height, width))
    return polygons_to_mask(segmentation, height, width)
