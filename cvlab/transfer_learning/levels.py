"""What EfficientNet-Lite0 hands from level to level, as maps, as pooled features and as patches to compare."""

import numpy as np
import torch
import torch.nn.functional as F

from cvlab._validate import positive_int
from cvlab.transfer_learning.backbone import features, folded, prepare

__all__ = ["LEVELS", "each_level", "patches", "pca_rgb", "pooled"]

LEVELS = ("stem", *(f"block {i}" for i in range(7)), "head")


def each_level(net, x: torch.Tensor) -> list[torch.Tensor]:
    """Return what the stem, every block and the head make of pictures: nine tensors (B, C, H, W), as in `LEVELS`.

    Args:
        net: timm's `tf_efficientnet_lite0`, or a network of the same parts.
        x: (B, 3, H, W) float, as `prepare` gives it.

    Example:
        >>> [len(maps[0]) for maps in each_level(folded(), torch.zeros(1, 3, 64, 64))]
        [32, 16, 24, 40, 80, 112, 192, 320, 1280]
    """
    maps = [net.bn1(net.conv_stem(x))]  # (B, 32, H / 2, W / 2)
    for block in net.blocks:
        maps.append(block(maps[-1]))
    return [*maps, net.bn2(net.conv_head(maps[-1]))]


def pooled(images: np.ndarray) -> dict[str, torch.Tensor]:
    """Return each level's mean over the picture: one vector a picture and level.

    Args:
        images: (N, H, W, 3) uint8 RGB.

    Returns:
        Level of `LEVELS` -> (N, C) float32.

    Example:
        >>> pooled(np.zeros((2, 64, 64, 3), np.uint8))["block 4"].shape
        torch.Size([2, 112])
    """

    def means(x):
        return torch.cat([maps.mean((2, 3)) for maps in each_level(folded(), x)], dim=1)

    every = features(means, images)  # (N, the channels of all levels)
    widths = [32, 16, 24, 40, 80, 112, 192, 320, 1280]
    return dict(zip(LEVELS, every.split(widths, dim=1), strict=True))


def pca_rgb(maps: torch.Tensor) -> torch.Tensor:
    """Turn C channels into red, green and blue: the three directions in which the places of all pictures differ most.

    Args:
        maps: (N, C, H, W) float, C at least 3.

    Returns:
        (N, H, W, 3) float in [0, 1].

    Example:
        >>> pca_rgb(torch.rand(2, 8, 4, 4)).shape
        torch.Size([2, 4, 4, 3])

    Source: Pearson, On Lines and Planes of Closest Fit, 1901; by the singular value decomposition.
    """
    n, c, h, w = maps.shape
    places = maps.permute(0, 2, 3, 1).reshape(-1, c)  # one row a place
    places = places - places.mean(0)
    axes = torch.linalg.svd(places, full_matrices=False).Vh[:3]  # (3, C)
    axes = axes * axes.sum(1, keepdim=True).sign()  # the sign is free: settle it
    rgb = places @ axes.T  # (N * H * W, 3)
    low, high = rgb.quantile(0.02, 0), rgb.quantile(0.98, 0)
    return ((rgb - low) / (high - low)).clip(0, 1).reshape(n, h, w, 3)


def patches(images: np.ndarray, side: int = 14) -> dict[str, torch.Tensor]:
    """Return a unit vector for each of `side` x `side` patches and each level; a product of two is their cosine.

    Finer levels are averaged over a patch, coarser ones repeated. The mean over all patches is taken off first:
    what all patches share does not say which of them are alike.

    Args:
        images: (N, H, W, 3) uint8 RGB, a few: all maps are held at once.
        side: patches along a side.

    Returns:
        Level of `LEVELS` -> (N, side, side, C) float32.

    Example:
        >>> noise = np.random.default_rng(0).integers(0, 256, (2, 56, 56, 3), dtype=np.uint8)
        >>> patches(noise, side=7)["block 2"].norm(dim=3).mean()
        tensor(1.)
    """
    side = positive_int(side, "side")
    with torch.inference_mode():
        found = each_level(folded(), prepare(images))
    return {level: _unit(maps, side) for level, maps in zip(LEVELS, found, strict=True)}


def _unit(maps: torch.Tensor, side: int) -> torch.Tensor:
    if maps.shape[2] > side:
        maps = F.adaptive_avg_pool2d(maps, side)
    maps = F.interpolate(maps, size=(side, side))  # (N, C, side, side)
    return F.normalize(maps - maps.mean((0, 2, 3), keepdim=True), dim=1).permute(0, 2, 3, 1)
