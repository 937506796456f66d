"""Lesson 08a: drag a crop over a picture; what the student sees of it, and which whole pictures it agrees with."""

import base64
import functools
from typing import ClassVar

import ipywidgets
import numpy as np
import torch
import torch.nn.functional as F

from cvlab.distillation.maps import maps_of
from cvlab.widgets._engine.base import encode
from cvlab.widgets._engine.grid import framed, scene_of
from cvlab.widgets._engine.pointer import PointerWidget
from cvlab.widgets._engine.sheet import GRID, PREDICTION, Sheet
from cvlab.world import pool
from cvlab.world.moments import make_moments

__all__ = ["CropViews"]

SIDE, SEEN, TOP, GAP, LEAST = (
    192,
    96,
    24,
    24,
    32,
)  # pixels: the picture, what a network sees; as in crop_views.js
WIDE, THUMB, BAR = (
    288,
    64,
    196,
)  # CSS pixels: the picture, a small one, a bar of similarity 1; as in crop_views.js
RIGHT = WIDE + SEEN + 2 * GAP
NAMES = ("the whole picture", "the fish elsewhere", "a rocket, same cup", "a rocket elsewhere")
ENOUGH, SHARE = 0.65, 0.12


class CropViews(PointerWidget):
    """Drag a crop over a picture: a frozen network sees the crop, and the whole of four pictures.

    All are seen at 96 x 96 pixels, and a network's answer is its map of block 4 (EfficientNet-Lite0), pooled to 112 numbers.

    Example:
        >>> CropViews(size=192, x=0, y=0).readout.splitlines()[:2]
        ['crop: 100 % of the picture', 'the whole picture: 1.00']
    """

    format = "jpeg"
    alt = "A fish before a cup with a square crop, what the student sees of it, and its similarity to four pictures"
    default_task = f"With a crop of at most {SHARE:.0%} of the picture, keep the similarity to the whole picture at {ENOUGH} or more."
    learnt = "Each such crop shows more of cup and table than of the fish: it is the background that agrees."
    hint = "Drag the crop. Arrow keys move it by 4 pixels, with Shift up and down they change its size."
    answer: ClassVar = {"size": 64, "x": 120, "y": 96}
    scene = scene_of(__file__)

    def __init__(self, **options):
        self.pictures, self.mask, self.told = _pictures()
        urls = [base64.b64encode(encode(picture, "jpeg", 85)).decode() for picture in self.pictures]
        self._urls = [f"data:image/jpeg;base64,{url}" for url in urls]
        super().__init__(**options)

    def controls(self):
        def hidden(value, description):
            slider = ipywidgets.IntSlider(value, 0, SIDE - LEAST, description=description)
            slider.layout.display = "none"  # moved on the canvas only
            return slider

        size = ipywidgets.IntSlider(112, LEAST, SIDE, step=4, description="size of the crop")
        return {"size": size, "x": hidden(16, "x"), "y": hidden(8, "y")}

    def data(self, values):
        return {"photos": self._urls, "names": list(NAMES), "alike": [float(v) for v in values["alike"]]}

    def compute(self, size, x, y):
        x, y = min(x, SIDE - size), min(y, SIDE - size)
        part = (slice(y, y + size), slice(x, x + size))
        seen = _small(self.pictures[:1, part[0], part[1]])
        alike = (self.told @ _answers(seen)[0]).numpy()
        return {
            "box": (x, y, size),
            "seen": seen[0],
            "share": size**2 / SIDE**2,
            "alike": alike.round(3),
            "fish": self.mask[part].mean(),
        }

    def draw(self, values):  # as in crop_views.js
        (x, y, size), zoom = values["box"], WIDE / SIDE
        sheet = Sheet(RIGHT + THUMB + 12 + BAR, TOP + WIDE + 8)
        sheet.text(0, 16, "The teacher sees all of this")
        sheet.paste(0, TOP, self.pictures[0], WIDE, WIDE)
        framed(sheet, x * zoom, TOP + y * zoom, size * zoom, size * zoom)
        sheet.text(WIDE + GAP, 16, "The student")
        sheet.paste(WIDE + GAP, TOP, values["seen"], SEEN, SEEN)
        sheet.text(RIGHT, 16, "Similarity of the crop to")
        for k, (name, picture) in enumerate(zip(NAMES, self.pictures, strict=True)):
            top, left = TOP + k * (THUMB + 10), RIGHT + THUMB + 12
            sheet.paste(RIGHT, top, picture, THUMB, THUMB)
            sheet.text(left, top + 20, f"{name}: {_write(values['alike'][k])}")
            sheet.box(left, top + 32, BAR, 14, fill=GRID)
            sheet.box(left, top + 32, BAR * max(0, values["alike"][k]), 14, fill=PREDICTION)
        return sheet.pixels

    def text(self, values):
        lines = [f"{name}: {_write(value)}" for name, value in zip(NAMES, values["alike"], strict=True)]
        return "\n".join(
            [
                f"crop: {values['share']:.0%} of the picture".replace("%", " %"),
                *lines,
                f"the fish in the crop: {values['fish']:.0%}".replace("%", " %"),
            ]
        )

    def goal(self, values):
        return values["share"] <= SHARE and values["alike"][0] >= ENOUGH


def _write(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _small(images: np.ndarray) -> np.ndarray:
    """Resize (N, H, W, 3) bytes to what the network sees."""
    x = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float()
    x = F.interpolate(x, (SEEN, SEEN), mode="bilinear", antialias=True)
    return x.round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()


def _answers(images: np.ndarray) -> torch.Tensor:
    return F.normalize(maps_of(images).float().mean((2, 3)), dim=1)  # (N, 112)


@functools.cache
def _pictures() -> tuple[np.ndarray, np.ndarray, torch.Tensor]:
    """Return four pictures, the fish's pixels in the first, and what the network answers to each."""
    place, made = 4, []
    for name in ("tropical fish", "rocket"):
        shown = pool.sprites("noto")[1]
        row = next(i for i, thing in enumerate(shown) if pool.things()[thing].name == name)
        made.append(make_moments([("noto", row)] * (place + 1), moments=2, seed=3))
    images = np.stack([m.images[k, place] for m in made for k in (0, 1)])
    return images, made[0].masks[0, place], _answers(_small(images))
