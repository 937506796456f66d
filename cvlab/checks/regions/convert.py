"""The exercise of lesson 06a on ways to write a box: `box_convert`."""

import itertools

import torch

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.regions import geometry

__all__ = ["BOX_CONVERT"]

FORMATS = geometry.FORMATS


def _case(boxes, in_fmt, out_fmt, dtype="float32") -> Case:
    more = "" if dtype == "float32" else f", dtype=torch.{dtype}"
    text = f'box_convert(torch.tensor({boxes}{more}), "{in_fmt}", "{out_fmt}")'
    given = torch.tensor(boxes, dtype=getattr(torch, dtype)).reshape(-1, 4)
    return Case(boxes=given, in_fmt=in_fmt, out_fmt=out_fmt).shown_as(text)


def _cases() -> list[Case]:
    one = {
        "xyxy": [[10.0, 20.0, 40.0, 60.0]],
        "xywh": [[10.0, 20.0, 30.0, 40.0]],
        "cxcywh": [[25.0, 40.0, 30.0, 40.0]],
    }
    two = {
        "xyxy": [
            [1.0, 2.0, 4.0, 9.0],
            [-3.0, 5.0, 8.0, 5.0],
        ],  # the second has no height, and hangs over the edge
        "xywh": [[1.0, 2.0, 3.0, 7.0], [-3.0, 5.0, 11.0, 0.0]],
        "cxcywh": [[2.5, 5.5, 3.0, 7.0], [2.5, 5.0, 11.0, 0.0]],
    }
    ways = list(itertools.permutations(FORMATS, 2))
    return [
        *(_case(one[a], a, b) for a, b in ways),
        *(_case(one[a], a, a) for a in FORMATS),
        *(_case(two[a], a, b) for a, b in ways),
        _case([[0.25, 0.5, 0.75, 0.625]], "xyxy", "cxcywh", "float64"),  # shares of the picture
        _case([], "xywh", "xyxy"),
    ]  # fmt: skip


def _other(boxes, in_fmt, out_fmt):
    """Multiply by a matrix for each custom."""
    to_corners = {
        "xyxy": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
        "xywh": [[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1]],
        "cxcywh": [[1, 0, -0.5, 0], [0, 1, 0, -0.5], [1, 0, 0.5, 0], [0, 1, 0, 0.5]],
    }
    there = torch.tensor(to_corners[in_fmt], dtype=boxes.dtype)
    back = torch.linalg.inv(torch.tensor(to_corners[out_fmt], dtype=boxes.dtype))
    return boxes @ (back @ there).T


def _made(
    *, half=2, inward=False, join=lambda a, b: torch.cat([a, b], dim=1), centre=None, size=None, whole=False
):
    """Return a `box_convert` that differs from the right one as the arguments say."""
    centre = centre or (lambda a, b: (a + b) / 2)
    size = size or (lambda a, b: b - a)

    def box_convert(boxes, in_fmt, out_fmt):
        a, b = boxes[:, :2], boxes[:, 2:]
        if in_fmt == "xywh":
            b = a + b
        elif in_fmt == "cxcywh":
            a, b = (a + b / half, a - b / half) if inward else (a - b / half, a + b / half)
        if out_fmt == "xywh":
            b = size(a, b)
        elif out_fmt == "cxcywh":
            a, b = centre(a, b), size(a, b)
        return join(a, b).round() if whole else join(a, b)

    return box_convert


def _without(*formats, only_in=True):
    """Return a `box_convert` that takes these formats for corners."""

    def box_convert(boxes, in_fmt, out_fmt):
        in_fmt = "xyxy" if in_fmt in formats else in_fmt
        out_fmt = out_fmt if only_in or out_fmt not in formats else "xyxy"
        return geometry.box_convert(boxes, in_fmt, out_fmt) if _sound(boxes, in_fmt) else boxes * 1

    return box_convert


def _sound(boxes, fmt):
    return fmt != "xyxy" or bool((boxes[:, 2:] >= boxes[:, :2]).all())


def _one_step(boxes, in_fmt, out_fmt):
    """Only from and to corners; from size to size it does the first half only."""
    right = _made()
    if "xyxy" in (in_fmt, out_fmt):
        return right(boxes, in_fmt, out_fmt)
    return right(boxes, in_fmt, "xyxy") if in_fmt != out_fmt else boxes * 1


def _in_place(boxes, in_fmt, out_fmt):
    answer = geometry.box_convert(boxes, in_fmt, out_fmt)
    boxes.copy_(answer)
    return boxes


def _overwritten(boxes, in_fmt, out_fmt):
    """Assign first the centre, then the size from the new centre."""
    right = geometry.box_convert(boxes, in_fmt, "xyxy")
    a, b = right[:, :2], right[:, 2:]
    if out_fmt == "cxcywh":
        a = (a + b) / 2
        b = b - a
    elif out_fmt == "xywh":
        b = b - a
    return torch.cat([a, b], dim=1)


def _overwritten_in(boxes, in_fmt, out_fmt):
    """Assign first the corner, then the other from the new corner."""
    a, b = boxes[:, :2], boxes[:, 2:]
    if in_fmt == "cxcywh":
        a = a - b / 2
        b = a + b / 2
    elif in_fmt == "xywh":
        b = a + b
    return _made()(torch.cat([a, b], dim=1), "xyxy", out_fmt)


BOX_CONVERT = Exercise(
    name="box_convert",
    lesson="06a",
    minutes=6,
    difficulty="easy",
    reference=geometry.box_convert,
    other=_other,
    cases=_cases,
    view_allowed=False,
    mistakes=[
        Mistake("nothing done", lambda boxes, in_fmt, out_fmt: boxes * 1, "You return the boxes as they came. The same four numbers mean another box in another custom."),
        Mistake("the other way round", lambda boxes, in_fmt, out_fmt: _made()(boxes, out_fmt, in_fmt), "You turned the journey round: `in_fmt` is how the boxes are written now, `out_fmt` how they are wanted."),
        Mistake("xywh not read", _without("xywh"), 'Boxes that come as "xywh" are taken for corners. Their last two numbers are a size: the far corner is corner plus size.'),
        Mistake("cxcywh not read", _without("cxcywh"), 'Boxes that come as "cxcywh" are taken for corners. Go half the size to either side of the centre.'),
        Mistake("only to corners", lambda boxes, in_fmt, out_fmt: geometry.box_convert(boxes, in_fmt, "xyxy"), "All boxes leave as corners. The second half is missing: from corners to what `out_fmt` asks for."),
        Mistake("one step only", _one_step, "From one size custom to the other you stop half way. Two steps in a row do all cases: first to corners, then to `out_fmt`."),
        Mistake("whole size from the centre", _made(half=1), "You go the whole size to either side of the centre: the box is twice as large. Go half of it."),
        Mistake("corners exchanged", _made(inward=True), "The near corner is centre minus half the size, the far one is plus. Yours are exchanged."),
        Mistake("centre without a half", _made(centre=lambda a, b: a + b), "The centre is the mean of two corners: their sum needs a `/ 2`."),
        Mistake("centre is half the size", _made(centre=lambda a, b: (b - a) / 2), "Half the size is the way from a corner to the centre, not the centre. Add the near corner, or take the mean of both."),
        Mistake("half size", _made(size=lambda a, b: (b - a) / 2), "You return half sizes. Width is `x1 - x0`, all of it."),
        Mistake("size upside down", _made(size=lambda a, b: a - b), "Your sizes are negative: far corner minus near corner, not the other way."),
        Mistake("one pixel more", _made(size=lambda a, b: b - a + 1), "You add 1 to the size, as for pixels counted inclusively. Here x1 lies just outside the box."),
        Mistake("size from the new centre", _overwritten, "You overwrite `a` with the centre, and then measure the size from it: half of what it is. Compute both before you assign: `a, b = ..., ...`."),
        Mistake("far corner from the new near one", _overwritten_in, "You overwrite the centre with the near corner, and then add half the size to that: the far corner is the old centre. Compute both before you assign: `a, b = ..., ...`."),
        Mistake("rows for columns", _made(join=lambda a, b: torch.cat([a.flip(1), b.flip(1)], dim=1)), "x and y changed places. Each pair is x first, then y."),
        Mistake("woven", _made(join=lambda a, b: torch.stack([a, b], dim=2).flatten(1)), "The numbers are woven: x0, x1, y0, y1. Put the two pairs one after the other: `torch.cat([a, b], dim=1)`."),
        Mistake("stacked below", _made(join=lambda a, b: torch.cat([a, b])), "`torch.cat` joined along dim 0: twice as many rows of two numbers. Say `dim=1`."),
        Mistake("rounded", _made(whole=True), "You round. Centres lie between pixels, and shares of a picture are below 1: keep the fractions."),
        Mistake("in place", _in_place, "You wrote into the caller's boxes, who may still need them. Return a new tensor."),
    ],
    hints=[
        "Six ways, but only two steps: first to corners, whatever came; then from corners to what is wanted.",
        "Cut the boxes into two pairs and work on pairs, x and y at once:\n"
        "    a, b = boxes[:, :2], boxes[:, 2:]\n"
        '    if in_fmt == "xywh":\n'
        "        b = a + b",
        "The centre needs both corners, and so does the size: assign together.\n"
        '    elif in_fmt == "cxcywh":\n'
        "        a, b = a - b / 2, a + b / 2\n"
        '    if out_fmt == "xywh":\n'
        "        b = b - a\n"
        '    elif out_fmt == "cxcywh":\n'
        "        a, b = (a + b) / 2, b - a\n"
        "    return torch.cat([a, b], dim=1)",
    ],
    note="Nothing here knows of pixels: boxes in shares of the picture are converted just so.",
    equivalent={
        "without if in_fmt == out_fmt:": "there and back again gives the same boxes, to a rounding",
        "if boxes == out_fmt:": "a tensor never equals a word, so boxes go there and back again",
        "if in_fmt == boxes:": "a tensor never equals a word, so boxes go there and back again",
        "a, b = (boxes[:, :2], boxes[:, 2:]) before if in_fmt == out_fmt:": "two names more that the copy does not use",
    },
)  # fmt: skip
