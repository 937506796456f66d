"""Lesson 06a: a box dragged over a scene, and what RoI pool and RoI align read of the map for it."""

import base64
from typing import ClassVar

import ipywidgets
import numpy as np
import torch

from cvlab import boxes
from cvlab.regions.roi import roi_align, roi_pool
from cvlab.widgets._engine.base import encode
from cvlab.widgets._engine.grid import cells, grey, scene_of
from cvlab.widgets._engine.pointer import PointerWidget
from cvlab.widgets._engine.sheet import HERE, PREDICTION, TRUTH, Sheet
from cvlab.world.scenes import make_scene

__all__ = ["RoiGrid"]

SIDE, STRIDE, ZOOM, GRID, TOP = 192, 16, 2, 132, 22  # as in roi_grid.js
RIGHT = SIDE * ZOOM + 20
PARTS = ("x", "y", "w", "h")


class RoiGrid(PointerWidget):
    """Drag a box over a scene, or pull its edges; arrow keys move it, with Shift they resize it.

    The map is one that can be checked by eye: the brightness of each 16 x 16 pixels, 0 to 100.

    Args:
        index: which scene of 192 pixels, as in `make_scene`.

    Example:
        >>> RoiGrid().readout.splitlines()[:2]
        ['box in cells: 3.25, 3.75, 7.5, 7.31', 'RoI pool reads cells: 3 to 8 × 4 to 7']
    """

    format = "jpeg"
    alt = "A scene under a grid of cells, a box, the cells that RoI pool reads for it, and the points where RoI align samples"
    default_task = (
        "With a box of at least 32 × 32 pixels, bring the IoU of what RoI pool reads with the box below 0.25."
    )
    learnt = "Each edge is rounded by up to half a cell, and the cell of the far corner counts in full: RoI pool may read mostly beside a small box."
    hint = "Drag the box or its edges. Arrow keys move it by one pixel, with Shift they resize it."
    answer: ClassVar = {"x": 8, "y": 8, "w": 32, "h": 32}
    scene = scene_of(__file__)

    def __init__(self, index: int = 12, **options):
        self.image = make_scene(index, size=SIDE).image
        n = SIDE // STRIDE
        bright = self.image.astype(float).mean(2).reshape(n, STRIDE, n, STRIDE).mean((1, 3))
        self.map = (bright / 2.55).round()  # (12, 12)
        self._url = f"data:image/jpeg;base64,{base64.b64encode(encode(self.image, 'jpeg', 85)).decode()}"
        super().__init__(**options)

    def controls(self):
        controls = {
            "size": ipywidgets.Dropdown(options=[1, 2, 3], value=2, description="parts a side"),
        }
        for part, value, least in zip(PARTS, (52, 60, 68, 57), (0, 0, 8, 8), strict=True):
            slider = ipywidgets.IntSlider(value, least, SIDE, description=part)
            slider.layout.display = "none"  # moved on the canvas
            controls[part] = slider
        return controls

    def data(self, values):
        return {"photo": self._url, "map": self.map.tolist()}

    def compute(self, size, x, y, w, h):
        box = np.array([x, y, min(x + w, SIDE), min(y + h, SIDE)])
        x0, y0, x1, y1 = (box * 2 + STRIDE) // (2 * STRIDE)  # the nearest cell, halves up
        read = np.array([x0, y0, x1 + 1, y1 + 1]) * STRIDE
        feature, asked = torch.tensor(self.map)[None], torch.tensor(box, dtype=torch.float64)[None]
        scale = 1 / STRIDE
        return {
            "size": size,
            "box": box,
            "cells": (x0, y0, x1, y1),
            "read": read,
            "iou": boxes.iou(box, read),
            "pool": roi_pool(feature, asked, size, scale)[0, 0].numpy(),
            "align": roi_align(feature, asked, size, scale)[0, 0].numpy(),
        }

    def draw(self, values):  # as in roi_grid.js
        sheet, side = Sheet(RIGHT + GRID, SIDE * ZOOM), SIDE * ZOOM
        sheet.paste(0, 0, self.image, side, side)
        for k in range(0, side + 1, STRIDE * ZOOM):
            sheet.path([(k, 0), (k, side)], "#ffffff70")
            sheet.path([(0, k), (side, k)], "#ffffff70")
        x0, y0, x1, y1 = np.minimum(values["read"], SIDE) * ZOOM
        sheet.box(x0, y0, x1 - x0, y1 - y0, fill=f"{PREDICTION}48", outline=PREDICTION, line=3)
        x0, y0, x1, y1 = values["box"] * ZOOM
        sheet.box(x0, y0, x1 - x0, y1 - y0, outline="#ffffff", line=5)
        sheet.box(x0, y0, x1 - x0, y1 - y0, outline=TRUTH, line=3)
        steps = (np.arange(2 * values["size"]) + 0.5) / (2 * values["size"])
        for y in y0 + (y1 - y0) * steps:
            for x in x0 + (x1 - x0) * steps:
                sheet.circle(x, y, 4, fill=HERE, outline="#000000")
        for k, (name, grid) in enumerate((("RoI pool", values["pool"]), ("RoI align", values["align"]))):
            top = TOP + k * (GRID + 40)
            sheet.text(RIGHT, top - 8, name)
            cells(sheet, np.floor(grid + 0.5), RIGHT, top, GRID // values["size"], lambda v: grey(v, 100))
        return sheet.pixels

    def text(self, values):
        x0, y0, x1, y1 = values["cells"]
        inside = ", ".join(f"{v / STRIDE:.2f}".rstrip("0").rstrip(".") for v in values["box"])
        return "\n".join(
            [
                f"box in cells: {inside}",
                f"RoI pool reads cells: {x0} to {x1} × {y0} to {y1}",
                f"which are pixels: {', '.join(map(str, values['read']))}",
                f"IoU with the box: {values['iou']:.2f}",
                f"RoI align samples: {(2 * values['size']) ** 2} places",
                f"means of pool, align: {values['pool'].mean():.1f}, {values['align'].mean():.1f}",
            ]
        )

    def goal(self, values):
        x0, y0, x1, y1 = values["box"]
        return min(x1 - x0, y1 - y0) >= 32 and values["iou"] < 0.25
