"""A film with exact masks: things that drift, turn and pass one another before a photo that pans."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cvlab._validate import positive_int
from cvlab.world import paint, pool

__all__ = ["Film", "make_film"]

PAN = 48  # pixels that the background is wider than the picture


@dataclass(frozen=True)
class Film:
    """T frames of a scene in which things move.

    Attributes:
        images: (T, size, size, 3) uint8 RGB.
        labels: (T, size, size) uint8: 0 is the background, k the k-th thing where nothing hides it.
    """

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"Film({len(self)} frames of {self.images.shape[1]} x {self.images.shape[2]}, {self.labels.max()} things)"


def make_film(
    drawings: Sequence[tuple[str, int]],
    *,
    frames: int = 24,
    split: str = "test",
    seed: int = 0,
    size: int = 192,
) -> Film:
    """Film things that cross the picture; the later ones pass before the earlier ones.

    Args:
        drawings: (style, row of its sheet in `cvlab.world.pool`) of each thing.
        frames: how many.
        split: whose photos lie behind: "train", "val" or "test".
        seed: another seed, other ways and another background.
        size: side of a frame in pixels, 96 to 208.

    Example:
        >>> make_film([("twemoji", 0), ("twemoji", 5)], frames=3)
        Film(3 frames of 192 x 192, 2 things)
    """
    frames = positive_int(frames, "frames", least=2)
    if not 96 <= positive_int(size, "size") <= 256 - PAN:
        raise ValueError(f"size must be 96 to {256 - PAN}, so that the photo has room to pan; got {size}")
    if not drawings:
        raise ValueError("drawings must hold at least one (style, row); got none")
    dice = paint.Dice(seed, 8, size)
    wide = paint.background(dice, split, size + PAN)
    ways = [_way(dice, i, size) for i in range(len(drawings))]
    images = np.zeros((frames, size, size, 3), np.uint8)
    labels = np.zeros((frames, size, size), np.uint8)
    for t in range(frames):
        at = t * PAN // (frames - 1)
        images[t] = wide[at // 2 : at // 2 + size, at : at + size]
        for k, ((style, row), way) in enumerate(zip(drawings, ways, strict=True), 1):
            y, x, length, angle = (a + (b - a) * t // (frames - 1) for a, b in way)
            drawn = paint.sticker(pool.sheet(style)[0][row], length, angle)
            top, left = y - drawn.shape[0] // 2, x - drawn.shape[1] // 2
            paint.draw_on(images[t], drawn, top, left)
            inside, part = paint.overlap((size, size), drawn.shape, top, left)
            labels[t][inside][drawn[part][..., 3] >= 128] = k
    paint.forget()
    return Film(images, labels)


def _way(dice: paint.Dice, i: int, size: int) -> list[tuple[int, int]]:
    """Return from where to where a thing's centre (y, x), its length and its angle go."""
    low, high = size * 30 // 100, size * 70 // 100
    ends = [size * dice.between(24, 32) // 100, size * dice.between(68, 76) // 100]
    across = tuple(ends[::-1] if i % 2 else ends)
    down = dice.between(low, high), dice.between(low, high)
    length = size * dice.between(34, 44) // 100, size * dice.between(34, 44) // 100
    return [down, across, length, (dice.between(-20, 0), dice.between(0, 20))]
