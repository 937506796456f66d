"""From a decoder's logits to probabilities in a scene's size, and what they are worth: for the recipes of lesson 05."""

import numpy as np
import torch
import torch.nn.functional as F

from cvlab.segmentation.metrics import confusion
from cvlab.segmentation.targets import GROUP_OF, GROUPS, NAMES

__all__ = ["grouped", "judged_maps", "mean_iou_of", "probabilities"]


@torch.no_grad()
def probabilities(net, maps: list[torch.Tensor], size: int = 96, batch: int = 50) -> torch.Tensor:
    """Return the probability of every class at every pixel: (N, 18, size, size).

    Args:
        net: a `TopDown`; it is put into evaluation mode.
        maps: the four levels of N scenes.
        size: of the scenes.
        batch: scenes at a time.
    """
    net.eval()
    parts = []
    for i in range(0, len(maps[0]), batch):
        logits = net(*(level[i : i + batch].float() for level in maps))
        logits = F.interpolate(logits, (size, size), mode="bilinear", align_corners=False)
        parts.append(logits.softmax(1))
    return torch.cat(parts)


def grouped(p: torch.Tensor) -> torch.Tensor:
    """Sum the probabilities (N, 18, H, W) of a group's classes: (N, 5, H, W).

    Example:
        >>> grouped(torch.full((1, 18, 1, 1), 1 / 18)).squeeze().mul(18).round()
        tensor([1., 7., 6., 1., 3.])
    """
    n, _, height, width = p.shape
    return torch.zeros(n, len(GROUPS), height, width).index_add_(1, torch.from_numpy(GROUP_OF), p)


def mean_iou_of(found: np.ndarray, truth: np.ndarray, classes: int) -> float:
    """Return IoU over all pixels of all scenes, its mean over every class but the background.

    Example:
        >>> mean_iou_of(np.array([0, 1, 1]), np.array([0, 0, 1]), 2)
        0.5
    """
    table = confusion(found, truth, classes)
    both = table.diagonal()
    return round(float((both / np.maximum(table.sum(0) + table.sum(1) - both, 1))[1:].mean()), 4)


def judged_maps(p: torch.Tensor, truth: np.ndarray) -> dict[str, float]:
    """Return mIoU of probabilities (N, 18, H, W): of the classes, of the groups, of things against background.

    Args:
        p: (N, 18, H, W) probabilities.
        truth: (N, H, W) int64, places in `NAMES`.
    """
    things = (p[:, 0] < 0.5).long().numpy()
    return {
        "classes": mean_iou_of(p.argmax(1).numpy(), truth, len(NAMES)),
        "groups": mean_iou_of(grouped(p).argmax(1).numpy(), GROUP_OF[truth], len(GROUPS)),
        "things": mean_iou_of(things, (truth > 0).astype(np.int64), 2),
    }
