"""One vector a picture, from its maps: by a network, by their mean, and by what ImageNet's labels made of them."""

from collections.abc import Callable

import torch

from cvlab.transfer_learning.backbone import backbone

__all__ = ["features_of", "imagenet_features"]


@torch.no_grad()
def features_of(net: Callable, maps: torch.Tensor, batch: int = 64) -> torch.Tensor:
    """Return what a network says of maps, batch by batch.

    Args:
        net: from (B, 112, 12, 12) float to (B, ...), such as a `ViT`, its `tokens`, or a function.
        maps: (N, 112, 12, 12), as `maps_of` gives them.
        batch: pictures at a time.

    Returns:
        (N, ...) float32.

    Example:
        >>> from cvlab.distillation.teaching import small_vit
        >>> features_of(small_vit(), torch.zeros(2, 112, 12, 12)).shape
        torch.Size([2, 96])
    """
    return torch.cat([net(part.float()) for part in maps.split(batch)])


def imagenet_features(maps: torch.Tensor) -> torch.Tensor:
    """Return what the rest of the pretrained EfficientNet-Lite0 makes of maps: the features that lesson 04 stood on.

    Args:
        maps: (N, 112, 12, 12), as `maps_of` gives them, of block 4.

    Returns:
        (N, 1280) float32: blocks 5 and 6, the head, and their mean over the picture.

    Example:
        >>> imagenet_features(torch.zeros(2, 112, 12, 12)).shape
        torch.Size([2, 1280])
    """
    net = backbone()

    def rest(x):
        for block in net.blocks[5:]:
            x = block(x)
        return net.bn2(net.conv_head(x)).mean((2, 3))

    return features_of(rest, maps.contiguous(memory_format=torch.channels_last), 25)
