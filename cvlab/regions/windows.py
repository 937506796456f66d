"""The oldest detector: one classifier, asked about a window at every place and of every size."""

from collections.abc import Sequence

import torch

from cvlab import _validate
from cvlab.regions.crops import CropClassifier, crop_features
from cvlab.regions.suppression import batched_nms
from cvlab.world.scenes import Scene

__all__ = ["SIDES", "all_windows", "detect_windows", "windows"]

SIDES = (48, 72, 108)  # of the windows, each half as large again as the one before


def _fits(size, side, **_) -> None:
    if side > size:
        raise ValueError(f"side must be at most size, {size}, so that a window fits; got {side}")


@_validate.arguments(
    _fits, size=_validate.positive_int, side=_validate.positive_int, step=_validate.positive_int
)
def windows(size: int, side: int, step: int) -> torch.Tensor:
    """Return a square window at every place of a square picture, row by row.

    Args:
        size: of the picture, in pixels.
        side: of each window.
        step: from a window to the next, across and down.

    Returns:
        (N, 4) float32 x0, y0, x1, y1; N is ((size - side) // step + 1) squared.

    Raises:
        ValueError: a window larger than the picture, or a step below 1.

    Example:
        >>> windows(10, 4, 3).shape
        torch.Size([9, 4])
    """
    starts = torch.arange(0, size - side + 1, step)
    y, x = torch.meshgrid(starts, starts, indexing="ij")
    corners = torch.stack([x.ravel(), y.ravel()], dim=1)  # (N, 2)
    return torch.cat([corners, corners + side], dim=1).float()


def all_windows(size: int = 192, sides: Sequence[int] = SIDES) -> torch.Tensor:
    """Return the windows of all sides, a quarter of the side apart.

    Example:
        >>> all_windows().shape
        torch.Size([234, 4])
    """
    return torch.cat([windows(size, side, side // 4) for side in sides])


def detect_windows(
    scenes: Sequence[Scene], classifier: CropClassifier, threshold: float | None = 0.5
) -> list[dict]:
    """Return the best class of every window of every scene, doubles of a class suppressed.

    Args:
        scenes: square pictures.
        classifier: names crops' features.
        threshold: of `batched_nms`; None leaves all windows.

    Returns:
        One dict a scene, as `cvlab.map.judge` wants it: "boxes", "scores", "labels".
    """
    found = []
    for scene in scenes:
        boxes = all_windows(len(scene.image))
        scores, labels = classifier(crop_features(scene.image, boxes))[:, 1:].max(dim=1)
        kept = slice(None) if threshold is None else batched_nms(boxes, scores, labels, threshold)
        found.append({"boxes": boxes[kept], "scores": scores[kept], "labels": labels[kept]})
    return found
