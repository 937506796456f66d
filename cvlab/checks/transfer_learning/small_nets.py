"""Networks of a few numbers, with heads of all the usual names, for the checks of `replace_head` and `freeze`."""

from collections import OrderedDict
from itertools import count

import torch
from torch import nn

__all__ = ["HEADS", "fill", "make"]

HEADS = {
    "resnet": "fc",
    "efficientnet": "classifier",
    "convnext": "head.fc",
    "regnet": "head.fc",
    "vgg": "classifier.3",
}


def make(kind: str) -> nn.Sequential:
    """Return a net from (B, 3, 4, 4) to (B, 7) whose parts bear the names of `kind`; its numbers are always the same.

    Example:
        >>> [name for name, _ in make("vgg").named_children()]
        ['features', 'avgpool', 'flatten', 'classifier']
    """
    named = {
        "resnet": {"conv1": _conv(2), "bn1": nn.BatchNorm2d(2), "layer1": _conv(4, 2), "gate": _Gate(4), **_pooled(), "fc": nn.Linear(4, 7)},
        "efficientnet": {"conv_stem": _conv(3), "blocks": _blocks(3, 12), **_pooled(), "classifier": nn.Linear(3, 7)},
        "convnext": {"stem": _conv(2), "gate": _Gate(2), **_pooled(), "head": _named(norm=nn.LayerNorm(2), fc=nn.Linear(2, 7))},
        "regnet": {"stem": _conv(2), "head": _named(global_pool=nn.Sequential(*_pooled().values()), fc=nn.Linear(2, 7), flatten=nn.Identity())},
        "vgg": {"features": _conv(2), **_pooled(), "classifier": nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Dropout(), nn.Linear(5, 7))},
    }  # fmt: skip
    net = _named(**named[kind]).eval()
    fill(net.parameters(), least=2)
    return net


def fill(parameters, *, least: float = 0) -> None:
    """Write fixed numbers, all different, into parameters: `least` and more."""
    start = count()
    with torch.no_grad():
        for p in parameters:
            steps = torch.tensor([next(start) for _ in range(p.numel())]).reshape(p.shape)
            p.copy_(least + (steps * 0.7).sin().abs())


class _Gate(nn.Module):
    """Weighs each channel by what a linear layer makes of the channels' means: a linear layer that is no head."""

    def __init__(self, channels: int):
        super().__init__()
        self.fc = nn.Linear(channels, channels)

    def forward(self, x):
        return x * self.fc(x.mean(dim=(2, 3)))[:, :, None, None].sigmoid()


def _conv(channels: int, channels_in: int = 3) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels, 1)


def _blocks(channels: int, number: int) -> nn.Sequential:
    blocks = [_named(conv=nn.Conv2d(channels, channels, 1, groups=channels)) for _ in range(number)]
    return nn.Sequential(*blocks)


def _pooled() -> dict:
    return {"avgpool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}


def _named(**parts) -> nn.Sequential:
    return nn.Sequential(OrderedDict(parts))
