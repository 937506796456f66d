"""A detector in one look, without anchors: every cell says which class stands there and how far the four edges are."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import generalized_box_iou_loss

from cvlab._validate import arguments, positive_int
from cvlab.detection.pyramid import STRIDES, Pyramid, places
from cvlab.regions.geometry import box_iou, checked_boxes
from cvlab.regions.suppression import batched_nms
from cvlab.segmentation.topdown import enlarged, four_levels, headless

__all__ = ["Detector", "Head", "OneStage", "answers", "boxes_at", "detect", "loss_of", "targets"]


class Head(nn.Module):
    """What looks at one level of the pyramid: two layers, then the class and the four edges of every cell.

    Args:
        classes: how many.
        width: channels of the level.
        stride: pixels from cell to cell; at first every edge lies about three of them away.

    Example:
        >>> [tuple(part.shape) for part in Head(17, 96, 8)(torch.zeros(1, 96, 24, 24))]
        [(1, 576, 17), (1, 576, 4)]
    """

    @arguments(classes=positive_int, width=positive_int, stride=positive_int)
    def __init__(self, classes: int, width: int, stride: int):
        super().__init__()
        layers, self.stride = [], stride
        for _ in range(2):
            layers += [
                nn.Conv2d(width, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
        self.tower = nn.Sequential(*layers)
        self.classes = nn.Conv2d(width, classes, 3, padding=1)
        self.edges = nn.Conv2d(width, 4, 3, padding=1)
        nn.init.constant_(self.classes.bias, -4.0)  # "nothing"

    def forward(self, level: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.tower(level)
        far = (self.edges(x) / 2).clamp(max=4).exp() * 3 * self.stride
        logits, edges = self.classes(x), far  # (B, 17, h, w), (B, 4, h, w)
        return logits.flatten(2).mT, edges.flatten(2).mT


class OneStage(nn.Module):
    """All that learns on frozen maps: a pyramid, and one head for each level that answers.

    Args:
        classes: how many.
        width: channels inside.
        strides: the levels that answer, some of 8, 16 and 32.
        top_down: as `Pyramid` has it.

    Example:
        >>> maps = [torch.zeros(1, c, s, s) for c, s in zip((40, 112, 320), (8, 4, 2))]
        >>> [tuple(part.shape) for part in OneStage(strides=(8, 16))(maps)]
        [(1, 80, 17), (1, 80, 4)]
    """

    def __init__(
        self, classes: int = 17, width: int = 96, strides: tuple[int, ...] = (8,), top_down: bool = True
    ):
        super().__init__()
        self.strides = strides
        self.pyramid = Pyramid(width, top_down)
        self.heads = nn.ModuleList(Head(classes, width, stride) for stride in strides)
        self.to(memory_format=torch.channels_last)

    def forward(self, maps: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        levels = dict(zip(STRIDES, self.pyramid(maps), strict=True))
        parts = [head(levels[head.stride]) for head in self.heads]
        logits, edges = zip(*parts, strict=True)
        return torch.cat(logits, 1), torch.cat(edges, 1)  # (B, P, 17), (B, P, 4)


def boxes_at(cells: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
    """Return the boxes that cells mean.

    Args:
        cells: (P, 3) x, y, stride, as `places` gives them.
        edges: (..., P, 4) pixels to the left, upper, right and lower edge.

    Returns:
        (..., P, 4) x0, y0, x1, y1 in pixels.

    Example:
        >>> boxes_at(torch.tensor([[12.0, 20.0, 8.0]]), torch.tensor([[2.0, 4.0, 6.0, 8.0]]))
        tensor([[10., 16., 18., 28.]])
    """
    middle = cells[:, :2]  # (P, 2)
    return torch.cat([middle - edges[..., :2], middle + edges[..., 2:]], -1)


def _one_label_each(boxes, labels, cells, radius) -> None:
    if not isinstance(labels, torch.Tensor) or labels.dtype != torch.int64:
        got = labels.dtype if isinstance(labels, torch.Tensor) else type(labels).__name__
        raise TypeError(f"labels must be an int64 tensor; got {got}. torch.from_numpy(scene.labels)?")
    if labels.shape != (len(boxes),):
        raise ValueError(f"labels must be one a box, ({len(boxes)},); got {tuple(labels.shape)}")
    if len(labels) and labels.min() < 0:
        raise ValueError(f"labels must be 0 or more, places in class_names; got {labels.min().item()}")


@arguments(_one_label_each, boxes=checked_boxes)
def targets(
    boxes: torch.Tensor, labels: torch.Tensor, cells: torch.Tensor, radius: float = 1.5
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what every cell is to answer for one picture.

    Args:
        boxes: (N, 4) float x0, y0, x1, y1 in pixels, sound; N may be 0.
        labels: (N,) int64.
        cells: (P, 3) x, y, stride. Each stride takes boxes whose longer side is 3 to 6 times it, the finest and the
            coarsest also those beyond.
        radius: how far, in strides, a cell may be from the middle of its box.

    Returns:
        (P,) int64, the class or -1 for none, and (P, 4), the box; of two that fit the smaller one.

    Example:
        >>> wanted, box = targets(torch.tensor([[0.0, 0, 40, 40]]), torch.tensor([7]), places(64, (8,)))
        >>> (wanted == 7).sum().item(), box[0].tolist()
        (9, [0.0, 0.0, 40.0, 40.0])

    Source: Tian, Shen, Chen, He, FCOS: Fully Convolutional One-Stage Object Detection, ICCV 2019.
    """
    if not len(boxes):
        return torch.full((len(cells),), -1), torch.zeros(len(cells), 4)
    x, y, stride = cells.T[..., None]  # (P, 1) each
    first, last = boxes[:, :2], boxes[:, 2:]  # (N, 2) each
    sides = [x - first[:, 0], y - first[:, 1], last[:, 0] - x, last[:, 1] - y]
    far = (cells[:, None, :2] - (first + last) / 2).abs().amax(-1)  # (P, N)
    longer = (last - first).amax(-1)
    fits = (torch.stack(sides).amin(0) > 0) & (far < radius * stride)
    fits &= (longer > 3 * stride) | (stride == stride.min())
    fits &= (longer <= 6 * stride) | (stride == stride.max())
    area = (last - first).prod(-1).expand_as(far)
    smallest, which = area.where(fits, torch.inf).min(1)  # (P,) each
    return labels[which].where(smallest < torch.inf, -1), boxes[which]


def _answers_and_truth(logits, edges, cells, wanted, truth) -> None:
    places, shape = len(cells), tuple(logits.shape)
    if logits.ndim != 3 or shape[1] != places or edges.shape != (*shape[:2], 4):
        raise ValueError(
            f"logits and edges must be (B, {places}, classes) and (B, {places}, 4), one row a cell; "
            f"got {shape} and {tuple(edges.shape)}"
        )
    if wanted.shape != shape[:2] or truth.shape != edges.shape:
        raise ValueError(
            f"wanted and truth must be {shape[:2]} and {tuple(edges.shape)}; "
            f"got {tuple(wanted.shape)} and {tuple(truth.shape)}. torch.stack the targets of the pictures"
        )
    if wanted.max() >= shape[2]:
        slip = ". Counted from 1?" if wanted.max() == shape[2] else ""
        raise ValueError(
            f"wanted must be a class, 0 to {shape[2] - 1}, or -1; got {wanted.max().item()}{slip}"
        )


@arguments(_answers_and_truth)
def loss_of(
    logits: torch.Tensor, edges: torch.Tensor, cells: torch.Tensor, wanted: torch.Tensor, truth: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss of the classes and of the boxes, each a sum over all cells, divided by the cells with an object.

    Args:
        logits: (B, P, classes).
        edges: (B, P, 4) pixels from each cell.
        cells: (P, 3).
        wanted: (B, P) int64, the class or -1; see `targets`.
        truth: (B, P, 4) boxes; where `wanted` is -1 they don't count.

    Returns:
        Two tensors of one float: focal loss whose target is the IoU of the cell's box; GIoU loss. Finite, also when no
        picture holds an object.

    Source: Li et al., Generalized Focal Loss, NeurIPS 2020; Rezatofighi et al., Generalized IoU, CVPR 2019.
    """
    taken = wanted >= 0  # (B, P)
    found, truth = boxes_at(cells, edges)[taken], truth[taken]  # (M, 4)
    target = torch.zeros_like(logits)
    iou = box_iou(found, truth).diagonal().detach()  # (M,)
    target[taken, wanted[taken]] = iou
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    focal = (target - logits.sigmoid()) ** 2 * bce  # (B, P, 17)
    giou = generalized_box_iou_loss(found, truth)  # (M,)
    count = taken.sum().clamp(min=1)
    return focal.sum() / count, giou.sum() / count


@torch.inference_mode()
def answers(
    logits: torch.Tensor,
    edges: torch.Tensor,
    cells: torch.Tensor,
    side: int = 192,
    threshold: float = 0.02,
    overlap: float = 0.55,
) -> list[dict]:
    """Turn what every cell says into answers.

    Args:
        logits: (B, P, classes).
        edges: (B, P, 4).
        cells: (P, 3).
        side: of the picture; boxes are cut to it.
        threshold: of the score.
        overlap: of two boxes of one class, above which the worse one goes.

    Returns:
        One dict a picture, at most 50 boxes, best first: "boxes" (n, 4), "scores" (n,), "labels" (n,).

    Example:
        >>> found = answers(torch.full((1, 4, 17), -9.0), torch.ones(1, 4, 4), places(64, (32,)), 64)
        >>> found[0]["boxes"].shape
        torch.Size([0, 4])
    """
    found = []
    corners = boxes_at(cells, edges).clamp(0, side)
    for scores, boxes in zip(logits.sigmoid(), corners, strict=True):
        best, place = scores.flatten().topk(min(150, scores.numel()))
        best, place = best[best > threshold], place[best > threshold]
        box, label = boxes[place // scores.shape[1]], place % scores.shape[1]
        kept = batched_nms(box, best, label, overlap)[:50]
        found.append({"boxes": box[kept], "scores": best[kept], "labels": label[kept]})
    return found


class Detector(nn.Module):
    """The whole: from pictures to boxes (B, P, 4) in pixels and scores (B, P, classes), before NMS.

    Args:
        classes: how many.
        side: of the pictures, (B, 3, side, side), a multiple of 32; `value / 127.5 - 1`.

    Example:
        >>> [tuple(part.shape) for part in Detector(side=64).eval()(torch.zeros(1, 3, 64, 64))]
        [(1, 64, 4), (1, 64, 17)]
    """

    def __init__(self, classes: int = 17, side: int = 192):
        super().__init__()
        self.encoder = headless()
        self.head = OneStage(classes)
        self.side = side
        self.register_buffer("cells", places(side, self.head.strides), persistent=False)
        self.to(memory_format=torch.channels_last)

    def raw(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits and edges, as `OneStage` does, for the loss and for `answers`."""
        return self.head(four_levels(self.encoder, x)[1:])

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits, edges = self.raw(x)
        return boxes_at(self.cells, edges), logits.sigmoid()


@torch.inference_mode()
def detect(net: Detector, images: np.ndarray, *, batch: int = 8) -> list[dict]:
    """Return the answers of a detector, torchvision's dict for each picture.

    Args:
        net: its `side` is that of the pictures; put into evaluation.
        images: (N, side, side, 3) uint8 RGB.
        batch: pictures at a time.
    """
    if images.shape[1:] != (net.side, net.side, 3):
        raise ValueError(
            f"images must have shape (N, {net.side}, {net.side}, 3); got {images.shape}. "
            "Resize them with letterbox, and move the boxes back"
        )
    net.eval()
    found = []
    for i in range(0, len(images), batch):
        x = enlarged(images[i : i + batch], net.side)
        found += answers(*net.raw(x), net.cells, net.side)
    return found
