"""Lesson 06a: be the RPN, draw proposals over a scene, and see which objects they cover."""

import functools
from typing import ClassVar

import ipywidgets
import numpy as np

from cvlab import boxes
from cvlab.widgets._engine.grid import as_base64, scene_of
from cvlab.widgets._engine.pointer import PointerWidget
from cvlab.widgets._engine.sheet import PREDICTION, TRUTH, Sheet

__all__ = ["ProposalRecall"]

SIZE, ZOOM, FOOT, MOST = 192, 2, 30, 6  # pixels of a scene, CSS pixels of one, as in proposal_recall.js
CHOSEN = (22, 17, 14, 21)  # scenes of four and five objects
PARTS = ("x", "y", "w", "h")


class ProposalRecall(PointerWidget):
    """Draw at most six boxes on a scene: an object is covered when one of them overlaps it enough.

    The state is four numbers a box, in pixels of the scene; a box without width or height is not drawn yet.

    Example:
        >>> ProposalRecall().readout.splitlines()[:3]
        ['boxes: 0 of 6', 'objects covered: 0 of 4', 'recall at IoU 0.50: 0.00']
    """

    alt = "A scene with several objects, the boxes drawn over it, and the true boxes of the covered objects"
    default_task = "Cover every object at IoU 0.5, with at most 6 boxes."
    learnt = (
        "Rough boxes do at IoU 0.5. Raise the threshold, and watch how many of the same boxes still cover."
    )
    hint = (
        "Drag to draw a box, drag its edges to resize it, its middle to move it. Space: the next box; arrow keys move "
        "it, with Shift they resize it; Delete takes it away."
    )
    lines = 6
    format = "jpeg"
    answer: ClassVar[dict[str, int]] = {}
    scene = scene_of(__file__)

    def __init__(self, **options):
        self.answer = drawn(_scenes()[0][1])
        super().__init__(**options)

    def controls(self):
        def hidden(description):
            slider = ipywidgets.IntSlider(0, 0, SIZE, description=description)
            slider.layout.display = "none"  # drawn on the canvas only
            return slider

        shown = {
            "picture": ipywidgets.IntSlider(0, 0, len(CHOSEN) - 1, description="scene"),
            "threshold": ipywidgets.FloatSlider(
                0.5, min=0.3, max=0.9, step=0.05, description="IoU threshold"
            ),
            "active": ipywidgets.IntSlider(1, 1, MOST, description="arrow keys move box"),
            "truth": ipywidgets.Checkbox(False, description="show all true boxes", indent=False),
        }
        return shown | {
            f"{part}_{i}": hidden(f"box {i} {part}") for i in range(1, MOST + 1) for part in PARTS
        }

    def _moved(self, change) -> None:
        if change["owner"] is self._controls["picture"] and not self._quiet:
            self._quiet = True  # another scene starts without the old boxes
            for name, value in drawn([]).items():
                self._controls[name].value = value
            self._controls["active"].value = 1
            self._quiet = False
        super()._moved(change)

    def compute(self, picture, threshold, active, truth, **numbers):
        image, objects = _scenes()[picture]
        places = [[numbers[f"{part}_{i}"] for part in PARTS] for i in range(1, MOST + 1)]
        corners = [[x, y, min(SIZE, x + w), min(SIZE, y + h)] for x, y, w, h in places]
        proposals = [box for box in corners if box[0] < box[2] and box[1] < box[3]]
        best = [max((boxes.iou(box, one) for box in proposals), default=0.0) for one in objects]
        return {
            "image": image,
            "objects": objects,
            "places": places,
            "active": active,
            "count": len(proposals),
            "best": best,
            "covered": [iou >= threshold - 1e-9 for iou in best],  # a slider's 0.6 may be 0.6000000000000001
            "threshold": threshold,
            "shown": truth,
        }

    def data(self, values):
        told = [
            box if covered or values["shown"] else None
            for box, covered in zip(values["objects"], values["covered"], strict=True)
        ]
        return {"pixels": as_base64(values["image"]), "told": told, "covered": values["covered"]}

    def draw(self, values):  # as in proposal_recall.js
        sheet = Sheet(SIZE * ZOOM, SIZE * ZOOM + FOOT)
        sheet.paste(0, 0, values["image"], SIZE * ZOOM, SIZE * ZOOM)
        for told, covered in zip(self.data(values)["told"], values["covered"], strict=True):
            if told:
                x0, y0, x1, y1 = (ZOOM * v for v in told)
                place = x0, y0, x1 - x0, y1 - y0
                sheet.box(*place, fill=f"{TRUTH}40" if covered else None)
                sheet.box(*place, outline="#ffffff", line=4)
                sheet.box(*place, outline=TRUTH, line=2)
        for i, place in enumerate(values["places"], start=1):
            x, y, w, h = (ZOOM * v for v in place)
            if not w and not h:
                continue
            sheet.box(x, y, w, h, outline="#ffffff", line=5)
            sheet.box(x, y, w, h, outline=PREDICTION, line=3)
            if i == values["active"]:
                for corner in ((x, y), (x + w, y), (x, y + h), (x + w, y + h), (x + w / 2, y + h / 2)):
                    sheet.box(corner[0] - 4, corner[1] - 4, 8, 8, fill="#ffffff", outline="#000000")
        for left, colour, words in ((0, PREDICTION, "your box"), (110, TRUTH, "true box, filled: covered")):
            sheet.box(left, SIZE * ZOOM + 9, 12, 12, fill=colour)
            sheet.text(left + 18, SIZE * ZOOM + 20, words)
        return sheet.pixels

    def text(self, values):
        covered, best = values["covered"], values["best"]
        x, y, w, h = values["places"][values["active"] - 1]
        return (
            f"boxes: {values['count']} of {MOST}\n"
            f"objects covered: {sum(covered)} of {len(covered)}\n"
            f"recall at IoU {values['threshold']:.2f}: {sum(covered) / len(covered):.2f}\n"
            f"best IoU of each: {' '.join(f'{iou:.2f}' for iou in best)}\n"
            f"box {values['active']}: {f'{w} × {h} at {x}, {y}' if w and h else 'not drawn'}"
        )

    def goal(self, values):
        return all(values["covered"]) and values["threshold"] >= 0.5 - 1e-9


def drawn(corners) -> dict[str, int]:
    """Write at most six boxes x0, y0, x1, y1 as the state of the widget's boxes; the rest is not drawn.

    Example:
        >>> state = drawn([[10, 20, 40, 60]])
        >>> state["w_1"], state["h_1"], state["w_2"]
        (30, 40, 0)
    """
    state = {f"{part}_{i}": 0 for i in range(1, MOST + 1) for part in PARTS}
    for i, (x0, y0, x1, y1) in enumerate(corners, start=1):
        values = (int(v) for v in (x0, y0, x1 - x0, y1 - y0))
        state |= {f"{part}_{i}": value for part, value in zip(PARTS, values, strict=True)}
    return state


@functools.cache
def _scenes() -> list[tuple[np.ndarray, list[list[int]]]]:
    from cvlab.world.scenes import make_scene

    made = [make_scene(index, split="val", size=SIZE, objects=(4, 5)) for index in CHOSEN]
    return [(scene.image, scene.boxes.astype(int).tolist()) for scene in made]
