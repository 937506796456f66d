"""Lesson 05: the stamps of a transposed convolution, one input pixel after the other."""

import ipywidgets
import numpy as np
from PIL import Image, ImageDraw

from cvlab.segmentation.transposed import conv_transpose2d
from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.palette import ink_on
from cvlab.widgets._engine.picture import DENSE, font

__all__ = ["TransposedSteps"]

PICTURE = np.array([[1, 2, 1], [3, 1, 2], [2, 3, 1]])
KERNEL = np.array(
    [[1, 2, 1, 3], [3, 4, 2, 1], [2, 1, 5, 2], [1, 3, 2, 4]]
)  # its upper left corner, of any size
SIDE = len(PICTURE)
MOST = (SIDE - 1) * 3 + len(KERNEL)  # cells of the largest canvas
CELL, GAP, EDGE, HEAD, FOOT = 25, 22, 6, 26, 24  # CSS pixels
SUM, COUNT = EDGE + 4 * CELL + GAP, EDGE + 4 * CELL + 2 * GAP + MOST * CELL  # where the canvases begin
WORDS, NUMBERS = font(13 * DENSE), font(12 * DENSE)


class TransposedSteps(Widget):
    """Let one input pixel after the other stamp the kernel: the sum that grows, and how often each pixel is touched.

    Example:
        >>> print(TransposedSteps(step=2).readout.splitlines()[0])
        stamp: 2 of 9, pixel row 0, column 1 is 2
        >>> TransposedSteps(kernel=2).values["touched"]
        [1]
    """

    format = "png"
    alt = "An input of 3 x 3, the kernel, the sum of its stamps so far, and how many stamps lie on each pixel"
    default_task = "Keep the stride at 2 and make the stamps touch every output pixel equally often."
    learnt = "The stride must divide the kernel; then only the edge is touched less often, and padding can cut it off."
    is_chart = True
    answer = {"kernel": 4, "padding": 2}

    def controls(self):
        return {
            "step": ipywidgets.IntSlider(4, 0, SIDE * SIDE, description="stamps"),
            "kernel": ipywidgets.IntSlider(3, 2, len(KERNEL), description="kernel"),
            "stride": ipywidgets.IntSlider(2, 1, 3, description="stride"),
            "padding": ipywidgets.IntSlider(0, 0, 2, description="padding"),
        }

    def compute(self, step, kernel, stride, padding):
        weight, stamped = KERNEL[:kernel, :kernel], np.arange(SIDE * SIDE).reshape(SIDE, SIDE) < step

        def grown(values, stamp):
            return conv_transpose2d(values[None], stamp[None, None], stride)[0].astype(int)

        side = (SIDE - 1) * stride + kernel
        inside = slice(padding, side - padding)
        final = grown(np.ones((SIDE, SIDE)), np.ones_like(weight))[inside, inside]
        return {
            "numbers": (step, kernel, stride, padding),
            "weight": weight,
            "sum": grown(PICTURE * stamped, weight),
            "count": grown(stamped, np.ones_like(weight)),
            "output": max(0, side - 2 * padding),
            "touched": sorted({int(n) for n in final.ravel()}),  # how often, when all have stamped
        }

    def draw(self, values):
        step, kernel, stride, padding = values["numbers"]
        look = self.palette
        size = (COUNT + MOST * CELL + EDGE, HEAD + MOST * CELL + FOOT)
        picture = Image.new("RGB", tuple(n * DENSE for n in size), look.ground)
        pen = ImageDraw.Draw(picture)

        def words(x, y, text, ink=look.ink):
            pen.text((x * DENSE, y * DENSE), text, font=WORDS, fill=ink, anchor="ls")

        def grid(cells, x, y, hue, strongest, outside=lambda row, col: False):
            for (row, col), value in np.ndenumerate(cells):
                bare = outside(row, col) or not value
                colour = look.raised if bare else _mixed(look.ground, hue, 0.15 + 0.65 * value / strongest)
                left, top = (x + col * CELL) * DENSE + 1, (y + row * CELL) * DENSE + 1
                corner = (left + CELL * DENSE - 3, top + CELL * DENSE - 3)
                pen.rectangle((left, top, *corner), fill=colour)
                middle = (left + CELL * DENSE / 2 - 1, top + CELL * DENSE / 2 - 1)
                ink = look.dim if bare else ink_on(colour)
                pen.text(middle, str(value), font=NUMBERS, fill=ink, anchor="mm")

        def frame(x, y, side, ink, line):
            box = [x * DENSE, y * DENSE, (x + side * CELL) * DENSE, (y + side * CELL) * DENSE]
            pen.rectangle(box, outline=ink, width=line * DENSE)

        weight_top = HEAD + SIDE * CELL + 34
        words(EDGE, 18, "input")
        grid(PICTURE, EDGE, HEAD, look.green, PICTURE.max())
        words(EDGE, weight_top - 8, "kernel")
        grid(values["weight"], EDGE, weight_top, look.orange, KERNEL.max())
        words(SUM, 18, "sum of the stamps")
        words(COUNT, 18, "stamps on each pixel")
        side = len(values["sum"])
        cut = lambda row, col: not all(padding <= n < side - padding for n in (row, col))  # noqa: E731
        grid(values["sum"], SUM, HEAD, look.sky, 45, cut)
        grid(values["count"], COUNT, HEAD, look.vermillion, SIDE * SIDE, cut)
        row, col = divmod(step - 1, SIDE)
        for x in (SUM, COUNT):
            if values["output"]:
                frame(x + padding * CELL, HEAD + padding * CELL, values["output"], look.ink, 2)
            if step:
                frame(x + col * stride * CELL, HEAD + row * stride * CELL, kernel, look.orange, 3)
        if step:
            frame(EDGE + col * CELL, HEAD + row * CELL, 1, look.orange, 3)
        words(
            SUM, size[1] - 6, "black frame: the output" if look.name == "light" else "white frame: the output"
        )
        words(COUNT, size[1] - 6, "orange frame: the last stamp")
        return np.asarray(picture)

    def text(self, values):
        step, kernel, stride, padding = values["numbers"]
        row, col = divmod(step - 1, SIDE)
        last = (
            f"{step} of {SIDE * SIDE}, pixel row {row}, column {col} is {PICTURE[row, col]}"
            if step
            else "none yet"
        )
        place = (
            f"row {row * stride - padding}, column {col * stride - padding} of the output"
            if step
            else "nowhere yet"
        )
        touched = values["touched"]
        often = (
            " to ".join(str(n) for n in sorted({touched[0], touched[-1]}))
            if touched
            else "there is no pixel to lie"
        )
        return (
            f"stamp: {last}\n"
            f"it begins: {place}\n"
            f"output: ({SIDE} − 1)·{stride} − 2·{padding} + {kernel} = {values['output']}\n"
            f"all stamps: {often}"
        )

    def goal(self, values):
        return values["numbers"][2] == 2 and len(values["touched"]) == 1


def _mixed(ground, hue, share: float) -> tuple[int, int, int]:
    """Return a colour between two: 0 is the ground, 1 the hue."""
    return tuple(round(g + share * (h - g)) for g, h in zip(ground, hue, strict=True))
