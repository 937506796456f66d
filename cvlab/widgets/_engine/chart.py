"""Small charts of arrays, drawn by Pillow in a few milliseconds: axes from 0 to 1, lines, points, boxes on a photo."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from cvlab.widgets._engine.picture import BOARD, INK, font

__all__ = ["BLUE", "GREEN", "ORANGE", "SKY", "Axis", "Line", "Outline", "Point", "chart", "drawn_boxes"]

GREEN, ORANGE, SKY, BLUE = (
    (0, 190, 140),
    (230, 120, 0),
    (86, 180, 233),
    (90, 150, 255),
)  # told apart by everyone
DIM, GRID = (150, 158, 166), (56, 62, 69)
LEFT, RIGHT, TOP, BOTTOM = 44, 14, 12, 40


class Line(NamedTuple):
    """A line through (N,) places."""

    x: Sequence[float]
    y: Sequence[float]
    colour: tuple[int, int, int]
    width: int = 2


class Point(NamedTuple):
    """A dot with a text beside it."""

    x: float
    y: float
    colour: tuple[int, int, int]
    text: str


class Axis(NamedTuple):
    """The x axis: its name, where it begins and ends, and the step from one grid line to the next."""

    label: str
    low: float = 0.0
    high: float = 1.0
    tick: float = 0.2  # whole steps are written without a decimal point


class Outline(NamedTuple):
    """A box, x, y, width, height in pixels, and how it is drawn."""

    box: Sequence[float]
    colour: tuple[int, int, int]
    text: str
    dashed: bool = False


def chart(
    lines: Sequence[Line],
    points: Sequence[Point] = (),
    *,
    x: Axis,
    y_label: str = "",
    levels: dict[float, str] | None = None,
    size: tuple[int, int] = (320, 300),
) -> np.ndarray:
    """Draw lines and points over axes; y runs from 0 to 1.

    Args:
        lines: the lines, drawn first.
        points: the dots.
        x: the x axis.
        y_label: what y is.
        levels: y -> what is written there, instead of the numbers 0.0 to 1.0.
        size: height and width of the picture.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = size
    picture = Image.new("RGB", (width, height), BOARD)
    pen = ImageDraw.Draw(picture)
    inner = (width - LEFT - RIGHT, height - TOP - BOTTOM)

    def place(across, up):
        return LEFT + (across - x.low) / (x.high - x.low) * inner[0], TOP + (1 - up) * inner[1]

    for i in range(int((x.high - x.low) / x.tick + 1e-9) + 1):
        across = x.low + x.tick * i
        pen.line([place(across, 0), place(across, 1)], fill=GRID)
        pen.text(
            (place(across, 0)[0], height - BOTTOM + 5),
            f"{across:.0f}" if x.tick >= 1 else f"{across:.1f}",
            font=font(11),
            fill=DIM,
            anchor="mt",
        )
    for y, text in (levels or {y / 5: f"{y / 5:.1f}" for y in range(6)}).items():
        pen.line([place(x.low, y), place(x.high, y)], fill=GRID)
        pen.text((LEFT - 6, place(x.low, y)[1]), text, font=font(11), fill=DIM, anchor="rm")
    pen.text((LEFT + inner[0] / 2, height - 4), x.label, font=font(12), fill=INK, anchor="mb")
    _upright(picture, y_label, (12, TOP + inner[1] / 2))
    for line in lines:
        pen.line([place(*at) for at in zip(line.x, line.y, strict=True)], fill=line.colour, width=line.width)
    for point in points:
        across, down = place(point.x, point.y)
        pen.ellipse(
            (across - 6, down - 6, across + 6, down + 6), fill=point.colour, outline=(255, 255, 255), width=2
        )
        right, below = across > LEFT + inner[0] * 0.6, point.y > 0.8  # where the text has room
        where = (across + (-10 if right else 10), down + (10 if below else -8))
        anchor = ("r" if right else "l") + ("t" if below else "b")
        pen.text(where, point.text, font=font(12), fill=INK, anchor=anchor, stroke_width=2, stroke_fill=BOARD)
    return np.asarray(picture)


def _upright(picture: Image.Image, text: str, centre: tuple[float, float]) -> None:
    """Write a text that reads from bottom to top."""
    length = int(font(12).getlength(text)) + 4
    strip = Image.new("RGB", (length, 18), BOARD)
    ImageDraw.Draw(strip).text((2, 9), text, font=font(12), fill=INK, anchor="lm")
    turned = strip.rotate(90, expand=True)
    picture.paste(turned, (int(centre[0] - 9), int(centre[1] - length / 2)))


def drawn_boxes(image: np.ndarray, boxes: Sequence[Outline], side: int = 320) -> np.ndarray:
    """Draw boxes on a square picture enlarged to `side` pixels.

    Args:
        image: (H, W, 3) uint8 RGB.
        boxes: what is drawn, the texts over all the outlines.
        side: pixels of the longer side of the result.

    Returns:
        (side, side, 3) uint8 RGB, for a square picture.
    """
    scale = side / max(image.shape[:2])
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    picture = Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    for (x, y, w, h), colour, _, dashed in boxes:
        corners = [round(v * scale) for v in (x, y, x + w, y + h)]
        _rectangle(pen, corners, colour, dashed)
    for (x, y, _, h), colour, text, dashed in boxes:
        if text:  # inside at the top; of a dashed box, which may have a twin, at the bottom
            at = (
                max(x, 0) * scale + 3,
                min((y + h) * scale, size[1]) - 3 if dashed else max(y, 0) * scale + 16,
            )
            box = pen.textbbox(at, text, font=font(11), anchor="lb")
            pen.rectangle((box[0] - 2, box[1] - 1, box[2] + 2, box[3] + 1), fill=colour)
            pen.text(at, text, font=font(11), fill=(0, 0, 0), anchor="lb")
    return np.asarray(picture)


def _rectangle(pen: ImageDraw.ImageDraw, corners: list[int], colour, dashed: bool) -> None:
    x0, y0, x1, y1 = corners
    if not dashed:
        pen.rectangle((x0 - 1, y0 - 1, x1 + 1, y1 + 1), outline=(0, 0, 0), width=1)
        pen.rectangle((x0, y0, x1, y1), outline=colour, width=2)
        return
    for start in range(x0, x1, 10):
        for y in (y0, y1):
            pen.line([(start, y), (min(start + 5, x1), y)], fill=colour, width=3)
    for start in range(y0, y1, 10):
        for x in (x0, x1):
            pen.line([(x, start), (x, min(start + 5, y1))], fill=colour, width=3)
