"""The U-Net of lesson 05: one small enough to be read at once, and one of any depth."""

import torch
import torch.nn.functional as F
from torch import nn

from cvlab._validate import arguments

__all__ = ["SmallUNet", "UNet", "double_conv"]


def double_conv(channels_in: int, channels_out: int) -> nn.Module:
    """Two convolutions, each with BatchNorm and ReLU; the map keeps its size.

    Example:
        >>> double_conv(3, 8)(torch.zeros(1, 3, 16, 16)).shape
        torch.Size([1, 8, 16, 16])
    """
    layers = []
    for c in (channels_in, channels_out):
        layers += [
            nn.Conv2d(c, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)


class SmallUNet(nn.Module):
    """Down twice and up again: by 4 each time, a 16th of the side, as the four halvings of the first U-Net make it.

    Args:
        classes: outputs a pixel.
        skips: without, zeros take the place of what the way down kept; the weights stay as many.
        step: how many times smaller each step makes the map.

    Example:
        >>> SmallUNet(2)(torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 2, 64, 64])

    Source: Ronneberger, Fischer, Brox, U-Net: Convolutional Networks for Biomedical Image Segmentation, MICCAI 2015.
    """

    def __init__(self, classes: int, skips: bool = True, step: int = 4):
        super().__init__()
        self.skips, self.step = float(skips), step
        self.down1 = double_conv(3, 8)
        self.down2 = double_conv(8, 16)
        self.bottom = double_conv(16, 32)
        self.up2 = nn.ConvTranspose2d(32, 16, step, step)
        self.up1 = nn.ConvTranspose2d(16, 8, step, step)
        self.join2 = double_conv(32, 16)
        self.join1 = double_conv(16, 8)
        self.out = nn.Conv2d(8, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        fine = self.down1(x)  # (B, 8, H, W)
        coarse = self.down2(F.max_pool2d(fine, self.step))
        x = self.up2(self.bottom(F.max_pool2d(coarse, self.step)))
        x = self.join2(torch.cat([self.skips * coarse, x], dim=1))
        kept, x = self.skips * fine, self.up1(x)
        return self.out(self.join1(torch.cat([kept, x], dim=1)))


def _even(self, x: torch.Tensor) -> None:
    """Every level but the last must have even sides, else the way up does not meet what the way down kept."""
    height, width = x.shape[-2:]
    times = 2 ** len(self.down)
    for level in range(len(self.down)):
        if height % 2 or width % 2:
            padded = " x ".join(str(-(-side // times) * times) for side in x.shape[-2:])
            raise ValueError(
                f"level {level} of {len(self.down)} must have even sides; got {height} x {width}. "
                f"Sides must be multiples of {times}: pad the picture to {padded}, and crop the answer"
            )
        height, width = height // 2, width // 2


class UNet(nn.Module):
    """A U-Net of any depth: a way down, a way up, and at every level what the way down kept.

    Args:
        channels_in: of the picture.
        classes: outputs a pixel.
        widths: channels of each level, the finest first; each level has half the side of the one before.

    Raises:
        ValueError: a side that cannot be halved; the message names the level.

    Example:
        >>> UNet(3, 5, (8, 16, 32))(torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 5, 64, 64])
        >>> UNet(3, 5, (8, 16, 32))(torch.zeros(1, 3, 66, 64))
        Traceback (most recent call last):
        ...
        ValueError: level 1 of 2 must have even sides; got 33 x 32. Sides must be multiples of 4: ...

    Source: Ronneberger, Fischer, Brox, U-Net: Convolutional Networks for Biomedical Image Segmentation, MICCAI 2015; with
    padding, so that no map is cropped, and with BatchNorm.
    """

    def __init__(self, channels_in: int, classes: int, widths: tuple[int, ...] = (8, 16, 32)):
        super().__init__()
        fine, coarse = widths[:-1], widths[1:]
        self.first = double_conv(channels_in, widths[0])
        self.down = nn.ModuleList(map(double_conv, fine, coarse))
        self.up = nn.ModuleList(nn.ConvTranspose2d(c, f, 2, 2) for f, c in zip(fine, coarse, strict=True))
        self.join = nn.ModuleList(double_conv(2 * f, f) for f in fine)
        self.pool = nn.MaxPool2d(2)
        self.out = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, skips = self.first(x), []
        for down in self.down:
            skips.append(x)
            x = down(self.pool(x))
        for level in reversed(range(len(skips))):
            up = self.up[level](x)
            x = self.join[level](torch.cat([skips[level], up], dim=1))
        return self.out(x)


UNet.forward = arguments(_even)(UNet.forward)  # outside: the class stays as the page has it
