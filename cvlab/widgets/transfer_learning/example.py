"""Lesson 04: a widget that shows the form. Which row is the brightest?"""

import ipywidgets
import numpy as np

from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.picture import DENSE, board, outlined

__all__ = ["TransferLearningExample"]

CELL = 30 * DENSE  # pixels drawn for a pixel of the picture


class TransferLearningExample(Widget):
    """Move a frame over the rows of a small grey picture, and read their means.

    Example:
        >>> TransferLearningExample(row=2).readout.splitlines()[0]
        'row: 2'
    """

    format = "png"
    alt = "A small grey picture with a frame around one row"
    default_task = "Find the brightest row."
    answer = {"row": 0}
    learnt = "The mean of a row says how bright it is."

    def __init__(self, **options):
        self.gray = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
        super().__init__(**options)

    def controls(self):
        return {"row": ipywidgets.IntSlider(7, 0, 7, description="row")}

    def compute(self, row):
        return {"row": row, "means": self.gray.mean(axis=1)}  # (8,)

    def draw(self, values):
        large = self.gray.repeat(CELL, 0).repeat(CELL, 1)  # (480, 480)
        framed = outlined(np.stack([large] * 3, axis=2), values["row"] * CELL, 0, CELL, 8 * CELL)
        return board([[(f"row {values['row']}", framed)]], self.palette)

    def text(self, values):
        return f"row: {values['row']}\nmean: {values['means'][values['row']]:.1f}"

    def goal(self, values):
        return values["row"] == values["means"].argmax()
