"""Pictures made of arrays, fast: captions, boards of panels, signed maps. No figure is ever made."""

import functools
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cvlab import _validate

__all__ = [
    "BOARD",
    "INK",
    "as_photo",
    "board",
    "decibels",
    "enlarge",
    "font",
    "outlined",
    "panel",
    "scaled",
    "signed_map",
    "stretch",
]

BOARD = (34, 38, 43)  # a dark neutral surround: the eye judges a photo best there, in a light or a dark page
INK = (236, 239, 241)
GAP = 14
CAPTION = 24
# ColorBrewer's RdBu, blue below zero, red above: told apart by the colour-blind.
ANCHORS = [
    "053061",
    "2166ac",
    "4393c3",
    "92c5de",
    "d1e5f0",
    "f7f7f7",
    "fddbc7",
    "f4a582",
    "d6604d",
    "b2182b",
    "67001f",
]


@functools.lru_cache
def font(size: int = 14, *, mono: bool = False) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans from matplotlib's files (matplotlib itself is not imported), else Pillow's own font."""
    spec = importlib.util.find_spec("matplotlib")
    name = "DejaVuSansMono.ttf" if mono else "DejaVuSans.ttf"
    path = Path(spec.origin).parent / "mpl-data/fonts/ttf" / name if spec and spec.origin else Path(name)
    return ImageFont.truetype(path, size) if path.exists() else ImageFont.load_default(size)


@functools.lru_cache(512)
def caption(text: str, width: int) -> np.ndarray:
    """Draw one line of type as a (24, width, 3) strip, shrunk until it fits."""
    strip = Image.new("RGB", (width, CAPTION), BOARD)
    size = next((s for s in (13, 12, 11, 10) if font(s).getlength(text) <= width), 9)
    ImageDraw.Draw(strip).text((0, CAPTION - 8), text, font=font(size), fill=INK, anchor="ls")
    return np.asarray(strip)


def panel(text: str, picture: np.ndarray) -> np.ndarray:
    """Put a caption above a picture; grey (H, W) pictures become RGB."""
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)  # (H, W) -> (H, W, 3)
    return np.concatenate([caption(text, picture.shape[1]), picture])


def board(rows: Sequence[Sequence[tuple[str, np.ndarray]]]) -> np.ndarray:
    """Lay captioned pictures in rows on a dark board, aligned at the top left with equal gaps.

    Args:
        rows: for each row, pairs of a caption and a (H, W) or (H, W, 3) uint8 picture.

    Returns:
        (H, W, 3) uint8 RGB.

    Example:
        >>> board([[("a", np.zeros((40, 50), np.uint8)), ("b", np.zeros((40, 50), np.uint8))]]).shape
        (85, 142, 3)
    """
    drawn = [[panel(text, picture) for text, picture in row] for row in rows]
    heights = [max(p.shape[0] for p in row) for row in drawn]
    width = max(sum(p.shape[1] for p in row) + GAP * (len(row) + 1) for row in drawn)
    out = np.empty((sum(heights) + GAP // 2 * (len(rows) + 1) + GAP // 2, width, 3), np.uint8)
    out[:] = BOARD
    top = GAP // 2
    for row, height in zip(drawn, heights, strict=True):
        left = GAP
        for p in row:
            out[top : top + p.shape[0], left : left + p.shape[1]] = p
            left += p.shape[1] + GAP
        top += height + GAP // 2
    return out


def signed_map(values: np.ndarray, limit: float) -> np.ndarray:
    """Colour signed numbers, centred at 0: blue below, white at zero, red above.

    Args:
        values: any shape, signed.
        limit: the size of number that gets the strongest colour; larger ones stay there.

    Returns:
        the shape of `values` with 3 added, uint8 RGB.

    Example:
        >>> signed_map(np.array([-1.0, 0.0, 1.0]), 1).tolist()
        [[5, 48, 97], [247, 247, 247], [103, 0, 31]]

    Source: ColorBrewer, RdBu (Harrower and Brewer, 2003).
    """
    index = np.clip(np.asarray(values, np.float32) * (255 / limit) + 255.5, 0, 510).astype(np.intp)
    return _lut()[index]


@functools.lru_cache
def _lut() -> np.ndarray:
    colours = np.array([[int(a[i : i + 2], 16) for i in (0, 2, 4)] for a in ANCHORS])  # (11, 3)
    where = np.linspace(0, 510, len(ANCHORS))
    return (
        np.stack([np.interp(np.arange(511), where, colours[:, c]) for c in range(3)], 1)
        .round()
        .astype(np.uint8)
    )


def enlarge(picture: np.ndarray, factor: int) -> np.ndarray:
    """Repeat every pixel `factor` times both ways: nearest neighbour, nothing invented."""
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def stretch(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Show a picture at exactly `height` x `width`, nearest neighbour, so that its pixels stay visible."""
    rows = (np.arange(height) + 0.5) * picture.shape[0] // height
    cols = (np.arange(width) + 0.5) * picture.shape[1] // width
    return picture[rows.astype(int)[:, None], cols.astype(int)]


def scaled(picture: np.ndarray, longest: int) -> np.ndarray:
    """Shrink a photo (antialiased) so that its longest side is at most `longest`; smaller ones are kept."""
    height, width = picture.shape[:2]
    if max(height, width) <= longest:
        return picture
    factor = longest / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))


def as_photo(source, longest: int | None = None) -> np.ndarray:
    """Return (H, W, 3) uint8 RGB from a photo's name, a path, or an array; optionally shrunk.

    Raises:
        ValueError: when an array is not (H, W, 3) uint8 RGB; nothing is converted silently.
    """
    if isinstance(source, str | Path):
        from cvlab.world import photos

        source = photos.load(source)
    source = _validate.image(source, "image", channels=(3,))
    if source.dtype != np.uint8:
        raise ValueError(f"image must be uint8, 0 to 255; got {source.dtype}: (image * 255).astype('uint8')?")
    return source if longest is None else scaled(source, longest)


def outlined(picture: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
    """Return a copy with a rectangle drawn around a window: white in black, seen on any picture."""
    out = Image.fromarray(picture)  # a copy: Pillow owns its pixels
    draw = ImageDraw.Draw(out)
    for border, colour in ((2, (0, 0, 0)), (1, (255, 255, 255))):
        box = (left - border, top - border, left + width + border - 1, top + height + border - 1)
        draw.rectangle(box, outline=colour)
    return np.asarray(out)


def decibels(value: float) -> str:
    """Write a PSNR; the same picture has no noise at all, so its PSNR is infinite.

    Example:
        >>> decibels(31.416), decibels(float("inf"))
        ('31.4 dB', '∞ (identical)')
    """
    return f"{value:.1f} dB" if np.isfinite(value) else "∞ (identical)"
