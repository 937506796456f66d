"""Pictures for the card of a wrong answer: input, expected, got, signed difference."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from cvlab.checks._engine.card import Picture
from cvlab.checks._engine.describe import is_tensor, plain

__all__ = ["pictures"]

_SIDE = 132  # pixels of the longer side, about: four fit into a window of 800
_NUMBERS = 6  # numbers are written into pictures of at most this many rows and columns
_DARK = 64  # a uint8 picture below this would be black to the eye: its brightest pixel is shown white
_BLUE, _WHITE, _RED = np.array([[0, 114, 178], [255, 255, 255], [213, 94, 0]], float)  # Okabe-Ito


def pictures(given: Any, expected: Any, got: Any, to_image: Callable | None = None) -> tuple[Picture, ...]:
    """Return what there is to see of a failing case; empty where the expected result is no image."""
    expected, got = _image(expected, to_image), _image(got, to_image)
    if expected is None:
        return ()
    given = _image(given, None)
    low, high = _range(expected, got)
    scale = (low, high) if given is not None and given.dtype == expected.dtype else _range(given, None)
    found = [] if given is None else [_picture("Input", given, *scale)]
    found.append(_picture("Expected", expected, low, high))
    if got is not None:
        found.append(_picture("Got", got, low, high))
        if got.shape == expected.shape:
            found.append(_difference(expected, got))
    return tuple(found)


def _image(value: Any, to_image: Callable | None) -> np.ndarray | None:
    """Return `value` as (H, W) or (H, W, 3), or None where it is no image."""
    try:
        value = to_image(value) if to_image else value
        value = plain(value) if is_tensor(value) else value
    except Exception:
        return None
    if type(value) is not np.ndarray or value.dtype.kind not in "biuf" or not 0 < value.size <= 10**7:
        return None
    is_image = value.ndim == 2 or (value.ndim == 3 and value.shape[2] == 3)
    return value if is_image and value[..., None].shape[0] * value.shape[1] > 1 else None


def _range(image: np.ndarray | None, other: np.ndarray | None) -> tuple[float, float]:
    """Return the values shown as black and white: 0 to 255, 0 to 1, or what both arrays span."""
    if image is None:
        return 0.0, 1.0
    if image.dtype == np.uint8:
        brightest = max(int(a.max()) for a in (image, other) if a is not None and a.dtype == np.uint8)
        return 0.0, 255.0 if brightest >= _DARK else max(brightest, 1.0)
    values = np.concatenate(
        [a[np.isfinite(a)].ravel() for a in (image, other) if a is not None] or [image.ravel()]
    )
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    return (low, high) if high > low else (low, low + 1)


def _picture(caption: str, image: np.ndarray, low: float, high: float) -> Picture:
    grey = np.nan_to_num(np.clip((image.astype(float) - low) / (high - low), 0, 1) * 255, nan=0)
    pixels = np.broadcast_to(grey[..., None], (*grey.shape, 3)) if image.ndim == 2 else grey
    alt = f"{caption}: picture of {image.shape[0]} rows and {image.shape[1]} columns, " + _span(image)
    return Picture(_sized(caption, image), alt, _png(pixels.astype(np.uint8), image))


def _difference(expected: np.ndarray, got: np.ndarray) -> Picture:
    """Draw got minus expected: blue where got is too small, white where equal, red where it is too large."""
    gap = np.nan_to_num(got.astype(float) - expected.astype(float), nan=0, posinf=0, neginf=0)
    if gap.ndim == 3:  # of the three channels show the one that differs most
        strongest = np.abs(gap).argmax(axis=2)[..., None]
        gap = np.take_along_axis(gap, strongest, axis=2)[..., 0]  # (H, W)
    most = np.abs(gap).max() or 1.0
    amount = np.abs(gap / most)[..., None]  # (H, W, 1)
    pixels = _WHITE + amount * (np.where(gap[..., None] < 0, _BLUE, _RED) - _WHITE)
    share = np.mean(gap != 0)
    alt = f"Difference, got minus expected: {share:.0%} of the pixels differ, {_span(gap)}"
    return Picture("Got minus expected: blue is below, red above", alt, _png(pixels.astype(np.uint8), gap))


def _span(image: np.ndarray) -> str:
    finite = image[np.isfinite(image)]
    return f"values from {finite.min():.4g} to {finite.max():.4g}" if finite.size else "no finite value"


def _sized(caption: str, image: np.ndarray) -> str:
    return f"{caption}, {image.shape[0]} x {image.shape[1]}"


def _png(pixels: np.ndarray, values: np.ndarray) -> bytes:
    """Enlarge (H, W, 3) uint8 pixels by a whole number, nearest neighbour, with the numbers where they fit."""
    from PIL import Image

    height, width = pixels.shape[:2]
    scale = max(1, _SIDE // max(height, width))
    with_numbers = max(height, width) <= _NUMBERS
    scale = max(scale, 40) if with_numbers else scale
    if max(height, width) > 4 * _SIDE:  # too large to show in full: every n-th pixel
        step = -(-max(height, width) // (4 * _SIDE))
        pixels = np.ascontiguousarray(pixels[::step, ::step])
    big = Image.fromarray(np.ascontiguousarray(pixels.repeat(scale, axis=0).repeat(scale, axis=1)))
    if with_numbers:
        _write_numbers(big, pixels, values, scale)
    buffer = io.BytesIO()
    big.save(buffer, "PNG")
    return buffer.getvalue()


def _write_numbers(picture: Any, pixels: np.ndarray, values: np.ndarray, scale: int) -> None:
    from PIL import ImageDraw, ImageFont

    draw, font = ImageDraw.Draw(picture), ImageFont.load_default()
    for row, col in np.ndindex(values.shape[:2]):
        bright = pixels[row, col] @ [0.299, 0.587, 0.114] > 140
        numbers = [f"{v:.3g}" for v in np.atleast_1d(values[row, col]).astype(float)]
        centre = ((col + 0.5) * scale, (row + 0.5) * scale)
        fill = (0, 0, 0) if bright else (255, 255, 255)
        box = draw.multiline_textbbox((0, 0), "\n".join(numbers), font=font, align="center")
        corner = (centre[0] - (box[0] + box[2]) / 2, centre[1] - (box[1] + box[3]) / 2)
        draw.multiline_text(corner, "\n".join(numbers), fill=fill, font=font, align="center")
