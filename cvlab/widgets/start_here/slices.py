"""Lesson 00: which pixels a slice takes, and what its shape is."""

import ipywidgets
import numpy as np

from cvlab import _validate
from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.palette import Palette
from cvlab.widgets._engine.picture import DENSE, board, outlined
from cvlab.widgets.preprocessing.pixels import numbered

__all__ = ["SliceExplorer"]

CELL = 40 * DENSE  # pixels drawn for a pixel of the picture


class SliceExplorer(Widget):
    """Move the four ends of `image[row:row, col:col]` and see which pixels it takes.

    Args:
        image: a (H, W) uint8 picture of at most 12 x 12 pixels; by default 8 x 8, the numbers 0, 4, 8 to 252.

    Example:
        >>> explorer = SliceExplorer(rows=(2, 5), cols=(1, 3))
        >>> explorer.readout.splitlines()[:2]
        ['code: image[2:5, 1:3]', 'shape: (3, 2), 6 pixels']
    """

    format = "png"
    alt = "A small picture with a number in every pixel; the pixels that the slice leaves out are faded"
    default_task = "Take the two middle columns of every row."
    learnt = "The end of a slice is not taken, so end minus start is how many you get."
    answer = {"rows": (0, 8), "cols": (3, 5)}

    def __init__(self, image=None, **options):
        image = 4 * np.arange(64, dtype=np.uint8).reshape(8, 8) if image is None else image
        self.image = _validate.image(image, "image", channels=None)
        if self.image.dtype != np.uint8 or max(self.image.shape) > 12:
            raise ValueError(
                f"image must be uint8, at most 12 x 12; got {self.image.dtype} {self.image.shape}. "
                "Cut a piece: image[:8, :8]"
            )
        super().__init__(**options)

    def controls(self):
        height, width = self.image.shape
        return {
            "rows": ipywidgets.IntRangeSlider(value=(1, height - 2), min=0, max=height, description="rows"),
            "cols": ipywidgets.IntRangeSlider(value=(2, width - 1), min=0, max=width, description="columns"),
        }

    def compute(self, rows, cols):
        return {"rows": rows, "cols": cols, "taken": self.image[slice(*rows), slice(*cols)]}

    def draw(self, values):
        (top, bottom), (left, right) = values["rows"], values["cols"]
        colour = np.repeat(self.image[..., None], 3, axis=2)  # (H, W, 3)
        grid = numbered(colour, CELL, (0,))
        out = numbered(colour, CELL, (0,), ground=_faded(colour, self.palette))
        box = slice(top * CELL, bottom * CELL), slice(left * CELL, right * CELL)
        out[box] = grid[box]
        if values["taken"].size:
            out = outlined(
                out, top * CELL + 4, left * CELL + 4, (bottom - top) * CELL - 8, (right - left) * CELL - 8
            )
        return board([[(f"image[{top}:{bottom}, {left}:{right}]", out)]], self.palette)

    def text(self, values):
        (top, bottom), (left, right) = values["rows"], values["cols"]
        taken = values["taken"]
        said = f"mean: {taken.mean():.1f}" if taken.size else "mean: none; an empty slice is no error"
        return (
            f"code: image[{top}:{bottom}, {left}:{right}]\n"
            f"shape: {taken.shape}, {taken.size} pixels\n"
            f"rows: {top} to {bottom - 1}, that is {bottom} − {top} = {bottom - top}\n"
            f"columns: {left} to {right - 1}, that is {right} − {left} = {right - left}\n"
            f"{said}"
        )

    def goal(self, values):
        height, width = self.image.shape
        return values["rows"] == (0, height) and values["cols"] == (width // 2 - 1, width // 2 + 1)


def _faded(colour: np.ndarray, look: Palette) -> np.ndarray:
    """Move colours most of the way to the ground; the numbers on them stay readable."""
    return (0.2 * colour + 0.8 * np.array(look.ground)).astype(np.uint8)
