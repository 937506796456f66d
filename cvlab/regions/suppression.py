"""From many boxes to one for each object: non-maximum suppression, its soft kind, and all at once as a matrix."""

import torch

from cvlab import _validate
from cvlab.regions import geometry
from cvlab.regions.geometry import checked_boxes

__all__ = ["answers_of", "batched_nms", "matrix_nms", "nms", "soft_nms"]

box_iou = geometry.box_iou.__wrapped__  # boxes are checked once, where they come in, not in every round


def _number(value, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number; got {type(value).__name__}")
    return float(value)


def _iou(value, name: str) -> float:
    if not 0 <= _number(value, name) <= 1:
        raise ValueError(f"{name} must be an IoU, 0 to 1; got {value}. A percentage? Divide by 100")
    return value


def _threshold(value, name: str) -> torch.Tensor:
    """Return an IoU from 0 to 1 as float64 (1,), so that float32 overlaps are compared in double, as torchvision does."""
    return torch.tensor([_iou(value, name)], dtype=torch.float64)


def _sigma(value, name: str) -> float:
    if not 0 < _number(value, name) < float("inf"):
        raise ValueError(f"{name} must be above 0 and finite; got {value}")
    return value


def _least(value, name: str) -> float:
    if not 0 <= _number(value, name) <= 1:
        raise ValueError(f"{name} must be a score, 0 to 1; got {value}")
    return value


def _scores(value, name: str) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        raise TypeError(
            f"{name} must be a torch tensor; got {type(value).__name__}. torch.as_tensor({name})?"
        )
    if not value.is_floating_point():
        raise TypeError(f"{name} must be floats; got {value.dtype}. {name}.float() makes it so")
    bad = (~((value >= 0) & (value <= 1))).nonzero()  # NaN is neither
    if len(bad):
        place = ", ".join(str(int(i)) for i in bad[0])
        raise ValueError(
            f"{name} must lie in 0 to 1; got {name}[{place}] = {float(value[tuple(bad[0])]):g}. "
            "Logits? Take their sigmoid or softmax first"
        )
    return value


def _one_each(boxes, scores, labels=None, **_) -> None:
    """Raise unless every box has one score, and one whole number as its label where there are labels."""
    if scores.shape != (len(boxes),):
        slip = ". One score for each class? Take the greatest: scores.max(dim=1)" if scores.ndim == 2 else ""
        raise ValueError(
            f"scores must have shape ({len(boxes)},), one a box; got {tuple(scores.shape)}{slip}"
        )
    if labels is None:
        return
    if not isinstance(labels, torch.Tensor) or labels.is_floating_point() or labels.dtype == torch.bool:
        got = labels.dtype if isinstance(labels, torch.Tensor) else type(labels).__name__
        raise TypeError(f"labels must be a tensor of whole numbers; got {got}. labels.long()?")
    if labels.shape != (len(boxes),):
        raise ValueError(f"labels must have shape ({len(boxes)},), one a box; got {tuple(labels.shape)}")


@_validate.arguments(_one_each, boxes=checked_boxes, scores=_scores, threshold=_threshold)
def nms(boxes: torch.Tensor, scores: torch.Tensor, threshold: float = 0.5) -> torch.Tensor:
    """Keep the best box, drop all that overlap it by more than `threshold`, and so on with what is left.

    Args:
        boxes: (N, 4) float32 or float64 as x0, y0, x1, y1; N may be 0.
        scores: (N,) floats in [0, 1].
        threshold: an IoU; a box whose overlap equals it stays.

    Returns:
        (K,) int64, the kept boxes' places, best score first; of equal scores the earlier. The very ones of
        `torchvision.ops.nms`: an empty box overlaps nothing, so it stays.

    Raises:
        TypeError, ValueError: boxes inside out or not finite, scores outside [0, 1] or not one a box.

    Example:
        >>> boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10]])
        >>> nms(boxes, torch.tensor([0.8, 0.9, 0.3]))
        tensor([1, 2])

    Source: Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005, made it a detector's last
    step; greedy by IoU as in Girshick and others, 2014.
    """
    left = scores.argsort(descending=True, stable=True)
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        overlap = box_iou(boxes[best][None], boxes[left])[0]
        left = left[overlap <= threshold]
    return torch.tensor(kept, dtype=torch.int64)


_nms = nms.__wrapped__


@_validate.arguments(_one_each, boxes=checked_boxes, scores=_scores, threshold=_threshold)
def batched_nms(
    boxes: torch.Tensor, scores: torch.Tensor, labels: torch.Tensor, threshold: float = 0.5
) -> torch.Tensor:
    """`nms` for each class apart: a box drops none of another class.

    Args:
        boxes: (N, 4) float32 or float64 as x0, y0, x1, y1.
        scores: (N,) floats in [0, 1].
        labels: (N,) whole numbers, one class a box.
        threshold: an IoU.

    Returns:
        (K,) int64, the kept boxes' places, best score first whatever the class; as `torchvision.ops.batched_nms`.

    Raises:
        TypeError, ValueError: as `nms`; labels that are no whole numbers, or not one a box.

    Example:
        >>> boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10]])
        >>> batched_nms(boxes, torch.tensor([0.8, 0.9]), torch.tensor([4, 7]))
        tensor([1, 0])
    """
    stays = torch.zeros(len(boxes), dtype=torch.bool)
    for label in labels.unique():
        mine = (labels == label).nonzero()[:, 0]
        stays[mine[_nms(boxes[mine], scores[mine], threshold)]] = True
    best_first = scores.argsort(descending=True, stable=True)
    return best_first[stays[best_first]]


def answers_of(
    boxes: torch.Tensor, scores: torch.Tensor, told: torch.Tensor, overlap: float, most: int | None = None
) -> dict[str, torch.Tensor]:
    """Make the list of one picture: each box as every class that is told of it, thinned out class by class.

    Args:
        boxes: (N, 4) as x0, y0, x1, y1.
        scores: (N, K) in [0, 1], one for each class.
        told: (N, K) bool, what is said at all; usually `scores > least`.
        overlap: the IoU above which the worse of two boxes of a class goes.
        most: how many stay; all by default.

    Returns:
        "boxes" (n, 4), "scores" (n,), "labels" (n,) from 0, the best first.

    Example:
        >>> scores = torch.tensor([[0.9, 0.2], [0.8, 0.0]])
        >>> answers_of(torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 8]]), scores, scores > 0.1, 0.5)["labels"]
        tensor([0, 1])
    """
    place, label = told.nonzero(as_tuple=True)
    boxes, scores = boxes[place], scores[place, label]
    kept = batched_nms(boxes, scores, label, overlap)[:most]
    return {"boxes": boxes[kept], "scores": scores[kept], "labels": label[kept]}


@_validate.arguments(_one_each, boxes=checked_boxes, scores=_scores, sigma=_sigma, least=_least)
def soft_nms(
    boxes: torch.Tensor, scores: torch.Tensor, sigma: float = 0.5, least: float = 0.001
) -> tuple[torch.Tensor, torch.Tensor]:
    """Keep the best box, and *lower* the scores of those that overlap it: times exp(-IoU² / sigma).

    Args:
        boxes: (N, 4) float32 or float64 as x0, y0, x1, y1.
        scores: (N,) floats in [0, 1]; they stay as they are.
        sigma: the smaller, the harder.
        least: a box whose score falls under it is dropped.

    Returns:
        (K,) int64, the kept boxes' places in the order they were chosen, and (K,) their new scores, which never rise.

    Raises:
        TypeError, ValueError: as `nms`; a sigma that is not above 0.

    Example:
        >>> boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [20, 0, 30, 10]])
        >>> kept, scores = soft_nms(boxes, torch.tensor([0.8, 0.9, 0.3]))
        >>> kept, scores.round(decimals=2)
        (tensor([1, 2, 0]), tensor([0.9000, 0.3000, 0.1100]))

    Source: Bodla, Singh, Chellappa, Davis, "Soft-NMS: Improving Object Detection With One Line of Code", ICCV 2017.
    """
    scores = scores.clone()
    left = (scores >= least).nonzero()[:, 0]
    kept = []
    while len(left):
        best = left[scores[left].argmax()]
        kept.append(int(best))
        left = left[left != best]
        overlap = box_iou(boxes[best][None], boxes[left])[0]
        scores[left] *= torch.exp(-(overlap**2) / sigma)
        left = left[scores[left] >= least]
    return torch.tensor(kept, dtype=torch.int64), scores[kept]


@_validate.arguments(_one_each, boxes=checked_boxes, scores=_scores, sigma=_sigma)
def matrix_nms(boxes: torch.Tensor, scores: torch.Tensor, sigma: float = 0.5) -> torch.Tensor:
    """Lower all scores at once: by each better box that overlaps, unless that one was itself lowered as much.

    Args:
        boxes: (N, 4) float32 or float64 as x0, y0, x1, y1.
        scores: (N,) floats in [0, 1].
        sigma: as in `soft_nms`.

    Returns:
        (N,) new scores in the boxes' order, none above its old one. No loop: N x N overlaps, and a minimum.

    Raises:
        TypeError, ValueError: as `soft_nms`.

    Example:
        >>> boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [20, 0, 30, 10]])
        >>> matrix_nms(boxes, torch.tensor([0.8, 0.9, 0.3])).round(decimals=2)
        tensor([0.1100, 0.9000, 0.3000])

    Source: Wang, Zhang, Kong, Li, Shen, "SOLOv2: Dynamic and Fast Instance Segmentation", NeurIPS 2020, section 3.3.
    """
    if len(boxes) == 0:
        return scores.clone()
    order = scores.argsort(descending=True, stable=True)
    overlap = box_iou(boxes[order], boxes[order]).triu(1)  # (N, N): row i is better than column j
    worst = overlap.amax(0)  # (N,) what a better box overlaps of i
    factor = torch.exp((worst[:, None] ** 2 - overlap**2) / sigma)  # (N, N)
    lowered = scores.clone()
    lowered[order] *= factor.amin(0)
    return lowered
