"""The exercise of lesson 03 that trains: one pass over all batches."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from cvlab.checks._engine.accept import as_float
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.checks.cnn_training import tiny
from cvlab.cnn_training import loop

__all__ = ["TRAIN_EPOCH"]


class _Seen(NamedTuple):
    mean_loss: float
    net_afterwards: torch.Tensor


def _apply(function, inputs, labels, sizes, factor):
    """Return what the function returns and all numbers of the net afterwards."""
    net = tiny.net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)

    def loss_function(logits, labels):
        return factor * loop.cross_entropy(logits, labels)

    loss = function(net, tiny.pairs(inputs, labels, sizes), loss_function, optimizer)
    return _Seen(as_float(loss), tiny.numbers(net))


def _cases() -> list[Case]:
    text = "train_epoch(net, batches of {} pictures, loss, optimizer), then the numbers in net"
    plans = [((3,), 1.0), ((2, 2), 1.0), ((4, 2), 1.0), ((5, 3, 2), 2.0)]
    return [
        Case(**tiny.few(sum(sizes)), sizes=sizes, factor=factor).shown_as(
            text.format(" and ".join(map(str, sizes)))
        )
        for sizes, factor in plans
    ]


def _other(model, batches, loss_function, optimizer):
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


def _plain_step(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _no_zero(optimizer, loss):
    loss.backward()
    optimizer.step()


def _no_step(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()


def _step_before_backward(optimizer, loss):
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()


_MEANS = {
    "pictures": lambda losses, sizes: sum(np.multiply(losses, sizes)) / sum(sizes),
    "batches": lambda losses, sizes: sum(losses) / len(losses),
    "last": lambda losses, sizes: losses[-1],
    "sum": lambda losses, sizes: float(np.dot(losses, sizes)),
    "sum of batches": lambda losses, sizes: sum(losses),
    "too small": lambda losses, sizes: sum(losses) / sum(sizes),
    "too large": lambda losses, sizes: float(np.dot(losses, sizes)) / len(losses),
    "list": lambda losses, sizes: losses,
}


def _epoch(*, mode=True, learn=_plain_step, mean="pictures", own_loss=False, only=None, **slips):
    """Return a `train_epoch` that differs from the right one as the arguments say."""
    last_step, again, logits_of = (slips.get(key) for key in ("last_step", "again", "logits_of"))

    def train_epoch(model, batches, loss_function, optimizer):
        if mode is not None:
            model.train(mode)
        losses, sizes = [], []
        for images, labels in batches[:only]:
            logits = logits_of(model(images)) if logits_of else model(images)
            loss = (F.cross_entropy if own_loss else loss_function)(logits, labels)
            learn(optimizer, loss)
            losses.append((loss_function(model(images), labels) if again else loss).item())
            sizes.append(len(labels))
        if last_step:
            optimizer.step()
        return _MEANS[mean](losses, sizes)

    return train_epoch


def _tensor(model, batches, loss_function, optimizer):
    model.train()
    total = 0
    for images, labels in batches:
        loss = loss_function(model(images), labels)
        _plain_step(optimizer, loss)
        total += loss * len(labels)
    return total / sum(len(labels) for _, labels in batches)


def _exchanged(model, batches, loss_function, optimizer):
    images, labels = batches[0]
    return loss_function(labels, model.train()(images)).item()


TRAIN_EPOCH = Exercise(
    name="train_epoch",
    lesson="03",
    minutes=8,
    difficulty="medium",
    reference=loop.train_epoch,
    other=_other,
    cases=_cases,
    apply=_apply,
    tolerance=1e-4,
    equivalent={
        "model.zero_grad()": "the optimizer holds all parameters of the model",
        "total = count = 0 before model.train()": "neither needs the other",
        "loss = loss_function(model(images), labels) before optimizer.zero_grad()": "only backward adds to the gradients",
        "total += loss.item() * len(labels) before optimizer.step()": "the loss was measured before the step either way",
        "count += len(labels) before total += loss.item() * len(labels)": "two sums of their own",
    },
    mistakes=[
        Mistake(
            "gradients pile up, and mean of batch means",
            _epoch(learn=_no_zero, mean="batches"),
            "Two slips: gradients add up without `optimizer.zero_grad()` before backward, and batches of different sizes need weights in the mean.",
        ),
        Mistake("gradients pile up", _epoch(learn=_no_zero), "Gradients add up from batch to batch: call `optimizer.zero_grad()` before each backward."),
        Mistake(
            "no step, or gradients zeroed before it",
            _epoch(learn=_no_step),
            "The weights stay as they were: are `loss.backward()` and `optimizer.step()` there, in this order, with no `zero_grad()` between them?",
        ),
        Mistake(
            "no step, and mean of batch means",
            _epoch(learn=_no_step, mean="batches"),
            "Two slips: the weights stay as they were (`optimizer.step()`, after backward), and batches of different sizes need weights in the mean.",
        ),
        Mistake(
            "step before backward",
            _epoch(learn=_step_before_backward),
            "You step before this batch's backward, with the gradient of the batch before. Order: zero, loss, backward, step.",
        ),
        Mistake(
            "one step an epoch",
            _epoch(learn=lambda optimizer, loss: loss.backward(), last_step=True),
            "There is one step in the whole epoch, after the loop. Take one for each batch: that is what batches are for.",
        ),
        Mistake(
            "mean of batch means",
            _epoch(mean="batches"),
            "You took the mean of the batch means, but the last batch is smaller. Weigh each by `len(labels)`, divide by all pictures.",
        ),
        Mistake("last loss", _epoch(mean="last"), "You return the loss of the last batch. Return the mean over all pictures."),
        Mistake("sum", _epoch(mean="sum"), "You return the sum over all pictures. Divide by how many there were."),
        Mistake("sum of batch losses", _epoch(mean="sum of batches"), "You return the sum of the batch losses. Weigh each by `len(labels)`, and divide by all pictures."),
        Mistake("batch losses over pictures", _epoch(mean="too small"), "A batch's loss is a mean already: multiply by `len(labels)` before you divide by all pictures."),
        Mistake("sum over batches", _epoch(mean="too large"), "You add up over pictures but divide by the number of batches. Divide by the number of pictures."),
        Mistake("list of losses", _epoch(mean="list"), "You return the list of the batch losses. Return one number, their mean over all pictures."),
        Mistake(
            "loss after the step",
            _epoch(again=True),
            "You measure the loss anew after the step. Use the loss you stepped with: no second pass through the net.",
        ),
        Mistake(
            "softmax before the loss",
            _epoch(logits_of=lambda logits: logits.softmax(dim=1)),
            "The loss wants logits and takes softmax itself. Hand it `model(images)` as it is.",
        ),
        Mistake(
            "argmax before the loss",
            _epoch(logits_of=lambda logits: logits.argmax(dim=1).float()),
            "`argmax` throws away how sure the net is, and no gradient passes it. The loss wants the logits: `model(images)` as it is.",
        ),
        Mistake(
            "never in training mode",
            _epoch(mode=None),
            "The net came in evaluation mode and stayed there, so BatchNorm did not look at the batch. Start with `model.train()`.",
        ),
        Mistake("own loss", _epoch(own_loss=True), "You measure with a loss of your own. Call `loss_function`, which the caller chose."),
        Mistake("first batch only", _epoch(only=1), "Only the first batch is seen: is the return inside the loop?"),
        Mistake("returns a tensor", _tensor, "You return a tensor that keeps every batch's graph in memory. Collect `loss.item()`."),
        Mistake("without gradients", torch.no_grad()(_epoch()), "Under `torch.no_grad()` nothing is recorded, so backward has nowhere to go. That is for measuring; here the net learns."),
        Mistake("number before backward", _epoch(learn=lambda optimizer, loss: loss.item().backward()), "`loss.item()` is a plain float, which has no backward. Call `loss.backward()` on the tensor, and take `.item()` for the sum."),
        Mistake("size of the data set", lambda model, batches, loss_function, optimizer: len(batches.dataset), "batches may be any list of pairs, without `.dataset`. Count as you go: `count += len(labels)`."),
        Mistake("logits and labels exchanged", _exchanged, "The loss is called with logits first, then labels: `loss_function(model(images), labels)`."),
        Mistake("whole pair to the model", lambda model, batches, loss_function, optimizer: model(batches[0]), "Each batch is a pair, and the model wants only the pictures: `for images, labels in batches`."),
    ],
    hints=[
        "`model.train()` once. Then for each batch five lines: zero, forward, loss, backward, step.",
        "The mean loss: add up the two, and divide at the end, after the loop:\n"
        "    total += loss.item() * len(labels)\n"
        "    count += len(labels)",
        "The step itself:\n"
        "    optimizer.zero_grad()\n"
        "    loss = loss_function(model(images), labels)\n"
        "    loss.backward()\n"
        "    optimizer.step()",
    ],
    note="Every training of this course is this loop with something added.",
)  # fmt: skip
