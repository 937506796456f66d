"""Pictures made of arrays, fast: captions, boards of panels, signed maps. No figure is ever made."""

import functools
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cvlab import _validate
from cvlab.widgets._engine.palette import LIGHT, Palette

__all__ = [
    "DENSE",
    "as_photo",
    "board",
    "decibels",
    "dense",
    "enlarge",
    "font",
    "outlined",
    "scaled",
    "signed_map",
    "stretch",
]

DENSE = 2  # pixels a CSS pixel: type and lines stay sharp on a dense screen
GAP, MARGIN, CAPTION, TYPE = 14, 8, 24, 13  # CSS pixels
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
def caption(text: str, look: Palette) -> np.ndarray:
    """Draw one line of type as a (H, W, 3) strip, as wide as it needs."""
    size = font(TYPE * DENSE)
    strip = Image.new("RGB", (round(size.getlength(text)) + 2, CAPTION * DENSE), look.ground)
    ImageDraw.Draw(strip).text((0, (CAPTION - 8) * DENSE), text, font=size, fill=look.ink, anchor="ls")
    return np.asarray(strip)


def board(rows: Sequence[Sequence[tuple[str, np.ndarray]]], look: Palette = LIGHT) -> np.ndarray:
    """Lay captioned pictures in rows on the page's ground, aligned at the top left with equal gaps.

    Args:
        rows: for each row, pairs of a caption and a (H, W) or (H, W, 3) uint8 picture, `DENSE` pixels a CSS pixel.
        look: the theme.

    Returns:
        (H, W, 3) uint8 RGB.

    Example:
        >>> board([[("a", np.zeros((40, 50), np.uint8)), ("b", np.zeros((40, 50), np.uint8))]]).shape
        (120, 160, 3)
    """
    drawn = [[(caption(text, look), _colour(picture)) for text, picture in row] for row in rows]
    widths = [[max(title.shape[1], picture.shape[1]) for title, picture in row] for row in drawn]
    heights = [max(picture.shape[0] for _, picture in row) for row in drawn]
    gap, margin, head = GAP * DENSE, MARGIN * DENSE, CAPTION * DENSE
    width = max(sum(row) + gap * (len(row) - 1) for row in widths)
    height = sum(heights) + head * len(rows) + gap // 2 * (len(rows) - 1)
    out = np.empty((height + 2 * margin, width + 2 * margin, 3), np.uint8)
    out[:] = look.ground
    top = margin
    for row, row_widths, row_height in zip(drawn, widths, heights, strict=True):
        left = margin
        for (title, picture), panel_width in zip(row, row_widths, strict=True):
            out[top : top + head, left : left + title.shape[1]] = title
            below = top + head
            out[below : below + picture.shape[0], left : left + picture.shape[1]] = picture
            left += panel_width + gap
        top += head + row_height + gap // 2
    return out


def _colour(picture: np.ndarray) -> np.ndarray:
    return np.repeat(picture[..., None], 3, axis=2) if picture.ndim == 2 else picture  # -> (H, W, 3)


def dense(picture: np.ndarray, width: int) -> np.ndarray:
    """Show a photo smoothly at `width` CSS pixels: (H, `width` * `DENSE`, 3)."""
    across = width * DENSE
    size = (across, max(1, round(picture.shape[0] * across / picture.shape[1])))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))


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
    return picture[:, cols.astype(int)][rows.astype(int)]  # columns first: rows are then copied whole


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
    for border, colour in ((2 * DENSE, (0, 0, 0)), (DENSE, (255, 255, 255))):
        box = (left - border, top - border, left + width + border - 1, top + height + border - 1)
        draw.rectangle(box, outline=colour, width=DENSE)
    return np.asarray(out)


def decibels(value: float) -> str:
    """Write a PSNR; the same picture has no noise at all, so its PSNR is infinite.

    Example:
        >>> decibels(31.416), decibels(float("inf"))
        ('31.4 dB', '∞ (identical)')
    """
    return f"{value:.1f} dB" if np.isfinite(value) else "∞ (identical)"
