"""Lesson 04: point at a patch of a picture and see what each level of a network takes for the same thing elsewhere."""

import base64
import functools
from typing import ClassVar

import ipywidgets
import numpy as np
from PIL import Image

from cvlab.transfer_learning import levels
from cvlab.widgets._engine.base import encode
from cvlab.widgets._engine.grid import as_base64, framed, scene_of
from cvlab.widgets._engine.pointer import PointerWidget
from cvlab.widgets._engine.sheet import Sheet

__all__ = ["LevelExplorer"]

SIZE, CELLS, CELL, HEAD, GAP, COLUMNS = 224, 14, 15, 24, 8, 3  # CELL to COLUMNS as in level_explorer.js
SIDE = CELLS * CELL
NAMES = ("a cat's photo", "a woman's photo", "drawn cat 1", "drawn dog 1", "drawn cat 2", "drawn dog 2")
# In patches: left, top, right, bottom of each eye.
EYES = (
    ((3.5, 4, 6.8, 6.8), (11, 5.1, 13.1, 7.6)),
    ((4, 4.4, 6.2, 5.7), (8.8, 4.7, 11.2, 6)),
    ((2.8, 6, 5.7, 8.8), (8.1, 4.8, 11, 7.7)),
    ((4.6, 5, 5.8, 6.6), (8.6, 4.7, 9.8, 6.3)),
    ((5, 7.4, 6.1, 8.7), (8.4, 6.7, 9.6, 8)),
    ((5.8, 4.3, 7.2, 6.6), (9, 5.5, 10.5, 7.7)),
)


class LevelExplorer(PointerWidget):
    """Point at a patch in one of six pictures; the others light up where a level of the network sees the same.

    Example:
        >>> LevelExplorer(level="block 4", row=5, col=5).readout.splitlines()[2]
        'most alike in each other picture: an eye in 5 of 5'
    """

    alt = "Two photos and four drawings of faces, bright where a patch is like the chosen one"
    default_task = "Point at an eye of the photographed cat, and find a level at which the best patch of every other picture is an eye."
    learnt = (
        "Early levels compare colours and edges, the last one whole pictures; in between lies a level that knows "
        "an eye, photographed or drawn, which nobody taught it."
    )
    hint = "Click or drag; arrow keys move the patch, Space goes to the next picture."
    format = "jpeg"
    answer: ClassVar = {"level": "block 4", "row": 5, "col": 5}
    scene = scene_of(__file__)

    def __init__(self, **options):
        self.pictures, self.vectors = _pictures(), _vectors()
        urls = [base64.b64encode(encode(picture, "jpeg", 80)).decode() for picture in self.pictures]
        self._urls = [f"data:image/jpeg;base64,{url}" for url in urls]
        super().__init__(**options)

    def controls(self):
        def hidden(value, description):
            slider = ipywidgets.IntSlider(value, 0, CELLS - 1, description=description)
            slider.layout.display = "none"  # moved on the canvas only
            return slider

        return {
            "level": ipywidgets.SelectionSlider(options=list(self.vectors), description="level"),
            "picture": ipywidgets.Dropdown(options=list(NAMES), description="point in"),
            "row": hidden(11, "row"),
            "col": hidden(9, "column"),
        }

    def data(self, values):
        heat = (255 * values["alike"].clip(0, 1)).round().astype(np.uint8)
        names = {"names": list(NAMES), "says": values["says"], "best": values["best"]}
        return names | {"photos": self._urls, "heat": as_base64(heat)}

    def compute(self, level, picture, row, col):
        vectors, chosen = self.vectors[level], NAMES.index(picture)
        alike = (vectors @ vectors[chosen, row, col]).astype(np.float32)  # (6, 14, 14) cosines
        best = [_best(cosines) for cosines in alike]
        on_eye = [any(_touch(place, eye) for eye in eyes) for place, eyes in zip(best, EYES, strict=True)]
        others = [i for i in range(len(NAMES)) if i != chosen]
        return {
            "level": level,
            "channels": vectors.shape[3],
            "chosen": chosen,
            "row": row,
            "col": col,
            "alike": alike,
            "best": best,
            "at_eye": any(_touch((row, col, 1), eye) for eye in EYES[chosen]),
            "eyes": [on_eye[i] for i in others],
            "cosines": [float(alike[i].max()) for i in others],
            "says": [
                "" if i == chosen else f"{alike[i].max():.2f}".replace("-", "−") for i in range(len(NAMES))
            ],
        }

    def draw(self, values):  # as in level_explorer.js
        rows = len(NAMES) // COLUMNS
        sheet = Sheet(COLUMNS * SIDE + (COLUMNS - 1) * GAP, rows * (HEAD + SIDE) + (rows - 1) * GAP)
        bright = 0.25 + 0.75 * values["alike"].clip(0, 1)  # (6, 14, 14)
        for i, (name, picture) in enumerate(zip(NAMES, self.pictures, strict=True)):
            x, y = i % COLUMNS * (SIDE + GAP), i // COLUMNS * (HEAD + SIDE + GAP) + HEAD
            light = bright[i].repeat(SIZE // CELLS, 0).repeat(SIZE // CELLS, 1)[..., None]
            sheet.paste(x, y, (picture * light).round().astype(np.uint8), SIDE, SIDE)
            chosen = i == values["chosen"]
            sheet.text(x, y - 8, f"{name}: pointed at" if chosen else name, bold=chosen)
            sheet.text(x + SIDE, y - 8, values["says"][i], anchor="rs")
            row, col, cells = (values["row"], values["col"], 1) if chosen else values["best"][i]
            left, top, side = x + col * CELL, y + row * CELL, cells * CELL
            if chosen:
                framed(sheet, left, top, side, side)
            else:
                sheet.box(left, top, side, side, outline="#000000", line=4.5)
                sheet.box(left, top, side, side, outline="#ffffff", line=2.5)
        return sheet.pixels

    def text(self, values):
        at = " (an eye)" if values["at_eye"] else ""
        cosines = ", ".join(f"{cosine:.2f}".replace("-", "−") for cosine in values["cosines"])
        return (
            f"level: {values['level']}, {values['channels']} numbers a patch\n"
            f"pointed at: {NAMES[values['chosen']]}, row {values['row']}, column {values['col']}{at}\n"
            f"most alike in each other picture: an eye in {sum(values['eyes'])} of 5\n"
            f"their cosines: {cosines}"
        )

    def goal(self, values):
        return values["chosen"] == 0 and values["at_eye"] and all(values["eyes"])


def _best(cosines: np.ndarray) -> list[int]:
    """Return row, column and side, in patches, of the most similar place; a coarse level's places are 2 x 2 patches."""
    row, col = np.unravel_index(cosines.argmax(), cosines.shape)
    coarse = np.array_equal(cosines, cosines[::2, ::2].repeat(2, 0).repeat(2, 1))
    return [int(row), int(col), 2 if coarse else 1]


def _touch(place, eye) -> bool:
    """Tell whether a square (row, column, side) and an eye's box overlap."""
    (row, col, side), (x0, y0, x1, y1) = place, eye
    return col < x1 and x0 < col + side and row < y1 and y0 < row + side


@functools.cache
def _pictures() -> np.ndarray:
    """Return the six pictures, (6, 224, 224, 3) uint8: two photos, and drawings in two styles."""
    from cvlab.world import photos
    from cvlab.world.single import make_pictures

    parts = photos.load("chelsea")[:, 60:360], photos.load("astronaut")[50:190, 150:290]
    faces = [Image.fromarray(part).resize((SIZE, SIZE), Image.Resampling.LANCZOS) for part in parts]
    drawn = []
    for n, split, chosen in ((5, "train", (4, 1)), (20, "test", (16, 19))):
        made = make_pictures(n, split, size=SIZE, classes=("cat", "dog"), length=(75, 90))
        drawn += [made.images[i] for i in chosen]
    return np.stack([*map(np.asarray, faces), *drawn])


@functools.cache
def _vectors() -> dict[str, np.ndarray]:
    """Return the unit vectors of the patches, (6, 14, 14, C) float16, by level."""
    found = levels.patches(_pictures(), CELLS)
    return {level: vectors.half().numpy() for level, vectors in found.items()}
