"""Frozen maps of pictures, computed once, and crops of them: what the small transformer learns from."""

import torch
import torch.nn.functional as F
from torchvision.ops import roi_align

from cvlab.transfer_learning.backbone import folded, prepare

__all__ = ["CHANNELS", "PLACES", "crop_maps", "maps_of"]

CHANNELS, PLACES = 112, 12  # of block 4 of EfficientNet-Lite0 for pictures of 192 pixels


@torch.no_grad()  # inference tensors could not be trained on
def maps_of(images, batch: int = 3) -> torch.Tensor:
    """Return what block 4 of the frozen, pretrained EfficientNet-Lite0 makes of pictures, in half precision.

    Each place is brought to mean 0 and spread 1 over its channels. The network was trained with ImageNet's labels:
    what stands on it is not free of labels from the ground up.

    Args:
        images: (N, H, W, 3) uint8 RGB, 192 x 192 in lesson 08.
        batch: pictures at a time.

    Returns:
        (N, 112, H / 16, W / 16) float16.

    Example:
        >>> import numpy as np
        >>> maps_of(np.zeros((2, 192, 192, 3), np.uint8)).shape
        torch.Size([2, 112, 12, 12])
    """
    net, parts = folded(), []
    for i in range(0, len(images), batch):
        x = net.bn1(net.conv_stem(prepare(images[i : i + batch])))
        for block in net.blocks[:5]:
            x = block(x)
        x = F.layer_norm(x.permute(0, 2, 3, 1), (x.shape[1],)).permute(0, 3, 1, 2)
        parts.append(x.contiguous().half())
    return torch.cat(parts)


def crop_maps(maps: torch.Tensor, area: tuple[float, float], size: int) -> torch.Tensor:
    """Cut a part out of each map, at random, by RoI align, half of them mirrored.

    Args:
        maps: (B, C, H, W) float.
        area: smallest and largest share of the map.
        size: places of the crop, each way.

    Returns:
        (B, C, size, size).

    Example:
        >>> crop_maps(torch.zeros(2, 3, 12, 12), (0.4, 1), 8).shape
        torch.Size([2, 3, 8, 8])

    Source: areas and ratios of Caron et al., Emerging Properties in Self-Supervised Vision Transformers, ICCV 2021.
    """
    b, _, h, w = maps.shape
    share, ratio = torch.empty(b).uniform_(*area), torch.exp(torch.empty(b).uniform_(-0.29, 0.29))
    width, height = (share * ratio).sqrt().clamp(max=1) * w, (share / ratio).sqrt().clamp(max=1) * h
    x, y = torch.rand(b) * (w - width), torch.rand(b) * (h - height)
    boxes = torch.stack([torch.arange(b), x, y, x + width, y + height], dim=1)
    crops = roi_align(maps, boxes, size, sampling_ratio=2, aligned=True)
    return torch.where(torch.rand(b, 1, 1, 1) < 0.5, crops.flip(-1), crops)
