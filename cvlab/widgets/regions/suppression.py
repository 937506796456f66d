"""Lesson 06a: five boxes on two sheep, their scores, and the threshold of non-maximum suppression."""

import functools

import ipywidgets
import numpy as np
from PIL import Image, ImageDraw

from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.labels import freest
from cvlab.widgets._engine.picture import DENSE, board, dense
from cvlab.widgets._engine.sheet import font

__all__ = ["Suppression"]

NAMES = "ABCDE"
BOXES = (  # the first three on the sheep in front
    (50, 19, 138, 103),
    (40, 12, 131, 97),
    (58, 26, 140, 116),
    (72, 37, 180, 131),
    (82, 48, 188, 138),
)
OBJECTS = (0, 0, 0, 1, 1)
SCORES = (80, 90, 60, 85, 70)  # percent
SIDE, SHOWN, TAG = 192, 312, 13  # pixels of the scene; CSS pixels of a picture on the page, of its letters


class Suppression(Widget):
    """Move the threshold and the scores of five boxes; what NMS drops fades.

    Example:
        >>> Suppression().readout.splitlines()[:2]
        ['kept: 5 of 5 at IoU 0.75', 'in front, behind: 3, 2']
    """

    alt = "A scene of two sheep with five boxes, and again with those faded that suppression drops"
    default_task = "Find a threshold that leaves exactly one box on each of the two sheep."
    learnt = (
        "The threshold must lie between the overlap of the two sheep and that of the doubles; "
        "of the scores only the order counts."
    )
    answer = {"threshold": 50}

    def controls(self):
        controls = {"threshold": ipywidgets.IntSlider(75, 5, 95, description="drop above IoU, %")}
        for name, score in zip(NAMES, SCORES, strict=True):
            controls[f"score_{name.lower()}"] = ipywidgets.IntSlider(
                score, 0, 100, description=f"score of {name}, %"
            )
        return controls

    def compute(self, threshold, **scores):
        values = [scores[f"score_{name.lower()}"] for name in NAMES]
        by: list[int | None] = [None] * len(BOXES)  # who dropped it
        order = sorted(range(len(BOXES)), key=lambda i: -values[i])  # stable: of equals the earlier
        for place, i in enumerate(order):
            for j in order[place + 1 :] if by[i] is None else ():
                if by[j] is None and _overlaps()[i, j] > threshold / 100:
                    by[j] = i
        kept = [i for i in order if by[i] is None]
        return {"threshold": threshold / 100, "scores": values, "order": order, "by": by, "kept": kept}

    def draw(self, values):
        photo = dense(_photo(), SHOWN)
        everything = range(len(BOXES))
        panels = [
            ("what was found", self._with_boxes(photo, values, everything)),
            (f"kept: {len(values['kept'])}", self._with_boxes(photo, values, values["kept"])),
        ]
        return board([panels], self.palette)

    def _with_boxes(self, photo, values, strong) -> np.ndarray:
        """Draw all boxes over the photo, those in `strong` last and in full colour, with their names."""
        picture = Image.fromarray(photo)
        pen = ImageDraw.Draw(picture, "RGBA")
        scale = SHOWN * DENSE / SIDE
        for i in sorted(range(len(BOXES)), key=lambda i: i in strong):
            x0, y0, x1, y1 = (round(v * scale) for v in BOXES[i])
            colour = self.palette.prediction if OBJECTS[i] == 0 else self.palette.vermillion
            alpha = 255 if i in strong else 70
            if i in strong:
                pen.rectangle((x0 - 2, y0 - 2, x1 + 2, y1 + 2), outline=(255, 255, 255, 255), width=9)
            pen.rectangle((x0, y0, x1, y1), outline=(*colour, alpha), width=5 if i in strong else 3)
        taken = np.zeros(photo.shape[:2])
        for i in strong:
            words = f"{NAMES[i]} {values['scores'][i] / 100:.2f}"
            wide, high = round(font(TAG * DENSE).getlength(words)) + 8, (TAG + 5) * DENSE
            x0, y0, x1, y1 = (round(v * scale) for v in BOXES[i])
            corners = [(x0, y0), (x1 - wide, y1 - high), (x0, y1 - high), (x1 - wide, y0)]
            x, y = freest(taken, corners, (wide, high))
            pen.rectangle((x, y, x + wide, y + high), fill=(255, 255, 255, 255))
            pen.text((x + 4, y + high / 2), words, font=font(TAG * DENSE), fill=(0, 0, 0, 255), anchor="lm")
        return np.asarray(picture)

    def text(self, values):
        lines = [
            f"kept: {len(values['kept'])} of {len(BOXES)} at IoU {values['threshold']:.2f}",
            f"in front, behind: {', '.join(str(n) for n in _each(values['kept']))}",
        ]
        for i, name in enumerate(NAMES):
            by = values["by"][i]
            fate = "kept" if by is None else f"dropped by {NAMES[by]}, IoU {_overlaps()[i, by]:.2f}"
            lines.append(f"{name}: {fate}")
        return "\n".join(lines)

    def goal(self, values):
        return _each(values["kept"]) == [1, 1]


def _each(kept: list[int]) -> list[int]:
    """Count the kept boxes of each sheep."""
    return [sum(OBJECTS[i] == sheep for i in kept) for sheep in (0, 1)]


@functools.cache
def _overlaps() -> np.ndarray:
    """Return the IoU of all pairs of boxes: (5, 5)."""
    boxes = np.array(BOXES, float)
    first = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    last = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = (last - first).clip(min=0).prod(2)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return shared / (area[:, None] + area - shared)


@functools.cache
def _photo() -> np.ndarray:
    from cvlab.world.scenes import make_scene

    return make_scene(38, size=SIDE, classes=("sheep",), objects=(2, 2), sizes=(40, 58)).image
