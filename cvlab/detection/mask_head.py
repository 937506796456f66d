"""The third answer of Mask R-CNN: for every box the pixels of its object, from a small fully convolutional network."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import roi_align, roi_pool

from cvlab._validate import arguments
from cvlab.detection.two_stage import CLASSES
from cvlab.regions.geometry import checked_boxes
from cvlab.segmentation.topdown import WIDTHS, mixing

__all__ = ["LEVELS", "MaskHead", "cut_levels", "mask_targets", "paste_masks", "train_masks", "with_masks"]

LEVELS, GRID = 3, 14  # levels of stride 4, 8 and 16; cells a side that are cut for each box


def cut_levels(
    levels: Sequence[torch.Tensor], boxes: Sequence[torch.Tensor], *, size: int = GRID, pool: bool = False
) -> torch.Tensor:
    """Cut every box out of the levels of stride 4, 8 and 16, and stack what was cut: (N, 176, size, size).

    Args:
        levels: (B, C, H, W) each, the finest first, of any precision.
        boxes: for each scene (N, 4) in its pixels.
        size: cells a side.
        pool: round to whole cells (RoI pool) in place of RoI align.

    Example:
        >>> levels = [torch.zeros(1, c, s, s) for c, s in ((24, 48), (40, 24), (112, 12))]
        >>> cut_levels(levels, [torch.zeros(2, 4)]).shape
        torch.Size([2, 176, 14, 14])
    """
    parts = []
    for k, level in enumerate(levels[:LEVELS]):
        scale = 1 / (4 * 2**k)
        if pool:
            parts.append(roi_pool(level.float(), list(boxes), size, scale))
        else:
            parts.append(roi_align(level.float(), list(boxes), size, scale, 2, True))
    return torch.cat(parts, 1).contiguous(memory_format=torch.channels_last)  # a third faster to learn from


class MaskHead(nn.Module):
    """From grids (N, 176, 14, 14) to logits (N, masks, 28, 28): does this part of the box belong to its object?

    Args:
        masks: 1 for all classes together, or 17, one for each.
        width: channels inside.

    Example:
        >>> MaskHead()(torch.zeros(2, 176, 14, 14)).shape
        torch.Size([2, 1, 28, 28])

    Source: He, Gkioxari, Dollar, Girshick, Mask R-CNN, ICCV 2017, figure 4; its convolutions are full ones.
    """

    def __init__(self, masks: int = 1, width: int = 64):
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm2d(sum(WIDTHS[:LEVELS])),
            nn.Conv2d(sum(WIDTHS[:LEVELS]), width, 1),
            nn.ReLU(),
            mixing(width),
            mixing(width),
            nn.ConvTranspose2d(width, width // 2, 2, stride=2),
            nn.ReLU(),
            nn.Conv2d(width // 2, masks, 1),
        )

    def forward(self, grids: torch.Tensor) -> torch.Tensor:
        return self.layers(grids)


def _masks(value, name: str) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{name} must be a torch tensor; got {type(value).__name__}")
    if value.ndim != 3:
        slip = f". A channel too many? {name}[:, 0]" if value.ndim == 4 else ""
        raise ValueError(f"{name} must have shape (N, H, W), one mask a box; got {tuple(value.shape)}{slip}")
    return value


def _one_mask_a_box(masks, boxes, **_) -> None:
    if len(masks) != len(boxes):
        raise ValueError(f"masks and boxes must be as many; got {len(masks)} and {len(boxes)}")


@arguments(_one_mask_a_box, masks=_masks, boxes=checked_boxes)
def mask_targets(masks: torch.Tensor, boxes: torch.Tensor, size: int = 28) -> torch.Tensor:
    """Cut each object's mask by its box, as the head should answer it.

    Args:
        masks: (N, H, W) bool.
        boxes: (N, 4) in pixels.
        size: cells a side.

    Returns:
        (N, size, size) float32, 0 or 1.

    Example:
        >>> mask_targets(torch.ones(1, 8, 8, dtype=torch.bool), torch.tensor([[0.0, 0, 8, 8]]), 2)
        tensor([[[1., 1.],
                 [1., 1.]]])
    """
    each = torch.arange(len(boxes))[:, None].to(boxes)
    cut = roi_align(masks[:, None].to(boxes), torch.cat([each, boxes], 1), size, 1.0, 2, True)
    return (cut[:, 0] >= 0.5).float()


@arguments(_one_mask_a_box, masks=_masks, boxes=checked_boxes)
def paste_masks(masks: torch.Tensor, boxes: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Stretch each small mask over its box in the picture.

    Args:
        masks: (N, M, M) floats from 0 to 1.
        boxes: (N, 4) in pixels.
        height: of the picture.
        width: of the picture.

    Returns:
        (N, height, width) bool: the interpolated mask is above a half at the middle of the pixel.

    Example:
        >>> paste_masks(torch.ones(1, 2, 2), torch.tensor([[1.0, 0, 3, 1]]), 2, 4).int()
        tensor([[[0, 1, 1, 0],
                 [0, 0, 0, 0]]], dtype=torch.int32)

    Source: Wu et al., Detectron2, 2019, `paste_masks_in_image`.
    """
    x0, y0, x1, y1 = boxes[:, :, None].unbind(1)  # (N, 1) each
    x = (torch.arange(width) + 0.5 - x0) / (x1 - x0).clamp(min=1e-6)
    y = (torch.arange(height) + 0.5 - y0) / (y1 - y0).clamp(min=1e-6)
    x = x[:, None, :].expand(-1, height, -1)  # (N, H, W), 0 to 1 in the box
    y = y[:, :, None].expand(-1, -1, width)
    places = torch.stack([x, y], dim=3) * 2 - 1  # as grid_sample counts
    inside = (places.abs() <= 1).all(3)
    pasted = F.grid_sample(masks[:, None], places, align_corners=False, padding_mode="border")
    return (pasted[:, 0] > 0.5) & inside


def train_masks(
    levels: Sequence[torch.Tensor],
    boxes: Sequence[torch.Tensor],
    masks: Sequence[torch.Tensor],
    *,
    labels: Sequence[torch.Tensor] | None = None,
    pool: bool = False,
    steps: int = 120,
    seed: int = 0,
):
    """Train a mask head on the true boxes of scenes, 32 objects a step on average.

    Args:
        levels: of all scenes, the finest first.
        boxes: for each scene (N, 4).
        masks: for each scene (N, H, W) bool.
        labels: for each scene (N,): then each class has a mask of its own, and only the truth's is judged.
        pool: RoI pool in place of RoI align.
        steps: how many batches.
        seed: of weights and order.

    Returns:
        The head in eval mode, and the loss of each step, (steps,).
    """
    torch.manual_seed(seed)
    head = MaskHead(CLASSES if labels is not None else 1).to(memory_format=torch.channels_last)
    step = torch.optim.AdamW(head.parameters(), 4e-3, weight_decay=0.05)
    cycle = torch.optim.lr_scheduler.OneCycleLR(step, 4e-3, steps, pct_start=0.15)
    there, history = [k for k, b in enumerate(boxes) if len(b)], []
    for _ in range(steps):
        rows = [there[k] for k in torch.randint(len(there), (12,)).tolist()]
        some = [boxes[k] for k in rows]
        grids = cut_levels([level[rows] for level in levels[:LEVELS]], some, pool=pool)
        wanted = torch.cat([mask_targets(masks[k], boxes[k]) for k in rows])
        logits = head(grids)
        which = torch.cat([labels[k] for k in rows]) if labels is not None else 0
        loss = F.binary_cross_entropy_with_logits(logits[torch.arange(len(logits)), which], wanted)
        step.zero_grad()
        loss.backward()
        step.step()
        cycle.step()
        history.append(loss.detach())
    return head.eval(), torch.stack(history)


@torch.no_grad()
def with_masks(
    head: MaskHead,
    levels: Sequence[torch.Tensor],
    found: Sequence[dict],
    *,
    pool: bool = False,
    side: int = 192,
) -> list[dict]:
    """Add to each answer of a detector the pixels of each box: "masks" (n, side, side) bool.

    Args:
        head: as `train_masks` gives it, with one mask or one a class.
        levels: of the scenes, the finest first.
        found: one dict a scene, as `detect` gives it.
        pool: as in training.
        side: pixels a side of a scene.
    """
    answers = []
    for k, one in enumerate(found):
        boxes = one["boxes"]
        if len(boxes):
            logits = head(cut_levels([level[k : k + 1] for level in levels], [boxes], pool=pool))
            which = one["labels"] if logits.shape[1] > 1 else 0
            small = logits[torch.arange(len(boxes)), which].sigmoid()
            masks = paste_masks(small, boxes, side, side)
        else:
            masks = torch.zeros(0, side, side, dtype=torch.bool)
        answers.append({**one, "masks": masks})
    return answers
