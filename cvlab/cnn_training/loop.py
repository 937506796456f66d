"""The parts of lesson 03's training loop, and the loop whole; `python -m cvlab.cnn_training` runs it as a program."""

import functools
import math

import numpy as np
import torch

from cvlab import _validate
from cvlab.cnn_training.nets import modes_kept

__all__ = [
    "accuracy",
    "confusion",
    "cross_entropy",
    "fit",
    "one_label_a_row",
    "overfit_one_batch",
    "sgd_momentum_step",
    "stop_if_not_finite",
    "train_epoch",
]


def one_label_a_row(logits, labels) -> None:
    """Raise an error that says what is wrong, unless (B, K) logits and (B,) labels 0 to K - 1 fit together."""
    if logits.ndim != 2 or labels.ndim != 1 or len(logits) != len(labels):
        raise ValueError(
            f"logits must have shape (B, K) and labels (B,); got {tuple(logits.shape)} and {tuple(labels.shape)}"
        )
    if len(labels) == 0:
        raise ValueError("labels must hold at least one label; got none: an empty batch has no mean loss")
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise TypeError(f"labels must be whole numbers; got {labels.dtype}. labels.long()?")
    wrong = (labels < 0) | (labels >= logits.shape[1])
    if wrong.any():
        place = int(wrong.nonzero()[0, 0])
        raise ValueError(
            f"labels must be 0 to {logits.shape[1] - 1}, because logits have {logits.shape[1]} columns; "
            f"got {labels[place].item()} at {place}. Do the labels count from 1, or has the net too few outputs?"
        )


@_validate.arguments(one_label_a_row)
def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean surprise at the right labels: minus the logarithm of the probability that softmax gives them.

    Args:
        logits: (B, K) floats, any size; one row a picture.
        labels: (B,) int64, 0 to K - 1.

    Returns:
        A tensor with one float, at least 0; gradients flow through it.

    Example:
        >>> cross_entropy(torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([0])).round(decimals=3)
        tensor(0.4080)

    Source: `torch.nn.functional.cross_entropy`.
    """
    shifted = logits - logits.max(dim=1, keepdim=True).values  # the largest is 0: exp cannot overflow
    log_p = shifted - shifted.exp().sum(dim=1, keepdim=True).log()  # (B, K)
    return -log_p[torch.arange(len(labels)), labels].mean()


def _alike(weight, grad, velocity, **_) -> None:
    _validate.same_shape(weight, grad, ("weight", "grad"))
    _validate.same_shape(weight, velocity, ("weight", "velocity"))


@_validate.arguments(_alike, weight=_validate.floats, grad=_validate.floats, velocity=_validate.floats)
def sgd_momentum_step(weight, grad, velocity, lr=0.1, momentum=0.9) -> tuple[np.ndarray, np.ndarray]:
    """Take one step of gradient descent with momentum: the velocity remembers earlier gradients.

    Args:
        weight: numbers of any shape.
        grad: dL/dweight, same shape.
        velocity: same shape; zeros at the start.
        lr: the learning rate.
        momentum: the share of the old velocity that stays, 0 to 1.

    Returns:
        The new weight and the new velocity.

    Example:
        >>> sgd_momentum_step(np.array([1.0]), np.array([2.0]), np.array([10.0]))
        (array([-0.1]), array([11.]))

    Source: Sutskever et al., 2013, in the form of `torch.optim.SGD`.
    """
    velocity = momentum * velocity + grad
    return weight - lr * velocity, velocity


def _something(value, name: str):
    """Return batches of which there is at least one; those without a length are counted while they are used."""
    if not hasattr(value, "__len__"):
        return _at_least_one(value, name)
    if len(value) == 0:
        raise _nothing(name)
    return value


def _at_least_one(batches, name: str):
    nothing = True
    for batch in batches:
        nothing = False
        yield batch
    if nothing:
        raise _nothing(name)


def _nothing(name: str) -> ValueError:
    return ValueError(
        f"{name} must hold at least one batch; got none. Fewer pictures than a batch holds, or a used-up generator?"
    )


def _mode_kept(function):
    @functools.wraps(function)
    def judged(model, *args, **kwargs):
        with modes_kept(model):
            return function(model, *args, **kwargs)

    return judged


@_validate.arguments(batches=_something)
def train_epoch(model, batches, loss_function, optimizer) -> float:
    """Show every batch once and learn from it.

    Args:
        model: from (B, ...) to (B, K) logits.
        batches: (inputs, labels) pairs.
        loss_function: called with logits and labels; returns the mean loss of the batch.
        optimizer: of the model's parameters.

    Returns:
        The mean loss over all pictures, each counted once.
    """
    model.train()
    total = count = 0
    for images, labels in batches:
        optimizer.zero_grad()
        loss = loss_function(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        count += len(labels)
    return total / count


@_mode_kept
@_validate.arguments(batches=_something)
def accuracy(model, batches) -> float:
    """Return the share of pictures whose largest logit is the right one: right answers over all answers.

    The model is in evaluation mode meanwhile, and left as it was, also after an error.

    Args:
        model: from (B, ...) to (B, K) logits.
        batches: (inputs, labels) pairs, of any sizes.

    Returns:
        A float from 0 to 1.
    """
    was_training = model.training
    model.eval()
    right = count = 0
    with torch.no_grad():
        for images, labels in batches:
            right += (model(images).argmax(dim=1) == labels).sum().item()
            count += len(labels)
    model.train(was_training)
    return right / count


@_mode_kept
@_validate.arguments(batches=_something)
def confusion(model, batches, classes: int = 10) -> np.ndarray:
    """Count (classes, classes) pictures: row the true class, column the model's answer.

    The model is in evaluation mode meanwhile, and left as it was, also after an error.

    Args:
        model: from (B, ...) to (B, K) logits, K at most `classes`.
        batches: (inputs, labels) pairs, of any sizes.
        classes: rows and columns of the table.
    """
    table = np.zeros((classes, classes), int)
    model.eval()
    with torch.no_grad():
        for images, labels in batches:
            logits = model(images)
            one_label_a_row(logits, labels)
            np.add.at(table, (labels.numpy(), logits.argmax(dim=1).numpy()), 1)
    return table


def overfit_one_batch(model, images, labels, optimizer, target=0.05, limit=300) -> list[float]:
    """Learn one batch by heart; a net and a loop that cannot do that have a bug.

    Args:
        model: from images to (B, K) logits.
        images: one batch.
        labels: (B,) int64.
        optimizer: of the model's parameters.
        target: the loss at which to stop.
        limit: at most so many steps.

    Returns:
        The loss before each step, the last one below `target` where it was reached.
    """
    model.train()
    losses = []
    while len(losses) < limit:
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        losses.append(loss.item())
        if losses[-1] < target:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses


def stop_if_not_finite(loss: float, images, step: int, lr: float) -> None:
    """Stop a training whose loss is NaN or infinite, and say the likely cause.

    Args:
        loss: of this step.
        images: the batch that it was measured on.
        step: its number.
        lr: the learning rate that the caller chose (not a schedule's value of this moment).

    Raises:
        FloatingPointError: with the step, and what to look at.
    """
    if math.isfinite(loss):
        return
    top = images.abs().max().item()
    if not math.isfinite(top):
        cause = "the pictures of this batch hold NaN or infinity: look at the data, not at the net"
    elif top > 20:
        cause = (
            f"the pictures reach {top:.0f}: scale them to about -2 to 2 (divide by 255, take the mean off)"
        )
    else:
        usual = " (usual are 0.001 to 0.1)" if lr > 0.1 else ""
        cause = f"the steps are too large: lr = {lr:g}{usual}. Go down by factors of ten"
    raise FloatingPointError(f"the loss is {loss} at step {step}. Likely cause: {cause}")


@_validate.arguments(batches=_something, test=_something, epochs=_validate.positive_int)
def fit(model, batches, test, epochs, lr=0.05, watch=None, device="cpu") -> list[dict]:
    """Train: for every batch zero the gradients, go forward, measure the loss, go backward, step.

    An interrupt ends it early; the model is as it was then, and the history so far is returned.

    Args:
        model: from (B, 3, H, W) to (B, K) logits; changed in place.
        batches: (images, labels) pairs with a length, gone through once an epoch.
        test: the same, for measuring after each epoch.
        epochs: how often every picture is seen.
        lr: the highest learning rate; it rises to there and falls to almost 0 (one cycle).
        watch: called with the history after each epoch: a `LiveCurve`, or print.
        device: where to compute; the model goes there and stays, each batch goes there in its turn.

    Returns:
        One dict an epoch: "loss" (mean over pictures, while training) and "accuracy" (of `test`).
    """
    optimizer = torch.optim.SGD(
        model.to(device).parameters(), lr, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=epochs * len(batches))
    history = []
    try:
        for _ in range(epochs):
            model.train()
            total = count = 0
            for images, labels in batches:
                images, labels = images.to(device), labels.to(device)
                optimizer.zero_grad()
                loss = cross_entropy(model(images), labels)
                stop_if_not_finite(loss.item(), images, schedule.last_epoch, lr)
                loss.backward()
                optimizer.step()
                schedule.step()
                total, count = total + loss.item() * len(labels), count + len(labels)
            there = ((images.to(device), labels.to(device)) for images, labels in test)
            history.append({"loss": total / count, "accuracy": accuracy(model, there)})
            if watch is not None:
                watch(history)
    except KeyboardInterrupt:
        print(f"Stopped by you after {len(history)} epochs: the model and the history are kept.")
    return history
