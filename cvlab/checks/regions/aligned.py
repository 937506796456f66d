"""The exercise of lesson 06a on cutting a region from a map without rounding: `roi_align`."""

import numpy as np
import torch

from cvlab.checks._engine.accept import array_of
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.checks.regions.pooled import RAMP, _boxes, _mixed
from cvlab.regions.roi import roi_align

__all__ = ["ROI_ALIGN"]


def _case(feature, boxes, size, scale, sampling, aligned) -> Case:
    return Case(feature=feature, boxes=boxes, size=size, scale=scale, sampling=sampling, aligned=aligned)


def _cases() -> list[Case]:
    return [
        _case(RAMP, _boxes([1, 1, 2, 2]), 1, 1.0, 1, True),
        _case(RAMP, _boxes([1, 1, 3, 2]), 1, 1.0, 1, False),
        _case(RAMP, _boxes([0.5, 1, 3.5, 3]), 2, 1.0, 1, True),
        _case(RAMP * RAMP, _boxes([1, 0.5, 4, 3.5]), 1, 1.0, 2, True),
        _case(RAMP, _boxes([4, 2, 12, 12]), 2, 0.25, 2, True),
        _case(RAMP, _boxes([1, 1, 1.5, 1.25]), 1, 1.0, 1, False),
        _case(RAMP, _boxes([1, 1, 1.5, 1.25]), 1, 1.0, 2, True),
        _case(RAMP, _boxes([0, 0.5, 4, 3]), 2, 1.0, 0, True),
        _case(RAMP * RAMP, _boxes([0, 0, 3.5, 2.5]), 1, 1.0, -1, False),
        _case(-RAMP, _boxes([-3, -2, 2, 2]), 2, 1.0, 2, True),
        _case(_mixed(2, 5, 7), _boxes([16, 16, 84, 52], [5, 0, 5, 0]), 3, 1 / 16, 2, True),
        _case(_mixed(3, 6, 5, seed=1), _boxes([-43, 9, 61, 27], [200, 9, 220, 20]), 2, 1 / 8, 3, False),
        _case(RAMP, _boxes([2, 2, 2, 3]), 1, 1.0, 0, True),
        _case(_mixed(2, 4, 4, seed=3), _boxes(), 2, 0.5, 2, True),
    ]


def _at(feature, y, x):
    """Return the numbers (C,) of a map between its cells; 0 more than one cell outside."""
    H, W = feature.shape[1:]
    if not (-1 <= y <= H and -1 <= x <= W):
        return torch.zeros(len(feature))
    y, x = min(max(y, 0), H - 1), min(max(x, 0), W - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, H - 1), min(left + 1, W - 1)
    v, u = y - top, x - left
    upper = (1 - u) * feature[:, top, left] + u * feature[:, top, right]
    lower = (1 - u) * feature[:, bottom, left] + u * feature[:, bottom, right]
    return (1 - v) * upper + v * lower


def _answer(
    at=_at,
    shift=lambda aligned: 0.5 if aligned else 0,
    least=lambda aligned: 0 if aligned else 1,
    many=lambda part, sampling: sampling if sampling > 0 else int(np.ceil(part)),
    middle=0.5,
    reduce=None,
    rounded=lambda box: box,
):
    """Return a RoI align, cell by cell and sample by sample, with one of its steps done otherwise."""

    def answer(feature, boxes, size, scale, sampling=2, aligned=True):
        pooled = torch.zeros(len(boxes), len(feature), size, size)
        for k, box in enumerate(rounded(boxes * scale - shift(aligned)).tolist()):
            x0, y0, x1, y1 = box
            w, h = max(x1 - x0, least(aligned)) / size, max(y1 - y0, least(aligned)) / size
            down, across = many(h, sampling), many(w, sampling)
            for i, j in np.ndindex(size, size):
                samples = [
                    at(feature, y0 + h * (i + (a + middle) / down), x0 + w * (j + (b + middle) / across))
                    for a, b in np.ndindex(down, across)
                ]
                if samples:
                    pooled[k, :, i, j] = (reduce or _mean)(torch.stack(samples))
        return pooled

    return answer


def _mean(samples):
    return samples.mean(0)


def _nearest(feature, y, x):
    H, W = feature.shape[1:]
    if not (-1 <= y <= H and -1 <= x <= W):
        return torch.zeros(len(feature))
    return feature[:, min(max(int(np.floor(y + 0.5)), 0), H - 1), min(max(int(np.floor(x + 0.5)), 0), W - 1)]


def _floored(feature, y, x):
    H, W = feature.shape[1:]
    if not (-1 <= y <= H and -1 <= x <= W):
        return torch.zeros(len(feature))
    return feature[:, int(min(max(y, 0), H - 1)), int(min(max(x, 0), W - 1))]


def _kept_outside(feature, y, x):
    H, W = feature.shape[1:]
    return _at(feature, min(max(y, 0), H - 1), min(max(x, 0), W - 1))


def _by_hand(feature, boxes, size, scale, sampling=2, aligned=True):
    return _answer()(feature, boxes, size, scale, sampling, aligned)


def _of(change):
    """Return the right answer from changed arguments."""

    def answer(feature, boxes, size, scale, sampling=2, aligned=True):
        return roi_align(*change(feature, boxes, size, scale, sampling, aligned))

    return answer


def _then(change):
    """Return the right answer, changed afterwards."""
    return lambda **given: change(roi_align(**given))


def _no_samples(feature, boxes, size, scale, sampling=2, aligned=True):
    """Take the mean of no samples: not a number."""
    return _answer_or_nan(feature, boxes, size, scale, sampling, aligned)


def _answer_or_nan(feature, boxes, size, scale, sampling, aligned):
    pooled = roi_align(feature, boxes, size, scale, sampling, aligned)
    flat = ((boxes[:, 2:] == boxes[:, :2]).any(1) & (sampling <= 0) & aligned)[:, None, None, None]
    return pooled.where(~flat, torch.tensor(torch.nan))


def _inside_only(feature, boxes, size, scale, sampling=2, aligned=True):
    """Divide by the samples inside the map."""
    ones = roi_align(torch.ones_like(feature), boxes, size, scale, sampling, aligned)
    pooled = roi_align(feature, boxes, size, scale, sampling, aligned)
    return torch.where(ones > 0, pooled / ones, 0.0)


def _repeated(feature, boxes, size, scale, sampling=2, aligned=True):
    return roi_align(feature, boxes[:1].expand(len(boxes), -1), size, scale, sampling, aligned)


def _first_channel(feature, boxes, size, scale, sampling=2, aligned=True):
    return roi_align(feature[:1], boxes, size, scale, sampling, aligned).expand(-1, len(feature), -1, -1)


ROI_ALIGN = Exercise(
    name="roi_align",
    lesson="06a",
    minutes=10,
    difficulty="hard",
    reference=roi_align,
    other=_by_hand,
    cases=_cases,
    apply=array_of,
    any_float=True,
    tolerance=1e-5,
    mistakes=[
        Mistake("half a cell forgotten", _answer(shift=lambda aligned: 0), "Half a cell is missing. A cell's number stands at its centre, so with `aligned` take 0.5 off the corners, in cells."),
        Mistake("half a cell always", _answer(shift=lambda aligned: 0.5), "You take half a cell off even without `aligned`. The first version of RoI align did not."),
        Mistake("half a cell to the wrong side", _answer(shift=lambda aligned: -0.5 if aligned else 0), "You add half a cell. Take it off: pixel 0.5 of a map of scale 1 is the centre of cell 0."),
        Mistake("half a pixel", _of(lambda f, b, n, s, k, a: (f, b + (0.5 / s - 0.5 if a else 0), n, s, k, a)), "You take half a *pixel* off, before scale. It is half a cell: after scale."),
        Mistake("small boxes stay small without aligned", _answer(least=lambda aligned: 0), "Without `aligned`, a box is at least one cell wide and high."),
        Mistake("small boxes grow always", _answer(least=lambda aligned: 1), "You make small boxes one cell wide even with `aligned`. There they stay as small as they are."),
        Mistake("samples at the start of each step", _answer(middle=0.0), "Your samples stand at the start of each step. They stand in its middle: `(k + 0.5) / n`."),
        Mistake("samples at the end of each step", _answer(middle=1.0), "Your samples stand at the end of each step. They stand in its middle: `(k + 0.5) / n`."),
        Mistake("one sample", _answer(many=lambda part, sampling: 1), "You take one sample a part. Take `sampling` a side, and their mean."),
        Mistake("always two", _answer(many=lambda part, sampling: 2), "You always take two samples a side. `sampling` says how many."),
        Mistake("one sample where none is told", _answer(many=lambda part, sampling: max(sampling, 1)), "0 or less is not one sample: it is as many as cells of the map that a part spans, rounded up."),
        Mistake("as many as cells, rounded down", _answer(many=lambda part, sampling: sampling if sampling > 0 else int(part)), "Where `sampling` is 0 or less, round the cells that a part spans *up*."),
        Mistake("counts the cells of the whole box", _of(lambda f, b, n, s, k, a: (f, b, n, s, k if k > 0 or not len(b) else int(np.ceil(max(((b[0, 2:] - b[0, :2]) * s).max(), 0 if a else 1))), a)), "Where `sampling` is 0 or less, count the cells that one *part* spans, down and across by themselves, not those of the box."),
        Mistake("largest", _answer(reduce=lambda samples: samples.amax(0)), "You take the largest sample. RoI align takes the mean."),
        Mistake("sum", _answer(reduce=lambda samples: samples.sum(0)), "You add the samples up. Divide by how many there are."),
        Mistake("divides by those inside", _inside_only, "You divide by the samples inside the map. Those outside count as 0, so divide by all."),
        Mistake("the edge goes on outside", _answer(at=_kept_outside), "More than one cell outside the map there is nothing: such a sample is 0."),
        Mistake("the mean of nothing", _no_samples, "A flat box has no samples where their number follows from its size, and 0 / 0 is no number. The part is 0: divide by at least 1."),
        Mistake("nearest", _answer(at=_nearest), "You take the nearest cell. Between cells, mix their numbers: that is what `bilinear_weights` gives."),
        Mistake("rounded down", _answer(at=_floored), "You cut the places down to whole cells. Mix the neighbours' numbers: that is what `bilinear_weights` gives."),
        Mistake("box rounded", _answer(rounded=torch.round), "You round the box to whole cells. That is RoI pool; RoI align rounds nothing."),
        Mistake("scale forgotten", _of(lambda f, b, n, s, k, a: (f, b, n, 1.0, k, a)), "The boxes are in pixels of the picture. Multiply by scale to get cells."),
        Mistake("divided by scale", _of(lambda f, b, n, s, k, a: (f, b / s / s, n, s, k, a)), "You divide by scale. It is cells a pixel: multiply."),
        Mistake("x for y", _of(lambda f, b, n, s, k, a: (f, b[:, [1, 0, 3, 2]], n, s, k, a)), "Rows and columns changed places. A box is x0, y0, x1, y1; rows come from y, columns from x."),
        Mistake("grid turned", _then(lambda pooled: pooled.mT), "Your grid is mirrored at its diagonal: its rows come from y, its columns from x."),
        Mistake("first box for all", _repeated, "Every box got the first one's grid."),
        Mistake("first channel for all", _first_channel, "Every channel got the first one's numbers. Keep the channels apart."),
        Mistake("channels last", _then(lambda pooled: pooled.permute(0, 2, 3, 1)), "The numbers are right, but channels come second: (N, C, size, size)."),
        Mistake("no axis for boxes", _then(lambda pooled: pooled.flatten(0, 1)), "The numbers are right, but boxes and channels are one axis. Return (N, C, size, size)."),
    ],
    hints=[
        "Along one side: where does each of the `size * n` samples stand, in cells? Then `bilinear_weights` says how to mix the cells there.",
        "A part is `(end - start) / size` cells long, and its samples divide it in n: sample k stands at `start + part * (k + 0.5) / n`, k from 0 to "
        "`size * n - 1`. Take half a cell off the corners first where `aligned`.",
        "Weights of rows and of columns give all samples at once; then the mean within each part:\n"
        "    samples = weights[0] @ feature @ weights[1].T\n"
        "    samples = samples.reshape(C, size, counts[0], size, counts[1])\n"
        "    pooled[k] = samples.sum((2, 4)) / max(counts[0] * counts[1], 1)",
    ],
    equivalent={},
    note="Nothing was rounded, so the grid moves as smoothly as its box, and a gradient could tell the box where to go.",
)  # fmt: skip
