"""Sizes to begin from: k-means with 1 - IoU as the distance, so that a large box's error counts no more than a small one's."""

import torch

from cvlab._validate import arguments, positive_int
from cvlab.detection.shapes import shape_iou

__all__ = ["k_means", "shape_iou"]


def _enough(sizes, k, **_) -> None:
    if not isinstance(sizes, torch.Tensor) or sizes.ndim != 2 or sizes.shape[1] != 2:
        got = tuple(sizes.shape) if isinstance(sizes, torch.Tensor) else type(sizes).__name__
        raise ValueError(
            f"sizes must be a tensor (N, 2) of widths and heights; got {got}. Boxes? boxes[:, 2:] - boxes[:, :2]"
        )
    if not (sizes > 0).all():
        raise ValueError(f"sizes must be above 0; got a least of {float(sizes.min()):g}")
    if len(sizes) < 2 * k:
        raise ValueError(f"sizes must be at least {2 * k}, two for each of k = {k}; got {len(sizes)}")


@arguments(_enough, k=positive_int, rounds=positive_int)
def k_means(sizes: torch.Tensor, k: int, rounds: int = 50) -> torch.Tensor:
    """Return k sizes that the sizes overlap well: each is the mean of those that overlap it most.

    Args:
        sizes: (N, 2) widths and heights, N at least 2 k.
        k: how many.
        rounds: of assigning and averaging.

    Returns:
        (k, 2), by area. A prior that nothing is nearest to stays where it was.

    Raises:
        ValueError: sizes are no (N, 2), not above 0, or too few.

    Example:
        >>> k_means(torch.tensor([[10.0, 10], [12, 10], [60, 40], [60, 44]]), 2)
        tensor([[11., 10.],
                [60., 42.]])

    Source: Redmon, Farhadi, YOLO9000, CVPR 2017, section 2.
    """
    order = sizes.prod(1).argsort()
    begin = torch.linspace(0, len(sizes) - 1, 2 * k + 1)[1::2]
    priors = sizes[order[begin.long()]]
    for _ in range(rounds):
        nearest = shape_iou(sizes, priors).argmax(1)  # (N,)
        groups = [sizes[nearest == j] for j in range(k)]
        priors = torch.stack([g.mean(0) if len(g) else priors[j] for j, g in enumerate(groups)])
    return priors[priors.prod(1).argsort()]
