"""Exercises of lesson 03: the loss and the step by hand; with them the lesson's whole list."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.cnn_training import loop

__all__ = ["CROSS_ENTROPY", "SGD_MOMENTUM_STEP"]


def _entropy_apply(function, logits: list, labels: list):
    """Return the loss and how it changes with the logits, so that a loss nothing can learn from is noticed."""
    rows = torch.tensor(logits, requires_grad=True)
    loss = function(rows, torch.tensor(labels))
    if not isinstance(loss, torch.Tensor) or not loss.requires_grad:
        return loss
    return loss.detach(), torch.autograd.grad(loss.sum(), rows)[0]


def _entropy_cases() -> list[Case]:
    logits = [
        ([[0.0, 0.0]], [0]),
        ([[2.0, 1.0, 0.0]], [1]),
        ([[1.0, 3.0], [0.5, -1.0]], [0, 1]),
        ([[4.0, -2.0, 1.0], [0.0, 0.0, 0.5], [1.0, 1.5, 3.0]], [1, 2, 0]),
        ([[1000.0, 0.0], [2.0, 3.0]], [0, 1]),
        ([[-1000.0, -1001.0, -1002.0]], [2]),
    ]
    text = "cross_entropy(torch.tensor({}), torch.tensor({}))"
    return [Case(logits=rows, labels=labels).shown_as(text.format(rows, labels)) for rows, labels in logits]


def _entropy_other(logits, labels):
    """Let logsumexp be careful; pick with gather."""
    picked = logits.gather(1, labels[:, None])[:, 0]
    return (logits.logsumexp(dim=1) - picked).mean()


def _log_p(logits):
    return logits.log_softmax(dim=1)


def _one_maximum(logits, labels):
    shifted = logits - logits.max()
    log_p = shifted - shifted.exp().sum(dim=1, keepdim=True).log()
    return -log_p[torch.arange(len(labels)), labels].mean()


CROSS_ENTROPY = Exercise(
    name="cross_entropy",
    lesson="03",
    minutes=10,
    difficulty="medium",
    reference=loop.cross_entropy,
    other=_entropy_other,
    cases=_entropy_cases,
    apply=_entropy_apply,
    tolerance=1e-5,
    mistakes=[
        Mistake(
            "overflow",
            lambda z, y: -(z.exp() / z.exp().sum(1, keepdim=True))[torch.arange(len(y)), y].log().mean(),
            "Right for small logits, but exp(1000) is infinite. Take each row's largest logit off first: softmax stays the same.",
        ),
        Mistake(
            "one maximum for the batch",
            _one_maximum,
            "You take one maximum off the whole batch: a row far below it has only exp(-1000) = 0 left. Each row has its own.",
        ),
        Mistake(
            "minus forgotten",
            lambda z, y: -loop.cross_entropy(z, y),
            "The sign is turned round: minus the log of the probability.",
        ),
        Mistake(
            "sum over the batch",
            lambda z, y: loop.cross_entropy(z, y) * len(y),
            "You add the losses of the batch. Take their mean, so that the step does not grow with the batch.",
        ),
        Mistake(
            "mean over all classes",
            lambda z, y: -_log_p(z).mean(),
            "Every class counts in your answer. Only the log probability of the right label does.",
        ),
        Mistake(
            "every row against every label",
            lambda z, y: -_log_p(z)[:, y].mean(),
            "log_p[:, labels] pairs each row with all labels. Pair row i with label i: log_p[torch.arange(B), labels].",
        ),
        Mistake(
            "softmax over the batch",
            lambda z, y: -z.log_softmax(dim=0)[torch.arange(len(y)), y].mean(),
            "Your softmax runs down the batch. The classes of one picture compete: dim=1.",
        ),
        Mistake(
            "softmax twice",
            lambda z, y: F.cross_entropy(z.softmax(dim=1), y),
            "Softmax came twice: torch's cross_entropy wants logits, and takes softmax itself.",
        ),
        Mistake(
            "one minus the probability",
            lambda z, y: (1 - z.softmax(dim=1)[torch.arange(len(y)), y]).mean(),
            "You measure 1 - p. Its slope vanishes where the net is surely wrong; the logarithm's does not.",
        ),
        Mistake(
            "logarithm to base 2",
            lambda z, y: loop.cross_entropy(z, y) / math.log(2),
            "You took the logarithm to base 2. Deep learning counts in nats: the natural logarithm.",
        ),
        Mistake(
            "labels ignored",
            lambda z, y: -_log_p(z).max(dim=1).values.mean(),
            "labels changes nothing in your answer: you took the likeliest class. Take the right one, however unlikely.",
        ),
        Mistake(
            "a bare number",
            lambda z, y: loop.cross_entropy(z, y).item(),
            "The number is right, but no gradient can flow through a float. Return the tensor: leave .item() out.",
        ),
    ],
    hints=[
        "By hand: logits 2, 1, 0 become exp: 7.39, 2.72, 1; shares 0.665, 0.245, 0.090. The loss of class 1 is -log 0.245.",
        "log(exp(z) / sum) = z - log(sum): no division. Take each row's maximum off z first, so that exp cannot overflow.",
        "log_p = shifted - shifted.exp().sum(dim=1, keepdim=True).log(), then -log_p[torch.arange(len(labels)), labels].mean()",
    ],
    note="Its gradient is softmax minus one-hot: how far each probability is off.",
)


def _momentum_cases() -> list[Case]:
    rng = np.random.default_rng(0)
    grid = [rng.integers(-9, 10, (2, 3)) / 4 for _ in range(3)]
    return [
        Case(np.array([1.0]), np.array([2.0]), np.array([0.0])),
        Case(np.array([1.0]), np.array([2.0]), np.array([10.0])),
        Case(np.array([1.0, -3.0]), np.array([0.5, -2.0]), np.array([4.0, 1.0]), lr=0.5, momentum=0.5),
        Case(np.array([2.0, 4.0]), np.array([1.0, -1.0]), np.array([3.0, 5.0]), lr=0.2, momentum=0.0),
        Case(*grid, lr=0.25, momentum=0.75),
    ]


def _momentum_other(weight, grad, velocity, lr=0.1, momentum=0.9):
    """Say it as two sums."""
    new_velocity = np.add(grad, np.multiply(velocity, momentum))
    return np.subtract(weight, np.multiply(new_velocity, lr)), new_velocity


def _momentum_in_place(weight, grad, velocity, lr=0.1, momentum=0.9):
    velocity *= momentum
    velocity += grad
    weight -= lr * velocity
    return weight, velocity


def _stepped(rule):
    """Return a step from `rule(w, g, v, lr, m)`, with the exercise's defaults."""

    def sgd_momentum_step(weight, grad, velocity, lr=0.1, momentum=0.9):
        return rule(weight, grad, velocity, lr, momentum)

    return sgd_momentum_step


SGD_MOMENTUM_STEP = Exercise(
    name="sgd_momentum_step",
    lesson="03",
    minutes=6,
    difficulty="easy",
    reference=loop.sgd_momentum_step,
    other=_momentum_other,
    cases=_momentum_cases,
    mistakes=[
        Mistake(
            "uphill",
            _stepped(lambda w, g, v, lr, m: (w + lr * (m * v + g), m * v + g)),
            "You walk uphill: the gradient points to where the loss grows. Subtract.",
        ),
        Mistake(
            "no momentum",
            _stepped(lambda w, g, v, lr, m: (w - lr * g, g)),
            "velocity and momentum change nothing in your answer. The new velocity is momentum * velocity + grad.",
        ),
        Mistake(
            "old velocity",
            _stepped(lambda w, g, v, lr, m: (w - lr * v, m * v + g)),
            "You step with the old velocity, so this gradient counts one step late. Update the velocity first.",
        ),
        Mistake(
            "running mean",
            _stepped(lambda w, g, v, lr, m: (w - lr * (m * v + (1 - m) * g), m * v + (1 - m) * g)),
            "You weigh the gradient by 1 - momentum. Here it counts in full, as in torch.optim.SGD.",
        ),
        Mistake(
            "learning rate inside",
            _stepped(lambda w, g, v, lr, m: (w - (m * v + lr * g), m * v + lr * g)),
            "Your velocity holds the learning rate. Keep it out: velocity sums gradients, the step multiplies by lr once.",
        ),
        Mistake(
            "momentum on the gradient",
            _stepped(lambda w, g, v, lr, m: (w - lr * (v + m * g), v + m * g)),
            "momentum multiplies the gradient in your answer. It shrinks what is remembered: the velocity.",
        ),
        Mistake(
            "Nesterov",
            _stepped(lambda w, g, v, lr, m: (w - lr * (g + m * (m * v + g)), m * v + g)),
            "That is Nesterov's step, which looks one step ahead. The plain one is weight - lr * velocity.",
        ),
        Mistake(
            "results exchanged",
            _stepped(lambda w, g, v, lr, m: (m * v + g, w - lr * (m * v + g))),
            "The two results changed places: return the weight, then the velocity.",
        ),
        Mistake(
            "gradient added to the step",
            _stepped(lambda w, g, v, lr, m: (w - lr * (m * v + g) - lr * g, m * v + g)),
            "The gradient counts twice: it is in the velocity already.",
        ),
        Mistake(
            "velocity never updated",
            _stepped(lambda w, g, v, lr, m: (w - lr * (m * v + g), v)),
            "The weight is right, but you return the old velocity: the next step would remember nothing.",
        ),
        Mistake(
            "changes its inputs",
            _momentum_in_place,
            "You changed the caller's arrays (+=, *=). Make new ones: velocity = momentum * velocity + grad.",
        ),
    ],
    hints=[
        "Without momentum: weight - lr * grad. With it you subtract lr times the velocity instead.",
        "The velocity keeps a share `momentum` of itself and adds the new gradient.",
        "velocity = momentum * velocity + grad, then return weight - lr * velocity, velocity.",
    ],
    note="With momentum 0.9 a steady gradient builds up to ten times its size.",
)
