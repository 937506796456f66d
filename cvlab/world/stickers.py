"""Stickers: small drawings of things with exact outlines, several a class, in several styles."""

from functools import cache
from pathlib import Path

import numpy as np

from cvlab import settings
from cvlab._validate import one_of

__all__ = ["CIFAR10", "COCO_VOC", "STYLES", "classes", "drawings", "load", "styles"]

STYLES = ("emojione2", "fluent3d", "fluentflat", "fxemoji", "noto", "noto2017", "twemoji")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
COCO_VOC = (
    "airplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "dog", "horse",
    "motorcycle", "person", "sheep", "train", "tv",
)  # fmt: skip
_FILES = {"car": ("automobile",), "boat": ("boat", "ship")}  # COCO's wider words for the same drawings


def classes() -> list[str]:
    """List every class: `CIFAR10` and `COCO_VOC` (COCO's names) together.

    Example:
        >>> len(classes()), classes()[:3]
        (22, ['airplane', 'automobile', 'bicycle'])
    """
    return sorted({*CIFAR10, *COCO_VOC})


def styles(cls: str) -> list[str]:
    """List the styles that have drawings of `cls`.

    Example:
        >>> styles("frog")
        ['emojione2', 'fluent3d', 'fluentflat', 'fxemoji', 'noto', 'noto2017', 'twemoji']
    """
    one_of(cls, "cls", classes())
    return [style for style in STYLES if drawings(cls, style)]


@cache
def drawings(cls: str, style: str) -> tuple[Path, ...]:
    """Return the files of one class in one style, in the order of their numbers.

    Example:
        >>> [path.name for path in drawings("deer", "noto")]
        ['deer_1.webp', 'deer_2.webp']
    """
    one_of(cls, "cls", classes())
    one_of(style, "style", STYLES)
    folder = settings.data_dir() / "stickers" / style
    if not folder.is_dir():
        raise FileNotFoundError(
            f"no folder {str(folder)!r}: the course's data is missing; install cvlab again"
        )
    found = [path for stem in _FILES.get(cls, (cls,)) for path in folder.glob(f"{stem}_*.webp")]
    return tuple(sorted(found, key=lambda p: (p.stem.rpartition("_")[0], int(p.stem.rpartition("_")[2]))))


def load(cls: str, style: str = "noto", n: int = 1) -> np.ndarray:
    """Read the n-th drawing of a class in a style.

    Args:
        cls: a name from `classes()`.
        style: a name from `styles(cls)`.
        n: which drawing, from 1 to `len(drawings(cls, style))`.

    Returns:
        (96, 96, 4) uint8 RGBA, alpha 0 (see-through) to 255 (solid), not premultiplied.

    Example:
        >>> load("cat", "twemoji", 2).shape
        (96, 96, 4)

    Source: Emoji One 2.3 and Twemoji (CC-BY-4.0), Fluent Emoji (MIT), FxEmojis and Noto Emoji (Apache-2.0); see data/README.md.
    """
    from PIL import Image

    files = drawings(cls, style)
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or not 1 <= n <= len(files):
        raise ValueError(f"n must be 1 to {len(files)} for {cls!r} in {style!r}; got {n!r}")
    with Image.open(files[n - 1]) as image:
        return np.array(image.convert("RGBA"))
