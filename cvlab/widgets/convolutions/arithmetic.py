"""Lesson 02: where a kernel stops along one axis, and which cells it never reads."""

import ipywidgets
import numpy as np
from PIL import Image, ImageDraw

from cvlab.convolutions import arithmetic
from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.picture import DENSE, font

__all__ = ["ConvArithmetic"]

CELL, ROW, LEFT, TOP = 30, 16, 78, 30  # CSS pixels
SIZE, PADDING = 14, 3  # the largest; the picture has room for them
WORDS = font(13 * DENSE)


class ConvArithmetic(Widget):
    """Set size, kernel, stride, padding and dilation; see every place of the kernel and the formula with numbers.

    Example:
        >>> ConvArithmetic(size=6, kernel=3, stride=2).readout.splitlines()[:2]
        ['formula: (6 + 2·0 − 1·(3 − 1) − 1) // 2 + 1', 'output: 3 // 2 + 1 = 2']
    """

    format = "png"
    alt = "A row of input cells with padding, and below it one row for each place of the kernel"
    default_task = "Find a setting in which a cell of the input is never read."
    is_chart = True
    learnt = "Cells can be left out without a warning: look at what the floor drops, and at what a stride steps over."
    answer = {"stride": 2}

    def controls(self):
        return {
            "size": ipywidgets.IntSlider(12, 1, SIZE, description="input size"),
            "kernel": ipywidgets.IntSlider(3, 1, 7, description="kernel"),
            "stride": ipywidgets.IntSlider(1, 1, 4, description="stride"),
            "padding": ipywidgets.IntSlider(0, 0, PADDING, description="padding"),
            "dilation": ipywidgets.IntSlider(1, 1, 3, description="dilation"),
        }

    def compute(self, size, kernel, stride, padding, dilation):
        reach = dilation * (kernel - 1) + 1
        room = size + 2 * padding
        places = arithmetic.output_size(size, kernel, stride, padding, dilation) if reach <= room else 0
        taps = stride * np.arange(places)[:, None] + dilation * np.arange(kernel)  # (places, kernel)
        read = np.isin(np.arange(room), taps)
        inside = np.arange(padding, padding + size)
        return {
            "numbers": (size, kernel, stride, padding, dilation),
            "reach": reach,
            "places": places,
            "taps": taps,
            "unread": [int(i) for i in inside if not read[i]],
        }

    def draw(self, values):
        size, kernel, _, padding, _ = values["numbers"]
        look, room = self.palette, size + 2 * padding
        most = SIZE + 2 * PADDING  # cells, and places: the picture is as large in every state
        picture = Image.new("RGB", ((LEFT + most * CELL + 8) * DENSE, self._top(most) * DENSE), look.ground)
        draw = ImageDraw.Draw(picture)

        def words(x, y, text, anchor, ink=look.ink):
            draw.text((x * DENSE, y * DENSE), text, font=WORDS, fill=ink, anchor=anchor)

        def cell(i, top, height, colour):
            box = (LEFT + i * CELL + 1, top + 1, LEFT + (i + 1) * CELL - 1, top + height - 1)
            draw.rectangle([v * DENSE for v in box], fill=colour)

        never = ", red: never read" if values["unread"] else ""
        words(LEFT, 18, f"blue: input, grey: padding{never}", "ls")
        words(6, TOP + CELL / 2, "input", "lm")
        for i in range(room):
            inside = padding <= i < padding + size
            colour = look.vermillion if i in values["unread"] else look.sky if inside else look.raised
            cell(i, TOP, CELL, colour)
            ink = (0, 0, 0) if inside else look.ink
            words(LEFT + (i + 0.5) * CELL, TOP + CELL / 2, str(i - padding) if inside else "0", "mm", ink)
        for place, taps in enumerate(values["taps"]):
            top = self._top(place)
            words(6, top + ROW / 2, f"output {place}", "lm")
            ends = [(LEFT + (i + 0.5) * CELL) * DENSE for i in (taps[0], taps[-1])]
            middle = (top + ROW / 2) * DENSE
            draw.line((ends[0], middle, ends[1], middle), fill=look.green, width=2 * DENSE)
            for i in taps:
                cell(i, top, ROW, look.green)
        if not values["places"]:
            words(
                LEFT,
                TOP + CELL + 30,
                f"the kernel reaches over {values['reach']} cells, there are {room}",
                "ls",
            )
        return np.asarray(picture)

    @staticmethod
    def _top(place: int) -> int:
        return TOP + CELL + 10 + place * ROW

    def text(self, values):
        size, kernel, stride, padding, dilation = values["numbers"]
        room = size + 2 * padding
        formula = f"({size} + 2·{padding} − {dilation}·({kernel} − 1) − 1) // {stride} + 1"
        if values["places"]:
            steps = room - values["reach"]
            same = " (same size)" if values["places"] == size else ""
            result, left = f"{steps} // {stride} + 1 = {values['places']}{same}", f"{steps % stride}"
        else:
            result, left = f"none: {values['reach']} cells do not fit on {room}", "none"
        unread = spans([i - padding for i in values["unread"]])
        return (
            f"formula: {formula}\n"
            f"output: {result}\n"
            f"reach: {values['reach']} cells\n"
            f"left over: {left}\n"
            f"never read: {unread}"
        )

    def goal(self, values):
        return bool(values["unread"])


def spans(cells: list[int]) -> str:
    """Write rising numbers with runs in short.

    Example:
        >>> spans([0, 1, 2, 5]), spans([])
        ('0 to 2, 5', 'none')
    """
    runs: list[list[int]] = []
    for cell in cells:
        if runs and cell == runs[-1][1] + 1:
            runs[-1][1] = cell
        else:
            runs.append([cell, cell])
    return ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in runs) or "none"
