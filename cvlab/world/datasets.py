"""Sticker pictures as torch datasets: one object to name (`Stickers10`), or many to find (`StickerScenes`)."""

from collections.abc import Callable

import numpy as np
import torch
from torch.utils.data import Dataset

from cvlab._validate import one_of, positive_int
from cvlab.world import paint, stickers
from cvlab.world.scenes import SPLITS, make_scene

__all__ = ["StickerScenes", "Stickers10"]


class Stickers10(Dataset):
    """Small pictures of one thing each, in CIFAR-10's ten classes and their order.

    The classes take turns, so every ten pictures hold each class once; shuffle when you train. Train, val and
    test share neither drawing style nor background photo.

    Args:
        split: "train", "val" or "test".
        n: how many pictures.
        seed: another seed, other pictures.
        transform: applied to the (32, 32, 3) uint8 array; without it the picture becomes a (3, 32, 32) float tensor, 0 to 1.

    Example:
        >>> image, label = Stickers10("test", 100)[3]
        >>> image.shape, Stickers10.classes[label]
        (torch.Size([3, 32, 32]), 'cat')

    Source: a stand-in for CIFAR-10 (Krizhevsky, 2009).
    """

    classes = list(stickers.CIFAR10)
    size = 32

    def __init__(self, split: str = "train", n: int = 5000, seed: int = 0, transform: Callable | None = None):
        self.split, self.n, self.seed, self.transform = _checked(split, n, seed, transform)

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int):
        index = _position(index, self.n)
        image = self._paint(index)
        return (_to_tensor(image) if self.transform is None else self.transform(image)), index % 10

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Paint all pictures at once, for training without a DataLoader.

        Returns:
            images (n, 32, 32, 3) uint8 RGB, before any transform; labels (n,) int64.
        """
        images = np.empty((self.n, self.size, self.size, 3), np.uint8)
        for index in range(self.n):
            images[index] = self._paint(index)
        paint.forget()
        return images, np.arange(self.n) % 10

    def _paint(self, index: int) -> np.ndarray:
        dice = paint.Dice(self.seed, SPLITS.index(self.split), index, self.size)
        image = paint.background(dice, self.split, self.size)
        path = dice.choose(paint.files(self.classes[index % 10], self.split))
        drawn = paint.sticker(
            path, dice.between(19, 30), dice.between(-20, 20), dice.between(0, 1) == 1, dice.between(190, 290)
        )
        top, left = ((self.size - side) // 2 + dice.between(-3, 3) for side in drawn.shape[:2])
        paint.draw_on(image, drawn, top, left)
        return image

    def __repr__(self) -> str:
        return f"Stickers10({self.split!r}, n={self.n}, seed={self.seed})"


class StickerScenes(Dataset):
    """Scenes with several objects, as torchvision's detectors take them.

    Labels count from 1, because torchvision keeps 0 for the background; `classes[label - 1]` is the word.

    Args:
        split: "train", "val" or "test".
        n: how many scenes.
        seed: another seed, other scenes.
        transform: applied to (image, target), returns both; the image it gets is a (3, H, W) float tensor, 0 to 1.
        options: anything else that `make_scene` takes: `size`, `objects`, `classes`.

    Example:
        >>> image, target = StickerScenes("train", 4)[0]
        >>> image.shape, sorted(target)
        (torch.Size([3, 96, 96]), ['area', 'boxes', 'image_id', 'iscrowd', 'labels', 'masks'])
    """

    def __init__(
        self, split: str = "train", n: int = 1000, seed: int = 0, transform: Callable | None = None, **options
    ):
        self.split, self.n, self.seed, self.transform = _checked(split, n, seed, transform)
        self.options = options
        self.classes = list(self.scene(0).class_names)  # also checks the options now, not in a worker later

    def __len__(self) -> int:
        return self.n

    def scene(self, index: int):
        """Return the `Scene` behind a position: with visibility, depth and the uint8 picture."""
        return make_scene(_position(index, self.n), split=self.split, seed=self.seed, **self.options)

    def __getitem__(self, index: int):
        scene = self.scene(index)
        target = {
            "boxes": torch.from_numpy(scene.boxes),  # (N, 4) x0, y0, x1, y1
            "labels": torch.from_numpy(scene.labels) + 1,
            "masks": torch.from_numpy(scene.masks).to(torch.uint8),  # (N, H, W)
            "image_id": _position(index, self.n),
            "area": torch.from_numpy(scene.masks.sum(axis=(1, 2)).astype(np.float32)),
            "iscrowd": torch.zeros(len(scene.labels), dtype=torch.int64),
        }
        image = _to_tensor(scene.image)
        return (image, target) if self.transform is None else self.transform(image, target)

    def __repr__(self) -> str:
        return f"StickerScenes({self.split!r}, n={self.n}, seed={self.seed})"


def _to_tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.transpose(2, 0, 1).copy()).float() / 255  # (H, W, 3) -> (3, H, W)


def _position(index: int, n: int) -> int:
    """Turn an index, perhaps counted from the end, into 0 to n - 1."""
    if isinstance(index, bool) or not hasattr(index, "__index__"):
        raise TypeError(f"index must be a whole number; got {index!r}")
    position = index.__index__() + (n if index.__index__() < 0 else 0)
    if not 0 <= position < n:
        raise IndexError(f"index must be {-n} to {n - 1}; got {index}")
    return position


def _checked(split: str, n: int, seed: int, transform) -> tuple:
    split, n, seed = one_of(split, "split", SPLITS), positive_int(n, "n"), positive_int(seed, "seed", least=0)
    if transform is not None and not callable(transform):
        raise TypeError(f"transform must be a function or None; got {type(transform).__name__}")
    return split, n, seed, transform
