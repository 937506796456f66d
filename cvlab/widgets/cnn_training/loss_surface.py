"""Lesson 03: how the learning rate and momentum walk down a loss."""

import functools

import ipywidgets
import numpy as np
from PIL import Image, ImageDraw

from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.chart import Axis, Line, Point, chart
from cvlab.widgets._engine.picture import DENSE, board

__all__ = ["SURFACES", "LossSurface"]

SIDE, REACH = 320, 2.0  # CSS pixels, and the largest x and y shown
START = {"round bowl": (-1.6, 1.2), "long valley": (-1.7, 0.6), "two hollows": (-1.75, 0.9)}
ENOUGH = 0.001


def _bowl(x, y):
    return (x**2 + y**2) / 2, x, y


def _valley(x, y):
    return (x**2 + 20 * y**2) / 2, x, 20 * y


def _hollows(x, y):
    """A shallow hollow at the left, the deep one at the right."""
    value = (x**2 - 1) ** 2 / 2 - 0.25 * x + y**2 + 0.257
    return value, 2 * x * (x**2 - 1) - 0.25, 2 * y


SURFACES = {"round bowl": _bowl, "long valley": _valley, "two hollows": _hollows}  # (x, y) -> loss, dx, dy


class LossSurface(Widget):
    """Choose learning rate and momentum; see the path that gradient descent takes, and the loss along it.

    Example:
        >>> LossSurface(surface="round bowl", lr=1.0, momentum=0.0, steps=1).readout.splitlines()[0]
        'loss after 1 step: 0.0000'
    """

    format = "png"
    alt = "A loss drawn as a map with contour lines, the path of gradient descent on it, and the loss at each step"
    default_task = "In the long valley, get the loss below 0.001 in at most 40 steps."
    learnt = "Momentum adds up along the valley and cancels out across it."
    answer = {"surface": "long valley", "lr": 0.06, "momentum": 0.65, "steps": 40}

    def controls(self):
        return {
            "lr": ipywidgets.FloatSlider(
                0.09, min=0.005, max=1.0, step=0.005, readout_format=".3f", description="learning rate"
            ),
            "momentum": ipywidgets.FloatSlider(0.0, min=0.0, max=0.98, step=0.01, description="momentum"),
            "steps": ipywidgets.IntSlider(20, 1, 60, description="steps"),
            "surface": ipywidgets.Dropdown(
                options=list(SURFACES), value="long valley", description="surface"
            ),
        }

    def compute(self, lr, momentum, steps, surface):
        slope = SURFACES[surface]
        weight, velocity = np.array(START[surface]), np.zeros(2)
        path, losses = [weight], [slope(*weight)[0]]
        for _ in range(steps):
            velocity = momentum * velocity + np.array(slope(*weight)[1:])
            weight = np.clip(weight - lr * velocity, -1e6, 1e6)  # far away is far enough
            path.append(weight)
            losses.append(slope(*weight)[0])
        return {
            "path": np.array(path),
            "losses": np.array(losses),
            "surface": surface,
            "lr": lr,
            "momentum": momentum,
        }

    def draw(self, values):
        picture, look = Image.fromarray(_map(values["surface"])), self.palette
        pen = ImageDraw.Draw(picture)
        places = [_place(point) for point in np.clip(values["path"], -50, 50)]
        pen.line(places, fill=(255, 255, 255), width=2 * DENSE)
        for place in places:
            _dot(pen, place, 3, look.orange)
        _dot(pen, places[0], 6, look.sky)
        _dot(pen, places[-1], 6, look.green)
        losses = values["losses"]
        height = (np.log10(np.clip(losses, 1e-5, 1e3)) + 5) / 8  # 0.00001 to 1000
        steps = len(losses) - 1
        line = chart(
            [
                Line((0, steps), (0.25, 0.25), look.dim, 1, "0.001"),
                Line(range(len(losses)), height, look.orange),
            ],
            [Point(steps, height[-1], look.green)],
            x=Axis("step", 0, steps, max(1, -(-steps // 6))),
            levels={(power + 5) / 8: f"1e{power}" for power in range(-5, 4)},
            size=(SIDE, SIDE),
            room=52,
            look=look,
        )
        path = "the path, from blue to green"
        return board([[(path, np.asarray(picture)), ("the loss at each step", line)]], look)

    def text(self, values):
        losses, path = values["losses"], values["path"]
        count = len(losses) - 1
        crossings = int((path[:-1, 1] * path[1:, 1] < -1e-9).sum())  # not the noise near 0
        first = np.flatnonzero(losses < ENOUGH)
        now = f"{losses[-1]:.4f}" if losses[-1] < 1000 else "grows without end"
        grown = "; the steps are too large" if losses[-1] > losses[0] else ""
        return (
            f"loss after {count} step{'s' * (count > 1)}: {now}\n"
            f"at the start: {losses[0]:.3f}{grown}\n"
            f"below {ENOUGH}: {f'from step {first[0]}' if len(first) else 'not yet'}\n"
            f"times across the valley: {crossings}"
        )

    def goal(self, values):
        return values["surface"] == "long valley" and bool((values["losses"][:41] < ENOUGH).any())


def _place(point) -> tuple[float, float]:
    side = SIDE * DENSE
    return (point[0] + REACH) / (2 * REACH) * side, (REACH - point[1]) / (2 * REACH) * side


def _dot(pen, place, radius: int, colour) -> None:
    (x, y), r = place, radius * DENSE
    pen.ellipse((x - r, y - r, x + r, y + r), fill=colour, outline=(0, 0, 0), width=DENSE // 2)


@functools.cache
def _map(surface: str) -> np.ndarray:
    """Draw a surface: bright is high, lines join places of one height."""
    axis = np.linspace(-REACH, REACH, SIDE * DENSE)
    height = np.log(SURFACES[surface](axis[None, :], axis[::-1, None])[0] + 0.05)
    level = (height - height.min()) / (height.max() - height.min())
    bands = np.floor(level * 12)
    edge = (np.diff(bands, axis=0, prepend=bands[:1]) != 0) | (
        np.diff(bands, axis=1, prepend=bands[:, :1]) != 0
    )
    low, high = np.array([28, 42, 92]), np.array([222, 214, 150])
    colour = low + level[..., None] * (high - low)
    return np.where(edge[..., None], colour * 0.6, colour).astype(np.uint8)
