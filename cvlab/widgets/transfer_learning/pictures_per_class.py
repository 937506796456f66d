"""Lesson 04: how many pictures of each class, and which of five ways wins with them? Recorded trainings."""

import functools
from typing import ClassVar

import ipywidgets
import numpy as np
from PIL import Image, ImageDraw

from cvlab.transfer_learning import records
from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.palette import Palette
from cvlab.widgets._engine.picture import DENSE, board, font, scaled
from cvlab.world.single import make_pictures
from cvlab.world.stickers import CIFAR10

__all__ = ["PicturesPerClass"]

CELL, NAMES, MOST = 28, 80, 8  # CSS pixels: a picture, the names of the classes; pictures shown of a class
WIDE, TALL = 350, CELL * len(CIFAR10)  # CSS pixels: the bars
TOP, FOOT, LEFT = 4, 40, 10
WORDS = font(13 * DENSE)
LEAD, GUESSING = 0.1, 0.1


@functools.cache
def _shots() -> np.ndarray:
    """The first pictures of seed 0, `MOST` of each class: (10, MOST, 2 CELL, 2 CELL, 3)."""
    images = make_pictures(MOST * len(CIFAR10), seed=10, size=records.record()["size"]).images
    small = np.stack([scaled(image, CELL * DENSE) for image in images])
    return small.reshape(MOST, len(CIFAR10), *small.shape[1:]).swapaxes(0, 1)


class PicturesPerClass(Widget):
    """Choose how many pictures of each class there are to learn from; see what each way makes of them.

    Example:
        >>> PicturesPerClass(pictures=8).readout.splitlines()[0]
        'pictures: 8 of each class, 80 in all'
    """

    alt = "The pictures to learn from, and for five ways of training the accuracy: a bar, with a dot for each seed"
    default_task = "Unseen style: find the fewest pictures a class with which training all layers is at least 10 points ahead of the frozen net."
    learnt = (
        "Eight pictures a class are enough for all layers to learn, if they begin with pretrained weights."
    )
    answer: ClassVar = {"pictures": 8, "style": "unseen"}

    def __init__(self, **options):
        self.counts = records.record()["counts"]["ten"]
        self.scores = {style: records.scores(style) for style in ("seen", "unseen")}
        _shots()
        super().__init__(**options)

    def controls(self):
        return {
            "pictures": ipywidgets.SelectionSlider(
                options=self.counts, value=1, description="pictures a class"
            ),
            "style": ipywidgets.Dropdown(
                options=["seen", "unseen"], value="unseen", description="drawing style"
            ),
        }

    def compute(self, pictures, style):
        at = self.counts.index(pictures)
        seeds = {way: 100 * scores[at] for way, scores in self.scores[style].items()}  # (S,) percent
        unseen = self.scores["unseen"]
        lead = unseen["all"].mean(axis=1) - unseen["frozen"].mean(axis=1)  # (K,)
        return {
            "pictures": pictures,
            "style": style,
            "seeds": seeds,
            "best": max(seeds, key=lambda way: seeds[way].mean()),
            "fewest": self.counts[int(np.flatnonzero(lead >= LEAD)[0])],
        }

    def draw(self, values):
        k, look = values["pictures"], self.palette
        shown = f"the first {MOST} of {k} a class" if k > MOST else f"{k} a class"
        learnt = (f"to learn from: {shown}", _sheet(min(k, MOST), look))
        title = f"right in {values['style']} style (%), dots: seeds"
        return board([[learnt, (title, _bars(values["seeds"], look))]], look)

    def text(self, values):
        lines = [f"pictures: {values['pictures']} of each class, {10 * values['pictures']} in all"]
        for way, seeds in values["seeds"].items():
            low, high = seeds.min(), seeds.max()
            lines.append(f"{way}: {seeds.mean():.0f} % ({low:.0f} to {high:.0f})")
        return "\n".join([*lines, f"best mean: {values['best']}"])

    def goal(self, values):
        return values["style"] == "unseen" and values["pictures"] == values["fewest"]


def colours(look: Palette) -> dict[str, tuple[int, int, int]]:
    """Return the colour of each way."""
    hues = (look.blue, look.sky, look.orange, look.pink, look.dim)
    return dict(zip(records.WAYS, hues, strict=True))


def _sheet(count: int, look: Palette) -> np.ndarray:
    """Draw `count` pictures of each class, a class a row, and empty places for the others."""
    side, left = CELL * DENSE, NAMES * DENSE
    picture = Image.new("RGB", (left + MOST * side, len(CIFAR10) * side), look.ground)
    pen = ImageDraw.Draw(picture)
    for row, name in enumerate(CIFAR10):
        pen.text((left - 6 * DENSE, (row + 0.5) * side), name, font=WORDS, fill=look.ink, anchor="rm")
        for col in range(MOST):
            at = (left + col * side, row * side)
            if col < count:
                picture.paste(Image.fromarray(_shots()[row, col]), at)
            else:
                pen.rectangle((*at, at[0] + side - DENSE, at[1] + side - DENSE), fill=look.raised)
    return np.asarray(picture)


def _bars(seeds: dict[str, np.ndarray], look: Palette) -> np.ndarray:
    """Draw a bar for the mean of each way, a dot for each seed, and where guessing is."""
    picture = Image.new("RGB", (WIDE * DENSE, TALL * DENSE), look.ground)
    pen = ImageDraw.Draw(picture)
    foot, inner = TALL - FOOT, WIDE - LEFT - 46
    row = (foot - TOP) / len(seeds)

    halo = {"stroke_width": 3 * DENSE, "stroke_fill": look.ground}

    def at(percent, y):
        return (LEFT + inner * percent / 100) * DENSE, y * DENSE

    for percent in range(0, 101, 20):
        pen.line([at(percent, TOP), at(percent, foot)], fill=look.grid, width=DENSE)
        pen.text(at(percent, foot + 5), str(percent), font=WORDS, fill=look.dim, anchor="mt")
    for y in range(TOP, foot + 20, 8):
        pen.line([at(100 * GUESSING, y), at(100 * GUESSING, y + 4)], fill=look.ink, width=DENSE)
    for i, (way, percents) in enumerate(seeds.items()):
        mean, hue, y = percents.mean(), colours(look)[way], TOP + row * (i + 0.7)
        pen.text(at(0, y - 19), way, font=WORDS, fill=look.text(hue), anchor="lm", **halo)
        pen.rectangle([*at(0, y - 9), *at(mean, y + 9)], fill=hue)
        for percent in percents:
            (x, middle), r = at(percent, y), 4.5 * DENSE
            pen.ellipse((x - r, middle - r, x + r, middle + r), fill=hue, outline=look.ground, width=DENSE)
        end = at(percents.max(), y)
        pen.text((end[0] + 9 * DENSE, end[1]), f"{mean:.0f}", font=WORDS, fill=look.ink, anchor="lm")
    pen.text(at(100 * GUESSING, foot + 22), "guessing", font=WORDS, fill=look.ink, anchor="mt")
    return np.asarray(picture)
