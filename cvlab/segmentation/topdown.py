"""A small decoder for the levels of EfficientNet-Lite0: from the coarsest map up, each finer level added on the way."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from cvlab._validate import arguments, positive_int
from cvlab.store import weights
from cvlab.transfer_learning.backbone import folded, prepare

__all__ = ["SIDE", "WIDTHS", "TopDown", "enlarged", "four_levels", "headless", "maps_of", "mixing"]

SIDE = 128  # what the encoder is shown: a scene of 96 pixels, enlarged
WIDTHS = (
    24,
    40,
    112,
    320,
)  # channels of blocks 1, 2, 4 and 6: a 4th, 8th, 16th and 32nd of the picture's side


def enlarged(images: np.ndarray, side: int = SIDE) -> torch.Tensor:
    """Prepare pictures (N, H, W, 3) uint8 for the encoder, at another size: (N, 3, side, side).

    Example:
        >>> enlarged(np.zeros((1, 96, 96, 3), np.uint8)).shape
        torch.Size([1, 3, 128, 128])
    """
    x = F.interpolate(prepare(images), (side, side), mode="bilinear", align_corners=False)
    return x.contiguous(memory_format=torch.channels_last)


def headless() -> nn.Module:
    """Return EfficientNet-Lite0 with ImageNet's weights and without its head, a fresh one, to be trained.

    Example:
        >>> headless().conv_head
        Identity()
    """
    net = weights.efficientnet_lite0(0)
    net.conv_head, net.bn2 = nn.Identity(), nn.Identity()
    return net


def four_levels(net, x: torch.Tensor) -> list[torch.Tensor]:
    """Return what blocks 1, 2, 4 and 6 of EfficientNet-Lite0 make of pictures, the finest map first.

    Args:
        net: timm's `tf_efficientnet_lite0`.
        x: (B, 3, H, W) float, as `enlarged` gives it.

    Example:
        >>> [tuple(maps.shape[1:]) for maps in four_levels(folded(), torch.zeros(1, 3, 64, 64))]
        [(24, 16, 16), (40, 8, 8), (112, 4, 4), (320, 2, 2)]
    """
    maps = [net.bn1(net.conv_stem(x))]
    for block in net.blocks:
        maps.append(block(maps[-1]))
    return [maps[i] for i in (2, 3, 5, 7)]


@torch.no_grad()  # inference tensors could not be trained on
def maps_of(images: np.ndarray, batch: int = 5, side: int = SIDE) -> list[torch.Tensor]:
    """Return the four levels of the frozen, pretrained network, in half precision: computed once, used in every epoch.

    Args:
        images: (N, H, W, 3) uint8 RGB.
        batch: pictures at a time.
        side: what they are enlarged to.

    Example:
        >>> [tuple(maps.shape[1:]) for maps in maps_of(np.zeros((1, 96, 96, 3), np.uint8))]
        [(24, 32, 32), (40, 16, 16), (112, 8, 8), (320, 4, 4)]
    """
    parts = [
        [maps.half() for maps in four_levels(folded(), enlarged(images[i : i + batch], side))]
        for i in range(0, len(images), batch)
    ]
    return [torch.cat(level) for level in zip(*parts, strict=True)]


def mixing(width: int) -> nn.Module:
    """3 x 3 within each channel, then 1 x 1 across them, BatchNorm and ReLU: an eighth of a full convolution's products.

    Example:
        >>> mixing(8)(torch.zeros(1, 8, 5, 5)).shape
        torch.Size([1, 8, 5, 5])
    """
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )


def _up_to_three(value, name: str) -> int:
    if positive_int(value, name, least=0) > 3:
        raise ValueError(f"{name} must be 0 to 3, the finer levels that are added; got {value}")
    return value


class TopDown(nn.Module):
    """From four maps, the finest first, to logits (B, classes, H, W) of the finest map's size.

    Args:
        classes: outputs a pixel, background among them.
        width: channels inside.
        skips: how many finer levels are added on the way up, 0 to 3, the coarsest of them first.

    Example:
        >>> maps = [torch.zeros(1, c, s, s) for c, s in zip(WIDTHS, (16, 8, 4, 2))]
        >>> TopDown(18)(*maps).shape
        torch.Size([1, 18, 16, 16])

    Source: Lin, Dollar, Girshick, He, Hariharan, Belongie, Feature Pyramid Networks for Object Detection, CVPR 2017.
    """

    @arguments(classes=positive_int, width=positive_int, skips=_up_to_three)
    def __init__(self, classes: int, width: int = 64, skips: int = 3):
        super().__init__()
        self.first = 3 - skips  # the finest level in use
        self.side = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, width, 1, bias=False), nn.BatchNorm2d(width))
            for c in WIDTHS[self.first :]
        )
        self.mix = nn.ModuleList(mixing(width) for _ in range(3))
        self.out = nn.Conv2d(width, classes, 1)

    def forward(self, *maps: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.side[-1](maps[3]))
        for k in (2, 1, 0):
            size = maps[k].shape[2:]
            x = F.interpolate(x, size, mode="bilinear")
            if k >= self.first:
                x = F.relu(x + self.side[k - self.first](maps[k]))
            x = self.mix[k](x)
        return self.out(x)
