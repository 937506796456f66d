"""Small charts, drawn by Pillow in a few milliseconds: axes, lines with names at their ends, points."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from cvlab.widgets._engine.labels import freest, spread
from cvlab.widgets._engine.palette import LIGHT, Palette
from cvlab.widgets._engine.picture import DENSE, font

__all__ = ["Axis", "Line", "Point", "chart"]

Colour = tuple[int, int, int]
LEFT, TOP, BOTTOM = 46, 12, 42  # CSS pixels, as all numbers here
WORDS = font(13 * DENSE)
ROW = 17  # height of a line of words


class Line(NamedTuple):
    """A line through (N,) places, and the name that stands at its end."""

    x: Sequence[float]
    y: Sequence[float]
    colour: Colour
    width: int = 2
    name: str = ""


class Point(NamedTuple):
    """A dot with a text beside it."""

    x: float
    y: float
    colour: Colour
    text: str = ""


class Axis(NamedTuple):
    """The x axis: its name, where it begins and ends, and the step from one grid line to the next."""

    label: str
    low: float = 0.0
    high: float = 1.0
    tick: float = 0.2  # whole steps are written without a decimal point


def chart(
    lines: Sequence[Line],
    points: Sequence[Point] = (),
    *,
    x: Axis,
    y_label: str = "",
    levels: dict[float, str] | None = None,
    size: tuple[int, int] = (300, 320),
    room: int = 14,
    look: Palette = LIGHT,
) -> np.ndarray:
    """Draw lines and points over axes; y runs from 0 to 1.

    Args:
        lines: the lines, drawn first; what leaves the axes is cut off.
        points: the dots; their texts stand where they cover no line.
        x: the x axis.
        y_label: what y is.
        levels: y -> what is written there, instead of the numbers 0.0 to 1.0.
        size: height and width in CSS pixels.
        room: CSS pixels right of the axes, for the names of lines.
        look: the theme.

    Returns:
        (H, W, 3) uint8 RGB, `DENSE` pixels a CSS pixel.
    """
    height, width = size
    picture = Image.new("RGB", (width * DENSE, height * DENSE), look.ground)
    pen = ImageDraw.Draw(picture)
    inner = (width - LEFT - room, height - TOP - BOTTOM)

    def place(across, up):
        return LEFT + (across - x.low) / (x.high - x.low) * inner[0], TOP + (1 - up) * inner[1]

    _axes(picture, pen, place, x, levels or {y / 5: f"{y / 5:.1f}" for y in range(6)}, look)
    middle = (LEFT + inner[0] / 2, height - 4)
    pen.text(_at(middle), x.label, font=WORDS, fill=look.ink, anchor="mb")
    _upright(picture, y_label, (10, TOP + inner[1] / 2), look)
    taken = Image.new("F", (width, height))
    mark = ImageDraw.Draw(taken)
    for line in lines:
        path = [place(*at) for at in zip(line.x, np.clip(line.y, 0, 1), strict=True)]
        pen.line([_at(at) for at in path], fill=line.colour, width=line.width * DENSE, joint="curve")
        mark.line(path, fill=1.0, width=3)
    for point in points:
        across, down = place(point.x, point.y)
        _dot(pen, (across, down), 6, point.colour, look)
        mark.ellipse((across - 7, down - 7, across + 7, down + 7), fill=5.0)
    taken = np.array(taken)
    _names(
        pen,
        [(place(line.x[-1], np.clip(line.y[-1], 0, 1)), line) for line in lines if line.name],
        taken,
        look,
    )
    for point in points:
        if point.text:
            _beside(pen, place(point.x, point.y), point.text, taken, look)
    return np.asarray(picture)


def _at(place: tuple[float, float]) -> tuple[float, float]:
    return place[0] * DENSE, place[1] * DENSE


def _axes(picture, pen, place, x: Axis, levels: dict[float, str], look: Palette) -> None:
    for i in range(int((x.high - x.low) / x.tick + 1e-9) + 1):
        across = x.low + x.tick * i
        pen.line([_at(place(across, 0)), _at(place(across, 1))], fill=look.grid, width=DENSE)
        words = f"{across:.0f}" if x.tick >= 1 else f"{across:.1f}"
        left, foot = place(across, 0)
        pen.text(_at((left, foot + 5)), words, font=WORDS, fill=look.dim, anchor="mt")
    for y, words in levels.items():
        pen.line([_at(place(x.low, y)), _at(place(x.high, y))], fill=look.grid, width=DENSE)
        pen.text(_at((LEFT - 6, place(x.low, y)[1])), words, font=WORDS, fill=look.dim, anchor="rm")


def _dot(pen, place: tuple[float, float], radius: int, colour: Colour, look: Palette) -> None:
    (x, y), r = _at(place), radius * DENSE
    pen.ellipse((x - r, y - r, x + r, y + r), fill=colour, outline=look.ground, width=2 * DENSE)


def _names(pen, ends: list, taken: np.ndarray, look: Palette) -> None:
    """Write the names of the lines right of their ends, apart from each other."""
    heights = spread([end[1] for end, _ in ends], ROW, ROW / 2, taken.shape[0] - BOTTOM)
    for ((across, _), line), middle in zip(ends, heights, strict=True):
        at = (across + 10, middle)
        pen.text(_at(at), line.name, font=WORDS, fill=look.text(line.colour), anchor="lm")
        long = int(WORDS.getlength(line.name) / DENSE)
        taken[int(middle - ROW / 2) : int(middle + ROW / 2), int(at[0]) : int(at[0]) + long] += 10


def _beside(pen, place: tuple[float, float], text: str, taken: np.ndarray, look: Palette) -> None:
    """Write a text near a dot, where it covers the least."""
    across, down = place
    width = round(WORDS.getlength(text) / DENSE) + 4
    sides = [(across + 9, down - ROW / 2), (across - 9 - width, down - ROW / 2)]
    rows = [
        (left, down + rise)
        for rise in (-ROW - 8, 8)
        for left in (across - width / 2, across + 4, across - 4 - width)
    ]
    far = [
        (left, down + rise) for rise in (-2 * ROW - 8, ROW + 12) for left in (across + 4, across - 4 - width)
    ]
    left, top = freest(taken, [*sides, *rows, *far], (width, ROW))
    at = _at((left + 2, top + ROW / 2))
    pen.text(
        at, text, font=WORDS, fill=look.ink, anchor="lm", stroke_width=2 * DENSE, stroke_fill=look.ground
    )


def _upright(picture: Image.Image, text: str, centre: tuple[float, float], look: Palette) -> None:
    """Write a text that reads from bottom to top."""
    if not text:
        return
    length, height = round(WORDS.getlength(text)) + 4, 18 * DENSE
    strip = Image.new("RGB", (length, height), look.ground)
    ImageDraw.Draw(strip).text((2, height / 2), text, font=WORDS, fill=look.ink, anchor="lm")
    x, y = _at(centre)
    picture.paste(strip.rotate(90, expand=True), (int(x - height / 2), int(y - length / 2)))
