"""A white sheet on which Python draws what a canvas shows on a light page: the same places, two pixels a CSS pixel."""

import numpy as np
from PIL import Image, ImageDraw

from cvlab.draw import ERROR, PREDICTION, TRUTH
from cvlab.widgets._engine.picture import font

__all__ = ["DENSITY", "DIM", "FAINT", "HUES", "INK", "LINE", "PAPER", "Sheet", "ink_on", "text_width"]

DENSITY = 2  # pixels of the picture a CSS pixel
INK, DIM, LINE, FAINT, PAPER = (
    "#212121",
    "#616161",
    "#bdbdbd",
    "#e0e0e0",
    "#ffffff",
)  # as in pointer.js, light
# What a scene finds in `s.theme`: colours that mean the same in every lesson, and the place where the learner is.
HUES = {"truth": TRUTH, "prediction": PREDICTION, "error": ERROR, "here": "#E69F00"}


def ink_on(rgb) -> str:
    """Return black or white, whichever is read better on a colour: the contrast is never below 4.5.

    Example:
        >>> ink_on((0, 158, 115)), ink_on((0, 114, 178))
        ('#000000', '#ffffff')
    """
    share = np.asarray(rgb) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return "#000000" if linear @ [0.2126, 0.7152, 0.0722] > 0.179 else "#ffffff"


class Sheet:
    """Paper measured in CSS pixels, as a canvas is; colours are "#rrggbb" or "#rrggbbaa".

    Example:
        >>> sheet = Sheet(40, 20)
        >>> sheet.box(10, 5, 20, 10, fill=INK)
        >>> sheet.pixels.shape, sheet.pixels[20, 40].tolist()
        ((40, 80, 3), [33, 33, 33])
    """

    def __init__(self, width: float, height: float):
        self._image = Image.new("RGB", (round(width * DENSITY), round(height * DENSITY)), PAPER)
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
            self._pen.rectangle(around, outline=outline, width=round(line * DENSITY))

    def circle(self, x, y, radius, *, fill=None, outline=None, line: float = 1) -> None:
        """Draw a disc around a centre, its outline half inside and half outside."""
        radius += line / 2 if outline else 0
        around = [v * DENSITY for v in (x - radius, y - radius, x + radius, y + radius)]
        self._pen.ellipse(around, fill=fill, outline=outline, width=round(line * DENSITY) if outline else 0)

    def path(self, places, colour: str, line: float = 1) -> None:
        """Join places (x, y) by straight lines."""
        places = [(x * DENSITY, y * DENSITY) for x, y in places]
        self._pen.line(places, fill=colour, width=round(line * DENSITY), joint="curve")

    def area(self, places, fill: str) -> None:
        """Fill a polygon of places (x, y)."""
        self._pen.polygon([(x * DENSITY, y * DENSITY) for x, y in places], fill=fill)

    def text(self, x, y, words: str, *, size=13, fill=INK, anchor="ls", bold=False) -> None:
        """Write one line; `anchor` is Pillow's: l, m, r across, then m for the middle or s for the base line."""
        stroke = {"stroke_width": 1, "stroke_fill": fill} if bold else {}
        place = (x * DENSITY, y * DENSITY)
        self._pen.text(place, words, font=font(size * DENSITY), fill=fill, anchor=anchor, **stroke)

    def upright(self, x, y, words: str, *, size=13, fill=INK) -> None:
        """Write one line that reads from bottom to top, around its middle."""
        length = round(font(size * DENSITY).getlength(words)) + 4
        strip = Image.new("RGB", (length, (size + 6) * DENSITY), PAPER)
        middle = (length / 2, strip.height / 2)
        ImageDraw.Draw(strip).text(middle, words, font=font(size * DENSITY), fill=fill, anchor="mm")
        turned = strip.rotate(90, expand=True)
        self._image.paste(
            turned, (round(x * DENSITY - turned.width / 2), round(y * DENSITY - turned.height / 2))
        )

    def paste(self, x, y, picture: np.ndarray, width: float, height: float, *, smooth: bool = True) -> None:
        """Lay a (H, W) or (H, W, 3) uint8 picture over a rectangle."""
        size = (round(width * DENSITY), round(height * DENSITY))
        how = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
        self._image.paste(
            Image.fromarray(picture).convert("RGB").resize(size, how),
            (round(x * DENSITY), round(y * DENSITY)),
        )


def _corners(x, y, width, height) -> tuple[int, int, int, int]:
    """Return the first and last pixels of a rectangle."""
    return (
        round(x * DENSITY),
        round(y * DENSITY),
        max(round((x + width) * DENSITY) - 1, round(x * DENSITY)),
        max(round((y + height) * DENSITY) - 1, round(y * DENSITY)),
    )


def text_width(words: str, size: float) -> float:
    """The width of a line of text in CSS pixels."""
    return font(size * DENSITY).getlength(words) / DENSITY
