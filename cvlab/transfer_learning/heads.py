"""A new last layer for an old network, and what of the old one may still change."""

import torch
import torch.nn.functional as F
from torch import nn

from cvlab import _validate

__all__ = ["freeze", "replace_head", "train_head", "training_mode"]


def _network(value, name: str) -> nn.Module:
    if not isinstance(value, nn.Module):
        slip = ". Its class? Call it first" if isinstance(value, type) else ""
        raise TypeError(f"{name} must be a network (nn.Module); got {type(value).__name__}{slip}")
    return value


def _with_head(value, name: str) -> nn.Module:
    """Return a network that has a linear layer somewhere inside."""
    _network(value, name)
    if isinstance(value, nn.Linear):
        raise ValueError(f"{name} must hold its head as a part; got the bare layer {value}")
    if not any(isinstance(part, nn.Linear) for part in value.modules()):
        slip = " (was it made with num_classes=0, or is its head a convolution?)"
        raise ValueError(f"{name} must have a linear layer; {type(value).__name__} has none{slip}")
    return value


def _names(net, but, **_) -> None:
    """Raise unless `but` is a list of names of the network's parts."""
    if isinstance(but, str):
        raise TypeError(f"but must be a list of names; got {but!r}. One part? Pass [{but!r}]")
    known = [name for name, _ in net.named_modules() if name]
    for name in but:
        if name not in known:
            parent = str(name).rpartition(".")[0]
            slip = f". A parameter? Its part is {parent!r}" if name in dict(net.named_parameters()) else ""
            slip = slip or _validate.nearest(name, known)
            raise ValueError(f"but must name parts of the network; got {name!r}{slip}")


def _fits(head, x, labels, **_) -> None:
    """Raise unless features, labels and head belong together."""
    width = head.in_features
    if x.ndim != 2 or x.shape[1] != width:
        raise ValueError(
            f"x must have shape (N, {width}), because the head has in_features={width}; got {tuple(x.shape)}. "
            "Features of another network?"
        )
    if labels.shape != x.shape[:1]:
        raise ValueError(f"labels must have shape ({len(x)},), one a row; got {tuple(labels.shape)}")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < head.out_features:
        raise ValueError(
            f"labels must be 0 to {head.out_features - 1}, because the head has out_features="
            f"{head.out_features}; got {int(labels.min())} to {int(labels.max())}"
        )


@_validate.arguments(net=_with_head, classes=_validate.positive_int)
def replace_head(net: nn.Module, classes: int) -> str:
    """Put a new linear layer with `classes` outputs in place of the network's last one; change nothing else.

    Args:
        net: a network; its head is the linear layer that was registered last. Changed in place.
        classes: how many outputs the new head has.

    Returns:
        The head's dotted name, such as "fc" or "classifier.6".

    Raises:
        ValueError: there is no linear layer in it.

    Example:
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(12, 1000))
        >>> replace_head(net, 10), net(torch.zeros(1, 3, 2, 2)).shape
        ('1', torch.Size([1, 10]))

    Source: `timm`'s `reset_classifier`, which knows each network's head by name.
    """
    parts = net.named_modules()
    linear = [name for name, part in parts if isinstance(part, nn.Linear)]
    old = net.get_submodule(linear[-1])
    new = nn.Linear(old.in_features, classes)
    net.set_submodule(linear[-1], new)
    return linear[-1]


@_validate.arguments(_names, net=_network)
def freeze(net: nn.Module, but: list[str]) -> list[nn.Parameter]:
    """Let only the named parts of a network learn.

    Args:
        net: a network, changed in place: whatever was frozen before, afterwards all parameters are but those of `but`.
        but: dotted names of parts, such as ["layer4", "fc"]; an empty list freezes all.

    Returns:
        The parameters that learn, for the optimizer.

    Raises:
        ValueError: a name in `but` is no part's; the nearest ones are told.

    Example:
        >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> [tuple(p.shape) for p in freeze(net, ["2"])]
        [(3, 8), (3,)]

    Source: Chilamkurthy, "Transfer Learning for Computer Vision Tutorial", PyTorch tutorials.
    """
    net.requires_grad_(False)
    for name in but:
        net.get_submodule(name).requires_grad_(True)
    return [p for p in net.parameters() if p.requires_grad]


@_validate.arguments(net=_network)
def training_mode(net: nn.Module) -> None:
    """Put a network into training mode, but each BatchNorm whose weights are frozen into evaluation mode.

    Such a layer then neither looks at the batch nor changes its running mean and variance.

    Args:
        net: a network, changed in place.

    Example:
        >>> net = nn.Sequential(nn.BatchNorm2d(3).requires_grad_(False), nn.Dropout())
        >>> training_mode(net); [part.training for part in net]
        [False, True]
    """
    net.train()
    for part in net.modules():
        learns = any(p.requires_grad for p in part.parameters())
        if isinstance(part, nn.BatchNorm2d) and not learns:
            part.eval()


@_validate.arguments(_fits)
def train_head(head: nn.Linear, x: torch.Tensor, labels: torch.Tensor, epochs=30, lr=0.003) -> None:
    """Train a linear head on features that stand still, with Adam and batches of 32.

    Args:
        head: from D numbers to K classes, changed in place.
        x: (N, D) floats, what the frozen network says of N pictures.
        labels: (N,) int64, 0 to K - 1.
        epochs: how often each row is seen.
        lr: Adam's learning rate.

    Raises:
        ValueError: features and head differ in width, or a label has no output.

    Example:
        >>> head, x = nn.Linear(2, 2), torch.tensor([[9.0, 0.0], [0.0, 9.0]])
        >>> train_head(head, x, torch.tensor([0, 1]), lr=0.1)
        >>> head(x).argmax(dim=1)
        tensor([0, 1])

    Source: Alain and Bengio, "Understanding intermediate layers using linear classifier probes", 2016.
    """
    optimizer = torch.optim.Adam(head.parameters(), lr)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(32):
            loss = F.cross_entropy(head(x[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
