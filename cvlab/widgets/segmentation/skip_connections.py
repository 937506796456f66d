"""Lesson 05: what a segmentation network says with no skip connection, with one, two and three. Recorded networks."""

import functools

import ipywidgets
import numpy as np

from cvlab.draw import class_color
from cvlab.segmentation import records
from cvlab.segmentation.metrics import boundary_iou, mask_iou
from cvlab.segmentation.targets import NAMES
from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.picture import board, dense, stretch

__all__ = ["SkipConnections"]

SHOWN = 208  # CSS pixels of a picture on the page
CELLS = (4, 8, 16, 32)  # along a side of the finest map that reaches the answer, by number of skips
MANY = 8  # scenes of each style


class SkipConnections(Widget):
    """Add skip connections one by one; see the class that a network names at every pixel, and where it is wrong.

    For each number of skips another network was trained, from the same scenes and for as many steps; the encoder is the
    pretrained one of lesson 04, frozen.

    Example:
        >>> SkipConnections(skips=3).readout.splitlines()[0]
        'skips: 3 of 3, finest map 32 x 32'
    """

    alt = "A scene, the class that a network names at every pixel, and the pixels where that is wrong"
    default_task = "Add skips until the outline IoU is at least four times what it is without any."
    learnt = "The deepest map knows what is there; the finer ones, handed across, say where it ends."
    answer = {"skips": 3}

    def controls(self):
        return {
            "skips": ipywidgets.IntSlider(0, 0, 3, description="skips"),
            "scene": ipywidgets.IntSlider(0, 0, MANY - 1, description="scene"),
            "style": ipywidgets.ToggleButtons(
                options=["seen", "unseen"], value="seen", description="drawing style"
            ),
        }

    def compute(self, skips, scene, style):
        images, truths = records.shown_scenes(style)
        said = records.shown_maps()[:, list(records.STYLES).index(style)]  # (4, MANY, 96, 96)
        here, truth = said[skips, scene], truths[scene]
        outline = [boundary_iou(said[k, scene] > 0, truth > 0, width=1) for k in (0, skips)]
        flat = (MANY, -1)
        return {
            "skips": skips,
            "image": images[scene],
            "said": here,
            "truth": truth,
            "wrong": here != truth,
            "iou": mask_iou(here > 0, truth > 0),
            "outline": outline[1],
            "outline without": outline[0],
            "all": mask_iou((said[skips] > 0).reshape(flat), (truths > 0).reshape(flat)),
            "all wrong": float((said[skips] != truths).mean()),
        }

    def draw(self, values):
        grey = values["image"].mean(axis=2, keepdims=True).repeat(3, axis=2)  # (H, W, 3)
        told = np.where(
            (values["said"] > 0)[..., None], 0.25 * grey + 0.75 * _hues()[values["said"]], 0.5 * grey
        )
        error = np.array(self.palette.error)
        wrong = np.where(values["wrong"][..., None], 0.2 * grey + 0.8 * error, 0.5 * grey)
        side = 2 * SHOWN
        panels = [
            ("the scene", dense(values["image"], SHOWN)),
            (f"with {values['skips']} of 3 skips", stretch(told.astype(np.uint8), side, side)),
            (
                f"wrong: {100 * values['wrong'].mean():.1f} % of it",
                stretch(wrong.astype(np.uint8), side, side),
            ),
        ]
        return board([panels], self.palette)

    def text(self, values):
        cells = CELLS[values["skips"]]
        return (
            f"skips: {values['skips']} of 3, finest map {cells} x {cells}\n"
            f"there is: {_names(values['truth'])}\n"
            f"it names: {_names(values['said'])}\n"
            f"IoU of things: {values['iou']:.2f}\n"
            f"outline IoU: {values['outline']:.2f} (without: {values['outline without']:.2f})\n"
            f"all {MANY}, wrong: {100 * values['all wrong']:.1f} %\n"
            f"all {MANY}, IoU: {values['all']:.2f}"
        )

    def goal(self, values):
        return values["outline"] >= 4 * values["outline without"]


@functools.cache
def _hues() -> np.ndarray:
    """The colour of every class: (18, 3) uint8; the background's is never shown."""
    return np.array([tuple(bytes.fromhex(class_color(name)[1:])) for name in NAMES], np.uint8)


def _names(labels: np.ndarray, least: int = 60) -> str:
    """Name the classes of at least `least` pixels, the largest first, three at most."""
    counts = np.bincount(labels.ravel(), minlength=len(NAMES))
    counts[0] = 0
    order = [k for k in np.argsort(-counts, kind="stable") if counts[k] >= least]
    return ", ".join(NAMES[k] for k in order[:3]) or "nothing"
