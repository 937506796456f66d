"""How far a box is from its anchor, as four numbers, and back."""

import math

import torch

from cvlab._validate import arguments
from cvlab.regions.geometry import checked_boxes

__all__ = ["decode_boxes", "encode_boxes"]


def _with_area(value, name: str) -> torch.Tensor:
    value = checked_boxes(value, name)
    empty = (value[:, 2:] <= value[:, :2]).any(1)
    if empty.any():
        bad = int(empty.nonzero()[0])
        raise ValueError(
            f"{name} must have a width and a height above 0; got {name}[{bad}] = {value[bad].tolist()}. "
            f"An empty box has no logarithm of a size: leave it out before"
        )
    return value


def _four_numbers(value, name: str) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{name} must be a torch tensor; got {type(value).__name__}")
    if not value.is_floating_point():
        raise TypeError(f"{name} must be floats; got {value.dtype}. {name}.float() makes it so")
    if value.ndim != 2 or value.shape[1] != 4:
        slip = f". One box? {name}[None]" if value.shape == (4,) else ""
        raise ValueError(
            f"{name} must have shape (N, 4) as dx, dy, log w, log h; got {tuple(value.shape)}{slip}"
        )
    if not value.isfinite().all():
        bad = int((~value.isfinite().all(1)).nonzero()[0])
        raise ValueError(
            f"{name} must be finite; got {name}[{bad}] = {value[bad].tolist()}. "
            "The net ran away: a smaller learning rate, or an empty box was encoded"
        )
    return value


def _one_each(anchors, **other) -> None:
    ((name, rows),) = other.items()
    if len(rows) != len(anchors):
        raise ValueError(
            f"{name} and anchors must have one row for each other; got {len(rows)} and {len(anchors)}. "
            "boxes[match] repeats each truth for its anchors"
        )


@arguments(_one_each, boxes=_with_area, anchors=_with_area)
def encode_boxes(boxes: torch.Tensor, anchors: torch.Tensor) -> torch.Tensor:
    """Write each box as its distance from an anchor, in the anchor's own measure.

    Args:
        boxes: (N, 4) float32 or float64 as x0, y0, x1, y1, each with a width and a height.
        anchors: (N, 4), likewise, one a box.

    Returns:
        (N, 4): how far the centre is to the right and down, as shares of the anchor's width and height; then the
        natural logarithms of width and height over the anchor's. Bit for bit torchvision's `BoxCoder` with weights
        of 1; where a net uses others, multiply by them, and divide before decoding.

    Raises:
        TypeError, ValueError: as `checked_boxes`; an empty box; not one anchor a box.

    Example:
        >>> encode_boxes(torch.tensor([[10.0, 0, 30, 20]]), torch.tensor([[0.0, 0, 20, 40]])).round(decimals=2)
        tensor([[ 0.5000, -0.2500,  0.0000, -0.6900]])

    Source: Girshick et al., R-CNN, CVPR 2014, appendix C.
    """
    size = anchors[:, 2:] - anchors[:, :2]  # (N, 2)
    wanted = boxes[:, 2:] - boxes[:, :2]
    centre, goal = anchors[:, :2] + size / 2, boxes[:, :2] + wanted / 2
    return torch.cat([(goal - centre) / size, (wanted / size).log()], 1)  # (N, 4)


@arguments(_one_each, offsets=_four_numbers, anchors=checked_boxes)
def decode_boxes(offsets: torch.Tensor, anchors: torch.Tensor) -> torch.Tensor:
    """Move and stretch each anchor by four numbers: undo `encode_boxes`.

    Args:
        offsets: (N, 4) floats: the centre's move in shares of the anchor's width and height, then two logarithms of
            sizes, of which at most `log(1000 / 16)` counts, so that no size overflows.
        anchors: (N, 4) float32 or float64 as x0, y0, x1, y1, one a row.

    Returns:
        (N, 4) boxes as x0, y0, x1, y1, none inside out; they may leave the picture. Gradients flow to `offsets`. As
        torchvision's `BoxCoder` with weights of 1 decodes.

    Raises:
        TypeError, ValueError: as `checked_boxes`; NaN or infinite offsets; not one anchor a row.

    Example:
        >>> decode_boxes(torch.tensor([[0.5, 0.25, 0, -0.6931]]), torch.tensor([[0.0, 0, 20, 40]])).round()
        tensor([[10., 20., 30., 40.]])

    Source: Girshick et al., R-CNN, CVPR 2014, appendix C; the limit is torchvision's.
    """
    size = anchors[:, 2:] - anchors[:, :2]  # (N, 2)
    centre = anchors[:, :2] + size / 2 + offsets[:, :2] * size
    size = size * offsets[:, 2:].clamp(max=math.log(1000 / 16)).exp()
    return torch.cat([centre - size / 2, centre + size / 2], dim=1)  # (N, 4)
