"""Masks as COCO files write them: run lengths, column by column, packed into a short text."""

import numpy as np

from cvlab import _validate

__all__ = ["counts_to_text", "mask_to_rle", "rle_to_mask", "segmentation_to_mask", "text_to_counts"]


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
    raw = text.encode("latin-1", "replace") if isinstance(text, str) else bytes(text)
    letters = np.frombuffer(raw, np.uint8).astype(np.int64) - 48
    if not len(letters):
        return letters
    if letters.min() < 0 or letters.max() > 63 or letters[-1] & 32:
        raise ValueError(f"counts must be text written by COCO's RLE; got {raw[:30]!r}. Cut short?")
    ends = np.flatnonzero((letters & 32) == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
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
    if not isinstance(rle, dict) or not {"size", "counts"} <= rle.keys():
        raise ValueError(f"rle must be a dict with size and counts; got {str(rle)[:60]}")
    counts = rle["counts"]
    counts = text_to_counts(counts) if isinstance(counts, str | bytes) else np.asarray(counts, dtype=np.int64)
    height, width = rle["size"]
    if (counts < 0).any() or counts.sum() != height * width:
        raise ValueError(f"counts must add up to {height} x {width} = {height * width}; got {counts.sum()}")
    pixels = np.repeat(np.arange(len(counts)) % 2 == 1, counts)  # (H * W,)
    return pixels.reshape((height, width), order="F")


def segmentation_to_mask(segmentation, height: int, width: int) -> np.ndarray:
    """Draw any `segmentation` of a COCO file: run lengths, or polygons (drawn by pycocotools).

    Args:
        segmentation: a dict with size and counts, or a list of polygons x0, y0, x1, y1, ...
        height: rows of the picture.
        width: columns of the picture.

    Returns:
        (H, W) bool.
    """
    if isinstance(segmentation, dict):
        mask = rle_to_mask(segmentation)
        if mask.shape != (height, width):
            raise ValueError(
                f"size must be that of the picture, {[int(height), int(width)]}; got {list(mask.shape)}"
            )
        return mask
    if not isinstance(segmentation, list) or not segmentation:
        raise ValueError(f"segmentation must be run lengths or a list of polygons; got {segmentation!r}")
    if any(not isinstance(p, list) or len(p) < 6 or len(p) % 2 for p in segmentation):
        raise ValueError("each polygon must be a list of x, y pairs, at least three; one of them is not")
    from pycocotools import mask as library

    return library.decode(library.merge(library.frPyObjects(segmentation, height, width))).astype(bool)
