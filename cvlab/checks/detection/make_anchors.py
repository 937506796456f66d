"""The exercise of lesson 06b that lays the grid: `make_anchors`."""

import torch

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.detection import anchors

__all__ = ["MAKE_ANCHORS"]


def _cases() -> list[Case]:
    return [
        Case(1, 1, 16, [8], [1]),
        Case(1, 3, 16, [8], [1]),
        Case(2, 1, 8, [8], [1]),
        Case(1, 1, 16, [4, 8], [1]),
        Case(1, 1, 16, [8], [4]),
        Case(1, 1, 16, [8], [1, 4]),
        Case(2, 3, 4, [10], [1]),
        Case(1, 2, 16, [8, 16], [0.25, 4]),
        Case(3, 2, 8, [10, 20, 30], [0.5, 1, 2]),
        Case(2, 2, 32, [21], [0.3, 2.5]),
    ]


def _other(height, width, stride, sizes, ratios):
    """One anchor after the other, by four loops."""
    made = []
    for row in range(height):
        for column in range(width):
            for ratio in ratios:
                for size in sizes:
                    h, w = size * ratio**0.5, size / ratio**0.5
                    y, x = row * stride, column * stride
                    made.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
    return torch.tensor(made)


def _sides(size, ratio):
    return size * ratio**0.5, size / ratio**0.5


def _corners(x, y, w, h):
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def _made(*, sides=_sides, box=_corners, pairs=None, places=None, turn=lambda table: table, shift=0.0):
    """Return a `make_anchors` with one slip; `turn` works on the table (places, shapes, 4)."""
    pairs = pairs or (lambda sizes, ratios: [(s, r) for r in ratios for s in sizes])
    places = places or (lambda height, width: [(r, c) for r in range(height) for c in range(width)])

    def make_anchors(height, width, stride, sizes, ratios):
        shapes = [sides(*pair) for pair in pairs(sizes, ratios)]
        table = [
            [box((c + shift) * stride, (r + shift) * stride, w, h) for h, w in shapes]
            for r, c in places(height, width)
        ]
        return turn(torch.tensor(table, dtype=torch.float32)).reshape(-1, 4)

    return make_anchors


def _not_flat(height, width, stride, sizes, ratios):
    return anchors.make_anchors(height, width, stride, sizes, ratios).view(height * width, -1, 4)


def _clipped(height, width, stride, sizes, ratios):
    return anchors.make_anchors(height, width, stride, sizes, ratios).clamp(min=0)


MAKE_ANCHORS = Exercise(
    name="make_anchors",
    lesson="06b",
    minutes=10,
    difficulty="medium",
    reference=anchors.make_anchors,
    other=_other,
    cases=_cases,
    tolerance=1e-5,
    any_float=True,
    mistakes=[
        Mistake("half a cell further", _made(shift=0.5), "You centre each place in the middle of its cell. Others do that too; here the first place is at (0, 0), as in torchvision."),
        Mistake("no stride", lambda h, w, stride, s, r: _made()(h, w, 1, s, r), "Your places are one pixel apart. Each step on the map is `stride` pixels of the picture."),
        Mistake("column by column", _made(places=lambda h, w: [(r, c) for c in range(w) for r in range(h)]), "You go down the columns. The map is read row by row: x changes first."),
        Mistake("x and y exchanged", _made(box=lambda x, y, w, h: _corners(y, x, w, h)), "Rows give y, columns give x: yours are exchanged."),
        Mistake("shape by shape", _made(turn=lambda table: table.transpose(0, 1)), "You write all places of the first shape, then of the second. Wanted are all shapes of the first place, then of the next."),
        Mistake("sizes outside", _made(pairs=lambda s, r: [(a, b) for a in s for b in r]), "You take each size with all ratios. The order is the other one: each ratio with all sizes."),
        Mistake("pairs only", _made(pairs=lambda s, r: list(zip(s, r, strict=False))), "You pair the first size with the first ratio, the second with the second. Every ratio is wanted with every size."),
        Mistake("first size only", _made(pairs=lambda s, r: [(s[0], b) for b in r]), "Only the first size is used. Every ratio is wanted with every size."),
        Mistake("first ratio only", _made(pairs=lambda s, r: [(a, r[0]) for a in s]), "Only the first ratio is used. Every ratio is wanted with every size."),
        Mistake("squares", _made(sides=lambda s, r: (s, s)), "All your anchors are squares. A ratio makes them higher, and narrower by as much."),
        Mistake("width over height", _made(sides=lambda s, r: _sides(s, 1 / r)), "Your ratio is width over height. Here it is height over width: a ratio above 1 stands upright."),
        Mistake("no root", _made(sides=lambda s, r: (s * r, s / r)), "height / width is then the ratio squared. Multiply and divide by its root."),
        Mistake("only the height", _made(sides=lambda s, r: (s * r, s)), "You change the height alone, so the area grows with the ratio. Height times the root, width over it: the area stays `size * size`."),
        Mistake("only the width", _made(sides=lambda s, r: (s, s / r)), "You change the width alone, so the area shrinks with the ratio. Height times the root, width over it: the area stays `size * size`."),
        Mistake("twice as large", _made(box=lambda x, y, w, h: [x - w, y - h, x + w, y + h]), "Your boxes are twice as large: half the width lies on either side of the centre."),
        Mistake("from the place on", _made(box=lambda x, y, w, h: [x, y, x + w, y + h]), "Your boxes begin at their place. The place is their centre: half of the width on either side."),
        Mistake("centre and size", _made(box=lambda x, y, w, h: [x, y, w, h]), "You return centre and size. Two corners are wanted: x0, y0, x1, y1."),
        Mistake("corner and size", _made(box=lambda x, y, w, h: [x - w / 2, y - h / 2, w, h]), "You return corner and size. Two corners are wanted: x0, y0, x1, y1."),
        Mistake("y before x", _made(box=lambda x, y, w, h: [y - h / 2, x - w / 2, y + h / 2, x + w / 2]), "Your numbers are y0, x0, y1, x1. Here x comes first."),
        Mistake("rounded", _made(box=lambda x, y, w, h: [x - round(w / 2), y - round(h / 2), x + round(w / 2), y + round(h / 2)]), "You round the shapes, as torchvision does. Here they stay exact."),
        Mistake("clipped", _clipped, "You cut the anchors at the picture's edge. They may lie outside; who wants to cut does it later."),
        Mistake("not flattened", _not_flat, "The numbers are right, by place and shape. One row an anchor is wanted: `.reshape(-1, 4)`."),
        Mistake("one place only", _made(places=lambda h, w: [(0, 0)]), "Only the first place has anchors. Every place of the map gets all shapes."),
        Mistake("bottom first", _made(places=lambda h, w: [(r, c) for r in range(h)[::-1] for c in range(w)]), "Your rows run upwards. In a picture y grows downwards, and row 0 is the top one."),
    ],
    hints=[
        "A shape of size 8 and ratio 4: height 8 times 2, width 8 over 2. Around the place (0, 0) its box is -2, -8, 2, 8.",
        "All shapes around (0, 0), every ratio with every size:\n"
        "    root = torch.tensor(ratios).sqrt()[:, None]\n"
        "    h = (root * torch.tensor(sizes)).flatten()",
        "Places as (H, W, 4), then one axis more, so that every place meets every shape:\n"
        "    places = torch.stack([x, y, x, y], dim=2) * stride\n"
        "    return (places[:, :, None] + shapes).reshape(-1, 4)",
    ],
    equivalent={
        "sizes = torch.as_tensor(sizes)": "whole numbers become floats where they meet the root",
        "sizes = torch.as_tensor(sizes, dtype=torch.float64)": "more digits do no harm",
        "root = torch.as_tensor(ratios).sqrt()[:, None]": "the root of whole numbers is a float",
        "root = torch.as_tensor(ratios, dtype=torch.float64).sqrt()[:, None]": "more digits do no harm",
    },
    note="Nothing of the picture was looked at: the same anchors serve every picture of that size.",
)  # fmt: skip
