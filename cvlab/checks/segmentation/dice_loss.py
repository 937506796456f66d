"""The exercise of lesson 05 that is minimised: the soft Dice loss."""

from typing import NamedTuple

import numpy as np
import torch

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.segmentation import losses

__all__ = ["DICE_LOSS"]


class _Seen(NamedTuple):
    loss: torch.Tensor
    gradient_of_the_logits: torch.Tensor


def _apply(function, logits, target, **eps):
    """Return the loss and how it changes with the logits, so that a loss nothing can learn from is noticed."""
    leaf = logits.clone().requires_grad_()
    given = leaf * 1  # as in a real net: a result, into which one could write
    loss = function(given, target, **eps)
    logits.copy_(given.detach())  # so that writing into it is seen
    if not isinstance(loss, torch.Tensor) or not loss.requires_grad:
        return _Seen(loss, torch.zeros_like(leaf))
    return _Seen(loss.detach(), torch.autograd.grad(loss.sum(), leaf)[0])


def _case(logits, target, **eps) -> Case:
    more = "".join(f", {name}={value}" for name, value in eps.items())
    text = f"dice_loss(torch.tensor({logits}), torch.tensor({target}){more})"
    return Case(logits=torch.tensor(logits), target=torch.tensor(target), **eps).shown_as(text)


def _cases() -> list[Case]:
    dice = np.random.default_rng(1)
    logits = dice.normal(0, 2, (3, 1, 2, 3)).round(1).tolist()
    target = dice.integers(0, 2, (3, 1, 2, 3)).astype(float)
    target[1] = 0  # nothing is there
    return [
        _case([[[0.0, 0.0]]], [[[1.0, 0.0]]]),
        _case([[[2.0, -1.0]]], [[[1.0, 0.0]]]),
        _case([[[2.0, -1.0]]], [[[1.0, 1.0]]], eps=0.5),
        _case([[[-3.0, -3.0]]], [[[0.0, 0.0]]]),  # rightly nothing
        _case([[[3.0, -1.0]], [[0.5, -2.0]]], [[[1.0, 1.0]], [[1.0, 0.0]]]),
        _case([[[1.5, -2.0], [0.5, 0.0]]], [[[1.0, 0.0], [0.3, 0.0]]], eps=2.0),  # a soft target
        _case(logits, target.tolist()),
    ]


def _other(logits, target, eps=1.0):
    """One picture after the other, by dot products."""
    losses_ = []
    for z, t in zip(logits, target, strict=True):
        p, t = torch.sigmoid(z).reshape(-1), t.reshape(-1)
        losses_.append(1 - (2 * torch.dot(p, t) + eps) / (p.sum() + t.sum() + eps))
    return torch.stack(losses_).mean()


def _made(*, p=torch.sigmoid, dims=1, overlap=lambda p, t: p * t, size=lambda p, t: p.sum(1) + t.sum(1),
          two=2, above=1, below=1, end=lambda dice: (1 - dice).mean()):  # fmt: skip
    """Return a `dice_loss` that differs from the right one as the arguments say."""

    def dice_loss(logits, target, eps=1.0):
        shares, t = p(logits), target
        shares, t = (v.flatten(1) if dims else v.reshape(1, -1) for v in (shares, t))
        dice = (two * overlap(shares, t).sum(1) + above * eps) / (size(shares, t) + below * eps)
        return end(dice)

    return dice_loss


def _eps_one(logits, target, eps=1.0):
    return losses.dice_loss(logits, target)


def _as_is(values):
    return values


DICE_LOSS = Exercise(
    name="dice_loss",
    lesson="05",
    minutes=8,
    difficulty="medium",
    reference=losses.dice_loss,
    other=_other,
    cases=_cases,
    apply=_apply,
    tolerance=1e-5,
    any_float=True,
    mistakes=[
        Mistake("no sigmoid", _made(p=_as_is), "You take the logits as they are. Probabilities are wanted: `logits.sigmoid()` first."),
        Mistake("sigmoid twice", _made(p=lambda z: z.sigmoid().sigmoid()), "The sigmoid came twice: all shares lie between `0.5` and `0.73` then, and no mask is ever sharp."),
        Mistake("softmax", _made(p=lambda z: z.flatten(1).softmax(1).view_as(z)), "You let the pixels of a picture compete for one sum of 1. Each pixel has its own answer: `sigmoid`."),
        Mistake("hard masks", _made(p=lambda z: (z > 0).float()), "You cut at a threshold: a small step of a weight then changes nothing, and no gradient flows. Keep the shares soft."),
        Mistake("whole batch at once", _made(dims=0), "You add up the pixels of all pictures, so that large things decide for small ones. One Dice for each picture, then the mean: `flatten(1)`."),
        Mistake("eps only above", _made(below=0), "Your eps stands above only: a picture with nothing in it gives a Dice far over 1, and a loss far below 0."),
        Mistake("eps only below", _made(above=0), "Your eps stands below only: rightly finding nothing in an empty picture costs 1. Put it above and below."),
        Mistake("no eps", _made(above=0, below=0), "Without eps an empty picture comes near to 0 / 0. Add eps above and below."),
        Mistake("always eps 1", _eps_one, "eps is an argument: use the one that was given."),
        Mistake("twice eps above", _made(above=2), "Your 2 multiplies eps too: a picture rightly left empty gets Dice 2. Double the overlap only."),
        Mistake("2 forgotten", _made(two=1), "The 2 before the overlap is missing: a perfect mask would get about half, because pixels of both are counted twice below."),
        Mistake("1 minus forgotten", _made(end=lambda dice: dice.mean()), "That is Dice itself, which is to grow. A loss is to shrink: 1 minus it."),
        Mistake("minus Dice", _made(end=lambda dice: -dice.mean()), "You return minus Dice: the same slopes, but no loss of 0 for a perfect mask. Add 1."),
        Mistake("log of Dice", _made(end=lambda dice: -dice.log().mean()), "You take the logarithm of Dice. Here the loss is 1 minus it."),
        Mistake("IoU", _made(two=1, size=lambda p, t: p.sum(1) + t.sum(1) - (p * t).sum(1)), "That is the soft IoU (Jaccard): overlap over union. Dice is twice the overlap over the sum of the sizes."),
        Mistake("squared sizes", _made(size=lambda p, t: (p * p).sum(1) + (t * t).sum(1)), "You square below, as V-Net does. Here the sizes are plain sums."),
        Mistake("sum over the pictures", _made(end=lambda dice: (1 - dice).sum()), "You add up the pictures' losses. Take their mean, so that the step does not grow with the batch."),
        Mistake("one loss a picture", _made(end=lambda dice: 1 - dice), "You return one loss a picture. Take their mean: one number to go downhill on."),
        Mistake("first picture only", _made(end=lambda dice: 1 - dice[0]), "Only the first picture counts: is the return inside the loop?"),
        Mistake("means in place of sums", _made(overlap=lambda p, t: p * t / p.shape[1], size=lambda p, t: p.mean(1) + t.mean(1)), "You take means where sums are wanted: eps is then as large as a whole picture, and weighs far too much."),
        Mistake("background's Dice too", _made(overlap=lambda p, t: p * t + (1 - p) * (1 - t), size=lambda p, t: 0 * p.sum(1) + 2 * p.shape[1]), "Right background counts in your overlap. Then it is accuracy again: only `p * t` is the overlap."),
        Mistake("a bare number", lambda logits, target, eps=1.0: losses.dice_loss(logits, target, eps).item(), "The number is right, but no gradient can flow through a float. Return the tensor: leave `.item()` out."),
        Mistake("detached", lambda logits, target, eps=1.0: losses.dice_loss(logits, target, eps).detach(), "The number is right, but no gradient flows through it. Stay with torch from end to end: no `.detach()`, no NumPy."),
        Mistake("in place", lambda logits, target, eps=1.0: losses.dice_loss(logits.sigmoid_().logit(), target, eps), "You wrote into the caller's logits (a method with `_` at its end). Make a new tensor: `logits.sigmoid()`."),
    ],
    hints=[
        "By hand: probabilities 0.8 and 0.1, truth 1 and 0. Overlap 0.8, sizes 0.9 and 1, eps 1: Dice is (1.6 + 1) / (1.9 + 1).",
        "One row a picture, so that sums run over its pixels and not over the batch:\n"
        "    p = logits.sigmoid().flatten(1)\n"
        "    t = target.flatten(1)",
        "eps stands above and below, then the mean over the pictures:\n"
        "    overlap = (p * t).sum(1)\n"
        "    total = p.sum(1) + t.sum(1)\n"
        "    return (1 - (2 * overlap + eps) / (total + eps)).mean()",
    ],
    note="A picture counts as one picture, however few of its pixels belong to the thing.",
)  # fmt: skip
