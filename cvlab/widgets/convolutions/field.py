"""Lesson 02: build a stack of layers, click a cell, and see which cells of the input it depends on."""

import ipywidgets

from cvlab.convolutions import arithmetic, receptive
from cvlab.widgets._engine.grid import scene_of
from cvlab.widgets._engine.pointer import PointerWidget
from cvlab.widgets._engine.sheet import INK, PAPER, PREDICTION, Sheet

__all__ = ["ReceptiveField"]

CELLS = 33  # of the input
UNIT, MARGIN, TOP, LEFT, RISE, HIGHEST = 13, 4, 2, 60, 58, 4  # as in field.js
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
    learnt = "A plain layer 3 wide adds 2 cells; dilation widens what it adds, and every stride below multiplies it."
    hint = "Click a cell, or walk by the arrow keys."
    is_chart = True
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

    def draw(self, values):  # as in field.js
        levels, seen = values["levels"], values["seen"]
        width, half, hue = LEFT + (CELLS + 2 * MARGIN) * UNIT + 6, UNIT / 2 - 1, PREDICTION
        sheet = Sheet(width, TOP + HIGHEST * RISE + 30)

        def place(depth, cell):
            level = levels[depth]
            across = LEFT + (MARGIN + 0.5 + level["start"] + cell * level["step"]) * UNIT
            return across, TOP + (HIGHEST - depth) * RISE + 14

        def square(depth, cell, grow=0, **colours):
            (x, y), side = place(depth, cell), half + grow
            sheet.box(x - side, y - side, 2 * side, 2 * side, **colours)

        for depth in range(values["level"], 0, -1):
            one = levels[depth]
            for cell in seen[depth]:
                for k in range(one["kernel"]):
                    tap = cell * one["stride"] - one["padding"] + one["dilation"] * k
                    (x0, y0), (x1, y1) = place(depth, cell), place(depth - 1, tap)
                    sheet.path([(x0, y0 + half), (x1, y1 - half)], f"{hue}80", 1)
        for depth, level in enumerate(levels):
            inside = set(seen[depth]) if depth < len(seen) else set()
            for cell in range(level["cells"]):
                square(depth, cell, fill=hue if cell in inside else "#d0d0d0")
            for cell in inside - set(range(level["cells"])):
                square(depth, cell, grow=-1, outline=hue, line=1)
        square(values["level"], values["cell"], grow=1, outline=INK, line=2)
        sheet.box(0, 0, LEFT, TOP + HIGHEST * RISE + 30, fill=PAPER)
        for depth in range(len(levels)):
            sheet.text(6, place(depth, 0)[1], f"layer {depth}" if depth else "input", anchor="lm")
        return sheet.pixels

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
        return "\n".join([*lines, f"note: {values['misfit'] or 'every layer fits'}"])

    def goal(self, values):
        top = len(values["levels"]) - 1
        return bool(top <= 3 and values["level"] == top and values["field"] >= 13)
