"""Boxes as torch tensors: three customs of writing one, and the overlap of all pairs."""

import torch

from cvlab._validate import arguments, one_of

__all__ = ["FORMATS", "box_convert", "box_iou", "checked_boxes"]

FORMATS = ("xyxy", "xywh", "cxcywh")


def checked_boxes(value, name: str, fmt: str = "xyxy") -> torch.Tensor:
    """Return `value` when it is a float tensor of sound boxes; a check for `cvlab._validate.arguments`.

    Args:
        value: (N, 4) float32 or float64 in the order that `fmt` tells; N may be 0.
        name: what the caller calls it.
        fmt: "xyxy", "xywh" or "cxcywh".

    Raises:
        TypeError: it is no tensor, or not of float32 or float64.
        ValueError: another shape, NaN or infinite numbers, a corner or a size that turns the box inside out.

    Example:
        >>> checked_boxes(torch.tensor([[5.0, 0, 2, 2]]), "boxes")
        Traceback (most recent call last):
        ...
        ValueError: boxes must be xyxy with x0 <= x1 and y0 <= y1; got boxes[0] = [5.0, 0.0, 2.0, 2.0]. As xywh? box_convert(boxes, "xywh", "xyxy")
    """
    if not isinstance(value, torch.Tensor):
        raise TypeError(
            f"{name} must be a torch tensor; got {type(value).__name__}. torch.as_tensor({name}) makes it one"
        )
    if value.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"{name} must be float32 or float64; got {value.dtype}. {name}.float() makes it so")
    boxes = value.reshape(0, 4) if value.shape == (0,) else value
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        slip = f". One box? {name}[None]" if value.shape == (4,) else ""
        raise ValueError(f"{name} must have shape (N, 4) as {fmt}; got {tuple(value.shape)}{slip}")
    if not boxes.isfinite().all():
        bad = int((~boxes.isfinite().all(1)).nonzero()[0])
        raise ValueError(f"{name} must be finite; got {name}[{bad}] = {boxes[bad].tolist()}")
    sizes = boxes[:, 2:] - boxes[:, :2] if fmt == "xyxy" else boxes[:, 2:]
    if (sizes < 0).any():
        bad = int((sizes < 0).any(1).nonzero()[0])
        wanted, slip = "w and h of at least 0", ""
        if fmt == "xyxy":
            wanted, slip = (
                "x0 <= x1 and y0 <= y1",
                f'. As xywh? box_convert({name}, "xywh", "xyxy")',
            )
        raise ValueError(
            f"{name} must be {fmt} with {wanted}; got {name}[{bad}] = {boxes[bad].tolist()}{slip}"
        )
    return boxes


def _format(value, name: str) -> str:
    return one_of(value, name, FORMATS)


def _as_told(boxes, in_fmt, out_fmt) -> None:
    checked_boxes(boxes, "boxes", in_fmt)


@arguments(_as_told, in_fmt=_format, out_fmt=_format)
def box_convert(boxes: torch.Tensor, in_fmt: str, out_fmt: str) -> torch.Tensor:
    """Write boxes in another custom: by two corners, by corner and size, by centre and size.

    Args:
        boxes: (N, 4) float32 or float64, in pixels or in shares.
        in_fmt: how they are written: "xyxy", "xywh" (COCO) or "cxcywh" (YOLO).
        out_fmt: how they are to be written, one of the same three.

    Returns:
        (N, 4) of the same dtype, a new tensor, bit for bit what `torchvision.ops.box_convert` gives.

    Raises:
        TypeError, ValueError: as `checked_boxes`; also for another format.

    Example:
        >>> box_convert(torch.tensor([[10.0, 20, 40, 60]]), "xyxy", "cxcywh")
        tensor([[25., 40., 30., 40.]])
    """
    if in_fmt == out_fmt:
        return boxes.clone()
    a, b = boxes[:, :2], boxes[:, 2:]  # (N, 2) each
    if in_fmt == "xywh":
        b = a + b
    elif in_fmt == "cxcywh":
        a, b = a - b / 2, a + b / 2
    if out_fmt == "xywh":
        b = b - a
    elif out_fmt == "cxcywh":
        a, b = (a + b) / 2, b - a
    return torch.cat([a, b], dim=1)  # (N, 4)


@arguments(a=checked_boxes, b=checked_boxes)
def box_iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Intersection over union of every box in `a` with every box in `b`, without a loop.

    Args:
        a: (N, 4) float32 or float64 as x0, y0, x1, y1.
        b: (M, 4), likewise.

    Returns:
        (N, M) in [0, 1]; 0 where both boxes are empty, for which `torchvision.ops.box_iou` gives NaN. All else is
        bit for bit torchvision's. Gradients flow to both, and are finite.

    Raises:
        TypeError, ValueError: as `checked_boxes`.

    Example:
        >>> box_iou(torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 0, 3, 2], [5, 5, 6, 6]]))
        tensor([[0.3333, 0.0000]])
    """
    first = torch.maximum(a[:, None, :2], b[None, :, :2])  # (N, M, 2)
    last = torch.minimum(a[:, None, 2:], b[None, :, 2:])  # (N, M, 2)
    width, height = (last - first).clamp(min=0).unbind(2)  # (N, M) each
    inter = width * height
    area_a = (a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1])  # (N,)
    area_b = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])  # (M,)
    union = area_a[:, None] + area_b[None, :] - inter  # (N, M)
    return inter / torch.where(union > 0, union, 1)
