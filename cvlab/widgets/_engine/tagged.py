"""Boxes on a photo, each with a tag that covers no other tag."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from cvlab.widgets._engine.labels import freest
from cvlab.widgets._engine.palette import ink_on
from cvlab.widgets._engine.picture import DENSE, dense, font

__all__ = ["Outline", "drawn_boxes"]

Colour = tuple[int, int, int]
TAG = font(13 * DENSE)
HIGH = 18  # CSS pixels of a tag


class Outline(NamedTuple):
    """A box, x, y, width, height in pixels of the photo, and how it is drawn."""

    box: Sequence[float]
    colour: Colour
    text: str
    dashed: bool = False


def drawn_boxes(image: np.ndarray, boxes: Sequence[Outline], side: int = 320) -> np.ndarray:
    """Draw boxes on a picture shown with a longer side of `side` CSS pixels.

    Args:
        image: (H, W, 3) uint8 RGB.
        boxes: what is drawn, the texts over all the outlines.
        side: CSS pixels of the longer side of the result.

    Returns:
        (H, W, 3) uint8 RGB, `DENSE` pixels a CSS pixel.
    """
    scale = side / max(image.shape[:2])
    picture = Image.fromarray(dense(image, round(image.shape[1] * scale)))
    pen = ImageDraw.Draw(picture)
    taken = np.zeros((picture.height // DENSE, picture.width // DENSE))
    corners = [[v * scale for v in (x, y, x + w, y + h)] for (x, y, w, h), *_ in boxes]
    for (x0, y0, x1, y1), outline in zip(corners, boxes, strict=True):
        _rectangle(pen, [round(v * DENSE) for v in (x0, y0, x1, y1)], outline.colour, outline.dashed)
        _mark(taken, x0, y0, x1, y1)
    for (x0, y0, x1, y1), outline in zip(corners, boxes, strict=True):
        if outline.text:
            width = round(TAG.getlength(outline.text) / DENSE) + 8
            across = (x0, x1 - width, (x0 + x1 - width) / 2)
            down = (y0 - HIGH, y0 + 2, y1, y1 - HIGH - 2, (y0 + y1) / 2)
            _tag(pen, freest(taken, [(x, y) for y in down for x in across], (width, HIGH)), width, outline)
    return np.asarray(picture)


def _mark(taken: np.ndarray, x0: float, y0: float, x1: float, y1: float) -> None:
    """Outlines are better not covered."""
    rows, cols = slice(max(0, int(y0)), int(y1) + 1), slice(max(0, int(x0)), int(x1) + 1)
    for y in (y0, y1):
        taken[min(max(int(y), 0), len(taken) - 1), cols] += 0.3
    for x in (x0, x1):
        taken[rows, min(max(int(x), 0), taken.shape[1] - 1)] += 0.3


def _tag(pen: ImageDraw.ImageDraw, at: tuple[int, int], width: int, outline: Outline) -> None:
    x, y = at[0] * DENSE, at[1] * DENSE
    pen.rectangle((x, y, x + width * DENSE - 1, y + HIGH * DENSE - 1), fill=outline.colour)
    at = (x + 4 * DENSE, y + HIGH * DENSE / 2)
    pen.text(at, outline.text, font=TAG, fill=ink_on(outline.colour), anchor="lm")


def _rectangle(pen: ImageDraw.ImageDraw, corners: list[int], colour: Colour, dashed: bool) -> None:
    x0, y0, x1, y1 = corners
    if not dashed:
        pen.rectangle((x0 - 2, y0 - 2, x1 + 2, y1 + 2), outline=(255, 255, 255), width=2)
        pen.rectangle((x0, y0, x1, y1), outline=colour, width=2 * DENSE)
        return
    long = 5 * DENSE
    for width, ink in ((4 * DENSE, (255, 255, 255)), (3 * DENSE, colour)):
        for start in range(x0, x1, 2 * long):
            for y in (y0, y1):
                pen.line([(start, y), (min(start + long, x1), y)], fill=ink, width=width)
        for start in range(y0, y1, 2 * long):
            for x in (x0, x1):
                pen.line([(x, start), (x, min(start + long, y1))], fill=ink, width=width)
