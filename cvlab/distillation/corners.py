"""Small pictures that ask two questions: what is it, and in which corner? Only the second needs to know where patches are."""

import numpy as np
import torch

from cvlab import _validate
from cvlab.world import stickers

__all__ = ["KINDS", "PATCH", "SIDE", "make_corners", "shuffle_patches"]

KINDS, SIDE, PATCH = stickers.CIFAR10[:8], 48, 8


@_validate.arguments(count=_validate.positive_int)
def make_corners(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Put one of eight drawings into one of four corners, before noise of some colour.

    The corners are whole patches apart: moving a drawing only moves patches.

    Args:
        count: pictures.
        seed: another seed, other pictures.

    Returns:
        (count, 3, 48, 48) float, about -1 to 1; what, (count,) 0 to 7; where, (count,) 0 to 3, row by row.

    Example:
        >>> x, what, where = make_corners(5)
        >>> x.shape, what.shape
        (torch.Size([5, 3, 48, 48]), torch.Size([5]))
    """
    rng = np.random.default_rng(seed)
    what, where = rng.integers(0, len(KINDS), count), rng.integers(0, 4, count)
    x = rng.uniform(size=(count, 3, 1, 1)) + 0.2 * rng.standard_normal((count, 3, SIDE, SIDE))
    drawn, half = _drawings()[what], SIDE // 2  # (count, 4, half, half)
    for picture, thing, corner in zip(x, drawn, where, strict=True):
        row, col = np.array(divmod(corner, 2)) * half
        there = picture[:, row : row + half, col : col + half]
        there[:] = thing[:3] + (1 - thing[3]) * there
    return torch.tensor(2 * x - 1, dtype=torch.float32), torch.tensor(what), torch.tensor(where)


def shuffle_patches(x: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """Put the patches of all pictures into one other order.

    Args:
        x: (B, C, H, W), sides multiples of 8.
        seed: another seed, another order.

    Example:
        >>> x = make_corners(1)[0]
        >>> bool((shuffle_patches(x) == x).all()), bool((shuffle_patches(x).sum() - x.sum()).abs() < 0.1)
        (False, True)
    """
    b, c, h, w = x.shape
    rows, cols = h // PATCH, w // PATCH
    order = torch.randperm(rows * cols, generator=torch.Generator().manual_seed(seed))
    x = x.reshape(b, c, rows, PATCH, cols, PATCH).permute(0, 1, 3, 5, 2, 4).flatten(4)[..., order]
    return x.unflatten(4, (rows, cols)).permute(0, 1, 4, 2, 5, 3).reshape(b, c, h, w)


def _drawings() -> np.ndarray:
    """Return (8, 4, 24, 24) floats, colours already times alpha."""
    half = SIDE // 2
    drawn = np.stack([stickers.load(kind) for kind in KINDS]) / 255  # (8, 96, 96, 4)
    drawn[..., :3] *= drawn[..., 3:]
    return drawn.reshape(len(KINDS), half, 96 // half, half, 96 // half, 4).mean((2, 4)).transpose(0, 3, 1, 2)
