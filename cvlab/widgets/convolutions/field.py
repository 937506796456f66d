"""Lesson 02: build a stack of layers, click a cell, and see which cells of the input it depends on."""

import ipywidgets
import numpy as np
from PIL import Image, ImageDraw

from cvlab.convolutions import arithmetic, receptive
from cvlab.widgets._engine.grid import scene_of
from cvlab.widgets._engine.picture import BOARD, INK, font
from cvlab.widgets._engine.pointer import PointerWidget

__all__ = ["ReceptiveField"]

CELLS = 33  # of the input
UNIT, MARGIN, TOP, LEFT, RISE = 16, 4, 14, 64, 58  # as in field.js
SEEN, OTHER = (230, 120, 40), (92, 98, 106)
LAYERS = {
    "none": None,
    "3 wide": (3, 1, 1),
    "3 wide, stride 2": (3, 2, 1),
    "3 wide, dilation 2": (3, 1, 2),
    "5 wide": (5, 1, 1),
    "pooling 2, stride 2": (2, 2, 1),
    "1 wide": (1, 1, 1),
}


class ReceptiveField(PointerWidget):
    """Choose up to four layers; click or walk to any cell and see everything below that can change it.

    Example:
        >>> field = ReceptiveField(first="3 wide, stride 2", second="3 wide", third="none")
        >>> field.readout.splitlines()[2]
        'sees: 7 input cells, from 21 to 27'
    """

    alt = "Rows of cells, the input at the bottom; lines from one chosen cell to all the cells it depends on"
    default_task = "With three layers, let a cell at the top see at least 13 input cells."
    answer = {"first": "3 wide, stride 2", "second": "3 wide, stride 2", "level": 3}
    scene = scene_of(__file__)

    def controls(self):
        def layer(value, description):
            return ipywidgets.Dropdown(options=list(LAYERS), value=value, description=description)

        def hidden(value, high, description):
            slider = ipywidgets.IntSlider(value, 0, high, description=description)
            slider.layout.display = "none"  # moved on the canvas only
            return slider

        return {
            "first": layer("3 wide", "layer 1"),
            "second": layer("3 wide", "layer 2"),
            "third": layer("3 wide", "layer 3"),
            "fourth": layer("none", "layer 4"),
            "pad": ipywidgets.Checkbox(True, description="pad to keep the size", indent=False),
            "level": hidden(4, 4, "level"),
            "cell": hidden(12, CELLS - 1, "cell"),
        }

    def compute(self, first, second, third, fourth, pad, level, cell):
        levels, stack, misfit = [{"cells": CELLS, "start": 0.0, "step": 1}], [], ""
        for name in (first, second, third, fourth):
            if LAYERS[name] is None:
                continue
            kernel, stride, dilation = LAYERS[name]
            padding, below, reach = (
                dilation * (kernel - 1) // 2 if pad else 0,
                levels[-1],
                dilation * (kernel - 1),
            )
            if reach + 1 > below["cells"] + 2 * padding:
                misfit = f"{name} does not fit on {below['cells']} cells"
                break
            levels.append(
                {
                    "cells": arithmetic.output_size(below["cells"], kernel, stride, padding, dilation),
                    "start": below["start"]
                    + (reach / 2 - padding) * below["step"],  # centre of cell 0, in input cells
                    "step": below["step"] * stride,
                    "kernel": kernel,
                    "stride": stride,
                    "dilation": dilation,
                    "padding": padding,
                }
            )
            stack.append((kernel, stride, dilation))
        level = min(level, len(stack))
        cell = min(cell, levels[level]["cells"] - 1)
        paddings = [one["padding"] for one in levels[1 : level + 1]]
        seen = receptive.seen_cells(cell, stack[:level], paddings)[::-1]  # input first
        field = receptive.receptive_field(stack[:level])
        return {
            "levels": levels,
            "level": level,
            "cell": cell,
            "seen": seen,
            "field": field,
            "misfit": misfit,
        }

    def data(self, values):
        return {"levels": values["levels"]}

    def draw(self, values):
        levels, seen = values["levels"], values["seen"]
        top = len(levels) - 1
        width = LEFT + (CELLS + 2 * MARGIN) * UNIT + 6
        picture = Image.new("RGB", (width, TOP + top * RISE + 34), BOARD)
        draw, half = ImageDraw.Draw(picture), UNIT // 2 - 1

        def place(depth, cell):
            level = levels[depth]
            return LEFT + (MARGIN + 0.5 + level["start"] + cell * level["step"]) * UNIT, TOP + (
                top - depth
            ) * RISE + 14

        def square(depth, cell, grow=0, **colours):
            x, y = place(depth, cell)
            draw.rectangle(
                (x - half - grow, y - half - grow, x + half + grow - 1, y + half + grow - 1), **colours
            )

        for depth in range(values["level"], 0, -1):
            one = levels[depth]
            for cell in seen[depth]:
                for k in range(one["kernel"]):
                    tap = cell * one["stride"] - one["padding"] + one["dilation"] * k
                    (x0, y0), (x1, y1) = place(depth, cell), place(depth - 1, tap)
                    draw.line((x0, y0 + half, x1, y1 - half), fill=(140, 84, 40))
        for depth, level in enumerate(levels):
            inside = set(seen[depth]) if depth < len(seen) else set()
            for cell in range(level["cells"]):
                square(depth, cell, fill=SEEN if cell in inside else OTHER)
            for cell in inside - set(range(level["cells"])):
                square(depth, cell, outline=SEEN)
        square(values["level"], values["cell"], grow=2, outline=INK, width=2)
        draw.rectangle((0, 0, LEFT - 2, picture.height), fill=BOARD)
        for depth in range(len(levels)):
            words = f"layer {depth}" if depth else "input"
            draw.text((6, place(depth, 0)[1]), words, font=font(12), fill=INK, anchor="lm")
        return np.asarray(picture)

    def text(self, values):
        inputs = values["seen"][0]
        sizes = " → ".join(str(level["cells"]) for level in values["levels"])
        where = f"layer {values['level']}" if values["level"] else "the input"
        outside = sum(not 0 <= cell < CELLS for cell in inputs)
        lines = [
            f"cells: {sizes}",
            f"chosen: cell {values['cell']} of {where}",
            f"sees: {values['field']} input cells, from {inputs[0]} to {inputs[-1]}".replace("-", "−"),
            f"reads of these: {len(inputs)}" + (f", {outside} in the padding" if outside else ""),
        ]
        return "\n".join(lines + ([f"note: {values['misfit']}"] if values["misfit"] else []))

    def goal(self, values):
        top = len(values["levels"]) - 1
        return bool(top <= 3 and values["level"] == top and values["field"] >= 13)
