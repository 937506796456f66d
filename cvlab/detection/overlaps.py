"""How well a box fits its truth, so that apart boxes are told apart too: GIoU, DIoU, CIoU of pairs, as numbers to minimise."""

import torch

from cvlab import _validate

__all__ = ["ciou", "ciou_loss", "diou", "diou_loss", "giou", "giou_loss"]


def _pairs(a, b, eps) -> None:
    """Raise an error that says what is wrong, unless a and b are boxes (N, 4), pair by pair."""
    for name, boxes in (("a", a), ("b", b)):
        if not isinstance(boxes, torch.Tensor) or not boxes.is_floating_point():
            got = boxes.dtype if isinstance(boxes, torch.Tensor) else type(boxes).__name__
            raise TypeError(
                f"{name} must be a torch tensor of floats; got {got}. torch.as_tensor({name}).float()?"
            )
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(
                f"{name} must have shape (N, 4) as x0, y0, x1, y1; got {tuple(boxes.shape)}. One box? {name}[None]"
            )
        if n := int((~torch.isfinite(boxes)).any(1).sum()):
            raise ValueError(
                f"{name} must be finite; got {n} of {len(boxes)} boxes with NaN or infinity. "
                "Sizes as exp(answer)? Clamp the answer first"
            )
        if len(bad := torch.nonzero((boxes[:, 2:] < boxes[:, :2]).any(1))):
            first = int(bad[0])
            raise ValueError(
                f"{name} must have x0 <= x1 and y0 <= y1; got {name}[{first}] = {boxes[first].tolist()}. "
                "As x, y, w, h? box_convert changes it"
            )
    if a.shape != b.shape:
        raise ValueError(
            f"a and b must be pairs, one row each; got {tuple(a.shape)} and {tuple(b.shape)}. "
            "Every box with every other? box_iou does that"
        )


def overlap_parts(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return of each pair the area of the intersection (N,), of the union (N,), and the hull's width and height (N, 2).

    Example:
        >>> overlap_parts(torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 0, 4, 2]]))
        (tensor([2.]), tensor([8.]), tensor([[4., 2.]]))
    """
    low = torch.max(a[:, :2], b[:, :2])
    high = torch.min(a[:, 2:], b[:, 2:])
    inter = (high - low).clamp(min=0).prod(1)  # (N,)
    areas = [(x[:, 2:] - x[:, :2]).prod(1) for x in (a, b)]
    low = torch.min(a[:, :2], b[:, :2])
    high = torch.max(a[:, 2:], b[:, 2:])
    return inter, areas[0] + areas[1] - inter, high - low


@_validate.arguments(_pairs)
def giou(a: torch.Tensor, b: torch.Tensor, eps: float = 1e-7) -> torch.Tensor:
    """IoU of each pair, minus the share of their hull that is neither: below 0 where they are apart.

    Args:
        a: (N, 4) floats x0, y0, x1, y1 with x0 <= x1 and y0 <= y1; N may be 0.
        b: (N, 4), one box for each of a.
        eps: stands in the divisions, so that boxes of no area give a number.

    Returns:
        (N,) from -1 (far apart) to 1 (the same box).

    Example:
        >>> a = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 2]])
        >>> giou(a, torch.tensor([[1.0, 0, 3, 2], [6, 0, 8, 2]])).round(decimals=3)  # IoU: a third, 0
        tensor([ 0.3330, -0.5000])

    Source: Rezatofighi et al., Generalized Intersection over Union, CVPR 2019.
    """
    inter, union, hull = overlap_parts(a, b)
    hull = hull.prod(1)  # (N,)
    return inter / (union + eps) - (hull - union) / (hull + eps)


@_validate.arguments(_pairs)
def diou(a: torch.Tensor, b: torch.Tensor, eps: float = 1e-7) -> torch.Tensor:
    """IoU of each pair, minus the squared way between their centres as a share of the hull's squared diagonal.

    Args, returns: as `giou`.

    Example:
        >>> a = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 2]])
        >>> diou(a, torch.tensor([[0.0, 0, 2, 1], [0, 0.5, 2, 1.5]])).round(decimals=3)  # IoU and GIoU: 0.5 twice
        tensor([0.4690, 0.5000])

    Source: Zheng et al., Distance-IoU Loss, AAAI 2020.
    """
    inter, union, hull = overlap_parts(a, b)
    apart = (a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]) / 2  # (N, 2)
    apart, hull = (apart**2).sum(1), (hull**2).sum(1)
    return inter / (union + eps) - apart / (hull + eps)


@_validate.arguments(_pairs)
def ciou(a: torch.Tensor, b: torch.Tensor, eps: float = 1e-7) -> torch.Tensor:
    """DIoU of each pair, minus a weight times how far their shapes differ, as the angle of the diagonal.

    Args, returns: as `giou`. The weight is taken as a constant: no gradient flows through it.

    Example:
        >>> a = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 2]])
        >>> ciou(a, torch.tensor([[0.0, 0, 2, 1], [0.5, 0.5, 1.5, 1.5]])).round(decimals=3)  # the second is a square too
        tensor([0.4660, 0.2500])

    Source: Zheng et al., Distance-IoU Loss, AAAI 2020.
    """
    inter, union, _ = overlap_parts(a, b)
    shapes = [x[:, 2:] - x[:, :2] for x in (a, b)]
    turn = [torch.atan2(*shape.unbind(1)) for shape in shapes]
    v = 4 / torch.pi**2 * (turn[0] - turn[1]) ** 2  # (N,) 0 to 1
    with torch.no_grad():
        weight = v / (1 - inter / (union + eps) + v + eps)
    return diou(a, b, eps) - weight * v


def giou_loss(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return 1 - giou, summed over the pairs; 0, with a gradient of 0, where there are none.

    Example:
        >>> giou_loss(torch.zeros(0, 4), torch.zeros(0, 4))
        tensor(0.)
    """
    return (1 - giou(a, b)).sum()


def diou_loss(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return 1 - diou, summed over the pairs.

    Example:
        >>> diou_loss(torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[0.0, 0, 2, 2]])).abs().round(decimals=4)
        tensor(0.)
    """
    return (1 - diou(a, b)).sum()


def ciou_loss(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return 1 - ciou, summed over the pairs.

    Example:
        >>> ciou_loss(torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[0.0, 0, 2, 2]])).abs().round(decimals=4)
        tensor(0.)
    """
    return (1 - ciou(a, b)).sum()
