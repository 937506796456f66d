"""Two pictures made one, and the label that such a picture deserves."""

import torch

from cvlab._validate import arguments, positive_int

__all__ = ["cutmix", "mixup"]


def _share(lam, name: str):
    if not 0 <= lam <= 1:
        raise ValueError(f"{name} must be a share from 0 to 1; got {lam}. In percent? Divide by 100")
    return lam


def _fitting(images, labels, order, classes, centre=None, **_) -> None:
    """Raise an error that says what is wrong unless all arguments belong to one batch."""
    if images.ndim != 4:
        slip = f". One picture? images[None]: a batch of 1, shape (1, {', '.join(map(str, images.shape))})"
        raise ValueError(
            f"images must be (B, C, H, W); got {tuple(images.shape)}{slip if images.ndim == 3 else ''}"
        )
    if labels.ndim != 1 or labels.is_floating_point():
        raise ValueError(
            f"labels must be (B,) class numbers, int64; got {tuple(labels.shape)} {labels.dtype}. "
            "One-hot already? labels.argmax(dim=1)"
        )
    if len(labels) != len(images):
        raise ValueError(
            f"labels must hold one class for each of the {len(images)} images; got {len(labels)}"
        )
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(
            f"labels must be 0 to {classes - 1}, because classes is {classes}; "
            f"got {int(labels.min())} to {int(labels.max())}"
        )
    if sorted(order.tolist()) != list(range(len(images))):
        raise ValueError(
            f"order must hold each of 0 to {len(images) - 1} once; got {order.tolist()}. torch.randperm({len(images)})?"
        )
    H, W = images.shape[2:]
    if centre is not None and not (0 <= centre[0] < H and 0 <= centre[1] < W):
        raise ValueError(
            f"centre must be (row, col) inside the {H} x {W} picture; got {tuple(centre)}. As x, y? Exchange them"
        )


@arguments(_fitting, lam=_share, classes=positive_int)
def mixup(
    images: torch.Tensor, labels: torch.Tensor, lam: float, order: torch.Tensor, classes: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mix picture i with picture `order[i]`, and their labels in the same shares.

    Args:
        images: (B, C, H, W), uint8 or floats.
        labels: (B,) int64, 0 to `classes` - 1.
        lam: the share of picture i, 0 to 1; the rest comes from the other.
        order: (B,) int64, each of 0 to B - 1 once.
        classes: how many there are.

    Returns:
        The mixed pictures (B, C, H, W) and their targets (B, classes), floats; a row of targets adds up to 1.

    Example:
        >>> images, labels = torch.tensor([0.0, 8.0]).reshape(2, 1, 1, 1), torch.tensor([0, 2])
        >>> mixed, targets = mixup(images, labels, 0.75, torch.tensor([1, 0]), 3)
        >>> mixed.flatten().tolist(), targets.tolist()
        ([2.0, 6.0], [[0.75, 0.0, 0.25], [0.25, 0.0, 0.75]])

    Source: Zhang, Cisse, Dauphin, Lopez-Paz, mixup: Beyond Empirical Risk Minimization, ICLR 2018.
    """
    targets = torch.eye(classes)[labels]  # (B, classes), one-hot
    mixed = lam * images + (1 - lam) * images[order]
    return mixed, lam * targets + (1 - lam) * targets[order]


@arguments(_fitting, lam=_share, classes=positive_int)
def cutmix(
    images: torch.Tensor,
    labels: torch.Tensor,
    lam: float,
    order: torch.Tensor,
    centre: tuple[int, int],
    classes: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Paste a box of picture `order[i]` into picture i; the labels' shares are those of the pixels.

    Args:
        images: (B, C, H, W), uint8 or floats.
        labels: (B,) int64, 0 to `classes` - 1.
        lam: the share that picture i keeps, 0 to 1, as long as the box lies inside.
        order: (B,) int64, each of 0 to B - 1 once.
        centre: row and column of the box's middle; what lies outside of the picture is cut off.
        classes: how many there are.

    Returns:
        The pictures (B, C, H, W), dtype kept, and their targets (B, classes), floats; a row adds up to 1.

    Example:
        >>> images, labels = torch.arange(2.0).reshape(2, 1, 1, 1).expand(2, 1, 4, 4), torch.tensor([0, 1])
        >>> mixed, targets = cutmix(images, labels, 0.75, torch.tensor([1, 0]), (0, 0), 2)
        >>> mixed[0, 0, 0].tolist(), targets[0].tolist()
        ([1.0, 0.0, 0.0, 0.0], [0.9375, 0.0625])

    Source: Yun, Han, Oh, Chun, Choe, Yoo, CutMix: Regularization Strategy to Train Strong Classifiers with
    Localizable Features, ICCV 2019.
    """
    H, W = images.shape[2:]
    half = (1 - lam) ** 0.5 / 2
    (row, col), h, w = centre, int(half * H), int(half * W)
    top, bottom = max(row - h, 0), min(row + h, H)
    left, right = max(col - w, 0), min(col + w, W)
    mixed = images.clone()
    mixed[..., top:bottom, left:right] = images[order, :, top:bottom, left:right]
    kept = 1 - (bottom - top) * (right - left) / (H * W)  # of the pixels, counted after the cut
    targets = torch.eye(classes)[labels]  # (B, classes), one-hot
    return mixed, kept * targets + (1 - kept) * targets[order]
