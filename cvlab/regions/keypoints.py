"""Points of a thing that are known exactly, because its mask is: the four outermost; and how near a guess comes."""

import numpy as np
import torch

from cvlab._validate import arguments, as_array

__all__ = ["POINTS", "cover", "extreme_points", "pck", "point_errors"]

POINTS = ("left", "top", "right", "bottom")


def _masks(value, name: str) -> np.ndarray:
    masks = as_array(value, name)
    if masks.ndim != 3 or masks.dtype != bool:
        raise ValueError(
            f"{name} must be (N, H, W) bool; got {masks.shape} {masks.dtype}. One mask? {name}[None]"
        )
    empty = np.flatnonzero(~masks.any(axis=(1, 2)))
    if len(empty):
        raise ValueError(f"{name} must each hold a pixel; got {name}[{empty[0]}] without one")
    return masks


@arguments(masks=_masks)
def extreme_points(masks: np.ndarray) -> torch.Tensor:
    """Return the left-, top-, right- and bottommost point of each mask, where its box touches it.

    Args:
        masks: (N, H, W) bool, each with a pixel at least.

    Returns:
        (N, 4, 2) float32 x, y in pixels, on the box's edge; of several outermost pixels, the middle.

    Example:
        >>> extreme_points(np.ones((1, 2, 4), bool)).tolist()
        [[[0.0, 1.0], [2.0, 0.0], [4.0, 1.0], [2.0, 2.0]]]

    Source: Papadopoulos, Uijlings, Keller, Ferrari, Extreme clicking for efficient object annotation, ICCV 2017.
    """
    found = []
    for mask in masks:
        y, x = mask.nonzero()
        x0, y0, x1, y1 = x.min(), y.min(), x.max(), y.max()
        along = (y[x == x0], x[y == y0], y[x == x1], x[y == y1])  # the outermost pixels of each side
        left, top, right, bottom = ((v.min() + v.max() + 1) / 2 for v in along)
        found.append([[x0, left], [top, y0], [x1 + 1, right], [bottom, y1 + 1]])
    return torch.tensor(found, dtype=torch.float32).reshape(-1, 4, 2)


def cover(images: np.ndarray, points: torch.Tensor, which: torch.Tensor, side: int = 56) -> np.ndarray:
    """Lay a grey card over one point of each picture.

    Args:
        images: (N, H, W, 3) uint8.
        points: (N, K, 2) x, y in pixels.
        which: (N,) int64, the point that is covered.
        side: of the square card, in pixels; its middle is the point.

    Returns:
        (N, H, W, 3) uint8, a copy.

    Raises:
        ValueError: not one `which` a picture, or one that is no point.

    Example:
        >>> card = cover(np.zeros((1, 8, 8, 3), np.uint8), torch.tensor([[[4.0, 4.0]]]), torch.tensor([0]), side=2)
        >>> int((card > 0).all(axis=3).sum())
        4
    """
    if which.shape != (len(images),) or len(points) != len(images):
        raise ValueError(
            f"which must name one point a picture, shape ({len(images)},); got {tuple(which.shape)}"
        )
    if ((which < 0) | (which >= points.shape[1])).any():
        raise ValueError(f"which must be 0 to {points.shape[1] - 1}; got {which.tolist()}")
    images = images.copy()
    for image, of_it, k in zip(images, points, which, strict=True):
        x, y = (int(v) - side // 2 for v in of_it[k].tolist())
        image[max(y, 0) : max(y + side, 0), max(x, 0) : max(x + side, 0)] = 128
    return images


def point_errors(found: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Return the distance of each point from the true one.

    Args:
        found: (N, K, 2) x, y in pixels.
        truth: likewise.

    Returns:
        (N, K) pixels.

    Raises:
        ValueError: the shapes differ, or are others.

    Example:
        >>> point_errors(torch.tensor([[[3.0, 4.0]]]), torch.zeros(1, 1, 2))
        tensor([[5.]])
    """
    if found.shape != truth.shape or found.ndim != 3 or found.shape[2] != 2:
        raise ValueError(
            f"found and truth must both be (N, K, 2) as x, y; got {tuple(found.shape)} and {tuple(truth.shape)}"
        )
    return (found - truth).norm(dim=2)


def pck(found: torch.Tensor, truth: torch.Tensor, sizes: torch.Tensor, share: float = 0.1) -> float:
    """Percentage of correct keypoints, from 0 to 1: those within a share of the thing's longer side.

    Args:
        found: (N, K, 2) x, y in pixels.
        truth: likewise.
        sizes: (N,) the longer side of each thing's box, in pixels.
        share: how much of it still counts as right.

    Raises:
        ValueError: shapes that do not belong together.

    Example:
        >>> pck(torch.tensor([[[3.0, 4.0], [0.0, 1.0]]]), torch.zeros(1, 2, 2), torch.tensor([20.0]))
        0.5

    Source: Yang, Ramanan, Articulated human detection with flexible mixtures of parts, PAMI 2013.
    """
    errors = point_errors(found, truth)
    if sizes.shape != errors.shape[:1]:
        raise ValueError(
            f"sizes must hold one number a thing, shape {tuple(errors.shape[:1])}; got {tuple(sizes.shape)}"
        )
    return (errors <= share * sizes[:, None]).float().mean().item()
