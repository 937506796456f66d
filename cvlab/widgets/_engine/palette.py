"""The two palettes that every widget is drawn with: one for a light page, one for a dark one.

The hues are those of `cvlab.draw`; its `readable` needs Matplotlib, whose import takes longer than a widget.
"""

import functools
from typing import NamedTuple

from cvlab.draw import PALETTE
from cvlab.draw.colors import ratio

__all__ = ["DARK", "LIGHT", "Palette", "contrast", "ink_on", "readable"]

Colour = tuple[int, int, int]
HUES = [tuple(bytes.fromhex(hue[1:])) for hue in PALETTE]
DARKENED, LIGHTENED = (0, 0, 0), (255, 255, 255)


class Palette(NamedTuple):
    """The colours of one theme, each (red, green, blue) from 0 to 255.

    The six hues are the course's, told apart by the colour-blind, and mean the same in both themes: green is the
    truth, blue a prediction, vermillion an error. Lines and areas are drawn in them; `text(hue)` is for words.

    Example:
        >>> LIGHT.ground, DARK.ground
        ((255, 255, 255), (17, 17, 17))
        >>> contrast(LIGHT.text(LIGHT.orange), LIGHT.ground) >= 4.5
        True
    """

    name: str
    ground: Colour  # the page
    raised: Colour  # a surface that lies on it: what is empty, missing or padding
    ink: Colour
    dim: Colour  # tick labels, notes
    grid: Colour
    blue: Colour = HUES[0]
    vermillion: Colour = HUES[1]
    green: Colour = HUES[2]
    pink: Colour = HUES[3]
    orange: Colour = HUES[4]
    sky: Colour = HUES[5]

    @property
    def truth(self) -> Colour:
        return self.green

    @property
    def prediction(self) -> Colour:
        return self.blue

    @property
    def error(self) -> Colour:
        return self.vermillion

    def text(self, colour: Colour) -> Colour:
        """Return the hue of a line, made so dark or so light that its name is readable on the ground."""
        return readable(colour, self.ground)


@functools.lru_cache(256)
def readable(colour: Colour, ground: Colour) -> Colour:
    """Return `colour`, moved towards black or white until text in it has a contrast of 4.5 on `ground`.

    Example:
        >>> readable((230, 159, 0), (17, 17, 17))
        (230, 159, 0)
    """
    end = DARKENED if contrast(ground, DARKENED) > contrast(ground, LIGHTENED) else LIGHTENED
    for step in range(21):
        mixed = tuple(round(c + (e - c) * step / 20) for c, e in zip(colour, end, strict=True))
        if contrast(mixed, ground) >= 4.5:
            return mixed
    return end


def ink_on(colour: Colour) -> Colour:
    """Return black or white, whichever is read better on `colour`.

    Example:
        >>> ink_on(LIGHT.green), ink_on(LIGHT.blue)
        ((0, 0, 0), (255, 255, 255))
    """
    return max(((0, 0, 0), (255, 255, 255)), key=lambda ink: contrast(ink, colour))


def contrast(a: Colour, b: Colour) -> float:
    """Return the contrast of two colours, 1 to 21.

    Source: WCAG 2.2, "contrast ratio".
    """
    return ratio(*((red / 255, green / 255, blue / 255) for red, green, blue in (a, b)))


LIGHT = Palette("light", (255, 255, 255), (236, 238, 240), (26, 29, 33), (91, 98, 105), (222, 225, 228))
NIGHT = (17, 17, 17)  # JupyterLab's page
DARK = Palette(
    *("dark", NIGHT, (44, 47, 50), (232, 234, 236), (160, 166, 172), (58, 61, 65)),
    blue=readable(HUES[0], NIGHT),
)
