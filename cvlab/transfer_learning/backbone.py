"""The pretrained network of lesson 04, and pictures ready for it."""

import functools
import itertools

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from cvlab.store import weights
from cvlab.world.single import Pictures, make_pictures

__all__ = ["backbone", "features", "folded", "prepare", "ten_classes"]


@functools.cache
def backbone():
    """Return EfficientNet-Lite0 with ImageNet's weights, frozen, in evaluation mode; one for the whole notebook.

    Who wants to train it takes `cvlab.store.weights.efficientnet_lite0(num_classes)`, a fresh one.

    Example:
        >>> backbone()(torch.zeros(1, 3, 128, 128)).shape
        torch.Size([1, 1000])
    """
    net = weights.efficientnet_lite0().requires_grad_(False)
    return net.to(memory_format=torch.channels_last)  # two to three times as fast on a CPU


@functools.cache
def folded():
    """Return `backbone()` with each BatchNorm folded into the convolution before it: the same numbers in less time.

    In evaluation mode BatchNorm multiplies each channel and adds to it, as weights and a bias can. What is left in its
    place is the activation. The parts keep their names: `conv_stem`, `bn1`, `blocks`, `conv_head`, `bn2`.

    Example:
        >>> x = torch.rand(1, 3, 64, 64)
        >>> (folded()(x) - backbone()(x)).abs().max() < 1e-3
        tensor(True)
    """
    net = weights.efficientnet_lite0()  # not a copy of `backbone()`, which few who want this one need
    for part in list(net.modules()):
        children = list(part.named_children())
        for (conv, before), (norm, after) in itertools.pairwise(children):
            if isinstance(before, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
                setattr(part, conv, fuse_conv_bn_eval(before, after))
                setattr(part, norm, after.act)
    return net.requires_grad_(False).to(memory_format=torch.channels_last)


def prepare(images: np.ndarray) -> torch.Tensor:
    """Turn pictures into what EfficientNet-Lite0 was trained on: mean and spread 0.5.

    Args:
        images: (N, H, W, 3) uint8 RGB.

    Returns:
        (N, 3, H, W) float32 in [-1, 1], channels last in memory.

    Example:
        >>> prepare(np.full((1, 2, 2, 3), 255, np.uint8)).max()
        tensor(1.)
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise ValueError(f"images must be (N, H, W, 3) uint8; got {images.shape} {images.dtype}")
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1  # (N, 3, H, W)
    return x.contiguous(memory_format=torch.channels_last)


@torch.no_grad()  # inference tensors could not be trained on
def features(net, images: np.ndarray, batch: int = 5) -> torch.Tensor:
    """Return what `net` says of pictures, batch by batch, so that little memory is needed.

    Args:
        net: a network from (B, 3, H, W) to (B, D), or a function like one.
        images: (N, H, W, 3) uint8 RGB.
        batch: pictures at a time; with 50, whose maps no cache holds, it takes half as long again.

    Returns:
        (N, D) float32.

    Example:
        >>> features(backbone().forward_features, np.zeros((2, 64, 64, 3), np.uint8)).shape
        torch.Size([2, 1280, 2, 2])
    """
    parts = [net(prepare(images[i : i + batch])) for i in range(0, len(images), batch)]
    return torch.cat(parts)


@functools.cache
def ten_classes() -> dict[str, Pictures]:
    """Return the pictures of lesson 04, made once and shared: ten classes, 128 x 128 pixels.

    Returns:
        "train" (32 a class) and "seen" (200 others in the same four drawing styles), "val" (200 in two more styles),
        "test" (300 in a seventh style, never trained on and never chosen by).

    Example:
        >>> {split: len(pictures) for split, pictures in ten_classes().items()}
        {'train': 320, 'seen': 200, 'val': 200, 'test': 300}
    """
    return {
        "train": make_pictures(320),
        "seen": make_pictures(200, seed=5),
        "val": make_pictures(200, "val"),
        "test": make_pictures(300, "test"),
    }
