"""Lesson 08a: how long a memory lets a teacher come nearest to where its noisy student is going."""

from typing import ClassVar

import ipywidgets
import numpy as np

from cvlab.distillation.average import descend, follow
from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.chart import Axis, Line, Point, chart
from cvlab.widgets._engine.picture import board

__all__ = ["MovingAverage"]

STEPS, LAST, LONGEST = 200, 50, 150  # of the student; of them judged; the longest memory
WIDE, HIGH = (-3.4, 2.0), (-2.0, 2.0)  # the piece of the plane that is shown
FAR = 3.5  # the largest distance shown


class MovingAverage(Widget):
    """Give the teacher a longer or shorter memory; see its way beside its student's, and both distances to the minimum.

    Example:
        >>> MovingAverage().readout.splitlines()[0]
        'momentum: 0.000'
    """

    alt = "The ways of a student and of its teacher down a valley of two weights, and their distances to the minimum by step"
    default_task = "Find the momentum with which the teacher is nearest to the minimum, in the mean of its last 50 steps."
    learnt = "A short memory still trembles, a long one has not arrived: the best lies between, and more noise asks for a longer one."
    is_chart = True
    answer: ClassVar = {"memory": 30}

    def controls(self):
        return {
            "memory": ipywidgets.IntSlider(1, 1, LONGEST, description="memory, in steps"),
            "noise": ipywidgets.IntSlider(20, 5, 40, step=5, description="noise, in tenths"),
        }

    def compute(self, memory, noise):
        student = descend(STEPS, noise / 10)
        teacher = follow(student, 1 - 1 / memory)
        return {
            "memory": memory,
            "momentum": 1 - 1 / memory,
            "student": student,
            "teacher": teacher,
            "student_far": _far(student),
            "teacher_far": _far(teacher),
            "best": _best(student),
        }

    def draw(self, values):
        look = self.palette
        turn = np.linspace(0, 2 * np.pi, 60)
        valley = [
            np.stack([size * np.cos(turn), size / 6**0.5 * np.sin(turn)], axis=1) for size in (0.7, 1.3)
        ]
        ways = [(ring, look.dim, 1, "") for ring in valley]
        ways += [(values["student"], look.error, 1, ""), (values["teacher"], look.prediction, 3, "")]
        plane = chart(
            [Line(_inside(way[:, 0]), _up(way[:, 1]), *more) for way, *more in ways],
            [Point(0, 0.5, look.truth, "minimum")],
            x=Axis("first weight", -3, 2, 1),
            y_label="second weight",
            levels={(v - HIGH[0]) / (HIGH[1] - HIGH[0]): str(v) for v in range(-2, 3)},
            look=look,
        )
        steps = np.arange(STEPS + 1)
        both = ("student", look.error, 1), ("teacher", look.prediction, 3)
        far = chart(
            [Line(steps, values[f"{who}_far"] / FAR, colour, line, who) for who, colour, line in both],
            x=Axis("step", 0, STEPS, LAST),
            y_label="distance to the minimum",
            levels={v / FAR: str(v) for v in range(4)},
            room=70,
            look=look,
        )
        return board([[("two weights", plane), ("how far off", far)]], look)

    def text(self, values):
        return (
            f"momentum: {values['momentum']:.3f}\n"
            f"memory, 1 / (1 - momentum): {values['memory']} steps\n"
            f"student, last {LAST} steps: {values['student_far'][-LAST:].mean():.2f}\n"
            f"teacher, last {LAST} steps: {values['teacher_far'][-LAST:].mean():.2f}\n"
            f"best of all memories: {values['best']:.2f}"
        )

    def goal(self, values):
        return bool(values["teacher_far"][-LAST:].mean() < 1.15 * values["best"])


def _far(path: np.ndarray) -> np.ndarray:
    return np.hypot(*path.T)


def _best(student: np.ndarray) -> float:
    """Return the least mean distance of the last steps, of teachers with every memory at once."""
    kept = 1 - 1 / np.arange(1, LONGEST + 1)[:, None]
    teachers, late = np.repeat(student[:1], LONGEST, axis=0), 0  # (LONGEST, 2)
    for step, at in enumerate(student[1:], 1):
        teachers = kept * teachers + (1 - kept) * at
        if step > STEPS - LAST:
            late += _far(teachers) / LAST
    return float(late.min())


def _inside(across: np.ndarray) -> np.ndarray:
    return across.clip(*WIDE)


def _up(height: np.ndarray) -> np.ndarray:
    return (height - HIGH[0]) / (HIGH[1] - HIGH[0])
