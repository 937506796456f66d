"""The exercises of lesson 06a on many boxes for one object: `nms` and `soft_nms`."""

from typing import NamedTuple

import torch

from cvlab.checks._engine.accept import as_parts
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.regions import suppression
from cvlab.regions.geometry import box_iou

__all__ = ["NMS", "SOFT_NMS"]

PAPER = [[0.0, 0.0, 10.0, 10.0], [2.0, 0.0, 12.0, 10.0], [5.0, 0.0, 15.0, 10.0], [20.0, 0.0, 30.0, 10.0]]
CHAIN = [[0.0, 0.0, 10.0, 10.0], [3.0, 0.0, 13.0, 10.0], [6.0, 0.0, 16.0, 10.0]]  # IoU 0.54, 0.54 and 0.25


def _case(name: str, boxes: list, scores: list, **more) -> Case:
    texts = [f"torch.tensor({v})" if v else "torch.zeros(0, 4)" for v in (boxes,)]
    texts += [f"torch.tensor({scores})"] + [f"{key}={value}" for key, value in more.items()]
    tensors = {"boxes": torch.tensor(boxes).reshape(-1, 4), "scores": torch.tensor(scores)}
    return Case(**tensors, **more).shown_as(f"{name}({', '.join(texts)})")


def _crowd(n: int) -> tuple[list, list]:
    """Return n boxes at whole pixels, many of them on top of each other, and scores no two of which are equal."""
    dice = torch.Generator().manual_seed(3)
    corners = torch.randint(0, 12, (n, 2), generator=dice)
    sizes = torch.randint(6, 15, (n, 2), generator=dice)
    scores = (torch.randperm(n, generator=dice) + 1) / (n + 1)
    return torch.cat([corners, corners + sizes], 1).float().tolist(), scores.mul(100).round().div(
        100
    ).tolist()


def _nms_cases() -> list[Case]:
    return [
        _case("nms", PAPER[:1], [0.5]),
        _case("nms", PAPER[:2], [0.6, 0.9]),
        _case("nms", [PAPER[0], PAPER[3]], [0.6, 0.9]),
        _case("nms", [[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 5.0]], [0.9, 0.6]),  # IoU is the threshold
        _case("nms", PAPER[:2], [0.9, 0.6], threshold=0.75),
        _case("nms", [[0.0, 0.0, 0.5, 0.5], [0.125, 0.0, 0.625, 0.5]], [0.9, 0.6]),  # shares of a picture
        _case("nms", PAPER, [0.7, 0.9, 0.6, 0.8]),
        _case("nms", CHAIN, [0.9, 0.8, 0.7]),
        _case("nms", CHAIN, [0.8, 0.9, 0.7]),
        _case("nms", [*PAPER[1::2], PAPER[0]], [0.8, 0.8, 0.8]),  # equal scores
        _case("nms", [PAPER[3], *CHAIN], [0.4, 0.9, 0.5, 0.7], threshold=0.25),
        _case("nms", *_crowd(12), threshold=0.375),
        _case("nms", [], []),
    ]


def _nms_other(boxes, scores, threshold=0.5):
    """All overlaps first; then down the list, crossing out."""
    order = torch.sort(scores, descending=True, stable=True).indices.tolist()
    overlap = box_iou(boxes, boxes)
    out = [False] * len(order)
    for place, i in enumerate(order):
        for j in order[place + 1 :]:
            if not out[i] and overlap[i, j] > threshold:
                out[j] = True
    return torch.tensor([i for i in order if not out[i]], dtype=torch.long)


def _nms(*, descending=True, iou=box_iou, drops=lambda o, t: o > t, greedy=True, one=False, near=False,
         late=False, end=lambda kept, order: order[kept]):  # fmt: skip
    """Return an `nms` that differs from the right one as the arguments say."""

    def nms(boxes, scores, threshold=0.5):
        order = scores.argsort(descending=descending, stable=True)
        if late:
            order = scores.flip(0).argsort(descending=True, stable=True)
            order = len(scores) - 1 - order
        overlap = iou(boxes[order], boxes[order])
        kept = []
        for j in range(len(order)):
            rivals = kept if greedy else list(range(j))
            rivals = rivals[:1] if one else rivals[-1:] if near else rivals
            if not any(drops(overlap[i, j], threshold) for i in rivals):
                kept.append(j)
        return end(torch.tensor(kept, dtype=torch.long), order)

    return nms


def _plus_one(a, b):
    grow = torch.tensor([0.0, 0.0, 1.0, 1.0])
    return box_iou(a + grow, b + grow)


def _area(v):
    return (v[:, 2:] - v[:, :2]).prod(1)


def _shared(a, b):
    sides = torch.minimum(a[:, None, 2:], b[None, :, 2:]) - torch.maximum(a[:, None, :2], b[None, :, :2])
    return sides.clamp(min=0).prod(2)


def _over_smaller(a, b):
    return _shared(a, b) / torch.minimum(_area(a)[:, None], _area(b)[None])


def _mask(boxes, scores, threshold=0.5):
    stays = torch.zeros(len(boxes), dtype=torch.bool)
    stays[suppression.nms(boxes, scores, threshold)] = True
    return stays


def _unsorted(boxes, scores, threshold=0.5):
    return _nms()(boxes, torch.zeros_like(scores), threshold)


def _zeroes(boxes, scores, threshold=0.5):
    kept = suppression.nms(boxes, scores, threshold)
    out = torch.ones_like(scores, dtype=torch.bool)
    out[kept] = False
    scores[out] = 0
    return kept


NMS = Exercise(
    name="nms",
    lesson="06a",
    minutes=10,
    difficulty="medium",
    reference=suppression.nms,
    other=_nms_other,
    cases=_nms_cases,
    mistakes=[
        Mistake("nothing dropped", _nms(drops=lambda o, t: False), "You sort, but drop nothing. A box goes when it overlaps a kept one by more than the threshold."),
        Mistake("worst first", _nms(descending=False), "You begin with the worst box, and it drops the better ones. Sort `descending=True`."),
        Mistake("not sorted", _unsorted, "The boxes keep the order in which they came, so the first drops the better ones. Sort by score."),
        Mistake("at the threshold too", _nms(drops=lambda o, t: o >= t), "A box whose overlap equals the threshold stays: drop it only above."),
        Mistake("upside down", _nms(drops=lambda o, t: o <= t), "You drop the boxes that overlap *little*. Those are other objects: keep them."),
        Mistake("any overlap", _nms(drops=lambda o, t: o > 0), "You drop whatever touches a kept box. Compare the overlap with the threshold."),
        Mistake("always one half", lambda boxes, scores, threshold=0.5: suppression.nms(boxes, scores), "The threshold is an argument: use the one that was given."),
        Mistake("dropped boxes drop", _nms(greedy=False), "A box that was dropped itself still drops others. Only a kept box may."),
        Mistake("only the best drops", _nms(one=True), "Only the very best box drops others. Every kept box does: go on with what is left."),
        Mistake("only the last kept drops", _nms(near=True), "You compare with the box that was kept last. Compare with all kept ones."),
        Mistake("places after sorting", _nms(end=lambda kept, order: kept), "You return places in the *sorted* list. The caller's boxes are not sorted: return `order[place]`."),
        Mistake("in the boxes' order", _nms(end=lambda kept, order: order[kept].sort().values), "The right boxes, but in the order in which they came. Best score first."),
        Mistake("worst at the head", _nms(end=lambda kept, order: order[kept].flip(0)), "The right boxes, the worst first. Best score first."),
        Mistake("the dropped ones", lambda boxes, scores, threshold=0.5: (~_mask(boxes, scores, threshold)).nonzero()[:, 0], "Those are the boxes to drop. Return the ones that stay."),
        Mistake("a mask", _mask, "You return True and False for all boxes. Return the places of the kept ones, best score first."),
        Mistake("the boxes", lambda boxes, scores, threshold=0.5: boxes[suppression.nms(boxes, scores, threshold)], "You return the boxes. Return their places, so that the caller can look up scores and labels too."),
        Mistake("the scores", lambda boxes, scores, threshold=0.5: scores[suppression.nms(boxes, scores, threshold)], "You return the scores. Return the places of the kept boxes."),
        Mistake("later of two equals", _nms(late=True), "Of equal scores the earlier box comes first: `stable=True`, and no turning round afterwards."),
        Mistake("one pixel too large", _nms(iou=_plus_one), "You add 1 to the sides, as code that counts the last pixel in does. Here x1 and y1 lie just outside."),
        Mistake("over the smaller box", _nms(iou=_over_smaller), "You divide the overlap by the smaller box. IoU divides by the union."),
        Mistake("shared pixels", _nms(iou=_shared), "You compare shared *pixels* with the threshold. IoU is their share of the union."),
        Mistake("scores set to 0", _zeroes, "You wrote into the caller's scores. Keep a list of what is left instead."),
    ],
    hints=[
        "By hand: write the boxes down, best score first. Keep the first, cross out what overlaps it too much. Then the first that is left.",
        "Keep the places that are left, best first, and take the head off in each round:\n"
        "    left = scores.argsort(descending=True, stable=True)\n"
        "    while len(left):\n"
        "        best, left = left[0], left[1:]",
        "One row of overlaps, and what stays:\n"
        "    overlap = box_iou(boxes[best][None], boxes[left])[0]\n"
        "    left = left[overlap <= threshold]\n"
        "After the loop: `torch.tensor(kept, dtype=torch.int64)`, which is right for no boxes too.",
    ],
    equivalent={
        "left = scores.argsort(descending=True)": "on a CPU torch leaves equal scores in their order anyway",
        "left = scores.argsort(descending=True, stable=False)": "on a CPU torch leaves equal scores in their order anyway",
        "best, left = (left[0], left)": "a box that is not empty overlaps itself by 1, so it drops itself",
        "best, left = (left[0], left[1 - 1:])": "a box that is not empty overlaps itself by 1, so it drops itself",
        "best, left = (left[0], left[:])": "a box that is not empty overlaps itself by 1, so it drops itself",
        "best, left = (left[0], left[0:])": "a box that is not empty overlaps itself by 1, so it drops itself",
        "kept.append(best)": "a list of tensors of one number makes the same tensor",
        "kept.append(float(best))": "the last line makes whole numbers of them",
        "overlap = box_iou(boxes[best][None], boxes[left])[-1]": "there is one row, the first and the last",
        "overlap = box_iou(boxes[best][None], boxes[left])[0] before kept.append(int(best))": "neither needs the other",
    },
    note="A kept box never asks what the others show: two objects that overlap by more than the threshold lose one box.",
)  # fmt: skip


class _Left(NamedTuple):
    kept: torch.Tensor
    scores: torch.Tensor


def _apply(function, boxes, scores, **more):
    return as_parts(function(boxes, scores, **more), _Left)


def _soft_cases() -> list[Case]:
    return [
        _case("soft_nms", PAPER[:1], [0.5]),
        _case("soft_nms", PAPER[:2], [0.6, 0.9]),
        _case("soft_nms", [PAPER[0], PAPER[3]], [0.6, 0.9]),
        _case("soft_nms", PAPER[:2], [0.9, 0.6], sigma=0.25),
        _case("soft_nms", PAPER[:2], [0.9, 0.6], least=0.4),
        _case("soft_nms", PAPER[:1], [0.05], least=0.1),  # too low from the start
        _case("soft_nms", [PAPER[0], PAPER[3]], [0.9, 0.5], least=0.5),  # just enough
        _case("soft_nms", [PAPER[0], PAPER[0]], [0.9, 0.6], sigma=0.1),  # falls below the usual least
        _case("soft_nms", PAPER, [0.7, 0.9, 0.6, 0.4]),
        _case("soft_nms", CHAIN, [0.9, 0.8, 0.7]),
        _case("soft_nms", [*CHAIN, PAPER[3]], [0.7, 0.9, 0.8, 0.05], least=0.1),
        _case("soft_nms", *_crowd(8), sigma=0.3, least=0.05),
        _case("soft_nms", [], []),
    ]


def _soft_other(boxes, scores, sigma=0.5, least=0.001):
    """All factors first; a list of what is left, and the best of it by Python's max."""
    factor = (-box_iou(boxes, boxes).square() / sigma).exp()
    now, left, found = scores * 1, list(range(len(scores))), []
    while left := [i for i in left if now[i] >= least]:
        best = max(left, key=lambda i: float(now[i]))
        found.append(best)
        left.remove(best)
        now = torch.where(torch.isin(torch.arange(len(now)), torch.tensor(left)), now * factor[best], now)
    kept = torch.tensor(found, dtype=torch.long)
    return kept, now[kept]


def _gauss(overlap, sigma):
    return torch.exp(-(overlap**2) / sigma)


def _soft(*, factor=_gauss, sort_once=False, old=False, end=lambda kept, now: (kept, now[kept]), first=True, last=True,
          above=False, itself=False, take=torch.argmax):  # fmt: skip
    """Return a `soft_nms` that differs from the right one as the arguments say."""

    def soft_nms(boxes, scores, sigma=0.5, least=0.001):
        def enough(s):
            return s > least if above else s >= least

        now, kept = scores.clone(), []
        left = enough(now).nonzero()[:, 0] if first else torch.arange(len(now))
        while len(left):
            best = left[take((scores if sort_once else now)[left])]
            kept.append(int(best))
            touched = left if itself else left[left != best]
            overlap = box_iou(boxes[best][None], boxes[touched])[0]
            now[touched] = (scores if old else now)[touched] * factor(overlap, sigma)
            left = left[left != best]
            if last:
                left = left[enough(now[left])]
        return end(torch.tensor(kept, dtype=torch.long), now)

    return soft_nms


def _in_place(boxes, scores, sigma=0.5, least=0.001):
    kept, now = suppression.soft_nms(boxes, scores, sigma, least)
    scores[kept] = now
    return kept, now


SOFT_NMS = Exercise(
    name="soft_nms",
    lesson="06a",
    minutes=10,
    difficulty="medium",
    reference=suppression.soft_nms,
    other=_soft_other,
    cases=_soft_cases,
    apply=_apply,
    tolerance=1e-5,
    any_float=True,
    mistakes=[
        Mistake("nothing lowered", _soft(factor=lambda o, s: torch.ones_like(o)), "No score goes down. Each round lowers what overlaps the chosen box: times `exp(-IoU ** 2 / sigma)`."),
        Mistake("plus in the exponent", _soft(factor=lambda o, s: torch.exp(o**2 / s)), "Your exponent is positive, so scores rise. It needs a minus."),
        Mistake("not squared", _soft(factor=lambda o, s: torch.exp(-o / s)), "You take the IoU itself. Square it: a small overlap is then nearly forgiven."),
        Mistake("times sigma", _soft(factor=lambda o, s: torch.exp(-(o**2) * s)), "You multiply by sigma. Divide: the smaller sigma, the harder."),
        Mistake("two sigma squared", _soft(factor=lambda o, s: torch.exp(-(o**2) / (2 * s**2))), "You divide by 2 sigma², as a bell curve does. Soft-NMS divides by sigma."),
        Mistake("linear", _soft(factor=lambda o, s: 1 - o), "You take 1 - IoU, the linear kind. Here it is `exp(-IoU ** 2 / sigma)`."),
        Mistake("factor in place of score", _soft(factor=lambda o, s: 1 - torch.exp(-(o**2) / s)), "You lower the boxes that overlap *little*. The factor is `exp(...)` itself, not 1 minus it."),
        Mistake("sigma ignored", lambda boxes, scores, sigma=0.5, least=0.001: suppression.soft_nms(boxes, scores, 0.5, least), "sigma is an argument: use the one that was given."),
        Mistake("least ignored", lambda boxes, scores, sigma=0.5, least=0.001: suppression.soft_nms(boxes, scores, sigma, 0.001), "least is an argument: use the one that was given."),
        Mistake("order of the old scores", _soft(sort_once=True), "You go through the boxes by their *old* scores. Choose the best by the lowered ones, anew in each round."),
        Mistake("only the last box counts", _soft(old=True), "You lower the old score anew each time, so only the last chosen box counts. Lower what is already lowered."),
        Mistake("nothing dropped", _soft(last=False, first=False), "No box is ever dropped. One whose score falls below `least` goes."),
        Mistake("never asked at the start", _soft(first=False), "A box that is below `least` from the start is kept when it is chosen first, or touched by none. Look before the first round too."),
        Mistake("old scores returned", lambda boxes, scores, sigma=0.5, least=0.001: (k := suppression.soft_nms(boxes, scores, sigma, least)[0], scores[k]), "You return the scores as they were. Return the lowered ones."),
        Mistake("all scores", _soft(end=lambda kept, now: (kept, now)), "You return a score for every box. Return those of the kept ones, in their order."),
        Mistake("only the places", lambda boxes, scores, sigma=0.5, least=0.001: suppression.soft_nms(boxes, scores, sigma, least)[0], "You return the places only. The new scores are the point: return both."),
        Mistake("only the scores", lambda boxes, scores, sigma=0.5, least=0.001: suppression.soft_nms(boxes, scores, sigma, least)[1], "You return the scores only. Which boxes have them? Return both, the places first."),
        Mistake("exchanged", lambda boxes, scores, sigma=0.5, least=0.001: suppression.soft_nms(boxes, scores, sigma, least)[::-1], "Scores and places changed places: return the places first."),
        Mistake("boxes' order", _soft(end=lambda kept, now: (kept.sort().values, now[kept.sort().values])), "The right boxes and scores, in the order in which they came. Return them as they were chosen."),
        Mistake("lowers itself", _soft(itself=True), "The chosen box lowers itself: its IoU with itself is 1. Take it off the list before."),
        Mistake("worst first", _soft(take=torch.argmin), "You choose the worst box in each round. Take the best: `argmax`."),
        Mistake("scores overwritten", _in_place, "You wrote into the caller's scores. Begin with `scores.clone()`."),
        Mistake("hard", lambda boxes, scores, sigma=0.5, least=0.001: (k := suppression.nms(boxes, scores), scores[k]), "That is hard NMS: boxes go at once. Here their scores go down, and only what falls below `least` goes."),
    ],
    hints=[
        "By hand: IoU 2/3 and sigma 0.5 make the factor exp(-(4/9) / 0.5) = 0.411, so 0.6 becomes 0.247.",
        "Choose anew in each round, by the scores as they are now:\n"
        "    best = left[scores[left].argmax()]\n"
        "    left = left[left != best]",
        "Lower what is left, then let go what is too low:\n"
        "    overlap = box_iou(boxes[best][None], boxes[left])[0]\n"
        "    scores[left] *= torch.exp(-(overlap ** 2) / sigma)\n"
        "    left = left[scores[left] >= least]",
    ],
    equivalent={
        "left = (scores >= least).nonzero()[:, -1]": "there is one column, the first and the last",
        "kept.append(float(best))": "whole numbers as floats: the places are made whole again, and torch takes them as places",
        "overlap = box_iou(boxes[best][None], boxes[left])[-1]": "there is one row, the first and the last",
        "left = (scores >= least).nonzero()[:, 0] before scores = scores.clone()": "the copy holds the same scores",
        "left = left[left != best] before kept.append(int(best))": "neither needs the other",
    },
    note="No threshold on the overlap is left: what was one is now a slope, and a threshold on the score decides at the end.",
)  # fmt: skip
