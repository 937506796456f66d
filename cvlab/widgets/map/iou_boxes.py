"""Lesson 07: two boxes on a photo, dragged and resized; the overlap, the union, and one number."""

import base64
from typing import ClassVar

import ipywidgets
import numpy as np

from cvlab import boxes
from cvlab.widgets._engine.base import encode
from cvlab.widgets._engine.grid import scene_of
from cvlab.widgets._engine.picture import as_photo
from cvlab.widgets._engine.pointer import PointerWidget
from cvlab.widgets._engine.sheet import PREDICTION, TRUTH, Sheet, ink_on, text_width

__all__ = ["IouBoxes"]

FOOT, TAG = 34, 18  # as in iou_boxes.js
PARTS, NAMES = ("x", "y", "w", "h"), ("truth", "detection")
COLOURS = TRUTH, PREDICTION


class IouBoxes(PointerWidget):
    """Drag two boxes on a photo, or pull their edges; arrow keys move, with Shift they resize, Space changes the box.

    Args:
        image: a photo's name, a path, or a (H, W, 3) uint8 RGB array; shrunk to 480 pixels.

    Example:
        >>> IouBoxes().readout.splitlines()[:3]
        ['IoU: 0.399', 'overlap: 134 × 183 = 24522 px²', 'union: 44226 + 41808 − 24522 = 61512 px²']
    """

    format = "jpeg"
    alt = "A photo with two boxes, the truth and a detection; their overlap is shaded"
    default_task = "Make the IoU at least 0.75. (COCO's mAP asks for up to 0.95.)"
    learnt = "Two boxes that look alike soon fall below 0.75: the IoU divides by everything that either of them covers."
    hint = "Drag a box or its edges. Arrow keys move the chosen box, with Shift they resize it; Space chooses the other."
    answer: ClassVar = {"box_x": 137, "box_y": 13, "box_w": 189, "box_h": 234}
    scene = scene_of(__file__)

    def __init__(self, image="coffee", **options):
        self.image = as_photo(image, longest=480)
        self._url = f"data:image/jpeg;base64,{base64.b64encode(encode(self.image, 'jpeg', 85)).decode()}"
        super().__init__(**options)

    def controls(self):
        height, width = self.image.shape[:2]
        shares = {"truth": (0.286, 0.041, 0.394, 0.732), "box": (0.4, 0.2, 0.42, 0.65)}
        controls = {
            "active": ipywidgets.Dropdown(
                options=["detection", "truth"], value="detection", description="arrow keys move"
            )
        }
        for name, share in shares.items():
            for part, value, side in zip(PARTS, share, (width, height) * 2, strict=True):
                slider = ipywidgets.IntSlider(int(value * side), 0, side, description=f"{name} {part}")
                slider.layout.display = "none"  # moved on the canvas
                controls[f"{name}_{part}"] = slider
        return controls

    def data(self, values):
        height, width = self.image.shape[:2]
        return {"photo": self._url, "width": width, "height": height}

    def compute(self, active, **numbers):
        truth, box = ([numbers[f"{name}_{part}"] for part in PARTS] for name in ("truth", "box"))
        corners = [(x, y, x + w, y + h) for x, y, w, h in (truth, box)]
        width = max(0, min(corners[0][2], corners[1][2]) - max(corners[0][0], corners[1][0]))
        height = max(0, min(corners[0][3], corners[1][3]) - max(corners[0][1], corners[1][1]))
        return {
            "active": active,
            "corners": corners,
            "areas": (truth[2] * truth[3], box[2] * box[3]),
            "sides": (width, height),
            "overlap": width * height,
            "iou": boxes.iou(*corners),
        }

    def draw(self, values):  # as in iou_boxes.js
        height, width = self.image.shape[:2]
        sheet = Sheet(width, height + FOOT)
        sheet.paste(0, 0, self.image, width, height)
        boxes_xywh = [(x0, y0, x1 - x0, y1 - y0) for x0, y0, x1, y1 in values["corners"]]
        for box, colour in zip(boxes_xywh, COLOURS, strict=True):
            sheet.box(*box, fill=f"{colour}48")
        if values["overlap"]:
            (ax, ay, *_), (bx, by, *_) = boxes_xywh
            sheet.box(max(ax, bx), max(ay, by), *values["sides"], fill="#ffffff99")
        for (x, y, w, h), colour, name in zip(boxes_xywh, COLOURS, NAMES, strict=True):
            sheet.box(x, y, w, h, outline="#ffffff", line=5)
            sheet.box(x, y, w, h, outline=colour, line=3)
            for i, j in np.ndindex(2, 2) if name == values["active"] else ():
                corner = x + i * w - 4, y + j * h - 4, 8, 8
                sheet.box(*corner, fill="#ffffff")
                sheet.box(*corner, outline="#000000")
        wide = [text_width(name, 13) + 8 for name in NAMES]
        for (x, y, w, h), colour, name in zip(
            tags(boxes_xywh, wide, (width, height)), COLOURS, NAMES, strict=True
        ):
            sheet.box(x, y, w, h, fill=colour)
            rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
            sheet.text(x + 4, y + 13.5, name, fill=ink_on(rgb))
        words, shared = f"IoU {values['iou']:.3f}", values["overlap"]
        sheet.text(0, height + 25, words, size=18, bold=True)
        covered = f"= {shared} shared / {sum(values['areas']) - shared} covered"
        sheet.text(text_width(words, 18) + 10, height + 24, covered)
        return sheet.pixels

    def text(self, values):
        a, b = values["areas"]
        overlap, (width, height) = values["overlap"], values["sides"]
        rounded = [list(corners) for corners in values["corners"]]
        return (
            f"IoU: {values['iou']:.3f}\n"
            f"overlap: {width} × {height} = {overlap} px²\n"
            f"union: {a} + {b} − {overlap} = {a + b - overlap} px²\n"
            f"truth: x0, y0, x1, y1 = {rounded[0]}\n"
            f"detection: x0, y0, x1, y1 = {rounded[1]}\n"
            f"right at IoU 0.5: {'yes' if values['iou'] >= 0.5 else 'no'}"
        )

    def goal(self, values):
        return values["iou"] >= 0.75


def tags(boxes_xywh, wide, size) -> list[tuple[float, float, float, float]]:
    """Return where the names of two boxes stand, as x, y, width, height: on the picture, and never one on the other.

    Each stands on the upper edge of its box; the second goes to another corner, or beside the first, when they
    would collide. The picture must be as wide as both.

    Args:
        boxes_xywh: the two boxes, x, y, width, height.
        wide: the widths of the two names.
        size: width and height of the picture.
    """
    (tx, ty, _, _), (x, y, w, h) = boxes_xywh

    def put(left, top, width):
        return min(max(0, size[0] - width), max(0, left)), min(size[1] - TAG, max(0, top)), width, TAG

    def apart(p, q):
        across = p[0] + p[2] <= q[0] or q[0] + q[2] <= p[0]
        return across or p[1] + TAG <= q[1] or q[1] + TAG <= p[1]

    first, width = put(tx, ty - TAG, wide[0]), wide[1]
    corners = [(left, top) for left in (x, x + w - width) for top in (y - TAG, y + h)]
    beside = [(first[0] + first[2], first[1]), (first[0] - width, first[1])]
    places = [put(*corner, width) for corner in corners + beside]
    return [first, next((place for place in places if apart(first, place)), places[0])]
