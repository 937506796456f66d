"""Scenes in which the things are two to five pixels in a hundred, and a net small enough to be trained five times."""

import numpy as np
import torch
from torch import nn

from cvlab._validate import positive_int
from cvlab.world.scenes import make_scene

__all__ = ["SHARES", "small_net", "small_things", "train_epoch"]

SHARES = (0.01, 0.06)  # of a picture's pixels that its only thing has


def small_things(n: int, *, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Paint scenes with one small thing each, in the four drawing styles for training.

    Args:
        n: how many.
        seed: another seed, other scenes.

    Returns:
        (N, 3, 96, 96) pictures in [-1, 1], and (N, 1, 96, 96) masks, 0 or 1, both float32.

    Example:
        >>> pictures, masks = small_things(4)
        >>> pictures.shape, 0.01 < masks.mean() < 0.06
        (torch.Size([4, 3, 96, 96]), tensor(True))
    """
    images, masks, index = [], [], 0
    n = positive_int(n, "n")
    while len(images) < n:
        scene = make_scene(index, seed=seed, objects=(1, 1))
        index += 1
        if SHARES[0] < scene.masks[0].mean() < SHARES[1]:
            images.append(scene.image)
            masks.append(scene.masks[0])
    x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()  # (N, 3, 96, 96)
    t = torch.from_numpy(np.stack(masks))[:, None].float()  # (N, 1, 96, 96)
    return x.div_(127.5).sub_(1).contiguous(memory_format=torch.channels_last), t


def small_net(seed: int = 0) -> nn.Sequential:
    """Make four convolutions on a quarter of the side, the last two dilated, and grow the answer back.

    Args:
        seed: of its first weights.

    Example:
        >>> small_net().eval()(torch.zeros(1, 3, 96, 96)).shape
        torch.Size([1, 1, 96, 96])
    """
    torch.manual_seed(seed)
    layers, channels = [], 3
    for wide, stride, dilation in ((12, 2, 1), (24, 2, 1), (24, 1, 2), (24, 1, 4)):
        layers += [
            nn.Conv2d(channels, wide, 3, stride, padding=dilation, dilation=dilation, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU(),
        ]
        channels = wide
    layers += [nn.Conv2d(channels, 1, 1), nn.Upsample(scale_factor=4, mode="bilinear")]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def train_epoch(
    net, optimizer, loss, pictures: torch.Tensor, masks: torch.Tensor, *, seed: int = 0, batch: int = 20
) -> None:
    """Show every picture once, in an order that the seed tells.

    Args:
        net: from (B, 3, H, W) to (B, 1, H, W) logits; changed in place.
        optimizer: of its parameters.
        loss: called with logits and masks.
        pictures: (N, 3, H, W).
        masks: (N, 1, H, W).
        seed: of the order.
        batch: pictures at a time.
    """
    net.train()
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(seed))
    for chosen in order.split(batch):
        optimizer.zero_grad()
        loss(net(pictures[chosen]), masks[chosen]).backward()
        optimizer.step()
