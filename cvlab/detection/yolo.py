"""YOLO's first version, one box a cell: what each cell is to answer, the loss, and the boxes that the answers say."""

import torch
import torch.nn.functional as F
from torch import nn

from cvlab._validate import arguments, positive_int
from cvlab.regions.suppression import answers_of
from cvlab.segmentation.topdown import WIDTHS, mixing

__all__ = ["GridHead", "grid_boxes", "grid_targets", "yolo_loss"]


def _objects(boxes, labels, cells, side) -> None:
    """Raise an error that says what is wrong, unless boxes (N, 4) of the picture and whole labels (N,) fit together."""
    if not isinstance(boxes, torch.Tensor) or boxes.ndim != 2 or boxes.shape[1] != 4:
        got = tuple(boxes.shape) if isinstance(boxes, torch.Tensor) else type(boxes).__name__
        raise ValueError(
            f"boxes must be a tensor (N, 4) as x0, y0, x1, y1; got {got}. From a scene: torch.from_numpy(scene.boxes)"
        )
    if len(labels) != len(boxes):
        raise ValueError(f"labels must have one number for each of the {len(boxes)} boxes; got {len(labels)}")
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    if bad := int((~((centres >= 0) & (centres <= side))).any(1).sum()):
        raise ValueError(
            f"boxes must have their centres inside the picture, 0 to {side}; got {bad} of {len(boxes)} that do not. "
            "Another size of scene? Say its side"
        )
    if (boxes[:, 2:] < boxes[:, :2]).any():
        raise ValueError("boxes must have x0 <= x1 and y0 <= y1; got one inside out. As x, y, w, h?")


@arguments(_objects, cells=positive_int)
def grid_targets(
    boxes: torch.Tensor, labels: torch.Tensor, cells: int = 6, side: float = 192
) -> torch.Tensor:
    """Return what each cell is to answer: the cell that holds an object's centre says the object, the others nothing.

    Args:
        boxes: (N, 4) floats x0, y0, x1, y1 in pixels of the picture; N may be 0.
        labels: (N,) whole numbers, the classes.
        cells: along each side of the picture.
        side: the picture's, in pixels.

    Returns:
        (cells, cells, 6) floats: 1 where an object is, x and y of its centre within the cell (0 to 1), the square
        roots of its width and height as shares of the picture, its class. Of two centres in one cell the later box stays.

    Raises:
        ValueError: boxes are no (N, 4), a centre lies outside, labels are of another number.

    Example:
        >>> target = grid_targets(torch.tensor([[0.0, 32, 48, 128]]), torch.tensor([3]))
        >>> target[2, 0]
        tensor([1.0000, 0.7500, 0.5000, 0.5000, 0.7071, 3.0000])

    Source: Redmon, Divvala, Girshick, Farhadi, You Only Look Once, CVPR 2016.
    """
    target = torch.zeros(cells, cells, 6)
    for box, label in zip(boxes, labels, strict=True):
        centre = (box[:2] + box[2:]) / 2 / side * cells
        col, row = centre.long().clamp(max=cells - 1).tolist()
        size = ((box[2:] - box[:2]) / side).sqrt()
        target[row, col, 0] = 1
        target[row, col, 1:3] = centre - torch.tensor([col, row])
        target[row, col, 3:5] = size
        target[row, col, 5] = label
    return target


def yolo_loss(answer: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Squared errors of a batch, a scene's share: five times the box, half the doubt where nothing is, and the class.

    Args:
        answer: (B, cells, cells, 5 + classes) logits: is something here, x, y, the roots of w and h, the classes.
        target: (B, cells, cells, 6) as `grid_targets` gives it.

    Returns:
        A tensor with one float, finite for scenes without objects.

    Example:
        >>> empty = grid_targets(torch.zeros(0, 4), torch.zeros(0))[None]
        >>> yolo_loss(torch.zeros(1, 6, 6, 22), empty)  # 36 cells say 0.5
        tensor(4.5000)

    Source: Redmon et al., CVPR 2016, section 2.2, with one box a cell, 1 (not the IoU) as a sure answer, and all
    answers through a sigmoid.
    """
    p = answer.sigmoid()
    there = target[..., 0] == 1  # (B, cells, cells)
    found, truth = p[there], target[there]  # (n, 22), (n, 6)
    where = ((found[:, 1:5] - truth[:, 1:5]) ** 2).sum()
    sure = ((found[:, 0] - 1) ** 2).sum()
    nothing = (p[~there][:, 0] ** 2).sum()
    one_hot = F.one_hot(truth[:, 5].long(), p.shape[-1] - 5)
    what = ((found[:, 5:] - one_hot) ** 2).sum()
    return (5 * where + sure + 0.5 * nothing + what) / len(p)


@torch.no_grad()
def grid_boxes(
    answer: torch.Tensor, side: float = 192, least: float = 0.05, overlap: float = 0.5
) -> list[dict[str, torch.Tensor]]:
    """Return the boxes that a batch of answers says, one of each class where many overlap.

    Args:
        answer: (B, cells, cells, 5 + classes) logits, as `yolo_loss` takes them.
        side: the picture's, in pixels.
        least: the score below which nothing is said.
        overlap: the IoU above which the less sure box of one class goes.

    Returns:
        One dict a scene: "boxes" (n, 4), "scores" (n,), "labels" (n,), the surest first.

    Example:
        >>> answer = torch.full((1, 2, 2, 6), -9.0)
        >>> answer[0, 1, 0, :] = torch.tensor([9.0, 0, 0, 0, 0, 9])
        >>> grid_boxes(answer, side=100)[0]["boxes"]
        tensor([[12.5000, 62.5000, 37.5000, 87.5000]])
    """
    p = answer.sigmoid()
    cells = torch.arange(p.shape[1])
    corner = torch.stack(torch.meshgrid(cells, cells, indexing="xy"), -1)  # (cells, cells, 2) as x, y
    centre = (corner + p[..., 1:3]) * side / len(cells)
    half = p[..., 3:5] ** 2 * side / 2
    boxes = torch.cat([centre - half, centre + half], -1).clamp(0, side).flatten(1, 2)  # (B, cells², 4)
    scores = (p[..., :1] * p[..., 5:]).flatten(1, 2)  # (B, cells², classes)
    return [answers_of(b, s, s > least, overlap) for b, s in zip(boxes, scores, strict=True)]


class GridHead(nn.Module):
    """From the two coarsest levels of EfficientNet-Lite0 to an answer for every cell of the 16th of a picture's side.

    Args:
        outputs: numbers a cell.
        width: channels inside.

    Example:
        >>> GridHead(22)(torch.zeros(2, 112, 12, 12), torch.zeros(2, 320, 6, 6)).shape
        torch.Size([2, 12, 12, 22])
    """

    @arguments(outputs=positive_int, width=positive_int)
    def __init__(self, outputs: int, width: int = 96):
        super().__init__()
        self.join = nn.Conv2d(WIDTHS[2] + WIDTHS[3], width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.mix = nn.Sequential(mixing(width), mixing(width))
        self.out = nn.Conv2d(width, outputs, 1)

    def forward(self, fine: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
        coarse = F.interpolate(coarse, fine.shape[2:], mode="nearest")
        x = F.relu(self.norm(self.join(torch.cat([fine, coarse], 1))))
        return self.out(self.mix(x)).permute(0, 2, 3, 1)  # (B, cells, cells, outputs)
