"""Fast R-CNN on frozen features: one map of the whole scene, a grid cut from it for each region, two small layers."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import roi_align as cut_align

from cvlab.regions.rcnn import move_edges, region_targets
from cvlab.regions.suppression import answers_of
from cvlab.segmentation.topdown import maps_of
from cvlab.world.scenes import Scene

__all__ = [
    "SCALE",
    "FastHead",
    "cut_grids",
    "detect",
    "fast_loss",
    "fit",
    "map_of",
    "train_head",
]

SCALE = 1 / 16  # cells of the map a pixel of the scene


def map_of(scenes: Sequence[Scene]) -> torch.Tensor:
    """Return the frozen network's map of stride 16, one pass a scene: (B, 112, 12, 12) float32 for scenes of 192 pixels.

    Example:
        >>> from cvlab.world.scenes import make_scenes
        >>> map_of(make_scenes(1, size=192)).shape
        torch.Size([1, 112, 12, 12])
    """
    images = np.stack([scene.image for scene in scenes])
    return maps_of(images, side=images.shape[1])[2].float()


class FastHead(nn.Module):
    """From grids (N, 112, size, size) to class scores (N, classes), 0 is background, and edge shares (N, 4).

    Args:
        classes: background among them.
        size: cells a side of a grid.
        width: numbers between the two layers.

    Example:
        >>> [tuple(answer.shape) for answer in FastHead(18)(torch.zeros(3, 112, 5, 5))]
        [(3, 18), (3, 4)]

    Source: R. Girshick, Fast R-CNN, ICCV 2015.
    """

    def __init__(self, classes: int = 18, size: int = 5, width: int = 128):
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(112),
            nn.Flatten(),
            nn.Linear(112 * size * size, width),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(width, width),
            nn.ReLU(),
        )
        self.classes = nn.Linear(width, classes)
        self.edges = nn.Linear(width, 4)

    def forward(self, grids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.body(grids)  # (N, width)
        return self.classes(x), self.edges(x)


def fast_loss(scores: torch.Tensor, moves: torch.Tensor, labels: torch.Tensor, shares: torch.Tensor):
    """Return cross-entropy over all regions, plus Huber over the edges of those that hold an object.

    Example:
        >>> fast_loss(torch.zeros(2, 18), torch.zeros(2, 4), torch.tensor([0, 0]), torch.zeros(2, 4)).item()
        2.890371799468994
    """
    found = labels > 0
    edges = F.smooth_l1_loss(5 * moves[found], 5 * shares[found], reduction="sum", beta=0.5)
    mean = edges / (4 * max(int(found.sum()), 1))
    return F.cross_entropy(scores, labels) + mean


def train_head(grids, labels, shares, *, size: int = 5, epochs: int = 12, seed: int = 0) -> FastHead:
    """Train a head on grids that were cut once, 128 at a time, with AdamW and one cycle of the rate.

    Args:
        grids: (N, 112, size, size) cut from maps.
        labels: (N,) 0 for background and k + 1 for class k.
        shares: (N, 4), how the edges should move.
        size: cells a side of a grid.
        epochs: how often each grid is seen, on average.
        seed: of weights and order.

    Returns:
        The head, in eval mode.
    """
    torch.manual_seed(seed)
    head, steps = FastHead(size=size), epochs * len(grids) // 128 + 1
    step = torch.optim.AdamW(head.parameters(), lr=1e-3, weight_decay=0.05)
    rate = torch.optim.lr_scheduler.OneCycleLR(step, 3e-3, steps)
    for _ in range(steps):
        some = torch.randint(len(grids), (128,))
        loss = fast_loss(*head(grids[some]), labels[some], shares[some])
        step.zero_grad()
        loss.backward()
        step.step()
        rate.step()
    return head.eval()


@torch.no_grad()
def detect(
    head: FastHead, maps: torch.Tensor, regions: Sequence[torch.Tensor], *, cut=cut_align, least: float = 0.05
) -> list[dict]:
    """Return what a head finds in scenes: each region named, moved, and thinned out class by class.

    Args:
        head: as `train_head` gives it.
        maps: (B, 112, H, W) of the scenes, as `map_of` gives them.
        regions: for each scene (N, 4) boxes in pixels.
        cut: torchvision's `roi_align` (aligned, two samples a side) or `roi_pool`.
        least: scores up to this are dropped.

    Returns:
        One dict a scene: "boxes" (n, 4), "scores" (n,), "labels" (n,) from 0, the best first, at most 50.
    """
    side = round((head.body[2].in_features // maps.shape[1]) ** 0.5)
    found, limit = [], maps.shape[-1] / SCALE
    for one, boxes in zip(maps, regions, strict=True):
        scores, shares = head(cut_grids(one[None], [boxes], size=side, cut=cut))
        scores = scores.softmax(1)[:, 1:]  # (N, 17), without background
        moved = move_edges(boxes, shares).clamp(0, limit)
        found.append(answers_of(moved, scores, scores > least, 0.5, most=50))
    return found


def cut_grids(
    maps: torch.Tensor, regions: list[torch.Tensor], *, size: int = 5, cut=cut_align
) -> torch.Tensor:
    """Cut all regions of all scenes from their maps: (sum of N, C, size, size), scene by scene.

    Args:
        maps: (B, C, H, W) of stride 16.
        regions: for each scene (N, 4) boxes in pixels.
        size: cells a side of a grid.
        cut: torchvision's `roi_align` (aligned, two samples a side) or `roi_pool`.

    Example:
        >>> cut_grids(torch.zeros(2, 112, 12, 12), [torch.zeros(3, 4), torch.zeros(0, 4)]).shape
        torch.Size([3, 112, 5, 5])
    """
    more = {"sampling_ratio": 2, "aligned": True} if cut is cut_align else {}
    return cut(maps, regions, size, spatial_scale=SCALE, **more)


def fit(
    scenes: Sequence[Scene],
    maps: torch.Tensor,
    regions: Sequence[torch.Tensor],
    *,
    cut=cut_align,
    seed: int = 0,
) -> FastHead:
    """Train Fast R-CNN's head on scenes whose maps are there.

    Args:
        scenes: to learn from.
        maps: (B, 112, H, W), as `map_of` gives them.
        regions: for each scene (N, 4) boxes in pixels, as `cvlab.regions.rcnn.sample_regions` draws them.
        cut: torchvision's `roi_align` (aligned, two samples a side) or `roi_pool`.
        seed: of the weights and the order.

    Returns:
        The head, in eval mode.
    """
    targets = [region_targets(boxes, scene) for boxes, scene in zip(regions, scenes, strict=True)]
    labels, shares = (torch.cat(part) for part in zip(*targets, strict=True))
    grids, told = cut_grids(maps, list(regions), cut=cut), labels >= 0
    return train_head(grids[told], labels[told], shares[told], seed=seed)
