"""The exercise of lesson 03 that measures: right answers over all answers."""

import numpy as np
import torch

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.cnn_training import loop

__all__ = ["ACCURACY", "pairs"]


def pairs(inputs, labels, sizes) -> list:
    """Return batches of these sizes: pairs of tensors."""
    ends = np.cumsum(sizes)
    rows = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    return [(torch.tensor(inputs[r], dtype=torch.float32), torch.tensor(labels[r])) for r in rows]


def _accuracy_apply(function, inputs, labels, sizes, training):
    """Return the accuracy and the mode in which the net is left."""
    net = torch.nn.BatchNorm1d(3)
    net.running_mean.copy_(torch.tensor([0.0, 1.0, -1.0]))
    net.train(training)
    return function(net, pairs(inputs, labels, sizes)), net.training


def _accuracy_cases() -> list[Case]:
    def case(sizes, training, seed):
        n = sum(sizes)
        inputs = np.random.default_rng(seed).normal(0, 2, (n, 3)).round(1)
        right = (inputs - [0, 1, -1]).argmax(axis=1)  # what the net says in evaluation mode
        labels = np.where(np.arange(n) % 3 == 0, (right + 1) % 3, right)
        text = f"accuracy(net, batches of {' and '.join(map(str, sizes))} pictures), then net.training"
        return Case(inputs=inputs, labels=labels, sizes=sizes, training=training).shown_as(text)

    return [case((2,), False, 0), case((3, 3), True, 1), case((6, 2), True, 2), case((8, 8, 3), False, 3)]


def _accuracy_other(model, batches):
    """Ask everything first, then compare once."""
    before = model.training
    model.eval()
    pairs = [(model(images).detach().numpy(), labels.numpy()) for images, labels in batches]
    model.train(before)
    answers, labels = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return float(np.mean(answers.argmax(axis=1) == labels))


def _judged(*, mode="eval", dim=1, restore="before", mean="pictures"):
    """Return an `accuracy` that differs from the right one as the arguments say."""

    def accuracy(model, batches):
        before = model.training
        if mode == "eval":
            model.eval()
        hits, sizes = [], []
        with torch.no_grad():
            for images, labels in batches:
                answers = model(images).argmax(dim=dim)
                hits.append(sum(a == b for a, b in zip(answers.tolist(), labels.tolist(), strict=False)))
                sizes.append(len(labels))
        if restore == "before":
            model.train(before)
        elif restore == "train":
            model.train()
        shares = [hit / size for hit, size in zip(hits, sizes, strict=True)]
        means = {
            "pictures": sum(hits) / sum(sizes),
            "batches": sum(shares) / len(shares),
            "percent": 100 * sum(hits) / sum(sizes),
            "count": sum(hits),
            "per batch": sum(hits) / len(sizes),
            "last": shares[-1],
            "error": 1 - sum(hits) / sum(sizes),
            "tensor": torch.tensor(sum(hits) / sum(sizes)),
        }
        return means[mean]

    return accuracy


ACCURACY = Exercise(
    name="accuracy",
    lesson="03",
    minutes=6,
    difficulty="easy",
    reference=loop.accuracy,
    other=_accuracy_other,
    cases=_accuracy_cases,
    apply=_accuracy_apply,
    mistakes=[
        Mistake(
            "training mode, and mean of batch means",
            _judged(mode="as it is", mean="batches"),
            "Two slips: measure in evaluation mode (model.eval(), put back after), and divide right answers by pictures, not batch by batch.",
        ),
        Mistake(
            "mean of batch means",
            _judged(mean="batches"),
            "You took the mean of the batches' accuracies: a picture in a small batch then counts more. Right answers over all answers.",
        ),
        Mistake("training mode", _judged(mode="as it is"), "In training mode BatchNorm uses the other pictures of the batch. Measure in evaluation mode: model.eval()."),
        Mistake("left in evaluation mode", _judged(restore="never"), "The net stays in evaluation mode. Note model.training before, and put it back: model.train(before)."),
        Mistake("always left training", _judged(restore="train"), "You always leave the net in training mode, even one that came in evaluation mode. Put back what was."),
        Mistake("argmax over the batch", _judged(dim=0), "argmax(dim=0) asks which picture fits a class best. Each row is a picture: dim=1."),
        Mistake("percent", _judged(mean="percent"), "You return percent. Return a share from 0 to 1."),
        Mistake("count", _judged(mean="count"), "You return how many are right. Divide by how many there are."),
        Mistake("per batch", _judged(mean="per batch"), "You divide by the number of batches. Divide by the number of pictures."),
        Mistake("last batch", _judged(mean="last"), "Only the last batch counts. Add up right answers and pictures over all of them."),
        Mistake("error rate", _judged(mean="error"), "That is the share of wrong answers."),
        Mistake("tensor", _judged(mean="tensor"), "You return a tensor. Add (...).sum().item(), and the result is a plain float."),
    ],
    hints=[
        "The model's answer is the column of the largest logit: model(images).argmax(dim=1).",
        "Keep two sums over all batches, right answers and pictures. Divide once, at the end.",
        "Before: was = model.training; model.eval(). Inside torch.no_grad(): the loop. After: model.train(was).",
    ],
    note="The mean of batch means differs as soon as the last batch is smaller.",
)  # fmt: skip
