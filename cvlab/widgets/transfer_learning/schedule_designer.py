"""Lesson 04: drag the knots of a learning-rate schedule and see the loss that it gives."""

import functools
from typing import ClassVar

import ipywidgets
import numpy as np

from cvlab.widgets._engine.grid import scene_of
from cvlab.widgets._engine.pointer import PointerWidget
from cvlab.widgets._engine.sheet import DIM, ERROR, GRID, INK, PAPER, PREDICTION, Sheet

__all__ = ["ScheduleDesigner"]

STEPS, KNOTS, LEVELS, DECADE = 120, 7, 60, 20  # a level is a twentieth of a power of ten, from 0.001 to 1
LEFT, TOP, WIDE, TALL, GAP = 52, 30, 266, 220, 66  # as in schedule_designer.js
LOW, HIGH = -3, 3  # powers of ten: the lowest and the highest loss shown
ENOUGH, RUNS, STEEP, FAR = 0.03, 16, np.array([0.5, 2.0, 8.0, 30.0]), 100.0
# levels of the seven knots; below 0 is drawn at 0
SHAPES = {
    "constant": [22] * KNOTS,
    "step": [22, 22, 22, 2, 2, -18, -18],
    "cosine": [22, 21, 20, 16, 10, -1, -38],
    "one cycle": [-6, 16, 22, 20, 14, 2, -38],
}


class ScheduleDesigner(PointerWidget):
    """Drag seven knots of a schedule; a small noisy problem, steep far from its minimum, is trained with it.

    Arrow left and right choose a knot, up and down move it, with Shift all of them.

    Example:
        >>> ScheduleDesigner().readout.splitlines()[:2]
        ['loss after 120 steps: 0.074', 'at the start: 243.0']
    """

    alt = "A learning rate over 120 steps, drawn through seven knots, and the loss over the same steps"
    default_task = f"Bring the loss after {STEPS} steps below {ENOUGH}."
    learnt = "Small while it is steep, large to travel, small again to settle."
    hint = (
        "Drag a knot up or down; elsewhere you drag all of them. Left and right choose a knot, up and down "
        "move it, with Shift all."
    )
    is_chart = True
    answer: ClassVar = {"shape": "one cycle"} | {f"edit_{i}": 12 for i in range(1, KNOTS + 1)}
    scene = scene_of(__file__)

    def controls(self):
        def hidden(low, high, value, description):
            slider = ipywidgets.IntSlider(value, low, high, description=description)
            slider.layout.display = "none"  # moved on the canvas only
            return slider

        step = STEPS // (KNOTS - 1)
        edits = {
            f"edit_{i + 1}": hidden(-100, 100, 0, f"twentieths added at step {i * step}")
            for i in range(KNOTS)
        }
        shape = ipywidgets.Dropdown(options=list(SHAPES), description="shape")
        return {"shape": shape, "selected": hidden(1, KNOTS, 1, "knot")} | edits

    def _moved(self, change) -> None:
        if change["owner"] is self._controls["shape"] and not self._quiet:
            self._quiet = True  # a new shape starts without the edits made to the old one
            for name, control in self._controls.items():
                if name.startswith("edit_"):
                    control.value = 0
            self._quiet = False
        super()._moved(change)

    def compute(self, shape, selected, **edits):
        levels = np.clip([base + edits[f"edit_{i}"] for i, base in enumerate(SHAPES[shape], 1)], 0, LEVELS)
        at = np.linspace(0, STEPS, KNOTS)
        rates = 10 ** (LOW + np.interp(np.arange(STEPS), at, levels) / DECADE)
        return {
            "shape": shape,
            "selected": selected,
            "levels": levels,
            "rates": rates,
            "losses": train(rates),
        }

    def data(self, values):
        losses = values["losses"]
        return {
            "base": SHAPES[values["shape"]],
            "loss": np.log10(np.maximum(losses, 1e-9)).round(3).tolist(),
            "lost": len(losses) <= STEPS,
        }

    def draw(self, values):  # as in schedule_designer.js
        sheet = Sheet(LEFT + 2 * WIDE + GAP + 16, TOP + TALL + 40)
        right, losses = LEFT + WIDE + GAP, np.log10(values["losses"])
        axes(sheet, LEFT, "learning rate, drag it", [(10.0**p, (p + 3) / 3) for p in (-3, -2, -1, 0)])
        axes(sheet, right, "loss", [(10.0**p, (p - LOW) / (HIGH - LOW)) for p in range(LOW, HIGH + 1)])
        enough = TOP + TALL * (1 - (np.log10(ENOUGH) - LOW) / (HIGH - LOW))
        for x in range(right, right + WIDE, 8):
            sheet.path([(x, enough), (x + 4, enough)], INK)
        sheet.text(right + 4, enough - 5, f"{ENOUGH}", size=12)
        down = TOP + TALL * (1 - np.clip((losses - LOW) / (HIGH - LOW), 0, 1))
        sheet.path([(right + WIDE * i / STEPS, y) for i, y in enumerate(down)], ERROR, 2)
        if len(losses) <= STEPS:
            end, early = right + WIDE * len(losses) / STEPS, len(losses) < STEPS / 2
            sheet.text(
                end + (10 if early else -14), TOP + 18, "grows without end", anchor="ls" if early else "rs"
            )
        knots = [
            (LEFT + WIDE * i / (KNOTS - 1), TOP + TALL * (1 - level / LEVELS))
            for i, level in enumerate(values["levels"])
        ]
        sheet.path(knots, PREDICTION, 3)
        for i, (x, y) in enumerate(knots, 1):
            chosen = values["selected"] == i
            sheet.circle(x, y, 8 if chosen else 6, fill=PREDICTION, outline=INK if chosen else PAPER, line=2)
        return sheet.pixels

    def text(self, values):
        losses, rates, i = values["losses"], values["rates"], values["selected"]
        lost = len(losses) <= STEPS
        last = f"grows without end, from step {len(losses)} on" if lost else written(losses[-1])
        chosen = 10 ** (LOW + values["levels"][i - 1] / DECADE)
        return (
            f"loss after {STEPS} steps: {last}\n"
            f"at the start: {losses[0]:.1f}\n"
            f"lowest on the way: {written(losses.min())} at step {losses.argmin()}\n"
            f"highest rate: {rates.max():.2g}\n"
            f"knot {i} of {KNOTS}: rate {chosen:.2g} at step {(i - 1) * STEPS // (KNOTS - 1)}"
        )

    def goal(self, values):
        return len(values["losses"]) > STEPS and bool(values["losses"][-1] < ENOUGH)


def written(loss: float) -> str:
    """Write a loss with as many decimals as it needs.

    Example:
        >>> written(0.01849), written(12.345)
        ('0.018', '12.3')
    """
    return f"{loss:.3f}" if loss < 1 else f"{loss:.1f}"


@functools.cache
def _noise() -> np.ndarray:
    """Return what the gradients are off by: the same in every training."""
    return 0.3 * np.sqrt(STEEP) * np.random.default_rng(0).normal(size=(STEPS, RUNS, len(STEEP)))


def train(rates: np.ndarray) -> np.ndarray:
    """Walk down a noisy valley with four directions, some much steeper than others, and all steeper far away.

    The loss is the sum of `steep * (w**2 / 2 + w**4 / 4)`; 16 walks with their own noise start at 2.

    Args:
        rates: (120,) learning rates.

    Returns:
        (121,) the mean loss before each step and after the last; it ends early where a walk runs away.
    """
    weight, losses = np.full((RUNS, len(STEEP)), 2.0), []
    for rate, noise in zip([*rates, 0.0], [*_noise(), 0.0], strict=True):
        square = weight**2
        losses.append(float((STEEP * (square / 2 + square**2 / 4)).sum(axis=1).mean()))
        weight = weight - rate * (STEEP * weight * (1 + square) + noise)
        if np.abs(weight).max() > FAR:
            break
    return np.array(losses)


def axes(sheet: Sheet, left: float, title: str, levels: list[tuple[float, float]]) -> None:
    """Draw the grid of one chart, its title and the numbers at its sides.

    Args:
        sheet: what is drawn on.
        left: where the chart begins.
        title: what is drawn over the steps.
        levels: pairs of a number and its height, 0 to 1.
    """
    for step in range(0, STEPS + 1, STEPS // 6):
        x = left + WIDE * step / STEPS
        sheet.path([(x, TOP), (x, TOP + TALL)], GRID)
        if step % 40 == 0:
            sheet.text(x, TOP + TALL + 17, str(step), size=12, fill=DIM, anchor="ms")
    for number, height in levels:
        y = TOP + TALL * (1 - height)
        sheet.path([(left, y), (left + WIDE, y)], GRID)
        sheet.text(left - 11, y + 4, f"{number:g}", size=12, fill=DIM, anchor="rs")
    sheet.text(left, TOP - 12, title)
    sheet.text(left + WIDE / 2, TOP + TALL + 33, "step", anchor="ms")
