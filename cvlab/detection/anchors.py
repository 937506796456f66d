"""Anchors: a grid of guessed boxes, and which of them answers for which object."""

import math
from collections.abc import Sequence
from numbers import Real

import torch

from cvlab._validate import arguments, positive_int
from cvlab.regions.geometry import box_iou, checked_boxes

__all__ = ["make_anchors", "match_anchors"]


def _positive(value, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number; got {value!r}")
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be positive and finite; got {value}")
    return value


def _positives(values, name: str) -> list[float]:
    if isinstance(values, Real) or not hasattr(values, "__iter__"):
        raise TypeError(f"{name} must be a list of numbers; got {values!r}. Only one? [{values!r}]")
    values = values.tolist() if hasattr(values, "tolist") else list(values)
    if not values:
        raise ValueError(f"{name} must hold at least one number; got none")
    return [_positive(value, f"{name}[{k}]") for k, value in enumerate(values)]


@arguments(height=positive_int, width=positive_int, stride=_positive, sizes=_positives, ratios=_positives)
def make_anchors(
    height: int, width: int, stride: float, sizes: Sequence[float], ratios: Sequence[float]
) -> torch.Tensor:
    """Lay the same few boxes around every place of a map.

    A place is centred at (column * stride, row * stride), the first one in the picture's corner.

    Args:
        height: rows of the map.
        width: columns of the map.
        stride: pixels of the picture from one place to the next.
        sizes: sides of the squares of the same area, in pixels.
        ratios: height / width of each shape.

    Returns:
        (height * width * A, 4) float32 as x0, y0, x1, y1 in pixels of the picture, A = sizes times ratios: row by row,
        then place by place, then ratio by ratio, then size by size. Some lie partly outside the picture.
        torchvision's `AnchorGenerator` gives the same, its shapes rounded to even whole sides.

    Raises:
        TypeError, ValueError: height or width is no whole number of at least 1; stride, a size or a ratio is not
            positive.

    Example:
        >>> make_anchors(1, 2, stride=16, sizes=[8], ratios=[1, 4])
        tensor([[-4., -4.,  4.,  4.],
                [-2., -8.,  2.,  8.],
                [12., -4., 20.,  4.],
                [14., -8., 18.,  8.]])

    Source: Ren et al., Faster R-CNN, NeurIPS 2015; the order is torchvision's.
    """
    sizes = torch.as_tensor(sizes, dtype=torch.float32)
    root = torch.as_tensor(ratios, dtype=torch.float32).sqrt()[:, None]
    h = (root * sizes).flatten()  # (A,) every ratio with every size
    w = (1 / root * sizes).flatten()
    shapes = torch.stack([-w, -h, w, h], dim=1) / 2  # (A, 4)
    y = torch.arange(height)[:, None].expand(height, width)
    x = torch.arange(width).expand(height, width)
    places = torch.stack([x, y, x, y], dim=2) * stride  # (H, W, 4)
    return (places[:, :, None] + shapes).reshape(-1, 4)


def _thresholds(low, high, **_) -> None:
    for name, value in (("low", low), ("high", high)):
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError(f"{name} must be a number; got {value!r}")
    if not 0 <= low <= high <= 1:
        raise ValueError(f"low and high must be IoU with 0 <= low <= high <= 1; got {low} and {high}")


@arguments(_thresholds, anchors=checked_boxes, boxes=checked_boxes)
def match_anchors(
    anchors: torch.Tensor, boxes: torch.Tensor, low: float = 0.3, high: float = 0.7
) -> torch.Tensor:
    """Say of each anchor which object it answers for: the one it overlaps most, if that is enough.

    Args:
        anchors: (N, 4) float32 or float64 as x0, y0, x1, y1.
        boxes: (M, 4), the truths; M may be 0.
        low: an anchor whose best IoU is less is negative: it answers "nothing here".
        high: from this IoU on it is positive; one in between is ignored.

    Returns:
        (N,) int64: the place in `boxes` of the positive ones, -1 negative, -2 ignored. An anchor that no other beats
        for some truth is positive at any IoU above 0, ties too. It answers for the truth that *it* overlaps most,
        which need not be that one. Equal to torchvision's `Matcher` with `allow_low_quality_matches`, but where a
        truth overlaps no anchor: there all anchors that miss it would become positive, here none.

    Raises:
        TypeError, ValueError: as `checked_boxes`; the thresholds are not 0 <= low <= high <= 1.

    Example:
        >>> anchors = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10], [40, 40, 50, 50]])
        >>> match_anchors(anchors, torch.tensor([[4.0, 0, 14, 10]]))
        tensor([-2,  0, -1])

    Source: Ren et al., Faster R-CNN, NeurIPS 2015, section 3.1.2.
    """
    iou = box_iou(boxes, anchors)  # (M, N)
    if iou.numel() == 0:
        return torch.full((len(anchors),), -1)
    best, nearest = iou.max(dim=0)  # (N,) each
    match = nearest.clone()
    match[best < high] = -2
    match[best < low] = -1
    top = iou.amax(dim=1, keepdim=True)  # (M, 1) what no anchor beats
    kept = ((iou == top) & (top > 0)).any(dim=0)  # (N,)
    match[kept] = nearest[kept]
    return match
