"""Boxes: overlap and intersection over union, and the four ways in which files write a box."""

import numpy as np

from cvlab import _validate

__all__ = [
    "box_area",
    "box_iou",
    "box_overlap",
    "iou",
    "voc_to_xyxy",
    "xywh_to_xyxy",
    "xyxy_to_voc",
    "xyxy_to_xywh",
    "xyxy_to_yolo",
    "yolo_to_xyxy",
]


def _sized(value, name: str, form: str = "x, y, w, h") -> np.ndarray:
    array = _validate.box_rows(value, name, form)
    bad = np.flatnonzero((array[:, 2:] < 0).any(axis=1))
    if len(bad):
        raise ValueError(
            f"{name} must be {form} with w and h of at least 0; got {name}[{bad[0]}] = {array[bad[0]].tolist()}"
        )
    return array


def _one(value, name: str):
    _validate.boxes([value], name)
    return value


def _yolo(value, name: str) -> np.ndarray:
    array = _sized(value, name, "cx, cy, w, h")
    bad = np.flatnonzero((array > 1).any(axis=1) | (array[:, :2] < 0).any(axis=1))
    if len(bad):
        raise ValueError(
            f"{name} must be shares of the picture in [0, 1]; got {name}[{bad[0]}] = {array[bad[0]].tolist()}. "
            "In pixels? xyxy_to_yolo divides by the size"
        )
    return array


def _voc(value, name: str) -> np.ndarray:
    array = _validate.boxes(value, name)
    bad = np.flatnonzero((array[:, :2] < 1).any(axis=1))
    if len(bad):
        raise ValueError(
            f"{name} must count pixels from 1, as VOC does; got {name}[{bad[0]}] = {array[bad[0]].tolist()}. "
            "Already counted from 0? Then use it as it is"
        )
    return array


def _not_empty(boxes) -> None:
    bad = np.flatnonzero((boxes[:, 2:] <= boxes[:, :2]).any(axis=1))
    if len(bad):
        raise ValueError(
            f"boxes must have an area, because a VOC box holds at least one pixel; got boxes[{bad[0]}] = "
            f"{boxes[bad[0]].tolist()}"
        )


def _inside(boxes, height, width) -> None:
    bad = np.flatnonzero((boxes < 0).any(axis=1) | (boxes[:, 2] > width) | (boxes[:, 3] > height))
    if len(bad):
        raise ValueError(
            f"boxes must lie inside the picture, {height} rows by {width} columns; got boxes[{bad[0]}] = "
            f"{boxes[bad[0]].tolist()}. Clip first: boxes[:, 0::2].clip(0, width), boxes[:, 1::2].clip(0, height)"
        )


@_validate.arguments(boxes=_validate.boxes)
def box_area(boxes: np.ndarray) -> np.ndarray:
    """Area of each box, in square pixels.

    Args:
        boxes: (N, 4) as x0, y0, x1, y1 in pixels.

    Returns:
        (N,) floats; 0 for a box without width or height.

    Example:
        >>> box_area([[0, 0, 3, 2]]).tolist()
        [6.0]
    """
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


@_validate.arguments(a=_validate.boxes, b=_validate.boxes)
def box_overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Area that every box in `a` shares with every box in `b`.

    Args:
        a: (N, 4) as x0, y0, x1, y1 in pixels.
        b: (M, 4), likewise.

    Returns:
        (N, M) areas in square pixels; 0 where two boxes are apart or only touch.

    Example:
        >>> box_overlap([[0, 0, 2, 2]], [[1, 1, 3, 3], [5, 5, 6, 6]]).tolist()
        [[1.0, 0.0]]
    """
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])  # (N, M, 2)
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])  # (N, M, 2)
    return (bottom_right - top_left).clip(min=0).prod(axis=2)  # (N, M); negative means apart


@_validate.arguments(a=_validate.boxes, b=_validate.boxes)
def box_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Overlap of every box in `a` with every box in `b`: 0 is apart, 1 is the same box.

    Args:
        a: (N, 4) as x0, y0, x1, y1 in pixels, with x0 <= x1 and y0 <= y1.
        b: (M, 4), likewise.

    Returns:
        (N, M) intersection over union in [0, 1]; 0 where both boxes are empty.

    Example:
        >>> box_iou([[0, 0, 2, 2]], [[1, 0, 3, 2]]).round(3)
        array([[0.333]])

    Source: the Jaccard index as used by Pascal VOC (Everingham et al., IJCV 2010).
    """
    inter = box_overlap(a, b)  # (N, M)
    union = box_area(a)[:, None] + box_area(b)[None, :] - inter
    return np.divide(inter, union, out=np.zeros(inter.shape), where=inter > 0)


@_validate.arguments(a=_one, b=_one)
def iou(a, b) -> float:
    """Intersection over union of two boxes: the area they share, as a part of the area they cover.

    Args:
        a: four numbers x0, y0, x1, y1 in pixels.
        b: likewise.

    Returns:
        a float in [0, 1]; 0 where the boxes are apart, and where both are empty.

    Example:
        >>> iou([0, 0, 2, 2], [1, 0, 3, 2])
        0.3333333333333333
    """
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    overlap = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - overlap
    return overlap / union if union > 0 else 0.0


@_validate.arguments(boxes=_sized)
def xywh_to_xyxy(boxes: np.ndarray) -> np.ndarray:
    """Turn COCO's corner and size into two corners.

    Args:
        boxes: (N, 4) as x, y, w, h in pixels.

    Returns:
        (N, 4) floats as x0, y0, x1, y1.

    Example:
        >>> xywh_to_xyxy([[75, 80, 450, 440]]).tolist()
        [[75.0, 80.0, 525.0, 520.0]]
    """
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)  # (N, 4)


@_validate.arguments(boxes=_validate.boxes)
def xyxy_to_xywh(boxes: np.ndarray) -> np.ndarray:
    """Turn two corners into COCO's corner and size; undoes `xywh_to_xyxy`.

    Args:
        boxes: (N, 4) as x0, y0, x1, y1 in pixels.

    Returns:
        (N, 4) floats as x, y, w, h.

    Example:
        >>> xyxy_to_xywh([[75, 80, 525, 520]]).tolist()
        [[75.0, 80.0, 450.0, 440.0]]
    """
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)  # (N, 4)


@_validate.arguments(
    _inside,
    boxes=_validate.boxes,
    height=_validate.positive_int,
    width=_validate.positive_int,
)
def xyxy_to_yolo(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Turn two corners into YOLO's centre and size, as shares of the picture.

    Args:
        boxes: (N, 4) as x0, y0, x1, y1 in pixels, inside the picture.
        height: rows of the picture.
        width: columns of the picture.

    Returns:
        (N, 4) floats cx, cy, w, h in [0, 1].

    Example:
        >>> xyxy_to_yolo([[0, 0, 50, 50]], height=100, width=200).tolist()
        [[0.125, 0.25, 0.25, 0.5]]
    """
    centers, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]  # (N, 2) each
    return np.concatenate([centers, sizes], axis=1) / [width, height, width, height]


@_validate.arguments(boxes=_yolo, height=_validate.positive_int, width=_validate.positive_int)
def yolo_to_xyxy(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Turn YOLO's centre and size into two corners in pixels; undoes `xyxy_to_yolo`.

    Args:
        boxes: (N, 4) as cx, cy, w, h, shares of the picture in [0, 1].
        height: rows of the picture.
        width: columns of the picture.

    Returns:
        (N, 4) floats as x0, y0, x1, y1 in pixels.

    Example:
        >>> yolo_to_xyxy([[0.125, 0.25, 0.25, 0.5]], height=100, width=200).tolist()
        [[0.0, 0.0, 50.0, 50.0]]
    """
    pixels = boxes * [width, height, width, height]
    return np.concatenate([pixels[:, :2] - pixels[:, 2:] / 2, pixels[:, :2] + pixels[:, 2:] / 2], axis=1)


@_validate.arguments(boxes=_voc)
def voc_to_xyxy(boxes: np.ndarray) -> np.ndarray:
    """Turn VOC's first and last pixel, counted from 1, into corners counted from 0.

    Args:
        boxes: (N, 4) as xmin, ymin, xmax, ymax; the last pixel belongs to the box.

    Returns:
        (N, 4) floats as x0, y0, x1, y1, with x1, y1 just outside.

    Example:
        >>> voc_to_xyxy([[1, 1, 1, 1]]).tolist()
        [[0.0, 0.0, 1.0, 1.0]]

    Source: the VOC2012 development kit, section "Annotation format".
    """
    return boxes - [1, 1, 0, 0]


@_validate.arguments(_not_empty, boxes=_validate.boxes)
def xyxy_to_voc(boxes: np.ndarray) -> np.ndarray:
    """Turn corners counted from 0 into VOC's first and last pixel; undoes `voc_to_xyxy`.

    Args:
        boxes: (N, 4) as x0, y0, x1, y1 in pixels, none empty.

    Returns:
        (N, 4) floats as xmin, ymin, xmax, ymax, counted from 1.

    Example:
        >>> xyxy_to_voc([[0, 0, 1, 1]]).tolist()
        [[1.0, 1.0, 1.0, 1.0]]
    """
    return boxes + [1, 1, 0, 0]
