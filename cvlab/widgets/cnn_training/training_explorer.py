"""Lesson 03: scrub through a recorded training: kernels, curve, confusion matrix."""

import ipywidgets
import numpy as np
from PIL import Image, ImageDraw

from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.chart import GREEN, ORANGE, Axis, Line, Point, chart
from cvlab.widgets._engine.picture import BOARD, INK, board, enlarge, font
from cvlab.world.stickers import CIFAR10

__all__ = ["TrainingExplorer"]

CELL = 23  # pixels of the confusion matrix a class


class TrainingExplorer(Widget):
    """Move through the epochs of a LeNet on Stickers10, recorded after each.

    Example:
        >>> TrainingExplorer(epoch=0).readout.splitlines()[0]
        'accuracy: 10.9 % of 1000 pictures of a style never seen'
    """

    format = "png"
    alt = "Six first kernels, the learning curve and the confusion matrix of a network at one epoch"
    default_task = "Find the first epoch after which more than half of the pictures are named right."

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
        limit = np.abs(self.run["kernels"]).max()
        tiles = [enlarge(_tile(kernel, limit), 15) for kernel in values["kernels"]]
        gap = np.full((75, 8, 3), BOARD, np.uint8)
        rows = [np.concatenate([tiles[i], gap, tiles[i + 1]], axis=1) for i in (0, 2, 4)]
        kernels = np.concatenate(
            [part for row in rows for part in (row, np.full((8, row.shape[1], 3), BOARD, np.uint8))]
        )
        return board(
            [
                [
                    ("the 6 kernels", kernels),
                    ("the curve", self._curve(values["epoch"])),
                    ("rows: true, columns: said", _matrix(values["table"])),
                ]
            ]
        )

    def _curve(self, epoch: int) -> np.ndarray:
        accuracy, loss = self.run["accuracy"], self.run["loss"] / np.nanmax(self.run["loss"])
        steps = np.arange(len(accuracy))
        lines = [Line(steps, accuracy, GREEN), Line(steps[1:], loss[1:], ORANGE)]
        points = [Point(epoch, accuracy[epoch], GREEN, "accuracy")]
        if epoch:
            points.append(Point(epoch, loss[epoch], ORANGE, "loss / first"))
        return chart(lines, points, x=Axis("epoch", 0, steps[-1], 2), size=(260, 250))

    def text(self, values):
        true, said, count, total = values["worst"]
        loss = "not trained yet" if np.isnan(values["loss"]) else f"{values['loss']:.3f} while training"
        return (
            f"accuracy: {100 * values['accuracy']:.1f} % of 1000 pictures of a style never seen\n"
            f"loss: {loss}\n"
            f"commonest mistake: {count} of {total} {true} pictures are called {said}\n"
            f"epoch: {values['epoch']} of {len(self.run['accuracy']) - 1}"
        )

    def goal(self, values):
        return values["epoch"] == self.answer["epoch"]


def _tile(kernel: np.ndarray, limit: float) -> np.ndarray:
    """Draw (3, 5, 5) weights as (5, 5, 3) colours: grey is 0."""
    return ((kernel.transpose(1, 2, 0) / limit + 1) * 127.5).clip(0, 255).astype(np.uint8)


def _matrix(table: np.ndarray) -> np.ndarray:
    """Draw a confusion matrix with class names at the left and short ones on top."""
    left, top, side = 78, 34, CELL * len(table)
    picture = Image.new("RGB", (left + side, top + side), BOARD)
    pen = ImageDraw.Draw(picture)
    for i, name in enumerate(CIFAR10):
        pen.text((left - 5, top + CELL * i + CELL / 2), name, font=font(11), fill=INK, anchor="rm")
        pen.text((left + CELL * i + CELL / 2, top - 4), name[:3], font=font(11), fill=INK, anchor="ms")
        for j, count in enumerate(table[i]):
            share = count / max(table[i].sum(), 1)
            colour = np.array(GREEN if i == j else ORANGE) * share + np.array((52, 57, 63)) * (1 - share)
            box = (left + CELL * j, top + CELL * i, left + CELL * (j + 1) - 2, top + CELL * (i + 1) - 2)
            pen.rectangle(box, fill=tuple(int(c) for c in colour))
            if count:
                centre = (box[0] + CELL / 2 - 1, box[1] + CELL / 2 - 1)
                pen.text(
                    centre, str(count), font=font(10), fill=(0, 0, 0) if share > 0.5 else INK, anchor="mm"
                )
    return np.asarray(picture)
