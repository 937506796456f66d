"""Lesson 02: change the numbers of a kernel and see at once what it finds in a photo."""

import ipywidgets
import numpy as np

from cvlab.widgets._engine.grid import as_base64, cells, format_number, framed, scene_of, signed
from cvlab.widgets._engine.picture import as_photo, signed_map
from cvlab.widgets._engine.pointer import PointerWidget
from cvlab.widgets._engine.sheet import GRID, Sheet

__all__ = ["KernelLab"]

TOP, LEFT, SIDE, GAP, WIDE, BAR = 26, 6, 160, 12, 298, 14  # as in kernel_lab.js
SIGNED, PLAIN = "signed, 0 is white", "as a picture, 0 to 255"
LOG = [[0, 0, -1, 0, 0], [0, -1, -2, -1, 0], [-1, -2, 16, -2, -1], [0, -1, -2, -1, 0], [0, 0, -1, 0, 0]]
BINOMIAL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]).tolist()
# name: whole weights, and what they are divided by
PRESETS = {
    "vertical edges": ([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], 1),
    "horizontal edges": ([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], 1),
    "all edges": ([[0, 1, 0], [1, -4, 1], [0, 1, 0]], 1),
    "emboss": ([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], 1),
    "sharpen": ([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], 1),
    "box blur": ([[1, 1, 1]] * 3, 9),
    "one pixel": ([[0, 0, 0], [0, 1, 0], [0, 0, 0]], 1),
    "zeros": ([[0, 0, 0]] * 3, 1),
    "Gaussian blur, 5 × 5": (BINOMIAL, 256),
    "blobs, 5 × 5": (LOG, 1),
    "zeros, 5 × 5": ([[0] * 5] * 5, 1),
}


class KernelLab(PointerWidget):
    """Edit a 3 x 3 or 5 x 5 kernel by keyboard or drag; the photo is filtered in the browser as you go.

    Args:
        image: a photo's name, a path, or a (H, W, 3) uint8 RGB array; shown in grey.

    Example:
        >>> lab = KernelLab("coins", preset="box blur")
        >>> lab.readout.splitlines()[1]
        'sum of the weights: 1'
    """

    alt = "A kernel, a photo in grey, and the kernel's answer to it"
    default_task = "Turn vertical edges into a kernel that finds only edges that get brighter downwards."
    learnt = (
        "Where every column of weights adds up to 0, vertical edges vanish; minus above and plus below answer "
        "to what gets brighter downwards."
    )
    hint = "Drag a weight up or down, or choose one by the arrow keys and type 0 to 9, + or −."
    format = "jpeg"
    answer = {"edit_01": -2, "edit_02": -2, "edit_10": 2, "edit_12": -2, "edit_20": 2, "edit_21": 2}
    scene = scene_of(__file__)

    def __init__(self, image="chelsea", **options):
        photo = as_photo(image, longest=298)
        self.grey = (photo @ [0.299, 0.587, 0.114]).round().astype(np.uint8)  # (H, W)
        self._sent = as_base64(self.grey)
        super().__init__(**options)

    def controls(self):
        def hidden(low, high, value, description):
            slider = ipywidgets.IntSlider(value, low, high, description=description)
            slider.layout.display = "none"  # moved on the canvas only
            return slider

        shown = {
            "preset": ipywidgets.Dropdown(options=list(PRESETS), description="kernel"),
            "show": ipywidgets.Dropdown(options=[SIGNED, PLAIN], description="show the answer"),
        }
        places = {"row": hidden(0, 4, 0, "row"), "col": hidden(0, 4, 0, "column")}
        cells = [(r, c) for r in range(5) for c in range(5)]
        edits = {f"edit_{r}{c}": hidden(-9, 9, 0, f"added at row {r}, column {c}") for r, c in cells}
        return shown | places | edits

    def _moved(self, change) -> None:
        if change["owner"] is self._controls["preset"] and not self._quiet:
            self._quiet = True  # a new preset starts without the edits made to the old one
            for name, control in self._controls.items():
                if name.startswith("edit_"):
                    control.value = 0
            self._quiet = False
        super()._moved(change)

    def compute(self, preset, show, row, col, **edits):
        import cv2

        base, divisor = PRESETS[preset]
        size = len(base)
        added = [[edits[f"edit_{r}{c}"] for c in range(size)] for r in range(size)]
        weights = np.array(base) + added
        kernel = weights / divisor
        answer = cv2.filter2D(self.grey, cv2.CV_32F, kernel, borderType=cv2.BORDER_REPLICATE)
        return {
            "preset": preset,
            "base": base,
            "divisor": divisor,
            "weights": weights,
            "kernel": kernel,
            "answer": answer,
            "show": show,
            "row": min(row, size - 1),
            "col": min(col, size - 1),
        }

    def data(self, values):
        height, width = self.grey.shape
        sent = {"pixels": self._sent, "height": height, "width": width, "plain": PLAIN}
        return sent | {"weights": values["base"], "divisor": values["divisor"]}

    def draw(self, values):  # as in kernel_lab.js
        weights, answer, row, col = values["weights"], values["answer"], values["row"], values["col"]
        height, width = self.grey.shape
        zoom = WIDE / max(height, width)
        w, h, y, right = round(width * zoom), round(height * zoom), TOP + SIDE + 32, LEFT + WIDE + GAP
        cell, limit = SIDE / len(weights), max(1, np.abs(weights).max())
        most, plain = max(float(np.abs(answer).max()), 1e-6), values["show"] == PLAIN
        sheet = Sheet(2 * LEFT + 2 * WIDE + GAP, y + h + 6)
        sheet.text(
            LEFT, 16, "Kernel" if values["divisor"] == 1 else f"Kernel, divided by {values['divisor']}"
        )
        cells(sheet, weights.astype(float), LEFT, TOP, cell, lambda v: signed(v, limit))
        framed(sheet, LEFT + col * cell + 1, TOP + row * cell + 1, cell - 2, cell - 2)
        shown = np.clip(answer.round(), 0, 255).astype(np.uint8) if plain else signed_map(answer, most)
        sheet.text(LEFT, y - 8, "Photo, in grey")
        sheet.text(right, y - 8, "The kernel's answer")
        sheet.paste(LEFT, y, self.grey, w, h)
        sheet.paste(right, y, shown, w, h)
        sheet.text(right, TOP + 76, "The answer's greys" if plain else "The answer's colours")
        ramp = np.linspace(-1, 1, 2 * WIDE)[None]  # (1, 2 * WIDE)
        colours = (255 * (ramp + 1) / 2).astype(np.uint8) if plain else signed_map(ramp, 1)
        sheet.paste(right, TOP + 86, colours, WIDE, BAR)
        sheet.box(right - 0.5, TOP + 85.5, WIDE + 1, BAR + 1, outline=GRID)
        ends = ("0", "127", "255") if plain else (f"−{most:.0f}", "0", f"{most:.0f}")
        for i, (words, anchor) in enumerate(zip(ends, ("ls", "ms", "rs"), strict=True)):
            sheet.text(right + i * WIDE / 2, TOP + 86 + BAR + 16, words, anchor=anchor)
        return sheet.pixels

    def text(self, values):
        weights, answer, row, col = values["weights"], values["answer"], values["row"], values["col"]
        rows = " | ".join(" ".join(format_number(w) for w in line) for line in weights)
        divided = "" if values["divisor"] == 1 else f", all / {values['divisor']}"
        total = float(values["kernel"].sum().round(6))
        return (
            f"weights: {rows}{divided}\n"
            f"sum of the weights: {format_number(total)}\n"
            f"chosen: row {row}, column {col}, weight {format_number(weights[row, col])}\n"
            f"answers: {format_number(round(float(answer.min())))} to {format_number(round(float(answer.max())))}"
        )

    def goal(self, values):
        kernel = values["kernel"]
        blind_sideways = np.allclose(kernel.sum(axis=0), 0)
        steps = np.cumsum(
            kernel.sum(axis=1)[::-1]
        )  # the answers to a step that is brighter below, at every height
        rises = bool((steps > -1e-9).all() and (steps > 1e-9).any())
        return values["preset"] == "vertical edges" and blind_sideways and rises
