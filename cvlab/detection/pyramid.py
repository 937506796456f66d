"""A pyramid of features: three levels of one backbone, made equally wide, and meaning handed down from coarse to fine."""

import torch
import torch.nn.functional as F
from torch import nn

from cvlab._validate import arguments, positive_int
from cvlab.segmentation.topdown import WIDTHS

__all__ = ["STRIDES", "Pyramid", "places"]

STRIDES = (8, 16, 32)  # pixels of the picture from one cell of a level to the next


def _levels(value, name: str):
    """Return the three maps when they have EfficientNet-Lite0's channels, and each half the side of the one before."""
    widths = tuple(int(level.shape[1]) for level in value)
    if widths != WIDTHS[1:]:
        slip = f". {name}[1:]: the finest is not used" if widths == WIDTHS else ""
        raise ValueError(
            f"{name} must be three, of {WIDTHS[1:]} channels, the finest first; got {widths}{slip}"
        )
    sides = [tuple(level.shape[2:]) for level in value]
    if not all((2 * h, 2 * w) == fine for fine, (h, w) in zip(sides, sides[1:], strict=False)):
        raise ValueError(
            f"{name} must halve from level to level; got {sides}. "
            "A picture whose sides are no multiples of 32? Pad or resize it"
        )
    return value


class Pyramid(nn.Module):
    """From the maps of EfficientNet-Lite0 with strides 8, 16 and 32 to three of `width` channels.

    Args:
        width: channels of every level.
        top_down: hand each coarser level down to the finer one; without it every level stands alone, as in SSD.

    Example:
        >>> maps = [torch.zeros(1, c, s, s) for c, s in zip((40, 112, 320), (8, 4, 2))]
        >>> [tuple(level.shape) for level in Pyramid()(maps)]
        [(1, 96, 8, 8), (1, 96, 4, 4), (1, 96, 2, 2)]

    Source: Lin, Dollar, Girshick, He, Hariharan, Belongie, Feature Pyramid Networks for Object Detection, CVPR 2017.
    """

    @arguments(width=positive_int)
    def __init__(self, width: int = 96, top_down: bool = True):
        super().__init__()
        self.top_down = top_down
        self.side = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, width, 1, bias=False), nn.BatchNorm2d(width)) for c in (40, 112, 320)
        )

    @arguments(maps=_levels)
    def forward(self, maps: list[torch.Tensor]) -> list[torch.Tensor]:
        levels = [side(level) for side, level in zip(self.side, maps, strict=True)]
        levels[2] = F.relu(levels[2])
        for k in (1, 0):
            if self.top_down:
                coarser = F.interpolate(levels[k + 1], scale_factor=2.0)
                levels[k] = levels[k] + coarser
            levels[k] = F.relu(levels[k])
        return levels


def _strides(value, name: str) -> tuple[int, ...]:
    value = tuple(value)
    if not value or any(stride not in STRIDES for stride in value) or list(value) != sorted(set(value)):
        raise ValueError(f"{name} must be some of {STRIDES}, in this order; got {value}")
    return value


def _cells_fit(side, strides) -> None:
    if side % STRIDES[-1]:
        raise ValueError(
            f"side must be a multiple of {STRIDES[-1]}, the coarsest stride; got {side}. Pad or resize the picture"
        )


@arguments(_cells_fit, side=positive_int, strides=_strides)
def places(side: int, strides: tuple[int, ...] = STRIDES) -> torch.Tensor:
    """Return where the cells of some levels stand on a square picture, the finest level first, row by row.

    Args:
        side: of the picture in pixels, a multiple of 32.
        strides: the levels.

    Returns:
        (P, 3) float32: x and y of the middle of each cell, and its stride, in pixels.

    Example:
        >>> places(64, (32,)).tolist()
        [[16.0, 16.0, 32.0], [48.0, 16.0, 32.0], [16.0, 48.0, 32.0], [48.0, 48.0, 32.0]]
    """
    rows = []
    for stride in strides:
        line = (torch.arange(side // stride) + 0.5) * stride
        y, x = torch.meshgrid(line, line, indexing="ij")
        rows.append(torch.stack([x, y, torch.full_like(x, stride)], -1).view(-1, 3))
    return torch.cat(rows)
