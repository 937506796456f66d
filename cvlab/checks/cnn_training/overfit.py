"""The exercise of lesson 03 that learns one batch by heart."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from cvlab.checks._engine.accept import as_float
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.checks.cnn_training import tiny
from cvlab.cnn_training import loop

__all__ = ["OVERFIT"]


class _Seen(NamedTuple):
    losses: list[float]
    net_afterwards: torch.Tensor


def _apply(function, inputs, labels, target, limit, classes=3):
    """Return the losses and the net's numbers afterwards."""
    net = tiny.net(classes=classes)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    images, labels = tiny.pairs(inputs, labels, (len(labels),))[0]
    losses = function(net, images, labels, optimizer, target, limit)
    listed = [as_float(loss) for loss in losses] if isinstance(losses, list | tuple) else losses
    return _Seen(listed, tiny.numbers(net))


def _cases() -> list[Case]:
    text = (
        "overfit_one_batch(net, {} pictures, labels, optimizer, target={}, limit={}), then the numbers in net"
    )
    plans = [(3, 5.0, 1), (3, 0.001, 2), (4, 0.6, 30), (4, 0.3, 40), (6, 0.0, 5)]
    cases = [Case(**tiny.few(n), target=t, limit=m).shown_as(text.format(n, t, m)) for n, t, m in plans]
    one_class = tiny.few(3) | {"labels": np.zeros(3, int)}  # where every loss is exactly 0, and not below it
    exact = Case(**one_class, target=0.0, limit=2, classes=1)
    return [*cases, exact.shown_as(text.format("3", 0.0, 2).replace("net,", "net with one class,", 1))]


def _other(model, images, labels, optimizer, target=0.05, limit=300):
    """A for loop that returns from inside."""
    losses = []
    for _ in range(limit):
        loss = F.cross_entropy(model.train()(images), labels)
        losses.append(float(loss.detach()))
        if losses[-1] < target:
            return losses
        model.zero_grad()
        loss.backward()
        optimizer.step()
    return losses


_STOPS = {
    "below": lambda loss, target: loss < target,
    "at": lambda loss, target: loss <= target,
    "above": lambda loss, target: loss > target,
    "never": lambda loss, target: False,
    "after the step": lambda loss, target: False,
    "at the head": lambda loss, target: False,
}


_KINDS = {
    "last": lambda losses: losses[-1] if losses else 0.0,
    "count": len,
    "both": lambda losses: (losses, len(losses)),
    "rounded": lambda losses: [round(loss, 2) for loss in losses],
}


def _learnt(*, zero=True, stop="below", last=True, kind="floats", more=0, mode=True, **slips):
    """Return an `overfit_one_batch` that differs from the right one as the arguments say."""
    step, start, measure = slips.get("step", "always"), slips.get("start", []), slips.get("measure")

    def overfit_one_batch(model, images, labels, optimizer, target=0.05, limit=300):
        model.train(mode)
        losses = list(start)
        while len(losses) < limit + more:
            loss = (measure or F.cross_entropy)(model(images), labels)
            done = _STOPS[stop](loss.item(), target)
            if last or not done:
                losses.append(loss.clone() if kind == "tensors" else loss.item())
            if done:
                break
            if step == "not after the last" and len(losses) == limit:
                break
            if zero:
                optimizer.zero_grad()
            loss.backward()
            if step != "never":
                optimizer.step()
            if slips.get("again"):
                losses[-1] = F.cross_entropy(model(images), labels).item()
            if stop == "after the step" and losses[-1] < target:
                break
            if stop == "at the head" and losses[-1] <= target:
                break
            if slips.get("once"):
                break
        return _KINDS.get(kind, list)(losses)

    return overfit_one_batch


def _squares(logits, labels):
    return F.mse_loss(logits.softmax(dim=1), F.one_hot(labels, logits.shape[1]).float())


def _twice(logits, labels):
    return F.cross_entropy(logits.softmax(dim=1), labels)


OVERFIT = Exercise(
    name="overfit_one_batch",
    lesson="03",
    minutes=8,
    difficulty="medium",
    reference=loop.overfit_one_batch,
    other=_other,
    cases=_cases,
    apply=_apply,
    tolerance=1e-4,
    equivalent={
        "model.zero_grad()": "the optimizer holds all parameters of the model",
        "losses = [] before model.train()": "neither needs the other",
        "optimizer.zero_grad() before if losses[-1] < target:": "only backward adds to the gradients",
    },
    mistakes=[
        Mistake("gradients pile up", _learnt(zero=False), "The gradients of earlier steps are still there: call `optimizer.zero_grad()` before each backward."),
        Mistake("step forgotten", _learnt(step="never"), "The weights stay as they were: are `loss.backward()` and `optimizer.step()` there, in this order, with no `zero_grad()` between them?"),
        Mistake("no step after the last loss", _learnt(step="not after the last"), "The last loss you measured is not learnt from. When limit is reached, a step still follows; only a loss below target ends without one."),
        Mistake("target ignored", _learnt(stop="never"), "target changes nothing in your answer. Stop as soon as the loss is below it."),
        Mistake("stops above", _learnt(stop="above"), "You stop when the loss is above target, at once. Go on until it is below."),
        Mistake("stops at the target", _learnt(stop="at"), "You stop at a loss of exactly target. Go on until it is below: `<`, not `<=`."),
        Mistake("last loss left out", _learnt(last=False), "The loss that reached the target is missing: append it before you stop."),
        Mistake("one step too far", _learnt(stop="after the step"), "You take one more step after the target is reached. Look at the loss before you step."),
        Mistake("question at the head of the loop", _learnt(stop="at the head"), "`while loss > target` asks after the step: one step too many, and a loss of exactly target ends it. Measure, ask (`<`), then step."),
        Mistake("loss after the step", _learnt(stop="after the step", again=True), "You measure after the step, so the first loss, of the untrained net, is missing. Measure, look at target, then step."),
        Mistake("one step only", _learnt(once=True), "There is only one step: is the return inside the loop?"),
        Mistake("starts with a made-up loss", _learnt(start=[10.0]), "The first number in your list was never measured. Start with an empty list."),
        Mistake("made-up loss, one step too far", _learnt(start=[10.0], stop="after the step"), "Two slips: the first number in your list was never measured, and one more step follows after the target is reached."),
        Mistake("one try too many", _learnt(more=1), "You measure `limit + 1` losses. At most limit."),
        Mistake("one try too few", _learnt(more=-1), "You measure `limit - 1` losses. Up to limit: `for _ in range(limit)`."),
        Mistake("tensors", _learnt(kind="tensors"), "The list holds tensors, and each keeps its graph in memory. Append `loss.item()`, plain floats."),
        Mistake("only the last loss", _learnt(kind="last"), "You return one number. Return the list of all losses: its shape tells what is wrong."),
        Mistake("only the count", _learnt(kind="count"), "You return how many steps it took. Return the list of the losses."),
        Mistake("evaluation mode", _learnt(mode=False), "The net learns in evaluation mode, where BatchNorm does not look at the batch. Start with `model.train()`."),
        Mistake("squares", _learnt(measure=_squares), "You measure squared distances. The loss of this lesson is cross-entropy, of the logits: `F.cross_entropy(model(images), labels)`."),
        Mistake("softmax twice", _learnt(measure=_twice), "Softmax came twice: `cross_entropy` wants logits, and takes softmax itself."),
        Mistake("gradients pile up, in evaluation mode", _learnt(zero=False, mode=False), "Two slips: start with `model.train()`, and call `optimizer.zero_grad()` before each backward."),
        Mistake("losses and their count", _learnt(kind="both"), "You return the list and something besides. Return the list alone."),
        Mistake("rounded", _learnt(kind="rounded"), "You rounded the losses. Keep them as they are; round when you print."),
        Mistake("one picture at a time", lambda model, images, labels, optimizer, target=0.05, limit=300: model.train()(images[:1]), "You show one picture at a time, and BatchNorm cannot take a spread of one. Show the whole batch in every step: `model(images)`."),
    ],
    hints=[
        "It is the training loop with one batch again and again: no loader, no epochs.",
        "In this order: loss, append `loss.item()`, stop when it is below `target`, zero, backward, step.",
        "Return the losses after the loop:\n"
        "    while len(losses) < limit:\n"
        "        ...\n"
        "        if losses[-1] < target:\n"
        "            break\n"
        "        ...",
    ],
    note="A net that cannot learn eight pictures by heart will not learn eight thousand.",
)  # fmt: skip
