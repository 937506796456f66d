"""Lesson 07: how strict must an overlap be? The IoU threshold decides which detector wins."""

import functools
from typing import ClassVar

import ipywidgets
import numpy as np

from cvlab.map.detectors import recorded
from cvlab.map.evaluate import evaluate
from cvlab.map.metrics import THRESHOLDS
from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.chart import Axis, Line, Point, chart
from cvlab.widgets._engine.palette import LIGHT
from cvlab.widgets._engine.picture import board
from cvlab.widgets._engine.tagged import Outline, drawn_boxes
from cvlab.widgets.map.recorded import judged, scene_names, scene_of

__all__ = ["IouThreshold"]

SIDE = 326  # CSS pixels: the scene, the chart
LEVELS = THRESHOLDS.round(2).tolist()


@functools.cache
def _ap(name: str) -> np.ndarray:
    """AP of a recorded detector at each threshold, mean over classes: (T,)."""
    aps = evaluate(recorded("truth"), recorded(name)).aps[0]  # (T, K)
    return np.where(aps > -1, aps, np.nan).mean(axis=1, where=aps > -1)


class IouThreshold(Widget):
    """Raise the overlap that a right detection needs, and watch right turn into wrong.

    Example:
        >>> IouThreshold(iou=75).readout.splitlines()[0]
        'AP at IoU 0.75: A 0.756, B 0.572'
    """

    alt = "A scene with right and wrong boxes, and the average precision of two detectors against the IoU threshold"
    default_task = "Find the strictest threshold at which B is still ahead of A."
    learnt = "Which detector is ahead depends on how exact a box must be."
    answer: ClassVar = {"iou": 55}

    def controls(self):
        return {
            "iou": ipywidgets.IntSlider(75, 50, 95, 5, description="IoU from (%)"),
            "detector": ipywidgets.ToggleButtons(options=["A", "B"], value="A", description="boxes of"),
            "scene": ipywidgets.Dropdown(options=scene_names(), value=1, description="scene"),
        }

    def compute(self, iou, detector, scene):
        t = round((iou - 50) / 5)  # the nearest of COCO's ten
        return {
            "t": t,
            "iou": LEVELS[t],
            "detector": detector,
            "scene": scene,
            "aps": {name: _ap(name) for name in "AB"},
            "right": judged(detector).right[t],
        }

    def draw(self, values):
        them, (image, picture) = judged(values["detector"]), scene_of(values["scene"])
        boxes = [
            Outline(them.truth.boxes[g], LIGHT.truth, "", True)
            for g in np.flatnonzero(them.truth.image == image)
        ]
        for d in np.flatnonzero(them.results.image == image):
            good = values["right"][d]
            text = f"{'✓' if good else '✗'} {100 * them.results.scores[d]:.0f} %"
            boxes.append(Outline(them.results.boxes[d], LIGHT.prediction if good else LIGHT.error, text))
        look, aps = self.palette, values["aps"]
        colours = {"A": look.blue, "B": look.orange}
        lines = [Line(LEVELS, aps[name].tolist(), colours[name], name=name) for name in aps]
        points = [
            Point(
                values["iou"], float(aps[name][values["t"]]), colours[name], f"{aps[name][values['t']]:.3f}"
            )
            for name in aps
        ]
        curve = chart(
            lines,
            points,
            x=Axis("IoU threshold", 0.5, 0.95, 0.1),
            y_label="AP, mean over classes",
            size=(SIDE, SIDE),
            room=28,
            look=look,
        )
        title = f"scene {values['scene']}, {values['detector']}'s boxes; dashed: the truth"
        return board([[(title, drawn_boxes(picture, boxes, SIDE)), ("all 120 scenes", curve)]], look)

    def text(self, values):
        a, b = (values["aps"][name] for name in "AB")
        ahead = "A" if a[values["t"]] > b[values["t"]] else "B"
        return (
            f"AP at IoU {values['iou']:.2f}: A {a[values['t']]:.3f}, B {b[values['t']]:.3f}\n"
            f"ahead here: {ahead}\n"
            f"mAP, the mean: A {a.mean():.3f}, B {b.mean():.3f}\n"
            f"right boxes of {values['detector']}: {int(values['right'].sum())} of {len(values['right'])}"
        )

    def goal(self, values):
        b_ahead = np.flatnonzero(values["aps"]["B"] > values["aps"]["A"])
        return bool(len(b_ahead)) and values["t"] == b_ahead[-1]
