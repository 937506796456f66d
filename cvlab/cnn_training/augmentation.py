"""Random changes of training pictures, and the ways in which test pictures are spoilt."""

import numpy as np
import torch
import torch.nn.functional as F

from cvlab._validate import one_of, positive_int

__all__ = ["SPOILS", "augment", "spoil"]

SPOILS = ("shift", "rotate", "scale", "hue", "shuffle")


def augment(
    images: torch.Tensor, generator: torch.Generator, *, shift: int = 4, colour: float = 0.5
) -> torch.Tensor:
    """Change each picture of a batch at random: mirrored or not, moved, its channels brighter or darker.

    Args:
        images: (B, 3, H, W) floats with mean near 0.
        generator: where the dice are; the same one gives the same changes.
        shift: up to so many pixels each way; what enters at the edge is mirrored.
        colour: how much each channel's contrast and brightness may change.

    Returns:
        (B, 3, H, W) floats.
    """
    B, _, H, W = images.shape
    mirror = torch.rand(B, generator=generator) < 0.5
    images = torch.where(mirror[:, None, None, None], images.flip(3), images)
    padded = F.pad(images, (shift,) * 4, mode="reflect")  # (B, 3, H + 2 shift, W + 2 shift)
    down, right = torch.randint(0, 2 * shift + 1, (2, B), generator=generator)
    rows, cols = down[:, None] + torch.arange(H), right[:, None] + torch.arange(W)  # (B, H), (B, W)
    batch, channel = torch.arange(B)[:, None, None, None], torch.arange(3)[None, :, None, None]
    images = padded[batch, channel, rows[:, None, :, None], cols[:, None, None, :]]  # (B, 3, H, W)
    gain, offset = (colour * (2 * torch.rand(B, 3, 1, 1, generator=generator) - 1) for _ in range(2))
    return images * (1 + gain) + offset


def spoil(images: torch.Tensor, kind: str, amount: float) -> torch.Tensor:
    """Return copies that a person would still name, spoilt in one way.

    Args:
        images: (B, 3, H, W) floats, H and W multiples of 8.
        kind: "shift" (pixels to the right and down), "rotate" (degrees), "scale" (1 is unchanged), "hue" (degrees
            on the colour wheel), "shuffle" (cut into amount x amount parts and mix them).
        amount: how much.

    Example:
        >>> spoil(torch.arange(64.0).reshape(1, 1, 8, 8).repeat(1, 3, 1, 1), "shift", 2)[0, 0, 2, 2:5].round()
        tensor([0., 1., 2.])
    """
    one_of(kind, "kind", SPOILS)
    if kind == "hue":
        return torch.einsum("ij,bjhw->bihw", _hue_matrix(amount), images)
    if kind == "shuffle":
        return _shuffle(images, positive_int(int(amount), "amount"))
    angle = np.deg2rad(amount if kind == "rotate" else 0)
    zoom = 1 / amount if kind == "scale" else 1
    c, s, move = np.cos(angle) * zoom, np.sin(angle) * zoom, -2 * amount / images.shape[3] * (kind == "shift")
    theta = torch.tensor([[c, s, move], [-s, c, move]], dtype=images.dtype).expand(len(images), 2, 3)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def _hue_matrix(degrees: float) -> torch.Tensor:
    """Turn colours round the grey axis: 120 makes red green."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees)) / np.sqrt(3)
    a, b, d = (1 + 2 * c) / 3, (1 - c) / 3 - s, (1 - c) / 3 + s
    return torch.tensor([[a, b, d], [d, a, b], [b, d, a]], dtype=torch.float32)


def _shuffle(images: torch.Tensor, parts: int) -> torch.Tensor:
    B, C, H, W = images.shape
    if H % parts or W % parts:
        raise ValueError(f"amount must divide the picture's {H} x {W} pixels; got {parts}")
    h, w = H // parts, W // parts
    tiles = images.reshape(B, C, parts, h, parts, w).permute(0, 2, 4, 1, 3, 5).reshape(B, parts**2, C, h, w)
    rng = np.random.default_rng(0)
    order = torch.from_numpy(np.stack([rng.permutation(parts**2) for _ in range(B)]))  # (B, parts ** 2)
    tiles = tiles[torch.arange(B)[:, None], order].reshape(B, parts, parts, C, h, w)
    return tiles.permute(0, 3, 1, 4, 2, 5).reshape(B, C, H, W)
