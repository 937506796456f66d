"""Lesson 02: a kernel walks over a small picture; patch times kernel, added up, is one number."""

import ipywidgets
import numpy as np

from cvlab import _validate
from cvlab.widgets._engine.grid import format_number, number_grid, scene_of
from cvlab.widgets._engine.picture import board, outlined
from cvlab.widgets._engine.pointer import PointerWidget

__all__ = ["SlidingKernel"]

CELL = 40
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
    answer = {"step": 1}
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
        return kept | {key: grid.tolist() for key, grid in grids.items()} | {"judged": judged}

    def draw(self, values):
        padded, output, pad = values["padded"], values["output"], values["padding"]
        most = np.abs(padded).max()
        outside = np.pad(np.zeros(self.image.shape, bool), pad, constant_values=True)
        picture = number_grid(padded, CELL, signed=False, limit=most, dim=outside)
        name = "the picture, with padding" if pad else "the picture"
        if values["answer"] is None:
            return board([[(name, picture)]])
        row, col, stride, k = values["row"], values["col"], values["stride"], len(values["weights"])
        side = (values["dilation"] * (k - 1) + 1) * CELL
        picture = outlined(picture, row * stride * CELL + 2, col * stride * CELL + 2, side - 3, side - 3)
        limit = np.abs(output).max()
        so_far = np.where(
            np.arange(output.size).reshape(output.shape) <= row * output.shape[1] + col, output, np.nan
        )
        answers = number_grid(so_far, CELL, signed=True, limit=limit)
        answers = outlined(answers, row * CELL + 2, col * CELL + 2, CELL - 3, CELL - 3)
        below = [
            ("patch", number_grid(values["patch"], CELL, signed=False, limit=most)),
            ("× kernel", number_grid(values["weights"], CELL, signed=True, limit=np.abs(values["weights"]).max())),
            (f"= products, sum {format_number(values['answer'])}", number_grid(values["products"], CELL, signed=True, limit=limit)),
        ]  # fmt: skip
        return board([[(name, picture), ("answers so far", answers)], below])

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
