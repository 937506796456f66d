"""What a net that answers for every pixel minimises: soft Dice and the focal loss."""

import torch
import torch.nn.functional as F

from cvlab import _validate

__all__ = ["dice_loss", "focal_loss"]


def _answer_and_truth(logits, target, **_) -> None:
    """Raise an error that says what is wrong, unless logits and a target between 0 and 1 fit together."""
    for name, value in (("logits", logits), ("target", target)):
        if not isinstance(value, torch.Tensor):
            raise TypeError(
                f"{name} must be a torch tensor; got {type(value).__name__}. torch.as_tensor({name})?"
            )
    if logits.shape != target.shape or logits.ndim < 3:
        raise ValueError(
            "logits and target must have the same shape, (N, H, W) or (N, 1, H, W); got "
            f"{tuple(logits.shape)} and {tuple(target.shape)}. target[:, None] adds the axis of channels"
        )
    if not logits.is_floating_point():
        raise TypeError(
            f"logits must be floats; got {logits.dtype}. Class numbers? A loss needs what comes before argmax"
        )
    if not torch.isfinite(logits).all():
        n = int((~torch.isfinite(logits)).sum())
        raise ValueError(
            f"logits must be finite; got {n} of {logits.numel()} that are NaN or infinite. "
            "The net ran away: a smaller learning rate, or look for a division by 0"
        )
    low, high = float(target.min()), float(target.max())
    if not 0 <= low <= high <= 1:
        raise ValueError(
            f"target must lie in 0 to 1; got {low:g} to {high:g}. A mask of 0 and 255? Divide by 255. "
            "Class numbers? target == k makes one mask"
        )


@_validate.arguments(_answer_and_truth)
def dice_loss(logits: torch.Tensor, target: torch.Tensor, eps: float = 1.0) -> torch.Tensor:
    """1 minus the soft Dice of each picture, averaged over the pictures; the sigmoid is inside.

    Args:
        logits: (N, H, W) or (N, 1, H, W) floats, any size.
        target: the same shape, 0 to 1.
        eps: stands above and below, so that saying "nothing" of an empty picture costs 0.

    Returns:
        A tensor with one float from 0 to 1; gradients flow through it.

    Example:
        >>> target = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
        >>> dice_loss(torch.full((1, 2, 2), -20.0), target), dice_loss(40 * target - 20, target).round(decimals=3)
        (tensor(0.5000), tensor(0.))

    Source: Milletari, Navab, Ahmadi, V-Net, 3DV 2016; with the eps of common libraries, and sizes not squared.
    """
    p = logits.sigmoid().flatten(1)  # (N, pixels)
    t = target.flatten(1)
    overlap = (p * t).sum(1)  # (N,)
    total = p.sum(1) + t.sum(1)
    return (1 - (2 * overlap + eps) / (total + eps)).mean()


@_validate.arguments(_answer_and_truth)
def focal_loss(logits: torch.Tensor, target: torch.Tensor, gamma: float = 2.0) -> torch.Tensor:
    """Binary cross-entropy in which a pixel counts the less, the surer its answer is right.

    Args:
        logits: (N, H, W) or (N, 1, H, W) floats, any size.
        target: the same shape, 0 or 1, floats.
        gamma: 0 is the plain cross-entropy; 2 is usual.

    Returns:
        A tensor with one float, the mean over all pixels.

    Example:
        >>> focal_loss(torch.zeros(1, 2, 2), torch.ones(1, 2, 2)).round(decimals=4)  # log 2, a quarter of it
        tensor(0.1733)

    Source: Lin et al., Focal Loss for Dense Object Detection, ICCV 2017.
    """
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    right = (-bce).exp()  # the probability of the right answer
    return ((1 - right) ** gamma * bce).mean()
