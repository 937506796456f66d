"""Lesson 05: paint a mask over a scene by pointer or keyboard, and be scored against the truth."""

import functools
from typing import ClassVar

import ipywidgets
import numpy as np

from cvlab.segmentation.metrics import boundary_iou, mask_iou
from cvlab.widgets._engine.grid import as_base64, framed, scene_of
from cvlab.widgets._engine.pointer import PointerWidget
from cvlab.widgets._engine.sheet import ERROR, PREDICTION, TRUTH, Sheet

__all__ = ["PaintMask"]

SIDE, CELL, LEFT, TOP, FOOT = 32, 12, 6, 6, 30  # squares along a side, CSS pixels of one; as in paint_mask.js
CHOSEN = (8, 21, 2, 19)  # scenes of one thing
ENOUGH, VEIL = 0.8, "a6"  # the IoU to reach; how dense a colour lies over the scene


class PaintMask(PointerWidget):
    """Paint the squares that belong to the thing; IoU, boundary IoU and, where asked for, the errors are shown.

    The state is the painting, one number a row: bit c of `row_05` says whether square c of row 5 is painted. The
    truth is the scene's mask, each square of 3 x 3 pixels decided by most of its pixels.

    Example:
        >>> PaintMask().readout.splitlines()[:2]
        ['painted: 0 of 1024 squares', 'IoU: 0.00']
    """

    alt = "A scene with one thing, and the squares of it that are painted"
    default_task = f"Paint the thing, and reach an IoU of {ENOUGH}."
    learnt = "At this size a row of squares along the edge costs a good part of the IoU, and most of the boundary IoU."
    hint = (
        "Drag to paint; begin on a painted square to erase. Or move the brush by the arrow keys and press Space, "
        "with Shift it paints as it goes."
    )
    lines = 7
    format = "jpeg"
    answer: ClassVar[dict[str, int]] = {}
    scene = scene_of(__file__)

    def __init__(self, **options):
        self.answer = painting(_scenes()[0][1])
        super().__init__(**options)

    def controls(self):
        def hidden(high, value, description):
            slider = ipywidgets.IntSlider(value, 0, high, description=description)
            slider.layout.display = "none"  # moved on the canvas only
            return slider

        shown = {
            "picture": ipywidgets.IntSlider(0, 0, len(CHOSEN) - 1, description="picture"),
            "brush": ipywidgets.IntSlider(2, 1, 5, description="brush"),
            "errors": ipywidgets.Checkbox(False, description="show the errors", indent=False),
        }
        places = {"row": hidden(SIDE - 1, SIDE // 2, "row"), "col": hidden(SIDE - 1, SIDE // 2, "column")}
        return (
            shown
            | places
            | {f"row_{r:02}": hidden(2**SIDE - 1, 0, f"squares of row {r}") for r in range(SIDE)}
        )

    def _moved(self, change) -> None:
        if change["owner"] is self._controls["picture"] and not self._quiet:
            self._quiet = True  # another picture starts without the old painting
            for r in range(SIDE):
                self._controls[f"row_{r:02}"].value = 0
            self._quiet = False
        super()._moved(change)

    def compute(self, picture, brush, errors, row, col, **rows):
        numbers = np.array([rows[f"row_{r:02}"] for r in range(SIDE)], np.int64)
        painted = (numbers[:, None] >> np.arange(SIDE) & 1).astype(bool)  # (SIDE, SIDE)
        image, truth = _scenes()[picture]
        return {
            "image": image,
            "truth": truth,
            "painted": painted,
            "brush": brush,
            "errors": errors,
            "row": row,
            "col": col,
            "iou": mask_iou(painted, truth),
            "boundary": boundary_iou(painted, truth, width=1),
        }

    def data(self, values):
        truth = [int(n) for n in painting(values["truth"]).values()] if values["errors"] else []
        return {"pixels": as_base64(values["image"]), "size": len(values["image"]), "truth": truth}

    def draw(self, values):  # as in paint_mask.js
        wide, painted, truth = SIDE * CELL, values["painted"], values["truth"]
        sheet = Sheet(wide + 2 * LEFT, TOP + wide + FOOT)
        sheet.paste(LEFT, TOP, values["image"], wide, wide)
        for r, c in np.argwhere(painted | truth if values["errors"] else painted):
            colour = PREDICTION
            if values["errors"]:
                colour = (TRUTH if truth[r, c] else ERROR) if painted[r, c] else PREDICTION
            sheet.box(LEFT + c * CELL, TOP + r * CELL, CELL, CELL, fill=colour + VEIL)
        span, up = values["brush"], (values["brush"] - 1) // 2
        framed(
            sheet,
            LEFT + (values["col"] - up) * CELL,
            TOP + (values["row"] - up) * CELL,
            span * CELL,
            span * CELL,
        )
        names = (TRUTH, "hit"), (PREDICTION, "missed"), (ERROR, "false alarm")
        for i, (colour, words) in enumerate(names if values["errors"] else [(PREDICTION, "painted")]):
            sheet.box(LEFT + 110 * i, TOP + wide + 9, 12, 12, fill=colour)
            sheet.text(LEFT + 110 * i + 18, TOP + wide + 20, words)
        return sheet.pixels

    def text(self, values):
        painted, truth = values["painted"], values["truth"]
        return (
            f"painted: {painted.sum()} of {SIDE * SIDE} squares\n"
            f"IoU: {values['iou']:.2f}\n"
            f"boundary IoU: {values['boundary']:.2f}\n"
            f"hits: {(painted & truth).sum()} of {truth.sum()} squares\n"
            f"false alarms: {(painted & ~truth).sum()} squares\n"
            f"brush: {values['brush']} x {values['brush']} at row {values['row']}, column {values['col']}"
        )

    def goal(self, values):
        return values["iou"] >= ENOUGH


def painting(mask: np.ndarray) -> dict[str, int]:
    """Write a (32, 32) bool mask as the state of its rows.

    Example:
        >>> painting(np.eye(32, dtype=bool))["row_02"]
        4
    """
    return {f"row_{r:02}": int((row * (1 << np.arange(SIDE))).sum()) for r, row in enumerate(mask)}


@functools.cache
def _scenes() -> list[tuple[np.ndarray, np.ndarray]]:
    from cvlab.world.scenes import make_scene

    made = []
    for index in CHOSEN:
        scene = make_scene(index, split="val", objects=(1, 1))
        squares = scene.masks[0].reshape(SIDE, 3, SIDE, 3).mean(axis=(1, 3))
        made.append((scene.image, squares > 0.5))
    return made
