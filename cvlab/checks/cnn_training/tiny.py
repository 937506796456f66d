"""What the checks of the training loop train: a net of a few numbers, and batches of a few pictures."""

import numpy as np
import torch

__all__ = ["few", "net", "numbers", "pairs"]


def net(features: int = 2, classes: int = 3) -> torch.nn.Module:
    """Return a net that behaves differently in training and in evaluation; its weights are always the same."""
    layers = torch.nn.Sequential(torch.nn.Linear(features, classes), torch.nn.BatchNorm1d(classes))
    with torch.no_grad():
        layers[0].weight.copy_(torch.arange(features * classes).reshape(classes, features).sin())
        layers[0].bias.zero_()
        layers[1].running_mean.copy_(torch.arange(classes) / 2)
    return layers.eval()


def numbers(model: torch.nn.Module) -> torch.Tensor:
    """Return all weights and running statistics in one row."""
    return torch.cat([value.detach().float().flatten() for value in model.state_dict().values()])


def few(n: int) -> dict:
    """Return `n` "pictures" of two numbers each, and their labels."""
    return {"inputs": np.random.default_rng(n).integers(-4, 5, (n, 2)) / 2, "labels": np.arange(n) ** 2 % 3}


def pairs(inputs, labels, sizes) -> list:
    """Return batches of these sizes: pairs of tensors."""
    ends = np.cumsum(sizes)
    rows = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    return [(torch.tensor(inputs[r], dtype=torch.float32), torch.tensor(labels[r])) for r in rows]
