"""Exercises of lesson 03 that train: an epoch, one batch by heart."""

import numpy as np
import torch
import torch.nn.functional as F

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.checks.cnn_training.accuracy import pairs
from cvlab.cnn_training import loop

__all__ = ["OVERFIT", "TRAIN_EPOCH"]


def _tiny(features: int, classes: int) -> torch.nn.Module:
    """A net that behaves differently in training and in evaluation; its weights are always the same."""
    net = torch.nn.Sequential(torch.nn.Linear(features, classes), torch.nn.BatchNorm1d(classes))
    with torch.no_grad():
        net[0].weight.copy_(torch.arange(features * classes).reshape(classes, features).sin())
        net[0].bias.zero_()
        net[1].running_mean.copy_(torch.arange(classes) / 2)
    return net


def _data(n: int) -> dict:
    return {"inputs": np.random.default_rng(n).integers(-4, 5, (n, 2)) / 2, "labels": np.arange(n) ** 2 % 3}


def _epoch_apply(function, inputs, labels, sizes, factor):
    """Return what the function returns and all numbers of the net afterwards."""
    net = _tiny(2, 3).eval()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    loss = function(net, pairs(inputs, labels, sizes), lambda z, y: factor * F.cross_entropy(z, y), optimizer)
    return loss, torch.cat([v.detach().float().flatten() for v in net.state_dict().values()])


def _epoch_cases() -> list[Case]:
    text = "train_epoch(net, batches of {} pictures, loss, optimizer), then the numbers in net"
    plans = [((3,), 1.0), ((2, 2), 1.0), ((4, 2), 1.0), ((5, 3, 2), 2.0)]
    return [
        Case(**_data(sum(sizes)), sizes=sizes, factor=factor).shown_as(
            text.format(" and ".join(map(str, sizes)))
        )
        for sizes, factor in plans
    ]


def _epoch_other(model, batches, loss_function, optimizer):
    """Collect the losses, weigh them by numpy in the end."""
    model.train(True)
    losses, sizes = [], []
    for images, labels in batches:
        loss = loss_function(model(images), labels)
        model.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        sizes.append(len(labels))
    return float(np.average(losses, weights=sizes))


def _epoch(*, mode=True, zero="before", step=True, mean="pictures", own_loss=False, first_only=False):
    """Return a `train_epoch` that differs from the right one as the arguments say."""

    def train_epoch(model, batches, loss_function, optimizer):
        if mode is not None:
            model.train(mode)
        losses, sizes = [], []
        for images, labels in batches:
            if zero == "before":
                optimizer.zero_grad()
            loss = (F.cross_entropy if own_loss else loss_function)(model(images), labels)
            loss.backward()
            if zero == "after backward":
                optimizer.zero_grad()
            if step:
                optimizer.step()
            losses.append(loss if mean == "tensor" else loss.item())
            sizes.append(len(labels))
            if first_only:
                break
        total = sum(loss * size for loss, size in zip(losses, sizes, strict=True))
        means = {
            "pictures": total / sum(sizes),
            "tensor": total / sum(sizes),
            "batches": sum(losses) / len(losses),
            "last": losses[-1],
            "sum": total,
            "too small": sum(losses) / sum(sizes),
        }
        return means[mean]

    return train_epoch


TRAIN_EPOCH = Exercise(
    name="train_epoch",
    lesson="03",
    minutes=8,
    difficulty="medium",
    reference=loop.train_epoch,
    other=_epoch_other,
    cases=_epoch_cases,
    apply=_epoch_apply,
    tolerance=1e-4,
    mistakes=[
        Mistake(
            "gradients pile up, and mean of batch means",
            _epoch(zero="never", mean="batches"),
            "Two slips: gradients add up without optimizer.zero_grad() before backward, and batches of different sizes need weights in the mean.",
        ),
        Mistake("gradients pile up", _epoch(zero="never"), "Gradients add up from batch to batch: call optimizer.zero_grad() before each backward."),
        Mistake(
            "no step, or gradients zeroed before it",
            _epoch(zero="after backward"),
            "The weights stay as they were: is optimizer.step() there, after backward, with no zero_grad() between the two?",
        ),
        Mistake(
            "mean of batch means",
            _epoch(mean="batches"),
            "You took the mean of the batch means, but the last batch is smaller. Weigh each by len(labels), divide by all pictures.",
        ),
        Mistake("last loss", _epoch(mean="last"), "You return the loss of the last batch. Return the mean over all pictures."),
        Mistake("sum", _epoch(mean="sum"), "You return the sum over all pictures. Divide by how many there were."),
        Mistake("batch losses over pictures", _epoch(mean="too small"), "A batch's loss is a mean already: multiply by len(labels) before you divide by all pictures."),
        Mistake(
            "never in training mode",
            _epoch(mode=None),
            "The net came in evaluation mode and stayed there, so BatchNorm did not look at the batch. Start with model.train().",
        ),
        Mistake("own loss", _epoch(own_loss=True), "You measure with a loss of your own. Call loss_function, which the caller chose."),
        Mistake("first batch only", _epoch(first_only=True), "Only the first batch is seen: is the return inside the loop?"),
        Mistake("returns a tensor", _epoch(mean="tensor"), "You return a tensor that keeps every batch's graph in memory. Collect loss.item()."),
    ],
    hints=[
        "model.train() once. Then for each batch five lines: zero, forward, loss, backward, step.",
        "The mean loss: add loss.item() * len(labels), and count len(labels); divide at the end, after the loop.",
        "optimizer.zero_grad(); loss = loss_function(model(images), labels); loss.backward(); optimizer.step()",
    ],
    note="Every training of this course is this loop with something added.",
)  # fmt: skip


def _overfit_apply(function, inputs, labels, target, limit):
    """Return the losses and the net's numbers afterwards."""
    net = _tiny(2, 3)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    images, labels = pairs(inputs, labels, (len(labels),))[0]
    losses = function(net, images, labels, optimizer, target, limit)
    return losses, torch.cat([p.detach().flatten() for p in net.parameters()])


def _overfit_cases() -> list[Case]:
    text = (
        "overfit_one_batch(net, {} pictures, labels, optimizer, target={}, limit={}), then the numbers in net"
    )
    plans = [(3, 5.0, 1), (3, 0.001, 2), (4, 0.6, 30), (4, 0.3, 40), (6, 0.0, 5)]
    return [Case(**_data(n), target=t, limit=m).shown_as(text.format(n, t, m)) for n, t, m in plans]


def _overfit_other(model, images, labels, optimizer, target=0.05, limit=300):
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


def _learnt(*, zero=True, stop="below", last=True, kind="floats", more=0, mode=True):
    """Return an `overfit_one_batch` that differs from the right one as the arguments say."""

    def overfit_one_batch(model, images, labels, optimizer, target=0.05, limit=300):
        model.train(mode)
        losses = []
        for _ in range(limit + more):
            loss = F.cross_entropy(model(images), labels)
            done = loss.item() < target if stop == "below" else stop == "above" and loss.item() > target
            if last or not done:
                losses.append(loss.detach() if kind == "tensors" else loss.item())
            if done and stop != "after the step":
                break
            if zero:
                optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if stop == "after the step" and loss.item() < target:
                break
        return {"last": losses[-1] if losses else 0.0, "count": len(losses)}.get(kind, losses)

    return overfit_one_batch


OVERFIT = Exercise(
    name="overfit_one_batch",
    lesson="03",
    minutes=8,
    difficulty="medium",
    reference=loop.overfit_one_batch,
    other=_overfit_other,
    cases=_overfit_cases,
    apply=_overfit_apply,
    tolerance=1e-4,
    mistakes=[
        Mistake("gradients pile up", _learnt(zero=False), "The gradients of earlier steps are still there: call optimizer.zero_grad() before each backward."),
        Mistake("target ignored", _learnt(stop="never"), "target changes nothing in your answer. Stop as soon as the loss is below it."),
        Mistake("stops above", _learnt(stop="above"), "You stop when the loss is above target, at once. Go on until it is below."),
        Mistake("last loss left out", _learnt(last=False), "The loss that reached the target is missing: append it before you stop."),
        Mistake("one step too far", _learnt(stop="after the step"), "You take one more step after the target is reached. Look at the loss before you step."),
        Mistake("one try too many", _learnt(more=1), "You measure limit + 1 losses. At most limit."),
        Mistake("tensors", _learnt(kind="tensors"), "The list holds tensors. Append loss.item(), plain floats."),
        Mistake("only the last loss", _learnt(kind="last"), "You return one number. Return the list of all losses: its shape tells what is wrong."),
        Mistake("only the count", _learnt(kind="count"), "You return how many steps it took. Return the list of the losses."),
        Mistake("evaluation mode", _learnt(mode=False), "The net learns in evaluation mode, where BatchNorm does not look at the batch. Start with model.train()."),
    ],
    hints=[
        "It is the training loop with one batch again and again: no loader, no epochs.",
        "In this order: loss, append loss.item(), stop when it is below target, zero, backward, step.",
        "while len(losses) < limit: ... if losses[-1] < target: break ... and return losses after the loop.",
    ],
    note="A net that cannot learn eight pictures by heart will not learn eight thousand.",
)  # fmt: skip
