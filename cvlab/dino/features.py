"""What a network says of maps, batch by batch."""

from collections.abc import Callable

import torch

__all__ = ["features_of"]


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
