"""Random changes of training pictures, and the ways in which test pictures are spoilt."""

import numpy as np
import torch
import torch.nn.functional as F

from cvlab._validate import arguments, positive_int

__all__ = ["augment", "spoil"]


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


def _sane(images, shift, rotate, scale, hue, shuffle) -> None:
    for name, value in {"shift": shift, "rotate": rotate, "scale": scale, "hue": hue}.items():
        if not np.isfinite(value):
            raise ValueError(f"{name} must be a finite number; got {value}")
    if scale <= 0:
        raise ValueError(f"scale must be above 0, where 1 is unchanged and 0.5 half the size; got {scale}")
    H, W = images.shape[2:]
    if H % shuffle or W % shuffle:
        raise ValueError(f"shuffle must divide the picture's {H} x {W} pixels; got {shuffle} parts a side")


@arguments(_sane, shuffle=positive_int)
def spoil(
    images: torch.Tensor,
    *,
    shift: float = 0,
    rotate: float = 0,
    scale: float = 1,
    hue: float = 0,
    shuffle: int = 1,
) -> torch.Tensor:
    """Return copies that a person would still name, spoilt in one way or several, in the order given here.

    Args:
        images: (B, 3, H, W) floats. What enters at an edge is mirrored.
        shift: pixels to the right and down.
        rotate: degrees, clockwise.
        scale: 1 is unchanged, 0.5 half as wide and high.
        hue: degrees on the colour wheel.
        shuffle: cut into so many parts a side, and mix them; 1 is unchanged.

    Returns:
        (B, 3, H, W) floats; `images` itself where nothing is asked for.

    Example:
        >>> spoil(torch.arange(64.0).reshape(1, 1, 8, 8).repeat(1, 3, 1, 1), shift=2)[0, 0, 2, 2:5].round()
        tensor([0., 1., 2.])
    """
    if shift or rotate or scale != 1:
        images = _moved(images, shift, np.deg2rad(rotate), 1 / scale)
    if hue:
        images = torch.einsum("ij,bjhw->bihw", _hue_matrix(hue), images)
    return _shuffled(images, shuffle) if shuffle > 1 else images


def _moved(images: torch.Tensor, shift: float, angle: float, zoom: float) -> torch.Tensor:
    """Look up each pixel where it came from: `theta` goes from a new place to an old one, both from -1 to 1."""
    B, _, H, W = images.shape
    c, s = np.cos(angle) * zoom, np.sin(angle) * zoom
    theta = torch.tensor(
        [[c, s * H / W, -2 * shift / W], [-s * W / H, c, -2 * shift / H]], dtype=images.dtype
    )
    grid = F.affine_grid(theta.expand(B, 2, 3), list(images.shape), align_corners=False)  # (B, H, W, 2)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def _hue_matrix(degrees: float) -> torch.Tensor:
    """Turn colours round the grey axis: 120 makes red green."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees)) / np.sqrt(3)
    a, b, d = (1 + 2 * c) / 3, (1 - c) / 3 - s, (1 - c) / 3 + s
    return torch.tensor([[a, b, d], [d, a, b], [b, d, a]], dtype=torch.float32)


def _shuffled(images: torch.Tensor, parts: int) -> torch.Tensor:
    B, C, H, W = images.shape
    h, w = H // parts, W // parts
    tiles = images.reshape(B, C, parts, h, parts, w).permute(0, 2, 4, 1, 3, 5).reshape(B, parts**2, C, h, w)
    rng = np.random.default_rng(0)
    order = torch.from_numpy(np.stack([rng.permutation(parts**2) for _ in range(B)]))  # (B, parts ** 2)
    tiles = tiles[torch.arange(B)[:, None], order].reshape(B, parts, parts, C, h, w)
    return tiles.permute(0, 3, 1, 4, 2, 5).reshape(B, C, H, W)
