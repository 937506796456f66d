"""R-CNN: every proposal is warped to one size, shown to the frozen network, named, and its four edges are moved."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from cvlab import _validate
from cvlab.regions.crops import CropClassifier, crop_features, sample_crops, train_classifier
from cvlab.regions.geometry import box_iou, checked_boxes
from cvlab.regions.proposals import selective_search
from cvlab.regions.suppression import answers_of
from cvlab.world.scenes import Scene

__all__ = [
    "RCNN",
    "edge_shares",
    "move_edges",
    "region_targets",
    "ridge",
    "sample_regions",
    "train_rcnn",
    "training_regions",
    "widen",
]

LEAST = 0.02  # of a score that is worth a detection
_known: dict[int, torch.Tensor] = {}  # proposals, by the hash of the picture's bytes


def _pairs(boxes, truth) -> None:
    if boxes.shape != truth.shape:
        raise ValueError(
            f"truth must have one box for each of boxes, {tuple(boxes.shape)}; got {tuple(truth.shape)}"
        )
    empty = (boxes[:, 2:] <= boxes[:, :2]).any(dim=1).nonzero()
    if len(empty):
        i = int(empty[0])
        raise ValueError(f"boxes must not be empty; got boxes[{i}] = {boxes[i].tolist()}")


@_validate.arguments(_pairs, boxes=checked_boxes, truth=checked_boxes)
def edge_shares(boxes: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Say how far each edge of a box must move to be the truth's, as a share of the box's width or height.

    Args:
        boxes: (N, 4) floats x0, y0, x1, y1 in pixels, none empty.
        truth: (N, 4), the box that each should be.

    Returns:
        (N, 4): left, top, right and bottom edge; positive is to the right, or down.

    Raises:
        TypeError, ValueError: boxes inside out or not finite, an empty one, another number of truths.

    Example:
        >>> edge_shares(torch.tensor([[10.0, 10, 30, 50]]), torch.tensor([[12.0, 10, 30, 60]]))
        tensor([[0.1000, 0.0000, 0.0000, 0.2500]])
    """
    sizes = boxes[:, 2:] - boxes[:, :2]  # (N, 2) width, height
    return (truth - boxes) / sizes.repeat(1, 2)


@_validate.arguments(boxes=checked_boxes)
def move_edges(boxes: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """Move each edge by its share of the box's width or height: the way back from `edge_shares`.

    Args:
        boxes: (N, 4) floats x0, y0, x1, y1 in pixels.
        shares: (N, 4), as `edge_shares` gives them; an edge that would cross the opposite one makes the box empty.

    Returns:
        (N, 4) boxes.

    Example:
        >>> move_edges(torch.tensor([[10.0, 10, 30, 50]]), torch.tensor([[0.1, 0, 0, 0.25]]))
        tensor([[12., 10., 30., 60.]])
    """
    sizes = boxes[:, 2:] - boxes[:, :2]  # (N, 2) width, height
    moved = boxes + shares * sizes.repeat(1, 2)
    return torch.cat([moved[:, :2], moved[:, 2:].maximum(moved[:, :2])], dim=1)


@_validate.arguments(boxes=checked_boxes)
def widen(boxes: torch.Tensor, share: float) -> torch.Tensor:
    """Add context: each edge goes outwards by a share of the width or height, beyond the picture where it must.

    Example:
        >>> widen(torch.tensor([[10.0, 10, 30, 50]]), 0.1)
        tensor([[ 8.,  6., 32., 54.]])
    """
    return move_edges(boxes, torch.tensor([-share, -share, share, share], dtype=boxes.dtype))


def region_targets(boxes: torch.Tensor, scene: Scene) -> tuple[torch.Tensor, torch.Tensor]:
    """Say what each box of a scene should be called, and how its edges should move.

    Args:
        boxes: (N, 4) float32, none empty.
        scene: its truth.

    Returns:
        labels (N,) int64: class k is k + 1 from an overlap of 0.5, 0 is background, below 0.3 with every object, -1 is
        what lies between; shares (N, 4) to the object that each overlaps most, 0 in a scene without objects.

    Example:
        >>> from cvlab.world.scenes import make_scene
        >>> scene = make_scene(0, size=192)
        >>> labels, shares = region_targets(torch.from_numpy(scene.boxes), scene)
        >>> (labels - 1).tolist() == scene.labels.tolist(), shares.abs().max()
        (True, tensor(0.))
    """
    truth = torch.from_numpy(scene.boxes)  # (K, 4)
    if not len(truth):
        return torch.zeros(len(boxes), dtype=torch.int64), torch.zeros(len(boxes), 4)
    overlap, which = box_iou(boxes, truth).max(dim=1)  # (N,)
    labels = torch.where(overlap >= 0.5, torch.from_numpy(scene.labels)[which] + 1, 0)
    labels[(overlap >= 0.3) & (overlap < 0.5)] = -1
    return labels, edge_shares(boxes, truth[which])


def _proposals(image: np.ndarray) -> torch.Tensor:
    """Search a picture once, though two sections learn from it; what is kept is its boxes alone."""
    key = hash(image.tobytes())
    if key not in _known:
        _known[key] = selective_search(image)
    return _known[key]


def sample_regions(scene: Scene, seed: int = 0, most: int = 6) -> torch.Tensor:
    """Return boxes of one scene to learn from: its objects', some moved a little, and proposals.

    Args:
        scene: a painted one.
        seed: of what is drawn.
        most: proposals that show an object, and as many that show none.

    Returns:
        (N, 4) float32; by `region_targets` none of them is -1.
    """
    near, _ = sample_crops(scene, seed, far=0)
    proposals = _proposals(scene.image)
    labels, _ = region_targets(proposals, scene)
    mixed = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    chosen = [mixed[labels[mixed] > 0][:most], mixed[labels[mixed] == 0][:most]]
    return torch.cat([near, proposals[torch.cat(chosen)]])


def training_regions(
    scenes: Sequence[Scene], seed: int = 0, context: float = 0.0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return what the frozen network says of regions of many scenes, their labels, and how their edges should move.

    Args:
        scenes: painted ones, not those that judge.
        seed: of what is drawn from each.
        context: share by which each region is widened before it is cut out.

    Returns:
        features (N, D), labels (N,) and shares (N, 4), as `train_rcnn` wants them.
    """
    parts = []
    for i, scene in enumerate(scenes):
        boxes = sample_regions(scene, seed * len(scenes) + i)
        parts.append((crop_features(scene.image, widen(boxes, context)), *region_targets(boxes, scene)))
    features, labels, shares = zip(*parts, strict=True)
    return torch.cat(features), torch.cat(labels), torch.cat(shares)


def ridge(x: torch.Tensor, y: torch.Tensor, penalty: float = 1000.0) -> torch.Tensor:
    """Return the weights of the least squares from x to y, held back by the sum of their own squares.

    Args:
        x: (N, D) floats.
        y: (N, M).
        penalty: times the squared weights; above 0.

    Returns:
        (D, M) weights: x @ weights is near y.

    Example:
        >>> ridge(torch.eye(2), torch.tensor([[2.0], [4.0]]), penalty=1.0)
        tensor([[1.],
                [2.]])

    Source: Hoerl and Kennard, "Ridge Regression: Biased Estimation for Nonorthogonal Problems", Technometrics 1970.
    """
    return torch.linalg.solve(x.T @ x + penalty * torch.eye(x.shape[1]), x.T @ y)


class RCNN(nn.Module):
    """A classifier of regions, and a linear layer that moves their edges; it looks at what `crop_features` gives.

    Args:
        classifier: 1 + K scores a region, background first.
        weights: (D, 4) from the classifier's standardised features to shares, as `edge_shares` gives them,
        offset: (4,) which is added.
        context: share by which regions are widened before they are cut out.
    """

    def __init__(
        self, classifier: CropClassifier, weights: torch.Tensor, offset: torch.Tensor, context: float = 0.0
    ):
        super().__init__()
        self.classifier, self.context = classifier, context
        self.register_buffer("weights", weights)
        self.register_buffer("offset", offset)

    def shares(self, features: torch.Tensor) -> torch.Tensor:
        """Guess from features (N, D) how the edges should move: (N, 4)."""
        standard = (features - self.classifier.mean) / self.classifier.spread
        return standard @ self.weights + self.offset

    def features(self, image, boxes: torch.Tensor) -> torch.Tensor:
        """Look at every region of a picture: (N, D)."""
        return crop_features(image, widen(boxes, self.context))

    def answer(
        self, features: torch.Tensor, boxes: torch.Tensor, size: tuple[int, int], *, refine: bool = True
    ) -> dict[str, torch.Tensor]:
        """Turn regions that were looked at into detections: name, move, and in each class keep the best of those that overlap.

        Args:
            features: (N, D), of the boxes.
            boxes: (N, 4) float32 proposals; N may be 0.
            size: height and width of the picture; boxes end at its edges.
            refine: move the edges.

        Returns:
            {"boxes": (n, 4), "scores": (n,), "labels": (n,) from 0}, best first; a region may be there as several classes.
        """
        probabilities = self.classifier(features)[:, 1:]  # (N, K)
        if refine:
            height, width = size
            limits = torch.tensor([width, height] * 2)
            boxes = move_edges(boxes, self.shares(features)).clamp(min=0).minimum(limits)
        return answers_of(boxes, probabilities, probabilities >= LEAST, 0.3)

    def detect(self, image, most: int = 100, *, refine: bool = True) -> dict[str, torch.Tensor]:
        """Find the objects of one picture: propose, look at each region, answer.

        Args:
            image: (H, W, 3) uint8 RGB.
            most: proposals that are looked at, the first of `selective_search`.
            refine: move the edges.

        Returns:
            As `answer`.
        """
        boxes = selective_search(image)[:most]
        return self.answer(self.features(image, boxes), boxes, image.shape[:2], refine=refine)


def _one_each(features, labels, shares, **_) -> None:
    if labels.shape != features.shape[:1] or shares.shape != (len(features), 4):
        raise ValueError(
            f"labels must be (N,) and shares (N, 4) for features (N, D) = {tuple(features.shape)}; got "
            f"{tuple(labels.shape)} and {tuple(shares.shape)}"
        )
    if not (labels > 0).any():
        raise ValueError("labels must hold an object, 1 or more; got only background")


@_validate.arguments(_one_each)
def train_rcnn(
    features: torch.Tensor, labels: torch.Tensor, shares: torch.Tensor, context: float = 0.0
) -> RCNN:
    """Fit the classifier to all regions, and the edges' shares to those that show an object.

    Args:
        features: (N, D) float32, as `training_regions` gives them.
        labels: (N,) int64, 0 for background, k + 1 for class k.
        shares: (N, 4), how the edges should move.
        context: with which the features were made.

    Raises:
        ValueError: the three do not belong together, or no label is an object's.

    Source: Girshick, Donahue, Darrell, Malik, "Rich Feature Hierarchies for Accurate Object Detection and Semantic
    Segmentation", CVPR 2014: there one SVM and one ridge regression a class; here one for all, and edges for centres.
    """
    classifier = train_classifier(features, labels)
    shown = labels > 0
    standard = (features[shown] - classifier.mean) / classifier.spread
    offset = shares[shown].mean(dim=0)
    return RCNN(classifier, ridge(standard, shares[shown] - offset), offset, context)
