"""Lesson 02: where a kernel stops along one axis, and which cells it never reads."""

import ipywidgets
import numpy as np
from PIL import Image, ImageDraw

from cvlab.convolutions import arithmetic
from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.picture import BOARD, INK, font

__all__ = ["ConvArithmetic"]

CELL, ROW, LEFT, TOP = 28, 17, 78, 30
INPUT, PAD, READ, UNREAD = (86, 180, 233), (90, 96, 104), (0, 158, 115), (213, 94, 0)


class ConvArithmetic(Widget):
    """Set size, kernel, stride, padding and dilation; see every place of the kernel and the formula with numbers.

    Example:
        >>> ConvArithmetic(size=6, kernel=3, stride=2).readout.splitlines()[:2]
        ['formula: (6 + 2·0 − 1·(3 − 1) − 1) // 2 + 1 = 3 // 2 + 1', 'output: 2 cells']
    """

    format = "png"
    alt = "A row of input cells with padding, and below it one row for each place of the kernel"
    default_task = "Find a setting in which a cell of the input is never read."
    answer = {"stride": 2}

    def controls(self):
        return {
            "size": ipywidgets.IntSlider(12, 1, 16, description="input size"),
            "kernel": ipywidgets.IntSlider(3, 1, 7, description="kernel"),
            "stride": ipywidgets.IntSlider(1, 1, 4, description="stride"),
            "padding": ipywidgets.IntSlider(0, 0, 4, description="padding"),
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
        room, places = size + 2 * padding, values["places"]
        picture = Image.new("RGB", (LEFT + 24 * CELL + 12, TOP + CELL + 10 + 24 * ROW + 8), BOARD)
        draw = ImageDraw.Draw(picture)

        def cell(i, top, height, colour, words=""):
            box = (LEFT + i * CELL + 1, top + 1, LEFT + (i + 1) * CELL - 2, top + height - 2)
            draw.rectangle(box, fill=colour)
            if words:
                middle = (LEFT + (i + 0.5) * CELL, top + height / 2)
                draw.text(middle, words, font=font(11), fill=(10, 10, 10), anchor="mm")

        never = ", orange: never read" if values["unread"] else ""
        draw.text((LEFT, 18), f"blue: input, grey: padding{never}", font=font(12), fill=INK, anchor="ls")
        draw.text((8, TOP + CELL / 2), "input", font=font(12), fill=INK, anchor="lm")
        for i in range(room):
            inside = padding <= i < padding + size
            colour = UNREAD if i in values["unread"] else INPUT if inside else PAD
            cell(i, TOP, CELL, colour, str(i - padding) if inside else "0")
        for place, taps in enumerate(values["taps"]):
            top = TOP + CELL + 10 + place * ROW
            draw.text((8, top + ROW / 2), f"output {place}", font=font(12), fill=INK, anchor="lm")
            line = (
                LEFT + (taps[0] + 0.5) * CELL,
                top + ROW // 2,
                LEFT + (taps[-1] + 0.5) * CELL,
                top + ROW // 2,
            )
            draw.line(line, fill=READ, width=2)
            for i in taps:
                cell(i, top, ROW, READ)
        if not places:
            words = f"the kernel reaches over {values['reach']} cells, there are {room}"
            draw.text((LEFT, TOP + CELL + 30), words, font=font(13), fill=INK, anchor="ls")
        height = TOP + CELL + 18 + max(2, places) * ROW
        return np.asarray(picture)[:height].copy()

    def text(self, values):
        size, kernel, stride, padding, dilation = values["numbers"]
        if not values["places"]:
            room = size + 2 * padding
            return f"formula: the kernel reaches over {values['reach']} cells, more than {room}\noutput: none"
        steps = size + 2 * padding - values["reach"]
        formula = f"({size} + 2·{padding} − {dilation}·({kernel} − 1) − 1) // {stride} + 1 = {steps} // {stride} + 1"
        unread = ", ".join(str(i - padding) for i in values["unread"]) or "none"
        same = " (same size)" if values["places"] == size else ""
        return (
            f"formula: {formula}\n"
            f"output: {values['places']} cells{same}\n"
            f"a kernel reaches over: {values['reach']} cells\n"
            f"steps left over by the floor: {steps % stride}\n"
            f"input cells never read: {unread}"
        )

    def goal(self, values):
        return bool(values["unread"] and values["places"])
