"""The exercise of lesson 03 that measures: right answers over all answers."""

from typing import NamedTuple

import numpy as np
import torch

from cvlab.checks._engine.accept import as_float
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.checks.cnn_training.tiny import pairs
from cvlab.cnn_training import loop

__all__ = ["ACCURACY"]


class _Seen(NamedTuple):
    accuracy: float
    training_mode_afterwards: bool
    recording_of_gradients: bool


class _Watched(torch.nn.BatchNorm1d):
    """A net that notes whether PyTorch recorded what it did, for gradients nobody asks for."""

    recorded = False

    def forward(self, x):
        self.recorded |= torch.is_grad_enabled()
        return super().forward(x)


def _apply(function, inputs, labels, sizes, training):
    """Return the accuracy, the mode in which the net is left, and whether gradients were recorded."""
    net = _Watched(3)
    net.running_mean.copy_(torch.tensor([0.0, 1.0, -1.0]))
    net.train(training)
    return _Seen(as_float(function(net, pairs(inputs, labels, sizes))), net.training, net.recorded)


def _cases() -> list[Case]:
    def case(sizes, training, seed):
        n = sum(sizes)
        inputs = np.random.default_rng(seed).normal(0, 2, (n, 3)).round(1)
        right = (inputs - [0, 1, -1]).argmax(axis=1)  # what the net says in evaluation mode
        labels = np.where(np.arange(n) % 3 == 0, (right + 1) % 3, right)
        text = f"accuracy(net, batches of {' and '.join(map(str, sizes))} pictures), then net.training"
        return Case(inputs=inputs, labels=labels, sizes=sizes, training=training).shown_as(text)

    return [case((2,), False, 0), case((3, 3), True, 1), case((4, 2), True, 2), case((8, 8, 3), False, 3)]


@torch.no_grad()
def _other(model, batches):
    """Ask everything first, then compare once."""
    before = model.training
    model.eval()
    pairs = [(model(images).numpy(), labels.numpy()) for images, labels in batches]
    model.train(before)
    answers, labels = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return float(np.mean(answers.argmax(axis=1) == labels))


def _hits(answers, labels):
    return (answers.argmax(dim=1) == labels).sum().item()


_MEANS = {
    "pictures": lambda hits, sizes: sum(hits) / sum(sizes),
    "batches": lambda hits, sizes: float(np.mean(np.divide(hits, sizes))),
    "percent": lambda hits, sizes: 100 * sum(hits) / sum(sizes),
    "count": lambda hits, sizes: sum(hits),
    "per batch": lambda hits, sizes: sum(hits) / len(sizes),
    "per last batch": lambda hits, sizes: sum(hits) / sizes[-1],
    "per full batches": lambda hits, sizes: sum(hits) / (len(sizes) * sizes[-1]),
    "per logit": lambda hits, sizes: sum(hits) / (3 * sum(sizes)),
    "last": lambda hits, sizes: hits[-1] / sizes[-1],
    "first": lambda hits, sizes: hits[0] / sizes[0],
    "error": lambda hits, sizes: 1 - sum(hits) / sum(sizes),
}


def _judged(*, mode="eval", hits=_hits, restore="before", mean="pictures", gradients=False):
    """Return an `accuracy` that differs from the right one as the arguments say."""

    def accuracy(model, batches):
        before = model.training
        if mode == "eval":
            model.eval()
        with torch.set_grad_enabled(gradients):
            found = [(hits(model(images), labels), len(labels)) for images, labels in batches]
        if restore == "before":
            model.train(before)
        elif restore == "train":
            model.train()
        return _MEANS[mean](*zip(*found, strict=True))

    return accuracy


ACCURACY = Exercise(
    name="accuracy",
    lesson="03",
    minutes=6,
    difficulty="easy",
    reference=loop.accuracy,
    other=_other,
    cases=_cases,
    apply=_apply,
    equivalent={
        "right += (model(images).argmax(dim=1) == labels).sum()": "a tensor with one number is taken for the number",
        "right = count = 0 before model.eval()": "neither needs the other",
        "count += len(labels) before right += (model(images).argmax(dim=1) == labels).sum().item()": "two sums of their own",
    },
    mistakes=[
        Mistake(
            "gradients recorded",
            _judged(gradients=True),
            "The number is right, but PyTorch recorded every step for gradients nobody wants, and kept it in memory: `with torch.no_grad()`.",
        ),
        Mistake(
            "training mode, and gradients recorded",
            _judged(gradients=True, mode="as it is"),
            "Two slips: measure in evaluation mode (`model.eval()`, put back after), and inside `with torch.no_grad()`.",
        ),
        Mistake(
            "left in evaluation mode, and gradients recorded",
            _judged(gradients=True, restore="never"),
            "Two slips: put the net's mode back as it was, `model.train(before)`, and measure inside `with torch.no_grad()`.",
        ),
        Mistake(
            "training mode, and mean of batch means",
            _judged(mode="as it is", mean="batches"),
            "Two slips: measure in evaluation mode (`model.eval()`, put back after), and divide right answers by pictures, not batch by batch.",
        ),
        Mistake(
            "mean of batch means",
            _judged(mean="batches"),
            "You took the mean of the batches' accuracies: a picture in a small batch then counts more. Right answers over all answers.",
        ),
        Mistake("training mode", _judged(mode="as it is"), "In training mode BatchNorm uses the other pictures of the batch. Measure in evaluation mode: `model.eval()`."),
        Mistake(
            "left in evaluation mode",
            _judged(restore="never"),
            "The net stays in evaluation mode. Note `model.training` before you call `model.eval()`, and put it back: `model.train(before)`.",
        ),
        Mistake("always left training", _judged(restore="train"), "You always leave the net in training mode, even one that came in evaluation mode. Put back what was."),
        Mistake(
            "argmax over the batch",
            _judged(hits=lambda z, y: sum(a == b for a, b in zip(z.argmax(dim=0).tolist(), y.tolist(), strict=False))),
            "`argmax(dim=0)` asks which picture fits a class best. Each row is a picture: `dim=1`.",
        ),
        Mistake("argmax of everything", _judged(hits=lambda z, y: (z.argmax() == y).sum().item()), "`argmax()` without dim counts through the whole batch. One answer a picture: `argmax(dim=1)`."),
        Mistake("smallest logit", _judged(hits=lambda z, y: _hits(-z, y)), "You take the smallest logit. The net's answer is the largest one: argmax."),
        Mistake("largest value", _judged(hits=lambda z, y: (z.max(dim=1).values == y).sum().item()), "You compare the largest logit itself with the label. Its column is the answer: `argmax(dim=1)`."),
        Mistake("every answer right", _judged(hits=lambda z, y: len(y)), "Every answer counts as right: `len()` of a comparison is how many there are. Count the true ones: `.sum().item()`."),
        Mistake("logits against labels", _judged(hits=lambda z, y: (z == y).sum().item()), "You compare logits with labels. First the net's answer for each picture: `model(images).argmax(dim=1)`."),
        Mistake("percent", _judged(mean="percent"), "You return percent. Return a share from 0 to 1."),
        Mistake("count", _judged(mean="count"), "You return how many are right. Divide by how many there are."),
        Mistake("per batch", _judged(mean="per batch"), "You divide by the number of batches. Divide by the number of pictures."),
        Mistake("per last batch", _judged(mean="per last batch"), "You divide by the size of the last batch. Count the pictures of all of them."),
        Mistake("per full batches", _judged(mean="per full batches"), "Batches times pictures a batch is too rough: the last batch is smaller. Add up `len(labels)`."),
        Mistake("per logit", _judged(mean="per logit"), "You divide by the number of logits. Divide by the number of pictures: `len(labels)`."),
        Mistake("last batch", _judged(mean="last"), "Only the last batch counts. Add up right answers and pictures over all of them."),
        Mistake("first batch", _judged(mean="first"), "Only the first batch counts: is the return inside the loop?"),
        Mistake("error rate", _judged(mean="error"), "That is the share of wrong answers."),
        Mistake("always left training, and gradients recorded", _judged(gradients=True, restore="train"), "Two slips: put the mode back as it was, `model.train(before)`, also where that was evaluation; and measure inside `with torch.no_grad()`."),
        Mistake("no mode, gradients recorded, mean of batch means", _judged(mode="as it came", restore="nothing", mean="batches", gradients=True), "Three slips: measure in `model.eval()` and put the mode back afterwards; inside `with torch.no_grad()`; and add up the right answers of all pictures, because the last batch may be smaller."),
        Mistake("one question for a whole batch", _judged(hits=lambda z, y: int(bool(z.argmax(dim=1) == y))), "`answers == labels` holds one truth value a picture, and if wants a single one. Count the true ones: `(answers == labels).sum().item()`."),
        Mistake("whole batches", _judged(hits=lambda z, y: len(y) * int(_hits(z, y) == len(y))), "A batch counts only when all its answers are right. Count pictures: `(answers == labels).sum().item()`."),
    ],
    hints=[
        "The model's answer is the column of the largest logit: `model(images).argmax(dim=1)`.",
        "Keep two sums over all batches, right answers and pictures. Divide once, at the end.",
        "Leave the model in the mode in which it came:\n"
        "    was_training = model.training\n"
        "    model.eval()\n"
        "    with torch.no_grad():\n"
        "        ...\n"
        "    model.train(was_training)",
    ],
    note="The mean of batch means differs as soon as the last batch is smaller.",
)  # fmt: skip
