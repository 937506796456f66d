"""The training loop of lesson 03, whole."""

import torch

from cvlab import _validate, train

__all__ = ["fit"]


def _something(value, name: str):
    if hasattr(value, "__len__") and len(value) == 0:
        raise ValueError(
            f"{name} must hold at least one batch; got none. Are there fewer pictures than a batch holds?"
        )
    return value


@_validate.arguments(batches=_something, test=_something, epochs=_validate.positive_int)
def fit(model, batches, test, epochs, lr=0.05, watch=None) -> list[dict]:
    """Train: for every batch zero the gradients, go forward, measure the loss, go backward, step.

    An interrupt ends it early; the model is as it was then, and the history so far is returned.

    Args:
        model: from (B, 3, H, W) to (B, K) logits; changed in place.
        batches: (images, labels) pairs with a length, gone through once an epoch.
        test: the same, for measuring after each epoch.
        epochs: how often every picture is seen.
        lr: the highest learning rate; it rises to there and falls to almost 0 (one cycle).
        watch: called with the history after each epoch: a `LiveCurve`, or print.

    Returns:
        One dict an epoch: "loss" (mean over pictures, while training) and "accuracy" (of `test`).
    """
    optimizer = torch.optim.SGD(model.parameters(), lr, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=epochs * len(batches))
    history = []
    try:
        for _ in range(epochs):
            model.train()
            total = count = 0
            for images, labels in batches:
                optimizer.zero_grad()
                loss = train.cross_entropy(model(images), labels)
                train.stop_if_not_finite(loss.item(), images, schedule.last_epoch, schedule.get_last_lr()[0])
                loss.backward()
                optimizer.step()
                schedule.step()
                total, count = total + loss.item() * len(labels), count + len(labels)
            history.append({"loss": total / count, "accuracy": train.accuracy(model, test)})
            if watch is not None:
                watch(history)
    except KeyboardInterrupt:
        print(f"Stopped by you after {len(history)} epochs: the model and the history are kept.")
    return history
