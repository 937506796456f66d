"""The exercises of lesson 06b on the way from an anchor to a box, there and back."""

import math

import torch

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.detection import offsets as package

__all__ = ["DECODE_BOXES", "ENCODE_BOXES"]

ANCHOR, TALL, AWAY = [0.0, 0.0, 16.0, 16.0], [20.0, 10.0, 28.0, 42.0], [100.0, 40.0, 121.0, 50.0]


def _case(name, first, anchors, dtype="float32") -> Case:
    more = "" if dtype == "float32" else f", dtype=torch.{dtype}"
    text = ", ".join(
        f"torch.tensor({rows}{more})" if rows else "torch.zeros(0, 4)" for rows in (first, anchors)
    )
    given = (torch.tensor(rows, dtype=getattr(torch, dtype)).reshape(-1, 4) for rows in (first, anchors))
    return Case(*given).shown_as(f"{name}({text})")


def _encoded() -> list[Case]:
    pairs = [
        ([ANCHOR], [ANCHOR]),
        ([[4.0, 0.0, 20.0, 16.0]], [ANCHOR]),  # to the right
        ([[0.0, -8.0, 16.0, 8.0]], [ANCHOR]),  # up
        ([[-8.0, 0.0, 24.0, 16.0]], [ANCHOR]),  # twice as wide
        ([[0.0, 4.0, 16.0, 12.0]], [ANCHOR]),  # half as high
        ([[22.0, 14.0, 34.0, 30.0]], [TALL]),
        (
            [[102.0, 35.0, 117.0, 53.0], [20.0, 10.0, 24.0, 26.0], ANCHOR],
            [AWAY, TALL, [2.0, 1.0, 12.0, 21.0]],
        ),
        ([], []),
    ]
    double = _case("encode_boxes", [[3.0, 4.0, 7.5, 6.25]], [AWAY], "float64")
    return [*(_case("encode_boxes", *pair) for pair in pairs), double]


def _decoded() -> list[Case]:
    pairs = [
        ([[0.0, 0.0, 0.0, 0.0]], [ANCHOR]),
        ([[0.25, 0.0, 0.0, 0.0]], [ANCHOR]),
        ([[0.0, -0.5, 0.0, 0.0]], [ANCHOR]),
        ([[0.0, 0.0, 0.5, 0.0]], [ANCHOR]),
        ([[0.0, 0.0, 0.0, -1.0]], [ANCHOR]),
        ([[0.5, 0.25, -0.5, 0.5]], [TALL]),
        ([[0.0, 0.0, 6.0, -6.0]], [ANCHOR]),  # far too wide, very flat
        ([[5.0, 0.0, 0.0, 0.0]], [ANCHOR]),  # five widths away
        ([[-2.0, 0.5, 1.0, -0.25], [0.5, -3.0, 4.5, 100.0], [0.125, 0.25, 0.5, -1.0]], [AWAY, TALL, ANCHOR]),
        ([], []),
    ]
    double = _case("decode_boxes", [[0.1, -0.2, 0.3, -0.4]], [TALL], "float64")
    return [*(_case("decode_boxes", *pair) for pair in pairs), double]


def _encode_other(boxes, anchors):
    """Number by number, from the sums of corners."""
    ax, ay, ar, ab = anchors.unbind(1)
    bx, by, br, bb = boxes.unbind(1)
    w, h = ar - ax, ab - ay
    dx, dy = (bx + br - ax - ar) / (2 * w), (by + bb - ay - ab) / (2 * h)
    return torch.stack([dx, dy, torch.log(br - bx) - torch.log(w), torch.log(bb - by) - torch.log(h)], dim=1)


def _decode_other(offsets, anchors):
    """Number by number, each edge from the centre."""
    dx, dy, dw, dh = offsets.unbind(1)
    x0, y0, x1, y1 = anchors.unbind(1)
    x, y = (x0 + x1) / 2 + dx * (x1 - x0), (y0 + y1) / 2 + dy * (y1 - y0)
    most = torch.tensor(1000 / 16, dtype=offsets.dtype)
    w, h = (x1 - x0) * torch.minimum(dw.exp(), most), (y1 - y0) * torch.minimum(dh.exp(), most)
    return torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], dim=1)


def _measures(boxes):
    size = boxes[:, 2:] - boxes[:, :2]
    return boxes[:, :2] + size / 2, size


def _encoder(*, move=lambda a, b, size, other: (b - a) / size, stretch=lambda a, b: (b / a).log(), end=None):
    """Return an `encode_boxes` with one slip: `move` of both centres and sizes, `stretch` of both sizes."""

    def encode_boxes(boxes, anchors):
        (centre, size), (goal, wanted) = _measures(anchors), _measures(boxes)
        parts = [move(centre, goal, size, wanted), stretch(size, wanted)]
        return torch.cat(parts, dim=1) if end is None else end(*parts)

    return encode_boxes


def _corner(boxes, anchors):
    answer = package.encode_boxes(boxes, anchors)
    return torch.cat([(boxes - anchors)[:, :2] / (anchors[:, 2:] - anchors[:, :2]), answer[:, 2:]], dim=1)


def _encode_swapped(boxes, anchors):
    return package.encode_boxes(anchors, boxes)


def _written_over(boxes, anchors):
    answer = package.encode_boxes(boxes, anchors)
    anchors[:, 2:] -= anchors[:, :2]
    return answer


def _decoder(
    *,
    move=lambda centre, d, size, new: centre + d * size,
    stretch=lambda size, d: size * d.clamp(max=math.log(1000 / 16)).exp(),
    end=lambda centre, size: torch.cat([centre - size / 2, centre + size / 2], dim=1),
):
    """Return a `decode_boxes` with one slip."""

    def decode_boxes(offsets, anchors):
        centre, size = _measures(anchors)
        new = stretch(size, offsets[:, 2:])
        return end(move(centre, offsets[:, :2], size, new), new)

    return decode_boxes


def _right(offsets, anchors):
    return package.decode_boxes(offsets, anchors)


def _order(*places):
    return lambda offsets, anchors: _right(offsets, anchors)[:, list(places)]


def _from_corner(offsets, anchors):
    size = anchors[:, 2:] - anchors[:, :2]
    first = anchors[:, :2] + offsets[:, :2] * size
    return torch.cat([first, first + size * offsets[:, 2:].clamp(max=math.log(1000 / 16)).exp()], dim=1)


def _clamp_all(offsets, anchors):
    return _right(offsets.clamp(max=math.log(1000 / 16)), anchors)


def _clamped_in_place(offsets, anchors):
    offsets[:, 2:].clamp_(max=math.log(1000 / 16))
    return _right(offsets, anchors)


def _edges(offsets, anchors):
    size = (anchors[:, 2:] - anchors[:, :2]).repeat(1, 2)
    return anchors + offsets * size


MOST = math.log(1000 / 16)

ENCODE_BOXES = Exercise(
    name="encode_boxes",
    lesson="06b",
    minutes=6,
    difficulty="easy",
    reference=package.encode_boxes,
    other=_encode_other,
    cases=_encoded,
    tolerance=1e-5,
    mistakes=[
        Mistake("in pixels", _encoder(move=lambda a, b, size, other: b - a), "Your centre moves in pixels. Divide by the anchor's width and height."),
        Mistake("shares of the box", _encoder(move=lambda a, b, size, other: (b - a) / other), "You divide by the size of the box, which nobody knows when a net answers. Divide by the anchor's."),
        Mistake("shares of the half", _encoder(move=lambda a, b, size, other: (b - a) / (size / 2)), "You divide by half of the anchor's size. Divide by all of it."),
        Mistake("anchor minus box", _encoder(move=lambda a, b, size, other: (a - b) / size), "Your centre moves the wrong way: from the anchor to the box is box minus anchor."),
        Mistake("corner", _corner, "You compare the upper left corners. It is the centres that are compared."),
        Mistake("far edges", _encoder(move=lambda a, b, size, other: (b + other / 2 - a - size / 2) / size), "You compare the lower right corners. It is the centres that are compared."),
        Mistake("width for both", _encoder(move=lambda a, b, size, other: (b - a) / size[:, :1]), "You divide both moves by the width. The move down is a share of the height."),
        Mistake("height and width exchanged", _encoder(move=lambda a, b, size, other: (b - a) / size.flip(1)), "You divide the move to the right by the height. Each direction has its own side."),
        Mistake("no logarithm", _encoder(stretch=lambda a, b: b / a), "You return the ratio of the sizes. Its logarithm is wanted: 0 for no change."),
        Mistake("ratio less one", _encoder(stretch=lambda a, b: b / a - 1), "You return the ratio minus 1. The logarithm treats twice and half alike: 0.69 and -0.69."),
        Mistake("log of 1 plus", _encoder(stretch=lambda a, b: torch.log1p(b / a)), "`log1p` adds 1 before. Then no change is not 0."),
        Mistake("log 2", _encoder(stretch=lambda a, b: (b / a).log2()), "You take the logarithm to base 2. Here it is the natural one, whose inverse is `exp`."),
        Mistake("log 10", _encoder(stretch=lambda a, b: (b / a).log10()), "You take the logarithm to base 10. Here it is the natural one, whose inverse is `exp`."),
        Mistake("anchor over box", _encoder(stretch=lambda a, b: (a / b).log()), "Your ratio stands on its head: a box larger than its anchor has a positive logarithm."),
        Mistake("difference of sizes", _encoder(stretch=lambda a, b: b - a), "You subtract the sizes, in pixels. The logarithm of their ratio is wanted."),
        Mistake("log of the box alone", _encoder(stretch=lambda a, b: b.log()), "You forget the anchor in the logarithm: a box of its size has 0."),
        Mistake("arguments exchanged", _encode_swapped, "You go from the box to the anchor. The box comes first in the arguments, and the anchor is where you start."),
        Mistake("sizes first", _encoder(end=lambda a, b: torch.cat([b, a], dim=1)), "You return the sizes first. The order is: right, down, log width, log height."),
        Mistake("height before width", _encoder(end=lambda a, b: torch.cat([a, b.flip(1)], dim=1)), "Height stands before width. The order is: right, down, log width, log height."),
        Mistake("x and y by turns", _encoder(end=lambda a, b: torch.stack([a, b], dim=2).flatten(1)), "Your order is right, log width, down, log height. Both moves come first: use `cat`."),
        Mistake("one below the other", _encoder(end=lambda a, b: torch.cat([a, b])), "You stack moves and sizes one below the other. Side by side is wanted: `dim=1`."),
        Mistake("weighted", lambda boxes, anchors: package.encode_boxes(boxes, anchors) * torch.tensor([10.0, 10, 5, 5]).to(boxes), "You weight the numbers, as some nets do afterwards. Here the numbers stay as they are."),
        Mistake("anchors changed", _written_over, "You wrote into the caller's anchors. Give width and height names of their own."),
    ],
    hints=[
        "By hand: the anchor 0, 0, 16, 16 has its centre at 8, 8. The box 4, 0, 20, 16 has it at 12, 8: 4 of 16 pixels to the right, 0.25.",
        "Centre and size of both, x and y at once:\n"
        "    size = anchors[:, 2:] - anchors[:, :2]\n"
        "    centre = anchors[:, :2] + size / 2",
        "Both parts side by side, with `goal` and `wanted` for the boxes:\n"
        "    return torch.cat([(goal - centre) / size, (wanted / size).log()], dim=1)",
    ],
    note="Blow up anchor and box together, and the four numbers stay the same.",
)  # fmt: skip

DECODE_BOXES = Exercise(
    name="decode_boxes",
    lesson="06b",
    minutes=6,
    difficulty="medium",
    reference=package.decode_boxes,
    other=_decode_other,
    cases=_decoded,
    tolerance=1e-4,
    mistakes=[
        Mistake("no clamp", _decoder(stretch=lambda size, d: size * d.exp()), "A large logarithm makes a box far wider than any picture, and a larger one overflows. Let it not exceed `log(1000 / 16)` before `exp`."),
        Mistake("clamped at both ends", _decoder(stretch=lambda size, d: size * d.clamp(-MOST, MOST).exp()), "You clamp from below too. `exp` of a very negative number is harmless: a tiny box."),
        Mistake("centre clamped too", _clamp_all, "You clamp the centre's move too. Only the logarithms are clamped: nothing overflows where there is no `exp`."),
        Mistake("clamped at 1000 / 16", _decoder(stretch=lambda size, d: size * d.clamp(max=1000 / 16).exp()), "You clamp the logarithm at 1000 / 16. It is the size that may grow so much: clamp at its logarithm."),
        Mistake("never larger", _decoder(stretch=lambda size, d: size * d.clamp(max=0).exp()), "Your boxes can only shrink. Up to `log(1000 / 16)` they may grow."),
        Mistake("no exp", _decoder(stretch=lambda size, d: size * d.clamp(max=MOST)), "You multiply by the logarithm itself, so that no change gives no box. Take `exp` first."),
        Mistake("1 plus", _decoder(stretch=lambda size, d: size * (1 + d.clamp(max=MOST))), "You multiply by 1 plus the number. It is a logarithm: `exp` undoes it, and is never negative."),
        Mistake("powers of 2", _decoder(stretch=lambda size, d: size * d.clamp(max=MOST).exp2()), "You take powers of 2. The logarithm was the natural one: `exp`."),
        Mistake("size added", _decoder(stretch=lambda size, d: size + d.clamp(max=MOST).exp()), "You add to the size. The logarithm was that of a ratio: multiply."),
        Mistake("exp alone", _decoder(stretch=lambda size, d: d.clamp(max=MOST).exp()), "You forget the anchor's size: `exp` gives how many times as large."),
        Mistake("in pixels", _decoder(move=lambda centre, d, size, new: centre + d), "You move the centre by pixels. The numbers are shares of the anchor's width and height: multiply."),
        Mistake("shares of the new size", _decoder(move=lambda centre, d, size, new: centre + d * new), "You multiply the move by the new size. It is a share of the anchor's."),
        Mistake("the other way", _decoder(move=lambda centre, d, size, new: centre - d * size), "Your centre moves the wrong way. Positive is to the right and down."),
        Mistake("width for both", _decoder(move=lambda centre, d, size, new: centre + d * size[:, :1]), "You multiply both moves by the width. The move down is a share of the height."),
        Mistake("centre stays", _decoder(move=lambda centre, d, size, new: centre), "Your centre does not move."),
        Mistake("from the corner", _from_corner, "You move the upper left corner and grow from there. The centre moves, and the box grows around it."),
        Mistake("twice as large", _decoder(end=lambda c, s: torch.cat([c - s, c + s], dim=1)), "Your boxes are twice as large. Half the size lies on either side of the centre."),
        Mistake("centre and size", _decoder(end=lambda c, s: torch.cat([c, s], dim=1)), "You return centre and size. Two corners are wanted."),
        Mistake("corner and size", _decoder(end=lambda c, s: torch.cat([c - s / 2, s], dim=1)), "You return corner and size. Two corners are wanted."),
        Mistake("corners exchanged", _order(2, 3, 0, 1), "Your corners changed places: the upper left one comes first."),
        Mistake("y before x", _order(1, 0, 3, 2), "Your numbers are y0, x0, y1, x1. Here x comes first."),
        Mistake("edges moved", _edges, "You move each edge by its own share. Here the first two numbers move the centre, the others are logarithms of sizes."),
        Mistake("clipped", lambda offsets, anchors: _right(offsets, anchors).clamp(min=0), "You cut the boxes at the picture's edge. Whoever knows the picture does that later."),
        Mistake("offsets changed", _clamped_in_place, "You wrote into the caller's offsets, and with them into the net's answer: `clamp`, not `clamp_`."),
    ],
    hints=[
        "By hand: the anchor 0, 0, 16, 16 and 0.25, 0, 0, 0: the centre goes from 8 to 8 + 0.25 times 16, the size stays.",
        "Centre first, in the anchor's old size:\n"
        "    size = anchors[:, 2:] - anchors[:, :2]\n"
        "    centre = anchors[:, :2] + size / 2 + offsets[:, :2] * size",
        "Then the size, and half of it to either side:\n"
        "    size = size * offsets[:, 2:].clamp(max=math.log(1000 / 16)).exp()\n"
        "    return torch.cat([centre - size / 2, centre + size / 2], dim=1)",
    ],
    note="Whatever four numbers a net says, the box that comes out has x0 <= x1 and y0 <= y1.",
)  # fmt: skip
