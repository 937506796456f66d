"""The exercise of lesson 03 that measures surprise: the loss by hand."""

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.cnn_training import loop

__all__ = ["CROSS_ENTROPY"]


class _Seen(NamedTuple):
    loss: torch.Tensor
    gradient_of_the_logits: torch.Tensor


def _apply(function, logits, labels):
    """Return the loss and how it changes with the logits, so that a loss nothing can learn from is noticed."""
    leaf = logits.clone().requires_grad_()
    given = leaf * 1  # as in a real net: a result, into which one could write
    loss = function(given, labels)
    logits.copy_(given.detach())  # so that writing into it is seen
    if not isinstance(loss, torch.Tensor) or not loss.requires_grad:
        return _Seen(loss, torch.zeros_like(leaf))
    return _Seen(loss.detach(), torch.autograd.grad(loss.sum(), leaf)[0])


def _cases() -> list[Case]:
    rows = [
        ([[0.0, 0.0]], [0]),
        ([[2.0, 1.0, 0.0]], [1]),
        ([[1.0, 3.0], [0.5, -1.0]], [0, 1]),
        ([[2.0, -1.0, 0.5], [0.0, 1.0, 3.0]], [2, 2]),
        ([[4.0, -2.0, 1.0], [0.0, 0.0, 0.5], [1.0, 1.5, 3.0]], [1, 2, 0]),
        ([[0.5, 1.0], [2.0, -1.0], [1.0, 0.0], [-0.5, 1.0]], [1, 1, 0, 1]),
        ([[200.0, 0.0]], [1]),
        ([[1000.0, 0.0], [2.0, 3.0]], [1, 1]),
        ([[-1000.0, -1001.0, -1002.0]], [2]),
    ]
    text = "cross_entropy(torch.tensor({}), torch.tensor({}))"
    return [
        Case(logits=torch.tensor(logits), labels=torch.tensor(labels)).shown_as(text.format(logits, labels))
        for logits, labels in rows
    ]


def _other(logits, labels):
    """Let logsumexp be careful; pick with gather."""
    picked = logits.gather(1, labels[:, None])[:, 0]
    return (logits.logsumexp(dim=1) - picked).mean()


def _picked(log_p, labels):
    return log_p[torch.arange(len(labels)), labels]


def _p(logits, labels):
    """The probability of the right class."""
    return _picked(logits.softmax(dim=1), labels)


def _highest(logits):
    return logits.max(dim=1, keepdim=True).values


def _total(values):
    return values.sum(dim=1, keepdim=True)


def _log_p(logits, *, highest=_highest, total=_total, only_in_sum=False):
    """Return log p, with the slips that the arguments say."""
    shifted = logits - highest(logits)
    return (logits if only_in_sum else shifted) - total(shifted.exp()).log()


def _entropy(**slips):
    return lambda logits, labels: -_picked(_log_p(logits, **slips), labels).mean()


def _in_place(logits, labels):
    logits -= logits.max(dim=1, keepdim=True).values
    return F.cross_entropy(logits, labels)


def _first_only(logits, labels):
    return F.cross_entropy(logits[:1], labels[:1])


def _one_hot(logits, labels):
    return F.one_hot(labels, logits.shape[1]).float()


def _capped(little, clamp):
    """Return the mistake that keeps the probability away from 0 by hand, so that the loss has a highest value."""

    def cross_entropy(logits, labels):
        p = _p(logits, labels)
        return -(p.clamp(little, 1) if clamp else p + little).log().mean()

    slip = f"A probability clamped at `{little:g}`" if clamp else f"Inside the log, `+ {little:g}`"
    text = (
        f"{slip} caps the loss at `-log({little:g})`, however wrong the answer is. "
        "Log p is z minus the log of the sum: nothing to cap."
    )
    return Mistake(f"{'clamped at' if clamp else 'plus'} {little:g}", cross_entropy, text)


_CAPPED = [_capped(10.0**-n, clamp=False) for n in (5, 6, 7, 8, 9, 10, 12, 15)]
_CAPPED += [_capped(10.0**-n, clamp=True) for n in (5, 6, 7)]  # smaller ones look the same as added ones

CROSS_ENTROPY = Exercise(
    name="cross_entropy",
    lesson="03",
    minutes=10,
    difficulty="medium",
    reference=loop.cross_entropy,
    other=_other,
    cases=_cases,
    apply=_apply,
    tolerance=1e-5,
    any_float=True,
    equivalent={
        "return -log_p[torch.arange(len(logits)), labels].mean()": "there are as many labels as rows of logits"
    },
    mistakes=[
        Mistake("overflow", lambda z, y: -(z.exp() / z.exp().sum(1, keepdim=True))[torch.arange(len(y)), y].log().mean(), "Right for small logits, but `exp(1000)` is infinite. Take each row's largest logit off first: softmax stays the same."),
        Mistake("log of softmax", lambda z, y: -_p(z, y).log().mean(), "With logits 200 and 0 the second probability rounds to 0, and log 0 is infinite. Never form it: log p is z minus the log of the sum."),
        *_CAPPED,
        Mistake("logits clamped", lambda z, y: F.cross_entropy(z.clamp(-50, 50), y), "You clamp the logits, so large ones count the same. Take each row's largest logit off instead: that changes nothing."),
        Mistake("no keepdim in the sum", _entropy(total=lambda e: e.sum(dim=1)), "Without keepdim the sum has shape (B,), and PyTorch lays it along the classes, not the pictures: `sum(dim=1, keepdim=True)`."),
        Mistake("no keepdim in the maximum", _entropy(highest=lambda z: z.max(dim=1).values), "Without keepdim the maximum has shape (B,), and PyTorch lays it along the classes: `max(dim=1, keepdim=True).values`."),
        Mistake("no keepdim at all", _entropy(highest=lambda z: z.max(dim=1).values, total=lambda e: e.sum(dim=1)), "Maximum and sum have shape (B,), and PyTorch lays them along the classes: `keepdim=True` in both keeps (B, 1)."),
        Mistake("one maximum for the batch", _entropy(highest=lambda z: z.max()), "You take one maximum off the whole batch: a row far below it has only `exp(-1000)`, 0, left. Each row has its own."),
        Mistake("maximum down the batch", _entropy(highest=lambda z: z.max(dim=0, keepdim=True).values), "Your maximum runs down the batch, and other numbers come off each class: that changes softmax. One number a row: `dim=1`."),
        Mistake("sum over everything", _entropy(highest=lambda z: z.max(), total=lambda e: e.sum()), "Your sum runs over all pictures. Only the classes of one picture compete: `sum(dim=1, keepdim=True)`."),
        Mistake("only the sum shifted", _entropy(only_in_sum=True), "You take the maximum off inside the sum, but not in front. What comes off must come off both."),
        Mistake("in place", _in_place, "You wrote into the caller's logits (`-=`, or a method with `_` at its end). Make a new tensor: `shifted = logits - ...`"),
        Mistake("minus forgotten", lambda z, y: -loop.cross_entropy(z, y), "The sign is turned round: minus the log of the probability."),
        Mistake("sum over the batch", lambda z, y: loop.cross_entropy(z, y) * len(y), "You add the losses of the batch. Take their mean, so that the step does not grow with the batch."),
        Mistake("one loss a picture", lambda z, y: F.cross_entropy(z, y, reduction="none"), "You return one loss a picture. Take their mean: one number to go downhill on."),
        Mistake("divided by the classes", lambda z, y: F.cross_entropy(z, y, reduction="sum") / z.shape[1], "You divide by the number of classes. Take the mean over pictures: divide by `len(labels)`."),
        Mistake("mean over all classes", lambda z, y: -z.log_softmax(dim=1).mean(), "Every class counts in your answer. Only the log probability of the right label does."),
        Mistake("mean over one-hot zeros", lambda z, y: -(_one_hot(z, y) * z.log_softmax(dim=1)).mean(), "The zeros of your one-hot rows count in the mean. Add up each row first: `.sum(dim=1).mean()`."),
        Mistake("labels as weights", lambda z, y: -(y * z.log_softmax(dim=1)).sum(dim=1).mean(), "You multiply by the label. It is not a weight but the number of a column: `log_p[torch.arange(B), labels]`."),
        Mistake("every row against every label", lambda z, y: -z.log_softmax(dim=1)[:, y].mean(), "`log_p[:, labels]` pairs each row with all labels. Pair row i with label i: `log_p[torch.arange(B), labels]`."),
        Mistake("label as row", lambda z, y: -z.log_softmax(dim=1)[y].mean(), "`log_p[labels]` picks whole rows, by label. Pair row i with column `labels[i]`: `log_p[torch.arange(B), labels]`."),
        Mistake("first picture only", _first_only, "Only the first picture counts: is the return inside the loop?"),
        Mistake("softmax over the batch", lambda z, y: -_picked(z.log_softmax(dim=0), y).mean(), "Your softmax runs down the batch. The classes of one picture compete: `dim=1`."),
        Mistake("softmax twice", lambda z, y: F.cross_entropy(z.softmax(dim=1), y), "Softmax came twice: torch's `cross_entropy` wants logits, and takes softmax itself."),
        Mistake("mean of the probabilities", lambda z, y: -_p(z, y).mean().log(), "You take the mean of the probabilities, then the log. First the log of each, then the mean."),
        Mistake("no logarithm", lambda z, y: -_p(z, y).mean(), "The logarithm is missing: minus the log of the probability."),
        Mistake("one minus the probability", lambda z, y: (1 - _p(z, y)).mean(), "You measure `1 - p`. Its slope vanishes where the net is surely wrong; the logarithm's does not."),
        Mistake("squares", lambda z, y: ((z.softmax(dim=1) - _one_hot(z, y)) ** 2).mean(), "That is the squared distance to a one-hot row. Here the loss is minus the log of the right class's probability."),
        Mistake("binary", lambda z, y: F.binary_cross_entropy(z.softmax(dim=1), _one_hot(z, y)), "The binary loss also counts `log(1 - p)` of the wrong classes. Only the right class counts here."),
        Mistake("logarithm to base 2", lambda z, y: loop.cross_entropy(z, y) / math.log(2), "You took the logarithm to base 2. Deep learning counts in nats: the natural logarithm."),
        Mistake("logarithm to base 10", lambda z, y: loop.cross_entropy(z, y) / math.log(10), "You took `log10`. Deep learning counts in nats: the natural logarithm, `torch.log`."),
        Mistake("labels ignored", lambda z, y: -z.log_softmax(dim=1).max(dim=1).values.mean(), "labels changes nothing in your answer: you took the likeliest class. Take the right one, however unlikely."),
        Mistake("a bare number", lambda z, y: loop.cross_entropy(z, y).item(), "The number is right, but no gradient can flow through a float. Return the tensor: leave `.item()` out."),
        Mistake("detached", lambda z, y: loop.cross_entropy(z, y).detach(), "The number is right, but no gradient flows through it. Stay with torch from end to end: no `.detach()`, no NumPy."),
        Mistake("spread of the answer", lambda z, y: -(z.softmax(dim=1) * z.log_softmax(dim=1)).sum(dim=1).mean(), "That is the entropy of the net's own answer; labels change nothing in it. Take log p of the right class only."),
        Mistake("max without values", lambda z, y: z - z.max(dim=1, keepdim=True), "`max` with a dim hands back two things, values and indices. Take the first: `max(dim=1, keepdim=True).values`."),
        Mistake("NumPy", lambda z, y: np.exp(z), "NumPy cannot take a tensor through which a gradient shall flow. Use torch's own: `logits.exp()`, `.log()`, `.sum(dim=1, keepdim=True)`."),
        Mistake("gather without an axis", lambda z, y: -z.log_softmax(dim=1).gather(1, y).mean(), "`gather` wants the labels as a column, (B, 1): `labels[:, None]`. Or pick with `log_p[torch.arange(B), labels]`."),
    ],
    hints=[
        "By hand: logits 2, 1, 0 become exp: 7.39, 2.72, 1; shares 0.665, 0.245, 0.090. The loss of class "
        "1 is -log 0.245.",
        "log(exp(z) / sum) = z - log(sum): no division. Take each row's maximum off first, so that exp "
        "cannot overflow:\n"
        "    shifted = logits - logits.max(dim=1, keepdim=True).values",
        "The logarithms of the probabilities, and of each row the one of its label:\n"
        "    log_p = shifted - shifted.exp().sum(dim=1, keepdim=True).log()\n"
        "    return -log_p[torch.arange(len(labels)), labels].mean()",
    ],
    note="Its gradient is softmax minus one-hot: how far each probability is off.",
    shorter="(logits.logsumexp(dim=1) - logits[torch.arange(len(labels)), labels]).mean()",
)  # fmt: skip
