"""The exercise of lesson 06b that says which anchor answers for which object: `match_anchors`."""

import torch

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.detection import anchors as package
from cvlab.regions.geometry import box_iou

__all__ = ["MATCH_ANCHORS"]

WHOLE, HALF, FIFTH = [0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 5.0], [0.0, 0.0, 10.0, 2.0]
FAR, LESS = [30.0, 30.0, 40.0, 40.0], [0.0, 0.0, 10.0, 4.0]


def _case(anchors, boxes, **thresholds) -> Case:
    texts = [f"torch.tensor({rows})" if rows else "torch.zeros(0, 4)" for rows in (anchors, boxes)]
    texts += [f"{name}={value}" for name, value in thresholds.items()]
    first, second = (torch.tensor(rows).reshape(-1, 4) for rows in (anchors, boxes))
    return Case(first, second, **thresholds).shown_as(f"match_anchors({', '.join(texts)})")


def _cases() -> list[Case]:
    grid = package.make_anchors(4, 4, 8, [8, 14], [1]).tolist()
    eighth = [[0.0, 0.0, 8.0, 8.0], [0.0, 0.0, 8.0, 7.0], [0.0, 0.0, 8.0, 4.0], [0.0, 0.0, 8.0, 3.0]]
    return [
        _case([WHOLE], [WHOLE]),
        _case([WHOLE, FAR], [WHOLE]),
        _case([WHOLE, HALF, FIFTH], [WHOLE]),  # IoU 1, 0.5, 0.2
        _case([LESS, HALF, FAR], [WHOLE]),  # none is enough: the best is kept
        _case([FAR, FIFTH], [WHOLE]),  # the best is below `low`
        _case([HALF, [0.0, 5.0, 10.0, 10.0]], [WHOLE]),  # a tie
        _case([WHOLE, FAR], [FAR, WHOLE]),
        _case([[0.0, 0.0, 10.0, 8.0]], [[0.0, 0.0, 10.0, 6.0], WHOLE, HALF]),  # it answers for its nearest
        _case([WHOLE, [50.0, 0.0, 60.0, 10.0]], [FAR, WHOLE]),  # a truth that nothing touches
        _case([WHOLE, FAR], []),
        _case(eighth, [[0.0, 0.0, 8.0, 8.0]], low=0.5, high=0.875),  # IoU 1, 7/8, 1/2, 3/8
        _case(eighth[1:], [[0.0, 0.0, 8.0, 8.0]], low=0.4, high=0.4),
        _case([WHOLE, [0.0, 0.0, 10.0, 7.2], [0.0, 0.0, 10.0, 6.8], [0.0, 0.0, 10.0, 3.2], [0.0, 0.0, 10.0, 2.8]], [WHOLE]),
        _case(grid, [[1.0, 0.0, 12.0, 11.0], [9.0, 15.0, 15.0, 24.0], [20.0, 16.0, 31.0, 29.0]], low=0.25, high=0.6),
    ]  # fmt: skip


def _other(anchors, boxes, low=0.3, high=0.7):
    """Anchor by anchor, then truth by truth."""
    match = torch.full((len(anchors),), -1)
    table = box_iou(anchors, boxes).tolist()
    for n, row in enumerate(table):
        most = max(row, default=0.0)
        if row and most >= high:
            match[n] = row.index(most)
        elif row and most >= low:
            match[n] = -2
    for m in range(len(boxes)):
        most = max((row[m] for row in table), default=0.0)
        for n, row in enumerate(table):
            if most > 0 and row[m] == most:
                match[n] = row.index(max(row))
    return match


def _kept(iou, low):
    top = iou.amax(dim=1, keepdim=True)
    return ((iou == top) & (top > 0)).any(dim=0)


def _made(
    *, below_high=torch.lt, below_low=torch.lt, codes=(-2, -1), kept=_kept, whom=None, none=-1, end=None
):
    """Return a `match_anchors` with one slip."""

    def match_anchors(anchors, boxes, low=0.3, high=0.7):
        if len(boxes) == 0:
            return torch.full((len(anchors),), none)
        iou = box_iou(boxes, anchors)
        best, nearest = iou.max(dim=0)
        match = nearest.clone()
        match[below_high(best, high)] = codes[0]
        match[below_low(best, low)] = codes[1]
        rows = kept(iou, low)
        match[rows] = (whom(iou) if whom else nearest)[rows]
        return end(match, iou) if end else match

    return match_anchors


def _first_best(iou, low):
    rows = torch.zeros(iou.shape[1], dtype=torch.bool)
    rows[iou.argmax(dim=1)[iou.amax(dim=1) > 0]] = True
    return rows


def _claimant(iou):
    """The last truth for which no anchor beats this one."""
    top = iou.amax(dim=1, keepdim=True)
    owner = iou.argmax(dim=0)
    for m, row in enumerate((iou == top) & (top > 0)):
        owner[row] = m
    return owner


def _fixed(anchors, boxes, low=0.3, high=0.7):
    return package.match_anchors(anchors, boxes)


def _any_above_low(anchors, boxes, low=0.3, high=0.7):
    return package.match_anchors(anchors, boxes, low, low)


def _best_only(anchors, boxes, low=0.3, high=0.7):
    match = torch.full((len(anchors),), -1)
    iou = box_iou(boxes, anchors)
    return match if iou.numel() == 0 else torch.where(_kept(iou, low), iou.argmax(dim=0), match)


MATCH_ANCHORS = Exercise(
    name="match_anchors",
    lesson="06b",
    minutes=12,
    difficulty="hard",
    reference=package.match_anchors,
    other=_other,
    cases=_cases,
    mistakes=[
        Mistake("best anchors not kept", _made(kept=lambda iou, low: iou[0] < 0), "An object whose best anchor is below `high` has none, and is never learnt. Its best anchor is positive whatever its IoU."),
        Mistake("kept from low on", _made(kept=lambda iou, low: ((iou == iou.amax(1, True)) & (iou >= low) & (iou > 0)).any(0)), "You keep a truth's best anchor only where its IoU reaches `low`. It is kept at any IoU above 0."),
        Mistake("untouched truths take all", _made(kept=lambda iou, low: (iou == iou.amax(1, True)).any(0)), "A truth that no anchor touches has the best IoU 0, and so every anchor that misses it equals the best. Ask also that the best is above 0."),
        Mistake("first of equals", _made(kept=_first_best), "Two anchors are equally good, and you keep one, as `argmax` does. Keep all that equal the best: compare with `amax`."),
        Mistake("given to who claims it", _made(whom=_claimant), "You give a kept anchor to the truth that claims it. It answers for the truth that it overlaps most, which may be another."),
        Mistake("none ignored", _made(codes=(-1, -1)), "You have no ignored ones: an IoU from `low` up to `high` is neither right nor wrong. Say -2."),
        Mistake("codes exchanged", _made(codes=(-1, -2)), "-1 and -2 changed places: -1 is negative, -2 is ignored."),
        Mistake("positive from low on", _any_above_low, "You call everything positive that reaches `low`. Positive begins at `high`; in between it is ignored."),
        Mistake("high itself is ignored", _made(below_high=torch.le), "An IoU of exactly `high` is positive: compare with `<`."),
        Mistake("low itself is negative", _made(below_low=torch.le), "An IoU of exactly `low` is ignored already: compare with `<`."),
        Mistake("0.3 and 0.7 always", _fixed, "You use 0.3 and 0.7, whatever was given. Compare with the arguments."),
        Mistake("best anchors only", _best_only, "Only the best anchor of each truth is positive with you. All that reach `high` are."),
        Mistake("ignored are not rescued", _made(kept=lambda iou, low: _kept(iou, low) & (iou.amax(0) < low)), "You keep a truth's best anchor only where it was negative. One that was ignored becomes positive too."),
        Mistake("first truth", _made(end=lambda match, iou: match.clamp(max=0)), "All your positives answer for truth 0. Say which one: the place of the largest IoU among the truths."),
        Mistake("last of the truths", _made(end=lambda match, iou: torch.where(match >= 0, len(iou) - 1 - match, match)), "You count the truths from the end. Their places are those in `boxes`."),
        Mistake("counted from 1", _made(end=lambda match, iou: torch.where(match >= 0, match + 1, match)), "You count the truths from 1. They are places in `boxes`, from 0 on."),
        Mistake("yes or no", _made(end=lambda match, iou: torch.where(match >= 0, 1, match)), "You say that an anchor is positive, not for which truth. Return the truth's place."),
        Mistake("no truth is truth 0", _made(none=0), "Where there is no truth, nothing can be positive: all anchors are negative, -1."),
        Mistake("no truth is ignored", _made(none=-2), "Where there is no truth, all anchors are right to say nothing: they are negative, -1, and worth learning from."),
        Mistake("the nearest always", _made(end=lambda match, iou: iou.argmax(dim=0)), "You give each anchor its nearest truth, however far it is. Below `low` it is -1, below `high` it is -2."),
        Mistake("the IoU itself", _made(end=lambda match, iou: iou.amax(dim=0)), "You return the best IoU of each anchor. Wanted is the place of that truth, or -1, or -2."),
        Mistake("one answer a truth", _made(end=lambda match, iou: iou.argmax(dim=1)), "You return the best anchor of each truth. One answer an anchor is wanted: take the largest over the truths."),
        Mistake("as floats", _made(end=lambda match, iou: match.float()), "The places are right, but they are floats, and cannot be used as an index. Keep them int64."),
    ],
    hints=[
        "One table of IoU, a row a truth, a column an anchor. Each column's largest says the anchor's IoU and its truth: `iou.max(dim=0)`.",
        "First the truths, then overwrite what is not enough, the larger threshold first:\n"
        "    match[best < high] = -2\n"
        "    match[best < low] = -1",
        "At last each row's largest, ties too, and none where it is 0:\n"
        "    top = iou.amax(dim=1, keepdim=True)\n"
        "    kept = ((iou == top) & (top > 0)).any(dim=0)\n"
        "    match[kept] = nearest[kept]",
    ],
    note="An object can still stay without an anchor: where its best one overlaps another object even more.",
)  # fmt: skip
