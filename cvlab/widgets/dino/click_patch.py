"""Lesson 08b: a patch of a picture is clicked, and all heads show where it looks."""

import base64
import functools
from typing import ClassVar

import ipywidgets
import numpy as np
import torch

from cvlab.dino.records import checkpoint
from cvlab.distillation.maps import PLACES, maps_of
from cvlab.widgets._engine.base import encode
from cvlab.widgets._engine.grid import framed, scene_of
from cvlab.widgets._engine.palette import HUES
from cvlab.widgets._engine.pointer import PointerWidget
from cvlab.widgets._engine.sheet import INK, Sheet, css
from cvlab.world.moments import drawings_to_judge, make_moments

__all__ = ["ClickPatch"]

BIG, SMALL, TOP, GAP, SIDE = 27, 12, 24, 20, 192  # CSS pixels of a place; of a caption; pixels of a picture
WIDE, TALL, LEFT = BIG * PLACES, 2 * (TOP + SMALL * PLACES) + 12, BIG * PLACES + GAP
HEADS = [css(HUES[i]) for i in (4, 5, 3, 2)]
MUCH, LITTLE = 0.6, 0.3


class ClickPatch(PointerWidget):
    """Click a patch, or go to it with the arrow keys: where does each head look from there?

    Example:
        >>> ClickPatch().readout.splitlines()[0]
        'asks: row 2, column 2'
    """

    format = "jpeg"
    alt = "A picture in 12 x 12 patches, one of them framed; beside it four grey copies, one a head, coloured where the head looks from that patch"
    default_task = "Find a patch that one head sends to the thing (60 % or more) and another one beside it (30 % or less on the thing)."
    learnt = "Heads of one layer, asked by the same patch, look at different things: nobody told them to share the work."
    hint = "Click or drag over the picture, or use the arrow keys."
    answer: ClassVar = {"picture": 0, "row": 5, "col": 3}
    scene = scene_of(__file__)

    def controls(self):
        controls = {
            "picture": ipywidgets.IntSlider(0, 0, len(_pictures()[0]) - 1, description="picture"),
            "layer": ipywidgets.ToggleButtons(options=["first", "last"], value="last", description="layer"),
            "asks": ipywidgets.ToggleButtons(
                options=["patch", "class token"], value="patch", description="asks"
            ),
        }
        for name in ("row", "col"):
            slider = ipywidgets.IntSlider(2, 0, PLACES - 1, description=name)
            slider.layout.display = "none"  # moved on the canvas
            controls[name] = slider
        return controls

    def compute(self, picture, layer, asks, row, col):
        image, inside, weights = _seen(picture)
        token = 0 if asks == "class token" else 1 + row * PLACES + col
        looks = weights[int(layer == "last"), :, token, 1:]  # (heads, P)
        looks = looks / looks.sum(axis=1, keepdims=True)
        return {
            "image": image,
            "asks": asks,
            "row": row,
            "col": col,
            "strength": looks / looks.max(axis=1, keepdims=True),
            "on_thing": looks @ inside,
        }

    def data(self, values):
        return {
            "photo": _url(values["image"]),
            "gray": _url(_gray(values["image"])),
            "strength": np.round(values["strength"], 2).tolist(),
            "percent": [round(100 * float(share)) for share in values["on_thing"]],
            "colors": HEADS,
        }

    def draw(self, values):  # as in click_patch.js
        sheet, small = Sheet(LEFT + 2 * SMALL * PLACES + 12, TALL), SMALL * PLACES
        sheet.text(0, TOP - 8, "the picture, 12 × 12 patches")
        sheet.paste(0, TOP, values["image"], WIDE, WIDE)
        for k in range(1, PLACES):
            sheet.path([(k * BIG, TOP), (k * BIG, TOP + WIDE)], "#ffffff50")
            sheet.path([(0, TOP + k * BIG), (WIDE, TOP + k * BIG)], "#ffffff50")
        if values["asks"] == "patch":
            framed(sheet, values["col"] * BIG, TOP + values["row"] * BIG, BIG, BIG)
        for head, (strength, share) in enumerate(zip(values["strength"], values["on_thing"], strict=True)):
            x, y = LEFT + head % 2 * (small + 12), head // 2 * (TOP + small + 12) + TOP
            sheet.text(x, y - 8, f"head {head + 1}: {share:.0%} thing".replace("%", " %"), fill=INK)
            sheet.paste(x, y, _gray(values["image"]), small, small)
            for place, strong in enumerate(strength):
                veil = f"{HEADS[head]}{round(0.8 * 255 * round(float(strong), 2)):02x}"
                r, c = divmod(place, PLACES)
                sheet.box(x + c * SMALL, y + r * SMALL, SMALL, SMALL, fill=veil)
            if values["asks"] == "patch":
                framed(sheet, x + values["col"] * SMALL, y + values["row"] * SMALL, SMALL, SMALL)
        return sheet.pixels

    def text(self, values):
        asks = (
            f"row {values['row']}, column {values['col']}" if values["asks"] == "patch" else "the class token"
        )
        heads = [f"head {i}: {share:.0%} on the thing" for i, share in enumerate(values["on_thing"], 1)]
        return "\n".join([f"asks: {asks}", *heads]).replace("%", " %")

    def goal(self, values):
        if values["asks"] != "patch":
            return False
        return bool(values["on_thing"].max() >= MUCH and values["on_thing"].min() <= LITTLE)


@functools.cache
def _pictures() -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, 192, 192, 3) of things that no training has seen, and (N, P) which share of each place they cover."""
    shown = make_moments(drawings_to_judge()[3:123:24], split="test", seed=5)
    step = SIDE // PLACES
    inside = shown.masks[0].reshape(-1, PLACES, step, PLACES, step).mean(axis=(2, 4))
    return shown.images[0], inside.reshape(-1, PLACES**2)


@functools.cache
def _seen(picture: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One picture, its thing's share of each place, and who looks where: (layers, heads, 1 + P, 1 + P)."""
    images, inside = _pictures()
    net, maps = checkpoint("dino"), maps_of(images[picture : picture + 1]).float()
    with torch.no_grad():
        weights = [net.attention(maps, layer)[0].numpy() for layer in range(len(net.blocks))]
    return images[picture], inside[picture], np.stack([weights[0], weights[-1]])


def _gray(image: np.ndarray) -> np.ndarray:
    return image.mean(axis=2).astype(np.uint8)


def _url(image: np.ndarray) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(encode(image, 'jpeg', 85)).decode()}"
