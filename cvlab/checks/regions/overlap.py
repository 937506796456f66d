"""The exercise of lesson 06a on all pairs at once: `box_iou`."""

import torch

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.regions import geometry

__all__ = ["BOX_IOU"]


def _case(a, b, dtype="float32") -> Case:
    more = "" if dtype == "float32" else f", dtype=torch.{dtype}"
    texts = [f"torch.tensor({boxes}{more})" if boxes else "torch.zeros(0, 4)" for boxes in (a, b)]
    first, second = (torch.tensor(boxes, dtype=getattr(torch, dtype)).reshape(-1, 4) for boxes in (a, b))
    return Case(a=first, b=second).shown_as(f"box_iou({', '.join(texts)})")


def _cases() -> list[Case]:
    return [
        _case([[0.0, 0.0, 2.0, 2.0]], [[1.0, 0.0, 3.0, 2.0]]),
        _case([[0.0, 0.0, 2.0, 2.0]], [[0.0, 0.0, 2.0, 2.0]]),
        _case([[0.0, 0.0, 2.0, 2.0]], [[5.0, 0.0, 7.0, 2.0]]),  # apart, side by side
        _case([[0.0, 0.0, 2.0, 2.0]], [[1.0, 5.0, 3.0, 8.0]]),  # one above the other
        _case([[0.0, 0.0, 2.0, 2.0]], [[5.0, 6.0, 8.0, 9.0]]),  # diagonally: two negative sides
        _case([[1.0, 2.0, 9.0, 5.0]], [[3.0, 1.0, 5.0, 8.0]]),  # a cross
        _case([[1.0, 1.0, 9.0, 8.0]], [[3.0, 2.0, 5.0, 6.0]]),  # one inside the other
        _case([[0.25, 0.5, 0.5, 0.75]], [[0.375, 0.5, 0.5, 1.0]]),  # shares of a picture
        _case([[0.5, 0.5, 0.501, 0.501]], [[0.5, 0.5, 0.502, 0.501]], "float64"),  # tiny
        _case([[3.0, 2.0, 3.0, 2.0]], [[3.0, 2.0, 3.0, 2.0]]),  # two empty boxes
        _case([[0.0, 0.0, 2.0, 2.0], [4.0, 1.0, 8.0, 4.0]], [[1.0, 0.0, 3.0, 2.0], [3.0, 1.0, 8.0, 3.0]]),
        _case([[0.0, 0.0, 4.0, 3.0], [2.0, 1.0, 6.0, 4.0]],
              [[1.0, 0.0, 3.0, 2.0], [5.0, 3.0, 9.0, 9.0], [2.0, 1.0, 6.0, 4.0]]),
        _case([], [[0.0, 0.0, 2.0, 2.0]]),
        _case([[0.0, 0.0, 2.0, 2.0]], []),
    ]  # fmt: skip


def _other(a, b):
    """A row for each box of `a`, and the sides one after the other."""
    rows = [torch.zeros(0, len(b), dtype=a.dtype)]
    for x0, y0, x1, y1 in a:
        wide = torch.minimum(x1, b[:, 2]) - torch.maximum(x0, b[:, 0])
        high = torch.minimum(y1, b[:, 3]) - torch.maximum(y0, b[:, 1])
        shared = torch.relu(wide) * torch.relu(high)
        whole = (x1 - x0) * (y1 - y0) + (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) - shared
        rows.append(torch.where(shared > 0, shared / whole, torch.zeros_like(shared))[None])
    return torch.cat(rows)


def _union(a, b, inter):
    return a + b - inter


def _made(
    whole=_union, *, clip=(True, True), join=lambda w, h: w * h, extra=0, corners=None, area=None, end=None
):
    """Return a `box_iou` whose slips can be chosen; `whole(area_a, area_b, inter)` is what divides."""
    first_of, last_of = corners or (torch.maximum, torch.minimum)
    area = area or (lambda v: (v[:, 2] - v[:, 0] + extra) * (v[:, 3] - v[:, 1] + extra))
    end = end or (lambda inter, union: torch.where(union > 0, inter / union, 0.0))

    def box_iou(a, b):
        first = first_of(a[:, None, :2], b[None, :, :2])
        last = last_of(a[:, None, 2:], b[None, :, 2:])
        sides = (last - first + extra).unbind(2)
        width, height = (s.clamp(min=0) if cut else s for s, cut in zip(sides, clip, strict=True))
        inter = join(width, height)
        return end(inter, whole(area(a)[:, None], area(b)[None, :], inter))

    return box_iou


def _sized(a, b):
    return _made()(*(torch.cat([v[:, :2], v[:, :2] + v[:, 2:]], dim=1) for v in (a, b)))


def _enclosing(a, b):
    low = torch.minimum(a[:, None, :2], b[None, :, :2])
    high = torch.maximum(a[:, None, 2:], b[None, :, 2:])
    return _made(lambda *_: (high - low).prod(2))(a, b)


def _in_place(a, b):
    answer = geometry.box_iou(a, b)
    a[:, 2:] -= a[:, :2]
    return answer


def _right(a, b):
    return geometry.box_iou(a, b)


BOX_IOU = Exercise(
    name="box_iou",
    lesson="06a",
    minutes=10,
    difficulty="medium",
    reference=geometry.box_iou,
    other=_other,
    cases=_cases,
    mistakes=[
        Mistake("no clamp", _made(clip=(False, False)), "Boxes that are apart get a negative overlap, or a positive one where both sides are negative. Clamp width and height at 0."),
        Mistake("only the width clamped", _made(clip=(True, False)), "You clamp the width but not the height: boxes one above the other get a negative overlap. Clamp both at 0."),
        Mistake("only the height clamped", _made(clip=(False, True)), "You clamp the height but not the width: boxes side by side get a negative overlap. Clamp both at 0."),
        Mistake("product clamped", _made(clip=(False, False), join=lambda w, h: (w * h).clamp(min=0)), "You clamp the product. Two negative sides make a positive product, so boxes apart diagonally overlap. Clamp each side."),
        Mistake("absolute sides", _made(clip=(False, False), join=lambda w, h: w.abs() * h.abs()), "`abs` turns a gap between two boxes into an overlap. Clamp each side at 0 instead."),
        Mistake("sides added", _made(join=lambda w, h: w + h), "You add width and height of the overlap. An area is their product."),
        Mistake("corners exchanged", _made(corners=(torch.minimum, torch.maximum)), "minimum and maximum changed places: that is the box around both. The overlap begins at the later edge and ends at the earlier one."),
        Mistake("turned", lambda a, b: _right(b, a), "Your matrix lies on its side: one row for each box of `a`, one column for each of `b`. The new axis of `a` is the second: `a[:, None]`."),
        Mistake("pairs in a row", lambda a, b: _right(a, b).diagonal(), "You compare the first with the first, the second with the second. Wanted is every box with every box: give `a` a new axis, `a[:, None]`."),
        Mistake("one long row", lambda a, b: _right(a, b).flatten(), "All pairs are there, in one long row. Keep the table: (N, M)."),
        Mistake("the best of each", lambda a, b: _right(a, b).max(1).values if len(b) else a[:, 0] * 0, "You return the best overlap of each box of `a`. Wanted is the whole table."),
        Mistake("first box of b only", lambda a, b: _right(a, b[:1]), "Only the first box of `b` is compared. Wanted is every box with every box."),
        Mistake("NaN for empty boxes", _made(end=lambda inter, union: inter / union), "Two empty boxes have no union, and 0 / 0 is NaN: it spoils every mean it meets. Return 0 there."),
        Mistake("two empty boxes are the same", _made(end=lambda inter, union: torch.where(union > 0, inter / union, 1.0)), "Two empty boxes cover nothing, so they share nothing: 0 there, not 1."),
        Mistake("a little added below", _made(end=lambda inter, union: inter / (union + 1e-6)), "You add a little to the union against 0 / 0: boxes in shares of the picture are so small that it shows. Divide by `torch.where(union > 0, union, 1)`."),
        Mistake("union of one at least", _made(end=lambda inter, union: inter / union.clamp(min=1)), "You let no union be below 1: boxes in shares of the picture are smaller than that. Replace only a union of 0."),
        Mistake("overlap counted twice", _made(lambda a, b, inter: a + b), "The sum of both areas counts the overlap twice. Subtract it once."),
        Mistake("overlap added", _made(lambda a, b, inter: a + b + inter), "You add the overlap to the areas. They hold it twice already: subtract it once."),
        Mistake("Dice", _made(lambda a, b, inter: (a + b) / 2), "This is the Dice coefficient, `2 * inter / (a + b)`. Divide by the union instead."),
        Mistake("over the boxes of a", _made(lambda a, b, inter: a + 0 * b), "You divide by the area of `a` alone. Then a huge box in `b` would be perfect."),
        Mistake("over the boxes of b", _made(lambda a, b, inter: b + 0 * a), "You divide by the area of `b` alone. Then a tiny box in `b` would be perfect."),
        Mistake("over the smaller", _made(lambda a, b, inter: torch.minimum(a, b)), "You divide by the smaller area: a small box inside a large one would be perfect. Divide by the union."),
        Mistake("over the larger", _made(lambda a, b, inter: torch.maximum(a, b)), "You divide by the larger area. The union has the parts that only one box covers, of both."),
        Mistake("over the enclosing box", _enclosing, "You divide by the box around both. The union has no empty corners: `area_a + area_b - inter`."),
        Mistake("area of a twice", _made(lambda a, b, inter: 2 * a + 0 * b - inter), "The union takes the area of `a` twice. One is of `a`, and one of `b`."),
        Mistake("areas from the far corner", _made(area=lambda v: v[:, 2] * v[:, 3]), "`x1 * y1` is the area from the picture's corner. A box covers `(x1 - x0) * (y1 - y0)`."),
        Mistake("plus one pixel", _made(extra=1), "You add 1 to every side, as old VOC code does for pixels counted inclusively. Here x1 lies just outside."),
        Mistake("xywh taken for xyxy", _sized, "You take the last two numbers for width and height. Here they are x1 and y1."),
        Mistake("only the overlap", _made(end=lambda inter, union: inter), "You return overlaps in square pixels. Divide them by the unions."),
        Mistake("distance", lambda a, b: 1 - _right(a, b), "That is one minus the IoU: 0 for the same box. Wanted is 1 there."),
        Mistake("percent", lambda a, b: 100 * _right(a, b), "This is in percent. IoU lies between 0 and 1."),
        Mistake("rounded", lambda a, b: (100 * _right(a, b)).round() / 100, "You round. Return the numbers as they are; round when you print."),
        Mistake("yes or no", lambda a, b: (_right(a, b) >= 0.5).to(a.dtype), "You cut at a threshold. Return the overlaps; who cuts, and where, comes later."),
        Mistake("boxes changed", _in_place, "You wrote into the caller's boxes. Give width and height names of their own."),
    ],
    hints=[
        "Two axes that meet: `a[:, None]` has shape (N, 1, 4), `b[None]` (1, M, 4), and what you compute of both (N, M, ...).",
        "The overlap begins at the later of two first corners and ends at the earlier of two last ones, x and y at once:\n"
        "    first = torch.maximum(a[:, None, :2], b[None, :, :2])\n"
        "    last = torch.minimum(a[:, None, 2:], b[None, :, 2:])",
        "Sides below 0 mean apart. Then areas, and no division by 0:\n"
        "    width, height = (last - first).clamp(min=0).unbind(2)\n"
        "    inter = width * height\n"
        "    union = area_a[:, None] + area_b[None, :] - inter\n"
        "    return inter / torch.where(union > 0, union, 1)",
    ],
    note="The table has a row for each box of the first list and a column for each of the second, so that `.max(dim=1)` is the best partner of each.",
    equivalent={
        "height, width = (last - first).clamp(min=0).unbind(2)": "only their product is used",
        "union = area_a[:, None] + area_b - inter": "(M,) meets (N, 1) as (1, M) does",
        "return inter / torch.where(union > 0, union, 2)": "where the union is 0, so is the overlap: 0 by anything",
    },
)  # fmt: skip
