"""The exercise of lesson 06b that hushes the easy many: the focal loss."""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.detection import losses

__all__ = ["FOCAL_LOSS"]


class _Seen(NamedTuple):
    losses: torch.Tensor
    gradient_of_the_logits: torch.Tensor


def _apply(function, logits, targets, **more):
    """Return the losses and how their sum changes with the logits, so that a loss nothing can learn from is noticed."""
    leaf = logits.clone().requires_grad_()
    given = leaf * 1  # as in a real net: a result, into which one could write
    loss = function(given, targets, **more)
    logits.copy_(given.detach())  # so that writing into it is seen
    if not isinstance(loss, torch.Tensor) or not loss.requires_grad:
        return _Seen(loss, torch.zeros_like(leaf))
    return _Seen(loss.detach(), torch.autograd.grad(loss.sum(), leaf)[0])


def _case(logits, targets, **more) -> Case:
    words = "".join(f", {name}={value}" for name, value in more.items())
    text = f"focal_loss(torch.tensor({logits}), torch.tensor({targets}){words})"
    return Case(logits=torch.tensor(logits), targets=torch.tensor(targets), **more).shown_as(text)


def _cases() -> list[Case]:
    return [
        _case([0.0], [1.0]),
        _case([2.0], [1.0], gamma=0.0),
        _case([1.0, 1.0], [1.0, 0.0]),
        _case([3.0, -2.0], [0.0, 1.0], alpha=0.6, gamma=1.0),
        _case([[-4.0, 0.5, 2.0], [1.5, -1.0, 0.0]], [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]),
        _case([-0.5, 2.5, 1.0], [1.0, 1.0, 0.0], alpha=0.9, gamma=4.0),
        _case([200.0, -200.0], [0.0, 1.0]),
        _case([-200.0, 200.0], [0.0, 1.0]),
    ]


def _other(logits, targets, alpha=0.25, gamma=2.0):
    """The logit of the truth, then everything from it alone."""
    sign = 2 * targets - 1
    truth = sign * logits
    share = 0.5 + sign * (alpha - 0.5)
    return -share * torch.sigmoid(-truth).pow(gamma) * F.logsigmoid(truth)


def _p(logits, targets):
    return logits.sigmoid()


def _ce(logits, targets):
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def _right(p, targets):
    return p * targets + (1 - p) * (1 - targets)


def _side(alpha, targets):
    return alpha * targets + (1 - alpha) * (1 - targets)


def _made(*, p=_p, ce=_ce, right=_right, side=_side, hush=lambda right, gamma: (1 - right) ** gamma,
          gamma_is=None, alpha_is=None, end=lambda loss: loss):  # fmt: skip
    """Return a `focal_loss` that differs from the right one as the arguments say."""

    def focal_loss(logits, targets, alpha=0.25, gamma=2.0):
        gamma = gamma if gamma_is is None else gamma_is
        alpha = alpha if alpha_is is None else alpha_is
        sure = right(p(logits, targets), targets)
        return end(side(alpha, targets) * hush(sure, gamma) * ce(logits, targets))

    return focal_loss


def _by_logarithm(logits, targets):
    p = logits.sigmoid()
    return -(targets * p.log() + (1 - targets) * (1 - p).log())


def _careful_logarithm(logits, targets):
    return -(_right(logits.sigmoid(), targets) + 1e-8).log()


FOCAL_LOSS = Exercise(
    name="focal_loss",
    lesson="06b",
    minutes=8,
    difficulty="medium",
    reference=losses.focal_loss,
    other=_other,
    cases=_cases,
    apply=_apply,
    tolerance=1e-5,
    any_float=True,
    mistakes=[
        Mistake("no alpha", _made(side=lambda alpha, targets: 1), "alpha is missing: positives are weighted with `alpha`, negatives with `1 - alpha`."),
        Mistake("alpha on both sides", _made(side=lambda alpha, targets: alpha), "You weight both sides with alpha, which changes nothing between them. Negatives have `1 - alpha`."),
        Mistake("alpha on the wrong side", _made(side=lambda alpha, targets: _side(1 - alpha, targets)), "Your alpha weights the negatives. It is the positives' weight; the negatives have `1 - alpha`."),
        Mistake("negatives unweighted", _made(side=lambda alpha, targets: alpha * targets + 1 - targets), "Only the positives have their weight. Negatives have `1 - alpha`."),
        Mistake("positives only", _made(side=lambda alpha, targets: alpha * targets), "Your negatives cost nothing, so that a net may find something everywhere. Add their part."),
        Mistake("the wrong way round", _made(hush=lambda right, gamma: right**gamma), "You hush the hard and keep the easy: the factor is `(1 - right) ** gamma`, small where the truth is likely."),
        Mistake("p in place of p of the truth", _made(right=lambda p, targets: p), "You use `1 - p` for negatives too. Of a negative the truth has the probability `1 - p`, so its factor is `p ** gamma`."),
        Mistake("the negatives' way for all", _made(right=lambda p, targets: 1 - p), "You use `p ** gamma` for positives too. Of a positive the truth has the probability `p`, so its factor is `(1 - p) ** gamma`."),
        Mistake("the positives' formula for all", _made(side=lambda alpha, targets: alpha, right=lambda p, targets: p), "You use the positives' formula for negatives too. Of a negative the weight is `1 - alpha` and the factor `p ** gamma`."),
        Mistake("gamma as a factor", _made(hush=lambda right, gamma: gamma * (1 - right)), "gamma is an exponent: `(1 - right) ** gamma`."),
        Mistake("no factor", _made(hush=lambda right, gamma: 1), "That is cross-entropy with two weights. The factor `(1 - right) ** gamma` is missing."),
        Mistake("always gamma 2", _made(gamma_is=2.0), "gamma is an argument: use the one that was given."),
        Mistake("always alpha 0.25", _made(alpha_is=0.25), "alpha is an argument: use the one that was given."),
        Mistake("no sigmoid", _made(p=lambda logits, targets: logits), "You take the logits as probabilities in the factor: `logits.sigmoid()` first."),
        Mistake("sigmoid twice", _made(ce=lambda logits, targets: _ce(logits.sigmoid(), targets)), "`binary_cross_entropy_with_logits` has the sigmoid inside: give it the logits, not p."),
        Mistake("logarithm of p", _made(ce=_by_logarithm), "Right, until an answer is very sure: `log` of a p that is rounded to 0 is infinite. Take `F.binary_cross_entropy_with_logits`."),
        Mistake("logarithm with a small number", _made(ce=_careful_logarithm), "The small number in your `log` caps the loss of what is surely wrong, and it is not pulled any more. Take `F.binary_cross_entropy_with_logits`."),
        Mistake("mean", _made(end=lambda loss: loss.mean()), "You return one mean. Return a loss for every answer: one divides by the number of positives, not of answers."),
        Mistake("sum", _made(end=lambda loss: loss.sum()), "You return one sum. Return a loss for every answer; who calls it adds them up."),
        Mistake("sign", _made(end=lambda loss: -loss), "Your losses are below 0. The cross-entropy is `-log` of the truth's probability."),
        Mistake("factor held still", _made(hush=lambda right, gamma: ((1 - right) ** gamma).detach()), "The numbers are right, the slopes are not: the factor changes with the logits too. Leave `.detach()` and `no_grad` out."),
        Mistake("detached", _made(end=lambda loss: loss.detach()), "The numbers are right, but no gradient flows through them. Stay with torch: no `.detach()`, no NumPy."),
        Mistake("in place", lambda logits, targets, alpha=0.25, gamma=2.0: losses.focal_loss(logits.mul_(1.0).add_(1.0) - 1, targets, alpha, gamma), "You wrote into the caller's logits (a method with `_` at its end). Make a new tensor: `logits.sigmoid()`."),
    ],
    hints=[
        "By hand: a positive answered 0.5 costs log 2 = 0.693; its factor is 0.5 squared, its weight 0.25: 0.0433.",
        "The cross-entropy of each answer, and the probability of each truth:\n"
        "    ce = F.binary_cross_entropy_with_logits(logits, targets, reduction=\"none\")\n"
        "    p = logits.sigmoid()\n"
        "    right = p * targets + (1 - p) * (1 - targets)",
        "The weight of each side is picked in the same way, then all is multiplied:\n"
        "    weight = alpha * targets + (1 - alpha) * (1 - targets)\n"
        "    return weight * (1 - right) ** gamma * ce",
    ],
    note="What is wrong keeps nearly all of its weighted cross-entropy; what is surely right keeps almost nothing.",
)  # fmt: skip
