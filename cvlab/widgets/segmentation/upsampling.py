"""Lesson 05: a small map grows; each new pixel shows where it lies among the old ones and how they are mixed."""

import ipywidgets
import numpy as np

from cvlab import _validate
from cvlab.segmentation.growing import MODES, tap_weights
from cvlab.widgets._engine.grid import cells, framed, grey, scene_of, signed
from cvlab.widgets._engine.pointer import PointerWidget
from cvlab.widgets._engine.sheet import DIM, HERE, INK, Sheet

__all__ = ["UpsamplingExplorer"]

TOP, LEFT, GAP, CELL, GROWN, BIG, MOST, WIDTH = 26, 6, 30, 44, 320, 40, 6, 660  # as in upsampling.js
REACH = {"bilinear": (0, 1), "bicubic": (-1, 0, 1, 2)}  # the nearest modes: (0,)


def _sign() -> np.ndarray:
    """A slanted edge, a bright stroke and a dark corner."""
    return np.array([[1, 1, 2, 8, 8], [1, 1, 8, 8, 8], [1, 8, 8, 9, 2], [7, 8, 9, 2, 1], [8, 8, 2, 1, 0]])


class UpsamplingExplorer(PointerWidget):
    """Point at a pixel of a grown map: its place among the old pixels, its neighbours, their weights, the sum.

    Args:
        image: (H, W) numbers, at most 6 x 6.

    Example:
        >>> explorer = UpsamplingExplorer([[0, 4]], factor=2, row=1, col=1)
        >>> explorer.readout.splitlines()[2:4]
        ['column: (1 + 0.5) · 2 / 4 − 0.5 = 0.25', 'weights of rows: 0.75, 0.25']
    """

    alt = "A small map with the neighbours of one place framed, the grown map, and values times weights equals a sum"
    default_task = (
        "With bilinear, find a new pixel that is a copy of one old pixel, of one inside, not at the rim."
    )
    learnt = (
        "Inside, a new pixel is a copy only where its centre meets an old one: doubling makes no such place."
    )
    answer = {"factor": 3, "row": 4, "col": 4}
    hint = "Click or drag on the grown map, or use the arrow keys; Home is the first pixel, End the last."
    lines = 12
    scene = scene_of(__file__)

    def __init__(self, image=None, **options):
        self.image = _validate.image(_sign() if image is None else image, "image", channels=None)
        if max(self.image.shape) > MOST:
            raise ValueError(
                f"image must be at most {MOST} x {MOST}; got {self.image.shape}. Cut a piece: image[:5, :5]"
            )
        super().__init__(**options)

    def controls(self):
        def hidden(value, description):
            slider = ipywidgets.IntSlider(value, 0, 4 * MOST - 1, description=description)
            slider.layout.display = "none"  # moved on the canvas only
            return slider

        return {
            "mode": ipywidgets.Dropdown(options=list(MODES), value="bilinear", description="mode"),
            "align_corners": ipywidgets.Checkbox(False, description="align_corners", indent=False),
            "factor": ipywidgets.IntSlider(2, 2, 4, description="factor"),
            "row": hidden(3, "row"),
            "col": hidden(4, "column"),
        }

    def compute(self, mode, align_corners, factor, row, col):
        image = self.image.astype(float)
        aligned = align_corners and not mode.startswith("nearest")  # torch refuses it for nearest
        axes = [_axis(old, factor * old, mode, aligned) for old in image.shape]
        down, across = (axis["matrix"] for axis in axes)
        grown = down @ image @ across.T
        row, col = min(row, grown.shape[0] - 1), min(col, grown.shape[1] - 1)
        rows, cols = axes[0]["taps"][row], axes[1]["taps"][col]
        inside = [tap.clip(0, old - 1) for tap, old in zip((rows, cols), image.shape, strict=True)]
        patch = image[inside[0][:, None], inside[1]]
        weights = np.outer(axes[0]["shares"][row], axes[1]["shares"][col])
        used = np.argwhere(np.outer(down[row], across[col]).round(9)).tolist()  # old rows and columns
        values = {"mode": mode, "align_corners": align_corners, "aligned": aligned, "axes": axes}
        values |= {"grown": grown, "row": row, "col": col, "rows": rows, "cols": cols, "patch": patch}
        return values | {"weights": weights, "used": used, "answer": float(grown[row, col])}

    def data(self, values):
        judged = self._goal(values) is not None
        axes = [
            {key: axis[key].tolist() for key in ("place", "taps", "shares")} | {"formula": axis["formula"]}
            for axis in values["axes"]
        ]
        return {
            "image": self.image.tolist(),
            "grown": values["grown"].tolist(),
            "axes": axes,
            "mode": values["mode"],
            "facts": self._facts(values),
            "verdicts": [self._verdict(False), self._verdict(True)] if judged else [],
        }

    def draw(self, values):  # as in upsampling.js
        image, grown = self.image.astype(float), values["grown"]
        row, col, cell = values["row"], values["col"], GROWN // max(grown.shape)
        right, below = LEFT + MOST * CELL + GAP, TOP + GROWN + 34
        sheet = Sheet(WIDTH, below + 4 * BIG + 6)
        most = np.abs(image).max()
        sheet.text(LEFT, 16, "Old map")
        cells(sheet, image, LEFT, TOP, CELL, lambda v: grey(v, most))
        for r in sorted({int(tap) for tap in values["rows"].clip(0, image.shape[0] - 1)}):
            for c in sorted({int(tap) for tap in values["cols"].clip(0, image.shape[1] - 1)}):
                place = LEFT + c * CELL + 3, TOP + r * CELL + 3
                sheet.box(*place, CELL - 6, CELL - 6, outline=HERE, line=2.5)
        y, x = (axis["place"][at] for axis, at in zip(values["axes"], (row, col), strict=True))
        sheet.circle(LEFT + (x + 0.5) * CELL, TOP + (y + 0.5) * CELL, 5, fill=HERE, outline="#000000")
        sheet.text(LEFT, TOP + GROWN - 20, "● where the new centre lies", size=12, fill=DIM)
        sheet.text(LEFT, TOP + GROWN - 3, "□ the old pixels it looks at", size=12, fill=DIM)
        sheet.text(right, 16, f"Grown to {grown.shape[0]} × {grown.shape[1]}")
        cells(sheet, _hundredths(grown), right, TOP, cell, lambda v: grey(v, most))
        framed(sheet, right + col * cell, TOP + row * cell, cell, cell)
        self._draw_sum(sheet, below, values, most)
        return sheet.pixels

    def _draw_sum(self, sheet, y, values, most):
        """Draw values times weights equals products, and their sum, below `y`."""
        patch, weights = values["patch"], values["weights"]
        across, step = patch.shape[1] * BIG, 4 * BIG + 24
        middle = y + patch.shape[0] * BIG / 2 + 6
        outside = [
            (tap < 0) | (tap >= old)
            for tap, old in zip((values["rows"], values["cols"]), self.image.shape, strict=True)
        ]
        beyond = outside[0][:, None] | outside[1]
        for i, (name, grid, paint, empty) in enumerate(
            (
                ("Values", patch, lambda v: grey(v, most), beyond),
                ("Weights", weights, lambda v: signed(v, 1), None),
                ("Products", patch * weights, lambda v: signed(v, most), None),
            )
        ):
            sheet.text(LEFT + i * step, y - 8, name)
            cells(sheet, _hundredths(grid), LEFT + i * step, y, BIG, paint, empty)
        for i, words in enumerate(("×", "=")):
            sheet.text(LEFT + i * step + across + 5, middle, words, size=18, bold=True)
        total = f"sum {_write(values['answer'])}"
        sheet.text(LEFT + 2 * step + across + 12, middle, total, size=18, bold=True, fill=INK)

    def _facts(self, values):
        """What is true of the whole grown map, not of one pixel."""
        grown, old = values["grown"], self.image
        centres = "corner centres meet" if values["aligned"] else "half-pixel: the edges of the maps meet"
        if values["align_corners"] and not values["aligned"]:
            centres = "nearest has no align_corners: torch refuses it"
        ends = [_write(v) for v in (grown.min(), grown.max(), float(old.min()), float(old.max()))]
        return [
            f"centres: {centres}",
            f"grown map: {ends[0]} to {ends[1]}",
            f"old map: {ends[2]} to {ends[3]}",
        ]

    def text(self, values):
        row, col, (down, across) = values["row"], values["col"], values["axes"]
        height, width = values["grown"].shape
        weights = [", ".join(map(_write, axis["shares"][at])) for axis, at in ((down, row), (across, col))]
        return "\n".join(
            [
                f"new pixel: row {row}, column {col} of {height} × {width}",
                f"row: {down['formula'][row]}",
                f"column: {across['formula'][col]}",
                f"weights of rows: {weights[0]}",
                f"weights of columns: {weights[1]}",
                f"made of: {len(values['used'])} old pixel{'s' * (len(values['used']) != 1)}",
                f"value: {_write(values['answer'])}",
                *self._facts(values),
            ]
        )

    def goal(self, values):
        (row, col), height, width = values["used"][0], *self.image.shape
        inside = 0 < row < height - 1 and 0 < col < width - 1
        return values["mode"] == "bilinear" and len(values["used"]) == 1 and inside


def _axis(old: int, new: int, mode: str, aligned: bool) -> dict:
    """Return where each new centre lies along one axis, how that was reckoned, its taps and their shares."""
    i = np.arange(new)
    half, scale = (0 if mode == "nearest" or aligned else 0.5), f"{old} / {new}"
    place = (i + half) * old / new
    words = [f"({n} + 0.5) · {scale}" if half else f"{n} · {scale}" for n in i]
    if mode.startswith("nearest"):
        place = np.floor(place)
        words = [f"floor({line})" for line in words]
    elif aligned:
        place = i * (old - 1) / max(new - 1, 1)
        words = [f"{n} · {old - 1} / {max(new - 1, 1)}" for n in i]
    else:
        place = place - 0.5
        words = [f"{line} − 0.5" for line in words]
    taps = np.floor(place).astype(int)[:, None] + np.array(REACH.get(mode, (0,)))  # (new, 1, 2 or 4)
    shares = tap_weights(place[:, None] - taps, mode)
    matrix = np.zeros((new, old))
    np.add.at(matrix, (i[:, None], taps.clip(0, old - 1)), shares)
    formula = [f"{line} = {_write(v)}" for line, v in zip(words, place, strict=True)]
    return {"place": place, "formula": formula, "taps": taps, "shares": shares, "matrix": matrix}


def _hundredths(values: np.ndarray) -> np.ndarray:
    """Round to two decimals, the middle upwards as JavaScript does, without a minus before 0."""
    return np.floor(values * 100 + 0.5 + 1e-7) / 100 + 0.0


def _write(value: float) -> str:
    """Write up to three decimals, the middle upwards, with a real minus."""
    value = np.floor(value * 1000 + 0.5 + 1e-6) / 1000 + 0.0
    return f"{value:.3f}".rstrip("0").rstrip(".").replace("-", "−")
