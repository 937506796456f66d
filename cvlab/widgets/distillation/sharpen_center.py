"""Lesson 08a: a teacher's answers sharpened and centred, until they tell pictures apart or say the same of all."""

from typing import ClassVar

import ipywidgets
import numpy as np
from PIL import Image, ImageDraw

from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.picture import DENSE, board, font

__all__ = ["SharpenCenter"]

PICTURES, ANSWERS, SHOWN = 12, 6, 3
LIKED = np.array([0.1, 0.5, -0.1, 0.0, -0.2, 0.2])  # what all pictures are answered alike
WIDTH, HEIGHT = 150, 150  # CSS pixels of a panel
MOST = np.log(ANSWERS)


class SharpenCenter(Widget):
    """Turn temperature and centre; see what a teacher says of three pictures, and the mean of what it says of twelve.

    Its logits are made up: one answer is liked for every picture, and each picture adds something of its own.

    Example:
        >>> SharpenCenter().readout.splitlines()[0]
        'temperature: 0.50'
    """

    alt = "Bars: the probabilities of six answers for three pictures, and their mean over twelve pictures"
    default_task = "Find a temperature and a centre with which the answers tell at least 1.5 nats: neither alike nor even."
    learnt = "Sharpening alone gives every picture the same answer, centring alone gives none; together each picture has its own."
    is_chart = True
    answer: ClassVar = {"temperature": 4, "centre": 100}

    def controls(self):
        return {
            "temperature": ipywidgets.IntSlider(50, 1, 100, description="temperature, in hundredths"),
            "centre": ipywidgets.IntSlider(0, 0, 100, step=10, description="centre taken off, in %"),
        }

    def compute(self, temperature, centre):
        logits = _logits()
        logits = (logits - centre / 100 * logits.mean(axis=0)) / (temperature / 100)
        said = np.exp(logits - logits.max(axis=1, keepdims=True))
        said /= said.sum(axis=1, keepdims=True)  # (PICTURES, ANSWERS)
        one, mean = _entropy(said).mean(), _entropy(said.mean(axis=0))
        return {
            "temperature": temperature / 100,
            "centre": centre,
            "said": said,
            "entropy": float(one),
            "of_mean": float(mean),
            "told": float(mean - one),
        }

    def draw(self, values):
        look, said = self.palette, values["said"]
        panels = [(f"picture {i + 1}", _bars(said[i], look.prediction, look)) for i in range(SHOWN)]
        return board([[*panels, (f"mean of {PICTURES}", _bars(said.mean(axis=0), look.error, look))]], look)

    def text(self, values):
        return (
            f"temperature: {values['temperature']:.2f}\n"
            f"centre taken off: {values['centre']} %\n"
            f"entropy of an answer: {values['entropy']:.2f} of {MOST:.2f} nats\n"
            f"entropy of their mean: {values['of_mean']:.2f} nats\n"
            f"what the answers tell: {values['told']:.2f} nats\n"
            f"so: {_verdict(values)}"
        )

    def goal(self, values):
        return values["told"] >= 1.5


def _verdict(values) -> str:
    if values["told"] >= 0.3:
        return "pictures are told apart"
    if values["entropy"] > 0.8 * MOST:
        return "nearly even for all"
    return "much the same for all"


def _logits() -> np.ndarray:
    """Return (PICTURES, ANSWERS): a liking that all share, one answer of each picture's own, and a little noise."""
    own = 0.35 * np.eye(ANSWERS)[np.arange(PICTURES) % ANSWERS]
    return LIKED + own + 0.03 * np.random.default_rng(0).normal(size=(PICTURES, ANSWERS))


def _entropy(said: np.ndarray) -> np.ndarray:
    return -(said * np.log(said.clip(1e-30))).sum(axis=-1)


def _bars(said: np.ndarray, colour, look) -> np.ndarray:
    """Draw probabilities as bars from 0 to 1, with a line where all would be even."""
    picture = Image.new("RGB", (WIDTH * DENSE, HEIGHT * DENSE), look.ground)
    pen, floor = ImageDraw.Draw(picture), HEIGHT - 22
    even = floor * (1 - 1 / len(said)) * DENSE
    pen.line([(0, even), (WIDTH * DENSE, even)], fill=look.grid, width=DENSE)
    for i, share in enumerate(said):
        left = 4 + i * (WIDTH - 8) / len(said)
        top = min(floor * (1 - share), floor - 1)
        pen.rectangle([left * DENSE, top * DENSE, (left + 19) * DENSE, floor * DENSE], fill=colour)
        words = (left + 10) * DENSE, (HEIGHT - 16) * DENSE
        pen.text(words, str(i + 1), font=font(12 * DENSE), fill=look.dim, anchor="mt")
    return np.asarray(picture)
