"""Regions as pictures: cut out, warped to one size, shown to the frozen network, and named by one linear layer."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from cvlab import _validate
from cvlab.regions.geometry import box_iou, checked_boxes
from cvlab.transfer_learning.backbone import folded, prepare
from cvlab.transfer_learning.linear import linear_probe
from cvlab.world.scenes import Scene

__all__ = [
    "SIDE",
    "WIDTH",
    "CropClassifier",
    "crop_and_warp",
    "crop_features",
    "sample_crops",
    "train_classifier",
    "training_crops",
]

SIDE = 40  # pixels of a warped crop: the least that leaves a map of 3 x 3 after four halvings
WIDTH = 112 * 3 * 3  # numbers that describe a crop


def _picture(value, name: str) -> np.ndarray:
    image = _validate.image(value, name, channels=(3,))
    if image.dtype != np.uint8:
        raise TypeError(f"{name} must be uint8, 0 to 255; got {image.dtype}")
    return image


def _count(value, name: str) -> int:
    return _validate.positive_int(value, name, least=0)


@_validate.arguments(image=_picture, boxes=checked_boxes, side=_validate.positive_int)
def crop_and_warp(image: np.ndarray, boxes: torch.Tensor, side: int = SIDE) -> torch.Tensor:
    """Cut boxes out of a picture and stretch each to a square, ready for EfficientNet-Lite0.

    Args:
        image: (H, W, 3) uint8 RGB.
        boxes: (N, 4) floats x0, y0, x1, y1 in pixels. What lies outside the picture is filled with the mean grey that
            the network reads as 0; an empty box gives one pixel, stretched.
        side: of each crop, in pixels.

    Returns:
        (N, 3, side, side) float32 in [-1, 1], channels last in memory: between pixels by bilinear interpolation.

    Raises:
        TypeError, ValueError: no picture of bytes, boxes inside out or not finite, a side below 1.

    Example:
        >>> image = np.full((10, 10, 3), 255, np.uint8)
        >>> crop_and_warp(image, torch.tensor([[5.0, 0, 15, 10]]), 4)[0, 0, 0]
        tensor([1., 1., 0., 0.])

    Source: Girshick, Donahue, Darrell, Malik, "Rich Feature Hierarchies for Accurate Object Detection and Semantic
    Segmentation", CVPR 2014: R-CNN warps every region to one size, whatever its shape.
    """
    x, boxes = prepare(image[None]), boxes.float()
    steps = (torch.arange(side) + 0.5) / side  # (side,) centres of the crop's pixels, as shares
    places = boxes[:, None, :2] + steps[:, None] * (boxes[:, 2:] - boxes[:, :2])[:, None]  # (N, side, 2)
    places = places * 2 / torch.tensor([x.shape[3], x.shape[2]]) - 1  # -1 and 1: the picture's edges
    columns = places[:, None, :, 0].expand(-1, side, -1)  # (N, side, side)
    rows = places[:, :, None, 1].expand(-1, -1, side)
    grid = torch.stack([columns, rows], dim=3)  # (N, side, side, 2)
    crops = F.grid_sample(x.expand(len(boxes), -1, -1, -1), grid, align_corners=False)
    return crops.contiguous(memory_format=torch.channels_last)


def crop_features(image: np.ndarray, boxes: torch.Tensor, batch: int = 32) -> torch.Tensor:
    """Return what the frozen network says of each crop: its map of stride 16, whose cells still know where they are.

    Args:
        image: (H, W, 3) uint8 RGB.
        boxes: (N, 4) floats x0, y0, x1, y1 in pixels; N may be 0.
        batch: crops at a time.

    Returns:
        (N, 1008) float32: 112 channels of 3 x 3 cells.

    Raises:
        TypeError, ValueError: as `crop_and_warp`.

    Example:
        >>> crop_features(np.zeros((96, 96, 3), np.uint8), torch.tensor([[0.0, 0, 50, 70]])).shape
        torch.Size([1, 1008])
    """
    rows = boxes.split(batch) if len(boxes) else [boxes]
    return torch.cat([_described(crop_and_warp(image, some)) for some in rows])


@torch.no_grad()
def _described(crops: torch.Tensor) -> torch.Tensor:
    """Return what the frozen network says of crops (N, 3, SIDE, SIDE): (N, 1008)."""
    net = folded()
    return net.blocks[:5](net.bn1(net.conv_stem(crops))).flatten(1)


@_validate.arguments(near=_count, far=_count)
def sample_crops(
    scene: Scene, seed: int = 0, near: int = 3, far: int = 6
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return boxes of one scene to learn from, and what each shows.

    Args:
        scene: its truth names the crops.
        seed: of the boxes drawn.
        near: boxes tried around each object, moved and stretched by up to a fifth.
        far: boxes tried anywhere.

    Returns:
        boxes (N, 4) float32, the objects' own first, and labels (N,) int64: class k is k + 1 where the overlap with
        its box is 0.5 or more, 0 is background, below 0.3 with every object. What lies between is left out.

    Example:
        >>> from cvlab.world.scenes import make_scene
        >>> sample_crops(make_scene(0, size=192, objects=(1, 1)))[1]
        tensor([11, 11, 11, 11,  0,  0,  0,  0,  0])
    """
    height, width = scene.image.shape[:2]
    dice = np.random.default_rng(seed)
    truth = np.asarray(scene.boxes, float).reshape(-1, 4)  # (K, 4)
    around = np.repeat(truth, near, axis=0)
    around += dice.uniform(-0.2, 0.2, around.shape) * np.tile(around[:, 2:] - around[:, :2], 2)
    sizes = np.exp(dice.uniform(np.log(0.2), np.log(0.7), (far, 2))) * [width, height]
    corners = dice.uniform(0, 1, (far, 2)) * ([width, height] - sizes)
    anywhere = np.concatenate([corners, corners + sizes], axis=1)
    boxes = torch.tensor(np.concatenate([truth, around, anywhere]), dtype=torch.float32)
    if len(truth) == 0:
        return boxes, torch.zeros(len(boxes), dtype=torch.int64)
    overlap, nearest = box_iou(boxes, torch.tensor(truth, dtype=torch.float32)).max(dim=1)  # (N,)
    labels = torch.where(overlap >= 0.5, torch.from_numpy(scene.labels)[nearest] + 1, 0)
    clear = (overlap >= 0.5) | (overlap < 0.3)
    return boxes[clear], labels[clear]


def training_crops(
    scenes: Sequence[Scene], seed: int = 0, near: int = 3, far: int = 6
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the features (N, 1008) and labels (N,) of all that `sample_crops` draws from scenes.

    Example:
        >>> from cvlab.world.scenes import make_scenes
        >>> features, labels = training_crops(make_scenes(2, size=192))
        >>> features.shape[1], len(features) == len(labels)
        (1008, True)
    """
    crops, labels = [], []
    for i, scene in enumerate(scenes):
        boxes, named = sample_crops(scene, seed * len(scenes) + i, near, far)
        crops.append(crop_and_warp(scene.image, boxes))
        labels.append(named)
    features = [_described(some) for some in torch.cat(crops).split(32)]  # scenes mixed: full batches
    return torch.cat(features), torch.cat(labels)


class CropClassifier(nn.Module):
    """One linear layer that names crops; its scores are a softmax over background and the classes.

    Args:
        layer: from D features to 1 + K logits, background first.
        mean: (D,) is taken from the features,
        spread: (D,) and they are divided by it, before the layer sees them.

    Example:
        >>> CropClassifier(nn.Linear(5, 3), torch.zeros(5), torch.ones(5))(torch.zeros(2, 5)).sum(dim=1).round(decimals=4)
        tensor([1., 1.])
    """

    def __init__(self, layer: nn.Linear, mean: torch.Tensor, spread: torch.Tensor):
        super().__init__()
        self.layer = layer
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)

    @torch.no_grad()
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Turn features (N, D) into probabilities (N, 1 + K), background first."""
        return self.layer((features - self.mean) / self.spread).softmax(dim=1)


def train_classifier(features: torch.Tensor, labels: torch.Tensor, C: float = 0.01) -> CropClassifier:  # noqa: N803
    """Fit the linear layer on crops' features, to the end: the same crops give the same layer.

    Args:
        features: (N, D) float32, as `training_crops` gives them.
        labels: (N,) int64, 0 for background, k + 1 for class k.
        C: how little the weights are held back.

    Raises:
        ValueError: features and labels do not belong together, or there is only one class.

    Example:
        >>> named = train_classifier(torch.eye(4), torch.tensor([0, 0, 1, 1]), C=10)(torch.eye(4))
        >>> named.argmax(dim=1)
        tensor([0, 0, 1, 1])
    """
    mean, spread = features.mean(dim=0), features.std(dim=0) + 1e-3
    return CropClassifier(linear_probe((features - mean) / spread, labels, C), mean, spread)
