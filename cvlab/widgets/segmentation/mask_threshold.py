"""Lesson 05: where to cut a map of probabilities, and what each cut gets right, misses and invents."""

import functools

import ipywidgets
import numpy as np

from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.picture import board, dense, stretch

__all__ = ["MaskThreshold"]

CHOSEN = (8, 23, 18, 0)  # scenes of one thing
SHOWN = 208  # CSS pixels of a picture on the page
SOFT, DOUBT, TIMID = 2.0, 1.5, 1.6  # pixels of blur, size of the noise, how far the answer leans to "no"


class MaskThreshold(Widget):
    """Move the cut of a soft mask; hits, misses and false alarms change colour, and the scores with them.

    The probabilities are no net's: they are the true mask, blurred, with smooth noise added, and leaning to "no", as
    the answers of nets trained on few pixels do.

    Example:
        >>> MaskThreshold().readout.splitlines()[0]
        'cut: 0.50'
    """

    alt = "A scene, how likely each pixel is said to be the thing, and the mask that a cut makes of it"
    default_task = "Find the cut with the best IoU."
    learnt = "The best cut need not be 0.5, and differs from picture to picture: choose it on pictures kept for that."
    answer = {"cut": 30}

    def controls(self):
        return {
            "picture": ipywidgets.IntSlider(0, 0, len(CHOSEN) - 1, description="picture"),
            "cut": ipywidgets.IntSlider(50, 1, 99, description="cut, in %"),
        }

    def compute(self, picture, cut):
        image, truth, percent = _soft_masks()[picture]
        ious = [_iou(percent >= at, truth) for at in range(1, 100)]
        called = percent >= cut
        hits, missed, alarms = (int(m.sum()) for m in (called & truth, truth & ~called, called & ~truth))
        return {
            "image": image,
            "percent": percent,
            "cut": cut,
            "called": called,
            "truth": truth,
            "hits": hits,
            "missed": missed,
            "alarms": alarms,
            "iou": hits / (hits + missed + alarms),
            "dice": 2 * hits / (2 * hits + missed + alarms),
            "precision": hits / (hits + alarms) if hits + alarms else None,
            "recall": hits / (hits + missed),
            "best": max(ious),
        }

    def draw(self, values):
        called, truth, look = values["called"], values["truth"], self.palette
        grey = values["image"].mean(axis=2, keepdims=True).repeat(3, axis=2)  # (H, W, 3)
        parts = (
            (called & truth, look.truth),
            (truth & ~called, look.prediction),
            (called & ~truth, look.error),
        )
        for where, colour in parts:
            grey[where] = 0.3 * grey[where] + 0.7 * np.array(colour)
        soft = (values["percent"] * 2.55).astype(np.uint8)
        side = 2 * SHOWN
        panels = [
            ("the scene", dense(values["image"], SHOWN)),
            ("how likely: white is sure", stretch(soft, side, side)),
            (f"cut at {values['cut'] / 100:.2f}", stretch(grey.astype(np.uint8), side, side)),
        ]
        return board([panels], look)

    def text(self, values):
        precision = values["precision"]
        return (
            f"cut: {values['cut'] / 100:.2f}\n"
            f"IoU: {values['iou']:.3f}\n"
            f"Dice: {values['dice']:.3f}\n"
            f"hits (green): {values['hits']} pixels\n"
            f"missed (blue): {values['missed']} pixels\n"
            f"false alarms (orange): {values['alarms']} pixels\n"
            f"precision: {'nothing is called' if precision is None else f'{precision:.2f}'}\n"
            f"recall: {values['recall']:.2f}"
        )

    def goal(self, values):
        return values["iou"] >= values["best"] - 0.005


def _iou(called: np.ndarray, truth: np.ndarray) -> float:
    return float((called & truth).sum() / (called | truth).sum())


@functools.cache
def _soft_masks() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return for each scene its picture, the mask of its thing, and the soft mask in whole percent."""
    import cv2

    from cvlab.world.scenes import make_scene

    made = []
    for index in CHOSEN:
        scene = make_scene(index, split="val", objects=(1, 1))
        truth = scene.masks[0]
        noise = cv2.GaussianBlur(np.random.default_rng(index).normal(size=truth.shape), (0, 0), 4)
        blurred = cv2.GaussianBlur(truth.astype(float), (0, 0), SOFT)
        logits = 8 * (blurred - 0.5) + DOUBT * noise / noise.std() - TIMID
        made.append((scene.image, truth, np.round(100 / (1 + np.exp(-logits))).astype(int)))
    return made
