"""Draw stickers on photo backgrounds in whole numbers only: the same bytes on every machine."""

import math
from functools import cache
from pathlib import Path

import numpy as np

from cvlab.world import photos, stickers

__all__ = ["SPLITS", "Dice", "background", "draw_on", "files", "forget", "overlap", "sticker"]

# Which styles and photos each split draws from: no two splits share either. The two Noto styles are one family, and
# so are the two Fluent styles: they stay together. Left out are the photos that show a class: chelsea, astronaut,
# motorcycle; of the camera's only the lawn and the skyline beside the man are taken.
SPLITS = {
    "train": (
        ("noto", "noto2017", "emojione2", "fxemoji"),
        ("china", "coffee", "grass", "moon", "clock", "tissue", "camera", "colorwheel"),
    ),
    "val": (("fluent3d", "fluentflat"), ("rocket", "brick", "coins", "cell")),
    "test": (("twemoji",), ("flower", "gravel", "hubble", "retina")),
}
_PARTS = {"camera": np.s_[:, 335:]}  # of a photo that shows a class, the columns that do not
_ONE = 1 << 16  # fixed point: 16 bits behind the point
_COS = [round(math.cos(math.radians(degree)) * _ONE) for degree in range(360)]


class Dice:
    """Whole random numbers fixed by a key of whole numbers.

    Only the raw bits of PCG64 are used: unlike `Generator.integers`, NumPy promises never to change them.

    Example:
        >>> dice = Dice(0, 1)
        >>> [dice.between(1, 6) for _ in range(5)]
        [3, 4, 6, 1, 4]
    """

    def __init__(self, *key: int):
        self._bits = np.random.PCG64(np.random.SeedSequence(key))
        self._stock: list[int] = []

    def between(self, low: int, high: int) -> int:
        """Draw one number from `low` to `high`, both included."""
        if not self._stock:
            self._stock = self._bits.random_raw(64).tolist()
        return low + ((self._stock.pop() >> 32) * (high - low + 1) >> 32)

    def choose(self, items):
        """Draw one of `items`."""
        return items[self.between(0, len(items) - 1)]


def background(dice: Dice, split: str, size: int) -> np.ndarray:
    """Cut a square from one of the split's photos, perhaps mirrored, its colours shifted, a grey photo tinted.

    Returns:
        (size, size, 3) uint8 RGB, a fresh array.
    """
    name = dice.choose(SPLITS[split][1])
    shrink = dice.between(1, min(4, min(_photo(name, 1).shape[:2]) // size))
    photo = _photo(name, shrink)
    top, left = dice.between(0, photo.shape[0] - size), dice.between(0, photo.shape[1] - size)
    cut = photo[top : top + size, left : left + size][:, :: dice.choose((-1, 1))]
    light = dice.between(150, 256)
    if _is_grey(name):
        lift = [dice.between(0, 120) * light >> 8 for _ in range(3)]
        gain = [(dice.between(120, 255) * light >> 8) - low for low in lift]
    else:
        gain = [light * dice.between(190, 256) >> 8 for _ in range(3)]
        lift = [dice.between(0, (255 - (255 * g >> 8)) // 2) for g in gain]
    # 255 * 256 fits 16 bits, and the lift is too small to pass 255: nothing to clip
    image = np.empty(cut.shape, np.uint8)
    for c in range(3):  # channel by channel: five times as fast as three numbers against the last axis
        image[..., c] = (cut[..., c] * np.uint16(gain[c]) >> 8) + np.uint16(lift[c])
    return image


@cache
def _is_grey(name: str) -> bool:
    """Tell whether a photo has no colour of its own: it then gets one for its dark and one for its light parts."""
    photo = _photo(name, 1)
    return bool((photo == photo[..., :1]).all())


@cache
def files(cls: str, split: str) -> tuple[Path, ...]:
    """Return all drawings of a class in the styles of a split."""
    return tuple(path for style in SPLITS[split][0] for path in stickers.drawings(cls, style))


def forget() -> None:
    """Give back the photos and drawings that are held ready for the next picture: 70 MB after 6000 of `Stickers10`."""
    _photo.cache_clear()
    _levels.cache_clear()


def sticker(
    drawing: Path | np.ndarray, length: int, angle: int, flip: bool = False, gain: int = 256
) -> np.ndarray:
    """Draw one sticker at a size, turned, perhaps mirrored, lighter or darker.

    Args:
        drawing: its file, or its pixels (H, W, 4) uint8 RGBA.
        length: pixels of its longer side before turning.
        angle: degrees, anticlockwise as seen.
        flip: mirror left and right first.
        gain: brightness in 256ths.

    Returns:
        (H, W, 4) uint8 RGB times alpha, and alpha; just large enough to hold it.
    """
    lanes, height, width = _level(drawing, length)
    cos, sin = _COS[angle % 360], _COS[(angle - 90) % 360]
    longest = max(height, width)
    rows = ((height * abs(cos) + width * abs(sin)) * length // longest >> 16) + 2
    cols = ((width * abs(cos) + height * abs(sin)) * length // longest >> 16) + 2
    cos, sin = cos * longest // length, sin * longest // length
    y = np.arange(1 - rows, rows, 2, dtype=np.int32)[:, None]  # (rows, 1) in half pixels from the centre
    x = np.arange(1 - cols, cols, 2, dtype=np.int32)[None, :]  # (1, cols)
    if flip:
        x, sin = -x, -sin
    # where each pixel comes from, 8 bits behind the point; the drawing has a see-through border of one pixel
    from_y = (x * sin + y * cos >> 9) + (height + 1) * 128
    from_x = (x * cos - y * sin >> 9) + (width + 1) * 128
    pixels = _sample(lanes, from_y.clip(0, (height + 1) * 256 - 1), from_x.clip(0, (width + 1) * 256 - 1))
    if gain != 256:
        pixels[..., :3] = np.minimum(pixels[..., :3].astype(np.uint32) * gain >> 8, pixels[..., 3:])
    return pixels.astype(np.uint8)


def _sample(lanes: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Interpolate between four neighbours; one 64-bit number holds a pixel's four 16-bit channels."""
    stride = lanes.shape[1]
    at = (y >> 8) * stride + (x >> 8)
    down, right = y & 255, x & 255
    both = down * right >> 8
    flat = lanes.ravel()
    total = flat[at] * (256 - down - right + both).astype(np.uint64)
    total += flat[at + 1] * (right - both).astype(np.uint64)
    total += flat[at + stride] * (down - both).astype(np.uint64)
    total += flat[at + stride + 1] * both.astype(np.uint64)
    return total.view(np.uint16).reshape(*at.shape, 4) >> 8


def draw_on(image: np.ndarray, drawn: np.ndarray, top: int, left: int) -> None:
    """Lay a drawn sticker on `image` in place; what hangs over the edge is cut."""
    inside, part = overlap(image.shape, drawn.shape, top, left)
    below, seen = image[inside], drawn[part]
    rest = 255 - seen[..., 3].astype(np.uint16)
    for c in range(3):
        below[..., c] = (below[..., c] * rest + 127) // 255 + seen[..., c]


def overlap(shape: tuple, drawn: tuple, top: int, left: int) -> tuple[tuple, tuple]:
    """Return the slices of the picture and of the drawing where the two meet."""
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = max(min(top + drawn[0], shape[0]), y0), max(min(left + drawn[1], shape[1]), x0)
    return np.s_[y0:y1, x0:x1], np.s_[y0 - top : y1 - top, x0 - left : x1 - left]


@cache
def _photo(name: str, shrink: int) -> np.ndarray:
    """A photo made smaller by averaging blocks of shrink x shrink pixels; (H, W, 3) uint16."""
    photo = photos.load(name)
    if name in _PARTS:
        photo = photo[_PARTS[name]]
        photo = np.concatenate([photo, photo[:, ::-1]], axis=1)  # mirrored: wide enough for the largest scene
    height, width = (side // shrink for side in photo.shape[:2])
    blocks = photo[: height * shrink, : width * shrink].reshape(height, shrink, width, shrink, 3)
    return (blocks.sum(axis=(1, 3), dtype=np.uint32) // shrink**2).astype(np.uint16)


def _level(drawing: Path | np.ndarray, length: int) -> tuple[np.ndarray, int, int]:
    """Return the smallest halving of a drawing that is still at least `length` long, and its size."""
    levels = _halvings(drawing, length) if isinstance(drawing, np.ndarray) else _levels(drawing)
    fitting = [level for level in levels if max(level[1:]) >= length]
    return fitting[-1] if fitting else levels[0]


@cache
def _levels(path: Path) -> list[tuple[np.ndarray, int, int]]:
    from PIL import Image

    with Image.open(path) as image:
        return _halvings(np.array(image.convert("RGBA")))


def _halvings(pixels: np.ndarray, least: int = 1) -> list[tuple[np.ndarray, int, int]]:
    """A drawing cut to its outline at full, half and quarter size, none of the smaller ones under `least`; 64-bit lanes."""
    pixels = pixels.astype(np.uint16)
    pixels[..., :3] = (pixels[..., :3] * pixels[..., 3:] + 127) // 255
    rows, cols = (np.flatnonzero((pixels[..., 3] >= 8).any(axis=axis)) for axis in (1, 0))
    pixels = pixels[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    levels = []
    for _ in range(3):
        height, width = pixels.shape[:2]
        padded = np.pad(
            pixels, ((1, 2), (1, 2), (0, 0))
        )  # see-through border; the second one keeps at + 1 inside
        levels.append((np.ascontiguousarray(padded).view(np.uint64)[..., 0], height, width))
        if max(height, width) < 2 * least - 1:  # its half is too small
            break
        even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)))
        blocks = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2, 4)
        pixels = ((blocks.sum(axis=(1, 3), dtype=np.uint32) + 2) // 4).astype(np.uint16)
    return levels
