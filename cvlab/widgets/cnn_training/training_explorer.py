"""Lesson 03: scrub through a recorded training: kernels, curve, confusion matrix."""

import ipywidgets
import numpy as np
from PIL import Image, ImageDraw

from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.chart import Axis, Line, Point, chart
from cvlab.widgets._engine.palette import Palette, ink_on
from cvlab.widgets._engine.picture import DENSE, board, enlarge, font
from cvlab.world.stickers import CIFAR10

__all__ = ["TrainingExplorer"]

CELL, KERNEL, GAP = 29, 70, 8  # CSS pixels: a class in the matrix, a kernel, between two
CURVE = (312, 284)  # height and width
WORDS = font(13 * DENSE)


class TrainingExplorer(Widget):
    """Move through the epochs of a LeNet on Stickers10, recorded after each.

    Example:
        >>> TrainingExplorer(epoch=0).readout.splitlines()[0]
        'accuracy: 10.9 % of 1000 unseen pictures'
    """

    format = "png"
    alt = "Six first kernels, the learning curve and the confusion matrix of a network at one epoch"
    default_task = "Find the first epoch after which more than half of the pictures are named right."
    learnt = "Most of the accuracy comes in the first epochs; the later ones add less and less."

    def __init__(self, **options):
        from cvlab.cnn_training.records import explorer

        self.run = explorer()
        above = np.flatnonzero(self.run["accuracy"] > 0.5)
        self.answer = {"epoch": int(above[0])}
        super().__init__(**options)

    def controls(self):
        last = len(self.run["accuracy"]) - 1
        return {"epoch": ipywidgets.IntSlider(3, 0, last, description="epoch")}

    def compute(self, epoch):
        table = self.run["confusion"][epoch].astype(int)
        wrong = table - np.diag(np.diag(table))
        true, said = (int(i) for i in np.unravel_index(wrong.argmax(), wrong.shape))
        return {
            "epoch": epoch,
            "kernels": self.run["kernels"][epoch].astype(np.float32),
            "table": table,
            "accuracy": np.trace(table) / table.sum(),
            "loss": float(self.run["loss"][epoch]),
            "worst": (CIFAR10[true], CIFAR10[said], int(wrong[true, said]), int(table[true].sum())),
        }

    def draw(self, values):
        look = self.palette
        kernels = ("the 6 kernels of the first layer", self._kernels(values["kernels"]))
        matrix = ("rows: the truth, columns: what it said", _matrix(values["table"], look))
        return board([[kernels], [("the curve", self._curve(values["epoch"])), matrix]], look)

    def _kernels(self, kernels: np.ndarray) -> np.ndarray:
        limit, side, step = np.abs(self.run["kernels"]).max(), KERNEL * DENSE, (KERNEL + GAP) * DENSE
        out = np.empty((side, len(kernels) * step, 3), np.uint8)
        out[:] = self.palette.ground
        for i, kernel in enumerate(kernels):
            out[:, i * step : i * step + side] = enlarge(_tile(kernel, limit), side // 5)
        return out

    def _curve(self, epoch: int) -> np.ndarray:
        look, accuracy, loss = (
            self.palette,
            self.run["accuracy"],
            self.run["loss"] / np.nanmax(self.run["loss"]),
        )
        steps = np.arange(len(accuracy))
        lines = [
            Line(steps, accuracy, look.blue, name="accuracy"),
            Line(steps[1:], loss[1:], look.vermillion, name="loss / first"),
        ]
        points = [Point(epoch, accuracy[epoch], look.blue)]
        if epoch:
            points.append(Point(epoch, loss[epoch], look.vermillion))
        axis = Axis("epoch", 0, steps[-1], 2)
        return chart(lines, points, x=axis, size=CURVE, room=84, look=look)

    def text(self, values):
        true, said, count, total = values["worst"]
        loss = "not trained yet" if np.isnan(values["loss"]) else f"{values['loss']:.3f} while training"
        return (
            f"accuracy: {100 * values['accuracy']:.1f} % of 1000 unseen pictures\n"
            f"loss: {loss}\n"
            f"worst: {true} named {said}, {count} of {total}\n"
            f"epoch: {values['epoch']} of {len(self.run['accuracy']) - 1}"
        )

    def goal(self, values):
        return values["epoch"] == self.answer["epoch"]


def _tile(kernel: np.ndarray, limit: float) -> np.ndarray:
    """Draw (3, 5, 5) weights as (5, 5, 3) colours: grey is 0."""
    return ((kernel.transpose(1, 2, 0) / limit + 1) * 127.5).clip(0, 255).astype(np.uint8)


def _matrix(table: np.ndarray, look: Palette) -> np.ndarray:
    """Draw a confusion matrix with class names at the left and on top."""
    left, top, side = 78, 22, CELL * len(table)
    picture = Image.new("RGB", ((left + side) * DENSE, (top + side) * DENSE), look.ground)
    pen = ImageDraw.Draw(picture)

    def words(x, y, text, anchor, ink=look.ink):
        pen.text((x * DENSE, y * DENSE), text, font=WORDS, fill=ink, anchor=anchor)

    for i, name in enumerate(CIFAR10):
        words(left - 5, top + CELL * (i + 0.5), name, "rm")
        words(left + CELL * (i + 0.5), top - 5, name[:3], "ms")
        for j, count in enumerate(table[i]):
            share = count / max(table[i].sum(), 1)
            hue = look.green if i == j else look.vermillion
            colour = tuple(int(v) for v in np.array(hue) * share + np.array(look.raised) * (1 - share))
            box = (left + CELL * j, top + CELL * i, left + CELL * (j + 1) - 2, top + CELL * (i + 1) - 2)
            pen.rectangle([v * DENSE for v in box], fill=colour)
            if count:
                words(box[0] + CELL / 2 - 1, box[1] + CELL / 2 - 1, str(count), "mm", ink_on(colour))
    return np.asarray(picture)
