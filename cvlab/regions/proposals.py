"""Selective search: boxes worth a look, from regions of a picture that are merged step by step, the most alike first."""

import heapq
from typing import NamedTuple

import cv2
import numpy as np
import torch
from scipy.ndimage import find_objects
from skimage.segmentation import felzenszwalb

from cvlab import _validate

__all__ = [
    "PARTS",
    "SIDE",
    "Region",
    "describe_regions",
    "first_regions",
    "histograms",
    "merge_regions",
    "neighbours",
    "selective_search",
    "similarities",
    "slopes",
    "united",
]

PARTS = ("colour", "texture", "size", "fill")
SIDE = 128  # pixels of the longer side while regions are merged: at 192 the first regions alone take twice the time
LEAST = 8  # pixels of the shorter side


class Region(NamedTuple):
    """What is kept of a set of pixels that hang together.

    Attributes:
        size: its pixels.
        box: (4,) x0, y0, x1, y1 in pixels.
        colour: (75,) a histogram of 25 bins for each channel, sum 1.
        texture: (120,) a histogram of 10 bins for each channel's slope in four directions, sum 1.
    """

    size: int
    box: np.ndarray
    colour: np.ndarray
    texture: np.ndarray


def _picture(value, name: str) -> np.ndarray:
    image = _validate.image(value, name, channels=(3,))
    if image.dtype != np.uint8:
        raise TypeError(f"{name} must be uint8, 0 to 255; got {image.dtype}")
    if min(image.shape[:2]) < LEAST:
        raise ValueError(f"{name} must be at least {LEAST} pixels high and wide; got {image.shape[:2]}")
    return image


def _parts(value, name: str) -> tuple[str, ...]:
    if isinstance(value, str):
        raise TypeError(f"{name} must be a tuple of names; got {value!r}. One? ({value!r},)")
    return tuple(_validate.one_of(part, name, PARTS) for part in value)


def histograms(values: np.ndarray, labels: np.ndarray, bins: int) -> np.ndarray:
    """Count, for each region, how often each value occurs in each channel.

    Args:
        values: (H, W, C) floats from 0 to 1; what lies beyond counts in the first or last bin.
        labels: (H, W) int, the number of each pixel's region, from 0.
        bins: of one channel.

    Returns:
        (R, C * bins) float64, each row's sum 1.

    Example:
        >>> histograms(np.array([[[0.1], [0.9], [0.9]]]), np.array([[0, 0, 1]]), 2)
        array([[0.5, 0.5],
               [0. , 1. ]])
    """
    regions, channels = labels.max() + 1, values.shape[2]
    place = (values * bins).astype(int).clip(0, bins - 1)
    place += (labels[..., None] * channels + np.arange(channels)) * bins
    counts = np.bincount(place.ravel(), minlength=regions * channels * bins)
    counts = counts.reshape(regions, channels * bins)
    return counts / counts.sum(axis=1, keepdims=True)


def slopes(pixels: np.ndarray) -> np.ndarray:
    """Return how fast each channel rises in four directions: right, down, and the two diagonals.

    Args:
        pixels: (H, W, C) floats from 0 to 1.

    Returns:
        (H, W, 4 * C): 0.5 is flat, 0 falls by an eighth a pixel, 1 rises as fast.

    Example:
        >>> slopes(np.arange(3.0).reshape(1, 3, 1).repeat(2, axis=0) / 16)[0, 1].round(2)
        array([0.75, 0.5 , 0.68, 0.68])
    """
    down, right = np.gradient(pixels, axis=(0, 1))
    four = right, down, (right + down) / 2**0.5, (right - down) / 2**0.5
    return 4 * np.concatenate(four, axis=2) + 0.5


def describe_regions(pixels: np.ndarray, labels: np.ndarray) -> list[Region]:
    """Measure every region of a map.

    Args:
        pixels: (H, W, 3) floats from 0 to 1.
        labels: (H, W) int, numbers 0 to R - 1, each of them there.

    Returns:
        R regions.

    Example:
        >>> region = describe_regions(np.zeros((2, 3, 3)), np.array([[0, 0, 0], [0, 0, 1]]))[1]
        >>> region.size, region.box.tolist()
        (1, [2, 1, 3, 2])
    """
    colour = histograms(pixels, labels, 25)
    texture = histograms(slopes(pixels), labels, 10)
    sizes = np.bincount(labels.ravel()).tolist()
    parts = zip(sizes, find_objects(labels + 1), colour, texture, strict=True)  # 0 is nobody's region there
    return [
        Region(size, np.array([col.start, row.start, col.stop, row.stop]), *both)
        for size, (row, col), *both in parts
    ]


def neighbours(labels: np.ndarray) -> set[tuple[int, int]]:
    """Return the pairs of regions that touch, side by side or one above the other, the smaller number first.

    Example:
        >>> sorted(neighbours(np.array([[0, 0, 1], [2, 0, 1]])))
        [(0, 1), (0, 2)]
    """
    beside = np.stack([labels[:, :-1].ravel(), labels[:, 1:].ravel()], axis=1)
    above = np.stack([labels[:-1].ravel(), labels[1:].ravel()], axis=1)
    pairs = np.concatenate([beside, above])  # (P, 2)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    return {(min(pair), max(pair)) for pair in pairs.tolist()}


def united(a: Region, b: Region) -> Region:
    """Return two regions as one: sizes are added, boxes joined, histograms averaged by size.

    Example:
        >>> one, two = describe_regions(np.zeros((2, 3, 3)), np.array([[0, 0, 0], [1, 1, 1]]))
        >>> united(one, two).size
        6
    """
    size = a.size + b.size
    box = np.array([*np.minimum(a.box[:2], b.box[:2]), *np.maximum(a.box[2:], b.box[2:])])
    colour = (a.size * a.colour + b.size * b.colour) / size
    texture = (a.size * a.texture + b.size * b.texture) / size
    return Region(size, box, colour, texture)


def similarities(a: Region, b: Region, area: int) -> dict[str, float]:
    """Return four numbers from 0 to 1 that say why two regions may belong together.

    Args:
        a: a region.
        b: another one.
        area: the picture's pixels.

    Returns:
        "colour" and "texture": what their histograms share. "size": 1 for the smallest, so that small ones are
        merged first. "fill": 1 where the box around both has nothing else in it.

    Example:
        >>> one, two = describe_regions(np.zeros((2, 3, 3)), np.array([[0, 0, 0], [1, 1, 1]]))
        >>> similarities(one, two, 6)
        {'colour': 1.0, 'texture': 1.0, 'size': 0.0, 'fill': 1.0}
    """
    size = a.size + b.size
    x0, y0 = np.minimum(a.box[:2], b.box[:2])
    x1, y1 = np.maximum(a.box[2:], b.box[2:])
    return {
        "colour": float(np.minimum(a.colour, b.colour).sum()),
        "texture": float(np.minimum(a.texture, b.texture).sum()),
        "size": float(1 - size / area),
        "fill": float(1 - ((x1 - x0) * (y1 - y0) - size) / area),
    }


def merge_regions(
    regions: list[Region], pairs: set[tuple[int, int]], area: int, parts: tuple[str, ...] = PARTS
) -> tuple[list[Region], list[tuple[int, int]]]:
    """Merge the two most alike neighbours, and again, until nothing touches.

    Args:
        regions: R of them.
        pairs: those that touch, by their places.
        area: the picture's pixels.
        parts: of the similarities, the ones that are added; with none, any two that touch are equally alike, and the
            smaller numbers go first.

    Returns:
        All regions there ever were, the first R, then each merged one; and which two each of these was made of.

    Example:
        >>> labels = np.array([[0, 0, 1, 2]])
        >>> regions = describe_regions(np.array([[[0.2], [0.2], [0.9], [0.9]]]).repeat(2, axis=0), labels.repeat(2, axis=0))
        >>> merge_regions(regions, {(0, 1), (1, 2)}, 8)[1]
        [(1, 2), (0, 3)]
    """
    regions, merges = list(regions), []
    near = {i: set() for i in range(len(regions))}

    def entry(i, j):
        near[i].add(j)
        near[j].add(i)
        four = similarities(regions[i], regions[j], area)
        return -sum(four[part] for part in parts), i, j

    queue = [entry(i, j) for i, j in pairs]
    heapq.heapify(queue)  # the most alike is first
    while queue:
        _, i, j = heapq.heappop(queue)
        if i in near and j in near:  # else one is merged already
            new = len(regions)
            regions.append(united(regions[i], regions[j]))
            merges.append((i, j))
            around = (near.pop(i) | near.pop(j)) & near.keys()
            near[new] = set()
            for k in sorted(around):
                heapq.heappush(queue, entry(k, new))
    return regions, merges


@_validate.arguments(image=_picture, min_size=_validate.positive_int, side=_validate.positive_int)
def first_regions(
    image: np.ndarray, scale: float = 50, min_size: int = 35, side: int = SIDE
) -> tuple[np.ndarray, np.ndarray]:
    """Shrink a picture, and cut it into small regions of nearly one colour.

    Args:
        image: (H, W, 3) uint8 RGB.
        scale: the greater, the greater the regions.
        min_size: least pixels of a region, of the shrunk picture.
        side: of the longer side after shrinking; nothing is enlarged.

    Returns:
        The shrunk picture (h, w, 3), floats from 0 to 1, and its regions' numbers (h, w), from 0.

    Raises:
        TypeError, ValueError: not a picture of bytes, or one that is too small.

    Source: Felzenszwalb and Huttenlocher, "Efficient Graph-Based Image Segmentation", IJCV 2004.
    """
    height, width = image.shape[:2]
    share = min(1, side / max(height, width))
    size = max(1, round(share * width)), max(1, round(share * height))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return small / 255, felzenszwalb(small, scale=scale, sigma=0.8, min_size=min_size)


@_validate.arguments(image=_picture, parts=_parts)
def selective_search(
    image: np.ndarray, *, scale: float = 50, min_size: int = 35, parts: tuple[str, ...] = PARTS
) -> torch.Tensor:
    """Propose boxes: of every region that was ever there while the most alike neighbours were merged.

    Args:
        image: (H, W, 3) uint8 RGB; one longer than 128 pixels is shrunk to that first.
        scale: as in `first_regions`.
        min_size: likewise.
        parts: of the similarities, the ones that are added.

    Returns:
        (N, 4) float32 x0, y0, x1, y1 in the picture's pixels, no box twice: the last merge first, so the whole
        picture, the first and smallest regions at the end. At least one.

    Raises:
        TypeError, ValueError: not a picture of bytes, one of fewer than 8 pixels a side, or an unknown part.

    Example:
        >>> image = np.zeros((64, 64, 3), np.uint8)
        >>> image[20:40, 10:50] = 250, 200, 0
        >>> boxes = selective_search(image).tolist()
        >>> boxes[0], [10.0, 20.0, 50.0, 40.0] in boxes
        ([0.0, 0.0, 64.0, 64.0], True)

    Source: Uijlings, van de Sande, Gevers, Smeulders, "Selective Search for Object Recognition", IJCV 2013: there with
    several colour spaces and scales, one after the other, and the ranks shuffled a little.
    """
    pixels, labels = first_regions(image, scale, min_size)
    regions, _ = merge_regions(describe_regions(pixels, labels), neighbours(labels), labels.size, parts)
    boxes = dict.fromkeys(tuple(region.box.tolist()) for region in reversed(regions))
    (height, width), (h, w) = image.shape[:2], labels.shape
    return torch.tensor(list(boxes), dtype=torch.float32) * torch.tensor([width / w, height / h] * 2)
