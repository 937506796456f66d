"""The focal loss of dense detectors: thousands of cells answer "nothing" rightly, and are to be hushed."""

import torch
import torch.nn.functional as F

from cvlab import _validate

__all__ = ["focal_loss"]


def _answers_and_truth(logits, targets, alpha, gamma) -> None:
    """Raise an error that says what is wrong, unless finite logits, targets in 0 to 1, alpha and gamma fit together."""
    for name, value in (("logits", logits), ("targets", targets)):
        if not isinstance(value, torch.Tensor):
            raise TypeError(
                f"{name} must be a torch tensor; got {type(value).__name__}. torch.as_tensor({name})?"
            )
        if not value.is_floating_point():
            raise TypeError(
                f"{name} must be floats; got {value.dtype}. Class numbers? F.one_hot(labels, classes).float()"
            )
    if logits.shape != targets.shape:
        raise ValueError(
            f"logits and targets must have the same shape; got {tuple(logits.shape)} and {tuple(targets.shape)}. "
            "Each class of each cell has a target of its own: F.one_hot(labels, classes).float()"
        )
    if n := int((~torch.isfinite(logits)).sum()):
        raise ValueError(
            f"logits must be finite; got {n} of {logits.numel()} that are NaN or infinite. "
            "The net ran away: a smaller learning rate, or look for a division by 0"
        )
    if n := int((~((targets >= 0) & (targets <= 1))).sum()):
        raise ValueError(
            f"targets must lie in 0 to 1; got {n} of {targets.numel()} that do not. "
            "-1 for cells to ignore? Leave them out: focal_loss(logits[known], targets[known])"
        )
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie in 0 to 1, the share of the positives; got {alpha}")
    if gamma < 0:
        raise ValueError(
            f"gamma must be at least 0; got {gamma}. Below 0 the easy ones would count more than the hard"
        )


@_validate.arguments(_answers_and_truth)
def focal_loss(
    logits: torch.Tensor, targets: torch.Tensor, alpha: float = 0.25, gamma: float = 2.0
) -> torch.Tensor:
    """Binary cross-entropy of every answer, times (1 - p of the truth) to the power gamma, times the side's weight.

    Args:
        logits: floats of any shape, also empty.
        targets: the same shape, 1 for a positive, 0 for a negative; between them, too.
        alpha: weight of the positives, 0 to 1; the negatives have 1 - alpha.
        gamma: 0 or more; 0 leaves the cross-entropy, weighted. Between 0 and 1 the slope of an answer that is
            right beyond rounding (logits over 16) is NaN, as torchvision's: train with 0, or with 1 and more.

    Returns:
        The losses, of the logits' shape. Their sum is usually divided by the number of *positives*, at least 1.

    Raises:
        TypeError: no tensors of floats.
        ValueError: shapes differ, a logit is no finite number, a target lies outside 0 to 1.

    Example:
        >>> focal_loss(torch.zeros(2), torch.tensor([1.0, 0.0])).round(decimals=3)  # log 2 is 0.693
        tensor([0.0430, 0.1300])

    Source: Lin, Goyal, Girshick, He, Dollar, Focal Loss for Dense Object Detection, ICCV 2017; equal to
    torchvision.ops.sigmoid_focal_loss.
    """
    ce = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    p = logits.sigmoid()
    right = p * targets + (1 - p) * (1 - targets)  # p of the truth
    weight = alpha * targets + (1 - alpha) * (1 - targets)
    return weight * (1 - right) ** gamma * ce
