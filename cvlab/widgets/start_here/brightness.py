"""Lesson 00: the first slider. Brightness and contrast of a photo, and the numbers that get cut off."""

import ipywidgets
import numpy as np

from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.palette import LIGHT, Palette
from cvlab.widgets._engine.picture import DENSE, as_photo, board, dense

__all__ = ["BrightnessSlider"]

MIDDLE, SIDE, BAR = 128, 396, 256  # SIDE: CSS pixels of the photo's longer side; BAR: of the histogram
TOO_DARK, TOO_BRIGHT = LIGHT.blue, (230, 0, 126)


class BrightnessSlider(Widget):
    """Make a photo brighter or stronger in contrast, and see which numbers no longer fit into 0 to 255.

    Args:
        image: a photo's name, a path, or a (H, W, 3) uint8 RGB array.

    Example:
        >>> slider = BrightnessSlider(np.full((2, 2, 3), 200, np.uint8), brightness=100)
        >>> slider.values["clipped_high"]
        12
    """

    alt = "A photo and the histogram of its numbers"
    default_task = "Move the sliders until at least 5 % of the numbers are cut off at 255 and not one at 0."
    learnt = "A number that was cut off is gone: no later step can tell 300 from 255."
    answer = {"brightness": 90}

    def __init__(self, image="chelsea", **options):
        self.image = as_photo(image, longest=420)
        super().__init__(**options)

    def controls(self):
        return {
            "brightness": ipywidgets.IntSlider(0, -200, 200, description="brightness"),
            "contrast": ipywidgets.FloatSlider(1.0, min=0.0, max=3.0, step=0.05, description="contrast"),
            "mark": ipywidgets.Checkbox(False, description="paint the cut-off pixels", indent=False),
        }

    def compute(self, brightness, contrast, mark):
        wanted = (
            (np.arange(256) - MIDDLE) * contrast + MIDDLE + brightness
        )  # (256,) the answer for each number
        counts = np.bincount(self.image.reshape(-1), minlength=256)  # (256,)
        result = np.clip(np.rint(wanted), 0, 255).astype(np.uint8)[self.image]  # (H, W, 3)
        return {
            "result": result,
            "low": (np.rint(wanted) < 0)[self.image],
            "high": (np.rint(wanted) > 255)[self.image],
            "clipped_low": int(counts[np.rint(wanted) < 0].sum()),
            "clipped_high": int(counts[np.rint(wanted) > 255].sum()),
            "mean": float(result.mean()),
            "total": self.image.size,
            "brightness": brightness,
            "contrast": contrast,
            "mark": mark,
        }

    def draw(self, values):
        picture = values["result"]
        if values["mark"]:
            picture = picture.copy()
            picture[values["low"].any(axis=2)] = TOO_DARK
            picture[values["high"].any(axis=2)] = TOO_BRIGHT
        title = "the photo; blue: cut off at 0, pink: at 255" if values["mark"] else "the photo"
        photo = dense(picture, max(1, SIDE * picture.shape[1] // max(picture.shape)))
        bars = histogram(values["result"], photo.shape[0], self.palette)
        return board([[(title, photo), ("its numbers, from 0 to 255", bars)]], self.palette)

    def text(self, values):
        low, high, total = values["clipped_low"], values["clipped_high"], values["total"]
        return (
            f"new number: (number − 128) × {values['contrast']:.2f} + 128 {signed(values['brightness'])}\n"
            f"mean: {values['mean']:.1f}\n"
            f"cut off at 0: {low} of {total} ({low / total:.1%})\n"
            f"cut off at 255: {high} of {total} ({high / total:.1%})"
        )

    def goal(self, values):
        return values["clipped_high"] >= 0.05 * values["total"] and values["clipped_low"] == 0


def signed(number: int) -> str:
    """Write `+ 3` or `− 3`."""
    return f"{'+' if number >= 0 else '−'} {abs(number)}"


def histogram(image: np.ndarray, height: int, look: Palette) -> np.ndarray:
    """Draw how often each number occurs: (height, W, 3), the ends (where clipping piles up) in colour."""
    counts = np.bincount(image.reshape(-1), minlength=256)
    top = max(1, int(np.sort(counts)[-3]))  # so that two piles at the ends do not flatten the rest
    bars = np.minimum(counts / top, 1) * (height - 1)
    filled = np.arange(height)[::-1, None] < bars  # (height, 256)
    colours = np.array([look.dim] * 256, np.uint8)
    colours[0], colours[255] = TOO_DARK, TOO_BRIGHT
    drawn = np.where(filled[..., None], colours, np.array(look.raised, np.uint8))  # (height, 256, 3)
    return drawn.repeat(BAR * DENSE // 256, axis=1)
