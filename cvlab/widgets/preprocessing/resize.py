"""Lesson 01: one picture made small by four libraries and five methods; who disagrees, and by how much."""

import ipywidgets
import numpy as np

from cvlab.preprocessing.preprocess import psnr
from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.picture import DENSE, as_photo, board, decibels, scaled, signed_map, stretch
from cvlab.widgets.preprocessing.resizers import LIBRARIES, METHODS, resize

__all__ = ["ResizeExplorer", "rings", "stripes"]

SIDE = 240  # every panel, and the source
LIMIT = 64  # differences from -64 to 64 fill the colours
SAME, AREA = "Pillow, same method", "the exact average (area)"


class ResizeExplorer(Widget):
    """Shrink or enlarge stripes, rings or a photo; compare the result with a reference, pixel by pixel.

    Args:
        image: a photo's name, a path, or a (H, W, 3) uint8 RGB array; its middle square is used.

    Example:
        >>> explorer = ResizeExplorer(source="stripes", method="area", library="OpenCV", size=60)
        >>> explorer.values["worst"] <= 1
        True
    """

    quality = 90  # PNG would take 40 ms for a photo
    alt = "A picture, the picture resized, a reference, and their difference as a signed map centred at 0"
    default_task = "With the stripes at 60 pixels or fewer, make OpenCV and the reference agree to within 1."
    learnt = "Averaging every pixel keeps thin stripes from turning into false ones."
    answer = {"source": "stripes", "library": "OpenCV", "method": "area", "size": 60}

    def __init__(self, image="astronaut", **options):
        photo = as_photo(image)
        side = min(photo.shape[:2])
        top, left = (photo.shape[0] - side) // 2, (photo.shape[1] - side) // 2
        photo = scaled(photo[top : top + side, left : left + side], SIDE)  # (SIDE, SIDE, 3) or smaller
        self.sources = {"photo": photo, "stripes": stripes(SIDE), "rings": rings(SIDE)}
        super().__init__(**options)

    def controls(self):
        def choice(options, value, description):
            return ipywidgets.Dropdown(options=list(options), value=value, description=description)

        return {
            "source": choice(self.sources, "stripes", "picture"),
            "library": choice(LIBRARIES, "OpenCV", "library"),
            "method": choice(METHODS, "bilinear", "method"),
            "size": ipywidgets.IntSlider(60, 8, 360, description="new size"),
            "antialias": ipywidgets.Checkbox(
                False, description="antialias (where the library has it)", indent=False
            ),
            "reference": choice([SAME, AREA], AREA, "compare with"),
        }

    def compute(self, source, library, method, size, antialias, reference):
        image = self.sources[source]
        result, remark = resize(image, size, size, method=method, library=library, antialias=antialias)
        kind = method if reference == SAME else "area"
        expected, _ = resize(image, size, size, method=kind, library="Pillow", antialias=True)
        values = {"image": image, "result": result, "expected": expected, "remark": remark}
        values |= {"name": f"{library}, {method}, {size} × {size}", "reference": f"Pillow, {kind}"}
        if result is not None:
            difference = result.astype(np.int16) - expected
            size_of = np.abs(difference)
            values |= {
                "difference": difference,
                "differ": float((size_of > 0).any(axis=2).mean()),
                "worst": int(size_of.max()),
                "mean": float(size_of.mean()),
                "psnr": psnr(result, expected),
            }
        return values

    def draw(self, values):
        def shown(picture):
            return stretch(picture, SIDE * DENSE, SIDE * DENSE)

        missing = np.full((SIDE * DENSE, SIDE * DENSE, 3), self.palette.raised, np.uint8)
        result, difference = missing, missing
        if values["result"] is not None:
            result = shown(values["result"])
            difference = shown(signed_map(values["difference"].mean(axis=2), LIMIT))
        side = len(values["image"])
        return board(
            [
                [(f"the picture, {side} × {side}", shown(values["image"])), (values["name"], result)],
                [
                    (f"reference: {values['reference']}", shown(values["expected"])),
                    (f"difference: −{LIMIT} blue, +{LIMIT} red", difference),
                ],
            ],
            self.palette,
        )

    def text(self, values):
        missing = ["nothing to compare"] * 4
        differ, worst, mean, noise = missing
        if values["result"] is not None:
            differ, worst = f"{values['differ']:.1%}", f"{values['worst']} of 255"
            mean, noise = f"{values['mean']:.2f}", decibels(values["psnr"])
        return (
            f"made by: {values['name']}\n"
            f"reference: {values['reference']}\n"
            f"pixels that differ: {differ}\n"
            f"largest difference: {worst}\n"
            f"mean difference: {mean}\n"
            f"PSNR: {noise}\n"
            f"note: {values['remark'] or 'none'}"
        )

    def goal(self, values):
        state_ok = values["name"].startswith("OpenCV") and values["image"] is self.sources["stripes"]
        return state_ok and len(values["expected"]) <= 60 and values["worst"] <= 1


def stripes(side: int) -> np.ndarray:
    """Draw black and white stripes that get finer to the right, until they are 2 pixels wide: (side, side, 3) uint8."""
    x = np.arange(side)
    period = np.interp(x, [0, side - 1], [24, 4])  # pixels
    bright = np.sin(2 * np.pi * np.cumsum(1 / period)) > 0
    return np.repeat(np.tile(np.where(bright, 240, 15).astype(np.uint8), (side, 1))[..., None], 3, axis=2)


def rings(side: int) -> np.ndarray:
    """Draw rings that get finer outwards, until two pixels make one wave: (side, side, 3) uint8.

    Source: the zone plate, a standard test picture for aliasing.
    """
    axis = np.arange(side) - (side - 1) / 2
    radius2 = axis[:, None] ** 2 + axis**2
    wave = 127.5 + 112.5 * np.cos(np.pi * radius2 / side)
    return np.repeat(np.rint(wave).astype(np.uint8)[..., None], 3, axis=2)
