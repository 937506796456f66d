"""Lesson 07: ten detections, right and wrong; move their scores and watch the average precision."""

from typing import ClassVar

import ipywidgets
import numpy as np

from cvlab.map import metrics
from cvlab.widgets._engine.grid import scene_of
from cvlab.widgets._engine.pointer import PointerWidget
from cvlab.widgets._engine.sheet import DIM, ERROR, GRID, INK, PREDICTION, TRUTH, Sheet

__all__ = ["RankingGame"]

RIGHT = (True, True, False, False, False, True, True, False, False, True)  # the lesson's table, IoU from 0.5
FIRST = (95, 88, 80, 72, 63, 55, 46, 37, 28, 18)
LEFT, ACROSS, TOP, ROW, FOOT = 18, 354, 34, 25, 286  # as in ranking.js: the dots
X, WIDE, Y, TALL = 456, 150, 286, 256  # the curve: its lower left corner, its sides


class RankingGame(PointerWidget):
    """Slide ten detections along the scores; only their order changes the average precision.

    Arrow up and down choose a detection, left and right change its score, with Shift in large steps.

    Example:
        >>> RankingGame().readout.splitlines()[:2]
        ['AP (COCO): 0.731', 'order: ✓ ✓ ✗ ✗ ✗ ✓ ✓ ✗ ✗ ✓']
    """

    alt = "Ten detections on a scale of scores, right ones round, wrong ones square, and their precision-recall curve"
    default_task = "Raise the AP to 0.8 or more by moving one single detection."
    learnt = "AP sees only the order: a score may change a lot without effect, until it passes another one."
    hint = "Drag a mark sideways. Up and down choose one, left and right move it, with Shift in large steps."
    is_chart = True
    answer: ClassVar = {"score_10": 100}
    scene = scene_of(__file__)

    def controls(self):
        controls = {
            "selected": ipywidgets.IntSlider(1, 1, len(RIGHT), description="detection"),
        }
        for i, score in enumerate(FIRST, start=1):
            slider = ipywidgets.IntSlider(score, 0, 100, description=f"score {i}")
            slider.layout.display = "none"  # moved on the canvas
            controls[f"score_{i}"] = slider
        return controls

    def data(self, values):
        return {"right": list(RIGHT), "truths": sum(RIGHT)}

    def compute(self, selected, **scores):
        numbers = np.array([scores[f"score_{i}"] for i in range(1, len(RIGHT) + 1)], dtype=float)
        precision, recall = metrics.pr_curve(numbers, np.array(RIGHT), sum(RIGHT))
        return {
            "selected": selected,
            "scores": numbers.astype(int),
            "order": np.argsort(-numbers, kind="stable"),
            "precision": precision,
            "recall": recall,
            "ap": metrics.average_precision(precision, recall),
            "moved": int((numbers != FIRST).sum()),
        }

    def draw(self, values):  # as in ranking.js
        sheet = Sheet(620, 322)
        for v in range(0, 101, 20):
            x = LEFT + v / 100 * ACROSS
            sheet.path([(x, 20), (x, FOOT)], GRID)
            sheet.text(x, FOOT + 17, str(v), size=12, fill=DIM, anchor="ms")
        sheet.text(LEFT + ACROSS / 2, FOOT + 31, "score in %", anchor="ms")
        places = np.argsort(values["order"]) + 1
        for i, (score, good) in enumerate(zip(values["scores"], RIGHT, strict=True)):
            x, y = LEFT + score / 100 * ACROSS, TOP + i * ROW
            sheet.path([(LEFT, y), (LEFT + ACROSS, y)], GRID)
            chosen = {"outline": INK, "line": 3} if values["selected"] == i + 1 else {}
            if good:
                sheet.circle(x, y, 11, fill=TRUTH, **chosen)
            else:
                sheet.box(x - 10, y - 10, 20, 20, fill=ERROR, **chosen)
            sheet.text(x, y, str(places[i]), fill="#000000", anchor="mm")
        for words, at, colour in (
            ("●", 0, TRUTH),
            ("right", 14, INK),
            ("■", 60, ERROR),
            ("wrong", 74, INK),
            ("the number is its place", 130, INK),
        ):
            sheet.text(LEFT - 12 + at, 14, words, fill=colour)
        sheet.text(X + WIDE, 16, f"AP {values['ap']:.3f}", size=15, bold=True, anchor="rs")
        self._draw_curve(sheet, values["precision"], values["recall"])
        return sheet.pixels

    @staticmethod
    def _draw_curve(sheet, precision, recall):
        def at(r, p):
            return X + WIDE * r, Y - TALL * p

        for v in (0, 0.25, 0.5, 0.75, 1):
            sheet.path([at(v, 0), at(v, 1)], GRID)
            sheet.path([at(0, v), at(1, v)], GRID)
            sheet.text(X - 6, at(0, v)[1] + 4, f"{v:g}", size=12, fill=DIM, anchor="rs")
            if v in (0, 0.5, 1):
                sheet.text(at(v, 0)[0], Y + 17, f"{v:g}", size=12, fill=DIM, anchor="ms")
        sheet.text(X + WIDE / 2, Y + 31, "recall", anchor="ms")
        sheet.upright(X - 44, Y - TALL / 2, "precision")
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        steps = [
            at(r, p) for r, p in zip(np.repeat([0, *recall], 2)[1:-1], np.repeat(envelope, 2), strict=True)
        ]
        sheet.area([*steps, at(recall[-1], 0), at(0, 0)], f"{PREDICTION}26")
        sheet.path(steps, PREDICTION, 3)

    def text(self, values):
        marks = " ".join("✓" if RIGHT[d] else "✗" for d in values["order"])
        i = values["selected"]
        return (
            f"AP (COCO): {values['ap']:.3f}\n"
            f"order: {marks}\n"
            f"detection {i}: {'right' if RIGHT[i - 1] else 'wrong'}, score {values['scores'][i - 1]} %\n"
            f"moved: {values['moved']} of {len(RIGHT)}"
        )

    def goal(self, values):
        return values["ap"] >= 0.8 and values["moved"] == 1
