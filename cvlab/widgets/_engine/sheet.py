"""A white sheet on which Python draws what a canvas shows on a light page: the same places, two pixels a CSS pixel."""

import numpy as np
from PIL import Image, ImageDraw

from cvlab.widgets._engine import palette
from cvlab.widgets._engine.palette import LIGHT
from cvlab.widgets._engine.picture import DENSE, font

__all__ = [
    "DIM",
    "ERROR",
    "GRID",
    "HERE",
    "INK",
    "PAPER",
    "PREDICTION",
    "TRUTH",
    "Sheet",
    "css",
    "ink_on",
    "text_width",
]


def css(rgb) -> str:
    """Write a colour as "#rrggbb".

    Example:
        >>> css((0, 158, 115))
        '#009e73'
    """
    return "#{:02x}{:02x}{:02x}".format(*rgb)


PAPER, INK, DIM, GRID = (css(colour) for colour in (LIGHT.ground, LIGHT.ink, LIGHT.dim, LIGHT.grid))
TRUTH, PREDICTION, ERROR, HERE = map(css, (LIGHT.truth, LIGHT.prediction, LIGHT.error, LIGHT.orange))


def ink_on(rgb) -> str:
    """Return black or white, whichever is read better on a colour: the contrast is never below 4.5.

    Example:
        >>> ink_on((0, 158, 115)), ink_on((0, 114, 178))
        ('#000000', '#ffffff')
    """
    return css(palette.ink_on(rgb))


class Sheet:
    """Paper measured in CSS pixels, as a canvas is; colours are "#rrggbb" or "#rrggbbaa".

    Example:
        >>> sheet = Sheet(40, 20)
        >>> sheet.box(10, 5, 20, 10, fill=INK)
        >>> sheet.pixels.shape, sheet.pixels[20, 40].tolist()
        ((40, 80, 3), [26, 29, 33])
    """

    def __init__(self, width: float, height: float):
        self._image = Image.new("RGB", (round(width * DENSE), round(height * DENSE)), PAPER)
        self._pen = ImageDraw.Draw(self._image, "RGBA")

    @property
    def pixels(self) -> np.ndarray:
        """What was drawn: (H, W, 3) uint8 RGB."""
        return np.asarray(self._image)

    def box(self, x, y, width, height, *, fill=None, outline=None, line: float = 1) -> None:
        """Fill a rectangle, or draw its outline, half of it inside and half outside."""
        if fill:
            self._pen.rectangle(_corners(x, y, width, height), fill=fill)
        if outline:
            around = _corners(x - line / 2, y - line / 2, width + line, height + line)
            self._pen.rectangle(around, outline=outline, width=round(line * DENSE))

    def circle(self, x, y, radius, *, fill=None, outline=None, line: float = 1) -> None:
        """Draw a disc around a centre, its outline half inside and half outside."""
        radius += line / 2 if outline else 0
        around = [v * DENSE for v in (x - radius, y - radius, x + radius, y + radius)]
        self._pen.ellipse(around, fill=fill, outline=outline, width=round(line * DENSE) if outline else 0)

    def path(self, places, colour: str, line: float = 1) -> None:
        """Join places (x, y) by straight lines."""
        places = [(x * DENSE, y * DENSE) for x, y in places]
        self._pen.line(places, fill=colour, width=round(line * DENSE), joint="curve")

    def area(self, places, fill: str) -> None:
        """Fill a polygon of places (x, y)."""
        self._pen.polygon([(x * DENSE, y * DENSE) for x, y in places], fill=fill)

    def text(self, x, y, words: str, *, size=13, fill=INK, anchor="ls", bold=False) -> None:
        """Write one line; `anchor` is Pillow's: l, m, r across, then m for the middle or s for the base line."""
        stroke = {"stroke_width": 1, "stroke_fill": fill} if bold else {}
        place = (x * DENSE, y * DENSE)
        self._pen.text(place, words, font=font(size * DENSE), fill=fill, anchor=anchor, **stroke)

    def upright(self, x, y, words: str, *, size=13, fill=INK) -> None:
        """Write one line that reads from bottom to top, around its middle."""
        length = round(font(size * DENSE).getlength(words)) + 4
        strip = Image.new("RGB", (length, (size + 6) * DENSE), PAPER)
        middle = (length / 2, strip.height / 2)
        ImageDraw.Draw(strip).text(middle, words, font=font(size * DENSE), fill=fill, anchor="mm")
        turned = strip.rotate(90, expand=True)
        self._image.paste(turned, (round(x * DENSE - turned.width / 2), round(y * DENSE - turned.height / 2)))

    def paste(self, x, y, picture: np.ndarray, width: float, height: float, *, smooth: bool = True) -> None:
        """Lay a (H, W) or (H, W, 3) uint8 picture over a rectangle."""
        size = (round(width * DENSE), round(height * DENSE))
        how = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
        self._image.paste(
            Image.fromarray(picture).convert("RGB").resize(size, how),
            (round(x * DENSE), round(y * DENSE)),
        )


def _corners(x, y, width, height) -> tuple[int, int, int, int]:
    """Return the first and last pixels of a rectangle."""
    return (
        round(x * DENSE),
        round(y * DENSE),
        max(round((x + width) * DENSE) - 1, round(x * DENSE)),
        max(round((y + height) * DENSE) - 1, round(y * DENSE)),
    )


def text_width(words: str, size: float) -> float:
    """The width of a line of text in CSS pixels."""
    return font(size * DENSE).getlength(words) / DENSE
