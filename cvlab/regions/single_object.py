"""Pictures of one thing, and networks that say where it is: four numbers from a frozen network's map."""

import functools
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from cvlab._validate import arguments, positive_int
from cvlab.regions.geometry import box_iou, checked_boxes
from cvlab.regions.keypoints import extreme_points
from cvlab.transfer_learning.backbone import folded, prepare
from cvlab.world.scenes import make_scenes

__all__ = [
    "CELL",
    "BoxAndClass",
    "PlaceHead",
    "Things",
    "cells_of",
    "fit",
    "mean_iou",
    "one_thing",
    "to_box",
    "upright",
]

CELL = 16  # pixels a side
SIZE = 192
SPLITS = {"train": (200, "train", 0), "seen": (80, "train", 5), "unseen": (80, "test", 1)}


@dataclass(frozen=True)
class Things:
    """N pictures of one thing each, as a frozen network sees them, and the truth.

    Attributes:
        cells: (N, 12, 12, 112) float32, what EfficientNet-Lite0's block 4 says at each place, 16 x 16 pixels a place.
        boxes: (N, 4) float32 x0, y0, x1, y1 in pixels.
        points: (N, 4, 2) float32 x, y in pixels: the left-, top-, right- and bottommost point.
        labels: (N,) int64.
    """

    cells: torch.Tensor
    boxes: torch.Tensor
    points: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Things({len(self)} pictures, cells {tuple(self.cells.shape[1:])})"


@torch.no_grad()  # inference tensors could not be trained on
def _raw_cells(images: np.ndarray) -> torch.Tensor:
    net, parts = folded(), []
    for i in range(0, len(images), 3):
        maps = net.blocks[:5](net.bn1(net.conv_stem(prepare(images[i : i + 3]))))  # (3, 112, 12, 12)
        parts.append(maps.permute(0, 2, 3, 1).contiguous())  # (3, 12, 12, 112)
    return torch.cat(parts)


@functools.cache
def _raw() -> dict[str, Things]:
    found = {}
    for name, (count, split, seed) in SPLITS.items():
        scenes = make_scenes(count, split=split, seed=seed, size=SIZE, objects=(1, 1))
        found[name] = Things(
            _raw_cells(np.stack([scene.image for scene in scenes])),
            torch.from_numpy(np.concatenate([scene.boxes for scene in scenes])),
            extreme_points(np.concatenate([scene.masks for scene in scenes])),
            torch.from_numpy(np.concatenate([scene.labels for scene in scenes])),
        )
    return found


@functools.cache
def _mean_and_spread() -> tuple[torch.Tensor, torch.Tensor]:
    cells = _raw()["train"].cells.flatten(0, 2)  # (N * 144, 112)
    return cells.mean(0), cells.std(0)


def _pictures(value, name: str) -> np.ndarray:
    if not isinstance(value, np.ndarray) or value.dtype != np.uint8 or value.shape[1:] != (SIZE, SIZE, 3):
        raise ValueError(
            f"{name} must be (N, {SIZE}, {SIZE}, 3) uint8; got {np.shape(value)} {getattr(value, 'dtype', type(value))}"
        )
    return value


@arguments(images=_pictures)
def cells_of(images: np.ndarray) -> torch.Tensor:
    """Return what the frozen network says at each of 12 x 12 places; each channel with mean 0 and spread 1 in training.

    Args:
        images: (N, 192, 192, 3) uint8 RGB.

    Returns:
        (N, 12, 12, 112) float32.

    Example:
        >>> cells_of(np.zeros((2, 192, 192, 3), np.uint8)).shape  # doctest: +SKIP
        torch.Size([2, 12, 12, 112])
    """
    mean, spread = _mean_and_spread()
    return (_raw_cells(images) - mean) / spread


@functools.cache
def one_thing() -> dict[str, Things]:
    """Return the pictures of one thing, made once a notebook: seven seconds of one core.

    Returns:
        "train" (200), "seen" (80 others in the same drawing styles), "unseen" (80 in a style never trained on).

    Example:
        >>> {name: len(things) for name, things in one_thing().items()}  # doctest: +SKIP
        {'train': 200, 'seen': 80, 'unseen': 80}
    """
    mean, spread = _mean_and_spread()
    return {
        name: Things((things.cells - mean) / spread, things.boxes, things.points, things.labels)
        for name, things in _raw().items()
    }


class PlaceHead(nn.Module):
    """Points from a map: every cell gives a share to each point, and a point is the mean place of its shares.

    Args:
        channels: numbers in a cell.
        points: K, how many.

    The forward pass takes cells (B, H, W, channels) and returns (B, K, 2) x, y in cells of the map.

    Example:
        >>> PlaceHead(8, points=2)(torch.zeros(1, 4, 4, 8)).tolist()  # at first, all in the middle
        [[[2.0, 2.0], [2.0, 2.0]]]

    Source: Levine, Finn, Darrell, Abbeel, End-to-end training of deep visuomotor policies, JMLR 2016 (spatial softmax).
    """

    @arguments(channels=positive_int, points=positive_int)
    def __init__(self, channels: int, points: int = 4):
        super().__init__()
        self.score = nn.Linear(channels, points)
        nn.init.zeros_(self.score.weight)
        self.scale = nn.Parameter(torch.ones(points, 2))
        self.shift = nn.Parameter(torch.zeros(points, 2))

    def forward(self, cells: torch.Tensor) -> torch.Tensor:
        H, W = cells.shape[1:3]
        share = self.score(cells).flatten(1, 2).softmax(1)  # (B, HW, K)
        y, x = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
        place = torch.stack([x, y], dim=2).flatten(0, 1) + 0.5  # (HW, 2)
        mean = torch.einsum("bpk,pc->bkc", share, place)  # (B, K, 2)
        return mean * self.scale + self.shift


def to_box(points: torch.Tensor) -> torch.Tensor:
    """Make boxes of the four outermost points: x of the left and right one, y of the top and bottom one.

    Args:
        points: (B, 4, 2) x, y of the left-, top-, right- and bottommost point.

    Returns:
        (B, 4) x0, y0, x1, y1.

    Example:
        >>> to_box(torch.tensor([[[1.0, 5], [4, 2], [9, 6], [3, 8]]]))
        tensor([[1., 2., 9., 8.]])
    """
    return torch.stack([points[:, 0, 0], points[:, 1, 1], points[:, 2, 0], points[:, 3, 1]], dim=1)


class BoxAndClass(nn.Module):
    """Two answers from one trunk: what is strongest anywhere says the class, mean places say the box.

    Args:
        channels: numbers in a cell.
        classes: how many.
        width: numbers in a cell that both answers share.

    The forward pass takes cells (B, H, W, channels) and returns logits (B, classes) and boxes (B, 4) in cells.

    Example:
        >>> logits, boxes = BoxAndClass(8, classes=3)(torch.zeros(2, 4, 4, 8))
        >>> logits.shape, boxes[0].tolist()
        (torch.Size([2, 3]), [2.0, 2.0, 2.0, 2.0])
    """

    @arguments(channels=positive_int, classes=positive_int, width=positive_int)
    def __init__(self, channels: int, classes: int, width: int = 32):
        super().__init__()
        self.trunk = nn.Linear(channels, width)
        self.word = nn.Linear(width, classes)
        self.place = PlaceHead(width, points=4)

    def forward(self, cells: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        shared = self.trunk(cells).relu()  # (B, H, W, width)
        logits = self.word(shared.amax((1, 2)))  # (B, classes)
        return logits, to_box(self.place(shared))


def upright(boxes: torch.Tensor) -> torch.Tensor:
    """Turn boxes right that are inside out: nothing forbids a network a left edge beyond the right one.

    Args:
        boxes: (N, 4) in any order of the two x and of the two y.

    Returns:
        (N, 4) x0, y0, x1, y1 with x0 <= x1 and y0 <= y1.

    Example:
        >>> upright(torch.tensor([[5.0, 1, 2, 3]]))
        tensor([[2., 1., 5., 3.]])
    """
    low, high = torch.minimum(boxes[:, :2], boxes[:, 2:]), torch.maximum(boxes[:, :2], boxes[:, 2:])
    return torch.cat([low, high], dim=1)


def _boxes(value, name: str) -> torch.Tensor:
    return checked_boxes(value, name)


@arguments(truth=_boxes)
def mean_iou(found: torch.Tensor, truth: torch.Tensor) -> float:
    """Mean overlap of each found box with its own true one; one that is inside out is turned right first.

    Args:
        found: (N, 4) x0, y0, x1, y1 in pixels.
        truth: likewise.

    Example:
        >>> mean_iou(torch.tensor([[2.0, 0, 0, 2]]), torch.tensor([[0.0, 0, 2, 4]]))
        0.5
    """
    return box_iou(upright(found), truth).diagonal().mean().item()


def fit(net: nn.Module, loss, count: int, *, steps: int = 150, lr: float = 0.05, seed: int = 0) -> nn.Module:
    """Train by AdamW on batches of 32, the step growing first, then shrinking.

    Args:
        net: what is trained, in place.
        loss: called with the numbers of some pictures, (32,); returns one number to go downhill on.
        count: how many pictures there are.
        steps: how often.
        lr: the largest step.
        seed: of the batches.

    Returns:
        `net`, in evaluation mode.

    Raises:
        ValueError: the loss is not finite.
    """
    dice = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(net.parameters(), lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    for _ in range(steps):
        value = loss(torch.randperm(count, generator=dice)[:32])
        if not value.isfinite():
            raise ValueError(f"the loss must be finite; got {value.item()}. A smaller lr than {lr}?")
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
    return net.eval()
