"""Lesson 06b: a grid of guessed boxes over a scene, and which of them answers for an object."""

import functools

import ipywidgets
import numpy as np
import torch
from PIL import Image, ImageDraw

from cvlab.detection.anchors import make_anchors, match_anchors
from cvlab.regions.geometry import box_iou
from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.palette import ink_on
from cvlab.widgets._engine.picture import DENSE, board, dense, font
from cvlab.world.scenes import make_scene

__all__ = ["AnchorMatches"]

SIDE, SHOWN, ASIDE = (
    192,
    384,
    192,
)  # pixels of a scene; CSS pixels of it on the page, and of the shapes beside it
MANY, ENOUGH = 8, 0.7
RATIOS = {"1": [1.0], "1/2, 1, 2": [0.5, 1.0, 2.0]}


class AnchorMatches(Widget):
    """Choose a grid of anchors; see which are positive, ignored and negative for the objects of a scene.

    Example:
        >>> AnchorMatches().readout.splitlines()[0]
        'anchors: 6 x 6 places x 1 = 36'
    """

    alt = "A scene with the true boxes, the anchors matched to them, and a dot at every place of the grid; beside it the shapes of one place"
    default_task = "Choose anchors so that every object of this scene has one with an IoU of at least 0.7."
    learnt = "Objects differ, so it takes guesses at many places, in many sizes and shapes; few of them are positive."
    answer = {"stride": 8, "size": 44, "sizes": 3, "ratios": "1/2, 1, 2"}

    def controls(self):
        return {
            "scene": ipywidgets.IntSlider(2, 0, MANY - 1, description="scene"),
            "stride": ipywidgets.ToggleButtons(options=[32, 16, 8], value=32, description="stride"),
            "size": ipywidgets.IntSlider(64, 24, 96, step=4, description="least size"),
            "sizes": ipywidgets.ToggleButtons(options=[1, 2, 3], value=1, description="sizes"),
            "ratios": ipywidgets.ToggleButtons(options=list(RATIOS), value="1", description="h / w"),
            "between": ipywidgets.IntRangeSlider(
                value=(30, 70), min=0, max=100, step=5, description="ignored, %"
            ),
        }

    def compute(self, scene, stride, size, sizes, ratios, between):
        image, truth = _scene(scene)
        sides = [size * 2 ** (k / 2) for k in range(sizes)]
        places = SIDE // stride
        anchors = make_anchors(places, places, stride, sides, RATIOS[ratios])
        low, high = (percent / 100 for percent in between)
        match = match_anchors(anchors, truth, low, high)
        of_place = match.view(places * places, -1)
        best = box_iou(truth, anchors).amax(1)
        return {
            "image": image,
            "truth": truth.numpy(),
            "best": best.numpy(),
            "places": places,
            "shapes": anchors[: of_place.shape[1]].numpy(),
            "positive": anchors[match >= 0].numpy(),
            "counts": [int((match >= 0).sum()), int((match == -2).sum()), int((match == -1).sum())],
            "state": np.where((of_place >= 0).any(1), 0, np.where((of_place == -2).any(1), 1, 2)),
            "without": len(truth) - len(match[match >= 0].unique()),
            "high": high,
        }

    def draw(self, values):
        title = "places: blue positive, orange ignored, white negative"
        panels = [
            (title, self._matches(values)),
            (f"{len(values['shapes'])} at each place", self._shapes(values)),
        ]
        return board([panels], self.palette)

    def _matches(self, values) -> np.ndarray:
        """The scene: positive anchors, a dot a place, the truths with their best IoU."""
        look, zoom = self.palette, SHOWN * DENSE / SIDE
        picture = Image.fromarray(dense(values["image"], SHOWN))
        pen = ImageDraw.Draw(picture)
        for box in values["positive"]:
            pen.rectangle(_corners(box * zoom), outline=look.blue, width=2)
        dots = look.blue, look.orange, (255, 255, 255)
        stride = SIDE // values["places"] * zoom
        for place, state in enumerate(values["state"]):
            y, x = (stride * at for at in divmod(place, values["places"]))
            r = 5 if state < 2 else 3
            pen.ellipse([x - r, y - r, x + r, y + r], fill=dots[state], outline=(0, 0, 0))
        for box in values["truth"]:
            pen.rectangle(_corners(box * zoom), outline=look.truth, width=6)
        for box, best in zip(values["truth"], values["best"], strict=True):
            colour = look.truth if best >= ENOUGH else look.error
            x, y = box[:2] * zoom
            pen.rectangle([x, y, x + 76, y + 34], fill=colour)
            pen.text((x + 38, y + 17), f"{best:.2f}", font=font(13 * DENSE), fill=ink_on(colour), anchor="mm")
        return np.asarray(picture)

    def _shapes(self, values) -> np.ndarray:
        """The shapes of one place in the middle of the faded scene, half as large."""
        look, zoom = self.palette, ASIDE * DENSE / SIDE
        faded = 0.3 * dense(values["image"], ASIDE) + 0.7 * np.array(look.ground)
        paper = Image.fromarray(faded.astype(np.uint8))
        pen = ImageDraw.Draw(paper)
        for shape in values["shapes"]:
            pen.rectangle(_corners(shape * zoom + ASIDE * DENSE / 2), outline=look.ink, width=3)
        return np.asarray(paper)

    def text(self, values):
        positive, ignored, negative = values["counts"]
        shapes, places, best = len(values["shapes"]), values["places"], values["best"]
        return (
            f"anchors: {places} x {places} places x {shapes} = {sum(values['counts'])}\n"
            f"positive: {positive}\n"
            f"ignored: {ignored}\n"
            f"negative: {negative}\n"
            f"objects: {len(best)}\n"
            f"with IoU ≥ {ENOUGH}: {(best >= ENOUGH).sum()}\n"
            f"without a match: {values['without']}"
        )

    def goal(self, values):
        return bool((values["best"] >= ENOUGH).all())


def _corners(box: np.ndarray) -> list[float]:
    """Return a box in whole pixels, as Pillow draws it."""
    return [round(float(v)) for v in box]


@functools.cache
def _scene(index: int) -> tuple[np.ndarray, torch.Tensor]:
    """The picture and the true boxes of one scene."""
    scene = make_scene(index, split="train", seed=5, size=SIDE, objects=(2, 5))
    return scene.image, torch.from_numpy(scene.boxes)
