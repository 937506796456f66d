"""One object a picture, large, with its exact mask: what a classifier learns from, and by which one sees where it looked."""

from dataclasses import dataclass

import numpy as np

from cvlab._validate import one_of, positive_int
from cvlab.world import paint, stickers

__all__ = ["Pictures", "make_pictures"]


@dataclass(frozen=True)
class Pictures:
    """N pictures of one object each.

    Attributes:
        images: (N, size, size, 3) uint8 RGB.
        masks: (N, size, size) bool, the object's pixels.
        labels: (N,) int64, index into `classes`; the classes take turns.
        classes: the words the labels stand for.
    """

    images: np.ndarray
    masks: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        n, size = self.images.shape[:2]
        return f"Pictures({n} of {size} x {size}, {len(self.classes)} classes)"


def make_pictures(
    n: int,
    split: str = "train",
    *,
    seed: int = 0,
    size: int = 128,
    classes: tuple[str, ...] = stickers.CIFAR10,
    length: tuple[int, int] = (50, 90),
) -> Pictures:
    """Paint n pictures, each with one sticker on a photo; the same arguments give the same bytes everywhere.

    The first `k * len(classes)` pictures hold exactly k of each class, and are the same for any larger n.
    Train, val and test share neither drawing style nor background photo.

    Args:
        n: how many.
        split: "train", "val" or "test".
        seed: another seed, other pictures.
        size: side of the square pictures in pixels, 32 to 256.
        classes: names from `cvlab.world.stickers.classes()`.
        length: shortest and longest side of the object before it is turned, in percent of `size`.

    Example:
        >>> pictures = make_pictures(20, "test", size=64)
        >>> pictures.images.shape, pictures.classes[pictures.labels[13]]
        ((20, 64, 64, 3), 'cat')
    """
    n, seed = positive_int(n, "n"), positive_int(seed, "seed", least=0)
    splits = tuple(paint.SPLITS)
    number, size = splits.index(one_of(split, "split", splits)), positive_int(size, "size", least=32)
    if size > 256:
        raise ValueError(f"size must be 32 to 256, so that the photos fill it; got {size}")
    if len(length) != 2 or not 10 <= length[0] <= length[1] <= 120:
        raise ValueError(f"length must be (shortest, longest) from 10 to 120 percent; got {length}")
    for name in classes:
        stickers.styles(name)  # raises for an unknown name
    images = np.empty((n, size, size, 3), np.uint8)
    masks = np.zeros((n, size, size), bool)
    for i in range(n):
        dice = paint.Dice(seed, number, i, size, len(classes), 1)
        images[i] = paint.background(dice, split, size)
        path = dice.choose(paint.files(classes[i % len(classes)], split))
        drawn = paint.sticker(
            path,
            size * dice.between(*length) // 100,
            dice.between(-20, 20),
            dice.between(0, 1) == 1,
            dice.between(190, 290),
        )
        top, left = (dice.between(min(0, size - side), max(0, size - side)) for side in drawn.shape[:2])
        paint.draw_on(images[i], drawn, top, left)
        inside, part = paint.overlap((size, size), drawn.shape, top, left)
        masks[i][inside] = drawn[part][..., 3] >= 128
    paint.forget()
    return Pictures(images, masks, np.arange(n) % len(classes), tuple(classes))
