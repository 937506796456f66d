"""The exercise of lesson 06a on cutting a region from a map in whole cells: `roi_pool`."""

import numpy as np
import torch
import torch.nn.functional as F

from cvlab.checks._engine.accept import array_of
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.regions.roi import roi_pool

__all__ = ["ROI_POOL"]

RAMP = torch.arange(1.0, 17).reshape(1, 4, 4)


def _mixed(*shape: int, seed: int = 0) -> torch.Tensor:
    """Return whole numbers in no order, each once, some below 0."""
    order = np.random.default_rng(seed).permutation(int(np.prod(shape))) - 20
    return torch.tensor(order, dtype=torch.float32).reshape(shape)


def _boxes(*rows) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def _case(feature, boxes, size, scale) -> Case:
    return Case(feature=feature, boxes=boxes, size=size, scale=scale)


def _cases() -> list[Case]:
    return [
        _case(RAMP, _boxes([0, 0, 1, 2]), 1, 1.0),
        _case(RAMP, _boxes([0, 1, 3, 2]), 2, 1.0),
        _case(RAMP, _boxes([1, 1, 5, 3]), 1, 0.5),
        _case(RAMP, _boxes([0, 0, 2, 2]), 2, 1.0),
        _case(RAMP, _boxes([0.4, 0.6, 2.4, 3.6]), 2, 1.0),
        _case(-RAMP, _boxes([1, 0, 3, 1]), 1, 1.0),
        _case(RAMP, _boxes([2, 2, 5, 5]), 2, 1.0),
        _case(-RAMP, _boxes([-3, -2, 1, 2]), 3, 1.0),
        _case(RAMP, _boxes([1, -5, 2, -2], [-5, 1, -2, 2]), 1, 1.0),
        _case(_mixed(2, 5, 7), _boxes([16, 16, 80, 48], [5, 0, 5, 0]), 3, 1 / 16),
        _case(_mixed(3, 6, 5, seed=1), _boxes([-40, 9, 61, 27], [8, 8, 40, 24], [200, 9, 220, 20]), 2, 1 / 8),
        _case(_mixed(1, 9, 9, seed=2), _boxes([3, 7, 35, 30]), 7, 0.25),
        _case(_mixed(2, 4, 4, seed=3), _boxes(), 2, 0.5),
    ]


def _half_up(value):
    """Round, the middle away from 0."""
    return torch.sign(value) * torch.floor(value.abs() + 0.5)


def _answer(
    rounded=_half_up, more=1, reduce=torch.amax, start=None, clip=False, ends=None, empty=0.0, within=None
):
    """Return a RoI pool with one of its steps done otherwise."""

    def answer(feature, boxes, size, scale):
        C, H, W = feature.shape
        pooled = torch.full((len(boxes), C, size, size), empty)
        for k, box in enumerate(rounded(boxes * scale).long().tolist()):
            x0, y0, x1, y1 = np.clip(box, 0, [W - 1, H - 1] * 2) if clip else box
            w, h = x1 - x0 + more, y1 - y0 + more
            for i in range(size):
                for j in range(size):
                    top, bottom = (ends or _ends)(i, h, size)
                    left, right = (ends or _ends)(j, w, size)
                    rows = (within or _within)(y0 + top, y0 + bottom, H)
                    cols = (within or _within)(x0 + left, x0 + right, W)
                    part = feature[:, rows, cols]
                    if part.numel():
                        pooled[k, :, i, j] = reduce(part, (1, 2))
                        if start is not None:
                            pooled[k, :, i, j] = pooled[k, :, i, j].clamp(min=start)
        return pooled

    return answer


def _ends(i, length, size):
    return i * length // size, -(-(i + 1) * length // size)


def _within(first, last, length):
    return slice(min(max(first, 0), length), max(min(last, length), 0))


def _other(feature, boxes, size, scale):
    """Surround the map by minus infinity, crop, and let adaptive max-pooling make the parts."""
    corners = _half_up(boxes * scale).long()
    H, W = feature.shape[1:]
    far = int(corners.abs().max()) + max(H, W) + 1 if len(boxes) else 0
    wide = F.pad(feature, (far, far, far, far), value=-torch.inf)
    grids = [
        F.adaptive_max_pool2d(wide[:, far + y0 : far + y1 + 1, far + x0 : far + x1 + 1], size)
        for x0, y0, x1, y1 in corners
    ]
    pooled = torch.stack(grids) if grids else feature.new_zeros(0, len(feature), size, size)
    return pooled.where(pooled > -torch.inf, torch.tensor(0.0))


def _of(change):
    """Return the right answer from changed arguments."""
    return lambda feature, boxes, size, scale: roi_pool(*change(feature, boxes, size, scale))


def _then(change):
    """Return the right answer, changed afterwards."""
    return lambda **given: change(roi_pool(**given))


def _one_map(feature, boxes, size, scale):
    return roi_pool(feature[:1], boxes, size, scale).expand(-1, len(feature), -1, -1)


def _repeated(feature, boxes, size, scale):
    """Answer for the first box alone, as often as there are boxes."""
    return roi_pool(feature, boxes[:1].expand(len(boxes), -1), size, scale)


def _crossed(boxes):
    return boxes[:, [1, 0, 3, 2]]


def _from_the_end(feature, boxes, size, scale):
    """Give the map slices whose ends may be below 0, which count from the end."""
    return _answer(within=lambda first, last, length: slice(max(first, 0), last))(feature, boxes, size, scale)


def _whole_only(feature, boxes, size, scale):
    """Round the box only, and take the parts' ends rounded down: the parts share nothing, and some are empty."""
    return _answer(ends=lambda i, n, size: (i * n // size, (i + 1) * n // size))(feature, boxes, size, scale)


def _wide(i, length, size):
    """Give every part the same whole number of cells, rounded up."""
    step = -(-length // size)
    return i * step, (i + 1) * step


def _narrow(i, length, size):
    step = max(length // size, 1)
    return i * step, (i + 1) * step


ROI_POOL = Exercise(
    name="roi_pool",
    lesson="06a",
    minutes=9,
    difficulty="medium",
    reference=roi_pool,
    other=_other,
    cases=_cases,
    apply=array_of,
    any_float=True,
    mistakes=[
        Mistake("halves to even", _answer(rounded=torch.round), "`torch.round` takes a half to the even number: 2.5 becomes 2. Here halves go up: 2.5 becomes 3."),
        Mistake("rounded down", _answer(rounded=torch.floor), "You round down. Both corners go to the nearest cell."),
        Mistake("rounded outwards", _answer(rounded=lambda b: torch.cat([b[:, :2].floor(), b[:, 2:].ceil()], 1)), "You round outwards. Both corners go to the nearest cell, even if that makes the box smaller."),
        Mistake("last cell left out", _answer(more=0), "The last row and column are left out. The cell that holds the far corner belongs to the box: its width is `x1 - x0 + 1`."),
        Mistake("one cell too many", _answer(more=2), "Your box is one cell too long and too wide. From x0 to x1 there are `x1 - x0 + 1` cells."),
        Mistake("mean", _answer(reduce=torch.mean), "You take the mean of each part. Here it is the largest."),
        Mistake("smallest", _answer(reduce=torch.amin), "You take the smallest of each part. Here it is the largest."),
        Mistake("nothing below zero", _answer(start=0.0), "You compare with 0, so numbers below 0 are lost. Only a part without cells is 0."),
        Mistake("emptiness is low", _answer(empty=-torch.inf), "A part without any cell of the map holds no number of yours. It is 0."),
        Mistake("box cut to the map first", _answer(clip=True), "You cut the box to the map first, and that moves all parts. Divide the whole box, then look at those cells that exist."),
        Mistake("counted from the end", _from_the_end, "A part that ends before the map begins has an end below 0, and a slice counts that from the map's far end. Use `max(bottom, 0)`."),
        Mistake("parts share no cell", _whole_only, "Your parts share no cell, and some are empty. Each begins at the cell that holds its start, rounded down, and ends behind the cell that holds its end, rounded up."),
        Mistake("parts of whole cells", _answer(ends=_wide), "You give each part the same whole number of cells. Multiply first, then round: part i begins at `i * h // size`."),
        Mistake("parts of whole cells, rounded down", _answer(ends=_narrow), "The step between parts is rounded down before it is multiplied, so the far end is never reached. Part i begins at `i * h // size`."),
        Mistake("scale forgotten", _of(lambda f, b, n, s: (f, b, n, 1.0)), "The boxes are in pixels of the picture. Multiply by scale to get cells."),
        Mistake("divided by scale", _of(lambda f, b, n, s: (f, b / s / s, n, s)), "You divide by scale. It is cells a pixel: multiply."),
        Mistake("x for y", _of(lambda f, b, n, s: (f, _crossed(b), n, s)), "Rows and columns changed places. A box is x0, y0, x1, y1; a map is indexed row first: `feature[:, y, x]`."),
        Mistake("grid turned", _then(lambda pooled: pooled.mT), "Your grid is mirrored at its diagonal: i counts rows, j counts columns."),
        Mistake("x, y, w, h", _of(lambda f, b, n, s: (f, torch.cat([b[:, :2], b[:, :2] + b[:, 2:].clamp(min=0)], 1), n, s)), "You read the last two numbers as width and height. They are the far corner."),
        Mistake("first box for all", _repeated, "Every box got the first one's grid."),
        Mistake("first channel for all", _one_map, "Every channel got the first one's numbers. Take the largest over rows and columns only: `amax((1, 2))`."),
        Mistake("channels last", _then(lambda pooled: pooled.permute(0, 2, 3, 1)), "The numbers are right, but channels come second: (N, C, size, size)."),
        Mistake("no axis for boxes", _then(lambda pooled: pooled.flatten(0, 1)), "The numbers are right, but boxes and channels are one axis. Return (N, C, size, size)."),
    ],
    hints=[
        "Three steps: the box in whole cells; the box in size x size parts of whole cells; the largest number in each part.",
        "A box from cell x0 to cell x1 is `w = x1 - x0 + 1` cells wide. Part j goes from `j * w // size`, rounded down, to `(j + 1) * w / size`, rounded "
        "up: `-(-(j + 1) * w // size)`, counted from x0.",
        "Then look only at what exists, because a slice with a start below 0 counts from the end:\n"
        "    part = feature[:, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]\n"
        "    if part.numel():\n"
        "        pooled[k, :, i, j] = part.amax((1, 2))",
    ],
    equivalent={
        "for k, (x0, y0, x1, y1) in enumerate(boxes):": "tensors of one whole number slice as well as numbers do",
        "for j, i in np.ndindex(size, size):": "the grid is square, and every part is visited, in another order",
        "pooled[k, :, i, j] = part.amax((2, 1))": "the largest of all, in either order",
        "pooled = feature.new_zeros(len(boxes), len(feature), size, size) before boxes = (boxes + boxes.frac()).long()": "there are "
        "as many boxes before they are rounded",
    },
    note="A box was rounded twice, once to whole cells and once to whole parts: what it cuts is not quite what was asked for.",
)  # fmt: skip
