"""Lesson 02: a kernel walks over a small picture; patch times kernel, added up, is one number."""

import ipywidgets
import numpy as np

from cvlab import _validate
from cvlab.widgets._engine.grid import cells, format_number, framed, grey, scene_of, signed
from cvlab.widgets._engine.pointer import PointerWidget
from cvlab.widgets._engine.sheet import DIM, GRID, HERE, Sheet

__all__ = ["SlidingKernel"]

TOP, LEFT, GAP, ROOM, BIG = 26, 6, 30, 2, 44  # as in sliding.js
KERNELS = {
    "right minus left": [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]],
    "below minus above": [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
    "blur": np.full((3, 3), 1 / 9).tolist(),
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "twos, 2 × 2": [[2, 2], [2, 2]],
}


def _bar() -> np.ndarray:
    """A picture that is dark on the left and bright on the right, with one odd pixel."""
    image = np.array([[1, 1, 1, 8, 8, 8]] * 6)
    image[4, 1] = 5
    return image


class SlidingKernel(PointerWidget):
    """Walk a kernel over a small picture and see patch, kernel, products and sum; drawn in the browser.

    Args:
        image: (H, W) numbers, at most 8 x 8.

    Example:
        >>> sliding = SlidingKernel(np.arange(9).reshape(3, 3), kernel="twos, 2 × 2", step=3)
        >>> sliding.readout.splitlines()[:3]
        ['place: 4 of 4, row 1, column 1', 'products: 8 + 10 + 14 + 16', 'sum: 48']
    """

    alt = "A small picture with a window on it, the answers so far, and patch times kernel equals products"
    default_task = "Walk to the place with the strongest answer, positive or negative."
    learnt = (
        "The answer is strongest where the patch is bright under positive weights and dark under negative ones, "
        "or just the other way round."
    )
    answer = {"step": 1}
    hint = "Drag the window, or use the arrow keys; Home is the first place, End the last."
    lines = 8
    scene = scene_of(__file__)

    def __init__(self, image=None, **options):
        self.image = _validate.image(_bar() if image is None else image, "image", channels=None)
        if max(self.image.shape) > 8:
            raise ValueError(
                f"image must be at most 8 x 8; got {self.image.shape}. Cut a piece: image[:6, :6]"
            )
        super().__init__(**options)

    def controls(self):
        step = ipywidgets.IntSlider(0, 0, 143, description="step")
        step.layout.display = "none"  # moved on the canvas only
        return {
            "kernel": ipywidgets.Dropdown(options=list(KERNELS), description="kernel"),
            "padding": ipywidgets.IntSlider(0, 0, 2, description="padding"),
            "stride": ipywidgets.IntSlider(1, 1, 3, description="stride"),
            "dilation": ipywidgets.IntSlider(1, 1, 2, description="dilation"),
            "step": step,
        }

    def compute(self, kernel, padding, stride, dilation, step):
        weights = np.array(KERNELS[kernel], float)
        padded = np.pad(self.image.astype(float), padding)
        reach = dilation * (len(weights) - 1) + 1
        values = {"padded": padded, "weights": weights, "padding": padding, "stride": stride}
        values |= {"dilation": dilation, "output": np.zeros((0, 0)), "answer": None}
        if reach > min(padded.shape):
            misfit = (
                f"The kernel reaches over {reach} cells, the picture has {min(padded.shape)}: it fits nowhere"
            )
            return values | {"misfit": misfit}
        windows = np.lib.stride_tricks.sliding_window_view(padded, (reach, reach))
        windows = windows[::stride, ::stride, ::dilation, ::dilation]  # (rows, cols, k, k)
        output = (windows * weights).sum(axis=(2, 3))
        row, col = divmod(step % output.size, output.shape[1])
        products = windows[row, col] * weights
        found = {"row": row, "col": col, "patch": windows[row, col], "products": products}
        return values | found | {"output": output, "answer": float(output[row, col]), "misfit": ""}

    def data(self, values):
        kept = {key: values[key] for key in ("padding", "stride", "dilation", "misfit")}
        grids = {"padded": values["padded"], "kernel": values["weights"], "output": values["output"]}
        judged = self._goal(values) is not None
        verdicts = [self._verdict(False), self._verdict(True)] if judged else []
        return kept | {key: grid.tolist() for key, grid in grids.items()} | {"verdicts": verdicts}

    def draw(self, values):  # as in sliding.js
        padded, output, pad = values["padded"], values["output"], values["padding"]
        rows, cols = self.image.shape
        cell = min(36, 574 // (2 * max(rows, cols) + 4 * ROOM - 1))
        tall, wide, inset = (rows + 2 * ROOM) * cell, (cols + 2 * ROOM) * cell, (ROOM - pad) * cell
        right, below = LEFT + wide + GAP, TOP + tall + 34
        sheet = Sheet(620, below + 3 * BIG + 6)
        sheet.text(LEFT, 16, "The picture, with padding" if pad else "The picture")
        sheet.box(LEFT + 0.5, TOP + 0.5, wide - 1, tall - 1, outline=GRID)
        if not pad:
            sheet.text(LEFT + 8, TOP + tall - 8, "room for padding", size=12, fill=DIM)
        most, limit = np.abs(padded).max(), np.abs(output).max(initial=0)
        outside = np.pad(np.zeros(self.image.shape, bool), pad, constant_values=True)
        x, y = LEFT + inset, TOP + inset
        cells(sheet, padded, x, y, cell, lambda v: grey(v, most), outside)
        if values["answer"] is None:
            sheet.text(right, 16, "The kernel fits nowhere")
            return sheet.pixels
        row, col, stride, dilation = (values[key] for key in ("row", "col", "stride", "dilation"))
        sheet.text(right, 16, "Answers so far")
        seen = np.arange(output.size).reshape(output.shape) <= row * output.shape[1] + col
        cells(sheet, np.where(seen, output, np.nan), right, TOP, cell, lambda v: signed(v, limit))
        k = len(values["weights"])
        for i, j in np.ndindex(k, k) if dilation > 1 else ():
            place = x + (col * stride + j * dilation) * cell + 4, y + (row * stride + i * dilation) * cell + 4
            sheet.box(*place, cell - 8, cell - 8, outline=HERE, line=2.5)
        reach = (dilation * (k - 1) + 1) * cell
        framed(sheet, x + col * stride * cell, y + row * stride * cell, reach, reach)
        framed(sheet, right + col * cell, TOP + row * cell, cell, cell)
        self._draw_sum(sheet, below, values, most, limit)
        return sheet.pixels

    @staticmethod
    def _draw_sum(sheet, y, values, most, limit):
        """Draw patch times kernel equals products, and their sum, below `y`."""
        weights, step = values["weights"], 3 * BIG + 30
        side, strongest = len(weights) * BIG, np.abs(weights).max()
        middle = y + side / 2 + 6
        for i, (name, grid, paint) in enumerate(
            (
                ("Patch", values["patch"], lambda v: grey(v, most)),
                ("Kernel", weights, lambda v: signed(v, strongest)),
                ("Products", values["products"], lambda v: signed(v, limit)),
            )
        ):
            sheet.text(LEFT + i * step, y - 8, name)
            cells(sheet, grid, LEFT + i * step, y, BIG, paint)
        for i, words in enumerate(("×", "=")):
            sheet.text(LEFT + i * step + side + 9, middle, words, size=18, bold=True)
        total = f"sum {format_number(values['answer'])}"
        sheet.text(LEFT + 2 * step + side + 12, middle, total, size=18, bold=True)

    def text(self, values):
        if values["answer"] is None:
            return values["misfit"]
        rows, cols = values["output"].shape
        products = " + ".join(format_number(v) for v in values["products"].ravel()).replace("+ −", "− ")
        return (
            f"place: {values['row'] * cols + values['col'] + 1} of {rows * cols}, row {values['row']}, column {values['col']}\n"
            f"products: {products}\n"
            f"sum: {format_number(values['answer'])}\n"
            f"answers in all: {rows} × {cols}"
        )

    def goal(self, values):
        return values["answer"] is not None and bool(
            abs(values["answer"]) >= np.abs(values["output"]).max() - 1e-9
        )
