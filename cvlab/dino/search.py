"""A search engine over all stickers that belong to a group: give a picture, get the nearest."""

import functools
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from cvlab import settings
from cvlab._validate import arguments, positive_int
from cvlab.world import pool

__all__ = ["Gallery", "gallery", "listed", "nearest", "stickers"]


@dataclass(frozen=True)
class Gallery:
    """Every drawing of a thing with a group, in all five styles, held-out things among them.

    Attributes:
        drawings: N pairs (style, row of its sheet).
        things: (N,) int64, which of `cvlab.world.pool.things()`.
        groups: (N,) int64, which of `cvlab.world.pool.groups()`.
        features: "DINO" (N, 96), by the recipe's checkpoint, and "frozen" (N, 112), the mean of the maps it
            stands on; float32, of length 1.
    """

    drawings: list[tuple[str, int]]
    things: torch.Tensor
    groups: torch.Tensor
    features: dict[str, torch.Tensor]

    def __len__(self) -> int:
        return len(self.drawings)

    def __repr__(self) -> str:
        return f"Gallery({len(self)} stickers)"


def listed() -> list[tuple[str, int, int]]:
    """List (style, row of its sheet, thing) of all drawings whose thing has a group, style by style.

    Example:
        >>> len(listed()), listed()[0]
        (2497, ('noto', 0, 0))
    """
    things = pool.things()
    return [(s, i, int(t)) for s in pool.STYLES for i, t in enumerate(pool.sheet(s)[1]) if things[t].group]


def stickers(drawings, size: int = 192) -> np.ndarray:
    """Paint drawings on plain grey, three quarters of the picture's side.

    Args:
        drawings: pairs (style, row of its sheet).
        size: side of the pictures in pixels.

    Returns:
        (N, size, size, 3) uint8 RGB.

    Example:
        >>> stickers([("noto", 0), ("twemoji", 3)], size=64).shape
        (2, 64, 64, 3)
    """
    size = positive_int(size, "size", least=8)
    side, images = size * 3 // 4, np.full((len(drawings), size, size, 3), 128, np.uint8)
    for image, (style, row) in zip(images, drawings, strict=True):
        sheet = Image.fromarray(image)
        drawn = Image.fromarray(pool.sheet(style)[0][row]).resize((side, side), Image.Resampling.BICUBIC)
        sheet.paste(drawn, 2 * ((size - side) // 2,), drawn)
        image[:] = sheet
    return images


@functools.cache
def gallery() -> Gallery:
    """Return all stickers that belong to a group, with their recorded features; `data/make_neighbours.py` wrote them.

    Example:
        >>> gallery()
        Gallery(2497 stickers)
    """
    every = listed()
    with np.load(settings.data_dir() / "training" / "neighbours.npz") as stored:
        features = {
            name: F.normalize(torch.from_numpy(stored[name]).float(), dim=1) for name in ("DINO", "frozen")
        }
    shown = [t for *_, t in every]
    groups = torch.from_numpy(pool.group_numbers(shown))
    return Gallery([(s, i) for s, i, _ in every], torch.tensor(shown), groups, features)


def _one_width(stored, query, k) -> None:
    if query.ndim != 1 or stored.ndim != 2 or stored.shape[1] != len(query):
        raise ValueError(
            f"stored must be (N, D) and query (D,); got {tuple(stored.shape)} and {tuple(query.shape)}. "
            "One picture of a batch? query[0]"
        )
    if k > len(stored):
        raise ValueError(f"k must be at most {len(stored)}, the stored pictures; got {k}")


@arguments(_one_width, k=positive_int)
def nearest(stored: torch.Tensor, query: torch.Tensor, k: int = 10) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the k stored pictures that are most alike to one.

    Args:
        stored: (N, D) float features.
        query: (D,) float features of one picture.
        k: how many, 1 to N.

    Returns:
        (k,) int64 places in `stored`, the nearest first, and (k,) cosines.

    Raises:
        ValueError: the query has another width than what is stored, or more are asked for than there are.

    Example:
        >>> places, cosines = nearest(torch.tensor([[0.0, 1.0], [2.0, 0.0], [1.0, 1.0]]), torch.tensor([1.0, 0.1]), 2)
        >>> places
        tensor([1, 2])
    """
    cosines = F.normalize(stored, dim=1) @ F.normalize(query, dim=0)
    found = cosines.topk(k)
    return found.indices, found.values
