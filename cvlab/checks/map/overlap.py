"""Lesson 07: `iou`."""

import numpy as np

from cvlab import boxes
from cvlab.checks._engine.exercise import Case, Exercise, Mistake

__all__ = ["IOU"]


def _iou_other(a, b) -> float:
    """Cut the two intervals on each axis, then compare areas."""
    sides = [max(0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1)]
    first, second = ((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    shared = float(sides[0] * sides[1])
    covered = first + second - shared
    return shared / covered if covered else 0.0


def _iou_cases() -> list[Case]:
    pairs = [
        ([0, 0, 2, 2], [1, 0, 3, 2]),
        ([0, 0, 4, 2], [0, 0, 4, 2]),
        ([0, 0, 2, 2], [5, 0, 7, 2]),  # apart, side by side
        ([0, 0, 2, 2], [5, 6, 8, 9]),  # apart, diagonally: two negative sides
        ([0, 0, 2, 2], [2, 0, 4, 2]),  # touch
        ([1, 2, 9, 5], [3, 1, 5, 8]),  # a cross
        ([75, 80, 525, 520], [90, 120, 590, 430]),
        ([0.5, 1.5, 4.0, 2.25], [1.25, 0.0, 3.0, 2.0]),
    ]
    arrays = [Case(np.array(a, float), np.array(b, float)) for a, b in pairs[1:]]
    return [Case(*pairs[0]), *arrays]  # the first as lists: plain numbers, plain float


def _overlap_over(union, *, clip=True, extra=0, ends=(0, 1, 2, 3), sized=False):
    """Return an IoU whose slips can be chosen; `union(area_a, area_b, overlap)`."""

    def iou(a, b):
        x0, y0, x1, y1 = ends
        a, b = np.asarray(a), np.asarray(b)
        a, b = (np.concatenate([v[:2], v[:2] + v[2:]]) if sized else v for v in (a, b))
        width, height = (min(a[j], b[j]) - max(a[i], b[i]) + extra for i, j in ((x0, x1), (y0, y1)))
        if clip:
            width, height = max(0, width), max(0, height)
        areas = [(v[x1] - v[x0] + extra) * (v[y1] - v[y0] + extra) for v in (a, b)]
        overlap = width * height if clip != "product" else max(0, width * height)
        whole = union(*areas, overlap)
        return float(overlap / whole) if whole else 0.0

    return iou


def _union(a, b, overlap):
    return a + b - overlap


def _clip_product(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    overlap = max(0, width * height)
    whole = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - overlap
    return float(overlap / whole) if whole else 0.0


def _sides(a, b):
    return [float(min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1)]


def _both_areas(a, b):
    return float((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]))


def _apart_if_both(a, b):
    width, height = _sides(a, b)
    overlap = 0.0 if width < 0 and height < 0 else width * height
    whole = _both_areas(a, b) - overlap
    return overlap / whole if whole else 0.0


def _absolute(a, b):
    width, height = _sides(a, b)
    overlap = abs(width) * abs(height)
    whole = _both_areas(a, b) - overlap
    return overlap / whole if whole else 0.0


def _far_corner(a, b):
    width, height = (max(0.0, side) for side in _sides(a, b))
    whole = float(a[2] * a[3] + b[2] * b[3]) - width * height
    return width * height / whole if whole else 0.0


def _enclosing(a, b):
    width, height = (max(0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1))
    whole = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return float(width * height / whole) if whole else 0.0


IOU = Exercise(
    name="iou",
    lesson="07",
    minutes=8,
    difficulty="medium",
    reference=boxes.iou,
    other=_iou_other,
    cases=_iou_cases,
    mistakes=[
        Mistake(
            "no clamp",
            _overlap_over(_union, clip=False),
            "Boxes that are apart get a negative overlap, or even a positive one when both sides are negative. "
            "Clip width and height at 0.",
        ),
        Mistake(
            "product clamped",
            _clip_product,
            "You clip the product. Two negative sides make a positive product, so boxes that are apart "
            "diagonally overlap. Clip each side at 0.",
        ),
        Mistake(
            "only both negative",
            _apart_if_both,
            "Boxes are apart when either side is negative, not only when both are. Clip each side at 0.",
        ),
        Mistake(
            "absolute sides",
            _absolute,
            "abs turns a gap between the boxes into an overlap. Clip each side at 0 instead.",
        ),
        Mistake(
            "None for boxes that are apart",
            lambda a, b: boxes.iou(a, b) or None,
            "For boxes that are apart you return None, as the notes' function does. Their IoU is 0.0.",
        ),
        Mistake(
            "areas from the far corner",
            _far_corner,
            "a[2] * a[3] is x1 * y1, the area from the picture's corner. A box covers (x1 - x0) * (y1 - y0).",
        ),
        Mistake(
            "plus one pixel",
            _overlap_over(_union, extra=1),
            "You add 1 to every side, as old VOC code does for pixels counted inclusively. Here x1 lies just outside.",
        ),
        Mistake(
            "x and y swapped",
            _overlap_over(_union, ends=(0, 2, 1, 3)),
            "You read the box as x0, x1, y0, y1. The order is x0, y0, x1, y1: width uses numbers 0 and 2.",
        ),
        Mistake(
            "xywh taken for xyxy",
            _overlap_over(_union, sized=True),
            "You took the last two numbers for width and height (COCO's x, y, w, h). Here they are x1 and y1.",
        ),
        Mistake(
            "overlap counted twice",
            _overlap_over(lambda a, b, overlap: a + b),
            "The sum of both areas counts the overlap twice. Subtract it once.",
        ),
        Mistake(
            "Dice",
            _overlap_over(lambda a, b, overlap: (a + b) / 2),
            "This is the Dice coefficient, 2 * overlap / (a + b). Divide by the union instead.",
        ),
        Mistake(
            "over the first box",
            _overlap_over(lambda a, b, overlap: a),
            "You divided by the area of the first box alone. Then a huge second box would be perfect.",
        ),
        Mistake(
            "over the smaller box",
            _overlap_over(lambda a, b, overlap: min(a, b)),
            "You divided by the smaller area. A small box inside a large one would be perfect.",
        ),
        Mistake(
            "over the larger box",
            _overlap_over(lambda a, b, overlap: max(a, b)),
            "You divided by the larger area. The union has the parts that only one box covers, of both.",
        ),
        Mistake(
            "over the enclosing box",
            _enclosing,
            "You divided by the box around both. The union has no empty corners: a + b - overlap.",
        ),
        Mistake(
            "percent",
            lambda a, b: 100 * boxes.iou(a, b),
            "This is in percent. IoU lies between 0 and 1.",
        ),
    ],
    hints=[
        "The overlap starts at the later of the two left edges. Where does it end?",
        "width = min(a[2], b[2]) - max(a[0], b[0]). What is it for boxes that are apart, and what should it be?",
        "union = area of a + area of b - overlap, because the sum counts the overlap twice.",
    ],
    note="The notes' own function returns None for boxes that are apart; yours returns 0.",
)
