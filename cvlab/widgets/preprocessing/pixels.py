"""Lesson 01: the numbers inside a photo, and which one is `image[row, col]`."""

import functools

import ipywidgets
import numpy as np
from PIL import Image, ImageDraw

from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.picture import DENSE, as_photo, board, dense, font, outlined, scaled

__all__ = ["PixelGrid"]

SIDE, SMALL = 414, 240  # CSS pixels: the enlarged window, 9 cells of 46; the photo's longer side
SHOW = {"R, G, B": (0, 1, 2), "R": (0,), "G": (1,), "B": (2,)}


class PixelGrid(Widget):
    """Zoom into a photo until its pixels become squares with numbers in them.

    Args:
        image: a photo's name, a path, or a (H, W, 3) uint8 RGB array.

    Example:
        >>> grid = PixelGrid("chelsea", row=120, col=200)
        >>> grid.readout.splitlines()[0]
        'image[120, 200]: [85, 52, 7]  (R, G, B)'
    """

    alt = "A photo with a marked window, and the window enlarged with the numbers of every pixel"
    default_task = "Find the pixel at x = 140, y = 130."
    learnt = "A point is x, y; an array wants row, col: the same two numbers, the other way round."
    answer = {"row": 130, "col": 140}

    def __init__(self, image="chelsea", **options):
        self.image = as_photo(image)
        small = scaled(self.image, SMALL)
        self.small = dense(small, small.shape[1])
        super().__init__(**options)

    def controls(self):
        height, width = self.image.shape[:2]
        return {
            "row": ipywidgets.IntSlider(height // 3, 0, height - 1, description="row"),
            "col": ipywidgets.IntSlider(width // 3, 0, width - 1, description="col"),
            "cells": ipywidgets.Dropdown(options=[5, 7, 9], value=7, description="pixels across"),
            "show": ipywidgets.Dropdown(options=list(SHOW), value="R, G, B", description="numbers"),
        }

    def compute(self, row, col, cells, show):
        height, width = self.image.shape[:2]
        rows, cols = min(cells, height), min(cells, width)
        top = int(np.clip(row - cells // 2, 0, height - rows))
        left = int(np.clip(col - cells // 2, 0, width - cols))
        return {
            "row": row,
            "col": col,
            "top": top,
            "left": left,
            "window": self.image[top : top + rows, left : left + cols],
            "pixel": self.image[row, col].tolist(),
            "show": show,
        }

    def draw(self, values):
        window, top, left = values["window"], values["top"], values["left"]
        ratio = self.small.shape[1] / self.image.shape[1]
        box = [round(v * ratio) for v in (top, left, window.shape[0], window.shape[1])]
        cell = SIDE // max(window.shape[:2]) * DENSE
        grid = numbered(window, cell, SHOW[values["show"]])
        grid = outlined(
            grid, (values["row"] - top) * cell + 4, (values["col"] - left) * cell + 4, cell - 8, cell - 8
        )
        grid = np.pad(
            grid, ((0, SIDE * DENSE - grid.shape[0]), (0, SIDE * DENSE - grid.shape[1]), (0, 0)), mode="edge"
        )
        title = f"rows {top} to {top + window.shape[0] - 1}, columns {left} to {left + window.shape[1] - 1}"
        return board([[("the photo", outlined(self.small, *box)), (title, grid)]], self.palette)

    def text(self, values):
        row, col = values["row"], values["col"]
        height, width = self.image.shape[:2]
        window, top, left = values["window"], values["top"], values["left"]
        return (
            f"image[{row}, {col}]: {values['pixel']}  (R, G, B)\n"
            f"row and column: row {row} of {height} (down), column {col} of {width} (right)\n"
            f"as a point: x = {col}, y = {row}\n"
            f"the window: image[{top}:{top + window.shape[0]}, {left}:{left + window.shape[1]}]\n"
            f"its mean: {window.mean():.1f}"
        )

    def goal(self, values):
        return (values["col"], values["row"]) == (140, 130)


def numbered(window: np.ndarray, cell: int, channels: tuple[int, ...], ground=None) -> np.ndarray:
    """Draw every pixel as a square of `cell` pixels with its numbers inside: (rows * cell, cols * cell, 3).

    `ground`, (rows, cols, 3) uint8, colours the squares otherwise than by their numbers.
    """
    shown = window if len(channels) == 3 else np.repeat(window[..., list(channels)], 3, axis=2)
    shown = shown if ground is None else ground
    out = shown.repeat(cell, axis=0).repeat(cell, axis=1)
    for line in range(DENSE):  # between the pixels
        out[line::cell], out[:, line::cell] = 90, 90
    dark = (shown / 255) ** 2.2 @ (0.2126, 0.7152, 0.0722) < 0.18  # white reads better than black
    for r, c in np.ndindex(window.shape[:2]):
        ink = 255 if dark[r, c] else 0
        text = "\n".join(str(window[r, c, channel]) for channel in channels)
        mask = label(text, cell)
        square = out[r * cell : (r + 1) * cell, c * cell : (c + 1) * cell]
        square += ((ink - square.astype(np.int16)) * mask // 255).astype(np.uint8)
    return out


@functools.lru_cache(4096)
def label(text: str, cell: int) -> np.ndarray:
    """Return how much ink each point of a square gets for a text in its middle: (cell, cell, 1) int16, 0 to 255."""
    canvas = Image.new("L", (cell, cell))
    room = cell / (1.15 * len(text.splitlines()) + 0.3) if "\n" in text else cell / 3
    kind = font(int(min(15 * DENSE, room)), mono=True)
    ImageDraw.Draw(canvas).multiline_text(
        (cell / 2, cell / 2), text, font=kind, fill=255, anchor="mm", align="center", spacing=DENSE
    )
    return np.asarray(canvas, np.int16)[..., None]
