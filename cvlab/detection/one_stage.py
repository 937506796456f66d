"""A detector in one look, without anchors: every cell says which class stands there and how far the four edges are."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import batched_nms, generalized_box_iou_loss

from cvlab.detection.pyramid import STRIDES, Pyramid, places
from cvlab.segmentation.topdown import enlarged, four_levels
from cvlab.store import weights

__all__ = ["Detector", "OneStage", "answers", "boxes_at", "detect", "loss_of", "targets"]


class OneStage(nn.Module):
    """The trainable part: a pyramid, and one small head that looks at its levels.

    Args:
        classes: how many.
        width: channels of the pyramid and the head.
        strides: the levels that answer.
        top_down: as `Pyramid` has it.

    Example:
        >>> maps = [torch.zeros(1, c, s, s) for c, s in zip((24, 40, 112, 320), (16, 8, 4, 2))]
        >>> [tuple(part.shape) for part in OneStage()(maps)]
        [(1, 64, 17), (1, 64, 4)]
    """

    def __init__(self, classes=17, width=96, strides=(8,), top_down=True):
        super().__init__()
        self.strides, self.pyramid = strides, Pyramid(width, top_down)
        layers = []
        for _ in range(2):
            layers += [nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        self.tower = nn.Sequential(*layers)
        self.classes = nn.Conv2d(width, classes, 3, padding=1)
        self.edges = nn.Conv2d(width, 4, 3, padding=1)
        nn.init.constant_(self.classes.bias, -4.0)  # at first nothing is there
        self.to(memory_format=torch.channels_last)

    def forward(self, maps):
        logits, edges = [], []
        for stride, level in zip(STRIDES, self.pyramid(maps), strict=True):
            if stride in self.strides:
                x = self.tower(level)
                far = 3 * stride * (self.edges(x) / 2).clamp(max=4).exp()
                logits.append(self.classes(x).flatten(2).transpose(1, 2))
                edges.append(far.flatten(2).transpose(1, 2))
        return torch.cat(logits, 1), torch.cat(edges, 1)


def boxes_at(cells, edges):
    """Boxes from cells (P, 3) and distances (..., P, 4) to the left, upper, right and lower edge."""
    return torch.cat([cells[:, :2] - edges[..., :2], cells[:, :2] + edges[..., 2:]], -1)


def targets(boxes, labels, cells, radius=1.5):
    """Return the class (P,) each cell is to answer, -1 for none, and the box (P, 4)."""
    if not len(boxes):
        return torch.full((len(cells),), -1), torch.zeros(len(cells), 4)
    x, y, stride = cells.T[..., None]
    sides = [x - boxes[:, 0], y - boxes[:, 1], boxes[:, 2] - x, boxes[:, 3] - y]
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    near = (cells[:, None, :2] - middle).abs().amax(-1) < radius * stride
    longer = (boxes[:, 2:] - boxes[:, :2]).amax(-1)
    fits = (longer > 3 * stride) | (stride == stride.min())
    fits &= (longer <= 6 * stride) | (stride == stride.max())
    area = (boxes[:, 2:] - boxes[:, :2]).prod(-1).expand(len(cells), -1)
    area = area.where((torch.stack(sides).amin(0) > 0) & near & fits, torch.inf)
    smallest, which = area.min(1)
    return labels[which].where(smallest < torch.inf, -1), boxes[which]


def loss_of(logits, edges, cells, wanted, truth):
    """Return the loss of the classes and of the boxes."""
    taken = wanted >= 0
    found, truth = boxes_at(cells, edges)[taken], truth[taken]
    far = generalized_box_iou_loss(found, truth)  # (M,)
    inner = (torch.minimum(found, truth)[:, 2:] - torch.maximum(found, truth)[:, :2]).clamp(min=0).prod(1)
    both = (found[:, 2:] - found[:, :2]).prod(1) + (truth[:, 2:] - truth[:, :2]).prod(1) - inner
    target = torch.zeros_like(logits)
    target[taken, wanted[taken]] = (inner / both).detach()
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    focal = (target - logits.sigmoid()).abs() ** 2 * bce
    count = taken.sum().clamp(min=1)
    return focal.sum() / count, far.sum() / count


@torch.inference_mode()
def answers(logits, edges, cells, side=192, threshold=0.02, overlap=0.55, most=50):
    """Turn what the head says into answers: one dict a picture, best first."""
    found = []
    for scores, boxes in zip(logits.sigmoid(), boxes_at(cells, edges).clamp(0, side), strict=True):
        best, place = scores.flatten().topk(min(150, scores.numel()))
        place, best = place[best > threshold], best[best > threshold]
        cell, label = place // scores.shape[1], place % scores.shape[1]
        keep = batched_nms(boxes[cell], best, label, overlap)[:most]
        found.append({"boxes": boxes[cell][keep], "scores": best[keep], "labels": label[keep]})
    return found


class Detector(nn.Module):
    """The whole: pictures (B, 3, side, side) to boxes (B, P, 4) and scores (B, P, 17), before NMS."""

    def __init__(self, classes: int = 17, side: int = 192):
        super().__init__()
        self.encoder = weights.efficientnet_lite0(0)
        self.encoder.conv_head, self.encoder.bn2 = nn.Identity(), nn.Identity()
        self.head = OneStage(classes)
        self.side = side
        self.register_buffer("cells", places(side, self.head.strides), persistent=False)
        self.to(memory_format=torch.channels_last)

    def raw(self, x):
        return self.head(four_levels(self.encoder, x))

    def forward(self, x):
        logits, edges = self.raw(x)
        return boxes_at(self.cells, edges), logits.sigmoid()

    def save(self, path: Path) -> None:
        """Write all weights in half precision: 8 MB."""
        from safetensors.torch import save_file

        save_file({name: value.half().contiguous() for name, value in self.state_dict().items()}, path)


@torch.inference_mode()
def detect(net: Detector, images: np.ndarray, *, batch: int = 8, **options) -> list[dict]:
    """Return the answers for pictures (N, H, W, 3) uint8."""
    net.eval()
    found = []
    for i in range(0, len(images), batch):
        found += answers(*net.raw(enlarged(images[i : i + batch], net.side)), net.cells, net.side, **options)
    return found
