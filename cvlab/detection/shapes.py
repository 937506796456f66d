"""Shapes of anchors that are fitted to the boxes of a training set, as YOLOv2 does."""

from collections.abc import Callable

import torch

__all__ = ["fit_shapes", "shape_iou"]


def shape_iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Overlap of boxes of which only the size counts: all are laid on one corner.

    Args:
        a: (N, 2) floats, width and height above 0.
        b: (M, 2), likewise.

    Returns:
        (N, M) intersection over union, above 0 and at most 1.

    Example:
        >>> shape_iou(torch.tensor([[2.0, 2]]), torch.tensor([[2.0, 2], [1, 4]]))
        tensor([[1.0000, 0.3333]])
    """
    inter = torch.minimum(a[:, None], b[None]).prod(2)  # (N, M)
    return inter / (a.prod(1)[:, None] + b.prod(1) - inter)


def fit_shapes(sizes: torch.Tensor, k: int, distance: Callable, seed: int = 0) -> torch.Tensor:
    """Find k shapes in the midst of many, by k-means.

    Args:
        sizes: (N, 2) floats, width and height.
        k: how many shapes, at most N.
        distance: of `sizes` and (k, 2) shapes gives (N, k); `1 - shape_iou` is YOLOv2's.
        seed: which boxes are taken as the first shapes.

    Returns:
        (k, 2) floats, in no order.

    Example:
        >>> sizes = torch.tensor([[10.0, 10], [12, 10], [50, 80], [52, 80]])
        >>> fit_shapes(sizes, 2, torch.cdist).sort(dim=0).values
        tensor([[11., 10.],
                [51., 80.]])

    Source: Redmon and Farhadi, YOLO9000, CVPR 2017, section 2.
    """
    dice = torch.Generator().manual_seed(seed)
    shapes = sizes[torch.randperm(len(sizes), generator=dice)[:k]]
    for _ in range(30):
        mine = distance(sizes, shapes).argmin(1)  # (N,) whose each is
        for j in range(k):
            if (mine == j).any():
                shapes[j] = sizes[mine == j].mean(0)
    return shapes
