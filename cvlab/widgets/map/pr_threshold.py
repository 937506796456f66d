"""Lesson 07: the score threshold is a point on the precision-recall curve."""

from typing import ClassVar

import ipywidgets
import numpy as np

from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.chart import Axis, Line, Point, chart
from cvlab.widgets._engine.palette import LIGHT
from cvlab.widgets._engine.picture import board
from cvlab.widgets._engine.tagged import Outline, drawn_boxes
from cvlab.widgets.map.recorded import judged, scene_names, scene_of

__all__ = ["ScoreThreshold"]

SIDE = 326  # CSS pixels: the scene, the chart


class ScoreThreshold(Widget):
    """Choose the score from which detections are believed; watch the boxes and the curve.

    Example:
        >>> ScoreThreshold(score=90).readout.splitlines()[0]
        'precision: 0.974 (113 of 116 right)'
    """

    alt = "A scene with right, wrong and missed boxes, and the precision-recall curve with a point on it"
    default_task = "With detector B: find a threshold at which precision is at least 0.9, and see what it costs in recall."
    learnt = "A higher threshold buys precision and pays with recall."
    answer: ClassVar = {"detector": "B", "score": 95}

    def __init__(self, **options):
        for detector in "AB":
            judged(detector)  # judged and painted now, so that no move waits for it
        for scene in range(1, len(scene_names()) + 1):
            scene_of(scene)
        super().__init__(**options)

    def controls(self):
        return {
            "score": ipywidgets.IntSlider(50, 0, 100, description="score from (%)"),
            "detector": ipywidgets.ToggleButtons(options=["A", "B"], value="A", description="detector"),
            "scene": ipywidgets.Dropdown(options=scene_names(), value=1, description="scene"),
        }

    def compute(self, score, detector, scene):
        them = judged(detector)
        kept = them.results.scores >= score / 100
        right = them.right[0] & kept  # at IoU 0.5
        precision, recall = them.curve(0)
        return {
            "detector": detector,
            "scene": scene,
            "score": score,
            "kept": kept,
            "right": right,
            "tp": int(right.sum()),
            "fp": int((kept & ~right).sum()),
            "fn": len(them.truth.ids) - int(right.sum()),
            "curve": (recall, precision),
        }

    def draw(self, values):
        them, (image, picture) = judged(values["detector"]), scene_of(values["scene"])
        truth, results = them.truth, them.results
        found = them.found[0]
        missed = np.flatnonzero((truth.image == image) & ((found < 0) | ~values["kept"][found]))
        boxes = [
            Outline(truth.boxes[g], LIGHT.truth, "missed " + truth.category_names[truth.category[g]], True)
            for g in missed
        ]
        for d in np.flatnonzero((results.image == image) & values["kept"]):
            text = f"{truth.category_names[results.category[d]]} {100 * results.scores[d]:.0f} %"
            good = values["right"][d]
            boxes.append(
                Outline(
                    results.boxes[d],
                    LIGHT.prediction if good else LIGHT.error,
                    f"{'✓' if good else '✗'} {text}",
                )
            )
        look, (recall, precision) = self.palette, values["curve"]
        point = (
            [Point(self._recall(values), self._precision(values), look.blue, "you are here")]
            if values["kept"].any()
            else []
        )
        curve = chart(
            [Line(recall, precision, look.blue)],
            point,
            x=Axis("recall"),
            y_label="precision",
            size=(SIDE, SIDE),
            look=look,
        )
        title = f"scene {values['scene']}: ✓ right, ✗ wrong, dashed: missed"
        return board([[(title, drawn_boxes(picture, boxes, SIDE)), ("all 120 scenes", curve)]], look)

    @staticmethod
    def _precision(values):
        return values["tp"] / max(values["tp"] + values["fp"], 1)

    @staticmethod
    def _recall(values):
        return values["tp"] / (values["tp"] + values["fn"])

    def text(self, values):
        tp, fp, fn = values["tp"], values["fp"], values["fn"]
        return (
            f"precision: {self._precision(values):.3f} ({tp} of {tp + fp} right)\n"
            f"recall: {self._recall(values):.3f} ({tp} of {tp + fn} found)\n"
            f"TP, FP, FN: {tp}, {fp}, {fn}\n"
            f"detector: {values['detector']}, scores from {values['score']} %, IoU from 0.5"
        )

    def goal(self, values):
        return values["detector"] == "B" and values["tp"] > 0 and self._precision(values) >= 0.9
