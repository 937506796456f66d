"""The long recipe's network: EfficientNet-Lite0 without its head, and a decoder; 18 scores for every pixel of a scene."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from cvlab.segmentation.targets import NAMES
from cvlab.segmentation.topdown import TopDown, enlarged, four_levels, headless

__all__ = ["Segmenter", "label_scores"]


class Segmenter(nn.Module):
    """From pictures (B, 3, H, W) to logits (B, 18, H / 4, W / 4), H and W multiples of 32.

    Example:
        >>> Segmenter()(torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 18, 16, 16])
    """

    def __init__(self):
        super().__init__()
        self.encoder = headless()
        self.decoder = TopDown(len(NAMES))
        self.to(memory_format=torch.channels_last)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decoder(*four_levels(self.encoder, x))


@torch.inference_mode()
def label_scores(net, images: np.ndarray, *, flips: bool = False, batch: int = 25) -> torch.Tensor:
    """Return the probability of every class at every pixel.

    Args:
        net: a `Segmenter`, or a function like one.
        images: (N, H, W, 3) uint8 RGB; enlarged for the network.
        flips: show each picture mirrored too, and take the mean.
        batch: pictures at a time.

    Returns:
        (N, 18, H, W) float32, sum 1 at each pixel.
    """
    if isinstance(net, nn.Module):
        net.eval()
    parts = []
    for i in range(0, len(images), batch):
        x = enlarged(images[i : i + batch])
        views = [net(x)] + ([net(x.flip(3)).flip(3)] if flips else [])
        views = [F.interpolate(v, images.shape[1:3], mode="bilinear", align_corners=False) for v in views]
        parts.append(torch.stack([v.softmax(1) for v in views]).mean(0))
    return torch.cat(parts)
