"""Two moments of one thing: pictures in pairs, which nobody labelled, and the exact mask by which they are judged."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cvlab._validate import one_of, positive_int
from cvlab.world import paint, pool

__all__ = ["Moments", "drawings_to_judge", "drawings_to_learn", "make_moments"]

SPLITS = tuple(paint.SPLITS)


@dataclass(frozen=True)
class Moments:
    """N pictures of one thing each, at one moment or more.

    Attributes:
        images: (M, N, size, size, 3) uint8 RGB, M moments of each thing.
        masks: (M, N, size, size) bool, the thing's pixels.
        things: (N,) int64, which of `cvlab.world.pool.things()` it is.
        groups: (N,) int64, which of `cvlab.world.pool.groups()`, -1 for none. Nothing learns from it.
    """

    images: np.ndarray
    masks: np.ndarray
    things: np.ndarray
    groups: np.ndarray

    def __len__(self) -> int:
        return len(self.things)

    def __repr__(self) -> str:
        moments, n, size = self.images.shape[:3]
        return f"Moments({n} things, {moments} each, of {size} x {size})"


def drawings_to_learn() -> list[tuple[str, int]]:
    """List (style, row of its sheet) of all drawings that may be learnt from: four styles, no held-out thing.

    Example:
        >>> len(drawings_to_learn()), drawings_to_learn()[0]
        (2018, ('noto', 0))
    """
    held = pool.held_out()
    return [(s, i) for s in pool.TRAIN_STYLES for i, t in enumerate(pool.sheet(s)[1]) if not held[t]]


def drawings_to_judge(style: str = pool.TEST_STYLE) -> list[tuple[str, int]]:
    """List (style, row) of the held-out things that belong to a group, by default in the style that nobody trains on.

    Example:
        >>> len(drawings_to_judge())
        127
    """
    held, things = pool.held_out(), pool.things()
    return [(style, i) for i, t in enumerate(pool.sheet(style)[1]) if held[t] and things[t].group]


def make_moments(
    drawings: Sequence[tuple[str, int]],
    *,
    moments: int = 1,
    split: str = "train",
    seed: int = 0,
    size: int = 192,
    moved: bool = True,
    elsewhere: bool = True,
) -> Moments:
    """Paint a picture of each drawing, and more moments of it.

    Args:
        drawings: (style, row of its sheet), one for each picture.
        moments: pictures of each drawing.
        split: whose photos lie behind: "train", "val" or "test".
        seed: another seed, other pictures.
        size: side of the square pictures in pixels, 32 to 256.
        moved: from the second moment on the thing has another place, size and angle.
        elsewhere: from the second moment on it stands before another background.

    Example:
        >>> two = make_moments(drawings_to_learn()[:3], moments=2, size=64)
        >>> two, two.images.shape
        (Moments(3 things, 2 each, of 64 x 64), (2, 3, 64, 64, 3))
    """
    number, size = SPLITS.index(one_of(split, "split", SPLITS)), positive_int(size, "size", least=32)
    if size > 256:
        raise ValueError(f"size must be 32 to 256, so that the photos fill it; got {size}")
    shape = positive_int(moments, "moments"), len(drawings), size, size
    images, masks = np.zeros((*shape, 3), np.uint8), np.zeros(shape, bool)
    for i, (style, row) in enumerate(drawings):
        for k in range(moments):
            behind, before = (paint.Dice(seed, number, i, size, k * more, 2) for more in (elsewhere, moved))
            images[k, i] = paint.background(behind, split, size)
            before.between(0, 1 << 30)
            drawn = paint.sticker(
                pool.sheet(style)[0][row],
                size * before.between(40, 90) // 100,
                before.between(-25, 25),
                before.between(0, 1) == 1,
                before.between(190, 290),
            )
            top, left = (before.between(min(0, size - side), max(0, size - side)) for side in drawn.shape[:2])
            paint.draw_on(images[k, i], drawn, top, left)
            inside, part = paint.overlap((size, size), drawn.shape, top, left)
            masks[k, i][inside] = drawn[part][..., 3] >= 128
    paint.forget()
    shown = np.array([pool.sheet(style)[1][row] for style, row in drawings], np.int64)
    return Moments(images, masks, shown, pool.group_numbers(shown))
