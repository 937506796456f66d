"""Lesson 07: `iou`."""

import math
import operator

import numpy as np

from cvlab import boxes
from cvlab.checks._engine.accept import as_float
from cvlab.checks._engine.exercise import Case, Exercise, Mistake

__all__ = ["IOU"]


def _apply(function, a, b):
    return as_float(function(a, b))


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
        ([5, 1, 7, 3], [0, 0, 2, 2]),  # the first one on the right
        ([0, 0, 2, 2], [1, 5, 3, 8]),  # apart, one above the other
        ([1, 5, 3, 8], [0, 0, 2, 2]),
        ([0, 0, 2, 2], [5, 6, 8, 9]),  # apart, diagonally: two negative sides
        ([0, 0, 2, 2], [2, 0, 4, 2]),  # touch
        ([1, 2, 9, 5], [3, 1, 5, 8]),  # a cross
        ([1, 1, 9, 8], [3, 2, 5, 6]),  # one inside the other
        ([75, 80, 525, 520], [90, 120, 590, 430]),
        ([0.5, 1.5, 4.0, 2.25], [1.25, 0.0, 3.0, 2.0]),
        ([0.25, 0.5, 0.75, 1.0], [0.5, 0.5, 1.0, 1.0]),  # shares of a picture, smaller than one pixel
        ([0, 0, 2, 2], [1, 1, 1, 3]),  # an empty box
        ([3, 2, 3, 2], [3, 2, 3, 2]),  # two empty boxes
    ]
    return [Case(np.array(a, float), np.array(b, float)) for a, b in pairs]


def _overlap_over(
    union, *, clip=(True, True), join=operator.mul, extra=0, ends=(0, 1, 2, 3), empty=0.0, corners=(max, min)
):
    """Return an IoU whose slips can be chosen; `union(area_a, area_b, overlap)`."""
    latest, earliest = corners
    x0, y0, x1, y1 = ends

    def iou(a, b):
        sides = (earliest(a[j], b[j]) - latest(a[i], b[i]) + extra for i, j in ((x0, x1), (y0, y1)))
        width, height = (max(0, side) if cut else side for side, cut in zip(sides, clip, strict=True))
        areas = [(v[x1] - v[x0] + extra) * (v[y1] - v[y0] + extra) for v in (a, b)]
        overlap = join(width, height)
        whole = union(*areas, overlap)
        return float(overlap / whole) if whole else empty

    return iou


def _union(a, b, overlap):
    return a + b - overlap


def _unless(apart):
    """Return an IoU that asks for apart boxes with `apart(a, b)` and clips nothing."""
    right = _overlap_over(_union, clip=(False, False), empty=math.nan)
    return lambda a, b: 0.0 if apart(a, b) else right(a, b)


def _sized(a, b):
    return _overlap_over(_union)(*(np.concatenate([box[:2], box[:2] + box[2:]]) for box in (a, b)))


def _crash_on_empty(a, b):
    return _overlap_only(a, b) / float(_both_areas(a, b) - _overlap_only(a, b))


def _overlap_only(a, b):
    width, height = (max(0.0, side) for side in _sides(a, b))
    return width * height


def _beside(a, b):
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def _behind(a, b):
    overlap = max(0, a[2] - b[0]) * max(0, a[3] - b[1])
    whole = _both_areas(a, b) - overlap
    return float(overlap / whole) if whole else 0.0


def _sides_added(a, b):
    whole = sum(box[2] - box[0] + box[3] - box[1] for box in (a, b)) - _overlap_only(a, b)
    return float(_overlap_only(a, b) / whole) if whole else 0.0


def _changes_boxes(a, b):
    found = boxes.iou(a, b)
    for box in (a, b):
        box[2:] -= box[:2]
    return found


def _sides(a, b):
    return [float(min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1)]


def _both_areas(a, b):
    return float((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]))


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
    apply=_apply,
    mistakes=[
        Mistake("no clamp", _overlap_over(_union, clip=(False, False)), "Boxes that are apart get a negative overlap, or even a positive one when both sides are negative. Clip width and height at 0."),
        Mistake("only the width clamped", _overlap_over(_union, clip=(True, False)), "You clip the width but not the height: boxes one above the other get a negative overlap. Clip both at 0."),
        Mistake("only the height clamped", _overlap_over(_union, clip=(False, True)), "You clip the height but not the width: boxes side by side get a negative overlap. Clip both at 0."),
        Mistake("boxes changed", _changes_boxes, "You wrote into the caller's boxes. Give width and height names of their own."),
        Mistake("apart only when b lies behind", _unless(lambda a, b: a[2] < b[0] or a[3] < b[1]), "You notice boxes that are apart only when b lies to the right of a or below it. The other two sides count as well."),
        Mistake("only when a corner lies inside", _unless(lambda a, b: not (a[0] <= b[0] < a[2] and a[1] <= b[1] < a[3])), "You ask whether b's corner lies in a. Boxes can overlap with no corner inside, like a cross. Clip both sides at 0 instead."),
        Mistake("corners exchanged", _overlap_over(_union, corners=(min, max)), "min and max changed places: that is the box around both. The overlap begins at the later edge and ends at the earlier one."),
        Mistake("product clamped", _overlap_over(_union, clip=(False, False), join=lambda w, h: max(0, w * h)), "You clip the product. Two negative sides make a positive product, so boxes that are apart diagonally overlap. Clip each side at 0."),
        Mistake("only both negative", _overlap_over(_union, clip=(False, False), join=lambda w, h: 0 if w < 0 and h < 0 else w * h), "Boxes are apart when either side is negative, not only when both are. Clip each side at 0."),
        Mistake("absolute sides", _overlap_over(_union, clip=(False, False), join=lambda w, h: abs(w) * abs(h)), "`abs` turns a gap between the boxes into an overlap. Clip each side at 0 instead."),
        Mistake("None for boxes that are apart", lambda a, b: None if _beside(a, b) else boxes.iou(a, b), "For boxes that are apart you return None. Their IoU is 0.0."),
        Mistake("areas from the far corner", _far_corner, "`a[2] * a[3]` is `x1 * y1`, the area from the picture's corner. A box covers `(x1 - x0) * (y1 - y0)`."),
        Mistake("plus one pixel", _overlap_over(_union, extra=1), "You add 1 to every side, as old VOC code does for pixels counted inclusively. Here x1 lies just outside."),
        Mistake("x and y swapped", _overlap_over(_union, ends=(0, 2, 1, 3)), "You read the box as x0, x1, y0, y1. The order is x0, y0, x1, y1: width uses numbers 0 and 2."),
        Mistake("xywh taken for xyxy", _sized, "You took the last two numbers for width and height (COCO's x, y, w, h). Here they are x1 and y1."),
        Mistake("overlap counted twice", _overlap_over(lambda a, b, overlap: a + b), "The sum of both areas counts the overlap twice. Subtract it once."),
        Mistake("Dice", _overlap_over(lambda a, b, overlap: (a + b) / 2), "This is the Dice coefficient, `2 * overlap / (a + b)`. Divide by the union instead."),
        Mistake("over the first box", _overlap_over(lambda a, b, overlap: a), "You divided by the area of the first box alone. Then a huge second box would be perfect."),
        Mistake("over the smaller box", _overlap_over(lambda a, b, overlap: min(a, b)), "You divided by the smaller area. A small box inside a large one would be perfect."),
        Mistake("over the larger box", _overlap_over(lambda a, b, overlap: max(a, b)), "You divided by the larger area. The union has the parts that only one box covers, of both."),
        Mistake("over the enclosing box", _enclosing, "You divided by the box around both. The union has no empty corners: `a + b - overlap`."),
        Mistake("overlap added", _overlap_over(lambda a, b, overlap: a + b + overlap), "You add the overlap to the two areas. They hold it twice already: subtract it once."),
        Mistake("area of the first box twice", _overlap_over(lambda a, b, overlap: 2 * a - overlap), "You counted the first box's area twice. The union is area of a + area of b - overlap."),
        Mistake("only the overlap", _overlap_only, "You return the overlap, in square pixels. Divide it by the union."),
        Mistake("turned round", lambda a, b: 1 / boxes.iou(a, b) if boxes.iou(a, b) else 0.0, "The fraction stands on its head: `overlap / union`, so that 1 is the most."),
        Mistake("two empty boxes divide by zero", _overlap_over(_union, empty=math.nan), "Two empty boxes have no union, and you divide by zero. Return 0.0 there."),
        Mistake("two empty boxes crash", _crash_on_empty, "Two empty boxes have no union, and dividing by zero crashes. Return 0.0 there: ... if union > 0 else 0.0."),
        Mistake("no clamp, and two empty boxes divide by zero", _overlap_over(_union, clip=(False, False), empty=math.nan), "Two slips: clip width and height at 0, or boxes that are apart get a negative overlap; and return 0.0 where the union is 0."),
        Mistake("only the width clamped, and two empty boxes divide by zero", _overlap_over(_union, clip=(True, False), empty=math.nan), "Two slips: clip the height at 0, too, or boxes one above the other get a negative overlap; and return 0.0 where the union is 0."),
        Mistake("only the height clamped, and two empty boxes divide by zero", _overlap_over(_union, clip=(False, True), empty=math.nan), "Two slips: clip the width at 0, too, or boxes side by side get a negative overlap; and return 0.0 where the union is 0."),
        Mistake("two empty boxes are the same", _overlap_over(_union, empty=1.0), "Two empty boxes cover nothing, so they share nothing: return 0.0 there."),
        Mistake("rounded", lambda a, b: round(float(boxes.iou(a, b)), 2), "You rounded. Return the number as it is; round when you print."),
        Mistake("percent", lambda a, b: 100 * boxes.iou(a, b), "This is in percent. IoU lies between 0 and 1."),
        Mistake("whole division", lambda a, b: boxes.iou(a, b) // 1, "`//` throws the fraction away. Divide with `/`."),
        Mistake("only for b behind", _behind, "`a[2] - b[0]` is the overlap only when b begins and ends later. In general: `min(a[2], b[2]) - max(a[0], b[0])`."),
        Mistake("sides added", _sides_added, "You add the sides of the boxes. An area is width times height."),
    ],
    hints=[
        "The overlap starts at the later of the two left edges. Where does it end?",
        "What is this for boxes that are apart, and what should it be?\n"
        "    width = min(a[2], b[2]) - max(a[0], b[0])",
        "The sum of the areas counts the overlap twice:\n"
        "    union = area_a + area_b - overlap",
    ],
    note="Boxes that are apart share nothing: 0.0, neither None nor an error.",
)  # fmt: skip
