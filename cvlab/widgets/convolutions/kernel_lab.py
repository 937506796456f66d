"""Lesson 02: change the numbers of a kernel and see at once what it finds in a photo."""

import ipywidgets
import numpy as np

from cvlab.widgets._engine.grid import as_base64, format_number, number_grid, scene_of
from cvlab.widgets._engine.picture import as_photo, board, outlined, signed_map
from cvlab.widgets._engine.pointer import PointerWidget

__all__ = ["KernelLab"]

CELL = 42
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
    answer = {"edit_01": -2, "edit_02": -2, "edit_10": 2, "edit_12": -2, "edit_20": 2, "edit_21": 2}
    scene = scene_of(__file__)

    def __init__(self, image="chelsea", **options):
        photo = as_photo(image, longest=250)
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

    def draw(self, values):
        weights, answer, row, col = values["weights"], values["answer"], values["row"], values["col"]
        grid = number_grid(weights.astype(float), CELL, signed=True, limit=np.abs(weights).max())
        grid = outlined(grid, row * CELL + 3, col * CELL + 3, CELL - 5, CELL - 5)
        most = max(float(np.abs(answer).max()), 1e-6)
        plain = values["show"] == PLAIN
        shown = np.clip(answer.round(), 0, 255).astype(np.uint8) if plain else signed_map(answer, most)
        scale = "0 to 255" if plain else f"0 white, ±{most:.0f}"
        divided = "" if values["divisor"] == 1 else f" / {values['divisor']}"
        return board([[(f"kernel{divided}", grid), ("photo", self.grey), (f"answer: {scale}", shown)]])

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
        down = kernel.sum(axis=1)  # the answer to a picture that changes downwards only
        return bool(values["preset"] == "vertical edges" and blind_sideways and down[0] < 0 < down[-1])
