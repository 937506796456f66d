"""Networks that see wide with little shrinking: FCN, spatial pyramid pooling, ASPP and DeepLabv3+'s decoder, each as small as it can be."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["ASPP", "FCN", "Decoder", "SpatialPyramidPooling", "dilated", "pointwise", "separable"]


class FCN(nn.Module):
    """Add up the score maps of several levels, each made by a 1 x 1 convolution and grown bilinearly to the next.

    One level at stride 32 is an FCN-32s, two (32, 16) a 16s, three (32, 16, 8) an 8s.

    Args:
        widths: channels of the levels, deepest first.
        classes: of every pixel, background among them.

    `forward` takes the levels, deepest first, (B, C, h, w) each, and the size (H, W) to grow to; it gives (B, classes, H, W)
    scores. Levels beyond `widths` are left alone.

    Example:
        >>> levels = [torch.zeros(1, 320, 3, 3), torch.zeros(1, 112, 6, 6), torch.zeros(1, 40, 12, 12)]
        >>> FCN([320, 112], 5)(levels, (96, 96)).shape
        torch.Size([1, 5, 96, 96])

    Source: Long, Shelhamer, Darrell, Fully Convolutional Networks for Semantic Segmentation, CVPR 2015.
    """

    def __init__(self, widths: Sequence[int], classes: int):
        super().__init__()
        self.scores = nn.ModuleList(nn.Conv2d(width, classes, 1) for width in widths)

    def forward(self, levels: Sequence[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
        total = 0
        for level, score in zip(levels, self.scores, strict=False):
            scores = score(level)  # (B, classes, h, w)
            if torch.is_tensor(total):
                total = F.interpolate(total, scores.shape[2:], mode="bilinear")
            total = total + scores
        return F.interpolate(total, size, mode="bilinear")


class SpatialPyramidPooling(nn.Module):
    """Cut maps of any size into 1, 4 and 16 parts and keep each part's maximum: one length of vector for all of them.

    Args:
        sides: parts along a side, one number a level of the pyramid.

    `forward` takes (B, C, h, w) and gives (B, C * sum of sides squared).

    Example:
        >>> SpatialPyramidPooling()(torch.zeros(2, 10, 7, 9)).shape
        torch.Size([2, 210])

    Source: He, Zhang, Ren, Sun, Spatial Pyramid Pooling in Deep Convolutional Networks, ECCV 2014.
    """

    def __init__(self, sides: Sequence[int] = (1, 2, 4)):
        super().__init__()
        self.pools = nn.ModuleList(nn.AdaptiveMaxPool2d(side) for side in sides)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return torch.cat([pool(maps).flatten(1) for pool in self.pools], dim=1)


def pointwise(channels: int, width: int) -> nn.Sequential:
    """Return a 1 x 1 convolution with a ReLU: (B, channels, h, w) to (B, width, h, w).

    Example:
        >>> pointwise(8, 4)(torch.zeros(1, 8, 5, 5)).shape
        torch.Size([1, 4, 5, 5])
    """
    return nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())


def dilated(channels: int, width: int, rate: int = 1) -> nn.Sequential:
    """Return a 3 x 3 convolution with a ReLU whose kernel has `rate` - 1 holes between its numbers; the map keeps its size.

    Example:
        >>> dilated(8, 4, rate=2)(torch.zeros(1, 8, 5, 5)).shape
        torch.Size([1, 4, 5, 5])

    Source: Yu, Koltun, Multi-Scale Context Aggregation by Dilated Convolutions, ICLR 2016.
    """
    return nn.Sequential(nn.Conv2d(channels, width, 3, padding=rate, dilation=rate), nn.ReLU())


def separable(channels: int, width: int, rate: int = 1) -> nn.Sequential:
    """Return `dilated` in two steps: a kernel for each channel, then a 1 x 1 that mixes them.

    Example:
        >>> [sum(p.numel() for p in kind(64, 64).parameters()) for kind in (dilated, separable)]
        [36928, 4800]

    Source: Chen and others, Encoder-Decoder with Atrous Separable Convolution, ECCV 2018.
    """
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=rate, dilation=rate, groups=channels),
        *pointwise(channels, width),
    )


class ASPP(nn.Module):
    """Look at each place of a map near, wide, wider, and at the map as a whole; a 1 x 1 convolution mixes the views.

    Args:
        channels: of the map.
        width: of every view, and of the answer.
        conv: `dilated` or `separable`.
        rates: dilations of the 3 x 3 views; DeepLabv3 takes 6, 12 and 18 on maps of 65 x 65.

    `forward` takes (B, channels, h, w) and gives (B, width, h, w).

    Example:
        >>> ASPP(112, 32, separable)(torch.zeros(1, 112, 8, 8)).shape
        torch.Size([1, 32, 8, 8])

    Source: Chen and others, Rethinking Atrous Convolution for Semantic Image Segmentation, 2017.
    """

    def __init__(self, channels: int, width: int, conv: Callable, rates: Sequence[int] = (1, 2, 4)):
        super().__init__()
        self.point = pointwise(channels, width)
        self.wide = nn.ModuleList(conv(channels, width, rate) for rate in rates)
        self.whole = pointwise(channels, width)
        self.mix = pointwise((2 + len(rates)) * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        whole = self.whole(x.mean(dim=(2, 3), keepdim=True))
        whole = whole.expand(-1, -1, *x.shape[2:])  # everywhere
        views = [self.point(x), *(conv(x) for conv in self.wide)]
        return self.mix(torch.cat([*views, whole], dim=1))


class Decoder(nn.Module):
    """DeepLabv3+'s way back: ASPP's maps are grown, a thinned shallow level is put beside them, one more 3 x 3 mixes.

    Args:
        deep: channels of the level that ASPP looks at.
        shallow: channels of the finer level.
        width: of ASPP's answer; the shallow level is thinned to a quarter of it.
        classes: of every pixel, background among them.
        conv: `dilated` or `separable`.

    `forward` takes three levels, deepest first, of which it leaves the first alone, and the size (H, W) to grow to; it gives
    (B, classes, H, W) scores.

    Example:
        >>> levels = [torch.zeros(1, 320, 3, 3), torch.zeros(1, 112, 6, 6), torch.zeros(1, 40, 12, 12)]
        >>> Decoder(112, 40, 32, 5, separable)(levels, (96, 96)).shape
        torch.Size([1, 5, 96, 96])

    Source: Chen and others, Encoder-Decoder with Atrous Separable Convolution, ECCV 2018.
    """

    def __init__(self, deep: int, shallow: int, width: int, classes: int, conv: Callable):
        super().__init__()
        self.aspp = ASPP(deep, width, conv)
        self.thin = pointwise(shallow, width // 4)
        self.mix = nn.Sequential(
            conv(width + width // 4, width),
            nn.Conv2d(width, classes, 1),
        )

    def forward(self, levels: Sequence[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
        _, deep, shallow = levels  # strides 32, 16 and 8
        grown = F.interpolate(self.aspp(deep), shallow.shape[2:], mode="bilinear")
        x = torch.cat([grown, self.thin(shallow)], dim=1)
        return F.interpolate(self.mix(x), size, mode="bilinear")
