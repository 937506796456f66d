"""Cut regions from a feature map, whatever their size, as grids of one size: RoI pool and RoI align."""

import numpy as np
import torch

from cvlab._validate import arguments, positive_int
from cvlab.regions.geometry import checked_boxes

__all__ = ["bilinear_weights", "roi_align", "roi_pool"]


def _map(value, name: str) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        raise TypeError(
            f"{name} must be a torch tensor; got {type(value).__name__}. torch.as_tensor({name}) makes it one"
        )
    if value.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"{name} must be float32 or float64; got {value.dtype}. {name}.float() makes it so")
    if value.ndim != 3:
        slip = {2: f". One channel? {name}[None]", 4: f". A batch? Pass one picture's map: {name}[0]"}
        raise ValueError(
            f"{name} must have shape (C, H, W); got {tuple(value.shape)}{slip.get(value.ndim, '')}"
        )
    if 0 in value.shape[1:]:
        raise ValueError(
            f"{name} must have at least one cell; got {tuple(value.shape)}. "
            "Was the picture smaller than the stride?"
        )
    return value


def _scale(value, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number; got {value!r}")
    if not 0 < value < float("inf"):
        slip = ". It is 1 / stride: 1 / 16 for a map of stride 16"
        raise ValueError(f"{name} must be greater than 0 and finite; got {value!r}{slip}")
    return float(value)


def _whole(value, name: str) -> int:
    return max(0, positive_int(value, name, least=-1))


def _one_dtype(feature, boxes, **_) -> None:
    if feature.dtype != boxes.dtype:
        raise TypeError(
            f"feature and boxes must have one dtype; got {feature.dtype} and {boxes.dtype}. "
            "boxes.to(feature.dtype) makes it so"
        )


@arguments(_one_dtype, feature=_map, boxes=checked_boxes, size=positive_int, scale=_scale)
def roi_pool(feature: torch.Tensor, boxes: torch.Tensor, size: int, scale: float) -> torch.Tensor:
    """Cut each box from a map, round it to whole cells, and keep the largest number of each of size x size parts.

    Args:
        feature: (C, H, W) float32 or float64, the map of one picture.
        boxes: (N, 4) as x0, y0, x1, y1 in pixels of the picture, of the map's dtype; N may be 0.
        size: cells a side of what is cut, at least 1.
        scale: cells of the map a pixel: 1 / stride.

    Returns:
        (N, C, size, size) of the map's dtype; 0 in parts that lie wholly outside the map.

    Raises:
        TypeError: no tensors, another dtype, or two different ones.
        ValueError: a wrong shape, NaN, a box inside out, a map without cells, a scale of 0 or less.

    Example:
        >>> roi_pool(torch.arange(16.0).reshape(1, 4, 4), torch.tensor([[0.0, 0, 2, 2]]), 2, 1.0)
        tensor([[[[ 5.,  6.],
                  [ 9., 10.]]]])

    Source: R. Girshick, Fast R-CNN, ICCV 2015; `torchvision.ops.roi_pool`.
    """
    boxes = boxes * scale  # in cells
    boxes = (boxes + boxes.frac()).long()  # nearest, halves up
    pooled = feature.new_zeros(len(boxes), len(feature), size, size)
    for k, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        w, h = x1 - x0 + 1, y1 - y0 + 1  # the last cell counts
        for i, j in np.ndindex(size, size):
            top = y0 + i * h // size
            bottom = y0 - (i + 1) * h // -size
            left = x0 + j * w // size
            right = x0 - (j + 1) * w // -size
            part = feature[:, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
            if part.numel():
                pooled[k, :, i, j] = part.amax((1, 2))
    return pooled


def bilinear_weights(places: torch.Tensor, length: int) -> torch.Tensor:
    """Return how much each cell of a row counts at each place: 1 at its centre, falling to 0 at its neighbours'.

    Args:
        places: (n,) floats, in cells: 0 is the centre of the first, length - 1 of the last.
        length: cells of the row.

    Returns:
        (n, length) of the dtype of `places`: rows sum to 1; to 0 where the place is more than one cell outside.

    Example:
        >>> bilinear_weights(torch.tensor([1.25, -0.5, -1.5]), 3)
        tensor([[0.0000, 0.7500, 0.2500],
                [1.0000, 0.0000, 0.0000],
                [0.0000, 0.0000, 0.0000]])
    """
    inside = (places >= -1) & (places <= length)
    places = places.clamp(0, length - 1)
    apart = places[:, None] - torch.arange(length)  # (n, length)
    return (1 - apart.abs()).clamp(min=0) * inside[:, None]


@arguments(_one_dtype, feature=_map, boxes=checked_boxes, size=positive_int, scale=_scale, sampling=_whole)
def roi_align(
    feature: torch.Tensor,
    boxes: torch.Tensor,
    size: int,
    scale: float,
    sampling: int = 2,
    aligned: bool = True,
) -> torch.Tensor:
    """Cut each box from a map without rounding: the mean of bilinear samples in each of size x size parts.

    Args:
        feature: (C, H, W) float32 or float64, the map of one picture.
        boxes: (N, 4) as x0, y0, x1, y1 in pixels of the picture, of the map's dtype; N may be 0.
        size: cells a side of what is cut, at least 1.
        scale: cells of the map a pixel: 1 / stride.
        sampling: samples a side of a part; 0 or -1: as many as cells of the map that it spans, rounded up.
        aligned: whether a cell's number stands at its centre; False is the first version, half a cell off, in
            which no box is smaller than one cell.

    Returns:
        (N, C, size, size) of the map's dtype; samples more than a cell outside the map count as 0.

    Raises:
        TypeError, ValueError: as `roi_pool`.

    Example:
        >>> roi_align(torch.arange(16.0).reshape(1, 4, 4), torch.tensor([[1.0, 1, 3, 3]]), 2, 1.0)
        tensor([[[[ 5.,  6.],
                  [ 9., 10.]]]])

    Source: K. He, G. Gkioxari, P. Dollar, R. Girshick, Mask R-CNN, ICCV 2017; `torchvision.ops.roi_align`.
    """
    C, H, W = feature.shape
    pooled = feature.new_zeros(len(boxes), C, size, size)
    boxes = boxes * scale - (0.5 if aligned else 0)  # in cells
    for k, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        weights, counts = [], []
        for start, end, length in ((y0, y1, H), (x0, x1, W)):
            side = end - start if aligned else max(end - start, 1)
            part = side / size
            n = sampling if sampling > 0 else int(np.ceil(part))
            steps = torch.arange(size * n, dtype=feature.dtype)
            places = start + part * (steps + 0.5) / max(n, 1)
            weights.append(bilinear_weights(places, length))
            counts.append(n)
        down, across = counts
        samples = weights[0] @ feature @ weights[1].T
        samples = samples.reshape(C, size, down, size, across)
        pooled[k] = samples.sum((2, 4)) / max(down * across, 1)
    return pooled
