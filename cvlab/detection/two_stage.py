"""Faster R-CNN on a frozen map: a small network proposes regions, a second one names and moves them."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import batched_nms, roi_align

from cvlab._validate import arguments
from cvlab.detection.anchors import make_anchors, match_anchors
from cvlab.detection.offsets import decode_boxes, encode_boxes
from cvlab.detection.rpn import RATIOS, SIZES, STRIDE, Rpn, propose, rpn_losses, sampled
from cvlab.regions.geometry import checked_boxes

__all__ = [
    "CLASSES",
    "LOSSES",
    "BoxHead",
    "detect",
    "four_losses",
    "head_targets",
    "train",
]

CLASSES = 17  # objects; a head's answer 0 is the background
LOSSES = ("RPN class", "RPN box", "head class", "head box")


class BoxHead(nn.Module):
    """The second stage: from regions to class scores (N, classes), 0 is background, and offsets (N, 4).

    Args:
        channels: of the map.
        classes: background among them.
        size: cells a side that RoI align cuts.
        width: numbers between the layers.

    Example:
        >>> answers = BoxHead()(torch.zeros(2, 112, 12, 12), [torch.zeros(3, 4), torch.zeros(0, 4)])
        >>> [tuple(answer.shape) for answer in answers]
        [(3, 18), (3, 4)]

    Source: R. Girshick, Fast R-CNN, ICCV 2015.
    """

    def __init__(self, channels: int = 112, classes: int = CLASSES + 1, size: int = 5, width: int = 256):
        super().__init__()
        self.size = size
        self.look = nn.Linear(channels * size * size, width)
        self.name = nn.Linear(width, classes)
        self.offset = nn.Linear(width, 4)

    def forward(
        self, maps: torch.Tensor, regions: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        grids = roi_align(maps, regions, self.size, 1 / STRIDE, sampling_ratio=2, aligned=True)
        x = F.relu(self.look(grids.flatten(1)))  # (N, width)
        x = F.dropout(x, 0.3, self.training)
        return self.name(x), self.offset(x)


def _classes(value, name: str) -> torch.Tensor:
    if not isinstance(value, torch.Tensor) or value.dtype != torch.int64:
        raise TypeError(f"{name} must be a tensor of int64; got {getattr(value, 'dtype', type(value))}")
    bad = ((value < 0) | (value >= CLASSES)).nonzero()
    if len(bad):
        raise ValueError(
            f"{name} must be 0 to {CLASSES - 1}, background not counted; got {name}[{int(bad[0])}] = "
            f"{int(value[bad[0]])}. The head's 0 is the background: it adds the 1 itself"
        )
    return value


def _one_label_a_box(boxes, labels, **_) -> None:
    if labels.shape != (len(boxes),):
        raise ValueError(f"labels must hold one class a box, ({len(boxes)},); got {tuple(labels.shape)}")


@arguments(_one_label_a_box, proposals=checked_boxes, boxes=checked_boxes, labels=_classes)
def head_targets(
    proposals: torch.Tensor, boxes: torch.Tensor, labels: torch.Tensor, n: int = 32, share: float = 0.25
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pick regions of one scene to learn from, and say what the second stage should answer.

    Args:
        proposals: (N, 4) the RPN's; the true boxes are added to them.
        boxes: (M, 4) the truths; M may be 0.
        labels: (M,) int64, 0 to 16.
        n: regions at most.
        share: the most of them that may hold an object.

    Returns:
        (n, 4) regions, those with an object first; (n,) classes, 0 is background; (P, 4) offsets of the first P.

    Example:
        >>> far, box = torch.tensor([[100.0, 100, 150, 150]]), torch.tensor([[10.0, 10, 50, 50]])
        >>> regions, classes, offsets = head_targets(far, box, torch.tensor([4]))
        >>> classes, offsets
        (tensor([5, 0]), tensor([[0., 0., 0., 0.]]))
    """
    regions = torch.cat([proposals, boxes])
    match = match_anchors(regions, boxes, low=0.5, high=0.5)
    positive, negative = sampled(match, n, share)
    both = torch.cat([positive, negative])
    classes = torch.zeros(len(both), dtype=torch.int64)
    classes[: len(positive)] = labels[match[positive]] + 1
    goal = encode_boxes(boxes[match[positive]], regions[positive])
    return regions[both], classes, goal


def four_losses(
    rpn: Rpn,
    head: BoxHead,
    maps: torch.Tensor,
    anchors: torch.Tensor,
    boxes: Sequence[torch.Tensor],
    labels: Sequence[torch.Tensor],
) -> torch.Tensor:
    """Run both stages on a batch of maps, and return the four losses in the order of `LOSSES`: (4,).

    Args:
        rpn: the first stage.
        head: the second.
        maps: (B, C, H, W) of stride 16.
        anchors: (H * W * A, 4).
        boxes: for each scene (M, 4), M may be 0.
        labels: for each scene (M,), 0 to 16.
    """
    scores, offsets = rpn(maps)
    first, picked = [], []
    for k, (b, c) in enumerate(zip(boxes, labels, strict=True)):
        first.append(rpn_losses(scores[k], offsets[k], anchors, b))
        proposals = propose(scores[k], offsets[k], anchors, n=50)
        picked.append(head_targets(proposals, b, c))
    regions, classes, goals = zip(*picked, strict=True)
    named, moved = head(maps, list(regions))
    classes = torch.cat(classes)  # (N,) of all scenes
    name = F.cross_entropy(named, classes)
    far = F.smooth_l1_loss(moved[classes > 0], torch.cat(goals), reduction="sum", beta=1 / 9)
    which, where = (torch.stack(part).mean() for part in zip(*first, strict=True))
    return torch.stack([which, where, name, far / len(classes)])


def train(maps, boxes, labels, *, steps: int = 150, rate: float = 2e-3, batch: int = 16, seed: int = 0):
    """Train both stages together, on maps that are frozen; every second batch is mirrored.

    Args:
        maps: (N, C, H, W) of stride 16, half precision will do.
        boxes: for each scene (M, 4).
        labels: for each scene (M,), 0 to 16.
        steps: how many batches.
        rate: the highest learning rate of one cycle.
        batch: scenes a step.
        seed: of weights, order and samples.

    Returns:
        The RPN and the head in eval mode, and the four losses of each step, (steps, 4).
    """
    torch.manual_seed(seed)
    rpn, head = Rpn(maps.shape[1]), BoxHead(maps.shape[1])
    height, width = maps.shape[2:]
    anchors = make_anchors(height, width, STRIDE, SIZES, RATIOS)
    both = nn.ModuleList([rpn, head])
    step = torch.optim.AdamW(both.parameters(), rate, weight_decay=0.05)
    cycle = torch.optim.lr_scheduler.OneCycleLR(step, rate, steps, pct_start=0.15)
    history = []
    for k in range(steps):
        rows = torch.randint(len(maps), (batch,))
        x, truths = maps[rows].float(), [boxes[i] for i in rows]
        if k % 2:
            x, truths = x.flip(3), [mirrored(b, width * STRIDE) for b in truths]
        losses = four_losses(rpn, head, x, anchors, truths, [labels[i] for i in rows])
        step.zero_grad()
        losses.sum().backward()
        step.step()
        cycle.step()
        history.append(losses.detach())
    both.eval()
    return rpn, head, torch.stack(history)


def mirrored(boxes: torch.Tensor, width: float) -> torch.Tensor:
    """Return boxes as they are in the mirrored picture.

    Example:
        >>> mirrored(torch.tensor([[0.0, 5, 30, 9]]), 100)
        tensor([[ 70.,   5., 100.,   9.]])
    """
    x0, y0, x1, y1 = boxes.unbind(1)
    return torch.stack([width - x1, y0, width - x0, y1], 1)


@torch.no_grad()
def detect(
    rpn: Rpn, head: BoxHead, maps: torch.Tensor, *, n: int = 20, refine: bool = True, least: float = 0.03
) -> list[dict]:
    """Find objects: the RPN proposes, the head names and moves, and NMS thins out class by class.

    Args:
        rpn: the first stage, trained.
        head: the second, in eval mode.
        maps: (B, C, H, W) of stride 16.
        n: proposals a scene.
        refine: whether the head's offsets move the proposals.
        least: scores up to this are dropped.

    Returns:
        One dict a scene: "boxes" (n, 4), "scores" (n,), "labels" (n,) from 0, the best first.
    """
    found, side = [], maps.shape[3] * STRIDE
    anchors = make_anchors(*maps.shape[2:], STRIDE, SIZES, RATIOS)
    for x in maps.float().split(1):
        scores, offsets = rpn(x)
        boxes = propose(scores[0], offsets[0], anchors, n, side=side)
        named, moved = head(x, [boxes])
        if refine:
            boxes = decode_boxes(moved, boxes).clamp(0, side)
        p = named.softmax(1)[:, 1:]  # (n, 17), without background
        row, label = (p > least).nonzero(as_tuple=True)
        boxes, p = boxes[row], p[row, label]
        kept = batched_nms(boxes, p, label, 0.5)
        found.append({"boxes": boxes[kept], "scores": p[kept], "labels": label[kept]})
    return found
