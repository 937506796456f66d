"""Labels that go from frame to frame: each patch asks the patches that look most like it."""

import torch
import torch.nn.functional as F

from cvlab import _validate
from cvlab._validate import arguments

__all__ = ["follow", "nearby", "propagate_labels", "soft_labels", "upsampled"]


def _rows(value, name: str) -> torch.Tensor:
    if not isinstance(value, torch.Tensor) or not value.is_floating_point():
        kind = value.dtype if isinstance(value, torch.Tensor) else type(value).__name__
        raise TypeError(f"{name} must be a tensor of floats; got {kind}")
    if value.ndim != 2:
        raise ValueError(f"{name} must have shape (patches, numbers); got {tuple(value.shape)}")
    if not value.isfinite().all():
        raise ValueError(
            f"{name} must be finite; {int((~value.isfinite()).sum())} of {value.numel()} are not"
        )
    return value


def _above_0(value, name: str) -> float:
    if not value > 0:
        raise ValueError(f"{name} must be above 0; got {value}")
    return value


def _together(features, known, labels, allowed, k, **_) -> None:
    if features.shape[1] != known.shape[1]:
        raise ValueError(
            f"features and known must have as many numbers a patch; got {features.shape[1]} and {known.shape[1]}"
        )
    if len(labels) != len(known):
        raise ValueError(
            f"labels must have a row for each of the {len(known)} known patches; got {len(labels)}"
        )
    wanted = (len(features), len(known))
    if tuple(allowed.shape) != wanted or allowed.dtype != torch.bool:
        raise ValueError(
            f"allowed must be bool of shape {wanted}; got {allowed.dtype} {tuple(allowed.shape)}"
        )
    fewest = int(allowed.sum(dim=1).min()) if len(allowed) else k
    if fewest < k:
        raise ValueError(f"k must be at most what each patch may ask; got {k}, and one may ask {fewest} only")


@arguments(
    _together, features=_rows, known=_rows, labels=_rows, k=_validate.positive_int, temperature=_above_0
)
def propagate_labels(
    features: torch.Tensor,
    known: torch.Tensor,
    labels: torch.Tensor,
    allowed: torch.Tensor,
    k: int = 5,
    temperature: float = 0.1,
) -> torch.Tensor:
    """Label each patch by the k known patches that look most like it.

    Args:
        features: (P, D) of the patches to label.
        known: (M, D) of patches whose labels are known, of one frame or of several.
        labels: (M, C) their labels, a share for each of C classes.
        allowed: (P, M) bool, which of them each patch may ask.
        k: how many answers are mixed.
        temperature: the smaller, the more the most alike counts: weights are the softmax of cosine / temperature.

    Returns:
        (P, C) shares.

    Example:
        >>> known, labels = torch.eye(2), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> propagate_labels(torch.tensor([[3.0, 0.0]]), known, labels, torch.ones(1, 2, dtype=torch.bool), k=2)[0, 0] > 0.99
        tensor(True)

    Source: Jabri et al., Space-Time Correspondence as a Contrastive Random Walk, NeurIPS 2020; with DINO's numbers.
    """
    likeness = F.normalize(features, dim=1) @ F.normalize(known, dim=1).T
    likeness = likeness.masked_fill(~allowed, -torch.inf)  # (P, M)
    best, where = likeness.topk(k, dim=1)  # (P, k)
    weights = (best / temperature).softmax(dim=1)
    return (weights[..., None] * labels[where]).sum(dim=1)


def nearby(side: int, radius: float) -> torch.Tensor:
    """Return which places of a square map lie within `radius` rows and columns of each other, (P, P) bool.

    Example:
        >>> nearby(3, 1).sum(dim=1).tolist()
        [4, 6, 4, 6, 9, 6, 4, 6, 4]
    """
    at = torch.stack(torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij"), 2).reshape(-1, 2)
    return (at[:, None] - at).abs().amax(dim=2) <= radius


def soft_labels(labels, classes: int, side: int) -> torch.Tensor:
    """Return how much of each place has each label.

    Args:
        labels: (..., H, H) whole numbers from 0 to `classes` - 1.
        classes: how many.
        side: places a side; divides H.

    Returns:
        (..., P, classes) float32, each row sums to 1.

    Example:
        >>> soft_labels(torch.tensor([[0, 1], [0, 0]]), 2, 1)
        tensor([[0.7500, 0.2500]])
    """
    one = F.one_hot(torch.as_tensor(labels).long(), classes).float()  # (..., H, H, C)
    step = one.shape[-2] // side
    one = one.unflatten(-2, (side, step)).unflatten(-4, (side, step))  # (..., side, step, side, step, C)
    return one.mean(dim=(-4, -2)).flatten(-3, -2)


def follow(
    features: torch.Tensor, first: torch.Tensor, *, radius: float = 3, context: int = 5, **options
) -> torch.Tensor:
    """Carry the first frame's labels through a film; each frame asks the first one and the last few.

    Args:
        features: (T, P, D) of T frames.
        first: (P, C) labels of the first frame.
        radius: rows and columns that a patch may look away.
        context: frames before this one that are asked besides the first.
        **options: `k` and `temperature` of `propagate_labels`.

    Returns:
        (T, P, C) labels of all frames.

    Example:
        >>> follow(torch.rand(4, 9, 2), torch.ones(9, 1), radius=1, k=2).shape
        torch.Size([4, 9, 1])
    """
    labels, near = [first], nearby(round(len(first) ** 0.5), radius)
    for t in range(1, len(features)):
        asked = [0, *range(max(1, t - context), t)]
        known = torch.cat([features[i] for i in asked])
        told = torch.cat([labels[i] for i in asked])
        allowed = near.repeat(1, len(asked))
        labels.append(propagate_labels(features[t], known, told, allowed, **options))
    return torch.stack(labels)


def upsampled(labels: torch.Tensor, size: int) -> torch.Tensor:
    """Return each pixel's likeliest label, (T, size, size), from shares (T, P, C) of places, grown bilinearly.

    Example:
        >>> upsampled(torch.tensor([[[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]]), 4)[0, 0].tolist()
        [0, 0, 1, 1]
    """
    t, places, classes = labels.shape
    side = round(places**0.5)
    maps = labels.reshape(t, side, side, classes).permute(0, 3, 1, 2)  # (T, C, side, side)
    return F.interpolate(maps, (size, size), mode="bilinear").argmax(dim=1)
