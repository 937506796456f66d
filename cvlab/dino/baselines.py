"""What needs no training: rules and frozen features that a trained network has to beat."""

import numpy as np
import torch

from cvlab.dino.judging import Judged, judged, knn_accuracy, places, ranked_iou
from cvlab.distillation.maps import PLACES

__all__ = ["border_color", "center_blob", "measure_baselines", "principal_component"]


def center_blob(count: int, side: int = PLACES) -> torch.Tensor:
    """Return (count, side * side) scores that are highest in the middle.

    Example:
        >>> center_blob(1, side=3).argmax().item()
        4
    """
    far = (torch.arange(side) - (side - 1) / 2) ** 2
    return -(far[:, None] + far).flatten().expand(count, -1)


def border_color(images: np.ndarray, side: int = PLACES) -> torch.Tensor:
    """Score each place by how far its colour is from all colours at the picture's border.

    Args:
        images: (N, H, W, 3) uint8; `side` divides H and W.
        side: places each way.

    Returns:
        (N, side * side), distance of the mean colour to the nearest one at the border; 0 for the border itself.

    Example:
        >>> image = np.zeros((1, 6, 6, 3), np.uint8)
        >>> image[:, 2:4, 2:4] = 255
        >>> border_color(image, side=3).argmax().item()
        4
    """
    n, h, w, _ = images.shape
    parts = images.reshape(n, side, h // side, side, w // side, 3).mean(axis=(2, 4), dtype=np.float32)
    colors = torch.from_numpy(parts).flatten(1, 2)  # (N, P, 3)
    return torch.cdist(colors, colors[:, _border(side)]).amin(dim=2)


def principal_component(maps: torch.Tensor, fitted_on: torch.Tensor, which: int = 1) -> torch.Tensor:
    """Score each place by one principal component of its features, low at the picture's border.

    Args:
        maps: (N, C, H, W).
        fitted_on: (M, C, H, W), the maps whose component it is.
        which: 1 is the first, along which places differ most.

    Returns:
        (N, H * W).
    """
    known = fitted_on.float().movedim(1, -1).flatten(0, 2)[::7]  # (rows, C), every seventh place
    mean, spread = known.mean(dim=0), known.std(dim=0) + 1e-6
    direction = torch.linalg.eigh(torch.cov(((known - mean) / spread).T)).eigenvectors[:, -which]
    scores = (maps.float().flatten(2).transpose(1, 2) - mean) / spread @ direction  # (N, P)
    around = scores[:, _border(maps.shape[-1])].mean(dim=1, keepdim=True)
    return torch.where(around > scores.mean(dim=1, keepdim=True), -scores, scores)


def measure_baselines(sets: Judged | None = None) -> dict[str, dict[str, float]]:
    """Judge what needs no training; `judged()` if `sets` is left out.

    Returns:
        by name: "k-NN", or "IoU", as `measure` gives them.
    """
    sets = sets or judged()
    covered = places(sets.masks)
    rules = {
        "blob in the centre": [center_blob(len(sets.images))],
        "border colour": [border_color(sets.images)],
        "best of 3 principal components": [
            principal_component(sets.queries, sets.bank, which) for which in (1, 2, 3)
        ],
    }
    found = {
        name: {"IoU": max(ranked_iou(scores, covered).mean().item() for scores in ways)}
        for name, ways in rules.items()
    }
    bank, queries = (maps.float().amax((2, 3)) for maps in (sets.bank, sets.queries))
    knn = knn_accuracy(bank, sets.bank_labels, queries, sets.labels)
    return found | {"frozen maps, largest values": {"k-NN": knn}}


def _border(side: int) -> torch.Tensor:
    at = torch.zeros(side, side, dtype=torch.bool)
    at[0] = at[-1] = at[:, 0] = at[:, -1] = True
    return at.flatten()
